//! Power failures under the servers: with the shipped setting nothing acknowledged is lost; with the servers' own default it
//! is, and a ledger that has seen more says so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use promptory_events::{BatchId, Cursor, TenantId};
use promptory_ledger::jetstream::{JetStream, scrub};
use promptory_ledger::{ReadError, Recorded};
use promptory_test_nats::{Cluster, Server, Syncing};

use crate::support::tenant;
use crate::tails::write_on;
use crate::{append, fill, forms, id_of, read_all};

/// Reads a tenant as soon as the servers answer again.
async fn read_when_back(ledger: &JetStream, tenant: &TenantId) -> Vec<Recorded> {
    loop {
        match ledger.head(tenant).await {
            Ok(_) => return read_all(ledger, tenant).await,
            Err(error @ ReadError::Corrupt(_)) => panic!("{error}"),
            Err(ReadError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_all_servers_lose_their_power() {
    let cluster = Cluster::on_disks(Syncing::Shipped);
    let options = forms::options(&cluster.url(), &cluster.user());
    let ledger = forms::made(&options, 2, 3).await;
    let mut acknowledged: BTreeMap<TenantId, Vec<(BatchId, Cursor)>> = BTreeMap::new();
    for round in 0..3 {
        let stop = Arc::new(AtomicBool::new(false));
        let mut running = tokio::task::JoinSet::new();
        for n in 0..4 {
            let (ledger, tenant, stop) = (ledger.clone(), tenant(&format!("r{round}t{n}")), stop.clone());
            running.spawn(async move { (tenant.clone(), write_on(ledger, tenant, stop).await) });
        }
        tokio::time::sleep(Duration::from_millis(1500)).await;
        cluster.lose_power();
        cluster.start_all();
        stop.store(true, Ordering::Relaxed);
        acknowledged.extend(running.join_all().await);
    }
    let stranger = JetStream::open(&options).await.unwrap();
    let mut total = 0;
    for (tenant, acknowledged) in acknowledged {
        let stored = read_when_back(&stranger, &tenant).await;
        let ids: Vec<_> = stored.iter().map(|batch| (id_of(batch), batch.cursor)).collect();
        assert_eq!(ids, acknowledged, "{tenant}: each once, each where it was acknowledged");
        total += ids.len();
    }
    let report = scrub(&options).await.unwrap();
    assert!(report.is_whole(), "{report}");
    println!("{total} batches acknowledged over 3 power failures of all servers, 0 lost\n{report}");
}

/// What came of a ledger that had been written back to its 20th batch, and had acknowledged 50 when the power went.
struct Aftermath {
    lost: usize,
    head: Result<Option<u64>, ReadError>,
    tail: Result<(), ReadError>,
}

async fn after_a_lazy_power_failure(write_back: bool) -> Aftermath {
    let cluster = Cluster::on_disks(Syncing::Lazy);
    let options = forms::options(&cluster.url(), &cluster.user());
    let ledger = forms::made(&options, 1, 3).await;
    let acme = tenant("acme");
    let (mut last, mut cursor) = fill(&ledger, &acme, 20).await.pop().unwrap();
    if write_back {
        // Long enough for the followers to have it too.
        tokio::time::sleep(Duration::from_secs(1)).await;
        cluster.servers().iter().for_each(Server::write_back);
    }
    for id in 21..=50 {
        last = last.then(1, cursor.sequence).id(id);
        cursor = append(&ledger, &last).await.unwrap();
    }
    assert!(cluster.servers().iter().all(|server| server.unsynced_bytes() > 0));
    cluster.lose_power();
    cluster.start_all();
    let since = std::time::Instant::now();
    // The servers have their time to find what is left. A ledger that has seen batch 50 takes nothing less for an answer.
    let head = loop {
        match ledger.head(&acme).await {
            Err(ReadError::Unavailable(_)) if since.elapsed() < Duration::from_secs(15) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            known => break known.map(|head| head.map(|head| head.position.index)),
        }
    };
    let left = match JetStream::open(&options.patience(Duration::from_secs(1))).await {
        Ok(stranger) => {
            let tail = stranger.tail(0, Some(cursor)).await.map(drop);
            let left = stranger.head(&acme).await.ok().flatten().map_or(0, |head| head.position.index as usize + 1);
            return Aftermath { lost: 50 - left, head, tail };
        }
        Err(error) => {
            println!("no ledger is left: {error}");
            0
        }
    };
    Aftermath { lost: 50 - left, head, tail: ledger.tail(0, Some(cursor)).await.map(drop) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lazy_syncing_loses_what_was_acknowledged_and_the_ledger_notices() {
    let Aftermath { lost, head, tail } = after_a_lazy_power_failure(true).await;
    println!("lazy, written back before: {lost} of 50 acknowledged are lost; head: {head:?}; tail: {tail:?}");
    assert!(lost >= 30, "what was not written back is gone: {lost}");
    assert!(head.is_err(), "an older head is no answer: {head:?}");
    assert!(matches!(&tail, Err(ReadError::Corrupt(why)) if why.contains("beyond the end")), "{tail:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lazy_syncing_loses_a_young_stream_as_a_whole() {
    let Aftermath { lost, head, tail } = after_a_lazy_power_failure(false).await;
    println!("lazy, young: {lost} of 50 acknowledged are lost; head: {head:?}; tail: {tail:?}");
    assert_eq!(lost, 50);
    assert!(head.is_err() && tail.is_err(), "{head:?} {tail:?}");
}
