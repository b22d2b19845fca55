//! A process: its stores, and the roles that it has on them, put together and taken apart in order.
//!
//! What is inside is used directly (`ReadSide::Here`); what is in other processes is asked over NATS.

mod attest;
mod parts;
mod watch;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use std::{fs, io};

use axum::Router;
use promptory_command::{Service, router as command_router};
use promptory_events::TenantId;
use promptory_ledger::{KeyStore, Ledger, jetstream};
use promptory_platform::between::ListenError;
use promptory_platform::{ApiKey, Attestor, Clock, http, openapi as description};
use promptory_projection::Shelf;
use promptory_query::{ReadSide, health_router, router as query_router, settled};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;

use crate::keys;
use crate::roles::{Partitions, Role, Roles, elsewhere};
use crate::stores::{self, StoreError, Stores};
use attest::{Attesting, Sink};
pub use parts::models;
use parts::{Command, Projection};
use watch::{Periods, Watching};

/// How a node is set up. [`Config::new`] gives what suits one machine.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data folder: ledger, key store, read models, key files.
    pub data: PathBuf,
    /// The servers of a ledger on NATS JetStream; without them the ledger is in the data folder.
    pub nats: Option<jetstream::Options>,
    /// The root key's file, if the key store is there too.
    pub root_key: Option<PathBuf>,
    /// Which parts of the system the process is.
    pub roles: Roles,
    /// The partitions that it has read models of; all if `None`.
    pub projected: Option<Partitions>,
    /// Where HTTP is answered.
    pub listen: SocketAddr,
    /// Partitions of a new ledger in the data folder.
    pub partitions: u16,
    /// Memory for the states of tenants that are written to, in bytes.
    pub hot_bytes: usize,
    /// Read models open at once.
    pub open_max: usize,
    /// Memory for opened answers, in bytes.
    pub cache_bytes: u64,
    /// How searching is set up.
    pub search: promptory_projection::shelf::search::Config,
    /// How long stores of read models are kept that are not read any more.
    pub keep_models: Duration,
    /// The clock.
    pub clock: Clock,
    /// How issuers of tokens are reached.
    pub identity: promptory_identity::Config,
    /// How usage records are kept and counted.
    pub usage: Usage,
    /// What keys are encrypted with in a backup; without it this node gives none.
    pub backup_key: Option<promptory_ledger::backup::BackupKey>,
}

/// How often guards of rollouts are looked at, unless somebody says otherwise.
pub const GUARDS: Duration = Duration::from_secs(60);
/// How often it is looked whether versions became worse.
pub const VERSIONS: Duration = Duration::from_secs(900);

/// How usage records are kept and counted.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// How long the id of a record is known in a data folder. On JetStream `init` decides it.
    pub keep: Duration,
    /// How long after a record came at the latest it is in a rollup.
    pub rollup: Duration,
    /// How often guards of rollouts are looked at.
    pub guards: Duration,
    /// How often it is looked whether versions became worse.
    pub versions: Duration,
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            keep: promptory_ledger::usage::KEEP,
            rollup: promptory_projection::analytics::ROLLUP,
            guards: GUARDS,
            versions: VERSIONS,
        }
    }
}

impl Config {
    /// One machine's defaults, on a free port of the loopback address.
    #[must_use]
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            nats: None,
            root_key: None,
            roles: Roles::all(),
            projected: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            partitions: 1,
            hot_bytes: 64 * 1024 * 1024,
            open_max: 64,
            cache_bytes: 16 * 1024 * 1024,
            search: promptory_projection::shelf::search::Config::default(),
            keep_models: promptory_projection::shelf::KEEP,
            clock: Clock::System,
            identity: promptory_identity::Config::default(),
            usage: Usage::default(),
            backup_key: None,
        }
    }
}

/// A node could not be started.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Roles and partitions that can't be had.
    #[error("{0}")]
    Roles(String),
    /// The address can't be listened on.
    #[error("the address {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// A thread for a projection worker.
    #[error("a thread for a projection worker")]
    Thread(#[source] io::Error),
    /// The ledger or the key store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The connection to the other processes.
    #[error("the connection to the other processes")]
    Nats(#[from] jetstream::OpenError),
    /// The answering over it.
    #[error(transparent)]
    Between(#[from] ListenError),
    /// The command service.
    #[error(transparent)]
    Service(#[from] promptory_command::OpenError),
    /// The system has no randomness.
    #[error("no randomness: {0}")]
    Random(getrandom::Error),
    /// The first keys.
    #[error(transparent)]
    Keys(#[from] keys::KeysError),
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    data: PathBuf,
    address: SocketAddr,
    ledger: Ledger,
    keys: Option<KeyStore>,
    command: Option<Command>,
    projection: Option<Projection>,
    attesting: Option<Attesting>,
    watching: Option<Watching>,
    /// To the other processes, looked after for as long as this is here.
    _between: Option<jetstream::Connection>,
    shutdown: CancellationToken,
    server: JoinHandle<io::Result<()>>,
}

impl Node {
    /// Opens the stores and starts the roles. HTTP is answered when this returns.
    ///
    /// # Errors
    /// What could not be opened, made or listened on.
    pub async fn start(config: Config) -> Result<Self, NodeError> {
        let asks_only = !config.roles.has(Role::Command) && !config.roles.has(Role::Projection);
        if asks_only {
            let ledger = stores::open_ledger(&config).await?;
            return Self::start_on(config, ledger, None).await;
        }
        let Stores { ledger, keys } = Stores::open(&config).await?;
        Self::start_on(config, ledger, Some(keys)).await
    }

    /// The same on stores that are open. A process that only asks others needs no keys.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub async fn start_on(config: Config, ledger: Ledger, keys: Option<KeyStore>) -> Result<Self, NodeError> {
        promptory_platform::telemetry::install_metrics();
        fs::create_dir_all(&config.data).map_err(StoreError::Data)?;
        let projected = projected(&config, &ledger)?;
        let between = match &config.nats {
            Some(options) => Some(options.connect("promptory: between processes").await?),
            None => None,
        };
        let nats = between.as_ref().map(jetstream::Connection::client);
        let (attestor, firsts) = Attestor::new(config.clock.clone());
        let (mut command, mut projection) = (None, None);
        if let Some(keys) = &keys {
            let usage = stores::open_usage(&config).await?;
            if config.roles.has(Role::Command) {
                command = Some(Command::start(&config, &ledger, keys, &usage, nats.as_ref(), &attestor).await?);
            }
            if config.roles.has(Role::Projection) {
                projection =
                    Some(Projection::start(&config, &ledger, keys, usage, nats.as_ref(), projected, &attestor).await?);
            }
        }
        let sink = match (&command, &nats) {
            (Some(command), _) => Some(Sink::Here(Box::new(command.service().clone()))),
            (None, Some(client)) => Some(Sink::There(client.clone())),
            (None, None) => None,
        };
        let watching = projection.as_ref().zip(sink.clone()).map(|(projection, sink)| {
            Watching::start(
                projection.watch(),
                sink,
                Periods { guards: config.usage.guards, versions: config.usage.versions },
            )
        });
        let attesting = sink.map(|sink| Attesting::start(attestor.clone(), firsts, sink));
        let read_side = parts::read_side(projection.as_ref(), nats, &ledger);
        let watched = parts::watched(&config, &ledger, projection.as_ref(), keys.as_ref(), read_side.as_ref());
        let router = routes(command.as_ref().map(Command::service), read_side, &config.roles, watched);
        let shutdown = CancellationToken::new();
        let listener = TcpListener::bind(config.listen).await.map_err(|e| NodeError::Listen(config.listen, e))?;
        let address = listener.local_addr().map_err(|e| NodeError::Listen(config.listen, e))?;
        let edge = http::edge(router, http::Limits::default(), &shutdown, &attestor);
        let server = tokio::spawn(http::serve(listener, edge, shutdown.clone()));
        let data = config.data;
        Ok(Self {
            data,
            address,
            ledger,
            keys,
            command,
            projection,
            attesting,
            watching,
            _between: between,
            shutdown,
            server,
        })
    }

    /// Where it is reached.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The key store; none in a process that only asks others.
    #[must_use]
    pub fn keys(&self) -> Option<&KeyStore> {
        self.keys.as_ref()
    }

    /// The read models, if they are in this process.
    #[must_use]
    pub fn shelf(&self) -> Option<&Shelf> {
        self.projection.as_ref().map(Projection::shelf)
    }

    /// The command service, if it is in this process.
    #[must_use]
    pub fn service(&self) -> Option<&Service> {
        self.command.as_ref().map(Command::service)
    }

    /// The first operator's key, if this start made it.
    #[must_use]
    pub fn operator(&self) -> Option<&ApiKey> {
        self.command.as_ref().and_then(Command::operator)
    }

    /// Creates a tenant if it is not there and gives its first owner's key, from its file if it was there.
    ///
    /// # Errors
    /// The process takes no commands; the key file can't be read or written; the service refuses.
    pub async fn tenant(&self, name: &TenantId) -> Result<ApiKey, NodeError> {
        let service = self.service().ok_or_else(|| NodeError::Roles("this process takes no commands".to_owned()))?;
        match keys::ensure_tenant(&self.data, service, name).await? {
            Some(key) => Ok(key),
            None => Ok(keys::read(&keys::owner_file(&self.data, name))?),
        }
    }

    /// Waits until the token is cancelled, then stops.
    pub async fn run_until(self, stop: CancellationToken) {
        stop.cancelled().await;
        self.stop().await;
    }

    /// Stops every role in order: no new requests and those under way finished, over HTTP and over NATS; then what was
    /// counted of denied attempts is written; then the writers with their snapshots; then the workers with their stores.
    pub async fn stop(self) {
        self.shutdown.cancel();
        match self.server.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the server ended badly"),
            Err(error) => tracing::error!(%error, "the server ended badly"),
        }
        // While there is still somebody who writes.
        if let Some(watching) = self.watching {
            watching.stop().await;
        }
        if let Some(attesting) = self.attesting {
            attesting.stop().await;
        }
        if let Some(command) = self.command {
            command.stop().await;
        }
        if let Some(projection) = self.projection {
            projection.stop().await;
        }
    }
}

/// The partitions that this process has read models of, if what the configuration asks for can be had.
fn projected(config: &Config, ledger: &Ledger) -> Result<Vec<u16>, NodeError> {
    let refused = |why: String| Err(NodeError::Roles(why));
    if config.nats.is_none() && config.roles != Roles::all() {
        return refused("roles apart need a ledger on NATS JetStream: --ledger".to_owned());
    }
    let all: Vec<u16> = (0..ledger.partitions()).collect();
    let Some(asked) = &config.projected else { return Ok(all) };
    if !config.roles.has(Role::Projection) {
        return refused("partitions are for processes with the role projection".to_owned());
    }
    match asked.numbers().iter().find(|number| !all.contains(number)) {
        Some(number) => refused(format!("there is no partition {number}: the ledger has {}", all.len())),
        None if config.roles.has(Role::Query) && asked.numbers() != all => {
            refused("a process with the roles projection and query has all partitions".to_owned())
        }
        None => Ok(asked.numbers().to_vec()),
    }
}

/// The routes of the process, and for those of other roles who serves them.
fn routes(service: Option<&Service>, read_side: Option<ReadSide>, roles: &Roles, watched: Vec<ReadSide>) -> Router {
    let commands = match service {
        Some(service) => {
            let commands = command_router(service.clone()).0;
            match &read_side {
                Some(read_side) if roles.has(Role::Query) => settled(commands, read_side.clone()),
                _ => commands,
            }
        }
        None => elsewhere(Role::Command, &promptory_command::description()),
    };
    let queries = match read_side {
        Some(read_side) if roles.has(Role::Query) => query_router(read_side).0,
        _ => elsewhere(Role::Query, &promptory_query::description()),
    };
    commands.merge(queries).merge(health_router(watched)).merge(description::route(&openapi()))
}

/// The OpenAPI document of the whole HTTP API, whichever part of it a process serves.
#[must_use]
pub fn openapi() -> OpenApi {
    let mut document = promptory_command::description();
    document.merge(promptory_query::description());
    document.merge(promptory_query::health_description());
    description::complete(&mut document);
    document
}
