//! Pseudonyms of authors: the same person is the same pseudonym, and without the salt nobody can tell who it is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use promptory_events::Author;
use sha2::Sha256;

/// The salt's file in the repository's git folder: it goes where the history goes, and git never commits it.
pub const SALT_FILE: &str = "promptory-author-salt";
const SALT_BYTES: usize = 32;
const HEX_DIGITS: usize = 12;

/// Makes pseudonyms with one salt.
pub struct Pseudonyms {
    salted: Hmac<Sha256>,
}

impl Pseudonyms {
    /// Reads the salt, or makes one in a file that only its user reads.
    ///
    /// # Errors
    /// The file can't be read or made, or is too short to hide anything.
    pub fn open(salt_file: &Path) -> io::Result<Self> {
        let salt = match read(salt_file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(salt_file)?;
                read(salt_file)?
            }
            salt => salt?,
        };
        if salt.len() < SALT_BYTES {
            let why = format!("holds {} bytes; {SALT_BYTES} are needed", salt.len());
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Self::with_salt(&salt)
    }

    fn with_salt(salt: &[u8]) -> io::Result<Self> {
        Hmac::new_from_slice(salt).map(|salted| Self { salted }).map_err(io::Error::other)
    }

    /// The first 12 hex digits of HMAC-SHA256(salt, address in lower case).
    pub fn of(&self, email: &str) -> Option<Author> {
        let digest = self.salted.clone().chain_update(email.to_lowercase()).finalize().into_bytes();
        data_encoding::HEXLOWER.encode(&digest).get(..HEX_DIGITS)?.parse().ok()
    }
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut salt = Vec::new();
    File::open(file)?.take(4096).read_to_end(&mut salt)?;
    Ok(salt)
}

/// Whole or not at all: half a salt would be another one.
fn make(file: &Path) -> io::Result<()> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(io::Error::other)?;
    let part = file.with_extension(format!("{}.part", std::process::id()));
    let mut writer = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    writer.write_all(&salt)?;
    writer.sync_all()?;
    // A link does not replace what is there: of two that make one at once, both use the first.
    let linked = fs::hard_link(&part, file);
    fs::remove_file(&part)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_pseudonym_is_that_of_the_address_whatever_its_case() {
        let pseudonyms = Pseudonyms::with_salt(&[7; 32]).unwrap();
        let author = pseudonyms.of("Ada@Example.org").unwrap();
        assert_eq!(Some(&author), pseudonyms.of("ada@example.org").as_ref());
        assert_ne!(Some(&author), pseudonyms.of("bob@example.org").as_ref());
        assert_ne!(Some(&author), Pseudonyms::with_salt(&[8; 32]).unwrap().of("ada@example.org").as_ref());
        // From Python: hmac.new(bytes([7]) * 32, b"ada@example.org", "sha256").hexdigest()[:12]
        assert_eq!(author.as_str(), "0d178c15a364");
    }

    #[test]
    fn the_salt_is_made_once_and_only_its_user_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("salt");
        let first = Pseudonyms::open(&file).unwrap().of("a@b");
        assert_eq!(Pseudonyms::open(&file).unwrap().of("a@b"), first);
        let metadata = fs::metadata(&file).unwrap();
        assert_eq!((metadata.len(), metadata.permissions().mode() & 0o777), (32, 0o600));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn a_short_salt_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("salt");
        fs::write(&file, b"short").unwrap();
        assert!(Pseudonyms::open(&file).is_err());
    }
}
