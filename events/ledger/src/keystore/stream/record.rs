//! What the messages of the stream `KEYS` hold. Numbers are big-endian, and every one begins with a format number.
//!
//! | subject | format 1 |
//! |---|---|
//! | `keys.check` | nonce (12), the root key's proof (48) |
//! | `keys.<tenant>.epoch` | epoch (4), nonce (12), epoch key, content key and command key under the root key (112) |
//! | `keys.<tenant>.block.<n>` | epoch (4), then each data key: its id (16), the key under the epoch key (48) |
//! | `keys.<tenant>.imported` | the number (8) of the first block that is made here: all before it were imported |
//!
//! A data key's counter is its block's number and twelve bits of place within it, so that its id says where it lies. A
//! data key of which only zeros are left was destroyed.

use bytes::Bytes;
use promptory_events::{DataKeyId, Incarnation, TenantId};

use super::super::root::RootKey;
use super::super::tenant::{LAST_BLOCK, TenantKeys};
use super::super::wrap::{
    FIRST_EPOCH, Fresh, WRAPPED_BYTES, counter_of, random_block, unwrap, unwrap_data_key, wrap, wrap_data_key,
};
use super::super::{DataKey, KeyStoreError};

const FORMAT: u8 = 1;
/// A block has room for so many bits of counter.
const BLOCK_BITS: u32 = 12;
const ROOM: usize = 1 << BLOCK_BITS;
const _: () = assert!(LAST_BLOCK <= ROOM);
/// Every counter of a block below it has a next one.
const BLOCKS_MAX: u64 = (1 << (u64::BITS - BLOCK_BITS)) - 1;
const ENTRY_BYTES: usize = 16 + WRAPPED_BYTES;

pub(super) const CHECK: &str = "keys.check";

pub(super) fn epoch_subject(tenant: &TenantId) -> String {
    format!("keys.{tenant}.epoch")
}

pub(super) fn block_subject(tenant: &TenantId, number: u64) -> String {
    format!("keys.{tenant}.block.{number}")
}

/// All blocks of a tenant.
pub(super) fn blocks_subject(tenant: &TenantId) -> String {
    format!("keys.{tenant}.block.*")
}

/// Where a tenant's own blocks begin, if it has imported ones.
pub(super) fn imported_subject(tenant: &TenantId) -> String {
    format!("keys.{tenant}.imported")
}

/// The keys of all tenants.
pub(super) const TENANTS: &str = "keys.*.epoch";

/// The tenant in the subject of its keys.
pub(super) fn tenant_of(subject: &str) -> Option<TenantId> {
    subject.strip_prefix("keys.")?.strip_suffix(".epoch")?.parse().ok()
}

/// The first block that lies wholly at or beyond a counter.
pub(super) fn block_beyond(counter: u64) -> u64 {
    counter.div_ceil(ROOM as u64)
}

/// The first counter of a block.
pub(super) fn first_counter(number: u64) -> u64 {
    number.saturating_mul(ROOM as u64)
}

/// The message that says where a tenant's own blocks begin.
pub(super) fn imported(number: u64) -> Bytes {
    [&[FORMAT], number.to_be_bytes().as_slice()].concat().into()
}

/// The number in it.
pub(super) fn imported_number(tenant: &TenantId, message: &[u8]) -> Result<u64, KeyStoreError> {
    let parse = || {
        let mut reader = Reader::new(message)?;
        let number = u64::from_be_bytes(reader.take()?);
        reader.end().map(|()| number)
    };
    parse().map_err(|why: String| KeyStoreError::Damaged(format!("the bytes of the imported blocks of {tenant} {why}")))
}

/// The number in a block's subject.
pub(super) fn block_number(subject: &str) -> Option<u64> {
    subject.rsplit_once('.')?.1.parse().ok()
}

/// The block that a data key would lie in.
pub(super) fn block_of(kid: DataKeyId) -> u64 {
    counter_of(kid) >> BLOCK_BITS
}

/// What proves a root key: only the same one opens it.
pub(super) fn check(root: &RootKey, incarnation: Incarnation) -> Result<Bytes, KeyStoreError> {
    let mut nonce = [0; 12];
    getrandom::fill(&mut nonce).map_err(KeyStoreError::Random)?;
    let proof: [u8; 48] = wrap(&root.bytes, nonce, &check_aad(incarnation), &[0; 32])?;
    Ok([&[FORMAT], nonce.as_slice(), &proof].concat().into())
}

/// Whether the root key is the one that made this proof; an error if it is no proof.
pub(super) fn is_proof_of(root: &RootKey, incarnation: Incarnation, message: &[u8]) -> Result<bool, String> {
    let mut reader = Reader::new(message)?;
    let (nonce, proof) = (reader.take::<12>()?, reader.take::<48>()?);
    reader.end()?;
    Ok(unwrap::<32>(&root.bytes, nonce, &check_aad(incarnation), &proof).is_some())
}

fn check_aad(incarnation: Incarnation) -> Vec<u8> {
    [b"promptory/root-check/1\0".as_slice(), &incarnation.0].concat()
}

/// A new tenant's keys, and the message that keeps them.
pub(super) fn new_tenant(root: &RootKey, tenant: &TenantId) -> Result<(TenantKeys, Bytes), KeyStoreError> {
    let Fresh { epoch_key, secrets, nonce } = Fresh::random()?;
    let opened = Opened { epoch: FIRST_EPOCH, epoch_key, secrets };
    let message = put_tenant(root, tenant, &opened, nonce)?;
    Ok((opened.keys(tenant), message))
}

/// A tenant's keys, in the open.
#[derive(PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) epoch: u32,
    pub(super) epoch_key: [u8; 32],
    /// The content key and the command key, 32 bytes each.
    pub(super) secrets: [u8; 64],
}

impl Opened {
    /// The same, as they are used; without data keys: who handed out which is not known here.
    pub(super) fn keys(&self, tenant: &TenantId) -> TenantKeys {
        TenantKeys::new(tenant.clone(), self.epoch, self.epoch_key, &self.secrets)
    }
}

/// The message that keeps a tenant's keys.
pub(super) fn put_tenant(
    root: &RootKey,
    tenant: &TenantId,
    opened: &Opened,
    nonce: [u8; 12],
) -> Result<Bytes, KeyStoreError> {
    let plain = [opened.epoch_key.as_slice(), &opened.secrets].concat();
    let wrapped: [u8; 112] = wrap(&root.bytes, nonce, &epoch_aad(tenant, opened.epoch), &plain)?;
    Ok([&[FORMAT], opened.epoch.to_be_bytes().as_slice(), &nonce, &wrapped].concat().into())
}

/// A tenant's keys from their message.
pub(super) fn tenant(root: &RootKey, tenant: &TenantId, message: &[u8]) -> Result<Opened, KeyStoreError> {
    let damaged = |why: String| KeyStoreError::Damaged(format!("the keys of {tenant} {why}"));
    let parse = || {
        let mut reader = Reader::new(message)?;
        let parts = (u32::from_be_bytes(reader.take()?), reader.take::<12>()?, reader.take::<112>()?);
        reader.end().map(|()| parts)
    };
    let (epoch, nonce, wrapped) = parse().map_err(damaged)?;
    let plain = unwrap::<96>(&root.bytes, nonce, &epoch_aad(tenant, epoch), &wrapped);
    let plain = plain.ok_or_else(|| damaged("do not open under the root key".to_owned()))?;
    let (mut epoch_key, mut secrets) = ([0; 32], [0; 64]);
    epoch_key.copy_from_slice(&plain[..32]);
    secrets.copy_from_slice(&plain[32..]);
    Ok(Opened { epoch, epoch_key, secrets })
}

fn epoch_aad(tenant: &TenantId, epoch: u32) -> Vec<u8> {
    [b"promptory/epoch/1\0", tenant.as_str().as_bytes(), b"\0", &epoch.to_be_bytes()].concat()
}

/// The data keys of block `number`, and the message that keeps them.
pub(super) fn new_block(keys: &TenantKeys, number: u64, count: usize) -> Result<(Vec<DataKey>, Bytes), KeyStoreError> {
    if number >= BLOCKS_MAX {
        return Err(KeyStoreError::Damaged(format!("the blocks of {} are numbered up to {number}", keys.tenant)));
    }
    let block = random_block(number << BLOCK_BITS, count.min(ROOM))?;
    let entry = |key: &DataKey| wrap_data_key(keys, key).map(|wrapped| (key.kid, wrapped));
    let entries = block.iter().map(entry).collect::<Result<Vec<Entry>, KeyStoreError>>()?;
    let message = put_block(keys, &entries);
    Ok((block, message))
}

/// The message of a block.
pub(super) fn put_block<'e>(keys: &TenantKeys, entries: impl IntoIterator<Item = &'e Entry>) -> Bytes {
    let mut bytes = vec![FORMAT];
    bytes.extend_from_slice(&keys.epoch.to_be_bytes());
    for (kid, wrapped) in entries {
        bytes.extend_from_slice(&kid.0);
        bytes.extend_from_slice(wrapped);
    }
    bytes.into()
}

/// A data key in a block: its id, and itself under the epoch key, or [`DESTROYED`].
pub(super) type Entry = (DataKeyId, [u8; WRAPPED_BYTES]);
/// What is left of a data key that was destroyed.
pub(super) const DESTROYED: [u8; WRAPPED_BYTES] = [0; WRAPPED_BYTES];
/// Data keys in a block, at most.
pub(super) const ENTRIES_MAX: usize = ROOM;

/// What a block's message holds.
pub(super) fn entries(keys: &TenantKeys, number: u64, message: &[u8]) -> Result<Vec<Entry>, KeyStoreError> {
    let damaged = |why: String| KeyStoreError::Damaged(format!("block {number} of {} {why}", keys.tenant));
    let mut reader = Reader::new(message).map_err(damaged)?;
    let epoch = u32::from_be_bytes(reader.take().map_err(damaged)?);
    if epoch != keys.epoch {
        return Err(damaged(format!("is of epoch {epoch}, the tenant's is {}", keys.epoch)));
    }
    let entries = reader.rest().chunks(ENTRY_BYTES);
    if entries.len() > ROOM {
        return Err(damaged(format!("has {} keys", entries.len())));
    }
    let entry = |entry| {
        let mut reader = Reader(entry);
        let id = DataKeyId(reader.take().map_err(damaged)?);
        let wrapped = reader.take::<WRAPPED_BYTES>().map_err(damaged)?;
        if block_of(id) != number {
            return Err(damaged(format!("holds the key {id} of another block")));
        }
        Ok((id, wrapped))
    };
    entries.map(entry).collect()
}

/// The data key of an entry.
pub(super) fn data_key(keys: &TenantKeys, (kid, wrapped): &Entry) -> Result<DataKey, KeyStoreError> {
    if *wrapped == DESTROYED {
        return Err(KeyStoreError::Erased(*kid));
    }
    unwrap_data_key(keys, *kid, wrapped)
}

/// The data key `kid` from its block's message, and the others that are in it and whole.
pub(super) fn data_keys(
    keys: &TenantKeys,
    kid: DataKeyId,
    message: &[u8],
) -> Result<(DataKey, Vec<DataKey>), KeyStoreError> {
    let (mut asked, mut others) = (None, Vec::new());
    for entry in entries(keys, block_of(kid), message)? {
        let key = data_key(keys, &entry);
        if entry.0 == kid {
            asked = Some(key);
        } else {
            others.extend(key); // what is wrong with another key is for who asks for it
        }
    }
    asked.unwrap_or(Err(KeyStoreError::UnknownKey(kid))).map(|key| (key, others))
}

/// Takes a message apart; whatever is wrong with it is said in words that go after its name.
struct Reader<'m>(&'m [u8]);

impl<'m> Reader<'m> {
    fn new(message: &'m [u8]) -> Result<Self, String> {
        match message.split_first() {
            Some((&FORMAT, rest)) => Ok(Self(rest)),
            Some((other, _)) => Err(format!("have format {other}, this release reads {FORMAT}")),
            None => Err("are empty".to_owned()),
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (taken, rest) = self.0.split_first_chunk().ok_or("end too early")?;
        self.0 = rest;
        Ok(*taken)
    }

    fn rest(self) -> &'m [u8] {
        self.0
    }

    fn end(self) -> Result<(), String> {
        if self.0.is_empty() { Ok(()) } else { Err(format!("have {} bytes too many", self.0.len())) }
    }
}

#[cfg(test)]
mod tests;
