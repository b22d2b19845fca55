//! What the libraries below do alone: the bounds that everything else is a share of.

pub mod stores;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::client::{Request, authorization, prompt};
use super::load::{Make, Measured};
use super::report::Figures;
use super::{Bench, BenchError, Figure};
use promptory_events::{KeyId, TenantId};
use promptory_platform::apikey::{ApiKey, Secret};
use stores::Recording;

/// Connections at the full load of every scenario.
pub const CLIENTS: usize = 64;
/// Bytes of a resolve's body, about; the scenario `resolve` takes the mean of real ones.
const RESOLVE_BYTES: usize = 3_600;
/// Bytes of a command's answer, about; the scenario `commands` takes a real one.
const OUTCOME_BYTES: usize = 300;
/// Bytes of the text of a version that is added.
pub const TEXT_BYTES: usize = 1_024;

/// Two bare axum handlers: no layer, no extractor but the body, constant answers.
#[derive(Debug)]
pub struct Bare {
    /// Where they answer.
    pub address: SocketAddr,
    server: JoinHandle<()>,
}

impl Bare {
    /// Starts them on the same paths as the real ones, with answers of the given sizes.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start(get_bytes: usize, post_bytes: usize) -> Result<Self, BenchError> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (read, wrote) = (answer(get_bytes), answer(post_bytes));
        let router = Router::new()
            .route("/v1/prompts/{prompt}", get(async move || ([(CONTENT_TYPE, "application/json")], read)))
            .route(
                "/v1/prompts/{prompt}/versions",
                post(async move |_: Bytes| ([(CONTENT_TYPE, "application/json")], wrote)),
            );
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true); // a client that is gone already
        });
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await; // it never ends by itself
        });
        Ok(Self { address, server })
    }

    /// Drives one of them with the full load.
    ///
    /// # Errors
    /// A connection broke.
    pub async fn measure(&self, bench: &Bench, make: &Make) -> Result<Measured, BenchError> {
        let mut clients = bench.load.connect(self.address, CLIENTS).await?;
        clients.warm_closed(bench.warm_up(), bench.time(), make).await
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn answer(bytes: usize) -> Bytes {
    let text = "x".repeat(bytes.saturating_sub(r#"{"text":""}"#.len()));
    Bytes::from(format!(r#"{{"text":"{text}"}}"#))
}

/// The body of a command that adds a version: a text like no other before.
#[must_use]
pub fn version_body(client: usize, number: u64) -> String {
    let mut body = format!(r#"{{"text":"{client} {number} "#);
    let end = TEXT_BYTES + r#"{"text":""#.len();
    // Not by a formatter's padding, which writes each character alone: the client shares the server's cores.
    body.push_str(&"x".repeat(end.saturating_sub(body.len())));
    body.push_str(r#""}"#);
    body
}

/// Measures all of them.
///
/// # Errors
/// Something broke.
pub async fn run(bench: &Bench) -> Result<Vec<Figure>, BenchError> {
    let mut figures = Figures::of("limits");
    let bare = Bare::start(RESOLVE_BYTES, OUTCOME_BYTES).await?;
    let filled = bench.filled().await?;
    let recording = Recording::of(filled.world.node().ledger(), &filled.tenant.id).await?;
    let recording = Arc::new(recording);
    let (read, write) = requests()?;
    for round in 0..bench.args.rounds {
        let reads = bare.measure(bench, &read).await?;
        figures.sample(format!("bare GET, {CLIENTS} clients"), "/s", reads.rate());
        let writes = bare.measure(bench, &write).await?;
        figures.sample(format!("bare POST, {CLIENTS} clients"), "/s", writes.rate());
        let (sled, redb) = (bench.folder(&format!("sled-{round}")), bench.folder(&format!("redb-{round}")));
        let seconds = recording.clone().sled(sled).await?;
        figures.sample("sled, the projection's batches", "rows/s", recording.rows() / seconds);
        figures.sample("sled, the projection's batches", "events/s", recording.events() / seconds);
        let (commits, seconds) = recording.clone().redb(redb).await?;
        figures.sample("redb, the ledger's messages, as many commits", "commits/s", commits / seconds);
        figures.sample("redb, the ledger's messages, as many commits", "events/s", recording.events() / seconds);
    }
    Ok(figures.done())
}

/// The requests that the real handlers get too, key and all.
fn requests() -> Result<(Make, Make), BenchError> {
    let secret = Secret::random().map_err(|e| BenchError::Server(format!("has no randomness: {e}")))?;
    let key = authorization(&ApiKey::new(TenantId::system(), KeyId([0; 8]), secret))?;
    let read = Request::get(prompt("some/team/some prompt", "?label=production")?, &key);
    let write = Request::post(prompt("some/team/some prompt", "/versions")?, &key, Bytes::new());
    let read: Make = Arc::new(move |_, _| read.clone());
    let write: Make = Arc::new(move |client, n| Request { body: version_body(client, n).into(), ..write.clone() });
    Ok((read, write))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_texts_have_the_size_that_was_asked_for_and_texts_differ() {
        assert_eq!(answer(300).len(), 300);
        let (one, other) = (version_body(1, 7), version_body(2, 7));
        let text = |body: &str| serde_json::from_str::<serde_json::Value>(body).unwrap()["text"].clone();
        assert_eq!(text(&one).as_str().unwrap().len(), TEXT_BYTES);
        assert_ne!(text(&one), text(&other));
    }
}
