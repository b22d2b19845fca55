//! A ledger as a file and back, between the forms, while it is written to; and every way in which a file can be wrong.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod forms;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use promptory_events::{BackupId, Batch, TenantId, Timestamp};
use promptory_ledger::backup::lineage::Lineages;
use promptory_ledger::backup::{self, Archive, BackupError, Contents, RestoreError, restore, sweep};
use promptory_ledger::{Ledger, Recorded};
use support::{Draft, header, tenant};
use tokio::sync::mpsc;

const BACKUP: BackupId = BackupId([7; 16]);

/// A file in a folder that is removed with it.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ledger.backup")
    }
}

/// Backs a ledger up into a file.
async fn back_up(ledger: &Ledger, file: &Path) -> Contents {
    let (sink, mut stream) = mpsc::channel::<std::io::Result<Bytes>>(1);
    let file = file.to_owned();
    let writing = tokio::spawn(async move {
        let mut bytes = Vec::new();
        while let Some(chunk) = stream.recv().await {
            bytes.extend_from_slice(&chunk.unwrap());
        }
        fs::write(file, bytes).unwrap();
    });
    let contents = backup::write(ledger, None, BACKUP, Timestamp::from_micros(1), &sink).await.unwrap();
    drop(sink);
    writing.await.unwrap();
    contents
}

/// Appends `count` batches after `last`, of one to three events.
async fn grow(ledger: &Ledger, tenant: &TenantId, count: u64, last: Option<(Draft, u64)>) -> (Draft, u64) {
    let mut last = last;
    for n in 0..count {
        let draft = match &last {
            Some((draft, sequence)) => draft.then(u32::try_from(n % 3).unwrap() + 1, *sequence),
            None => Draft::first(ledger.incarnation(), tenant),
        };
        let draft = draft.id(n + 1).padded(usize::try_from(n % 7).unwrap());
        let cursor = ledger.append(tenant, draft.header.prev, draft.encode()).await.unwrap();
        last = Some((draft, cursor.sequence));
    }
    last.unwrap()
}

async fn filled(ledger: &Ledger, count: u64) {
    for name in ["_system", "acme", "b", "zebra"] {
        grow(ledger, &tenant(name), count, None).await;
    }
}

async fn batches(ledger: &Ledger) -> Vec<Recorded> {
    let mut out = Vec::new();
    sweep(ledger, |batch| {
        out.push(batch.clone());
        Ok(())
    })
    .await
    .unwrap();
    out
}

async fn restored(ledger: &Ledger, file: &Path, resume: bool) -> Result<Contents, RestoreError> {
    let contents = Archive::check(file)?;
    restore(ledger, file, &contents, resume, |_| {}).await?;
    Ok(contents)
}

/// Everything that must be the same after a restore, by tenant and index.
async fn kept(ledger: &Ledger) -> Vec<(TenantId, u64, Timestamp, promptory_events::BatchId, Bytes)> {
    let mut out: Vec<_> = batches(ledger)
        .await
        .into_iter()
        .map(|batch| {
            let header = header(&batch.bytes);
            assert_eq!(header.incarnation, ledger.incarnation());
            (header.tenant, header.first_index, header.recorded_at, header.batch_id, Batch::body(batch.bytes).unwrap())
        })
        .collect();
    out.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    out
}

/// Backs `from` up while two tenants are written to, and restores it into `into`.
async fn there_and_back(from: Ledger, into: Ledger) {
    let (place, stop, acknowledged) = (Place::new(), Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    filled(&from, 30).await;
    let before = kept(&from).await;
    let writers: Vec<_> = ["one", "two"]
        .into_iter()
        .map(|name| {
            let (ledger, stop, acknowledged) = (from.clone(), stop.clone(), acknowledged.clone());
            tokio::spawn(async move {
                let name = tenant(name);
                let mut last = None;
                while !stop.load(Ordering::Relaxed) {
                    last = Some(grow(&ledger, &name, 1, last).await);
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    while acknowledged.load(Ordering::Relaxed) < 5 {
        tokio::task::yield_now().await;
    }
    let at_least = acknowledged.load(Ordering::Relaxed);
    let made = back_up(&from, &place.file()).await;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(Archive::check(&place.file()).unwrap(), made, "what was written is what is read");
    let live: u64 = ["one", "two"].iter().filter_map(|name| made.tenant(&tenant(name))).map(|t| t.batches).sum();
    assert!(live >= at_least, "{live} of at least {at_least} that were acknowledged before it began");

    let contents = restored(&into, &place.file(), false).await.unwrap();
    assert_ne!(into.incarnation(), from.incarnation());
    let (all, now) = (kept(&from).await, kept(&into).await);
    assert!(before.iter().all(|batch| now.contains(batch)));
    assert!(now.iter().all(|batch| all.contains(batch)), "nothing else is there");
    assert_eq!(now.len() as u64, contents.batches());
    for summary in &contents.tenants {
        let mut reader = into.read(&summary.tenant, 0).await.unwrap();
        let mut events = 0;
        loop {
            let page = reader.next().await.unwrap();
            if page.is_empty() {
                break;
            }
            events += page.iter().map(|batch| u64::from(header(&batch.bytes).events)).sum::<u64>();
        }
        assert_eq!(events, summary.events, "{}: the chain holds", summary.tenant);
    }
    // The new life goes on.
    let acme = tenant("acme");
    let head = into.head(&acme).await.unwrap().unwrap();
    let next = Draft::new(into.incarnation(), &acme, head.position.index + 1, 1, head.cursor.sequence);
    let next = next.recorded_at(head.recorded_at.micros());
    into.append(&acme, head.cursor.sequence, next.encode()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_a_file_to_a_file_with_another_number_of_partitions() {
    let ((from, _kept), (into, _too)) = (forms::embedded(3).await, forms::embedded(2).await);
    there_and_back(from, into).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_a_file_to_jetstream() {
    let ((from, _kept), (into, _too)) = (forms::embedded(1).await, forms::jetstream_r1(4).await);
    there_and_back(from, into).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_jetstream_to_a_file() {
    let ((from, _kept), (into, _too)) = (forms::jetstream_r1(4).await, forms::embedded(1).await);
    there_and_back(from, into).await;
}

#[tokio::test]
async fn whatever_is_flipped_or_cut_off_is_refused() {
    let ((ledger, _kept), place) = (forms::embedded(1).await, Place::new());
    filled(&ledger, 4).await;
    back_up(&ledger, &place.file()).await;
    let good = fs::read(place.file()).unwrap();
    Archive::check(&place.file()).unwrap();
    for at in (0..good.len()).step_by(7) {
        let mut flipped = good.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(place.file(), flipped).unwrap();
        assert!(Archive::check(&place.file()).is_err(), "a bit of byte {at} was flipped");
    }
    for len in (0..good.len()).step_by(11).chain([good.len() - 1]) {
        fs::write(place.file(), &good[..len]).unwrap();
        let refused = Archive::check(&place.file());
        assert!(matches!(refused, Err(BackupError::Cut(_) | BackupError::NotOurs(_))), "cut at {len}: {refused:?}");
    }
    fs::write(place.file(), [&good[..], b"?"].concat()).unwrap();
    assert!(Archive::check(&place.file()).is_err(), "something follows");

    let ((into, _too), refused) = (forms::embedded(1).await, restored(&ledger, &place.file(), false).await);
    assert!(matches!(refused, Err(RestoreError::Backup(_))));
    assert!(batches(&into).await.is_empty());
}

#[tokio::test]
async fn a_file_that_ends_at_a_sum_is_cut_off_too() {
    let ((ledger, _kept), place) = (forms::embedded(1).await, Place::new());
    // Batches of a MiB, so that a sum comes in the middle.
    let (acme, mut last) = (tenant("acme"), None::<(Draft, u64)>);
    for _ in 0..8 {
        let draft = match &last {
            Some((draft, sequence)) => draft.then(1, *sequence),
            None => Draft::first(ledger.incarnation(), &acme),
        };
        let draft = draft.padded(1 << 20);
        let cursor = ledger.append(&acme, draft.header.prev, draft.encode()).await.unwrap();
        last = Some((draft, cursor.sequence));
    }
    back_up(&ledger, &place.file()).await;
    let good = fs::read(place.file()).unwrap();
    let (mut at, mut sums) = (b"promptory backup 1\n".len(), Vec::new());
    while at < good.len() {
        let len = u32::from_le_bytes(good[at + 1..at + 5].try_into().unwrap());
        let kind = good[at];
        at += 5 + usize::try_from(len).unwrap();
        sums.extend((kind == b'S').then_some(at));
    }
    assert!(sums.len() > 1, "{sums:?}");
    fs::write(place.file(), &good[..sums[0]]).unwrap();
    assert!(matches!(Archive::check(&place.file()), Err(BackupError::Cut(_))));
}

#[tokio::test]
async fn a_ledger_that_is_not_empty_and_a_backup_without_a_system_are_refused() {
    let ((from, _kept), (into, _too), place) = (forms::embedded(1).await, forms::embedded(1).await, Place::new());
    filled(&from, 2).await;
    back_up(&from, &place.file()).await;
    let other = Draft::first(into.incarnation(), &tenant("acme")).id(99);
    into.append(&tenant("acme"), 0, other.encode()).await.unwrap();
    let refused = restored(&into, &place.file(), false).await;
    assert!(matches!(refused, Err(RestoreError::NotEmpty(t)) if t == tenant("acme")));
    let refused = restored(&into, &place.file(), true).await;
    assert!(matches!(refused, Err(RestoreError::OtherContents(t)) if t == tenant("acme")), "it is not of this backup");
    assert_eq!(batches(&into).await.len(), 1, "nothing was added");

    let ((never_set_up, _three), (empty, _four)) = (forms::embedded(1).await, forms::embedded(1).await);
    grow(&never_set_up, &tenant("acme"), 1, None).await;
    back_up(&never_set_up, &place.file()).await;
    assert!(matches!(restored(&empty, &place.file(), false).await, Err(RestoreError::NoSystem)));
}

async fn interrupted_and_resumed(into: Ledger) {
    let ((from, _kept), place) = (forms::embedded(1).await, Place::new());
    filled(&from, 100).await;
    let contents = back_up(&from, &place.file()).await;
    let (ledger, file) = (into.clone(), place.file());
    let (tell, mut told) = mpsc::channel(1024);
    let restoring = tokio::spawn(async move {
        let progress = |progress: backup::Progress| tell.try_send(progress.done).unwrap_or_default();
        restore(&ledger, &file, &contents, false, progress).await
    });
    while told.recv().await.unwrap() < 150 {}
    restoring.abort();
    let _ = restoring.await; // it may have been through already
    // What was on its way is in the writer's queue, which a kill would have taken with it: this one stands behind.
    let behind = Draft::new(into.incarnation(), &tenant("acme"), 1000, 1, 1000);
    into.append(&tenant("acme"), 1000, behind.encode()).await.unwrap_err();
    let there = batches(&into).await.len();
    assert!((1..400).contains(&there), "{there} of 400");
    assert!(into.head(&TenantId::system()).await.unwrap().is_none(), "nobody is let in yet");
    assert!(matches!(restored(&into, &place.file(), false).await, Err(RestoreError::NotEmpty(_))));
    restored(&into, &place.file(), true).await.unwrap();
    assert_eq!(kept(&into).await, kept(&from).await);
    restored(&into, &place.file(), true).await.expect("and once more: there is nothing to do");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_restore_into_a_file_goes_on() {
    let (into, _kept) = forms::embedded(2).await;
    interrupted_and_resumed(into).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_restore_into_jetstream_goes_on() {
    let (into, _kept) = forms::jetstream_r1(2).await;
    interrupted_and_resumed(into).await;
}

#[tokio::test]
async fn a_batch_that_can_not_be_where_it_is_ends_a_lineage_by_name_and_index() {
    let (ledger, _kept) = forms::embedded(1).await;
    let acme = tenant("acme");
    let first = Draft::first(ledger.incarnation(), &acme);
    let wrong: [(&str, Draft); 5] = [
        ("begins at event 5", Draft::new(ledger.incarnation(), &acme, 5, 1, 1)),
        ("follows batch 9", Draft::new(ledger.incarnation(), &acme, 1, 1, 9)),
        ("recorded at", first.then(1, 1).recorded_at(support::START - 1)),
        ("is of incarnation", Draft::new(promptory_events::Incarnation([0; 8]), &acme, 1, 1, 1)),
        ("begins at event 0", first.clone()),
    ];
    for (why, draft) in wrong {
        let mut lineages = Lineages::new(ledger.incarnation());
        lineages.take(1, &first.encode()).unwrap();
        let broken = lineages.take(2, &draft.encode()).unwrap_err();
        assert_eq!((broken.tenant.as_str(), broken.index), ("acme", 1));
        assert!(broken.why.contains(why), "{broken}");
        lineages.take(2, &first.then(1, 1).encode()).expect("it was not taken in");
    }
}
