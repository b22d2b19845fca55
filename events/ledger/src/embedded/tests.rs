//! What only this form has: its file, its one writer, its commits that can fail.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use promptory_events::{Cursor, TenantId, limits};
use redb::Durability;
use tokio::task::{JoinSet, yield_now};

use super::tables::{BATCHES, CHAIN};
use super::{Embedded, OpenError};
use crate::port::{AppendError, ReadError};
use crate::storage::fault::FaultBackend;

#[path = "../../tests/support/mod.rs"]
mod support;
use support::{Draft, tenant};

async fn append(ledger: &Embedded, draft: &Draft) -> Result<Cursor, AppendError> {
    ledger.append(&draft.header.tenant, draft.header.prev, draft.encode()).await
}

/// Appends `count` batches of one event to a tenant that has none.
async fn fill(ledger: &Embedded, tenant: &TenantId, count: u64, padding: usize) -> Draft {
    let mut draft = Draft::first(ledger.incarnation(), tenant).padded(padding);
    for _ in 0..count {
        let cursor = append(ledger, &draft).await.unwrap();
        draft = draft.then(1, cursor.sequence).padded(padding);
    }
    draft
}

/// Changes the tables behind the ledger's back.
fn tamper(ledger: &Embedded, change: impl FnOnce(&redb::WriteTransaction)) {
    let mut txn = ledger.inner.shared.store.db.begin_write().unwrap();
    txn.set_durability(Durability::Immediate).unwrap();
    change(&txn);
    txn.commit().unwrap();
}

/// Clients that append at once, on the test's own thread.
#[derive(Default)]
struct Clients {
    running: JoinSet<Result<Cursor, AppendError>>,
    begun: Arc<AtomicUsize>,
}

impl Clients {
    fn append(&mut self, ledger: &Embedded, draft: Draft) {
        let (ledger, begun) = (ledger.clone(), self.begun.clone());
        self.running.spawn(async move {
            begun.fetch_add(1, Ordering::SeqCst);
            append(&ledger, &draft).await
        });
    }

    /// Waits until every request is in the queue or refused. There is one thread, so who has begun has come to that.
    async fn all_begun(&self) {
        while self.begun.load(Ordering::SeqCst) < self.running.len() {
            yield_now().await;
        }
    }
}

/// Waits, without a clock, until the writer is inside a sync that is held.
async fn until_a_sync_waits(disk: &FaultBackend) {
    while disk.waiting_syncs() == 0 {
        yield_now().await;
    }
}

#[tokio::test]
async fn a_ledger_that_is_opened_again_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let acme = tenant("acme");
    let ledger = Embedded::open(&path, 2).unwrap();
    let next = fill(&ledger, &acme, 3, 0).await;
    let (incarnation, head) = (ledger.incarnation(), ledger.head(&acme).await.unwrap());
    assert!(matches!(Embedded::open(&path, 2), Err(OpenError::Locked)));
    drop(ledger);

    let again = Embedded::open(&path, 7).unwrap();
    assert_eq!((again.incarnation(), again.partitions()), (incarnation, 2), "partitions are fixed at the beginning");
    assert_eq!(again.head(&acme).await.unwrap(), head);
    append(&again, &next).await.unwrap();
    assert_ne!(Embedded::open(&folder.path().join("other.redb"), 0).unwrap().incarnation(), incarnation);
}

#[tokio::test]
async fn what_waits_during_a_sync_is_committed_together() {
    let disk = FaultBackend::new();
    let ledger = Embedded::with_backend(disk.clone(), 8).unwrap();
    let before = ledger.fsyncs();
    disk.hold_syncs(true);
    let mut clients = Clients::default();
    for client in 0..65 {
        clients.append(&ledger, Draft::first(ledger.incarnation(), &tenant(&format!("t{client}"))));
        if client == 0 {
            until_a_sync_waits(&disk).await;
        }
    }
    clients.all_begun().await;
    assert_eq!(ledger.appended(), 0, "nobody is answered before the sync");
    disk.hold_syncs(false);
    assert!(clients.running.join_all().await.iter().all(Result::is_ok));
    assert_eq!((ledger.appended(), ledger.fsyncs() - before), (65, 2), "the first alone, then 64 with one sync");
}

#[tokio::test]
async fn refusals_cost_no_sync() {
    let ledger = Embedded::with_backend(FaultBackend::new(), 1).unwrap();
    let acme = tenant("acme");
    fill(&ledger, &acme, 1, 0).await;
    let before = ledger.fsyncs();
    assert!(matches!(append(&ledger, &Draft::first(ledger.incarnation(), &acme)).await, Err(AppendError::Conflict)));
    assert_eq!(ledger.fsyncs(), before);
}

#[tokio::test]
async fn more_than_may_wait_is_told_to_come_again() {
    for (padding, count) in [(0, 1200), (limits::BATCH_MAX_BYTES - 1000, 14)] {
        let disk = FaultBackend::new();
        let ledger = Embedded::with_backend(disk.clone(), 1).unwrap();
        let batch = |client| Draft::first(ledger.incarnation(), &tenant(&format!("t{client}"))).padded(padding);
        disk.hold_syncs(true);
        let mut clients = Clients::default();
        for client in 0..count {
            clients.append(&ledger, batch(client));
            if client == 0 {
                until_a_sync_waits(&disk).await;
            }
        }
        clients.all_begun().await;
        disk.hold_syncs(false);
        let outcomes = clients.running.join_all().await;
        let busy = outcomes.iter().filter(|outcome| matches!(outcome, Err(AppendError::Busy))).count();
        assert!(busy > 0 && outcomes.iter().filter(|outcome| outcome.is_ok()).count() == outcomes.len() - busy);
        append(&ledger, &batch(count + 1)).await.expect("when the queue is empty there is room again");
    }
}

#[tokio::test]
async fn after_a_failed_commit_the_outcome_is_unknown_until_the_ledger_is_opened_again() {
    let disk = FaultBackend::new();
    let ledger = Embedded::with_backend(disk.clone(), 1).unwrap();
    let acme = tenant("acme");
    let next = fill(&ledger, &acme, 3, 0).await;
    disk.fail_after(Some(0));
    assert!(matches!(append(&ledger, &next).await, Err(AppendError::Unknown(_))));
    assert!(ledger.is_poisoned());
    disk.fail_after(None);
    assert!(matches!(append(&ledger, &next).await, Err(AppendError::Unknown(_))), "not even if the disk is back");
    drop(ledger);

    let again = Embedded::with_backend(disk.kill(), 1).unwrap();
    assert_eq!(again.head(&acme).await.unwrap().unwrap().position.index, 2);
    append(&again, &next).await.expect("the same bytes, the same guard");
}

#[tokio::test]
async fn what_waits_when_the_last_handle_goes_is_still_written() {
    let disk = FaultBackend::new();
    let ledger = Embedded::with_backend(disk.clone(), 1).unwrap();
    let (acme, incarnation) = (tenant("acme"), ledger.incarnation());
    let batch = Draft::first(incarnation, &acme).encode();
    let caller = tokio::spawn(async move { ledger.append(&acme, 0, batch).await });
    yield_now().await; // it is in the queue
    caller.abort();
    let _ = caller.await; // it may have been answered already; either way the handle went with its caller
    let again = Embedded::with_backend(disk.kill(), 1).unwrap();
    assert_eq!(again.head(&tenant("acme")).await.unwrap().unwrap().position.index, 0);
}

#[tokio::test]
async fn a_tail_ends_when_the_ledger_is_closed() {
    let ledger = Embedded::with_backend(FaultBackend::new(), 1).unwrap();
    let mut tail = ledger.tail(0, None).await.unwrap();
    fill(&ledger, &tenant("acme"), 2, 0).await;
    drop(ledger);
    assert_eq!(tail.next().await.unwrap().len(), 2, "what was committed is still given");
    assert!(matches!(tail.next().await, Err(ReadError::Unavailable(_))));
}

#[tokio::test]
async fn a_tail_reads_the_file_in_pages_and_then_follows_in_memory() {
    let disk = FaultBackend::new();
    let ledger = Embedded::with_backend(disk.clone(), 1).unwrap();
    let next = fill(&ledger, &tenant("acme"), 9, 1 << 20).await;
    drop(ledger);
    let ledger = Embedded::with_backend(disk.kill(), 1).unwrap();
    let mut tail = ledger.tail(0, None).await.unwrap();
    let mut pages = Vec::new();
    while pages.iter().sum::<usize>() < 9 {
        pages.push(tail.next().await.unwrap().len());
    }
    assert_eq!(pages, [3, 3, 3], "4 MiB a page");
    let batch = next.encode();
    ledger.append(&tenant("acme"), next.header.prev, batch.clone()).await.unwrap();
    let live = tail.next().await.unwrap();
    assert_eq!(live[0].bytes.as_ptr(), batch.as_ptr(), "the very bytes that were appended, not a copy");
}

#[tokio::test]
async fn a_missing_batch_is_never_skipped() {
    let disk = FaultBackend::new();
    let ledger = Embedded::with_backend(disk.clone(), 1).unwrap();
    let acme = tenant("acme");
    fill(&ledger, &acme, 5, 0).await;
    tamper(&ledger, |txn| drop(txn.open_table(BATCHES).unwrap().remove((0, 3)).unwrap()));

    assert!(matches!(ledger.get(&acme, 2).await, Err(ReadError::Corrupt(_))));
    let mut reader = ledger.read(&acme, 0).await.unwrap();
    assert!(matches!(reader.next().await, Err(ReadError::Corrupt(_))));
    let shared = Arc::clone(&ledger.inner.shared);
    assert!(matches!(shared.replay(0, 1, 5), Err(ReadError::Corrupt(_))));
    drop((reader, shared, ledger));
    assert!(matches!(Embedded::with_backend(disk.kill(), 1), Err(OpenError::Damaged(_))));
}

#[tokio::test]
async fn a_chain_that_does_not_hold_is_noticed() {
    let acme = tenant("acme");
    type Tampering = fn(&redb::WriteTransaction, &Draft);
    let tamperings: [Tampering; 4] = [
        // The third batch says that it follows the first.
        |txn, draft| {
            let mut lie = draft.clone();
            lie.header.prev = 1;
            txn.open_table(BATCHES).unwrap().insert((0, 3), lie.encode().as_ref()).unwrap();
        },
        // The third batch is another tenant's.
        |txn, draft| {
            let mut other = draft.clone();
            other.header.tenant = tenant("other");
            txn.open_table(BATCHES).unwrap().insert((0, 3), other.encode().as_ref()).unwrap();
        },
        // The third batch is no batch.
        |txn, _| drop(txn.open_table(BATCHES).unwrap().insert((0, 3), b"?".as_slice()).unwrap()),
        // The index does not know the third batch.
        |txn, _| drop(txn.open_table(CHAIN).unwrap().remove(("acme", 2)).unwrap()),
    ];
    for (n, tampering) in tamperings.into_iter().enumerate() {
        let ledger = Embedded::with_backend(FaultBackend::new(), 1).unwrap();
        let after = fill(&ledger, &acme, 5, 0).await;
        let third = Draft::new(after.header.incarnation, &acme, 2, 1, 2);
        tamper(&ledger, |txn| tampering(txn, &third));
        let mut reader = ledger.read(&acme, 1).await.unwrap();
        let outcome = reader.next().await;
        assert!(matches!(outcome, Err(ReadError::Corrupt(_))), "tampering {n}: {outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_does_not_wait_for_readers() {
    let ledger = Embedded::with_backend(FaultBackend::new(), 1).unwrap();
    let acme = tenant("acme");
    let next = fill(&ledger, &acme, 5, 0).await;
    let held = ledger.inner.shared.begin().unwrap();
    let appended = tokio::time::timeout(Duration::from_secs(60), append(&ledger, &next)).await;
    assert!(appended.unwrap().is_ok());
    drop(held);
}
