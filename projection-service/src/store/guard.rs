//! Opening a store as if it had been written by an enemy: sled panics on some damaged files and is silent about others.
//!
//! So opening is caught, and then every row is read and the digest compared with the checkpoint's.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::checkpoint::{self, Stored};
use super::rows::RowError;
use super::share::{Rests, Share};
use super::{Store, Use, watch};
use crate::digest::Sum;
use crate::views::catalog::row;
use crate::views::{Load, View};

/// Why a store did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or a handle of this one that is being closed, holds it. It is whole.
    #[error("the store is held by another handle: {0}")]
    Locked(String),
    /// It is damaged or of another release: discard it and build it again.
    #[error("the store is unusable: {0}")]
    Unusable(String),
}

impl From<RowError> for OpenError {
    fn from(error: RowError) -> Self {
        Self::Unusable(error.to_string())
    }
}

/// Runs something of sled's and makes its panics errors.
///
/// # Errors
/// It failed or panicked.
pub fn guarded<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, RowError> {
    // A panic leaves only sled's own state in doubt, and after an error nobody uses that store again.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(done) => done.map_err(|error| RowError::Store(error.to_string())),
        Err(panic) => Err(RowError::Store(format!("it panicked: {}", said(&*panic)))),
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a word".to_owned())
}

/// How long to wait for a handle that is being closed, and how often to look: sled lets its lock go some time after the
/// last handle is dropped.
const LOCK_TRIES: u32 = 150;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

pub(super) fn open<V: View>(path: &Path, what_for: Use, share: Share) -> Result<(Store<V>, V), OpenError> {
    let mut opened = open_once(path, what_for, share);
    for _ in 0..LOCK_TRIES {
        if !matches!(opened, Err(OpenError::Locked(_))) {
            break;
        }
        std::thread::sleep(LOCK_PAUSE);
        opened = open_once(path, what_for, share);
    }
    opened
}

/// What is lacking of a store that is there: sled would make it anew, empty, and might wait for ever for what was in it.
fn gone(path: &Path) -> Option<&'static str> {
    let (there, gone): (Vec<_>, Vec<_>) =
        ["conf", "db", "blobs"].into_iter().partition(|name| path.join(name).exists());
    gone.first().copied().filter(|_| !there.is_empty())
}

fn open_once<V: View>(path: &Path, what_for: Use, share: Share) -> Result<(Store<V>, V), OpenError> {
    if watch::is_marked(path) {
        return Err(OpenError::Unusable("sled did not come to an end with it".to_owned()));
    }
    if let Some(gone) = gone(path) {
        return Err(OpenError::Unusable(format!("`{gone}` is gone")));
    }
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let store = watch::watched(path, || Store::open_unverified(path, what_for, share));
        let store = store.map_err(|error| told_apart(&error))?;
        let view = verify(&store, share)?;
        Ok((store, view))
    }));
    opened.unwrap_or_else(|panic| Err(OpenError::Unusable(format!("it panicked: {}", said(&*panic)))))
}

/// sled has no error of its own for a lock that is held.
fn told_apart(error: &sled::Error) -> OpenError {
    let text = error.to_string();
    if text.contains("could not acquire lock") { OpenError::Locked(text) } else { OpenError::Unusable(text) }
}

/// Reads every row, compares the digest with the checkpoint's, and makes the current state on the way.
fn verify<V: View>(store: &Store<V>, share: Share) -> Result<V, OpenError> {
    let (mut sum, mut loader, mut stored) = (Sum::default(), V::Loader::default(), None);
    let mut rests = Rests::of(share);
    for found in store.tree.iter() {
        let (key, value) = found.map_err(|error| OpenError::Unusable(error.to_string()))?;
        if *key == checkpoint::KEY {
            let format = row::take::<u32>("checkpoint", &value)?;
            // It comes first: a store of another release is not read any further, and neither is its checkpoint.
            if format != V::FORMAT {
                return Err(OpenError::Unusable("it is of another format".to_owned()));
            }
            stored = Some(row::decode::<Stored<V::Kept>>("checkpoint", &value)?);
            continue;
        }
        V::sum_of(&key, &value, &mut sum)?;
        loader.see(&key, &value)?;
        rests.step();
    }
    let checkpoint = stored.map(|stored| stored.checkpoint);
    if let Some(checkpoint) = &checkpoint {
        V::sum_of_kept(&checkpoint.kept, checkpoint.index, &mut sum);
    }
    if sum != checkpoint.as_ref().map(|checkpoint| checkpoint.sum).unwrap_or_default() {
        return Err(OpenError::Unusable("its rows are not those that the checkpoint speaks of".to_owned()));
    }
    Ok(loader.finish(checkpoint, &store.tree)?)
}

/// Takes a store's folder away. It is moved first, so that a folder that is half gone is never opened.
///
/// # Errors
/// The file system refuses to move it.
pub fn discard(path: &Path) -> std::io::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let aside = sibling(path, "discarded");
    remove(&aside);
    std::fs::rename(path, &aside)?;
    remove(&aside);
    Ok(())
}

/// A folder beside a store's. Stores are called by numbers, so it is never another one.
fn sibling(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    path.with_file_name(name)
}

/// What stays behind costs only space, and the next one to come takes it away.
fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_dir_all(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "a folder that is of no more use could not be removed");
    }
}
