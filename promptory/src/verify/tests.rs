//! What does not hold is named by tenant and index, and the others are looked at all the same.

use bytes::Bytes;
use promptory_events::event::{KeyRevoked, PrincipalAdded};
use promptory_events::{
    Batch, BatchHeader, BatchId, CommandHash, CommandId, Commit, CommitHeader, Credential, Event, Evidence,
    Incarnation, KeyId, PrincipalId, Timestamp,
};
use promptory_ledger::Ledger;
use promptory_ledger::embedded::Embedded;
use redb::TableDefinition;

use super::*;

const BATCHES: TableDefinition<(u16, u64), &[u8]> = TableDefinition::new("batches");

/// A folder with a ledger and a key store, filled by hand.
struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        drop(KeyStore::open(&folder.path().join("keystore.redb")).unwrap());
        Self { folder }
    }

    fn ledger(&self) -> Ledger {
        Ledger::Embedded(Embedded::open(&self.folder.path().join("ledger.redb"), 1).unwrap())
    }

    async fn append(&self, ledger: &Ledger, tenant: &str, first_index: u64, prev: u64, event: Vec<u8>) -> u64 {
        let bytes = batch(ledger.incarnation(), tenant, first_index, prev, event);
        ledger.append(&tenant.parse().unwrap(), prev, bytes).await.unwrap().sequence
    }

    fn tamper(&self, sequence: u64, bytes: &[u8]) {
        let db = redb::Database::open(self.folder.path().join("ledger.redb")).unwrap();
        let txn = db.begin_write().unwrap();
        txn.open_table(BATCHES).unwrap().insert((0, sequence), bytes).unwrap();
        txn.commit().unwrap();
    }

    async fn verified(&self) -> Report {
        let place = LedgerArgs { data: Some(self.folder.path().to_owned()), nats: None, root_key: None };
        run(VerifyArgs { place, backup: None, against: None, keys: None, backup_key: None, rights: false })
            .await
            .unwrap()
    }
}

fn batch(incarnation: Incarnation, tenant: &str, first_index: u64, prev: u64, event: Vec<u8>) -> Bytes {
    let header = BatchHeader {
        batch_id: BatchId([1; 16]),
        tenant: tenant.parse().unwrap(),
        incarnation,
        first_index,
        events: 1,
        recorded_at: Timestamp::from_micros(1),
        prev,
        writer: String::new(),
    };
    let commit = CommitHeader {
        command_id: CommandId([1; 16]),
        command_hash: CommandHash::NONE,
        actor: PrincipalId([1; 16]),
        evidence: Evidence { credential: Credential::System, grants: vec![] },
        occurred_at: None,
        author: None,
        message: None,
        trace: None,
    };
    // A commit of one event whose bytes may be anything: put together by hand, as the codec would.
    let empty = Commit { header: commit, events: vec![] }.encode().unwrap();
    let mut bytes = empty[..empty.len() - 4].to_vec();
    bytes.extend_from_slice(&1u32.to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(event.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(&event);
    Batch::encode(&header, &[Bytes::from(bytes)]).unwrap()
}

fn principal(n: u8) -> Vec<u8> {
    Event::PrincipalAdded(PrincipalAdded { principal: PrincipalId([n; 16]), name: None }).encode().unwrap()
}

fn found(report: &Report) -> Vec<(&str, u64)> {
    report.problems.iter().map(|problem| (problem.tenant.as_str(), problem.index)).collect()
}

#[tokio::test]
async fn an_event_that_can_not_be_read_or_can_not_follow_is_named() {
    let folder = Folder::new();
    let ledger = folder.ledger();
    let unknown_key = Event::KeyRevoked(KeyRevoked { key: KeyId([3; 8]), from: None }).encode().unwrap();
    for (tenant, second) in [("good", principal(2)), ("unreadable", vec![0xff, 0xff]), ("impossible", unknown_key)] {
        let first = folder.append(&ledger, tenant, 0, 0, principal(1)).await;
        folder.append(&ledger, tenant, 1, first, second).await;
    }
    drop(ledger);
    let report = folder.verified().await;
    assert!(!report.holds());
    assert_eq!(found(&report), [("unreadable", 1), ("impossible", 1)]);
    let good = report.tenants.iter().find(|(summary, _)| summary.tenant.as_str() == "good").unwrap();
    assert!(good.1.as_ref().unwrap().history_digest.is_some());
}

#[tokio::test]
async fn a_chain_that_does_not_hold_is_named() {
    let folder = Folder::new();
    let ledger = folder.ledger();
    let incarnation = ledger.incarnation();
    let first = folder.append(&ledger, "acme", 0, 0, principal(1)).await;
    let second = folder.append(&ledger, "acme", 1, first, principal(2)).await;
    folder.append(&ledger, "acme", 2, second, principal(3)).await;
    drop(ledger);
    assert!(folder.verified().await.holds());
    for wrong in [
        batch(incarnation, "acme", 2, first, principal(3)),
        batch(incarnation, "acme", 3, second, principal(3)),
        batch(Incarnation([9; 8]), "acme", 2, second, principal(3)),
    ] {
        folder.tamper(3, &wrong);
        let report = folder.verified().await;
        assert_eq!(found(&report), [("acme", 2)], "{:#}", report.json());
    }
    folder.tamper(3, b"?");
    let report = folder.verified().await;
    assert!(!report.holds() && report.problems[0].why.contains("batch 3"), "{:#}", report.json());
}
