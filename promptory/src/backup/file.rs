//! A file that has its name only when it is whole: until then it has `.part` behind it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::BackupRunError;

/// A file on its way. Readable by its owner only.
#[derive(Debug)]
pub struct PartFile {
    path: PathBuf,
    part: PathBuf,
    file: File,
}

impl PartFile {
    /// Begins a file. One of its name must not be there; what an earlier try left behind is overwritten.
    ///
    /// # Errors
    /// It is there, or can't be made.
    pub fn create(path: &Path) -> Result<Self, BackupRunError> {
        if path.exists() {
            return Err(BackupRunError::There(path.to_owned()));
        }
        let part = path.with_added_extension("part");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let file = options.open(&part).map_err(|error| BackupRunError::File(part.clone(), error))?;
        Ok(Self { path: path.to_owned(), part, file })
    }

    /// Where it is until it is whole.
    #[must_use]
    pub fn part(&self) -> &Path {
        &self.part
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Takes a stream to its end. Blocks.
    ///
    /// # Errors
    /// The file system refuses, or the stream ends badly.
    pub fn take(mut self, mut stream: mpsc::Receiver<io::Result<Bytes>>) -> Result<Self, BackupRunError> {
        while let Some(chunk) = stream.blocking_recv() {
            let written = chunk.and_then(|chunk| self.write(&chunk));
            written.map_err(|error| BackupRunError::File(self.part.clone(), error))?;
        }
        Ok(self)
    }

    /// Makes what is there durable.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn sync(&self) -> Result<(), BackupRunError> {
        self.file.sync_all().map_err(|error| BackupRunError::File(self.part.clone(), error))
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// One of its name is there by now, or the file system refuses.
    pub fn finish(self) -> Result<(), BackupRunError> {
        self.sync()?;
        rename(&self.part, &self.path)
    }
}

/// Renames, durable on return; never onto a file that is there.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), BackupRunError> {
    // A link and not a rename: that would replace what somebody put there a moment ago.
    let linked = fs::hard_link(from, to).and_then(|()| fs::remove_file(from));
    linked.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => BackupRunError::There(to.to_owned()),
        _ => BackupRunError::File(to.to_owned(), error),
    })?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| BackupRunError::File(folder.to_owned(), error))
}
