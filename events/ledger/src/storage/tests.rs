//! Locked, damaged, half made, wiped: what can be at a store's place.

use redb::{ReadableDatabase, TableDefinition};

use super::*;

const TABLE: TableDefinition<u64, u64> = TableDefinition::new("t");

#[test]
fn a_held_store_and_a_damaged_one_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/store.redb");
    let held = Store::open(&path, "test", 1 << 20).unwrap();
    assert!(matches!(Store::open(&path, "test", 1 << 20), Err(OpenError::Locked)));
    drop(held);
    Store::open(&path, "test", 1 << 20).unwrap();
    std::fs::write(&path, b"this was never a database, and it is long enough to look like one").unwrap();
    assert!(matches!(Store::open(&path, "test", 1 << 20), Err(OpenError::Damaged(_))));
    assert!(matches!(Store::open(folder.path(), "test", 1 << 20), Err(OpenError::Io(_))));
}

#[test]
fn a_file_that_was_cut_short_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    drop(Store::open(&path, "test", 1 << 20).unwrap());
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(4096).unwrap();
    assert!(matches!(Store::open(&path, "test", 1 << 20), Err(OpenError::Damaged(_))));
}

#[test]
fn a_store_that_was_being_made_when_the_power_went_is_made_again_but_a_wiped_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    std::fs::write(folder.path().join("store.redb.new"), [0; 5000]).unwrap();
    drop(Store::open(&path, "test", 1 << 20).unwrap());
    for wiped in [vec![0; 5000], vec![]] {
        std::fs::write(&path, wiped).unwrap();
        assert!(matches!(Store::open(&path, "test", 1 << 20), Err(OpenError::Damaged(_))));
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_a_store() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let _store = Store::open(&path, "test", 1 << 20).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn one_commit_is_one_sync() {
    let store = Store::with_backend(fault::FaultBackend::new(), "test", 1 << 20).unwrap();
    let commit = |n: u64| {
        let txn = store.db.begin_write().unwrap();
        txn.open_table(TABLE).unwrap().insert(n, n).unwrap();
        txn.commit().unwrap();
    };
    (0..10).for_each(commit);
    let before = store.fsyncs();
    (10..110).for_each(commit);
    assert_eq!(store.fsyncs() - before, 100);
    assert_eq!(store.db.begin_read().unwrap().open_table(TABLE).unwrap().get(109).unwrap().unwrap().value(), 109);
}
