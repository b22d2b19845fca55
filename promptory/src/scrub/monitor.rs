//! The quick look: what each server counts of its own replicas. It shows lost messages that the server noticed without
//! saying so; it shows no wrong bytes, and nothing that was not loaded since the server started.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use promptory_ledger::jetstream::INCARNATION_KEY;
use serde::Deserialize;

const TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// A server that does not say how it is.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// No answer.
    #[error("{url} does not say how its streams are")]
    Ask {
        /// Where it was asked.
        url: String,
        /// Why not.
        #[source]
        source: ureq::Error,
    },
    /// Not the answer of a NATS server.
    #[error("what {url} says is not what a NATS server says")]
    Answer {
        /// Where it was asked.
        url: String,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// No ledger's stream on any server.
    #[error("the servers that were asked hold no stream of a ledger")]
    NoStream,
}

/// What servers count of one stream.
#[derive(Debug, PartialEq, Eq)]
pub struct Look {
    account: String,
    stream: String,
    /// By server.
    counts: BTreeMap<String, Count>,
}

/// What one server counts.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
struct Count {
    messages: u64,
    first_seq: u64,
    last_seq: u64,
    #[serde(default)]
    num_deleted: u64,
}

impl Count {
    fn is_dense(self) -> bool {
        self.num_deleted == 0 && self.messages == self.last_seq && (self.last_seq == 0 || self.first_seq == 1)
    }
}

impl Look {
    /// Whether every server counts as many messages as there are sequences. One that is behind is no finding: the servers
    /// are not asked at one moment.
    pub fn is_whole(&self) -> bool {
        self.counts.values().all(|count| count.is_dense())
    }
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, stream, counts } = self;
        write!(f, "{stream:<12} of {account}, as counted:")?;
        for (n, (server, count)) in counts.iter().enumerate() {
            let Count { messages, last_seq, first_seq, .. } = count;
            write!(f, "{} {server} {messages} of {last_seq}", if n > 0 { "," } else { "" })?;
            if !count.is_dense() {
                write!(f, " LACKS {} (begins at {first_seq})", last_seq.saturating_sub(*messages))?;
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Varz {
    server_name: String,
}

#[derive(Deserialize)]
struct Jsz {
    #[serde(default)]
    account_details: Vec<Account>,
}

#[derive(Deserialize)]
struct Account {
    name: String,
    #[serde(default)]
    stream_detail: Vec<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    name: String,
    config: Config,
    state: Count,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

/// Asks each server for what it counts of the streams that are a ledger's. Blocks.
pub fn look(monitors: &[String]) -> Result<Vec<Look>, MonitorError> {
    let config = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).proxy(None).build();
    let agent = ureq::Agent::new_with_config(config);
    let mut said = Vec::new();
    for url in monitors {
        let url = url.trim_end_matches('/');
        let server = ask::<Varz>(&agent, url, "/varz")?.server_name;
        said.push((server, ask::<Jsz>(&agent, url, "/jsz?accounts=1&streams=1&config=1")?));
    }
    let looks = by_stream(said);
    if looks.is_empty() && !monitors.is_empty() {
        return Err(MonitorError::NoStream);
    }
    Ok(looks)
}

fn ask<T: serde::de::DeserializeOwned>(agent: &ureq::Agent, url: &str, path: &str) -> Result<T, MonitorError> {
    let answer = agent.get(format!("{url}{path}")).call();
    let body = answer.and_then(|mut answer| answer.body_mut().with_config().limit(ANSWER_MAX_BYTES).read_to_vec());
    let body = body.map_err(|source| MonitorError::Ask { url: url.to_owned(), source })?;
    serde_json::from_slice(&body).map_err(|source| MonitorError::Answer { url: url.to_owned(), source })
}

fn by_stream(said: Vec<(String, Jsz)>) -> Vec<Look> {
    let mut streams: BTreeMap<(String, String), BTreeMap<String, Count>> = BTreeMap::new();
    for (server, jsz) in said {
        for account in jsz.account_details {
            let ours = |stream: &Stream| stream.config.metadata.contains_key(INCARNATION_KEY);
            for stream in account.stream_detail.into_iter().filter(ours) {
                let counts = streams.entry((account.name.clone(), stream.name)).or_default();
                counts.insert(server.clone(), stream.state);
            }
        }
    }
    streams.into_iter().map(|((account, stream), counts)| Look { account, stream, counts }).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn jsz(state: &str) -> Jsz {
        let metadata = format!(r#"{{ "{INCARNATION_KEY}": "0011223344556677" }}"#);
        serde_json::from_str(&format!(
            r#"{{ "account_details": [ {{ "name": "PROMPTORY", "id": "PROMPTORY", "stream_detail": [
                {{ "name": "LEDGER-0", "config": {{ "metadata": {metadata} }}, "state": {state} }},
                {{ "name": "OTHER", "config": {{}}, "state": {{ "messages": 1, "first_seq": 5, "last_seq": 9 }} }}
            ] }}, {{ "name": "SYS", "id": "SYS" }} ] }}"#
        ))
        .unwrap()
    }

    #[test]
    fn a_server_that_counts_less_than_its_sequences_lacks_something() {
        let whole = r#"{ "messages": 13426, "first_seq": 1, "last_seq": 13426 }"#;
        let lacks = r#"{ "messages": 12746, "first_seq": 1, "last_seq": 13426, "num_deleted": 680 }"#;
        let late = r#"{ "messages": 13420, "first_seq": 7, "last_seq": 13426 }"#;
        let look = |state| by_stream(vec![("n0".to_owned(), jsz(whole)), ("n1".to_owned(), jsz(state))]);
        assert!(look(whole).iter().all(Look::is_whole));
        let (lost, behind) = (look(lacks), look(late));
        assert_eq!(lost.len(), 1, "streams of others don't count");
        assert!(!lost[0].is_whole() && !behind[0].is_whole());
        let text = lost[0].to_string();
        assert!(text.contains("n0 13426 of 13426, n1 12746 of 13426 LACKS 680"), "{text}");
    }
}
