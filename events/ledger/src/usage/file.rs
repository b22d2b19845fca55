//! The form on redb: one file, one thread that writes what waits in one transaction with one sync.

mod group;
mod writer;

use std::fmt;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use promptory_events::{TenantId, Timestamp};
use redb::{ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};
use tokio::sync::oneshot;

use super::{Entry, PAGE_BYTES, PAGE_ENTRIES, kept_of, max_age};
use crate::embedded::read_error;
use crate::port::{AppendError, ReadError};
use crate::storage::{OpenError, Store};
use writer::{Request, Work, Writer};

/// (tenant, sequence) -> when it came in microseconds, and the entry.
const ENTRIES: TableDefinition<(&str, u64), (i64, &[u8])> = TableDefinition::new("entries");
/// tenant -> the sequence of its last entry, whether that is still there or not.
const ENDS: TableDefinition<&str, u64> = TableDefinition::new("ends");
/// (tenant, sequence) -> the rollup.
const ROLLUPS: TableDefinition<(&str, u64), &[u8]> = TableDefinition::new("rollups");
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
const FORMAT: u16 = 1;
/// Memory for redb's page cache.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// The usage log in a file. Clones are the same log; the last one dropped ends its writer thread.
#[derive(Clone)]
pub struct FileLog {
    inner: Arc<Inner>,
}

struct Inner {
    // Dropped first: it waits for its thread, which uses the rest.
    writer: Writer,
    shared: Arc<Shared>,
    life: u64,
    keep: Duration,
}

struct Shared {
    store: Store,
    poisoned: AtomicBool,
}

impl fmt::Debug for FileLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileLog(…)")
    }
}

impl FileLog {
    /// Opens the log in the file `path`; makes it if it is not there. The ids of records are known for `keep`; what is
    /// appended stays a little longer.
    ///
    /// # Errors
    /// Another process holds it, it is damaged, or the file system refuses. Blocks while it is opened.
    pub fn open(path: &Path, keep: Duration) -> Result<Self, OpenError> {
        Self::start(Store::open(path, "usage", CACHE_BYTES)?, keep)
    }

    /// The same on any redb backend, such as [`crate::storage::fault::FaultBackend`].
    ///
    /// # Errors
    /// It is damaged, or the backend refuses.
    pub fn with_backend(backend: impl StorageBackend, keep: Duration) -> Result<Self, OpenError> {
        Self::start(Store::with_backend(backend, "usage", CACHE_BYTES)?, keep)
    }

    fn start(store: Store, keep: Duration) -> Result<Self, OpenError> {
        let txn = store.db.begin_read().map_err(redb::Error::from)?;
        if txn.list_tables()?.next().is_none() {
            create(&store)?;
        }
        drop(txn);
        let txn = store.db.begin_read().map_err(redb::Error::from)?;
        let (format, life) = (u16::from_le_bytes(meta(&txn, "format")?), u64::from_le_bytes(meta(&txn, "life")?));
        drop(txn);
        if format != FORMAT {
            return Err(OpenError::Damaged(format!("has format {format}, this release reads {FORMAT}")));
        }
        let shared = Arc::new(Shared { store, poisoned: AtomicBool::new(false) });
        let writer = Writer::start(shared.clone()).map_err(OpenError::Io)?;
        Ok(Self { inner: Arc::new(Inner { writer, shared, life, keep }) })
    }

    /// Syncs of the file since it was opened.
    #[must_use]
    pub fn fsyncs(&self) -> u64 {
        self.inner.shared.store.fsyncs()
    }

    /// Whether a commit failed: every append is then `Unknown` until the log is opened again.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.inner.shared.poisoned.load(Ordering::Acquire)
    }

    pub(super) fn life(&self) -> u64 {
        self.inner.life
    }

    pub(super) async fn append(&self, tenant: &TenantId, at: Timestamp, bytes: Bytes) -> Result<u64, AppendError> {
        self.ask(Work::Append { tenant: tenant.clone(), received_at: at, bytes }).await
    }

    pub(super) async fn append_rollup(
        &self,
        tenant: &TenantId,
        expected: u64,
        bytes: Bytes,
    ) -> Result<u64, AppendError> {
        self.ask(Work::Rollup { tenant: tenant.clone(), expected, bytes }).await
    }

    pub(super) fn keep_ms(&self) -> i64 {
        kept_of(max_age(self.inner.keep))
    }

    pub(super) async fn expire(&self, now: Timestamp) -> Result<u64, AppendError> {
        let max_age_ms = i64::try_from(max_age(self.inner.keep).as_millis()).unwrap_or(i64::MAX);
        let (before, mut gone) = (now.plus_ms(max_age_ms.saturating_neg()), 0);
        loop {
            match self.ask(Work::Expire { before }).await? {
                0 => return Ok(gone),
                some => gone += some, // in parts, so that appends go between
            }
        }
    }

    async fn ask(&self, work: Work) -> Result<u64, AppendError> {
        let (answer, answered) = oneshot::channel();
        self.inner.writer.submit(Request { work, answer })?;
        answered.await.unwrap_or_else(|_| Err(AppendError::Unknown("the writer ended".to_owned())))
    }

    pub(super) fn read(&self, tenant: &TenantId, after: u64) -> Result<Vec<Entry>, ReadError> {
        let read = || -> Result<Vec<Entry>, redb::Error> {
            let table = self.inner.shared.store.db.begin_read()?.open_table(ENTRIES)?;
            let (mut page, mut bytes) = (Vec::new(), 0);
            for row in table.range(behind(tenant, after))? {
                let (key, value) = row?;
                bytes += value.value().1.len();
                page.push(Entry { sequence: key.value().1, bytes: Bytes::copy_from_slice(value.value().1) });
                if bytes >= PAGE_BYTES || page.len() >= PAGE_ENTRIES {
                    break;
                }
            }
            Ok(page)
        };
        read().map_err(read_error)
    }

    pub(super) fn rollups(&self, tenant: &TenantId, after: u64) -> Result<Vec<Entry>, ReadError> {
        let read = || -> Result<Vec<Entry>, redb::Error> {
            let table = self.inner.shared.store.db.begin_read()?.open_table(ROLLUPS)?;
            let (mut page, mut bytes) = (Vec::new(), 0);
            for row in table.range(behind(tenant, after))? {
                let (key, value) = row?;
                bytes += value.value().len();
                page.push(Entry { sequence: key.value().1, bytes: Bytes::copy_from_slice(value.value()) });
                if bytes >= PAGE_BYTES {
                    break;
                }
            }
            Ok(page)
        };
        read().map_err(read_error)
    }

    pub(super) fn tenants(&self) -> Result<Vec<(TenantId, u64)>, ReadError> {
        let read = || -> Result<Vec<(String, u64)>, redb::Error> {
            let table = self.inner.shared.store.db.begin_read()?.open_table(ENDS)?;
            table
                .iter()?
                .map(|row| row.map(|(key, end)| (key.value().to_owned(), end.value())).map_err(Into::into))
                .collect()
        };
        let ends: Vec<(String, u64)> = read().map_err(read_error)?;
        ends.into_iter().map(|(name, end)| Ok((named(&name)?, end))).collect()
    }

    pub(super) fn rolled_tenants(&self) -> Result<Vec<TenantId>, ReadError> {
        let read = || -> Result<Vec<String>, redb::Error> {
            let table = self.inner.shared.store.db.begin_read()?.open_table(ROLLUPS)?;
            let mut names: Vec<String> = Vec::new();
            loop {
                let last = names.last().map_or(("", 0), |name| (name.as_str(), u64::MAX));
                let next = table.range((Bound::Excluded(last), Bound::Unbounded))?.next().transpose()?;
                let Some((key, _)) = next else { return Ok(names) };
                let name = key.value().0.to_owned();
                names.push(name);
            }
        };
        let names: Vec<String> = read().map_err(read_error)?;
        names.iter().map(|name| named(name)).collect()
    }
}

fn named(name: &str) -> Result<TenantId, ReadError> {
    name.parse().map_err(|_| ReadError::Corrupt(format!("the usage log has a tenant {name:?}")))
}

/// One end of a range of a tenant's.
type End<'a> = Bound<(&'a str, u64)>;

/// What lies behind a sequence of a tenant.
fn behind(tenant: &TenantId, after: u64) -> (End<'_>, End<'_>) {
    (Bound::Excluded((tenant.as_str(), after)), Bound::Included((tenant.as_str(), u64::MAX)))
}

/// All in one transaction: a power loss leaves no file at all or a whole log.
fn create(store: &Store) -> Result<(), OpenError> {
    let mut life = [0; 8];
    getrandom::fill(&mut life).map_err(OpenError::Random)?;
    let fill = || -> Result<(), redb::Error> {
        let txn = store.db.begin_write()?;
        {
            let mut meta = txn.open_table(META)?;
            meta.insert("format", FORMAT.to_le_bytes().as_slice())?;
            meta.insert("life", life.as_slice())?;
            txn.open_table(ENTRIES)?;
            txn.open_table(ENDS)?;
            txn.open_table(ROLLUPS)?;
        }
        txn.commit()?;
        Ok(())
    };
    fill().map_err(OpenError::from)
}

fn meta<const N: usize>(txn: &ReadTransaction, name: &str) -> Result<[u8; N], OpenError> {
    let table = txn.open_table(META).map_err(redb::Error::from)?;
    let value = table.get(name)?;
    let bytes = value.as_ref().and_then(|value| value.value().try_into().ok());
    bytes.ok_or_else(|| OpenError::Damaged(format!("says nothing readable about its {name}")))
}
