//! Where a ledger and its keys are: in a data folder that no server holds, or on NATS servers.

use std::path::PathBuf;

use clap::Args;
use promptory_ledger::embedded::Embedded;
use promptory_ledger::jetstream::JetStream;
use promptory_ledger::usage::{FileLog, KEEP, StreamLog};
use promptory_ledger::{KeyStore, Ledger, RootKey, UsageLog};

use super::BackupRunError;
use crate::init::NatsArgs;

/// Where a ledger is.
#[derive(Args, Clone, Debug)]
pub struct LedgerArgs {
    /// A data folder that no server holds.
    #[arg(long, conflicts_with = "servers")]
    pub data: Option<PathBuf>,
    /// Or NATS servers.
    #[command(flatten)]
    pub nats: Option<NatsArgs>,
    /// With --ledger: the file with the root key of the key store there; without it texts stay sealed.
    #[arg(long, requires = "servers")]
    pub root_key: Option<PathBuf>,
}

/// Where a ledger is, one of two.
#[derive(Clone, Debug)]
pub enum Place {
    /// A data folder.
    Data(PathBuf),
    /// NATS servers, and the root key of the key store there if it is given.
    Nats(Box<NatsArgs>, Option<PathBuf>),
}

impl LedgerArgs {
    /// Whether anything was given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.data.is_some() || self.nats.is_some()
    }

    /// The place that was given.
    ///
    /// # Errors
    /// None was.
    pub fn place(&self) -> Result<Place, BackupRunError> {
        match (&self.data, &self.nats) {
            (Some(data), None) => Ok(Place::Data(data.clone())),
            (None, Some(nats)) => Ok(Place::Nats(Box::new(nats.clone()), self.root_key.clone())),
            _ => Err(BackupRunError::Usage("which ledger? --data FOLDER or --ledger nats://…")),
        }
    }
}

impl Place {
    /// Opens what is there. Makes nothing.
    ///
    /// # Errors
    /// It is not there, held by another process, or damaged.
    pub async fn open(&self) -> Result<(Ledger, Option<KeyStore>), BackupRunError> {
        match self {
            Self::Data(data) => {
                let (ledger, keys) = (data.join("ledger.redb"), data.join("keystore.redb"));
                if !ledger.is_file() {
                    return Err(BackupRunError::Missing(ledger));
                }
                let ledger = Embedded::open(&ledger, 1).map_err(|e| BackupRunError::Store("the ledger", e))?;
                Ok((Ledger::Embedded(ledger), Some(key_store(keys)?)))
            }
            Self::Nats(nats, root_key) => {
                let options = nats.options()?;
                let ledger = JetStream::open(&options).await?;
                let keys = match root_key {
                    Some(file) => Some(KeyStore::on_jetstream(&options, &RootKey::read(file)?).await?),
                    None => None,
                };
                Ok((Ledger::JetStream(ledger), keys))
            }
        }
    }
}

impl Place {
    /// Opens the usage log that is there; none in a folder that never had one. Makes nothing.
    ///
    /// # Errors
    /// As [`Place::open`].
    pub async fn usage(&self) -> Result<Option<UsageLog>, BackupRunError> {
        match self {
            Self::Data(data) => {
                let path = data.join("usage.redb");
                if !path.is_file() {
                    return Ok(None);
                }
                // How long ids are known matters to who counts alone.
                let log = FileLog::open(&path, KEEP).map_err(|e| BackupRunError::Store("the usage log", e))?;
                Ok(Some(UsageLog::File(log)))
            }
            Self::Nats(nats, _) => Ok(Some(UsageLog::JetStream(StreamLog::open(&nats.options()?).await?))),
        }
    }
}

fn key_store(path: PathBuf) -> Result<KeyStore, BackupRunError> {
    if !path.is_file() {
        return Err(BackupRunError::Missing(path));
    }
    KeyStore::open(&path).map_err(|error| BackupRunError::Store("the key store", error))
}
