//! The files under a server's streams: damaged as disks do, removed as operators do.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::{HEALTHY_WITHIN, Server, User, http};

const LOOK: Duration = Duration::from_millis(100);

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

impl Server {
    /// Throws a stream's replica away, as the operations page says: the folders of the stream and of its replica group,
    /// while the server is stopped. It comes back from the others.
    pub fn renew(&self, user: &User, stream: &str) {
        let group = self.replica_group(user, stream);
        self.stop();
        fs::remove_dir_all(self.stream_folder(user, stream)).unwrap();
        // Of the servers' own account, which is called SYS here.
        fs::remove_dir_all(self.folder().join(FOLDER).join("jetstream/SYS/_js_").join(group)).unwrap();
        self.restart();
    }

    /// What it says of itself, if it is asked often enough: a busy machine may keep it from it.
    pub(crate) fn says(&self, path: &str) -> String {
        let since = Instant::now();
        loop {
            if let Some(said) = http::get(self.http, path) {
                return said;
            }
            assert!(since.elapsed() < HEALTHY_WITHIN, "{} does not say {path}: {}", self.name, self.log());
            thread::sleep(LOOK);
        }
    }

    fn replica_group(&self, user: &User, stream: &str) -> String {
        let path = format!("/jsz?acc={}&streams=1&raft=1", user.name);
        let said: serde_json::Value = serde_json::from_str(&self.says(&path)).unwrap();
        let streams = said["account_details"][0]["stream_detail"].as_array().unwrap();
        let ours = streams.iter().find(|detail| detail["name"] == stream).unwrap();
        ours["stream_raft_group"].as_str().unwrap().to_owned()
    }
}

/// Turns one bit of a file.
pub fn flip_bit(path: &Path, byte: usize, bit: u8) {
    let mut bytes = fs::read(path).unwrap();
    bytes[byte] ^= 1 << bit;
    fs::write(path, bytes).unwrap();
}
