//! The keys of a ledger as a file of their own, encrypted under a backup key that lies elsewhere.
//!
//! The header says in the open which ledger and which backup the keys are of; the rest is ChaCha20-Poly1305 in numbered
//! chunks, the last one marked, each bound to the header: nothing can be changed, left out, put elsewhere or taken from
//! another file. The key of the file is HMAC-SHA256 of the backup key over a random salt, so no nonce is ever used twice.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use bytes::Bytes;
use hmac::Mac;
use promptory_events::{BackupId, Incarnation, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::format::{self, Frames, HEADER, LAST, MORE};
use super::{BackupError, FORMAT};
use crate::keystore::{ExportCursor, KeyPage, KeyStore, KeyStoreError};
use crate::seal;

/// A key that files of keys are encrypted with: 32 random bytes, as 64 hex digits in a file that only its owner reads.
#[derive(Clone)]
pub struct BackupKey([u8; 32]);

impl fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BackupKey(…)")
    }
}

/// Why a backup key can't be had from a file. Says nothing of what is in it.
#[derive(Debug, thiserror::Error)]
pub enum BackupKeyError {
    /// It can't be read.
    #[error("the file of the backup key")]
    Io(#[from] io::Error),
    /// Others can read it.
    #[error(
        "the file of the backup key can be read by others than its owner; chmod 600 it, and think whether they did"
    )]
    Open,
    /// It holds something else.
    #[error("the file of the backup key must hold 64 hex digits (openssl rand -hex 32) and nothing else")]
    Form,
}

impl BackupKey {
    /// A key of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// It can't be read, others can read it too, or it holds no key.
    pub fn read(path: &Path) -> Result<Self, BackupKeyError> {
        let file = File::open(path)?;
        #[cfg(unix)]
        if std::os::unix::fs::MetadataExt::mode(&file.metadata()?) & 0o077 != 0 {
            return Err(BackupKeyError::Open);
        }
        let mut text = String::new();
        file.take(1024).read_to_string(&mut text)?;
        hex(text.trim_end()).map(Self).ok_or(BackupKeyError::Form)
    }

    fn derived(&self, what: &str, salt: &[u8]) -> [u8; 32] {
        let mut mac = seal::hmac(&self.0);
        mac.update(what.as_bytes());
        mac.update(salt);
        mac.finalize().into_bytes().into()
    }
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(out)
}

/// What a file of keys says first, in the open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysHeader {
    /// [`FORMAT`].
    pub format: u16,
    /// The backup that it was made with.
    pub backup: BackupId,
    /// The life of the ledger whose keys these are.
    pub incarnation: Incarnation,
    /// When they were exported.
    pub taken_at: Timestamp,
    salt: [u8; 32],
    /// Tells another backup key from damage, and nothing about the key.
    check: [u8; 32],
}

/// How the chunks of one file are encrypted.
struct Cipher {
    key: [u8; 32],
    /// SHA-256 of the header: what every chunk is bound to.
    bound_to: [u8; 32],
    chunk: u64,
}

impl Cipher {
    fn new(key: &BackupKey, header: &KeysHeader, json: &[u8]) -> Self {
        let key = key.derived("promptory/backup-keys/1", &header.salt);
        Self { key, bound_to: Sha256::digest(json).into(), chunk: 0 }
    }

    /// The nonce and what is authenticated, for the next chunk.
    fn next(&mut self, last: bool) -> ([u8; 12], Vec<u8>) {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.chunk.to_be_bytes());
        self.chunk += 1;
        (nonce, [&self.bound_to[..], &[u8::from(last)]].concat())
    }
}

/// Writes the keys of a ledger's tenants into `out`, encrypted. Blocks; holds nothing of the key store while `out` does.
///
/// # Errors
/// The key store can't be read, no randomness, or `out` fails.
pub fn export(
    keys: &KeyStore,
    key: &BackupKey,
    about: (BackupId, Incarnation, Timestamp),
    mut out: impl FnMut(Bytes) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let (backup, incarnation, taken_at) = about;
    let mut salt = [0; 32];
    getrandom::fill(&mut salt).map_err(KeyStoreError::Random)?;
    let check = key.derived("promptory/backup-key-check/1", &salt);
    let header = KeysHeader { format: FORMAT, backup, incarnation, taken_at, salt, check };
    let json = serde_json::to_vec(&header).map_err(io::Error::other)?;
    let mut cipher = Cipher::new(key, &header, &json);
    let mut chunk = format::KEYS.to_vec();
    format::put(&mut chunk, HEADER, &[&json])?;
    let mut cursor = ExportCursor::default();
    while let Some((page, next)) = keys.export(&cursor)? {
        let plain = postcard::to_stdvec(&page).map_err(io::Error::other)?;
        put_chunk(&mut chunk, &mut cipher, false, &plain)?;
        out(std::mem::take(&mut chunk).into())?;
        cursor = next;
    }
    put_chunk(&mut chunk, &mut cipher, true, &[])?;
    out(chunk.into())
}

fn put_chunk(out: &mut Vec<u8>, cipher: &mut Cipher, last: bool, plain: &[u8]) -> Result<(), BackupError> {
    let (nonce, aad) = cipher.next(last);
    let ciphertext = seal::encrypt(&cipher.key, nonce, &aad, plain);
    let ciphertext = ciphertext.ok_or_else(|| io::Error::other("a page of keys is too large"))?;
    format::put(out, if last { LAST } else { MORE }, &[&ciphertext])
}

/// A file of keys that is being read.
pub struct KeysFile {
    header: KeysHeader,
    frames: Frames<BufReader<File>>,
    cipher: Cipher,
    ended: bool,
}

impl KeysFile {
    /// Opens a file.
    ///
    /// # Errors
    /// It can't be read, is no file of keys, or was encrypted with another key.
    pub fn open(path: &Path, key: &BackupKey) -> Result<Self, BackupError> {
        let mut frames = Frames::new(BufReader::new(File::open(path)?), format::KEYS)?;
        let Some((HEADER, json)) = frames.next()? else { return Err(frames.damaged("it has no header".to_owned())) };
        let header: KeysHeader = serde_json::from_slice(&json).map_err(|error| frames.damaged(error.to_string()))?;
        if header.format != FORMAT {
            let what = format!("has format {}, this release reads {FORMAT}", header.format);
            return Err(BackupError::NotOurs(what));
        }
        if key.derived("promptory/backup-key-check/1", &header.salt) != header.check {
            return Err(BackupError::WrongKey);
        }
        let cipher = Cipher::new(key, &header, &json);
        Ok(Self { header, frames, cipher, ended: false })
    }

    /// What it says first.
    #[must_use]
    pub fn header(&self) -> &KeysHeader {
        &self.header
    }

    /// The next page; `None` at the end, when it was found whole.
    ///
    /// # Errors
    /// The file is damaged or cut off.
    pub fn next_page(&mut self) -> Result<Option<KeyPage>, BackupError> {
        if self.ended {
            return Ok(None);
        }
        let Some((kind, ciphertext)) = self.frames.next()? else { return Err(BackupError::Cut(self.frames.at)) };
        let last = match kind {
            MORE => false,
            LAST => true,
            other => return Err(self.frames.damaged(format!("a part of kind {other} where none belongs"))),
        };
        let (nonce, aad) = self.cipher.next(last);
        let plain = seal::decrypt(&self.cipher.key, nonce, &aad, &ciphertext);
        let plain = plain.ok_or_else(|| self.frames.damaged("a page of keys is not authentic".to_owned()))?;
        if !last {
            let page = postcard::from_bytes(&plain).map_err(|error| self.frames.damaged(error.to_string()))?;
            return Ok(Some(page));
        }
        self.ended = true;
        match self.frames.next()? {
            None => Ok(None),
            Some(_) => Err(self.frames.damaged("something follows after its end".to_owned())),
        }
    }

    /// Takes all pages into a key store. The file is read to its end before, so that nothing of a damaged one is taken.
    /// Blocks. What was taken before, by an import that was interrupted, is taken again and changes nothing.
    ///
    /// # Errors
    /// The file is damaged or cut off; the key store has other keys, or can't be written.
    pub fn import(path: &Path, key: &BackupKey, keys: &KeyStore) -> Result<KeysHeader, BackupError> {
        let mut checked = Self::open(path, key)?;
        while checked.next_page()?.is_some() {}
        let mut file = Self::open(path, key)?;
        while let Some(page) = file.next_page()? {
            keys.import(&page)?;
        }
        Ok(file.header)
    }
}
