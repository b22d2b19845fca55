//! Where the stores of one view of one tenant lie: `<tenant>/<view>-<format>/<number>`, and beside them a small file that says
//! which of them is read and which one before it is kept.
//!
//! A store is put in another's place by writing that file anew, whole or not at all: no store is ever moved, so the old one is
//! read until the new one is. A release of another format has a folder of its own and touches none but that.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use promptory_events::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use super::discard;
use crate::views::View;

/// The file that says which store is which.
const STORES: &str = "stores.json";
/// In a folder of another format: since when nobody has used it.
const UNUSED: &str = "unused.json";

/// The folder of one view of one tenant, in one format.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

/// Which of the stores in a folder are of use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stores {
    /// The one that is read and written.
    pub current: u64,
    /// The one that was before it.
    pub previous: Option<Previous>,
}

impl Default for Stores {
    fn default() -> Self {
        Self { current: 1, previous: None }
    }
}

/// A store that was replaced and is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Previous {
    /// Its number.
    pub store: u64,
    /// When it was replaced.
    pub replaced_at: Timestamp,
    /// Its last event then.
    pub index: u64,
    /// Its model digest there.
    pub digest: String,
}

impl Folder {
    pub(crate) fn of<V: View>(dir: &Path, tenant: &TenantId) -> Self {
        Self(dir.join(tenant.as_str()).join(format!("{}-{}", V::NAME, V::FORMAT)))
    }

    /// Which stores are of use. A file that is missing or can't be read counts for nothing: then it is the first one, which
    /// is built again if it is not there.
    pub(crate) fn stores(&self) -> Stores {
        let read = fs::read(self.0.join(STORES)).ok();
        read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Says it anew. On the disk when this returns.
    ///
    /// # Errors
    /// The file system refuses; what was said before stays.
    pub(crate) fn write(&self, stores: &Stores) -> io::Result<()> {
        written(&self.0, STORES, &serde_json::to_vec(stores)?)
    }

    /// Takes note that this release uses it: another one may have thought that nobody does.
    pub(crate) fn note_used(&self) {
        // Gone already, mostly. If it can't be removed, another release may remove what is built again.
        drop(fs::remove_file(self.0.join(UNUSED)));
    }

    /// Where a store lies.
    pub(crate) fn path(&self, store: u64) -> PathBuf {
        self.0.join(store.to_string())
    }

    /// Where the one lies that is read.
    pub(crate) fn current(&self) -> PathBuf {
        self.path(self.stores().current)
    }

    /// A number that no store has.
    pub(crate) fn free(&self) -> u64 {
        let stores = self.stores();
        let known = [stores.current].into_iter().chain(stores.previous.map(|previous| previous.store));
        known.chain(self.there()).max().map_or(1, |last| last.saturating_add(1))
    }

    /// Takes every store away that is of no use: what a rebuild left that did not end.
    ///
    /// # Errors
    /// The file system refuses.
    pub(crate) fn clear(&self) -> io::Result<()> {
        self.useless().into_iter().try_for_each(|store| discard(&self.path(store)))
    }

    /// Stores that are there and of no use, or not yet.
    pub(crate) fn useless(&self) -> Vec<u64> {
        let stores = self.stores();
        let previous = stores.previous.map(|previous| previous.store);
        self.there().filter(|store| *store != stores.current && Some(*store) != previous).collect()
    }

    /// Nobody goes back any more to what was replaced at or before a time.
    ///
    /// # Errors
    /// The file system refuses.
    pub(crate) fn forget_previous(&self, replaced_until: Timestamp) -> io::Result<()> {
        let mut stores = self.stores();
        let Some(previous) = stores.previous.take_if(|previous| previous.replaced_at <= replaced_until) else {
            return Ok(());
        };
        self.write(&stores)?; // first: what the file names is there
        discard(&self.path(previous.store))
    }

    /// The stores that are there.
    fn there(&self) -> impl Iterator<Item = u64> + use<> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
    }
}

/// A folder of another format than this release's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Other {
    /// The format.
    pub format: u32,
    /// Since when nobody uses it, as far as it was seen.
    pub unused_since: Option<Timestamp>,
    path: PathBuf,
}

impl Other {
    /// Takes note that nobody uses it, if that was not seen before.
    ///
    /// # Errors
    /// The file system refuses.
    pub(crate) fn seen(&mut self, now: Timestamp) -> io::Result<()> {
        if self.unused_since.is_none() {
            written(&self.path, UNUSED, &serde_json::to_vec(&now)?)?;
            self.unused_since = Some(now);
        }
        Ok(())
    }

    /// Takes it away.
    ///
    /// # Errors
    /// The file system refuses.
    pub(crate) fn remove(&self) -> io::Result<()> {
        discard(&self.path)
    }
}

/// The folders of a view of a tenant that releases of other formats have left.
pub(crate) fn others<V: View>(dir: &Path, tenant: &TenantId) -> Vec<Other> {
    let entries = fs::read_dir(dir.join(tenant.as_str())).into_iter().flatten().flatten();
    let format = |name: &OsStr| name.to_str()?.strip_prefix(V::NAME)?.strip_prefix('-')?.parse::<u32>().ok();
    let found = entries.filter_map(|entry| Some((format(&entry.file_name())?, entry.path())));
    let mut others: Vec<_> = found
        .filter(|(format, _)| *format != V::FORMAT)
        .map(|(format, path)| {
            let read = fs::read(path.join(UNUSED)).ok();
            Other { format, unused_since: read.and_then(|bytes| serde_json::from_slice(&bytes).ok()), path }
        })
        .collect();
    others.sort_unstable_by_key(|other| other.format);
    others
}

/// Writes a small file, whole or not at all, synced.
fn written(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let (path, beside) = (folder.join(name), folder.join(format!("{name}.new")));
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&beside, &path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::audit::Audit;

    #[test]
    fn the_file_says_which_store_is_which_and_without_it_the_first_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::of::<Audit>(dir.path(), &"acme".parse().unwrap());
        assert_eq!((folder.stores(), folder.free()), (Stores::default(), 2));
        for store in [1, 2, 3, 7] {
            fs::create_dir_all(folder.path(store)).unwrap();
        }
        let at = Timestamp::from_micros(5);
        let previous = Previous { store: 2, replaced_at: at, index: 9, digest: "d".to_owned() };
        let stores = Stores { current: 3, previous: Some(previous) };
        folder.write(&stores).unwrap();
        assert_eq!((folder.stores(), folder.free()), (stores, 8));
        folder.clear().unwrap();
        let there = |folder: &Folder| {
            let mut there: Vec<_> = folder.there().collect();
            there.sort_unstable();
            there
        };
        assert_eq!(there(&folder), [2, 3]);
        folder.forget_previous(Timestamp::from_micros(4)).unwrap();
        assert_eq!(there(&folder), [2, 3], "it is kept for longer");
        folder.forget_previous(at).unwrap();
        assert_eq!((there(&folder), folder.stores().previous), (vec![3], None));
        fs::write(folder.0.join(STORES), b"{").unwrap();
        assert_eq!((folder.stores(), folder.free()), (Stores::default(), 4), "a torn one counts for nothing");
    }

    #[test]
    fn what_another_release_left_is_found_by_its_format() {
        let dir = tempfile::tempdir().unwrap();
        let (tenant, format): (TenantId, _) = ("acme".parse().unwrap(), <Audit as View>::FORMAT);
        let folder = |name: &str| fs::create_dir_all(dir.path().join("acme").join(name)).unwrap();
        for name in [&format!("audit-{format}"), "audit-1", "audit-900", "catalog-1", "audit-x", "search"] {
            folder(name);
        }
        let found = || others::<Audit>(dir.path(), &tenant);
        let formats: Vec<_> = found().iter().map(|other| other.format).collect();
        assert_eq!(formats, [1, 900]);
        let now = Timestamp::from_micros(7);
        found()[0].seen(now).unwrap();
        found()[0].seen(Timestamp::from_micros(8)).unwrap();
        assert_eq!((found()[0].unused_since, found()[1].unused_since), (Some(now), None));
        // That release is started again: it takes the mark away.
        fs::write(dir.path().join(format!("acme/audit-{format}")).join(UNUSED), b"7").unwrap();
        Folder::of::<Audit>(dir.path(), &tenant).note_used();
        assert!(!dir.path().join(format!("acme/audit-{format}")).join(UNUSED).exists());
        found()[1].remove().unwrap();
        assert_eq!(found().len(), 1);
    }
}
