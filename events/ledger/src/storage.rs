//! The file under redb: its syncs are counted, its lock is told apart from damage, and only its owner may read it.
//!
//! [`fault`] is the same file broken on purpose, for the tests of this and other crates.

pub mod fault;

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redb::backends::FileBackend;
use redb::{BackendError, Database, DatabaseError, StorageBackend, StorageError};

/// How often an open looks again at a lock before it believes it, and how long it waits between: a process that is
/// just ending still holds it.
const LOCK_TRIES: u32 = 40;
const LOCK_WAIT: Duration = Duration::from_millis(50);

/// Why a store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another part of this one, has it open.
    #[error("another process holds this folder")]
    Locked,
    /// The file is there and is not what we wrote: restore it from a backup.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The file can't be made, read or written.
    #[error("the store can't be opened: {0}")]
    Io(#[source] io::Error),
    /// The system has no randomness to name a new store with.
    #[error("no randomness: {0}")]
    Random(getrandom::Error),
}

impl From<DatabaseError> for OpenError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen => Self::Locked,
            DatabaseError::Storage(error) => error.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<StorageError> for OpenError {
    fn from(error: StorageError) -> Self {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        match error {
            // A file that ends before what its header speaks of.
            StorageError::Io(e) if matches!(e.kind(), InvalidData | InvalidInput | UnexpectedEof) => {
                Self::Damaged(e.to_string())
            }
            StorageError::Io(e) => Self::Io(e),
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// Every redb error that can come up between "the file is open" and "the store is ready".
impl From<redb::Error> for OpenError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(e) => StorageError::Io(e).into(),
            redb::Error::DatabaseAlreadyOpen => Self::Locked,
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// A backend whose syncs are counted: in `syncs`, and as the metric `promptory_fsyncs_total{store}`.
#[derive(Debug)]
pub struct CountingBackend<B> {
    inner: B,
    store: &'static str,
    syncs: Arc<AtomicU64>,
}

impl<B: StorageBackend> CountingBackend<B> {
    /// Counts the syncs of `inner` into `syncs`; `store` names it in the metric.
    pub fn new(inner: B, store: &'static str, syncs: Arc<AtomicU64>) -> Self {
        Self { inner, store, syncs }
    }
}

impl<B: StorageBackend> StorageBackend for CountingBackend<B> {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("promptory_fsyncs_total", "store" => self.store).increment(1);
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.inner.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    // Without these five the file would be open to two processes at once: redb takes its lock through them.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}

/// A redb database and the number of its syncs.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) db: Database,
    pub(crate) syncs: Arc<AtomicU64>,
}

impl Store {
    /// Opens the file at `path`, readable by its owner only; makes it and its folder if they are not there.
    pub(crate) fn open(path: &Path, store: &'static str, cache_bytes: usize) -> Result<Self, OpenError> {
        for _ in 1..LOCK_TRIES {
            match Self::with_backend(FileBackend::new(open_file(path)?)?, store, cache_bytes) {
                Err(OpenError::Locked) => std::thread::sleep(LOCK_WAIT),
                other => return other,
            }
        }
        Self::with_backend(FileBackend::new(open_file(path)?)?, store, cache_bytes)
    }

    /// Opens what `backend` holds; an empty one becomes a new database.
    pub(crate) fn with_backend(
        backend: impl StorageBackend,
        store: &'static str,
        cache_bytes: usize,
    ) -> Result<Self, OpenError> {
        let syncs = Arc::new(AtomicU64::new(0));
        let backend = CountingBackend::new(backend, store, syncs.clone());
        let db = redb::Builder::new().set_cache_size(cache_bytes).create_with_backend(backend)?;
        Ok(Self { db, syncs })
    }

    /// Syncs so far, since it was opened.
    pub(crate) fn fsyncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }
}

/// Opens the file for its owner alone, and makes it first if it is not there.
fn open_file(path: &Path) -> Result<File, OpenError> {
    if !path.exists() {
        make_file(path).map_err(OpenError::Io)?;
    }
    let file = owners_file(path, false).map_err(OpenError::Io)?;
    // redb would take an empty file for a new database.
    if file.metadata().map_err(OpenError::Io)?.len() == 0 {
        return Err(OpenError::Damaged("the file is empty".to_owned()));
    }
    Ok(file)
}

/// Makes an empty database under another name and then moves it to its place: a file that is there was whole once, so
/// one that can't be read is damaged and never taken for a new one.
fn make_file(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // Two that make it at once: the second waits here and then finds it made.
    let making = owners_file(&path.with_added_extension("lock"), false)?;
    making.lock()?;
    if path.exists() {
        return Ok(());
    }
    let new = path.with_added_extension("new");
    let file = owners_file(&new, true)?;
    drop(redb::Builder::new().create_file(file.try_clone()?).map_err(io::Error::other)?);
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    // The name must be as durable as the bytes, or a power loss takes the whole file.
    File::open(folder)?.sync_all()
}

fn owners_file(path: &Path, empty: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(empty);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests;
