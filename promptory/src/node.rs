//! One process with every role: ledger and key store, command service, projection workers, query API.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::{io, thread};

use promptory_command::{Service, router as command_router};
use promptory_events::TenantId;
use promptory_ledger::embedded::Embedded;
use promptory_ledger::{KeyStore, Ledger};
use promptory_platform::{ApiKey, Clock, http, openapi};
use promptory_projection::{Shelf, worker};
use promptory_query::{ReadSide, router as query_router};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;

use crate::keys;

/// How a node is set up. [`Config::new`] gives what suits one machine.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data folder: ledger, key store, read models, key files.
    pub data: PathBuf,
    /// Where HTTP is answered.
    pub listen: SocketAddr,
    /// Partitions of a new ledger.
    pub partitions: u16,
    /// Memory for the states of tenants that are written to, in bytes.
    pub hot_bytes: usize,
    /// Read models open at once.
    pub open_max: usize,
    /// Memory for opened answers, in bytes.
    pub cache_bytes: u64,
    /// The clock.
    pub clock: Clock,
    /// What keys are encrypted with in a backup; without it this node gives none.
    pub backup_key: Option<promptory_ledger::backup::BackupKey>,
}

impl Config {
    /// One machine's defaults, on a free port of the loopback address.
    #[must_use]
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            partitions: 1,
            hot_bytes: 64 * 1024 * 1024,
            open_max: 64,
            cache_bytes: 32 * 1024 * 1024,
            clock: Clock::System,
            backup_key: None,
        }
    }
}

/// A node could not be started.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The data folder can't be made or used.
    #[error("the data folder")]
    Data(#[source] io::Error),
    /// The address can't be listened on.
    #[error("the address {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// A thread for a projection worker.
    #[error("a thread for a projection worker")]
    Thread(#[source] io::Error),
    /// The ledger or the key store.
    #[error("{0}")]
    Store(&'static str, #[source] promptory_ledger::embedded::OpenError),
    /// The command service.
    #[error(transparent)]
    Service(#[from] promptory_command::OpenError),
    /// The first keys.
    #[error(transparent)]
    Keys(#[from] keys::KeysError),
}

/// The durable things of a data folder.
#[derive(Clone, Debug)]
pub struct Stores {
    /// The ledger.
    pub ledger: Ledger,
    /// The key store.
    pub keys: KeyStore,
}

impl Stores {
    /// Opens the ledger and the key store of a data folder, or makes them. One process at a time.
    ///
    /// # Errors
    /// The folder can't be used, is held by another process, or is damaged.
    pub fn open(config: &Config) -> Result<Self, NodeError> {
        fs::create_dir_all(&config.data).map_err(NodeError::Data)?;
        let embedded = Embedded::open(&config.data.join("ledger.redb"), config.partitions);
        let ledger = Ledger::Embedded(embedded.map_err(|e| NodeError::Store("the ledger", e))?);
        let keys = KeyStore::open(&config.data.join("keystore.redb"));
        Ok(Self { ledger, keys: keys.map_err(|e| NodeError::Store("the key store", e))? })
    }
}

/// How the read models of a data folder are opened.
#[must_use]
pub fn models(config: &Config) -> promptory_projection::Config {
    promptory_projection::Config {
        dir: config.data.join("models"),
        open_max: config.open_max,
        cache_bytes: config.cache_bytes,
        clock: config.clock.clone(),
    }
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    data: PathBuf,
    address: SocketAddr,
    stores: Stores,
    service: Service,
    shelf: Shelf,
    operator: Option<ApiKey>,
    shutdown: CancellationToken,
    no_more_batches: watch::Sender<bool>,
    workers: Vec<thread::JoinHandle<()>>,
    server: JoinHandle<io::Result<()>>,
}

impl Node {
    /// Opens the data folder and starts every role. HTTP is answered when this returns.
    ///
    /// # Errors
    /// What could not be opened, made or listened on.
    pub async fn start(config: Config) -> Result<Self, NodeError> {
        promptory_platform::telemetry::install_metrics();
        let stores = Stores::open(&config)?;
        let service = open_service(&config, &stores)?;
        let operator = keys::bootstrap(&config.data, &service).await?;
        let shelf = Shelf::new(models(&config), stores.ledger.clone(), stores.keys.clone());
        let (no_more_batches, told) = watch::channel(false);
        let workers = (0..stores.ledger.partitions())
            .map(|partition| worker::start(shelf.clone(), partition, told.clone()))
            .collect::<io::Result<_>>()
            .map_err(NodeError::Thread)?;
        let shutdown = CancellationToken::new();
        let listener = TcpListener::bind(config.listen).await.map_err(|e| NodeError::Listen(config.listen, e))?;
        let address = listener.local_addr().map_err(|e| NodeError::Listen(config.listen, e))?;
        let edge = http::edge(routes(service.clone(), shelf.clone()).0, http::Limits::default(), &shutdown);
        let server = tokio::spawn(http::serve(listener, edge, shutdown.clone()));
        Ok(Self {
            data: config.data,
            address,
            stores,
            service,
            shelf,
            operator,
            shutdown,
            no_more_batches,
            workers,
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
        &self.stores.ledger
    }

    /// The key store.
    #[must_use]
    pub fn keys(&self) -> &KeyStore {
        &self.stores.keys
    }

    /// The read models.
    #[must_use]
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// The command service.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// The first operator's key, if this start made it.
    #[must_use]
    pub fn operator(&self) -> Option<&ApiKey> {
        self.operator.as_ref()
    }

    /// Creates a tenant if it is not there and gives its first owner's key, from its file if it was there.
    ///
    /// # Errors
    /// The key file can't be read or written, or the service refuses.
    pub async fn tenant(&self, name: &TenantId) -> Result<ApiKey, NodeError> {
        match keys::ensure_tenant(&self.data, &self.service, name).await? {
            Some(key) => Ok(key),
            None => Ok(keys::read(&keys::owner_file(&self.data, name))?),
        }
    }

    /// Waits until the token is cancelled, then stops.
    pub async fn run_until(self, stop: CancellationToken) {
        stop.cancelled().await;
        self.stop().await;
    }

    /// Stops every role in order: no new requests, then the writers with their snapshots, then the workers.
    pub async fn stop(self) {
        self.shutdown.cancel();
        match self.server.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the server ended badly"),
            Err(error) => tracing::error!(%error, "the server ended badly"),
        }
        self.service.close().await;
        let _ = self.no_more_batches.send(true);
        for worker in self.workers {
            if !matches!(tokio::task::spawn_blocking(|| worker.join()).await, Ok(Ok(()))) {
                tracing::error!("a projection worker ended badly");
            }
        }
        self.shelf.close().await;
    }
}

/// The routes of every role, and what they are in OpenAPI.
fn routes(service: Service, shelf: Shelf) -> (axum::Router, OpenApi) {
    let (commands, mut document) = command_router(service);
    let (queries, query_document) = query_router(ReadSide::Here(shelf));
    document.merge(query_document);
    openapi::complete(&mut document);
    let described = openapi::route(&document);
    (commands.merge(queries).merge(described), document)
}

/// The OpenAPI document of the whole HTTP API, as a node on this data folder would serve it.
///
/// # Errors
/// The folder can't be used.
pub fn openapi(config: &Config) -> Result<OpenApi, NodeError> {
    let stores = Stores::open(config)?;
    let service = open_service(config, &stores)?;
    let shelf = Shelf::new(models(config), stores.ledger, stores.keys);
    Ok(routes(service, shelf).1)
}

fn open_service(config: &Config, stores: &Stores) -> Result<Service, NodeError> {
    let commands = promptory_command::Config {
        cache: config.data.join("command-cache.redb"),
        hot_bytes: config.hot_bytes,
        address: String::new(), // alone
    };
    let (ledger, keys) = (stores.ledger.clone(), stores.keys.clone());
    Ok(Service::open(commands, ledger, keys, config.clock.clone())?.with_backup_key(config.backup_key.clone()))
}
