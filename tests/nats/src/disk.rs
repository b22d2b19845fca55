//! A disk that can lose power: a file system of our own (FUSE) that knows what was written and not synced.
//!
//! It behaves as ext4 and XFS do at their worst: a sync of any file makes all names durable (there is one journal) and
//! that file's bytes; what was written and not synced is gone, and a new file that was not synced is empty.

mod fuse;
mod tree;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fuser::{BackgroundSession, Config, MountOption};

use fuse::Fuse;
use tree::Tree;

/// What it needs, said when it is not there: a test without it would prove nothing.
const NEEDED: &str = "a power failure is simulated with a file system of our own, which needs /dev/fuse and the right to \
                      mount: run as root on a kernel with fuse (modprobe fuse; in a container: --device /dev/fuse \
                      --cap-add SYS_ADMIN), or as a user with the package fuse3 installed";

/// A mounted disk. Unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Disk {
    tree: Arc<Mutex<Tree>>,
    folder: PathBuf,
    mounted: Option<BackgroundSession>,
}

impl Disk {
    /// Mounts an empty disk at a folder, which is made.
    pub(crate) fn new(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let mut disk = Self { tree: Arc::default(), folder: folder.to_owned(), mounted: None };
        disk.mount();
        disk
    }

    fn mount(&mut self) {
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("promptory-test".to_owned())];
        let mounted = fuser::spawn_mount(Fuse::new(self.tree.clone()), &self.folder, &config);
        self.mounted = Some(mounted.unwrap_or_else(|error| panic!("{NEEDED}: {error}")));
    }

    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that a power failure would take now.
    pub(crate) fn unsynced_bytes(&self) -> usize {
        self.tree().unsynced_bytes()
    }

    /// Makes everything durable, as the kernel does by itself with what is half a minute old.
    pub(crate) fn write_back(&mut self) {
        self.tree().sync_all();
    }

    /// Takes everything that was not synced. Nobody may have a file open.
    pub(crate) fn lose_power(&mut self) {
        // Unmounted, so that the kernel remembers nothing either.
        let mounted = self.mounted.take().expect("mounted unless this panicked before");
        mounted.umount_and_join().unwrap_or_else(|error| panic!("{}: {error}", self.folder.display()));
        self.tree().lose_power();
        self.mount();
    }
}
