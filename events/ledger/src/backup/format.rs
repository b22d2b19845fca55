//! The frames of both files.
//!
//! ```text
//! file  = magic  { kind:u8  len:u32 payload }
//! ```
//!
//! In the file of a ledger a frame `S` comes at least every few MiB and at the end: SHA-256 over every byte of the file
//! before it. So nothing can be changed, left out or put elsewhere, and damage shows near to where it is.

use std::io::{self, Read};

use promptory_events::limits;
use sha2::{Digest, Sha256};

use super::BackupError;

/// The first bytes of a ledger's file.
pub(super) const LEDGER: &[u8] = b"promptory backup 1\n";
/// The first bytes of a key store's file.
pub(super) const KEYS: &[u8] = b"promptory keys 1\n";

/// The header, JSON.
pub(super) const HEADER: u8 = b'H';
/// A batch: sequence, length of the tenant's name (1 byte), the name, the ledger message.
pub(super) const BATCH: u8 = b'B';
/// What there is of one tenant, JSON.
pub(super) const TENANT: u8 = b'T';
/// A rollup of usage: length of the tenant's name (1 byte), the name, the rollup; each tenant's in order.
pub(super) const ROLLUP: u8 = b'R';
/// How many rollups there are, JSON; behind them.
pub(super) const ROLLUPS: u8 = b'U';
/// SHA-256 over every byte before this frame.
pub(super) const SUM: u8 = b'S';
/// Ciphertext; more follows.
pub(super) const MORE: u8 = b'C';
/// Ciphertext, the last.
pub(super) const LAST: u8 = b'L';

/// The longest payload: the largest batch with its place, or anything else.
const PAYLOAD_MAX: usize = limits::BATCH_MAX_BYTES + 1024;

/// Puts a frame behind what is there already.
pub(super) fn put(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) -> Result<(), BackupError> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let len = u32::try_from(len).ok().filter(|len| *len as usize <= PAYLOAD_MAX);
    let len = len.ok_or_else(|| io::Error::other("a part of a backup is too large"))?;
    out.push(kind);
    out.extend_from_slice(&len.to_le_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
    Ok(())
}

/// Reads frames, and knows the hash of what it has read.
pub(super) struct Frames<R> {
    input: R,
    /// How far it has read.
    pub(super) at: u64,
    hasher: Sha256,
}

impl<R: Read> Frames<R> {
    /// Begins, if the file begins as it should.
    pub(super) fn new(input: R, magic: &[u8]) -> Result<Self, BackupError> {
        let mut frames = Self { input, at: 0, hasher: Sha256::new() };
        let mut first = vec![0; magic.len()];
        match frames.fill(&mut first) {
            Ok(()) if first == magic => Ok(frames),
            Ok(()) | Err(BackupError::Cut(_)) => Err(BackupError::NotOurs("it does not begin like one".to_owned())),
            Err(error) => Err(error),
        }
    }

    /// The next frame; `None` at the end of the file. A sum is checked here and given too.
    pub(super) fn next(&mut self) -> Result<Option<(u8, Vec<u8>)>, BackupError> {
        let before = self.hasher.clone();
        let mut kind = [0];
        if self.input.read(&mut kind)? == 0 {
            return Ok(None);
        }
        self.took(&kind);
        let mut len = [0; 4];
        self.fill(&mut len)?;
        let len = u32::from_le_bytes(len) as usize;
        if len > PAYLOAD_MAX {
            return Err(self.damaged(format!("a part says that it has {len} bytes")));
        }
        let mut payload = vec![0; len];
        self.fill(&mut payload)?;
        if kind[0] == SUM && payload != before.finalize().as_slice() {
            return Err(self.damaged("the sum over what comes before does not hold".to_owned()));
        }
        Ok(Some((kind[0], payload)))
    }

    pub(super) fn damaged(&self, why: String) -> BackupError {
        BackupError::Damaged { at: self.at, why }
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<(), BackupError> {
        match self.input.read_exact(out) {
            Ok(()) => {
                self.took(out);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(BackupError::Cut(self.at)),
            Err(error) => Err(error.into()),
        }
    }

    fn took(&mut self, bytes: &[u8]) {
        self.at += bytes.len() as u64;
        self.hasher.update(bytes);
    }
}
