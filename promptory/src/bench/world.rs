//! The node under test, and what it is filled with.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use hyper::header::HeaderValue;
use promptory_events::TenantId;
use promptory_ledger::Ledger;
use promptory_platform::ApiKey;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::client::{Connection, Request, authorization, uri};
use super::history::Repeated;
use super::{Bench, BenchError};
use crate::node::{Config, Node};

/// Tenants of which all models stay open: more than a scenario has that does not say how many.
const OPEN_MAX: usize = 128;
/// Commands in one request while filling.
const FILL_COMMANDS: usize = 250;
/// Bytes in one request while filling, about.
const FILL_BYTES: usize = 1024 * 1024;

/// A node with every role, reached over HTTP.
#[derive(Debug)]
pub struct World {
    node: Node,
    /// Where it answers.
    pub address: SocketAddr,
}

/// A tenant of it, with its owner's key.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its name.
    pub id: TenantId,
    /// The key.
    pub key: ApiKey,
    /// The key as a header.
    pub authorization: HeaderValue,
}

/// A bench's node has every role; this is for the compiler.
pub fn no_such_part() -> BenchError {
    BenchError::Server("the node lacks a role".to_owned())
}

impl World {
    /// Starts it on a folder.
    ///
    /// # Errors
    /// It did not start.
    pub async fn start(folder: &Path) -> Result<Self, BenchError> {
        Self::start_on(Config::new(folder)).await
    }

    /// The same on whatever ledger a configuration names, with its roles, and at least as many open read models.
    ///
    /// # Errors
    /// It did not start.
    pub async fn start_on(config: Config) -> Result<Self, BenchError> {
        let node = Node::start(Config { open_max: config.open_max.max(OPEN_MAX), ..config }).await?;
        let address = address(&node.url())?;
        Ok(Self { node, address })
    }

    /// The node itself.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// A tenant, created if it is not there.
    ///
    /// # Errors
    /// It is refused.
    pub async fn tenant(&self, name: &str) -> Result<Tenant, BenchError> {
        let id: TenantId =
            name.parse().map_err(|e: promptory_events::id::IdError| BenchError::Server(e.to_string()))?;
        let key = self.node.tenant(&id).await?;
        Ok(Tenant { id, authorization: authorization(&key)?, key })
    }

    /// Syncs of ledger and key store so far: everything that an acknowledged command hangs on.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub fn fsyncs(&self) -> f64 {
        let ledger = match self.node.ledger() {
            Ledger::Embedded(ledger) => ledger.fsyncs(),
            // Those are the servers', who tell nobody.
            Ledger::JetStream(_) => 0,
        };
        (ledger + self.node.keys().map_or(0, promptory_ledger::KeyStore::fsyncs)) as f64
    }

    /// Waits until the read models of these tenants have caught up with the ledger.
    ///
    /// # Errors
    /// They never do.
    pub async fn settle(&self, tenants: &[Tenant]) -> Result<(), BenchError> {
        settle(self.node.ledger(), self.address, tenants).await
    }

    /// Stops it.
    pub async fn stop(self) {
        self.node.stop().await;
    }
}

/// Waits until reads at an address show these tenants as they are in the ledger.
///
/// # Errors
/// They never do.
pub async fn settle(ledger: &Ledger, address: SocketAddr, tenants: &[Tenant]) -> Result<(), BenchError> {
    for tenant in tenants {
        if let Some(head) = ledger.head(&tenant.id).await? {
            caught_up(address, &tenant.authorization, &head.position.to_string()).await?;
        }
    }
    Ok(())
}

/// Batches in a ledger.
///
/// # Errors
/// It can't be read.
#[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
pub async fn batches(ledger: &Ledger) -> Result<f64, BenchError> {
    let mut batches = 0;
    for partition in 0..ledger.partitions() {
        batches += ledger.end(partition).await?;
    }
    Ok(batches as f64)
}

/// The address in `http://ADDRESS`.
///
/// # Errors
/// There is none.
pub fn address(url: &str) -> Result<SocketAddr, BenchError> {
    let address = url.trim().trim_start_matches("http://").trim_end_matches('/');
    address.parse().map_err(|_| BenchError::Server(format!("says that it is at {url}")))
}

#[derive(Deserialize)]
struct Results {
    results: Vec<CommandResult>,
}

#[derive(Deserialize)]
struct CommandResult {
    status: u16,
    #[serde(default)]
    position: Option<String>,
    #[serde(default)]
    events: Vec<IgnoredAny>,
    #[serde(default)]
    problem: Value,
}

/// Sends commands in order until there are enough, and waits until reads show them. `enough` is told the events so far
/// and the commands.
///
/// # Errors
/// A command was refused: that is a defect.
pub async fn fill(
    address: SocketAddr,
    authorization: &HeaderValue,
    commands: &mut Repeated<'_>,
    enough: impl Fn(usize, &Repeated<'_>) -> bool,
) -> Result<(), BenchError> {
    let (mut connection, target) = (Connection::open(address).await?, uri("/v1/commands")?);
    let (mut events, mut position) = (0, None);
    while !enough(events, commands) {
        let mut body = chunk(commands);
        if body.is_empty() {
            break;
        }
        body.insert_str(0, r#"{"commands":["#);
        body.push_str("]}");
        let answer = connection.send(Request::post(target.clone(), authorization, body)).await?;
        for result in serde_json::from_slice::<Results>(&answer)?.results {
            if result.status >= 300 {
                let code = result.problem["code"].as_str().unwrap_or_default().to_owned();
                return Err(BenchError::Refused { method: "a command".to_owned(), status: result.status, code });
            }
            events += result.events.len();
            position = result.position.or(position);
        }
    }
    match position {
        Some(position) => caught_up(address, authorization, &position).await,
        None => Ok(()),
    }
}

/// The longest that read models may take to catch up with what was filled in.
const CATCH_UP: Duration = Duration::from_secs(300);

/// Waits until reads show a position: what runs before that is measured together with the projection.
///
/// # Errors
/// They never do.
pub async fn caught_up(address: SocketAddr, authorization: &HeaderValue, position: &str) -> Result<(), BenchError> {
    let (mut connection, until) = (Connection::open(address).await?, Instant::now() + CATCH_UP);
    let request = Request::get(uri(&format!("/v1/status?at_least={position}"))?, authorization);
    loop {
        match connection.send(request.clone()).await {
            // It has waited for a while by itself.
            Err(BenchError::Refused { status: 503 | 504, .. }) if Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            answer => return answer.map(drop),
        }
    }
}

/// The next commands that fit into one request, with commas between them.
fn chunk(commands: &mut Repeated<'_>) -> String {
    let (mut text, mut count) = (String::new(), 0);
    while count < FILL_COMMANDS && text.len() < FILL_BYTES {
        let Some(command) = commands.next() else { break };
        if count > 0 {
            text.push(',');
        }
        text.push_str(&command.to_string());
        count += 1;
    }
    text
}

/// Creates prompts that commands then add versions to. Their keys are `prompt/0`, `prompt/1`, …
///
/// # Errors
/// One was refused.
pub async fn prompts(address: SocketAddr, tenant: &Tenant, count: usize) -> Result<Vec<String>, BenchError> {
    let (mut connection, target) = (Connection::open(address).await?, uri("/v1/prompts")?);
    let keys: Vec<String> = (0..count).map(|n| format!("prompt/{n}")).collect();
    for key in &keys {
        let body = json!({"key": key, "text": "the first version"}).to_string();
        connection.send(Request::post(target.clone(), &tenant.authorization, body)).await?;
    }
    Ok(keys)
}

/// A large tenant: real histories, repeated until there are 100,000 events.
#[derive(Debug)]
pub struct Filled {
    /// The node that it is in.
    pub world: World,
    /// The tenant.
    pub tenant: Tenant,
}

const FILLED_EVENTS: usize = 100_000;

impl Filled {
    /// Starts a node and fills it.
    ///
    /// # Errors
    /// It did not start, or refused a command.
    pub async fn make(bench: &Bench) -> Result<Self, BenchError> {
        let world = World::start(&bench.folder("filled")).await?;
        let tenant = world.tenant("histories").await?;
        let wanted = bench.scaled(FILLED_EVENTS, 500);
        let mut commands = bench.history.repeated(false);
        fill(world.address, &tenant.authorization, &mut commands, |events, _| events >= wanted).await?;
        Ok(Self { world, tenant })
    }
}
