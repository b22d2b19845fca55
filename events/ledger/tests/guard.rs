//! The guard against a model of a few lines: any sequence of appends, right and wrong, ends as the model says, on every
//! form, and on the embedded one however its writer groups it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod forms;
mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use promptory_events::{Cursor, TenantId};
use promptory_ledger::embedded::Embedded;
use promptory_ledger::storage::fault::FaultBackend;
use promptory_ledger::{AppendError, Ledger};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use support::{Draft, START, header, tenant};

/// One append: to whom, and how far each of its claims is from the truth of the moment.
#[derive(Clone, Debug)]
struct Attempt {
    tenant: usize,
    events: u32,
    guard_off: i64,
    index_off: i64,
    earlier: bool,
}

/// What a tenant has: (next index, sequence of the last batch, when it was recorded).
type Model = BTreeMap<usize, (u64, u64, i64)>;

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Appended(u64),
    Conflict,
    Invalid,
}

fn attempts() -> impl Strategy<Value = Vec<Attempt>> {
    // Mostly right, or nothing would ever be appended.
    let off = || prop_oneof![6 => Just(0_i64), 1 => -3..=3_i64];
    let attempt = (0..3_usize, 0..4_u32, off(), off(), prop::bool::weighted(0.1)).prop_map(
        |(tenant, events, guard_off, index_off, earlier)| Attempt { tenant, events, guard_off, index_off, earlier },
    );
    prop::collection::vec(attempt, 1..40)
}

/// The truth, in order: malformed first, then the guard, then the rest.
fn model_append(model: &mut Model, end: &mut u64, attempt: &Attempt, draft: &Draft) -> Outcome {
    let (next, prev, recorded_at) = model.get(&attempt.tenant).copied().unwrap_or((0, 0, i64::MIN));
    let header = &draft.header;
    if attempt.events == 0 {
        Outcome::Invalid
    } else if header.prev != prev {
        Outcome::Conflict
    } else if header.first_index != next || header.recorded_at.micros() < recorded_at {
        Outcome::Invalid
    } else {
        *end += 1;
        model.insert(attempt.tenant, (next + u64::from(attempt.events), *end, header.recorded_at.micros()));
        Outcome::Appended(*end)
    }
}

/// `round` keeps the tenants of one sequence of appends apart from those of the others on the same ledger.
fn name(round: u32, number: usize) -> TenantId {
    tenant(&format!("r{round}-t{number}"))
}

fn draft(ledger: &Ledger, model: &Model, round: u32, attempt: &Attempt) -> Draft {
    let (next, prev, recorded_at) = model.get(&attempt.tenant).copied().unwrap_or((0, 0, START));
    let tenant = name(round, attempt.tenant);
    let first_index = next.saturating_add_signed(attempt.index_off);
    let prev = prev.saturating_add_signed(attempt.guard_off);
    Draft::new(ledger.incarnation(), &tenant, first_index, attempt.events, prev)
        .recorded_at(recorded_at - i64::from(attempt.earlier))
}

/// Submits all in order and compares; `held`: the first sync waits until all the others are in the queue.
async fn compare(attempts: Vec<Attempt>, held: bool) -> Result<(), TestCaseError> {
    let disk = FaultBackend::new();
    let ledger = Ledger::Embedded(Embedded::with_backend(disk.clone(), 1).unwrap());
    let (mut model, mut end) = (Model::new(), 0);
    disk.hold_syncs(held);
    let (mut expected, mut running) = (Vec::new(), Vec::new());
    for attempt in &attempts {
        let draft = draft(&ledger, &model, 0, attempt);
        expected.push(model_append(&mut model, &mut end, attempt, &draft));
        let ledger = ledger.clone();
        running.push(tokio::spawn(async move {
            ledger.append(&draft.header.tenant, draft.header.prev, draft.encode()).await
        }));
        tokio::task::yield_now().await; // on one thread: it is in the queue now
    }
    disk.hold_syncs(false);
    for (expected, running) in expected.into_iter().zip(running) {
        prop_assert_eq!(seen(running.await.unwrap())?, expected);
    }
    chain_holds(&ledger, 0, &model).await
}

fn seen(outcome: Result<Cursor, AppendError>) -> Result<Outcome, TestCaseError> {
    match outcome {
        Ok(cursor) => Ok(Outcome::Appended(cursor.sequence)),
        Err(AppendError::Conflict) => Ok(Outcome::Conflict),
        Err(AppendError::Invalid(_)) => Ok(Outcome::Invalid),
        Err(other) => Err(TestCaseError::fail(other.to_string())),
    }
}

/// Submits one after another, again while the form is busy, and compares.
async fn compare_in_order(ledger: &Ledger, round: u32, attempts: Vec<Attempt>) -> Result<(), TestCaseError> {
    let mut model = Model::new();
    // Other rounds were before: their batches count.
    let mut end = last_sequence(ledger, round).await;
    for attempt in &attempts {
        let draft = draft(ledger, &model, round, attempt);
        let expected = model_append(&mut model, &mut end, attempt, &draft);
        let outcome = loop {
            match ledger.append(&draft.header.tenant, draft.header.prev, draft.encode()).await {
                Err(AppendError::Busy | AppendError::Unknown(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
                known => break seen(known)?,
            }
        };
        prop_assert_eq!(outcome, expected);
    }
    chain_holds(ledger, round, &model).await
}

/// The end of the only partition, found by appending to a tenant of its own.
async fn last_sequence(ledger: &Ledger, round: u32) -> u64 {
    let first = Draft::first(ledger.incarnation(), &tenant(&format!("r{round}-end")));
    ledger.append(&first.header.tenant, 0, first.encode()).await.unwrap().sequence
}

async fn chain_holds(ledger: &Ledger, round: u32, model: &Model) -> Result<(), TestCaseError> {
    for (number, (next, last, _)) in model {
        let mut reader = ledger.read(&name(round, *number), 0).await.unwrap();
        let (mut index, mut prev) = (0, 0);
        loop {
            let page = reader.next().await.unwrap();
            if page.is_empty() {
                break;
            }
            for batch in page {
                let header = header(&batch.bytes);
                prop_assert_eq!((header.first_index, header.prev), (index, prev));
                (index, prev) = (header.last_index() + 1, batch.cursor.sequence);
            }
        }
        prop_assert_eq!((index, prev), (*next, *last));
    }
    Ok(())
}

const CASES: u32 = 48;
/// Real servers sync every append.
const CASES_ON_SERVERS: u32 = 16;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn every_append_ends_as_the_model_says(attempts in attempts(), held in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(compare(attempts, held))?;
    }
}

fn in_order_on<F: Future<Output = forms::Made>>(make: impl FnOnce() -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (ledger, _keep) = runtime.block_on(make());
    let round = AtomicU32::new(0);
    let mut runner =
        TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES_ON_SERVERS) });
    let result = runner.run(&attempts(), |attempts| {
        runtime.block_on(compare_in_order(&ledger, round.fetch_add(1, Ordering::Relaxed), attempts))
    });
    result.unwrap();
}

#[test]
fn every_append_to_one_server_ends_as_the_model_says() {
    in_order_on(|| forms::jetstream_r1(1));
}

#[test]
fn every_append_to_three_servers_ends_as_the_model_says() {
    in_order_on(|| forms::jetstream_r3(1));
}
