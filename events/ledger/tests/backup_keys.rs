//! The keys of a ledger as an encrypted file and back: texts open again, another backup key opens nothing, and nothing of
//! a damaged file is taken.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use promptory_events::{BackupId, Incarnation, TenantId, Timestamp};
use promptory_ledger::backup::keys::{KeysFile, export};
use promptory_ledger::backup::{BackupError, BackupKey, BackupKeyError};
use promptory_ledger::seal::aad;
use promptory_ledger::storage::fault::FaultBackend;
use promptory_ledger::{KeyStore, KeyStoreError};

const KEY: [u8; 32] = [9; 32];

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

fn store() -> KeyStore {
    KeyStore::with_backend(FaultBackend::new()).unwrap()
}

fn exported(keys: &KeyStore) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.backup");
    let about = (BackupId([7; 16]), Incarnation([1; 8]), Timestamp::from_micros(5));
    let mut bytes = Vec::new();
    let taken = export(keys, &BackupKey::new(KEY), about, |chunk| {
        bytes.extend_from_slice(&chunk);
        Ok(())
    });
    taken.unwrap();
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn import(path: &Path, keys: &KeyStore) -> Result<(), BackupError> {
    KeysFile::import(path, &BackupKey::new(KEY), keys).map(drop)
}

#[test]
fn texts_open_after_the_keys_came_back() {
    let keys = store();
    let mut sealed = Vec::new();
    // More than a page of one tenant, and one that was never written to.
    for (name, count) in [("_system", 1), ("acme", 2500), ("quiet", 0), ("zebra", 3)] {
        keys.ensure_tenant(&tenant(name)).unwrap();
        for n in 0..count {
            sealed.push((tenant(name), n, keys.seal_content(&tenant(name), format!("{n}").as_bytes()).unwrap()));
        }
    }
    let (_folder, path) = exported(&keys);
    let again = store();
    import(&path, &again).unwrap();
    for (tenant, n, (id, sealed)) in &sealed {
        let text = again.open_sealed(tenant, &aad::content(tenant, id), sealed).unwrap();
        assert_eq!(text, format!("{n}").as_bytes());
    }
    let acme = tenant("acme");
    assert_eq!(again.content_id(&acme, b"x").unwrap(), keys.content_id(&acme, b"x").unwrap());
    assert_eq!(again.command_hash(&acme, b"x").unwrap(), keys.command_hash(&acme, b"x").unwrap());
    again.take(&tenant("quiet")).expect("a tenant goes on");
    for _ in 0..100 {
        let kid = again.take(&acme).unwrap().kid;
        let known = sealed.iter().any(|(t, _, (_, s))| *t == acme && s.kid.0[..8] == kid.0[..8]);
        assert!(!known, "a counter is never given twice");
    }
    import(&path, &again).expect("the same file again changes nothing");
    let (id, text) = &sealed[1].2;
    assert!(again.open_sealed(&acme, &aad::content(&acme, id), text).is_ok());
}

#[test]
fn writers_go_on_while_keys_are_exported() {
    let keys = store();
    let acme = tenant("acme");
    keys.ensure_tenant(&acme).unwrap();
    let about = (BackupId([7; 16]), Incarnation([1; 8]), Timestamp::from_micros(5));
    // A taker that is stuck in the middle: blocks of keys are made all the same.
    let mut made = 0;
    let taken = export(&keys, &BackupKey::new(KEY), about, |_| {
        for _ in 0..200 {
            keys.take(&acme).unwrap();
            made += 1;
        }
        Ok(())
    });
    taken.unwrap();
    assert!(made >= 400);
}

#[test]
fn another_key_and_a_damaged_file_are_refused_and_nothing_is_taken() {
    let keys = store();
    let acme = tenant("acme");
    keys.ensure_tenant(&acme).unwrap();
    let (_folder, path) = exported(&keys);
    let refused = KeysFile::open(&path, &BackupKey::new([8; 32])).map(drop);
    assert!(matches!(refused, Err(BackupError::WrongKey)));
    let good = fs::read(&path).unwrap();
    let again = store();
    for at in (0..good.len()).step_by(5) {
        let mut flipped = good.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&path, flipped).unwrap();
        assert!(import(&path, &again).is_err(), "a bit of byte {at} was flipped");
    }
    for len in (0..good.len()).step_by(3) {
        fs::write(&path, &good[..len]).unwrap();
        assert!(import(&path, &again).is_err(), "cut at {len}");
    }
    fs::write(&path, [&good[..], b"?"].concat()).unwrap();
    assert!(import(&path, &again).is_err(), "something follows");
    assert!(matches!(again.take(&acme), Err(KeyStoreError::UnknownTenant(_))), "nothing was taken");
    assert!(!good.windows(4).any(|bytes| bytes == b"acme"), "the names of tenants are encrypted too");
}

#[test]
fn keys_of_another_ledger_are_not_mixed_in() {
    let (keys, other) = (store(), store());
    keys.ensure_tenant(&tenant("acme")).unwrap();
    other.ensure_tenant(&tenant("acme")).unwrap();
    let (_folder, path) = exported(&keys);
    let refused = import(&path, &other);
    assert!(matches!(refused, Err(BackupError::Keys(KeyStoreError::OtherKeys(t))) if t == tenant("acme")));
}

#[test]
fn a_backup_key_is_a_secret_file_of_64_hex_digits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backup.key");
    let write = |text: &str, mode| {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        BackupKey::read(&path)
    };
    let text = "0123456789abcdef".repeat(4);
    assert_eq!(format!("{:?}", write(&format!("{text}\n"), 0o600).unwrap()), "BackupKey(…)");
    assert!(matches!(write(&text, 0o644), Err(BackupKeyError::Open)));
    for bad in ["", "0123", &text[1..], &format!("{text}0"), &"é".repeat(32), &text.replace('f', "g")] {
        let refused = write(bad, 0o600).unwrap_err();
        assert!(matches!(refused, BackupKeyError::Form), "{bad}");
        assert!(bad.is_empty() || !refused.to_string().contains(bad));
    }
}
