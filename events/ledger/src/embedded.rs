//! The ledger on redb, in this process: one writer thread commits what waits in one transaction with one sync.
//!
//! An append that returned is durable. Readers never wait for the writer: they read redb's last committed state, and a
//! tail takes what was just committed from memory.

mod read;
mod recent;
mod tables;
mod tail;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use promptory_events::{Cursor, Incarnation, TenantId, partition};
use redb::StorageBackend;
use tokio::sync::{oneshot, watch};

pub use crate::storage::OpenError;
pub use read::EmbeddedReader;
pub(crate) use tables::read_error;
pub use tail::EmbeddedTail;

use crate::acceptable::acceptable;
use crate::port::{AppendError, Head, ReadError, Recorded};
use crate::storage::Store;
use recent::Recent;
use writer::{Request, Writer};

/// Memory for redb's page cache. Read models are what is read much; the ledger is read at its end.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// The ledger on redb. Clones are the same ledger; the last one dropped ends its writer thread.
#[derive(Clone)]
pub struct Embedded {
    inner: Arc<Inner>,
}

/// What only appenders hold. Readers and tails hold [`Shared`] alone, so they never keep the writer running.
struct Inner {
    // Dropped first: it waits for the writer, which uses the rest.
    writer: Writer,
    shared: Arc<Shared>,
}

/// What the writer, the readers and the tails have in common.
struct Shared {
    store: Store,
    incarnation: Incarnation,
    partitions: Vec<Partition>,
    appended: AtomicU64,
    /// A commit failed: redb takes no more writes until the file is opened again.
    poisoned: AtomicBool,
}

/// One partition's end, live. Indexed by the partition's number.
struct Partition {
    /// The last committed sequence; 0 for none.
    committed: watch::Receiver<u64>,
    recent: Recent,
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Embedded({}, {} partitions)", self.incarnation(), self.partitions())
    }
}

impl Embedded {
    /// Opens the ledger in the file `path`; a new one gets a random incarnation and `partitions` partitions (at least
    /// one). The number is fixed then: an existing ledger keeps its own.
    ///
    /// # Errors
    /// Another process holds it, it is damaged, or the file system refuses. Blocks while it is opened.
    pub fn open(path: &Path, partitions: u16) -> Result<Self, OpenError> {
        Self::start(Store::open(path, "ledger", CACHE_BYTES)?, partitions)
    }

    /// The same on any redb backend, such as [`crate::storage::fault::FaultBackend`].
    ///
    /// # Errors
    /// It is damaged, or the backend refuses.
    pub fn with_backend(backend: impl StorageBackend, partitions: u16) -> Result<Self, OpenError> {
        Self::start(Store::with_backend(backend, "ledger", CACHE_BYTES)?, partitions)
    }

    fn start(store: Store, partitions: u16) -> Result<Self, OpenError> {
        let found = tables::prepare(&store.db, partitions.max(1))?;
        let count = found.ends.len();
        if count != usize::from(partitions.max(1)) {
            tracing::warn!(asked = partitions, has = count, "a ledger keeps the partitions it was created with");
        }
        let (announce, committed): (Vec<_>, Vec<_>) = found.ends.into_iter().map(watch::channel).unzip();
        let partitions = committed.into_iter().map(|committed| Partition { committed, recent: Recent::new(count) });
        let shared = Arc::new(Shared {
            store,
            incarnation: found.incarnation,
            partitions: partitions.collect(),
            appended: AtomicU64::new(0),
            poisoned: AtomicBool::new(false),
        });
        let writer = Writer::start(shared.clone(), announce).map_err(OpenError::Io)?;
        Ok(Self { inner: Arc::new(Inner { writer, shared }) })
    }

    /// Which life of the ledger this is.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.inner.shared.incarnation
    }

    /// How many partitions it has.
    #[must_use]
    pub fn partitions(&self) -> u16 {
        u16::try_from(self.inner.shared.partitions.len()).unwrap_or(u16::MAX) // made from a u16
    }

    /// Syncs of the file since it was opened.
    #[must_use]
    pub fn fsyncs(&self) -> u64 {
        self.inner.shared.store.fsyncs()
    }

    /// Batches appended since it was opened.
    #[must_use]
    pub fn appended(&self) -> u64 {
        self.inner.shared.appended.load(Ordering::Relaxed)
    }

    /// Whether a commit failed: every append is then [`AppendError::Unknown`] until the ledger is opened again.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.inner.shared.poisoned.load(Ordering::Acquire)
    }

    /// See [`crate::Ledger::append`].
    ///
    /// # Errors
    /// As there. `Busy` when the writer's queue is full.
    pub async fn append(&self, tenant: &TenantId, expected: u64, batch: Bytes) -> Result<Cursor, AppendError> {
        let (answer, answered) = oneshot::channel();
        let request = self.request(tenant, expected, batch, answer)?;
        self.inner.writer.submit(request)?;
        answered.await.unwrap_or_else(|_| Err(AppendError::Unknown("the writer ended".to_owned())))
    }

    /// Checks all that needs no look at the ledger, on the caller's thread: the writer's time is everybody's.
    fn request(
        &self,
        tenant: &TenantId,
        expected: u64,
        bytes: Bytes,
        answer: oneshot::Sender<Result<Cursor, AppendError>>,
    ) -> Result<Request, AppendError> {
        let header = acceptable(self.incarnation(), tenant, expected, &bytes)?;
        Ok(Request { partition: partition::of(tenant, self.partitions()), header, bytes, answer })
    }

    /// The end of a tenant's ledger: one look-up, some microseconds.
    ///
    /// # Errors
    /// The file can't be read.
    pub async fn head(&self, tenant: &TenantId) -> Result<Option<Head>, ReadError> {
        self.inner.shared.head(tenant)
    }

    /// See [`crate::Ledger::end`].
    ///
    /// # Errors
    /// There is no such partition.
    pub fn end(&self, partition: u16) -> Result<u64, ReadError> {
        let known = self.inner.shared.partitions.get(usize::from(partition));
        let known = known.ok_or_else(|| ReadError::Unavailable(format!("there is no partition {partition}")))?;
        Ok(*known.committed.borrow())
    }

    /// The batch that holds event `index`: one look-up, some microseconds and a copy of the batch.
    ///
    /// # Errors
    /// The file can't be read or contradicts itself.
    pub async fn get(&self, tenant: &TenantId, index: u64) -> Result<Option<Recorded>, ReadError> {
        self.inner.shared.get(tenant, index)
    }

    /// See [`crate::Ledger::read`].
    ///
    /// # Errors
    /// The file can't be read.
    pub async fn read(&self, tenant: &TenantId, from: u64) -> Result<EmbeddedReader, ReadError> {
        EmbeddedReader::new(self.inner.shared.clone(), tenant.clone(), from)
    }

    /// See [`crate::Ledger::tail`].
    ///
    /// # Errors
    /// The cursor is of another incarnation or beyond the end; there is no such partition.
    pub async fn tail(&self, partition: u16, after: Option<Cursor>) -> Result<EmbeddedTail, ReadError> {
        EmbeddedTail::new(self.inner.shared.clone(), partition, after)
    }
}

#[cfg(test)]
mod tests;
