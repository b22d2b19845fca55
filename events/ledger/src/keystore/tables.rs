//! The tables, and how keys are wrapped in them. Every write is one durable transaction.

use std::ops::Bound;

use promptory_events::{DataKeyId, TenantId};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

use super::export::{ExportCursor, KeyPage, PAGE_KEYS};
use super::tenant::{FIRST_BLOCK, TenantKeys};
use super::{DataKey, KeyStoreError};
use crate::seal;
use crate::storage::OpenError;

const META: TableDefinition<&str, u16> = TableDefinition::new("meta");
/// (tenant, epoch) -> the epoch key, which wraps everything else of the tenant. Destroying it destroys what it wraps.
const EPOCHS: TableDefinition<(&str, u32), &[u8; 32]> = TableDefinition::new("epochs");
/// tenant -> (epoch, counter of the next data key, nonce, wrapped content key and command key).
const TENANTS: TableDefinition<&str, TenantRow> = TableDefinition::new("tenants");
/// (tenant, data key id) -> (epoch, wrapped key).
const DATA_KEYS: TableDefinition<KeyName, (u32, &[u8; 48])> = TableDefinition::new("data_keys");
/// (tenant, data key id) -> when it was destroyed, in microseconds.
const ERASED: TableDefinition<KeyName, i64> = TableDefinition::new("erased");

type TenantRow = (u32, u64, &'static [u8; 12], &'static [u8; 80]);
type KeyName = (&'static str, &'static [u8; 16]);

const FORMAT: u16 = 1;
const FIRST_EPOCH: u32 = 1;

impl<E: Into<redb::Error>> From<Redb<E>> for KeyStoreError {
    fn from(Redb(error): Redb<E>) -> Self {
        match error.into() {
            redb::Error::Corrupted(why) => Self::Damaged(why),
            other => Self::Storage(other.to_string()),
        }
    }
}

/// Any of redb's errors, for `map_err(Redb)?`.
struct Redb<E>(E);

/// Makes a new file a key store, or checks that an existing one is ours.
pub(super) fn prepare(db: &Database) -> Result<(), OpenError> {
    let txn = db.begin_read().map_err(redb::Error::from)?;
    if txn.list_tables()?.next().is_none() {
        return create(db).map_err(OpenError::from);
    }
    let meta = txn.open_table(META).map_err(redb::Error::from)?;
    match meta.get("format")?.map(|format| format.value()) {
        Some(FORMAT) => Ok(()),
        other => Err(OpenError::Damaged(format!("has format {other:?}, this release reads {FORMAT}"))),
    }
}

fn create(db: &Database) -> Result<(), redb::Error> {
    let txn = db.begin_write()?;
    txn.open_table(META)?.insert("format", FORMAT)?;
    txn.open_table(EPOCHS)?;
    txn.open_table(TENANTS)?;
    txn.open_table(DATA_KEYS)?;
    txn.open_table(ERASED)?;
    txn.commit()?;
    Ok(())
}

/// Makes a tenant's epoch key, content key, command key and first block; `None` if it has them already.
pub(super) fn create_tenant(db: &Database, tenant: &TenantId) -> Result<Option<TenantKeys>, KeyStoreError> {
    let mut epoch_key = [0; 32];
    let mut secrets = [0; 64];
    let mut nonce = [0; 12];
    for random in [epoch_key.as_mut_slice(), &mut secrets, &mut nonce] {
        getrandom::fill(random).map_err(KeyStoreError::Random)?;
    }
    let wrapped: [u8; 80] = wrap(&epoch_key, nonce, &secrets_aad(tenant), &secrets)?;
    let keys = TenantKeys::new(tenant.clone(), FIRST_EPOCH, epoch_key, &secrets);
    let txn = db.begin_write().map_err(Redb)?;
    {
        let mut tenants = txn.open_table(TENANTS).map_err(Redb)?;
        // Looked up inside the transaction: of two that create one tenant, the second finds the first's keys.
        if tenants.get(tenant.as_str()).map_err(Redb)?.is_some() {
            return Ok(None);
        }
        tenants.insert(tenant.as_str(), (FIRST_EPOCH, 0, &nonce, &wrapped)).map_err(Redb)?;
        txn.open_table(EPOCHS).map_err(Redb)?.insert((tenant.as_str(), FIRST_EPOCH), &epoch_key).map_err(Redb)?;
    }
    let block = put_block(&txn, &keys, FIRST_BLOCK)?;
    txn.commit().map_err(Redb)?;
    keys.add(block);
    Ok(Some(keys))
}

/// A tenant's keys, without data keys: those of its last block may have been handed out before a crash, and a data key
/// seals one text, so they are left alone.
pub(super) fn load_tenant(db: &Database, tenant: &TenantId) -> Result<Option<TenantKeys>, KeyStoreError> {
    let txn = db.begin_read().map_err(Redb)?;
    let opened = opened(&txn, tenant)?;
    Ok(opened
        .map(|Opened { epoch, epoch_key, secrets, .. }| TenantKeys::new(tenant.clone(), epoch, epoch_key, &secrets)))
}

/// Makes `count` data keys, durable on return.
pub(super) fn add_block(db: &Database, keys: &TenantKeys, count: usize) -> Result<Vec<DataKey>, KeyStoreError> {
    let txn = db.begin_write().map_err(Redb)?;
    let block = put_block(&txn, keys, count)?;
    txn.commit().map_err(Redb)?;
    Ok(block)
}

fn put_block(txn: &WriteTransaction, keys: &TenantKeys, count: usize) -> Result<Vec<DataKey>, KeyStoreError> {
    let tenant = keys.tenant.as_str();
    let mut tenants = txn.open_table(TENANTS).map_err(Redb)?;
    let (epoch, next, nonce, wrapped) = {
        let row = tenants.get(tenant).map_err(Redb)?;
        let row = row.ok_or_else(|| KeyStoreError::UnknownTenant(keys.tenant.clone()))?;
        let (epoch, next, nonce, wrapped) = row.value();
        (epoch, next, *nonce, *wrapped)
    };
    let block = random_block(next, count)?;
    let mut table = txn.open_table(DATA_KEYS).map_err(Redb)?;
    for key in &block {
        let wrapped: [u8; 48] = wrap(&keys.epoch_key, nonce_of(key.kid), &key_aad(keys, key.kid), &key.key)?;
        table.insert((tenant, &key.kid.0), (keys.epoch, &wrapped)).map_err(Redb)?;
    }
    // The counter moves with the keys, in one transaction: a number is never given twice.
    tenants.insert(tenant, (epoch, next + block.len() as u64, &nonce, &wrapped)).map_err(Redb)?;
    Ok(block)
}

fn random_block(next: u64, count: usize) -> Result<Vec<DataKey>, KeyStoreError> {
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

/// The row of a tenant with its secrets in the open.
struct Opened {
    epoch: u32,
    next: u64,
    epoch_key: [u8; 32],
    secrets: [u8; 64],
}

fn opened(txn: &redb::ReadTransaction, tenant: &TenantId) -> Result<Option<Opened>, KeyStoreError> {
    let tenants = txn.open_table(TENANTS).map_err(Redb)?;
    let Some(row) = tenants.get(tenant.as_str()).map_err(Redb)? else { return Ok(None) };
    let (epoch, next, nonce, wrapped) = row.value();
    let epochs = txn.open_table(EPOCHS).map_err(Redb)?;
    let epoch_key = epochs.get((tenant.as_str(), epoch)).map_err(Redb)?;
    let damaged = |what: &str| KeyStoreError::Damaged(format!("{what} of {tenant}"));
    let epoch_key = *epoch_key.ok_or_else(|| damaged("no epoch key"))?.value();
    let secrets = unwrap(&epoch_key, *nonce, &secrets_aad(tenant), wrapped);
    let secrets = secrets.ok_or_else(|| damaged("the wrapped keys"))?;
    Ok(Some(Opened { epoch, next, epoch_key, secrets }))
}

/// See [`super::KeyStore::export`]. One short read transaction.
pub(super) fn export(db: &Database, after: &ExportCursor) -> Result<Option<(KeyPage, ExportCursor)>, KeyStoreError> {
    let txn = db.begin_read().map_err(Redb)?;
    let tenant = match (&after.tenant, &after.data_key) {
        (Some(tenant), Some(_)) => Some(tenant.clone()),
        (tenant, _) => tenant_after(&txn, tenant.as_ref())?,
    };
    let Some(tenant) = tenant else { return Ok(None) };
    let Some(Opened { epoch, next, epoch_key, secrets }) = opened(&txn, &tenant)? else { return Ok(None) };
    let keys = TenantKeys::new(tenant.clone(), epoch, epoch_key, &secrets);
    let table = txn.open_table(DATA_KEYS).map_err(Redb)?;
    let first = after.data_key.map_or([0; 16], |kid| kid.0);
    let mut data_keys = Vec::new();
    let mut more = false;
    for row in table.range((tenant.as_str(), &first)..=(tenant.as_str(), &[0xff; 16])).map_err(Redb)? {
        let (name, value) = row.map_err(Redb)?;
        let kid = DataKeyId(*name.value().1);
        if after.data_key == Some(kid) {
            continue;
        }
        more = data_keys.len() == PAGE_KEYS;
        if more {
            break;
        }
        let key = unwrap(&epoch_key, nonce_of(kid), &key_aad(&keys, kid), value.value().1);
        data_keys.push((kid, key.ok_or_else(|| KeyStoreError::Damaged(format!("the data key {kid} of {tenant}")))?));
    }
    // The last page of a tenant has its destroyed keys too.
    let erased = if more { Vec::new() } else { erased(&txn, &tenant)? };
    let cursor =
        ExportCursor { tenant: Some(tenant.clone()), data_key: data_keys.last().map(|(kid, _)| *kid).filter(|_| more) };
    let (mut content_key, mut command_key) = ([0; 32], [0; 32]);
    content_key.copy_from_slice(&secrets[..32]);
    command_key.copy_from_slice(&secrets[32..]);
    Ok(Some((KeyPage { tenant, epoch, epoch_key, content_key, command_key, next, data_keys, erased }, cursor)))
}

fn tenant_after(txn: &redb::ReadTransaction, after: Option<&TenantId>) -> Result<Option<TenantId>, KeyStoreError> {
    let tenants = txn.open_table(TENANTS).map_err(Redb)?;
    let mut range = match after {
        Some(after) => {
            let behind = (Bound::Excluded(after.as_str()), Bound::Unbounded);
            tenants.range::<&str>(behind).map_err(Redb)?
        }
        None => tenants.range::<&str>(..).map_err(Redb)?,
    };
    let Some(row) = range.next() else { return Ok(None) };
    let name = row.map_err(Redb)?.0.value().to_owned();
    name.parse().map(Some).map_err(|_| KeyStoreError::Damaged("a name that is no tenant's".to_owned()))
}

fn erased(txn: &redb::ReadTransaction, tenant: &TenantId) -> Result<Vec<(DataKeyId, i64)>, KeyStoreError> {
    let table = txn.open_table(ERASED).map_err(Redb)?;
    let all = table.range((tenant.as_str(), &[0; 16])..=(tenant.as_str(), &[0xff; 16])).map_err(Redb)?;
    let mut out = Vec::new();
    for row in all {
        let (name, at) = row.map_err(Redb)?;
        out.push((DataKeyId(*name.value().1), at.value()));
    }
    Ok(out)
}

/// See [`super::KeyStore::import`]. One durable transaction.
pub(super) fn import(db: &Database, page: &KeyPage) -> Result<(), KeyStoreError> {
    let tenant = page.tenant.as_str();
    let mut secrets = [0; 64];
    secrets[..32].copy_from_slice(&page.content_key);
    secrets[32..].copy_from_slice(&page.command_key);
    let txn = db.begin_read().map_err(Redb)?;
    let there = opened(&txn, &page.tenant)?;
    drop(txn);
    let same = |there: &Opened| (there.epoch, there.epoch_key, there.secrets) == (page.epoch, page.epoch_key, secrets);
    if there.as_ref().is_some_and(|there| !same(there)) {
        return Err(KeyStoreError::OtherKeys(page.tenant.clone()));
    }
    // A counter is never given twice: not below any that was, whatever the page knew when it was made.
    let counter = |kid: &DataKeyId| kid.0.first_chunk().map_or(0, |head| u64::from_be_bytes(*head)).saturating_add(1);
    let used = page.data_keys.iter().map(|(kid, _)| counter(kid)).max();
    let next = page.next.max(used.unwrap_or(0)).max(there.map_or(0, |there| there.next));
    let mut nonce = [0; 12];
    getrandom::fill(&mut nonce).map_err(KeyStoreError::Random)?;
    let wrapped: [u8; 80] = wrap(&page.epoch_key, nonce, &secrets_aad(&page.tenant), &secrets)?;
    let keys = TenantKeys::new(page.tenant.clone(), page.epoch, page.epoch_key, &secrets);
    let txn = db.begin_write().map_err(Redb)?;
    {
        let mut epochs = txn.open_table(EPOCHS).map_err(Redb)?;
        epochs.insert((tenant, page.epoch), &page.epoch_key).map_err(Redb)?;
        let mut tenants = txn.open_table(TENANTS).map_err(Redb)?;
        tenants.insert(tenant, (page.epoch, next, &nonce, &wrapped)).map_err(Redb)?;
        let mut table = txn.open_table(DATA_KEYS).map_err(Redb)?;
        for (kid, key) in &page.data_keys {
            let wrapped: [u8; 48] = wrap(&page.epoch_key, nonce_of(*kid), &key_aad(&keys, *kid), key)?;
            table.insert((tenant, &kid.0), (page.epoch, &wrapped)).map_err(Redb)?;
        }
        let mut gone = txn.open_table(ERASED).map_err(Redb)?;
        for (kid, at) in &page.erased {
            gone.insert((tenant, &kid.0), *at).map_err(Redb)?;
        }
    }
    txn.commit().map_err(Redb)?;
    Ok(())
}

/// Looks a data key up in the file.
pub(super) fn data_key(db: &Database, keys: &TenantKeys, kid: DataKeyId) -> Result<DataKey, KeyStoreError> {
    let txn = db.begin_read().map_err(Redb)?;
    let name = (keys.tenant.as_str(), &kid.0);
    if let Some(row) = txn.open_table(DATA_KEYS).map_err(Redb)?.get(name).map_err(Redb)? {
        let key = unwrap(&keys.epoch_key, nonce_of(kid), &key_aad(keys, kid), row.value().1);
        let key = key.ok_or_else(|| KeyStoreError::Damaged(format!("the data key {kid} of {}", keys.tenant)))?;
        return Ok(DataKey::new(kid, key));
    }
    if txn.open_table(ERASED).map_err(Redb)?.get(name).map_err(Redb)?.is_some() {
        return Err(KeyStoreError::Erased(kid));
    }
    Err(KeyStoreError::UnknownKey(kid))
}

/// Stands for the erasure that is to come: the key goes, the marker stays.
#[cfg(test)]
pub(super) fn erase(db: &Database, tenant: &TenantId, kid: DataKeyId) -> Result<(), redb::Error> {
    let txn = db.begin_write()?;
    txn.open_table(DATA_KEYS)?.remove((tenant.as_str(), &kid.0))?;
    txn.open_table(ERASED)?.insert((tenant.as_str(), &kid.0), 0)?;
    txn.commit()?;
    Ok(())
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

fn secrets_aad(tenant: &TenantId) -> Vec<u8> {
    [b"promptory/tenant-keys/1\0", tenant.as_str().as_bytes()].concat()
}

fn wrap<const N: usize>(key: &[u8; 32], nonce: [u8; 12], aad: &[u8], msg: &[u8]) -> Result<[u8; N], KeyStoreError> {
    let ct = seal::encrypt(key, nonce, aad, msg);
    ct.and_then(|ct| ct.try_into().ok()).ok_or(KeyStoreError::Seal(seal::SealError::NotAuthentic))
}

fn unwrap<const N: usize>(key: &[u8; 32], nonce: [u8; 12], aad: &[u8], ct: &[u8]) -> Option<[u8; N]> {
    seal::decrypt(key, nonce, aad, ct)?.try_into().ok()
}
