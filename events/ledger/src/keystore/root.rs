//! The root key: 32 bytes in a file of its own, under which the tenants' keys lie in a stream. Never in the stream, never
//! printed, and read from no file that anybody but its owner may read.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// What a root key file holds, and nothing else.
const BYTES: usize = 32;

/// The key that wraps every tenant's keys on JetStream. Whoever has it and the stream `KEYS` can read everything; without
/// it nobody can.
#[derive(Clone)]
pub struct RootKey {
    pub(super) bytes: [u8; BYTES],
}

/// Why there is no root key.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    /// The file can't be made or read.
    #[error("the root key file {0}")]
    Io(PathBuf, #[source] io::Error),
    /// Others than its owner may read or write it.
    #[error("the root key file {path} has mode {mode:03o}; only its owner may have access: 600 or 400")]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is no root key.
    #[error("the root key file {0} does not hold {BYTES} bytes")]
    Length(PathBuf),
    /// The system has no randomness.
    #[error("no randomness: {0}")]
    Random(getrandom::Error),
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(…)")
    }
}

impl RootKey {
    /// Reads the key from its file.
    ///
    /// # Errors
    /// The file can't be read, is open to others than its owner, or holds anything but 32 bytes.
    pub fn read(path: &Path) -> Result<Self, RootKeyError> {
        let failed = |error| RootKeyError::Io(path.to_owned(), error);
        let file = File::open(path).map_err(failed)?;
        only_the_owners(path, &file)?;
        let mut found = Vec::with_capacity(BYTES + 1);
        file.take(BYTES as u64 + 1).read_to_end(&mut found).map_err(failed)?;
        let bytes = found.try_into().map_err(|_| RootKeyError::Length(path.to_owned()))?;
        Ok(Self { bytes })
    }

    /// Makes a key and its file (mode 600), durable on return. `None`: there is a file, which is never written to.
    ///
    /// # Errors
    /// The file can't be made; no randomness.
    pub fn create(path: &Path) -> Result<Option<Self>, RootKeyError> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(RootKeyError::Random)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = match options.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            Err(error) => return Err(RootKeyError::Io(path.to_owned(), error)),
        };
        let written = file.write_all(&bytes).and_then(|()| file.sync_all()).and_then(|()| sync_folder(path));
        if let Err(error) = written {
            // Ours, and nothing was wrapped with it: what is left of it would be in the way.
            let _ = std::fs::remove_file(path);
            return Err(RootKeyError::Io(path.to_owned(), error));
        }
        Ok(Some(Self { bytes }))
    }
}

/// The name must be as durable as the bytes.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(unix)]
fn only_the_owners(path: &Path, file: &File) -> Result<(), RootKeyError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = file.metadata().map_err(|error| RootKeyError::Io(path.to_owned(), error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(RootKeyError::Mode { path: path.to_owned(), mode }) }
}

/// No such bits to look at.
#[cfg(not(unix))]
fn only_the_owners(_: &Path, _: &File) -> Result<(), RootKeyError> {
    Ok(())
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_root_key_is_made_once_and_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        let made = RootKey::create(&path).unwrap().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(RootKey::create(&path).unwrap().is_none());
        assert_eq!(RootKey::read(&path).unwrap().bytes, made.bytes);
        let other = RootKey::create(&folder.path().join("other.key")).unwrap().unwrap();
        assert_ne!(other.bytes, made.bytes);
        assert_eq!(format!("{made:?}"), "RootKey(…)");
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        RootKey::create(&path).unwrap();
        for (mode, good) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            match RootKey::read(&path) {
                Ok(_) => assert!(good, "{mode:o}"),
                Err(RootKeyError::Mode { mode: found, .. }) => assert!(!good && found == mode, "{mode:o}"),
                Err(other) => panic!("{other}"),
            }
        }
    }

    #[test]
    fn anything_but_32_bytes_is_no_root_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        assert!(matches!(RootKey::read(&path), Err(RootKeyError::Io(..))));
        for length in [0, 31, 33, 100_000] {
            fs::write(&path, vec![7; length]).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(RootKey::read(&path), Err(RootKeyError::Length(_))), "{length}");
        }
    }
}
