//! A connection to the servers: made with patience, checked for what the ledger needs, watched while it lasts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::jetstream::{self, Context, context::ContextBuilder};
use async_nats::{Client, ConnectErrorKind, Event, ServerInfo};
use promptory_events::limits;

use super::OpenError;
use super::options::{Options, REQUEST_TIMEOUT};
use super::watch::{Next, Watch, watch};

/// The oldest server that this was measured on. Before 2.15, `sync_interval: always` does not sync everything.
const OLDEST_SERVER: (u64, u64, u64) = (2, 15, 1);
/// A batch and room for the headers of its message.
const MAX_PAYLOAD_NEEDED: usize = limits::BATCH_MAX_BYTES + 4096;
/// How long any one replica is waited for.
pub(crate) const REPLICA_TIMEOUT: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(100);

/// A connection to the servers that is looked after: it moves away from a server that has lost the others. Clones are the
/// same connection.
#[derive(Clone, Debug)]
pub struct Connection {
    client: Client,
    _watch: Arc<Watch>,
}

impl Connection {
    /// What to ask over it. It is looked after for as long as the connection is kept.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }
}

/// One connection, for the ledger's own questions.
#[derive(Clone)]
pub(crate) struct Link {
    client: Client,
    /// Who looks after it; nobody for a look of that one itself.
    _connection: Option<Connection>,
    pub(crate) context: Context,
    /// For what another server can be asked as well: gives up sooner.
    pub(super) impatient: Context,
}

impl Link {
    /// Connects and checks version and `max_payload` of the server. Waits for one that is not there yet.
    pub(crate) async fn connect(options: &Options, name: &str) -> Result<Self, OpenError> {
        let connection = options.connect(name).await?;
        Ok(Self { _connection: Some(connection.clone()), ..Self::over(connection.client, REQUEST_TIMEOUT) })
    }

    /// Over a connection that somebody else looks after.
    pub(super) fn over(client: Client, timeout: Duration) -> Self {
        let context =
            |timeout| ContextBuilder::new().timeout(timeout).backpressure_on_inflight(true).build(client.clone());
        let (context, impatient) = (context(timeout), context(REPLICA_TIMEOUT));
        Self { client, _connection: None, context, impatient }
    }

    /// Whether there is a connection now. What is sent without one would wait in memory for the next.
    pub(crate) fn is_up(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    pub(super) fn server_name(&self) -> String {
        self.client.server_info().server_name
    }

    pub(super) fn server_version(&self) -> String {
        self.client.server_info().version
    }
}

impl Options {
    /// A connection of its own for something else on the same servers: checked for version and `max_payload`, and looked
    /// after, as those of the ledger are. Waits for a server that is not there yet.
    ///
    /// # Errors
    /// No server can be reached, or it refuses, is too old or takes too small messages.
    pub async fn connect(&self, name: &str) -> Result<Connection, OpenError> {
        let (since, next) = (Instant::now(), Next::default());
        let client = loop {
            let connecting = next.heeded(self.connect_options(name).await?.event_callback(note));
            match connecting.connect(self.servers.as_slice()).await {
                Ok(client) => break client,
                Err(error) => {
                    let hopeless = matches!(
                        error.kind(),
                        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation
                    );
                    if hopeless || since.elapsed() > self.patience {
                        return Err(OpenError::Connect(with_causes(&error)));
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        };
        check(&client.server_info())?;
        let _watch = Arc::new(watch(self.clone(), client.clone(), next));
        Ok(Connection { client, _watch })
    }
}

fn check(server: &ServerInfo) -> Result<(), OpenError> {
    if version(&server.version).is_none_or(|version| version < OLDEST_SERVER) {
        return Err(OpenError::ServerTooOld { found: server.version.clone() });
    }
    if server.max_payload < MAX_PAYLOAD_NEEDED {
        return Err(OpenError::MaxPayload { found: server.max_payload, needed: MAX_PAYLOAD_NEEDED });
    }
    Ok(())
}

/// `2.15.1`, also with something behind it, such as `-RC.1`: a candidate is not the release.
fn version(text: &str) -> Option<(u64, u64, u64)> {
    if text.contains('-') {
        return None;
    }
    let mut parts = text.trim_start_matches('v').splitn(3, '.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

async fn note(event: Event) {
    match event {
        Event::Connected => tracing::info!("connected to a NATS server"),
        Event::Draining | Event::Closed => {} // our own doing
        Event::Disconnected => tracing::warn!("the connection to the NATS server was lost"),
        other => tracing::warn!(event = %other, "NATS"),
    }
}

/// An error with what caused it; async-nats says only half of it in its own words.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// JetStream's own error behind one of the client's, which maps only some of its codes.
pub(super) fn server_error<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e jetstream::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<jetstream::Error>() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_servers_and_small_payloads_are_refused() {
        let server =
            |version: &str, max_payload| ServerInfo { version: version.into(), max_payload, ..Default::default() };
        let enough = MAX_PAYLOAD_NEEDED;
        for good in ["2.15.1", "2.15.10", "2.16.0", "3.0.0"] {
            assert!(check(&server(good, enough)).is_ok(), "{good}");
        }
        for old in ["2.15.0", "2.14.9", "2.9.10", "1.99.99", "2.15.1-RC.1", "", "new"] {
            assert!(matches!(check(&server(old, enough)), Err(OpenError::ServerTooOld { .. })), "{old}");
        }
        assert!(matches!(check(&server("2.15.1", enough - 1)), Err(OpenError::MaxPayload { .. })));
    }
}
