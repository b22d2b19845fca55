//! Many appenders of one tenant, each a process of its own as far as the servers know: nobody overwrites anybody, and the
//! outcomes are told apart.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use promptory_ledger::jetstream::{JetStream, Options};
use promptory_ledger::{AppendError, ReadError};
use promptory_test_nats::{Cluster, Server};

use crate::support::{Draft, header, tenant};
use crate::{append, fill, forms, id_of, own, read_all};

const APPENDERS: u64 = 64;
const EACH: u64 = 2;

#[derive(Default)]
struct Counts {
    conflict: AtomicU64,
    busy: AtomicU64,
    unknown: AtomicU64,
}

/// Appends `EACH` batches among others. Returns the sequences that were acknowledged, by batch id.
async fn contend(ledger: JetStream, appender: u64, counts: Arc<Counts>) -> Vec<(u64, u64)> {
    let acme = tenant("acme");
    let mut acknowledged = Vec::new();
    while acknowledged.len() < usize::try_from(EACH).unwrap() {
        let id = appender * EACH + acknowledged.len() as u64;
        let head = match ledger.head(&acme).await {
            Err(ReadError::Unavailable(_)) => continue, // servers that are kept from hearing of each other
            head => head.unwrap(),
        };
        let (next, prev) = head.map_or((0, 0), |head| (head.position.index + 1, head.cursor.sequence));
        let draft = Draft::new(ledger.incarnation(), &acme, next, 1, prev).id(id);
        let mut pause_ms = 1 + appender % 7;
        let outcome = loop {
            match ledger.append(&acme, prev, draft.encode()).await {
                Err(AppendError::Busy) => counts.busy.fetch_add(1, Ordering::Relaxed),
                Err(AppendError::Unknown(_)) => counts.unknown.fetch_add(1, Ordering::Relaxed),
                known => break known,
            };
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            pause_ms = (pause_ms * 2).min(50);
        };
        match outcome {
            Ok(cursor) => acknowledged.push((id, cursor.sequence)),
            Err(AppendError::Conflict) => {
                counts.conflict.fetch_add(1, Ordering::Relaxed);
                if let Some(cursor) = own(&ledger, &draft).await {
                    acknowledged.push((id, cursor.sequence));
                }
            }
            Err(other) => panic!("{other}"),
        }
    }
    acknowledged
}

async fn nobody_forks(options: &Options, replicas: usize) {
    let mut ledgers = vec![forms::made(options, 1, replicas).await];
    for _ in 1..4 {
        ledgers.push(JetStream::open(options).await.unwrap());
    }
    let counts = Arc::new(Counts::default());
    let mut running = tokio::task::JoinSet::new();
    for appender in 0..APPENDERS {
        let ledger = ledgers[usize::try_from(appender).unwrap() % ledgers.len()].clone();
        running.spawn(contend(ledger, appender, counts.clone()));
    }
    let acknowledged: BTreeMap<u64, u64> = running.join_all().await.into_iter().flatten().collect();
    let stored = read_all(&JetStream::open(options).await.unwrap(), &tenant("acme")).await;
    let total = APPENDERS * EACH;
    assert_eq!((stored.len() as u64, acknowledged.len() as u64), (total, total), "0 lost, 0 twice");
    let mut prev = 0;
    for (index, batch) in stored.iter().enumerate() {
        let header = header(&batch.bytes);
        assert_eq!((header.first_index, header.prev), (index as u64, prev), "0 forks: one chain, dense");
        let id = u64::from_be_bytes(header.batch_id.0[..8].try_into().unwrap());
        assert_eq!(acknowledged[&id], batch.cursor.sequence, "each where its appender was told");
        prev = batch.cursor.sequence;
    }
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (conflict, busy, unknown) = (count(&counts.conflict), count(&counts.busy), count(&counts.unknown));
    println!("R{replicas}: {total} appended by {APPENDERS}; {conflict} conflicts, {busy} busy, {unknown} unknown");
    assert!(conflict > 0, "there was contention");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_appenders_of_one_tenant_never_fork_it_on_one_server() {
    let server = Server::start();
    nobody_forks(&forms::options(&server.url(), &server.user()), 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_appenders_of_one_tenant_never_fork_it_on_three_servers() {
    let cluster = Cluster::start();
    nobody_forks(&forms::options(&cluster.url(), &cluster.user()), 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_whose_answer_was_lost_is_found_to_be_ones_own() {
    let server = Server::start();
    let ledger = forms::made(&forms::options(&server.url(), &server.user()), 1, 1).await;
    let (last, cursor) = fill(&ledger, &tenant("acme"), 3).await.pop().unwrap();
    let draft = last.then(1, cursor.sequence).id(99);
    // The server takes it from the wire when it goes on, long after its sender gave up.
    server.pause();
    let lost = ledger.append(&tenant("acme"), cursor.sequence, draft.encode()).await;
    assert!(matches!(lost, Err(AppendError::Unknown(_))), "{lost:?}");
    server.resume();
    let found = append(&ledger, &draft).await.unwrap();
    let stored = read_all(&ledger, &tenant("acme")).await;
    assert_eq!(stored.len(), 4, "there once");
    assert_eq!((stored[3].cursor, id_of(&stored[3])), (found, draft.header.batch_id));
    let rival = last.then(1, cursor.sequence).id(100);
    assert!(matches!(append(&ledger, &rival).await, Err(AppendError::Conflict)), "somebody else's is told apart");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_server_nothing_is_sent_and_nothing_is_lost() {
    let server = Server::start();
    let ledger = forms::made(&forms::options(&server.url(), &server.user()), 1, 1).await;
    let (last, cursor) = fill(&ledger, &tenant("acme"), 3).await.pop().unwrap();
    server.kill();
    let draft = last.then(1, cursor.sequence);
    while ledger.is_connected() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let refused = ledger.append(&tenant("acme"), cursor.sequence, draft.encode()).await;
    assert!(matches!(refused, Err(AppendError::Busy)), "{refused:?}");
    assert!(ledger.head(&tenant("acme")).await.is_err());
    server.restart();
    append(&ledger, &draft).await.unwrap();
    assert_eq!(read_all(&ledger, &tenant("acme")).await.len(), 4);
}
