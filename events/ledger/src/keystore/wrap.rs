//! How keys are made and wrapped, the same in every form: what lies in a file or a stream is no usable key by itself,
//! and opens only as what it was wrapped as, for whom it was wrapped.

use promptory_events::{DataKeyId, TenantId};

use super::tenant::TenantKeys;
use super::{DataKey, KeyStoreError};
use crate::seal;

pub(super) const FIRST_EPOCH: u32 = 1;
/// A data key, wrapped.
pub(super) const WRAPPED_BYTES: usize = 48;

/// What a new tenant's keys are made of.
pub(super) struct Fresh {
    pub(super) epoch_key: [u8; 32],
    /// The content key and the command key, 32 bytes each.
    pub(super) secrets: [u8; 64],
    pub(super) nonce: [u8; 12],
}

impl Fresh {
    pub(super) fn random() -> Result<Self, KeyStoreError> {
        let mut fresh = Self { epoch_key: [0; 32], secrets: [0; 64], nonce: [0; 12] };
        for random in [fresh.epoch_key.as_mut_slice(), &mut fresh.secrets, &mut fresh.nonce] {
            getrandom::fill(random).map_err(KeyStoreError::Random)?;
        }
        Ok(fresh)
    }
}

/// Data keys whose counters begin with `next`.
pub(super) fn random_block(next: u64, count: usize) -> Result<Vec<DataKey>, KeyStoreError> {
    let mut random = vec![0; count * 40];
    getrandom::fill(&mut random).map_err(KeyStoreError::Random)?;
    let key = |(counter, random): (u64, &[u8])| {
        let (mut kid, mut key) = ([0; 16], [0; 32]);
        kid[..8].copy_from_slice(&counter.to_be_bytes());
        kid[8..].copy_from_slice(&random[..8]);
        key.copy_from_slice(&random[8..]);
        DataKey::new(DataKeyId(kid), key)
    };
    Ok((next..).zip(random.chunks_exact(40)).map(key).collect())
}

/// The counter in a data key's id.
pub(super) fn counter_of(kid: DataKeyId) -> u64 {
    let mut counter = [0; 8];
    counter.copy_from_slice(&kid.0[..8]);
    u64::from_be_bytes(counter)
}

/// A data key under its tenant's epoch key.
pub(super) fn wrap_data_key(keys: &TenantKeys, key: &DataKey) -> Result<[u8; WRAPPED_BYTES], KeyStoreError> {
    wrap(&keys.epoch_key, nonce_of(key.kid), &key_aad(keys, key.kid), &key.key)
}

/// The inverse of [`wrap_data_key`].
pub(super) fn unwrap_data_key(
    keys: &TenantKeys,
    kid: DataKeyId,
    wrapped: &[u8; WRAPPED_BYTES],
) -> Result<DataKey, KeyStoreError> {
    let key = unwrap(&keys.epoch_key, nonce_of(kid), &key_aad(keys, kid), wrapped);
    let key = key.ok_or_else(|| KeyStoreError::Damaged(format!("the data key {kid} of {}", keys.tenant)))?;
    Ok(DataKey::new(kid, key))
}

/// The low half of the counter and the random part: never twice under one epoch key, even if a block was lost to a
/// power failure and its numbers were given again.
fn nonce_of(kid: DataKeyId) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce.copy_from_slice(&kid.0[4..]);
    nonce
}

fn key_aad(keys: &TenantKeys, kid: DataKeyId) -> Vec<u8> {
    [b"promptory/data-key/1\0", keys.tenant.as_str().as_bytes(), b"\0", &kid.0].concat()
}

/// What a tenant's content key and command key are bound to under its epoch key.
pub(super) fn secrets_aad(tenant: &TenantId) -> Vec<u8> {
    [b"promptory/tenant-keys/1\0", tenant.as_str().as_bytes()].concat()
}

pub(super) fn wrap<const N: usize>(
    key: &[u8; 32],
    nonce: [u8; 12],
    aad: &[u8],
    msg: &[u8],
) -> Result<[u8; N], KeyStoreError> {
    let ct = seal::encrypt(key, nonce, aad, msg);
    ct.and_then(|ct| ct.try_into().ok()).ok_or(KeyStoreError::Seal(seal::SealError::NotAuthentic))
}

pub(super) fn unwrap<const N: usize>(key: &[u8; 32], nonce: [u8; 12], aad: &[u8], ct: &[u8]) -> Option<[u8; N]> {
    seal::decrypt(key, nonce, aad, ct)?.try_into().ok()
}
