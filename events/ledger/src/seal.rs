//! How a text is sealed and opened: ChaCha20-Poly1305 (RFC 8439) over `salt ‖ text`, and a commitment.
//!
//! The commitment is HMAC-SHA256 (RFC 2104) keyed with the 32-byte salt over `len(aad) ‖ aad ‖ text`. ChaCha20-Poly1305
//! alone is not key-committing: without it an operator could later open one ciphertext as two texts. The salt lies only
//! inside the ciphertext, so after the key is destroyed nobody can confirm a guess.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hmac::{Hmac, Mac};
use promptory_events::Sealed;
use sha2::Sha256;

use crate::keystore::DataKey;

pub mod aad;

const SALT_BYTES: usize = 32;

/// Why a text can't be sealed or opened. Never says anything about the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It was sealed with another key than the one at hand.
    #[error("it was sealed with another key")]
    OtherKey,
    /// The ciphertext, its key, its nonce or what it was bound to is not what was sealed.
    #[error("the ciphertext is not authentic")]
    NotAuthentic,
    /// It opens, but to another text than was committed to.
    #[error("the text is not the one that was committed to")]
    OtherText,
    /// The system has no randomness.
    #[error("no randomness: {0}")]
    Random(getrandom::Error),
}

/// Seals `text`, bound to `aad` (see [`aad`]). Nonce and salt are random.
///
/// # Errors
/// The system has no randomness.
pub fn seal(key: &DataKey, aad: &[u8], text: &[u8]) -> Result<Sealed, SealError> {
    let mut random = [0; SALT_BYTES + 12];
    getrandom::fill(&mut random).map_err(SealError::Random)?;
    let (salt, nonce_bytes) = random.split_at(SALT_BYTES);
    let mut nonce = [0; 12];
    nonce.copy_from_slice(nonce_bytes);
    let mut msg = Vec::with_capacity(SALT_BYTES + text.len());
    msg.extend_from_slice(salt);
    msg.extend_from_slice(text);
    let ct = encrypt(key.bytes(), nonce, aad, &msg).ok_or(SealError::NotAuthentic)?;
    let commitment = commitment(salt, aad, text).finalize().into_bytes().into();
    Ok(Sealed { kid: key.kid, nonce, ct, commitment })
}

/// Opens what [`seal`] sealed with the same key and `aad`; checks the tag and the commitment.
///
/// # Errors
/// Another key, another binding, changed bytes, or a text that was not committed to.
pub fn open(key: &DataKey, aad: &[u8], sealed: &Sealed) -> Result<Vec<u8>, SealError> {
    if key.kid != sealed.kid {
        return Err(SealError::OtherKey);
    }
    let mut msg = decrypt(key.bytes(), sealed.nonce, aad, &sealed.ct).ok_or(SealError::NotAuthentic)?;
    let (salt, text) = msg.split_at_checked(SALT_BYTES).ok_or(SealError::NotAuthentic)?;
    commitment(salt, aad, text).verify_slice(&sealed.commitment).map_err(|_| SealError::OtherText)?;
    msg.drain(..SALT_BYTES);
    Ok(msg)
}

/// HMAC-SHA256 over `u64 little-endian length of aad ‖ aad ‖ text`, so that no byte can move from one to the other.
fn commitment(salt: &[u8], aad: &[u8], text: &[u8]) -> Hmac<Sha256> {
    let mut mac = hmac(salt);
    mac.update(&(aad.len() as u64).to_le_bytes());
    mac.update(aad);
    mac.update(text);
    mac
}

/// HMAC-SHA256 keyed with `key`.
pub(crate) fn hmac(key: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// ChaCha20-Poly1305. `None` only for a message beyond the cipher's 256 GiB.
pub(crate) fn encrypt(key: &[u8; 32], nonce: [u8; 12], aad: &[u8], msg: &[u8]) -> Option<Vec<u8>> {
    ChaCha20Poly1305::new(&Key::from(*key)).encrypt(&Nonce::from(nonce), Payload { msg, aad }).ok()
}

/// The inverse of [`encrypt`]; `None` if anything differs from what was encrypted.
pub(crate) fn decrypt(key: &[u8; 32], nonce: [u8; 12], aad: &[u8], ct: &[u8]) -> Option<Vec<u8>> {
    ChaCha20Poly1305::new(&Key::from(*key)).decrypt(&Nonce::from(nonce), Payload { msg: ct, aad }).ok()
}

#[cfg(test)]
mod tests;
