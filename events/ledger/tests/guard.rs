//! The guard against a model of a few lines: any sequence of appends, right and wrong, ends as the model says, however
//! the writer groups it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;

use promptory_ledger::embedded::Embedded;
use promptory_ledger::storage::fault::FaultBackend;
use promptory_ledger::{AppendError, Ledger};
use proptest::prelude::*;
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

fn draft(ledger: &Ledger, model: &Model, attempt: &Attempt) -> Draft {
    let (next, prev, recorded_at) = model.get(&attempt.tenant).copied().unwrap_or((0, 0, START));
    let tenant = tenant(&format!("t{}", attempt.tenant));
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
        let draft = draft(&ledger, &model, attempt);
        expected.push(model_append(&mut model, &mut end, attempt, &draft));
        let ledger = ledger.clone();
        running.push(tokio::spawn(async move {
            ledger.append(&draft.header.tenant, draft.header.prev, draft.encode()).await
        }));
        tokio::task::yield_now().await; // on one thread: it is in the queue now
    }
    disk.hold_syncs(false);
    for (expected, running) in expected.into_iter().zip(running) {
        let outcome = match running.await.unwrap() {
            Ok(cursor) => Outcome::Appended(cursor.sequence),
            Err(AppendError::Conflict) => Outcome::Conflict,
            Err(AppendError::Invalid(_)) => Outcome::Invalid,
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        };
        prop_assert_eq!(outcome, expected);
    }
    chain_holds(&ledger, &model).await
}

async fn chain_holds(ledger: &Ledger, model: &Model) -> Result<(), TestCaseError> {
    for (number, (next, last, _)) in model {
        let mut reader = ledger.read(&tenant(&format!("t{number}")), 0).await.unwrap();
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_append_ends_as_the_model_says(attempts in attempts(), held in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(compare(attempts, held))?;
    }
}
