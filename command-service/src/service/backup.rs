//! Backups through the process that holds the ledger, for operators: recorded in `_system` before the first byte leaves.
//!
//! The key that keys are encrypted with is the server's, never the caller's: so an operator's API key gets ciphertext,
//! and opens no tenant's texts with it.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use promptory_domain::{Change, Command, Presented};
use promptory_events::event::{BackupPart, LedgerRestored};
use promptory_events::{BackupId, CommandHash, CommandId, TenantId};
use promptory_ledger::backup::{self, BackupError, BackupKey};
use promptory_platform::Clock;
use promptory_platform::apikey::Presented as Shown;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::Service;
use crate::failure::Failure;
use crate::gather::Gathered;
use crate::outcome::Outcome;

/// Parts that wait for a slow reader, about 256 KiB each.
const QUEUE: usize = 4;

/// A backup on its way out. An error in it, or a file without its end, is no backup.
pub type Stream = mpsc::Receiver<io::Result<Bytes>>;

/// What backups need besides the ledger and the keys.
#[derive(Clone, Debug)]
pub(super) struct Backups {
    key: Option<BackupKey>,
    clock: Clock,
    /// One at a time: each reads everything.
    place: Arc<Semaphore>,
}

impl Backups {
    pub(super) fn new(clock: Clock) -> Self {
        Self { key: None, clock, place: Arc::new(Semaphore::new(1)) }
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, Failure> {
        self.place.clone().try_acquire_owned().map_err(|_| Failure::Overloaded)
    }
}

impl Service {
    /// The same service with a key to encrypt keys with. Without one it gives none.
    #[must_use]
    pub fn with_backup_key(mut self, key: Option<BackupKey>) -> Self {
        self.backups.key = key;
        self
    }

    /// Begins a backup of the ledger on behalf of an operator.
    ///
    /// # Errors
    /// The caller is no operator, another backup is under way, or it can't be recorded.
    pub async fn backup_ledger(&self, shown: &Shown) -> Result<(BackupId, Stream), Failure> {
        let presented = self.operator(shown).await?.presented;
        let place = self.backups.place()?;
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|e| Failure::Internal(format!("no randomness: {e}")))?;
        let backup = BackupId(id);
        // Recorded before the first byte leaves.
        self.record_backup(presented, backup, BackupPart::Ledger).await?;
        let (ledger, usage, taken_at) = (self.ledger.clone(), self.usage.clone(), self.backups.clock.now());
        let (sink, stream) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let ended = backup::write(&ledger, usage.as_ref(), backup, taken_at, &sink).await;
            let ended =
                ended.map(|contents| tracing::info!(%backup, batches = contents.batches(), "a backup was made"));
            tell(&sink, backup, ended).await;
            drop(place);
        });
        Ok((backup, stream))
    }

    /// Gives the keys for a backup that was made before, encrypted, on behalf of an operator.
    ///
    /// # Errors
    /// The caller is no operator, this server has no backup key, another backup is under way, or it can't be recorded.
    pub async fn backup_keys(&self, shown: &Shown, backup: BackupId) -> Result<Stream, Failure> {
        let presented = self.operator(shown).await?.presented;
        let key = self.backups.key.clone().ok_or(Failure::NoBackupKey)?;
        let place = self.backups.place()?;
        self.record_backup(presented, backup, BackupPart::Keys).await?;
        let (keys, about) = (self.keys.clone(), (backup, self.ledger.incarnation(), self.backups.clock.now()));
        let (sink, stream) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let out = sink.clone();
            let give = move |bytes| out.blocking_send(Ok(bytes)).map_err(|_| BackupError::Gone);
            let exporting = tokio::task::spawn_blocking(move || backup::keys::export(&keys, &key, about, give));
            let ended = exporting.await.unwrap_or_else(|error| Err(BackupError::Interrupted(error.to_string())));
            tell(&sink, backup, ended).await;
            drop(place);
        });
        Ok(stream)
    }

    async fn record_backup(&self, presented: Presented, backup: BackupId, part: BackupPart) -> Result<(), Failure> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|e| Failure::Internal(format!("no randomness: {e}")))?;
        let item = plain(CommandId(id), CommandHash::NONE, presented, Change::RecordBackup { backup, part });
        self.submit_one(&TenantId::system(), item).await.map(drop)
    }

    /// Records that this ledger was restored, once: the same command again changes nothing.
    ///
    /// # Errors
    /// The ledger or the key store is not available.
    pub async fn record_restore(&self, command_id: CommandId, restored: LedgerRestored) -> Result<Outcome, Failure> {
        let system = TenantId::system();
        let command_hash = self.keys.command_hash(&system, &command_id.0)?;
        let item = plain(command_id, command_hash, Presented::System, Change::RecordRestore(restored));
        self.submit_one(&system, Gathered { may_repeat: true, ..item }).await
    }
}

fn plain(command_id: CommandId, command_hash: CommandHash, presented: Presented, change: Change) -> Gathered {
    Gathered {
        command_id,
        command_hash,
        may_repeat: false,
        presented,
        command: Command { change, occurred_at: None, author: None, message: None, override_freeze: false },
        trace: promptory_platform::telemetry::current_trace(),
        since: None,
        tied: false,
        secret: None,
        bytes: 1024,
    }
}

/// A stream that ends too early must not look like one that is whole.
async fn tell(sink: &backup::write::Sink, backup: BackupId, ended: Result<(), BackupError>) {
    if let Err(error) = ended {
        tracing::error!(%backup, %error, "a backup could not be made");
        let _ = sink.send(Err(io::Error::other("the backup could not be made"))).await; // or nobody reads any more
    }
}
