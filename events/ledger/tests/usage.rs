//! The usage log keeps what its port says, in both forms.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod forms;
mod support;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use promptory_events::{TenantId, Timestamp};
use promptory_ledger::jetstream::{Shape, init, init_keeping};
use promptory_ledger::usage::{FileLog, KEEP, StreamLog};
use promptory_ledger::{AppendError, ReadError, UsageLog};
use support::tenant;
use tokio::sync::Semaphore;

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + second * 1_000_000)
}

async fn all(log: &UsageLog, tenant: &TenantId) -> Result<Vec<(u64, Bytes)>, ReadError> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = log.read(tenant, after).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = last.sequence;
        all.extend(page.into_iter().map(|entry| (entry.sequence, entry.bytes)));
    }
}

/// What is read, once there is so much of it: whichever replica is asked may have it later than those that acknowledged it.
async fn once<T: Debug>(many: usize, read: impl AsyncFn() -> Result<Vec<T>, ReadError>) -> Vec<T> {
    let since = Instant::now();
    loop {
        match read().await {
            Ok(read) if read.len() >= many => return read,
            Ok(_) | Err(ReadError::Unavailable(_)) if since.elapsed() < Duration::from_secs(60) => {}
            read => panic!("{many} are there, and not {read:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Appends a rollup, as often as the stream is busy.
async fn roll(log: &UsageLog, tenant: &TenantId, after: u64, bytes: &'static [u8]) -> Result<u64, AppendError> {
    loop {
        match log.append_rollup(tenant, after, Bytes::from_static(bytes)).await {
            Err(AppendError::Busy) => tokio::time::sleep(Duration::from_millis(5)).await,
            known => return known,
        }
    }
}

async fn keeps_its_word(log: UsageLog) {
    let (a, b) = (tenant("a"), tenant("b"));
    let at_once = Arc::new(Semaphore::new(16)); // a disk that syncs slowly has each of them acknowledged in time
    assert_eq!(log.read(&a, 0).await.unwrap(), []);
    assert_eq!(log.tenants().await.unwrap(), []);
    // Many at once, of two tenants: each is there once, in order.
    let appending = (0..200_u32).map(|number| {
        let (log, tenant) = (log.clone(), if number % 2 == 0 { a.clone() } else { b.clone() });
        let bytes = Bytes::from(format!("{number} {}", "x".repeat(30_000)));
        let at_once = at_once.clone();
        tokio::spawn(async move {
            let _turn = at_once.acquire().await.unwrap();
            log.append(&tenant, at(0), bytes.clone()).await.map(|at| (at, bytes))
        })
    });
    let appending: Vec<_> = appending.collect();
    let mut appended = BTreeSet::new();
    for one in appending {
        appended.insert(one.await.unwrap().unwrap());
    }
    let (of_a, of_b) = (once(100, async || all(&log, &a).await).await, once(100, async || all(&log, &b).await).await);
    assert!(of_a.is_sorted() && of_b.is_sorted(), "in order");
    assert_eq!((of_a.len(), of_b.len()), (100, 100));
    assert!(of_a.iter().chain(&of_b).all(|entry| appended.contains(entry)));
    let tenants: BTreeSet<_> = log.tenants().await.unwrap().into_iter().map(|(tenant, _)| tenant).collect();
    assert_eq!(tenants, BTreeSet::from([a.clone(), b.clone()]));
    let before = log.tenants().await.unwrap();
    let last = log.append(&a, at(1), Bytes::from_static(b"one more")).await.unwrap();
    assert_ne!(log.tenants().await.unwrap(), before, "who looks sees that something came");
    assert_eq!(once(1, async || log.read(&a, of_a.last().unwrap().0).await).await[0].sequence, last);
    assert_eq!(log.read(&a, last).await.unwrap(), []);

    // Rollups: one of two that make the next one wins.
    assert_eq!(log.rollups(&a, 0).await.unwrap(), []);
    let first = roll(&log, &a, 0, b"r1").await.unwrap();
    let conflict = roll(&log, &a, 0, b"r1'").await.unwrap_err();
    assert!(matches!(conflict, AppendError::Conflict), "{conflict}");
    let second = roll(&log, &a, first, b"r2").await.unwrap();
    assert!(matches!(roll(&log, &a, first, b"").await, Err(AppendError::Conflict)));
    let rollups = once(2, async || log.rollups(&a, 0).await).await;
    assert_eq!(
        rollups.iter().map(|one| (one.sequence, &one.bytes[..])).collect::<Vec<_>>(),
        [(first, b"r1".as_slice()), (second, b"r2".as_slice())]
    );
    assert_eq!(log.rollups(&a, second).await.unwrap(), []);
    assert_eq!(log.rolled_tenants().await.unwrap(), [a]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.redb");
    let log = FileLog::open(&path, KEEP).unwrap();
    let life = UsageLog::File(log.clone()).life();
    keeps_its_word(UsageLog::File(log.clone())).await;
    assert!(log.fsyncs() < 200, "many share a sync: {}", log.fsyncs());
    drop(log);
    let again = UsageLog::File(FileLog::open(&path, KEEP).unwrap());
    assert_eq!((again.life(), all(&again, &tenant("b")).await.unwrap().len()), (life, 100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_jetstream() {
    let options = forms::one_server();
    init(&options, Shape { replicas: 1, partitions: 1 }).await.unwrap();
    let log = StreamLog::open(&options).await.unwrap();
    keeps_its_word(UsageLog::JetStream(log)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_three_servers() {
    let options = forms::three_servers();
    init(&options, Shape { replicas: 3, partitions: 1 }).await.unwrap();
    let log = StreamLog::open(&options).await.unwrap();
    keeps_its_word(UsageLog::JetStream(log)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_old_goes_and_its_sequence_never_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let (path, keep) = (folder.path().join("usage.redb"), Duration::from_secs(3600));
    let log = UsageLog::File(FileLog::open(&path, keep).unwrap());
    assert_eq!(log.keep_ms(), 3_600_000);
    let a = tenant("a");
    for second in 0..600 {
        log.append(&a, at(second), Bytes::from_static(b"x")).await.unwrap();
    }
    log.append_rollup(&a, 0, Bytes::from_static(b"r")).await.unwrap();
    let longer = 2 * 24 * 3600;
    assert_eq!(log.expire(at(3600 + longer)).await.unwrap(), 0);
    assert_eq!(log.expire(at(3600 + longer + 400)).await.unwrap(), 400);
    assert_eq!(log.read(&a, 0).await.unwrap()[0].sequence, 401);
    assert_eq!(log.expire(at(9_000_000)).await.unwrap(), 200);
    assert_eq!(log.append(&a, at(0), Bytes::new()).await.unwrap(), 601);
    assert_eq!(log.rollups(&a, 0).await.unwrap().len(), 1, "rollups stay");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_jetstream_the_servers_keep_what_init_was_told() {
    let options = forms::one_server();
    let shape = Shape { replicas: 1, partitions: 1 };
    init_keeping(&options, shape, Duration::from_secs(7 * 24 * 3600)).await.unwrap();
    let log = UsageLog::JetStream(StreamLog::open(&options).await.unwrap());
    assert_eq!(log.keep_ms(), 7 * 24 * 3_600_000);
    let drift = init(&options, shape).await.unwrap().drift;
    assert!(drift.iter().any(|one| one.stream == "USAGE" && one.setting == "max_age"), "{drift:?}");
}
