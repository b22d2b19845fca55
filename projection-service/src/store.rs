//! One view of one tenant in a sled database: rows, and in each atomic batch the checkpoint that says how far they go.
//!
//! sled is a disposable cache here. Whatever it loses or damages is noticed when it is opened and built again from the
//! ledger; nothing is ever only here. This module and its children are the only ones that know of sled.

pub mod checkpoint;
pub(crate) mod folder;
mod guard;
pub mod key;
pub mod rows;
pub mod share;

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub use guard::{OpenError, discard, guarded};
pub use share::Share;

use crate::points::{self, Point};
use crate::views::View;
use crate::views::catalog::row;
use crate::views::stage::Staged;
use checkpoint::Stored;
use rows::{RowError, Rows};

/// Operations in one batch: sled never gives back the memory of larger ones.
const BATCH_OPS: usize = 400;
/// The same for a view that gives way.
const SMALL_BATCH_OPS: usize = 50;
/// The longest that such a view does nothing after a batch: who waits for what was written waits for that, too.
const WAY_MAX: Duration = Duration::from_millis(5);
/// Bytes in one batch, unless one event has more: sled holds a process-wide lock while it applies one.
const BATCH_BYTES: usize = 1024 * 1024;
/// Small segments: hundreds of databases may be open, and each has buffers of this size.
const SEGMENT_BYTES: usize = 256 * 1024;
/// sled's page cache for a database that serves: small, for what is hot is in [`Hot`](crate::hot::Hot), and many are open.
const SERVING_BYTES: u64 = 4 * 1024 * 1024;
/// The same for one that is being built: with too small a cache sled reads back what it has just written.
const BUILDING_BYTES: u64 = 64 * 1024 * 1024;
/// Operations after which sled's buffers are handed to the system: its log slows down when they pile up.
const FLUSH_OPS: usize = 4_000;

/// What a store is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// To answer, and to take what comes.
    Serving,
    /// To take a whole ledger, and then to be closed.
    Building,
}

/// How a store is written: sled applies one batch at a time in the whole process, so others wait for each.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Operations in one batch.
    ops_max: usize,
    /// How much of the time it writes.
    share: Share,
    /// The longest rest after a batch.
    rest_max: Duration,
}

impl Pace {
    const FULL: Self = Self { ops_max: BATCH_OPS, share: Share::WHOLE, rest_max: Duration::ZERO };

    fn of<V: View>(what_for: Use, share: Share) -> Self {
        match what_for {
            Use::Serving if V::GIVES_WAY => Self { ops_max: SMALL_BATCH_OPS, share: Share::HALF, rest_max: WAY_MAX },
            Use::Building if !share.is_whole() => Self { ops_max: SMALL_BATCH_OPS, share, rest_max: Duration::MAX },
            Use::Serving | Use::Building => Self::FULL,
        }
    }
}

/// An open, verified store of a view.
pub struct Store<V> {
    view: PhantomData<fn() -> V>,
    path: PathBuf,
    pace: Pace,
    db: sled::Db,
    tree: sled::Tree,
    unsynced: Mutex<Unsynced>,
}

#[derive(Default)]
struct Unsynced {
    /// Whether there is anything.
    any: bool,
    /// Operations since sled was last made to write its buffers out.
    ops: usize,
}

impl<V> std::fmt::Debug for Store<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.path.display())
    }
}

impl<V: View> Store<V> {
    /// Opens the store in a folder and verifies all of it; makes an empty one if there is none. Blocks, and waits some
    /// seconds for a handle that is being closed.
    ///
    /// # Errors
    /// Another handle holds it; or it is damaged, or of another format: then it is to be discarded.
    pub fn open(path: &Path, what_for: Use) -> Result<(Self, V), OpenError> {
        guard::open(path, what_for, Share::WHOLE)
    }

    /// The same while others are served: verifying takes this share of a core at most, and so does writing to one that is
    /// being built.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_beside(path: &Path, what_for: Use, share: Share) -> Result<(Self, V), OpenError> {
        guard::open(path, what_for, share)
    }

    fn open_unverified(path: &Path, what_for: Use, share: Share) -> sled::Result<Self> {
        let cache = if what_for == Use::Building { BUILDING_BYTES } else { SERVING_BYTES };
        let config = sled::Config::new().path(path).segment_size(SEGMENT_BYTES).cache_capacity(cache);
        let db = config.flush_every_ms(None).open()?; // a flusher would be a thread for each database
        let tree = db.open_tree(V::DIGEST_OF)?;
        let pace = Pace::of::<V>(what_for, share);
        Ok(Self { view: PhantomData, path: path.to_owned(), pace, db, tree, unsynced: Mutex::default() })
    }

    /// The rows.
    pub fn rows(&self) -> &(impl Rows + use<V>) {
        &self.tree
    }

    /// Writes what is staged, in atomic parts that each end with their checkpoint, and empties it. Blocks, but does not
    /// wait for the disk.
    ///
    /// # Errors
    /// The store can't be written; some parts may be there.
    pub fn commit(&self, staged: &mut Staged<V::Kept>) -> Result<(), RowError> {
        let Pace { ops_max, share, rest_max } = self.pace;
        for (rows, at) in staged.parts(ops_max - 1, BATCH_BYTES) {
            let begun = Instant::now();
            let mut batch = sled::Batch::default();
            let ops = rows.len() + 1;
            rows.into_iter().for_each(|(key, value)| batch.insert(key, value));
            batch.insert(&checkpoint::KEY, row::encode(&Stored { format: V::FORMAT, checkpoint: at }));
            points::pass(Point::BeforeCommit);
            guarded(|| self.tree.apply_batch(batch))?;
            points::pass(Point::AfterCommit);
            self.note(ops)?;
            thread::sleep(share.rest(begun.elapsed()).min(rest_max));
        }
        Ok(())
    }

    fn note(&self, ops: usize) -> Result<(), RowError> {
        let mut unsynced = self.unsynced.lock().unwrap_or_else(PoisonError::into_inner);
        unsynced.any = true;
        unsynced.ops += ops;
        if unsynced.ops >= FLUSH_OPS {
            unsynced.ops = 0;
            drop(unsynced);
            guarded(|| self.db.flush())?;
        }
        Ok(())
    }

    /// Makes a row another, behind the checkpoint's back.
    #[cfg(test)]
    pub(crate) fn spoil(&self, key: &impl rows::RowKey) {
        self.tree.insert(key.bytes(), vec![1]).unwrap();
    }

    /// Whether something has been written that may not be on the disk.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner).any
    }

    /// Puts everything on the disk. Blocks.
    ///
    /// Done now and then, never for each batch: what a power loss takes is an older checkpoint, and the ledger has the
    /// rest. sled's own flush does not sync on Linux, so the file is synced here; `flush_async` hangs and is not used.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn sync(&self) -> Result<(), RowError> {
        // Before the flush: what is written while it runs counts as not synced.
        *self.unsynced.lock().unwrap_or_else(PoisonError::into_inner) = Unsynced::default();
        guarded(|| self.db.flush())?;
        let synced = std::fs::File::open(self.path.join("db")).and_then(|file| file.sync_data());
        synced.map_err(|error| RowError::Store(error.to_string()))
    }
}

#[cfg(test)]
mod tests;
