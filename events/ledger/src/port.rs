//! The ledger port: what is above it never knows which form it talks to.
//!
//! What every form promises, and the contract suite checks:
//! * an append that returned is durable; it was guarded by the tenant's previous batch, the first one by "none";
//! * one writer of two that guard with the same predecessor wins, the other gets [`AppendError::Conflict`];
//! * indexes of a tenant are dense, its `recorded_at` never goes back, `prev` links its batches into a chain;
//! * [`Tail`] gives every batch of a partition in order, first those that are there, then those that come.

use bytes::Bytes;
use promptory_events::{Cursor, Incarnation, Position, TenantId, Timestamp};

use crate::embedded::{Embedded, EmbeddedReader, EmbeddedTail};
use crate::jetstream::{JetStream, JetStreamReader, JetStreamTail};

/// The ledger in one of its forms.
#[derive(Clone, Debug)]
pub enum Ledger {
    /// On redb, in this process.
    Embedded(Embedded),
    /// On NATS JetStream.
    JetStream(JetStream),
}

/// A batch as the ledger holds it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Where it is in its partition.
    pub cursor: Cursor,
    /// The message.
    pub bytes: Bytes,
}

/// The end of a tenant's ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its last event.
    pub position: Position,
    /// Its last batch; `sequence` is what the next append is guarded with.
    pub cursor: Cursor,
    /// When the last batch was recorded.
    pub recorded_at: Timestamp,
}

/// Why an append did not end in "appended".
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody else's batch is there: reload, decide again.
    #[error("another batch was appended first")]
    Conflict,
    /// Not now: wait with jitter, then the same batch again. Nothing was written.
    #[error("the ledger is busy")]
    Busy,
    /// The outcome is not known: append the same bytes with the same guard again.
    #[error("the outcome of the append is not known: {0}")]
    Unknown(String),
    /// The batch can never be appended: malformed, too large, of another incarnation, not dense. A defect of the caller.
    #[error("the batch is not acceptable: {0}")]
    Invalid(String),
}

/// Why a read failed. A missing batch is never skipped.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The ledger can't be reached or read now.
    #[error("the ledger can't be read: {0}")]
    Unavailable(String),
    /// What is there contradicts itself: a gap, a broken chain, another incarnation, a cursor beyond the end.
    #[error("the ledger contradicts itself: {0}")]
    Corrupt(String),
}

impl Ledger {
    /// Which life of the ledger this is.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        match self {
            Self::Embedded(ledger) => ledger.incarnation(),
            Self::JetStream(ledger) => ledger.incarnation(),
        }
    }

    /// How many partitions it has; fixed when it was created.
    #[must_use]
    pub fn partitions(&self) -> u16 {
        match self {
            Self::Embedded(ledger) => ledger.partitions(),
            Self::JetStream(ledger) => ledger.partitions(),
        }
    }

    /// Whether appends can succeed. The embedded form takes none after a failed commit until it is opened again; that on
    /// JetStream takes none while it has no connection.
    #[must_use]
    pub fn takes_batches(&self) -> bool {
        match self {
            Self::Embedded(ledger) => !ledger.is_poisoned(),
            Self::JetStream(ledger) => ledger.is_connected(),
        }
    }

    /// Appends an encoded batch, guarded by the sequence of the tenant's previous batch (0: there is none). Returns when
    /// the batch is durable.
    ///
    /// # Errors
    /// The outcomes of [`AppendError`]; only `Unknown` leaves open whether the batch is there.
    pub async fn append(&self, tenant: &TenantId, expected: u64, batch: Bytes) -> Result<Cursor, AppendError> {
        match self {
            Self::Embedded(ledger) => ledger.append(tenant, expected, batch).await,
            Self::JetStream(ledger) => ledger.append(tenant, expected, batch).await,
        }
    }

    /// The end of a tenant's ledger; `None` if it has no batch.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub async fn head(&self, tenant: &TenantId) -> Result<Option<Head>, ReadError> {
        match self {
            Self::Embedded(ledger) => ledger.head(tenant).await,
            Self::JetStream(ledger) => ledger.head(tenant).await,
        }
    }

    /// The sequence of the last batch of a partition; 0 if it has none.
    ///
    /// # Errors
    /// There is no such partition; the ledger can't be read.
    pub async fn end(&self, partition: u16) -> Result<u64, ReadError> {
        match self {
            Self::Embedded(ledger) => ledger.end(partition),
            Self::JetStream(ledger) => ledger.end(partition).await,
        }
    }

    /// The batch that holds the event `index` of a tenant; `None` if the ledger ends before it.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub async fn get(&self, tenant: &TenantId, index: u64) -> Result<Option<Recorded>, ReadError> {
        match self {
            Self::Embedded(ledger) => ledger.get(tenant, index).await,
            Self::JetStream(ledger) => ledger.get(tenant, index).await,
        }
    }

    /// Reads a tenant's batches in order, from the one that holds event `from`, up to the head as it is now.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub async fn read(&self, tenant: &TenantId, from: u64) -> Result<Reader, ReadError> {
        match self {
            Self::Embedded(ledger) => Ok(Reader::Embedded(ledger.read(tenant, from).await?)),
            Self::JetStream(ledger) => Ok(Reader::JetStream(ledger.read(tenant, from).await?)),
        }
    }

    /// Follows a partition after `after` (`None`: from its beginning).
    ///
    /// # Errors
    /// The cursor is of another incarnation or beyond the end; the ledger can't be read.
    pub async fn tail(&self, partition: u16, after: Option<Cursor>) -> Result<Tail, ReadError> {
        match self {
            Self::Embedded(ledger) => Ok(Tail::Embedded(ledger.tail(partition, after).await?)),
            Self::JetStream(ledger) => Ok(Tail::JetStream(ledger.tail(partition, after).await?)),
        }
    }
}

/// A tenant's batches, one page after another.
pub enum Reader {
    /// From redb.
    Embedded(EmbeddedReader),
    /// From JetStream.
    JetStream(JetStreamReader),
}

impl Reader {
    /// The next page (some MiB at most), empty at the end. Checks that the chain holds.
    ///
    /// # Errors
    /// The ledger can't be read or contradicts itself.
    pub async fn next(&mut self) -> Result<Vec<Recorded>, ReadError> {
        match self {
            Self::Embedded(reader) => reader.next().await,
            Self::JetStream(reader) => reader.next().await,
        }
    }
}

/// A partition's batches, live.
pub enum Tail {
    /// From redb.
    Embedded(EmbeddedTail),
    /// From JetStream.
    JetStream(JetStreamTail),
}

impl Tail {
    /// The next batches, at least one; waits for them. Cancel-safe: a dropped future loses nothing.
    ///
    /// # Errors
    /// The ledger can't be read or contradicts itself.
    pub async fn next(&mut self) -> Result<Vec<Recorded>, ReadError> {
        match self {
            Self::Embedded(tail) => tail.next().await,
            Self::JetStream(tail) => tail.next().await,
        }
    }
}
