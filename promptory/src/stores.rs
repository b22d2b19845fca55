//! The durable things of a process: the ledger and the key store, in the data folder or on NATS JetStream.

use std::fs;
use std::io;

use promptory_ledger::embedded::{self, Embedded};
use promptory_ledger::jetstream::{self, JetStream};
use promptory_ledger::{KeyStore, Ledger};

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
    /// The ledger on JetStream.
    #[error("the ledger")]
    JetStream(#[from] jetstream::OpenError),
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
        let keys = open_keys(config)?;
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

/// The key store is a file beside the process, so one process writes and has the read models.
fn open_keys(config: &Config) -> Result<KeyStore, StoreError> {
    let opened = KeyStore::open(&config.data.join("keystore.redb"));
    opened.map_err(|error| StoreError::File("the key store", error))
}
