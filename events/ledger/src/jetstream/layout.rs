//! How a ledger lies on JetStream: names, what a partition's stream is set to, and what it says about itself.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::stream::{
    Compression, Config, DiscardPolicy, PersistenceMode, RetentionPolicy, StorageType,
};
use promptory_events::{Incarnation, TenantId};

const FORMAT_KEY: &str = "promptory-format";
/// Where a stream says in its metadata which life of the ledger it is of: only a ledger's streams say it.
pub const INCARNATION_KEY: &str = "promptory-incarnation";
const PARTITIONS_KEY: &str = "promptory-partitions";
const FORMAT: &str = "1";

/// The most partitions a ledger has: each is a stream, and on a cluster a group of replicas of its own.
pub const PARTITIONS_MAX: u16 = 256;

/// What every stream of one ledger says in its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) incarnation: Incarnation,
    pub(super) partitions: u16,
}

/// What a stream says about itself under a key.
fn said<'c>(config: &'c Config, key: &str) -> Result<&'c String, String> {
    config.metadata.get(key).ok_or_else(|| format!("says nothing of {key}"))
}

/// Which life of a ledger a stream says it belongs to.
pub(crate) fn incarnation_of(config: &Config) -> Result<Incarnation, String> {
    let format = said(config, FORMAT_KEY)?;
    if format != FORMAT {
        return Err(format!("has format {format:?}, this release reads {FORMAT}"));
    }
    let incarnation = said(config, INCARNATION_KEY)?;
    incarnation.parse().map_err(|_| format!("has the incarnation {incarnation:?}, which is none"))
}

impl Identity {
    /// What a stream says it is part of.
    pub(super) fn of(config: &Config) -> Result<Self, String> {
        let incarnation = incarnation_of(config)?;
        let partitions = said(config, PARTITIONS_KEY)?;
        match partitions.parse() {
            Ok(partitions @ 1..=PARTITIONS_MAX) => Ok(Self { incarnation, partitions }),
            _ => Err(format!("says that there are {partitions:?} partitions")),
        }
    }

    fn metadata(self) -> HashMap<String, String> {
        HashMap::from([
            (FORMAT_KEY.to_owned(), FORMAT.to_owned()),
            (INCARNATION_KEY.to_owned(), self.incarnation.to_string()),
            (PARTITIONS_KEY.to_owned(), self.partitions.to_string()),
        ])
    }
}

/// The stream of a partition.
pub(super) fn stream_name(partition: u16) -> String {
    format!("LEDGER-{partition}")
}

/// The one subject of a tenant: literal, because a guard over a wildcard lets two writers win on a replicated stream.
pub(super) fn subject(partition: u16, tenant: &TenantId) -> String {
    format!("ledger.{partition}.{tenant}")
}

/// What a partition's stream is created with.
pub(super) fn wanted(partition: u16, identity: Identity, replicas: usize) -> Config {
    Config {
        name: stream_name(partition),
        subjects: vec![format!("ledger.{partition}.*")],
        deny_delete: true,
        allow_direct: true,
        metadata: identity.metadata(),
        ..kept_for_ever(replicas)
    }
}

/// The stream of the key store.
pub(crate) const KEYS: &str = "KEYS";

/// What the key store's stream is created with. Messages may be deleted one by one, which erasure needs; who may do it
/// is a matter of permissions. Only the leader answers: a replica that is behind would say that a key never was.
pub(crate) fn wanted_keys(incarnation: Incarnation, replicas: usize) -> Config {
    Config {
        name: KEYS.to_owned(),
        subjects: vec!["keys.>".to_owned()],
        deny_delete: false,
        allow_direct: false,
        metadata: HashMap::from([
            (FORMAT_KEY.to_owned(), FORMAT.to_owned()),
            (INCARNATION_KEY.to_owned(), incarnation.to_string()),
        ]),
        ..kept_for_ever(replicas)
    }
}

/// The stream of usage records.
pub(crate) const USAGE: &str = "USAGE";
/// The stream of what is counted from them.
pub(crate) const ROLLUP: &str = "ROLLUP";

/// What the stream of usage records is created with: the servers drop what is older than `max_age`.
pub(crate) fn wanted_usage(incarnation: Incarnation, replicas: usize, max_age: Duration) -> Config {
    Config { max_age, ..wanted_log(USAGE, "usage.*", incarnation, replicas) }
}

/// What the stream of rollups is created with. They are what is left of usage for ever.
pub(crate) fn wanted_rollup(incarnation: Incarnation, replicas: usize) -> Config {
    wanted_log(ROLLUP, "rollup.*", incarnation, replicas)
}

fn wanted_log(name: &str, subject: &str, incarnation: Incarnation, replicas: usize) -> Config {
    Config {
        name: name.to_owned(),
        subjects: vec![subject.to_owned()],
        deny_delete: true,
        allow_direct: true,
        metadata: HashMap::from([
            (FORMAT_KEY.to_owned(), FORMAT.to_owned()),
            (INCARNATION_KEY.to_owned(), incarnation.to_string()),
        ]),
        ..kept_for_ever(replicas)
    }
}

/// Whether a stream holds every message that it ever had.
pub(super) fn lacks_nothing(stream: &str) -> bool {
    stream != USAGE
}

/// What every stream has in common: in files, without limits, never purged, never changed by the server.
fn kept_for_ever(replicas: usize) -> Config {
    Config {
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        num_replicas: replicas,
        discard: DiscardPolicy::New,
        deny_purge: true,
        compression: Some(Compression::None),
        max_bytes: -1,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_message_size: -1,
        max_consumers: -1,
        ..Config::default()
    }
}

/// A setting of a stream that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The stream.
    pub stream: String,
    /// The setting, as the server calls it.
    pub setting: &'static str,
    /// What `init` would have set.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl std::fmt::Display for Drift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} is {}, expected {}", self.stream, self.setting, self.found, self.expected)
    }
}

/// Every setting that matters and differs. Names, descriptions and placement don't matter, nor does the window for
/// duplicates, which the ledger never uses.
pub(super) fn drift(found: &Config, wanted: &Config) -> Vec<Drift> {
    let mut out = Vec::new();
    let mut compare = |setting: &'static str, found_value: String, expected: String| {
        if found_value != expected {
            out.push(Drift { stream: wanted.name.clone(), setting, expected, found: found_value });
        }
    };
    let unlimited = |limit: i64| if limit <= 0 { "unlimited".to_owned() } else { limit.to_string() };
    let none = |there: bool| if there { "set" } else { "none" }.to_owned();
    let mut settings = |setting, value: &dyn Fn(&Config) -> String| compare(setting, value(found), value(wanted));
    settings("subjects", &|c| c.subjects.join(","));
    settings("retention", &|c| format!("{:?}", c.retention));
    settings("storage", &|c| format!("{:?}", c.storage));
    settings("num_replicas", &|c| c.num_replicas.to_string());
    settings("discard", &|c| format!("{:?}", c.discard));
    settings("deny_delete", &|c| c.deny_delete.to_string());
    settings("deny_purge", &|c| c.deny_purge.to_string());
    settings("allow_direct", &|c| c.allow_direct.to_string());
    settings("no_ack", &|c| c.no_ack.to_string());
    settings("sealed", &|c| c.sealed.to_string());
    settings("allow_rollup_hdrs", &|c| c.allow_rollup.to_string());
    settings("allow_msg_ttl", &|c| c.allow_message_ttl.to_string());
    settings("allow_msg_counter", &|c| c.allow_message_counter.to_string());
    settings("allow_msg_schedules", &|c| c.allow_message_schedules.to_string());
    settings("discard_new_per_subject", &|c| c.discard_new_per_subject.to_string());
    settings("compression", &|c| format!("{:?}", c.compression.as_ref().unwrap_or(&Compression::None)));
    settings("persist_mode", &|c| format!("{:?}", c.persist_mode.unwrap_or(PersistenceMode::Default)));
    settings("max_age", &|c| if c.max_age == Duration::ZERO { "unlimited".into() } else { format!("{:?}", c.max_age) });
    settings("max_bytes", &|c| unlimited(c.max_bytes));
    settings("max_msgs", &|c| unlimited(c.max_messages));
    settings("max_msgs_per_subject", &|c| unlimited(c.max_messages_per_subject));
    settings("max_msg_size", &|c| unlimited(c.max_message_size.into()));
    settings("mirror", &|c| none(c.mirror.is_some()));
    settings("sources", &|c| none(c.sources.as_ref().is_some_and(|sources| !sources.is_empty())));
    settings("republish", &|c| none(c.republish.is_some()));
    settings("subject_transform", &|c| none(c.subject_transform.is_some()));
    settings("subject_delete_marker_ttl", &|c| none(c.subject_delete_marker_ttl.is_some_and(|ttl| !ttl.is_zero())));
    for key in [FORMAT_KEY, INCARNATION_KEY, PARTITIONS_KEY] {
        settings(key, &|c| c.metadata.get(key).cloned().unwrap_or_else(|| "none".to_owned()));
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const IDENTITY: Identity = Identity { incarnation: Incarnation([7; 8]), partitions: 8 };

    #[test]
    fn a_stream_says_whose_it_is() {
        let config = wanted(3, IDENTITY, 3);
        assert_eq!(config.name, "LEDGER-3");
        assert_eq!(Identity::of(&config).unwrap(), IDENTITY);
        for (key, value) in [(FORMAT_KEY, "2"), (INCARNATION_KEY, "x"), (PARTITIONS_KEY, "0"), (PARTITIONS_KEY, "257")]
        {
            let mut other = config.clone();
            other.metadata.insert(key.to_owned(), value.to_owned());
            assert!(Identity::of(&other).is_err(), "{key} {value}");
            other.metadata.remove(key);
            assert!(Identity::of(&other).is_err(), "no {key}");
        }
    }

    #[test]
    fn drift_names_each_setting_with_both_values() {
        let wanted = wanted(0, IDENTITY, 3);
        assert_eq!(drift(&wanted, &wanted), []);
        let as_the_server_says_it = Config { duplicate_window: Duration::from_secs(120), ..wanted.clone() };
        assert_eq!(drift(&as_the_server_says_it, &wanted), []);
        let found = Config { deny_delete: false, max_age: Duration::from_secs(60), num_replicas: 1, ..wanted.clone() };
        let said: Vec<_> = drift(&found, &wanted).iter().map(Drift::to_string).collect();
        let expected = [
            "LEDGER-0: num_replicas is 1, expected 3",
            "LEDGER-0: deny_delete is false, expected true",
            "LEDGER-0: max_age is 60s, expected unlimited",
        ];
        assert_eq!(said, expected);
    }
}
