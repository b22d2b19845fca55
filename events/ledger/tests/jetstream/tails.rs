//! Tails and reads while servers die under them: every batch once, in order, and none that was acknowledged is missing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use promptory_events::{BatchId, Cursor, TenantId};
use promptory_ledger::jetstream::{JetStream, JetStreamTail};
use promptory_test_nats::{Cluster, Server};

use crate::support::{Draft, header, tenant};
use crate::{append, fill, forms, id_of, operator, read_all};

/// Reads on until the sequence `last` has come.
async fn until(tail: &mut JetStreamTail, seen: &mut Vec<u64>, last: u64) {
    while seen.last().is_none_or(|sequence| *sequence < last) {
        seen.extend(tail.next().await.unwrap().iter().map(|batch| batch.cursor.sequence));
    }
}

async fn append_some(ledger: &JetStream, mut last: Draft, mut sequence: u64, count: u64) -> (Draft, u64, Duration) {
    let mut longest = Duration::ZERO;
    for _ in 0..count {
        let began = Instant::now();
        last = last.then(1, sequence).id(sequence + 1);
        sequence = append(ledger, &last).await.unwrap().sequence;
        longest = longest.max(began.elapsed());
    }
    (last, sequence, longest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_goes_on_over_a_restart_of_the_server() {
    let server = Server::start();
    let ledger = forms::made(&forms::options(&server.url(), &server.user()), 1, 1).await;
    let (last, cursor) = fill(&ledger, &tenant("acme"), 20).await.pop().unwrap();
    let mut tail = ledger.tail(0, None).await.unwrap();
    let mut idle = ledger.tail(0, Some(cursor)).await.unwrap();
    let mut seen = Vec::new();
    until(&mut tail, &mut seen, 20).await;
    server.kill();
    server.restart();
    let (_, end, _) = append_some(&ledger, last, cursor.sequence, 20).await;
    until(&mut tail, &mut seen, end).await;
    assert_eq!(seen, (1..=40).collect::<Vec<_>>());
    // One that had been given nothing yet begins where it was told to, not at the beginning.
    let mut seen = Vec::new();
    until(&mut idle, &mut seen, end).await;
    assert_eq!(seen, (21..=40).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tails_and_reads_go_on_when_leaders_are_killed() {
    let cluster = Cluster::start();
    let user = cluster.user();
    let ledger = forms::made(&forms::options(&cluster.url(), &user), 1, 3).await;
    let acme = tenant("acme");
    let (mut last, cursor) = fill(&ledger, &acme, 20).await.pop().unwrap();
    let mut sequence = cursor.sequence;
    let mut tail = ledger.tail(0, None).await.unwrap();
    let mut seen = Vec::new();
    until(&mut tail, &mut seen, sequence).await;
    for round in 0..3 {
        let operator = operator(&cluster.url(), &user).await;
        let leader = loop {
            let stream = operator.get_stream("LEDGER-0").await;
            let leader = stream.ok().and_then(|stream| stream.cached_info().cluster.as_ref()?.leader.clone());
            match leader {
                Some(leader) => break leader,
                None => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        };
        let leader = cluster.named(&leader);
        // Killed, or alive and deaf.
        if round == 1 {
            leader.pause()
        } else {
            leader.kill()
        }
        let began = Instant::now();
        let (draft, end, longest) = append_some(&ledger, last, sequence, 20).await;
        (last, sequence) = (draft, end);
        until(&mut tail, &mut seen, sequence).await;
        println!("round {round}: longest append {longest:?}, caught up after {:?}", began.elapsed());
        if round == 1 { leader.resume() } else { leader.restart() }
    }
    assert_eq!(seen, (1..=sequence).collect::<Vec<_>>(), "every sequence once, in order");
    let stored = loop {
        match ledger.read(&acme, 0).await {
            Ok(_) => break read_all(&ledger, &acme).await,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    assert_eq!(stored.len(), 80, "all that was acknowledged, and nothing twice");
    let indexes: Vec<_> = stored.iter().map(|batch| header(&batch.bytes).first_index).collect();
    assert_eq!(indexes, (0..80).collect::<Vec<_>>());
}

/// Appends to one tenant until told to stop; what was acknowledged.
pub(crate) async fn write_on(ledger: JetStream, tenant: TenantId, stop: Arc<AtomicBool>) -> Vec<(BatchId, Cursor)> {
    let mut acknowledged = Vec::new();
    let mut draft = Draft::first(ledger.incarnation(), &tenant).id(1);
    while !stop.load(Ordering::Relaxed) {
        let cursor = append(&ledger, &draft).await.unwrap();
        acknowledged.push((draft.header.batch_id, cursor));
        draft = draft.then(1, cursor.sequence).id(cursor.sequence + 1);
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_writers_lose_nothing_while_servers_fall_and_rise() {
    let cluster = Cluster::start();
    let options = forms::options(&cluster.url(), &cluster.user());
    let ledger = forms::made(&options, 2, 3).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut running = tokio::task::JoinSet::new();
    for n in 0..8 {
        let (tenant, stop) = (tenant(&format!("t{n}")), stop.clone());
        let ledger = if n < 4 { ledger.clone() } else { JetStream::open(&options).await.unwrap() };
        running.spawn(async move { (tenant.clone(), write_on(ledger, tenant, stop).await) });
    }
    for (round, server) in cluster.servers().iter().cycle().take(4).enumerate() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if round % 2 == 0 {
            server.kill()
        } else {
            server.pause()
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        if round % 2 == 0 { server.restart() } else { server.resume() }
    }
    cluster.restart_all();
    stop.store(true, Ordering::Relaxed);
    let acknowledged = running.join_all().await;

    let stranger = JetStream::open(&options).await.unwrap();
    let mut all = [BTreeSet::new(), BTreeSet::new()];
    let mut total = 0;
    for (tenant, acknowledged) in acknowledged {
        let stored = read_all(&stranger, &tenant).await;
        let ids: Vec<_> = stored.iter().map(|batch| (id_of(batch), batch.cursor)).collect();
        assert_eq!(ids, acknowledged, "{tenant}: each once, each where it was acknowledged");
        total += ids.len();
        let partition = promptory_events::partition::of(&tenant, 2);
        all[usize::from(partition)].extend(ids.iter().map(|(_, cursor)| cursor.sequence));
    }
    for (partition, sequences) in (0_u16..).zip(&all) {
        let Some(end) = sequences.last() else { continue };
        let (mut tail, mut seen) = (stranger.tail(partition, None).await.unwrap(), Vec::new());
        until(&mut tail, &mut seen, *end).await;
        assert_eq!(seen, sequences.iter().copied().collect::<Vec<_>>(), "a tail sees the same");
    }
    println!("{total} batches of 8 writers over 5 faults");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_hangs_stops_no_reading() {
    let cluster = Cluster::start();
    let user = cluster.user();
    let options = forms::options(&cluster.url(), &user);
    let ledger = forms::made(&options, 1, 3).await;
    let filled = fill(&ledger, &tenant("acme"), 40).await;
    // The connection must stay: to the leader itself.
    let stream = operator(&cluster.url(), &user).await.get_stream("LEDGER-0").await.unwrap();
    let leader = stream.cached_info().cluster.as_ref().unwrap().leader.clone().unwrap();
    let stranger = JetStream::open(&forms::options(&cluster.named(&leader).url(), &user)).await.unwrap();
    let hung = cluster.servers().iter().find(|server| server.name != leader).unwrap();
    hung.pause();
    let began = Instant::now();
    let stored = read_all(&stranger, &tenant("acme")).await;
    assert_eq!(
        stored.iter().map(|batch| batch.cursor).collect::<Vec<_>>(),
        filled.iter().map(|f| f.1).collect::<Vec<_>>()
    );
    println!("read beside a hanging replica in {:?}", began.elapsed());
    hung.resume();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_after_all_servers_were_killed() {
    let cluster = Cluster::start();
    let ledger = forms::made(&forms::options(&cluster.url(), &cluster.user()), 2, 3).await;
    let filled = fill(&ledger, &tenant("acme"), 30).await;
    cluster.restart_all();
    let stored = loop {
        match ledger.read(&tenant("acme"), 0).await {
            Ok(_) => break read_all(&ledger, &tenant("acme")).await,
            Err(error) => {
                assert!(matches!(error, promptory_ledger::ReadError::Unavailable(_)), "{error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    };
    let expected: Vec<_> = filled.iter().map(|(_, cursor)| *cursor).collect();
    assert_eq!(stored.iter().map(|batch| batch.cursor).collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_batch_goes_everywhere() {
    let cluster = Cluster::start();
    let options = forms::options(&cluster.url(), &cluster.user());
    let ledger = forms::made(&options, 1, 3).await;
    let acme = tenant("acme");
    let overhead = Draft::first(ledger.incarnation(), &acme).encode().len() + 8;
    let large = Draft::first(ledger.incarnation(), &acme).padded(promptory_events::limits::BATCH_MAX_BYTES - overhead);
    let cursor = append(&ledger, &large).await.unwrap();
    let next = large.then(1, cursor.sequence).padded(promptory_events::limits::BATCH_MAX_BYTES - overhead);
    append(&ledger, &next).await.unwrap();
    let other = JetStream::open(&options).await.unwrap();
    assert_eq!(other.head(&acme).await.unwrap().unwrap().position.index, 1);
    assert_eq!(other.get(&acme, 0).await.unwrap().unwrap().bytes, large.encode());
    assert_eq!(read_all(&other, &acme).await.len(), 2);
    let (mut tail, mut seen) = (other.tail(0, None).await.unwrap(), Vec::new());
    until(&mut tail, &mut seen, 2).await;
    assert_eq!(seen, [1, 2]);
}
