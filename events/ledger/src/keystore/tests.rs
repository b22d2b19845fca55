//! Keys are durable before use, never given twice, and known to their tenant alone.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;

use promptory_events::{DataKeyId, TenantId};

use super::tenant::FIRST_BLOCK;
use super::{Form, KeyStore, KeyStoreError, tables};
use crate::seal::{SealError, aad};
use crate::storage::OpenError;
use crate::storage::fault::FaultBackend;

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

fn store_with(tenants: &[&str]) -> (FaultBackend, KeyStore) {
    let disk = FaultBackend::new();
    let keys = KeyStore::with_backend(disk.clone()).unwrap();
    for name in tenants {
        keys.ensure_tenant(&tenant(name)).unwrap();
    }
    (disk, keys)
}

#[test]
fn a_tenant_has_keys_from_the_moment_it_is_ensured() {
    let (_, keys) = store_with(&[]);
    let acme = tenant("acme");
    assert!(matches!(keys.take(&acme), Err(KeyStoreError::UnknownTenant(t)) if t == acme));
    assert!(matches!(keys.content_id(&acme, b"text"), Err(KeyStoreError::UnknownTenant(_))));
    let before = keys.fsyncs();
    keys.ensure_tenant(&acme).unwrap();
    assert_eq!(keys.fsyncs() - before, 1, "all its keys with one sync");
    keys.take(&acme).unwrap();
    keys.ensure_tenant(&acme).unwrap();
    assert_eq!(keys.fsyncs() - before, 1, "and none for what is there");
}

#[test]
fn a_sealed_content_opens_after_the_process_was_killed() {
    let (disk, keys) = store_with(&["acme"]);
    let acme = tenant("acme");
    let (id, sealed) = keys.seal_content(&acme, b"you are helpful").unwrap();
    let hash = keys.command_hash(&acme, b"{}").unwrap();
    let again = KeyStore::with_backend(disk.lose_unsynced()).unwrap();
    assert_eq!(again.open_sealed(&acme, &aad::content(&acme, &id), &sealed).unwrap(), b"you are helpful");
    assert_eq!(again.content_id(&acme, b"you are helpful").unwrap(), id);
    assert_eq!(again.command_hash(&acme, b"{}").unwrap(), hash);
    let elsewhere = again.open_sealed(&acme, &aad::content(&tenant("demo"), &id), &sealed);
    assert!(matches!(elsewhere, Err(KeyStoreError::Seal(SealError::NotAuthentic))));
}

#[test]
fn content_ids_mean_nothing_outside_their_tenant() {
    let (_, keys) = store_with(&["acme", "demo"]);
    let (acme, demo) = (tenant("acme"), tenant("demo"));
    let id = keys.content_id(&acme, b"text").unwrap();
    assert_eq!(id, keys.content_id(&acme, b"text").unwrap());
    assert_ne!(id, keys.content_id(&demo, b"text").unwrap());
    assert_ne!(id, keys.content_id(&acme, b"text ").unwrap());
    let hash = keys.command_hash(&acme, b"text").unwrap();
    let as_content = keys.content_id(&acme, b"promptory/command-hash/1\0text").unwrap();
    assert_ne!(hash.0, as_content.0[..16], "no content can be made whose id is a command's hash");
}

#[test]
fn no_key_is_given_twice_and_the_store_keeps_all() {
    let (disk, keys) = store_with(&["acme"]);
    let acme = tenant("acme");
    let many = 5 * FIRST_BLOCK;
    let mut taken: Vec<_> = (0..many).map(|_| keys.take(&acme).unwrap()).collect();
    drop(keys);
    let keys = KeyStore::with_backend(disk.kill()).unwrap();
    taken.extend((0..FIRST_BLOCK).map(|_| keys.take(&acme).unwrap()));
    let counters: BTreeSet<_> = taken.iter().map(|key| key.kid.0[..8].to_vec()).collect();
    let secrets: BTreeSet<_> = taken.iter().map(|key| *key.bytes()).collect();
    assert_eq!((counters.len(), secrets.len()), (many + FIRST_BLOCK, many + FIRST_BLOCK));
    drop(keys);
    let keys = KeyStore::with_backend(disk.kill()).unwrap();
    assert!(taken[..many].iter().all(|key| keys.get(&acme, key.kid).unwrap() == *key));
}

#[test]
fn blocks_grow_so_that_syncs_get_rare() {
    let (_, keys) = store_with(&["acme"]);
    let before = keys.fsyncs();
    for _ in 0..2000 {
        keys.take(&tenant("acme")).unwrap();
    }
    // 64, 128, 256, 512, 1024, 2048: one sync each, and perhaps the next block is being made.
    assert!(keys.fsyncs() - before <= 7, "{}", keys.fsyncs() - before);
}

#[test]
fn many_takers_at_once_never_share_a_key() {
    let (_, keys) = store_with(&["acme"]);
    let taking: Vec<_> = (0..8)
        .map(|_| {
            let keys = keys.clone();
            std::thread::spawn(move || (0..100).map(|_| keys.take(&tenant("acme")).unwrap().kid).collect::<Vec<_>>())
        })
        .collect();
    let kids: BTreeSet<_> = taking.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!(kids.len(), 800);
}

#[test]
fn a_key_that_never_was_and_one_that_was_destroyed_are_told_apart() {
    let (disk, keys) = store_with(&["acme", "demo"]);
    let (acme, demo) = (tenant("acme"), tenant("demo"));
    let gone = keys.take(&acme).unwrap().kid;
    let unknown = DataKeyId([0xab; 16]);
    assert!(matches!(keys.get(&acme, unknown), Err(KeyStoreError::UnknownKey(kid)) if kid == unknown));
    assert!(matches!(keys.get(&demo, gone), Err(KeyStoreError::UnknownKey(_))), "another tenant's key is no key");
    let Form::File(store) = &keys.inner.shared.form else { panic!("it is a file") };
    tables::erase(&store.db, &acme, gone).unwrap();
    let again = KeyStore::with_backend(disk.kill()).unwrap();
    assert!(matches!(again.get(&acme, gone), Err(KeyStoreError::Erased(kid)) if kid == gone));
}

#[test]
fn keys_are_in_no_debug_print_and_in_the_file_only_wrapped() {
    let (disk, keys) = store_with(&["acme"]);
    let key = keys.take(&tenant("acme")).unwrap();
    assert_eq!(format!("{key:?}"), format!("DataKey({}, …)", key.kid));
    let file = bytes_of(&disk);
    assert!(!file.windows(32).any(|window| window == key.bytes()));
    assert!(file.windows(16).any(|window| window == key.kid.0), "the search would have found it");
}

fn bytes_of(disk: &FaultBackend) -> Vec<u8> {
    use redb::StorageBackend;
    let mut bytes = vec![0; usize::try_from(disk.len().unwrap()).unwrap()];
    disk.read(0, &mut bytes).unwrap();
    bytes
}

#[test]
fn a_failed_write_is_an_error_and_hands_out_nothing() {
    let (disk, keys) = store_with(&["acme"]);
    disk.fail_after(Some(0));
    assert!(matches!(keys.ensure_tenant(&tenant("demo")), Err(KeyStoreError::Storage(_))));
    let mut taken = BTreeSet::new();
    let error = loop {
        match keys.take(&tenant("acme")) {
            Ok(key) => assert!(taken.insert(key.kid)),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, KeyStoreError::Storage(_)));
    assert_eq!(taken.len(), FIRST_BLOCK, "what was durable before is given, and no more");
    let again = KeyStore::with_backend(disk.lose_unsynced()).unwrap();
    assert!(taken.iter().all(|kid| again.get(&tenant("acme"), *kid).is_ok()));
}

#[test]
fn a_file_that_is_another_store_is_damage() {
    let disk = FaultBackend::new();
    drop(crate::embedded::Embedded::with_backend(disk.clone(), 1).unwrap());
    assert!(matches!(KeyStore::with_backend(disk.kill()), Err(OpenError::Damaged(_))));
}
