//! The usage log and the rollups made from it: what programs say of running prompts, apart from the ledger.
//!
//! What both forms promise:
//! * an append that returned is durable; sequences of a tenant grow and are never used again;
//! * entries are read in order, and go when they are older than the log keeps them; rollups never do;
//! * a rollup is guarded by the sequence of the tenant's previous one, so that of two who make the next, one wins.

mod file;
mod retention;
mod stream;

use bytes::Bytes;
use promptory_events::{TenantId, Timestamp};

pub use file::FileLog;
pub use retention::{KEEP, kept_of, max_age};
pub use stream::StreamLog;

use crate::port::{AppendError, ReadError};

/// Bytes that are read at once, about.
const PAGE_BYTES: usize = 2 * 1024 * 1024;
/// Entries that are read at once.
const PAGE_ENTRIES: usize = 1024;

/// The usage log in one of its forms.
#[derive(Clone, Debug)]
pub enum UsageLog {
    /// In a file of this process.
    File(FileLog),
    /// In two streams on NATS JetStream.
    JetStream(StreamLog),
}

/// An entry, or a rollup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub sequence: u64,
    /// What was appended.
    pub bytes: Bytes,
}

impl UsageLog {
    /// Which life of the log this is: sequences of another one mean nothing here.
    #[must_use]
    pub fn life(&self) -> u64 {
        match self {
            Self::File(log) => log.life(),
            Self::JetStream(log) => log.life(),
        }
    }

    /// Appends an entry that came at a time. Returns when it is durable.
    ///
    /// # Errors
    /// `Busy`: nothing was written. `Unknown`: it may be there; append it again, records are known by their ids.
    pub async fn append(&self, tenant: &TenantId, received_at: Timestamp, bytes: Bytes) -> Result<u64, AppendError> {
        match self {
            Self::File(log) => log.append(tenant, received_at, bytes).await,
            Self::JetStream(log) => log.append(tenant, bytes).await,
        }
    }

    /// A tenant's next entries after a sequence; none: there are none yet.
    ///
    /// # Errors
    /// The log can't be read.
    pub async fn read(&self, tenant: &TenantId, after: u64) -> Result<Vec<Entry>, ReadError> {
        match self {
            Self::File(log) => log.read(tenant, after),
            Self::JetStream(log) => log.read(tenant, after).await,
        }
    }

    /// The tenants that have entries, each with a number that changes whenever one comes, and may change when one goes.
    ///
    /// # Errors
    /// The log can't be read.
    pub async fn tenants(&self) -> Result<Vec<(TenantId, u64)>, ReadError> {
        match self {
            Self::File(log) => log.tenants(),
            Self::JetStream(log) => log.tenants().await,
        }
    }

    /// Appends a rollup after the one with the sequence `expected` (0: there is none). Returns when it is durable.
    ///
    /// # Errors
    /// `Conflict`: somebody else's is there. Otherwise as [`UsageLog::append`].
    pub async fn append_rollup(&self, tenant: &TenantId, expected: u64, bytes: Bytes) -> Result<u64, AppendError> {
        match self {
            Self::File(log) => log.append_rollup(tenant, expected, bytes).await,
            Self::JetStream(log) => log.append_rollup(tenant, expected, bytes).await,
        }
    }

    /// A tenant's next rollups after a sequence.
    ///
    /// # Errors
    /// The log can't be read.
    pub async fn rollups(&self, tenant: &TenantId, after: u64) -> Result<Vec<Entry>, ReadError> {
        match self {
            Self::File(log) => log.rollups(tenant, after),
            Self::JetStream(log) => log.rollups(tenant, after).await,
        }
    }

    /// The tenants that have rollups.
    ///
    /// # Errors
    /// The log can't be read.
    pub async fn rolled_tenants(&self) -> Result<Vec<TenantId>, ReadError> {
        match self {
            Self::File(log) => log.rolled_tenants(),
            Self::JetStream(log) => log.rolled_tenants().await,
        }
    }

    /// How long the id of a record is known after it came, in milliseconds: the same one again is a repeat.
    #[must_use]
    pub fn keep_ms(&self) -> i64 {
        match self {
            Self::File(log) => log.keep_ms(),
            Self::JetStream(log) => log.keep_ms(),
        }
    }

    /// Removes entries that are older than they are kept. On JetStream the servers do that themselves.
    ///
    /// # Errors
    /// As [`UsageLog::append`].
    pub async fn expire(&self, now: Timestamp) -> Result<u64, AppendError> {
        match self {
            Self::File(log) => log.expire(now).await,
            Self::JetStream(_) => Ok(0),
        }
    }
}
