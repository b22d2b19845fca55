//! The durable things of a process: the ledger and the key store, in the data folder or on NATS JetStream.

use std::fs;
use std::io;

use promptory_ledger::embedded::{self, Embedded};
use promptory_ledger::jetstream::{self, JetStream};
use promptory_ledger::usage::{FileLog, StreamLog};
use promptory_ledger::{KeyStore, Ledger, RootKey, RootKeyError, UsageLog};

use crate::node::Config;

/// A store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data folder can't be made or used.
    #[error("the data folder")]
    Data(#[source] io::Error),
    /// A file in it.
    #[error("{0}")]
    File(&'static str, #[source] embedded::OpenError),
    /// The ledger or the key store on JetStream.
    #[error("the ledger on NATS JetStream")]
    JetStream(#[from] jetstream::OpenError),
    /// The key store on JetStream is wrapped under a key that is not there.
    #[error("a key store on NATS JetStream needs its root key: --root-key; `promptory init` makes one")]
    NoRootKey,
    /// The root key's file.
    #[error(transparent)]
    RootKey(#[from] RootKeyError),
}

/// The ledger and the key store.
#[derive(Clone, Debug)]
pub struct Stores {
    /// The ledger.
    pub ledger: Ledger,
    /// The key store.
    pub keys: KeyStore,
}

impl Stores {
    /// Opens both. What is in the data folder is made if it is not there, and held by one process at a time.
    ///
    /// # Errors
    /// The folder can't be used, is held by another process, or is damaged; the servers can't be reached or hold no ledger.
    pub async fn open(config: &Config) -> Result<Self, StoreError> {
        let ledger = open_ledger(config).await?;
        let keys = open_keys(config).await?;
        Ok(Self { ledger, keys })
    }
}

/// Opens the ledger alone: all that a process needs which only asks others.
///
/// # Errors
/// As [`Stores::open`].
pub async fn open_ledger(config: &Config) -> Result<Ledger, StoreError> {
    fs::create_dir_all(&config.data).map_err(StoreError::Data)?;
    match &config.nats {
        Some(options) => Ok(Ledger::JetStream(JetStream::open(options).await?)),
        None => {
            let opened = Embedded::open(&config.data.join("ledger.redb"), config.partitions);
            Ok(Ledger::Embedded(opened.map_err(|error| StoreError::File("the ledger", error))?))
        }
    }
}

/// Opens the usage log, which lies where the ledger lies.
///
/// # Errors
/// As [`Stores::open`].
pub async fn open_usage(config: &Config) -> Result<UsageLog, StoreError> {
    match &config.nats {
        Some(options) => Ok(UsageLog::JetStream(StreamLog::open(options).await?)),
        None => {
            let opened = FileLog::open(&config.data.join("usage.redb"), config.usage.keep);
            Ok(UsageLog::File(opened.map_err(|error| StoreError::File("the usage log", error))?))
        }
    }
}

/// The key store lies where the ledger lies.
async fn open_keys(config: &Config) -> Result<KeyStore, StoreError> {
    match &config.nats {
        Some(options) => {
            let root = config.root_key.as_ref().ok_or(StoreError::NoRootKey)?;
            Ok(KeyStore::on_jetstream(options, &RootKey::read(root)?).await?)
        }
        None => {
            let opened = KeyStore::open(&config.data.join("keystore.redb"));
            opened.map_err(|error| StoreError::File("the key store", error))
        }
    }
}
