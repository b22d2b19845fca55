//! Snapshots and receipts on disk. Disposable: whatever is missing or damaged is folded from the ledger again.
//!
//! A snapshot and the receipts of every command before it are written in one transaction, so a state that was loaded
//! from a snapshot finds each older command here and each younger one in the batches after it.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use promptory_domain::Tenant;
use promptory_events::{CommandHash, CommandId, CommitHeader, Incarnation, TenantId, Timestamp};
use redb::{Database, ReadableDatabase, TableDefinition};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::load::Confirmed;

const SNAPSHOTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("snapshots/10");
/// (tenant, command) -> (hash of the body, first event)
const RECEIPTS: TableDefinition<'_, ReceiptKey, ([u8; 16], u64)> = TableDefinition::new("receipts/1");

type ReceiptKey = (&'static str, [u8; 16]);

/// What a done command left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Keyed hash of its body.
    pub hash: CommandHash,
    /// Its first event.
    pub first_index: u64,
}

impl Receipt {
    /// What a commit leaves behind: nothing if its command can't be repeated.
    #[must_use]
    pub fn of(header: &CommitHeader, first_index: u64) -> Option<(CommandId, Self)> {
        let hash = header.command_hash;
        (hash != CommandHash::NONE).then_some((header.command_id, Self { hash, first_index }))
    }
}

/// What redb may keep of the file in memory. It is read at cold starts and late repeats only.
const PAGE_CACHE_BYTES: usize = 8 * 1024 * 1024;

fn create(path: &Path) -> Result<Database, redb::Error> {
    // Keyed hashes and ids only, but nobody else's business.
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    Ok(Database::builder().set_cache_size(PAGE_CACHE_BYTES).create_file(file.map_err(redb::Error::Io)?)?)
}

/// Snapshots and receipts of all tenants, in one file.
#[derive(Clone, Debug)]
pub struct Cache {
    db: Arc<Database>,
    incarnation: Incarnation,
}

/// The cache can't be used; it holds nothing that the ledger does not.
#[derive(Debug, thiserror::Error)]
#[error("the command cache can't be used: {0}")]
pub struct CacheError(String);

impl<E: Into<redb::Error>> From<E> for CacheError {
    fn from(error: E) -> Self {
        Self(error.into().to_string())
    }
}

#[derive(Serialize, Deserialize)]
struct Snapshot {
    incarnation: Incarnation,
    sequence: u64,
    recorded_at: Timestamp,
    state: Tenant,
}

impl Cache {
    /// Opens the file, or makes a new one where there is none or it is damaged.
    ///
    /// # Errors
    /// The file can be neither read nor replaced.
    pub fn open(path: &Path, incarnation: Incarnation) -> Result<Self, CacheError> {
        let db = match create(path) {
            // Held by another process or not let go yet: to delete it would take it from under its holder.
            Err(error @ redb::Error::DatabaseAlreadyOpen) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "the command cache is damaged; making a new one");
                std::fs::remove_file(path).map_err(|e| CacheError(e.to_string()))?;
                create(path)?
            }
            Ok(db) => db,
        };
        let write = db.begin_write()?;
        write.open_table(SNAPSHOTS)?;
        write.open_table(RECEIPTS)?;
        write.commit()?;
        Ok(Self { db: Arc::new(db), incarnation })
    }

    /// The state of a tenant as of its snapshot; `None` if there is none that holds.
    #[must_use]
    pub fn snapshot(&self, tenant: &TenantId) -> Option<Confirmed> {
        self.read_snapshot(tenant)
            .inspect_err(|error| tracing::warn!(%tenant, %error, "a snapshot can't be read"))
            .ok()
            .flatten()
            .filter(|snapshot| snapshot.incarnation == self.incarnation && snapshot.state.id() == tenant)
            .map(|s| Confirmed { state: s.state, sequence: s.sequence, recorded_at: s.recorded_at })
    }

    fn read_snapshot(&self, tenant: &TenantId) -> Result<Option<Snapshot>, CacheError> {
        let table = self.db.begin_read()?.open_table(SNAPSHOTS)?;
        let Some(bytes) = table.get(tenant.as_str())? else { return Ok(None) };
        let Some((digest, body)) = bytes.value().split_first_chunk::<32>() else { return Ok(None) };
        if *digest != <[u8; 32]>::from(Sha256::digest(body)) {
            return Err(CacheError("its digest does not hold".into()));
        }
        postcard::from_bytes(body).map(Some).map_err(|e| CacheError(e.to_string()))
    }

    /// The receipt of a command before the tenant's snapshot.
    ///
    /// # Errors
    /// The file can't be read; the answer is then not known.
    pub fn receipt(&self, tenant: &TenantId, command: CommandId) -> Result<Option<Receipt>, CacheError> {
        let table = self.db.begin_read()?.open_table(RECEIPTS)?;
        let found = table.get((tenant.as_str(), command.0))?;
        Ok(found.map(|value| {
            let (hash, first_index) = value.value();
            Receipt { hash: CommandHash(hash), first_index }
        }))
    }

    /// Forgets all about a tenant: what is here is of a ledger that was put back or replaced.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn forget(&self, tenant: &TenantId) -> Result<(), CacheError> {
        let write = self.db.begin_write()?;
        write.open_table(SNAPSHOTS)?.remove(tenant.as_str())?;
        let all = (tenant.as_str(), [0; 16])..=(tenant.as_str(), [0xff; 16]);
        write.open_table(RECEIPTS)?.retain_in(all, |_, _| false)?;
        write.commit()?;
        Ok(())
    }

    /// Stores a state together with the receipts since the snapshot before it.
    ///
    /// # Errors
    /// The file can't be written; the snapshot before it stays.
    pub fn store(&self, confirmed: &Confirmed, receipts: &[(CommandId, Receipt)]) -> Result<(), CacheError> {
        let tenant = confirmed.state.id();
        let snapshot = Snapshot {
            incarnation: self.incarnation,
            sequence: confirmed.sequence,
            recorded_at: confirmed.recorded_at,
            state: confirmed.state.clone(),
        };
        let body = postcard::to_allocvec(&snapshot).map_err(|e| CacheError(e.to_string()))?;
        let bytes = [&Sha256::digest(&body)[..], &body].concat();
        let write = self.db.begin_write()?;
        {
            let mut table = write.open_table(RECEIPTS)?;
            for (command, receipt) in receipts {
                table.insert((tenant.as_str(), command.0), (receipt.hash.0, receipt.first_index))?;
            }
            write.open_table(SNAPSHOTS)?.insert(tenant.as_str(), bytes.as_slice())?;
        }
        write.commit()?;
        Ok(())
    }
}
