//! Whatever the weights were and become: they come out exactly, and no bucket moves that need not.

use std::path::PathBuf;

use promptory_events::rollout::BUCKETS;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn weights(shares: &[(u32, u16)]) -> Weights {
    Weights::new(shares.iter().copied().collect()).unwrap()
}

/// Weights of up to six of eight versions.
fn any_weights() -> impl Strategy<Value = Weights> {
    proptest::collection::btree_map(1u32..9, 1u16..1000, 1..7).prop_map(|mut shares| {
        let sum: u32 = shares.values().map(|share| u32::from(*share)).sum();
        let scaled = |share: u16| u16::try_from(u32::from(share) * u32::from(BUCKETS) / sum).unwrap().max(1);
        shares.values_mut().for_each(|share| *share = scaled(*share));
        let others: u16 = shares.values().skip(1).sum();
        *shares.values_mut().next().unwrap() = BUCKETS - others;
        Weights::new(shares).unwrap()
    })
}

#[test]
fn of_two_versions_the_buckets_that_moved_last_move_back_first() {
    let all = Table::all(1);
    let ten = fewest(&all, 1, &weights(&[(1, 9000), (2, 1000)])).unwrap();
    let half = fewest(&ten, 1, &weights(&[(1, 5000), (2, 5000)])).unwrap();
    assert_eq!(half.runs().len(), 2);
    assert_eq!(fewest(&half, 1, &weights(&[(1, 9000), (2, 1000)])).unwrap(), ten);
    assert_eq!(fewest(&ten, 1, &weights(&[(1, 10_000)])).unwrap(), all);
}

/// Changes of weights, for whoever checks them without this code.
fn vectors() -> Value {
    let steps: [&[(u32, u16)]; 6] = [
        &[(1, 9000), (2, 1000)],
        &[(1, 5000), (2, 5000)],
        &[(1, 5000), (2, 2500), (3, 2500)],
        &[(3, 3333), (2, 3333), (1, 3334)],
        &[(4, 1), (3, 9999)],
        &[(1, 10_000)],
    ];
    let mut table = Table::all(1);
    let step = |shares: &&[(u32, u16)]| {
        let (before, weights) = (table.clone(), weights(shares));
        table = fewest(&before, 1, &weights).unwrap();
        json!({ "control": 1, "before": before, "weights": weights, "after": table })
    };
    steps.iter().map(step).collect()
}

#[test]
#[allow(clippy::disallowed_methods, reason = "writes a generated file when it is told to")]
fn the_vectors_of_changed_weights() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/weights.json");
    let now = serde_json::to_string_pretty(&vectors()).unwrap() + "\n";
    if std::env::var_os("PROMPTORY_WRITE_GOLDEN").is_some() && !path.exists() {
        std::fs::write(&path, &now).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), now, "which buckets move");
}

proptest! {
    #[test]
    fn weights_come_out_exactly_and_the_fewest_buckets_move(steps in proptest::collection::vec(any_weights(), 1..8)) {
        let mut table = Table::all(1);
        for weights in steps {
            let (before, has) = (table.clone(), table.weights());
            table = fewest(&before, 1, &weights).unwrap();
            prop_assert_eq!(&table.weights(), weights.as_map());
            let moved = before.buckets().zip(table.buckets()).filter(|(from, to)| from != to).count();
            let least: u16 = has.iter().map(|(version, count)| count.saturating_sub(weights.of(*version))).sum();
            prop_assert_eq!(moved, usize::from(least), "every bucket that a version has too many, and no other");
        }
    }
}
