//! The files under a server's streams, for damaging them as disks do. The server must not run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Server, User};

/// Where the streams lie in a server's folder.
pub(crate) const FOLDER: &str = "store";

impl Server {
    /// The folder of a stream.
    #[must_use]
    pub fn stream_folder(&self, user: &User, stream: &str) -> PathBuf {
        self.folder().join(FOLDER).join("jetstream").join(&user.name).join("streams").join(stream)
    }

    /// The files that hold a stream's messages, oldest first.
    #[must_use]
    pub fn blocks(&self, user: &User, stream: &str) -> Vec<PathBuf> {
        let number = |path: &Path| path.file_stem()?.to_str()?.parse::<u64>().ok();
        let files = fs::read_dir(self.stream_folder(user, stream).join("msgs")).unwrap();
        let mut blocks: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        blocks.retain(|path| path.extension().is_some_and(|extension| extension == "blk"));
        blocks.sort_by_key(|path| number(path));
        blocks
    }
}

/// Turns one bit of a file.
pub fn flip_bit(path: &Path, byte: usize, bit: u8) {
    let mut bytes = fs::read(path).unwrap();
    bytes[byte] ^= 1 << bit;
    fs::write(path, bytes).unwrap();
}
