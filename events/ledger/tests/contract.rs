//! What every form of the ledger promises, told as stories. A form joins by a factory in `forms`.
//!
//! Those on JetStream run on real servers: one alone, and three with three copies of everything.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod forms;
mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use promptory_events::{Cursor, Incarnation, TenantId, limits, partition};
use promptory_ledger::{AppendError, Ledger, ReadError, Recorded};
use support::{Draft, START, header, tenant};

/// An empty ledger of one form with 4 partitions, and what must live as long as it does.
struct World {
    ledger: Ledger,
    _keep: Box<dyn std::any::Any + Send>,
}

const PARTITIONS: u16 = 4;

macro_rules! contract {
    ($($story:ident),* $(,)?) => {
        contract!(@form embedded $($story)*);
        contract!(@form jetstream_r1 $($story)*);
        contract!(@form jetstream_r3 $($story)*);
    };
    // One module a form; each runs every story.
    (@form $form:ident $($story:ident)*) => {
        mod $form {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                let (ledger, keep) = crate::forms::$form(crate::PARTITIONS).await;
                crate::$story(crate::World { ledger, _keep: keep }).await;
            })*
        }
    };
}

contract![
    the_first_batch_is_guarded_by_none,
    one_of_two_with_the_same_predecessor_wins,
    writers_that_reload_after_a_conflict_lose_nothing,
    the_same_bytes_again_are_a_conflict_and_the_head_tells_whose_batch_it_is,
    what_can_never_be_appended_is_invalid_and_harms_nobody,
    tenants_of_one_partition_do_not_see_each_other,
    every_event_is_found_in_its_batch,
    a_reading_begins_anywhere_and_ends_where_the_head_was,
    a_long_history_comes_in_pages,
    a_tail_gives_what_is_there_and_then_what_comes,
    a_tail_resumes_at_any_cursor,
    a_tail_refuses_a_cursor_that_is_not_of_this_ledger,
    a_dropped_wait_of_a_tail_loses_nothing,
];

impl World {
    async fn append(&self, draft: &Draft) -> Result<Cursor, AppendError> {
        until_known(&self.ledger, draft).await
    }

    fn first(&self, tenant: &TenantId) -> Draft {
        Draft::first(self.ledger.incarnation(), tenant)
    }

    /// Appends `batches` batches of 1, 2, 3, 1, … events.
    async fn fill(&self, tenant: &TenantId, batches: u32) -> Vec<(Draft, Cursor)> {
        let mut out: Vec<(Draft, Cursor)> = Vec::new();
        for n in 0..batches {
            let draft = match out.last() {
                Some((last, cursor)) => last.then(n % 3 + 1, cursor.sequence),
                None => self.first(tenant),
            };
            let cursor = self.append(&draft).await.unwrap();
            out.push((draft, cursor));
        }
        out
    }

    async fn read_all(&self, tenant: &TenantId, from: u64) -> Vec<Recorded> {
        let mut reader = self.ledger.read(tenant, from).await.unwrap();
        let mut out = Vec::new();
        loop {
            let page = reader.next().await.unwrap();
            if page.is_empty() {
                return out;
            }
            out.extend(page);
        }
    }

    fn partition_of(&self, tenant: &TenantId) -> u16 {
        partition::of(tenant, self.ledger.partitions())
    }
}

/// Appends as a writer must: while it is busy or the outcome is open, the same bytes again.
async fn until_known(ledger: &Ledger, draft: &Draft) -> Result<Cursor, AppendError> {
    loop {
        match ledger.append(&draft.header.tenant, draft.header.prev, draft.encode()).await {
            Err(AppendError::Busy | AppendError::Unknown(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
            known => return known,
        }
    }
}

fn sequences(batches: &[Recorded]) -> Vec<u64> {
    batches.iter().map(|batch| batch.cursor.sequence).collect()
}

async fn the_first_batch_is_guarded_by_none(world: World) {
    let acme = tenant("acme");
    assert_eq!(world.ledger.head(&acme).await.unwrap(), None);
    assert!(world.ledger.get(&acme, 0).await.unwrap().is_none());
    assert!(world.read_all(&acme, 0).await.is_empty());

    let draft = world.first(&acme);
    let cursor = world.append(&draft).await.unwrap();
    let head = world.ledger.head(&acme).await.unwrap().unwrap();
    assert_eq!((head.position.index, head.cursor, head.recorded_at.micros()), (0, cursor, START));
    assert_eq!(head.position.incarnation, world.ledger.incarnation());
    assert_eq!(world.ledger.get(&acme, 0).await.unwrap().unwrap().bytes, draft.encode());

    let again = world.append(&world.first(&acme).id(9)).await;
    assert!(matches!(again, Err(AppendError::Conflict)), "only one batch is the first: {again:?}");
}

async fn one_of_two_with_the_same_predecessor_wins(world: World) {
    let acme = tenant("acme");
    let cursor = world.append(&world.first(&acme)).await.unwrap();
    let rivals: Vec<_> = (1..=16).map(|id| world.first(&acme).then(1, cursor.sequence).id(id)).collect();
    let mut running = tokio::task::JoinSet::new();
    for rival in rivals {
        let ledger = world.ledger.clone();
        running.spawn(async move { until_known(&ledger, &rival).await });
    }
    let outcomes = running.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Err(AppendError::Conflict))).count(), 15);
    assert_eq!(world.ledger.head(&acme).await.unwrap().unwrap().position.index, 1);
}

async fn writers_that_reload_after_a_conflict_lose_nothing(world: World) {
    let mut running = tokio::task::JoinSet::new();
    for writer in 0..8_u64 {
        let ledger = world.ledger.clone();
        running.spawn(async move { append_with_reload(&ledger, writer).await });
    }
    let mut acknowledged: Vec<_> = running.join_all().await.into_iter().flatten().collect();
    acknowledged.sort_unstable();
    let stored = world.read_all(&tenant("acme"), 0).await;
    assert_eq!(sequences(&stored), acknowledged, "every acknowledged batch is there once, and no other");
    let indexes: Vec<_> = stored.iter().map(|batch| header(&batch.bytes).first_index).collect();
    assert_eq!(indexes, (0..80).collect::<Vec<_>>());
}

/// Ten batches of one event by one writer among others.
async fn append_with_reload(ledger: &Ledger, writer: u64) -> Vec<u64> {
    let acme = tenant("acme");
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 10 {
        let head = ledger.head(&acme).await.unwrap();
        let (next, prev) = head.map_or((0, 0), |head| (head.position.index + 1, head.cursor.sequence));
        let draft = Draft::new(ledger.incarnation(), &acme, next, 1, prev).id(writer);
        match ledger.append(&acme, prev, draft.encode()).await {
            Ok(cursor) => acknowledged.push(cursor.sequence),
            Err(AppendError::Conflict | AppendError::Busy) => {}
            Err(other) => panic!("{other}"),
        }
    }
    acknowledged
}

async fn the_same_bytes_again_are_a_conflict_and_the_head_tells_whose_batch_it_is(world: World) {
    let acme = tenant("acme");
    let draft = world.first(&acme).id(77);
    world.append(&draft).await.unwrap();
    assert!(matches!(world.append(&draft).await, Err(AppendError::Conflict)));
    let head = world.ledger.head(&acme).await.unwrap().unwrap();
    let last = world.ledger.get(&acme, head.position.index).await.unwrap().unwrap();
    assert_eq!(header(&last.bytes).batch_id, draft.header.batch_id, "it was ours: the first attempt had worked");
}

async fn what_can_never_be_appended_is_invalid_and_harms_nobody(world: World) {
    let acme = tenant("acme");
    let cursor = world.append(&world.first(&acme)).await.unwrap();
    let good = world.first(&acme).then(2, cursor.sequence);

    let mut gap = good.clone();
    gap.header.first_index += 1;
    let mut huge_index = good.clone();
    huge_index.header.first_index = u64::MAX;
    let mut no_events = good.clone();
    no_events.header.events = 0;
    let mut other_life = good.clone();
    other_life.header.incarnation = Incarnation([0xee; 8]);
    let earlier = good.clone().recorded_at(START - 1);
    let too_large = good.clone().padded(limits::BATCH_MAX_BYTES);
    for bad in [gap, huge_index, no_events, other_life, earlier, too_large] {
        let outcome = world.append(&bad).await;
        assert!(matches!(outcome, Err(AppendError::Invalid(_))), "{:?}: {outcome:?}", bad.header);
    }
    let encoded = good.encode();
    for (whose, guard, bytes) in [
        (&acme, cursor.sequence, encoded.slice(..encoded.len() - 1)),
        (&acme, cursor.sequence, "not a batch".into()),
        (&acme, cursor.sequence + 1, encoded.clone()),
        (&tenant("other"), cursor.sequence, encoded),
    ] {
        let outcome = world.ledger.append(whose, guard, bytes).await;
        assert!(matches!(outcome, Err(AppendError::Invalid(_))), "{outcome:?}");
    }

    assert_eq!(world.ledger.head(&acme).await.unwrap().unwrap().cursor, cursor);
    assert_eq!(world.ledger.head(&tenant("other")).await.unwrap(), None);
    world.append(&good.recorded_at(START)).await.expect("the same instant is not earlier");
}

async fn tenants_of_one_partition_do_not_see_each_other(world: World) {
    let mut tenants = (0..).map(|n| tenant(&format!("t{n}")));
    let one = tenants.next().unwrap();
    let other = tenants.find(|t| world.partition_of(t) == world.partition_of(&one)).unwrap();
    for (expected, whose) in [(1, &one), (2, &other)] {
        assert_eq!(world.append(&world.first(whose)).await.unwrap().sequence, expected, "one sequence a partition");
    }
    let third = world.append(&world.first(&one).then(1, 1)).await.unwrap();
    assert_eq!(third.sequence, 3, "the other's batch in between is no conflict");
    let fourth = world.append(&world.first(&other).then(1, 2)).await.unwrap();
    assert_eq!(sequences(&world.read_all(&one, 0).await), [1, 3]);
    assert_eq!(sequences(&world.read_all(&other, 0).await), [2, fourth.sequence]);
}

async fn every_event_is_found_in_its_batch(world: World) {
    let acme = tenant("acme");
    let filled = world.fill(&acme, 9).await;
    for (draft, cursor) in &filled {
        for index in draft.header.first_index..=draft.header.last_index() {
            let found = world.ledger.get(&acme, index).await.unwrap().unwrap();
            assert_eq!((found.cursor, found.bytes), (*cursor, draft.encode()));
        }
    }
    let beyond = filled.last().unwrap().0.header.last_index() + 1;
    assert!(world.ledger.get(&acme, beyond).await.unwrap().is_none());
    assert!(world.ledger.get(&acme, u64::MAX).await.unwrap().is_none());
}

async fn a_reading_begins_anywhere_and_ends_where_the_head_was(world: World) {
    let acme = tenant("acme");
    let filled = world.fill(&acme, 9).await;
    let last = filled.last().unwrap();
    for from in 0..=last.0.header.last_index() {
        let expected: Vec<_> =
            filled.iter().filter(|(d, _)| d.header.last_index() >= from).map(|(_, c)| c.sequence).collect();
        assert_eq!(sequences(&world.read_all(&acme, from).await), expected, "from {from}");
    }
    assert!(world.read_all(&acme, last.0.header.last_index() + 1).await.is_empty());

    let mut reader = world.ledger.read(&acme, 0).await.unwrap();
    world.append(&last.0.then(1, last.1.sequence)).await.unwrap();
    assert_eq!(reader.next().await.unwrap().len(), 9, "what came after the reading began is not in it");
    assert!(reader.next().await.unwrap().is_empty());
    assert!(reader.next().await.unwrap().is_empty(), "the end stays the end");
}

async fn a_long_history_comes_in_pages(world: World) {
    let acme = tenant("acme");
    let mut draft = world.first(&acme).padded(1 << 20);
    for sequence in 1..=9 {
        assert_eq!(world.append(&draft).await.unwrap().sequence, sequence);
        draft = draft.then(1, sequence).padded(1 << 20);
    }
    let mut reader = world.ledger.read(&acme, 3).await.unwrap();
    let (mut pages, mut all) = (0, Vec::new());
    loop {
        let page = reader.next().await.unwrap();
        let size: usize = page.iter().map(|batch| batch.bytes.len()).sum();
        assert!(size < 8 << 20, "a page has some MiB at most");
        if page.is_empty() {
            break;
        }
        pages += 1;
        all.extend(page);
    }
    assert_eq!(sequences(&all), [4, 5, 6, 7, 8, 9]);
    assert!(pages > 1);
}

async fn a_tail_gives_what_is_there_and_then_what_comes(world: World) {
    let acme = tenant("acme");
    let before = world.fill(&acme, 5).await;
    let mut tail = world.ledger.tail(world.partition_of(&acme), None).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 5 {
        seen.extend(tail.next().await.unwrap());
    }
    let writing = async {
        let mut last = before.last().unwrap().clone();
        for _ in 0..20 {
            let next = last.0.then(1, last.1.sequence);
            last = (next.clone(), world.append(&next).await.unwrap());
        }
    };
    let reading = async {
        while seen.len() < 25 {
            let page = tail.next().await.unwrap();
            assert!(!page.is_empty());
            seen.extend(page);
        }
    };
    tokio::join!(writing, reading);
    assert_eq!(sequences(&seen), (1..=25).collect::<Vec<_>>());
    let expected: Vec<_> = world.read_all(&acme, 0).await.into_iter().map(|batch| batch.bytes).collect();
    assert_eq!(seen.into_iter().map(|batch| batch.bytes).collect::<Vec<_>>(), expected);
    assert!(tokio::time::timeout(Duration::from_millis(20), tail.next()).await.is_err(), "and waits");
}

async fn a_tail_resumes_at_any_cursor(world: World) {
    let acme = tenant("acme");
    let filled = world.fill(&acme, 6).await;
    for (position, (_, cursor)) in filled.iter().enumerate().take(5) {
        let mut tail = world.ledger.tail(world.partition_of(&acme), Some(*cursor)).await.unwrap();
        let mut seen = Vec::new();
        while seen.len() < 5 - position {
            seen.extend(tail.next().await.unwrap());
        }
        assert_eq!(sequences(&seen), (cursor.sequence + 1..=6).collect::<Vec<_>>());
    }
    // A cursor that an append just returned is never beyond the end.
    let (mut last, mut cursor) = filled.last().unwrap().clone();
    for _ in 0..20 {
        last = last.then(1, cursor.sequence);
        cursor = world.append(&last).await.unwrap();
        world.ledger.tail(world.partition_of(&acme), Some(cursor)).await.unwrap();
    }
}

async fn a_tail_refuses_a_cursor_that_is_not_of_this_ledger(world: World) {
    let acme = tenant("acme");
    let cursor = world.fill(&acme, 2).await.last().unwrap().1;
    let partition = world.partition_of(&acme);
    let beyond = Cursor { sequence: cursor.sequence + 1, ..cursor };
    let other_life = Cursor { incarnation: Incarnation([0xee; 8]), ..cursor };
    for wrong in [beyond, other_life] {
        let refused = world.ledger.tail(partition, Some(wrong)).await.err();
        assert!(matches!(refused, Some(ReadError::Corrupt(_))), "{wrong:?}: {refused:?}");
    }
    assert!(world.ledger.tail(4, None).await.is_err(), "there are 4 partitions: 0 to 3");
}

async fn a_dropped_wait_of_a_tail_loses_nothing(world: World) {
    let acme = tenant("acme");
    let mut tail = world.ledger.tail(world.partition_of(&acme), None).await.unwrap();
    let ledger = world.ledger.clone();
    let writing = tokio::spawn(async move {
        let mut draft = Draft::first(ledger.incarnation(), &tenant("acme"));
        for _ in 0..50 {
            let cursor = until_known(&ledger, &draft).await.unwrap();
            draft = draft.then(1, cursor.sequence);
        }
    });
    let mut seen = Vec::new();
    while seen.len() < 50 {
        // Cancelled again and again, at whatever point it has come to.
        tokio::select! {
            biased;
            page = tail.next() => seen.extend(page.unwrap()),
            () = tokio::task::yield_now() => {}
        }
    }
    writing.await.unwrap();
    assert_eq!(sequences(&seen), (1..=50).collect::<Vec<_>>());
    assert_eq!(sequences(&seen).into_iter().collect::<BTreeSet<_>>().len(), 50);
}
