//! Buckets and tables, and the vectors that every SDK must come to as well.

use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn runs(runs: &[(u32, u16)]) -> Result<Table, SplitError> {
    Table::new(runs.iter().map(|(version, buckets)| Run { version: *version, buckets: *buckets }).collect())
}

fn weights(weights: &[(u32, u16)]) -> Result<Weights, SplitError> {
    Weights::new(weights.iter().copied().collect())
}

#[test]
fn a_table_covers_all_buckets_once_and_its_runs_could_not_be_fewer() {
    let table = runs(&[(1, 9000), (2, 999), (1, 1)]).unwrap();
    assert_eq!([0, 8999, 9000, 9998, 9999, u16::MAX].map(|bucket| table.version(bucket)), [1, 1, 2, 2, 1, 1]);
    assert_eq!(table.weights(), BTreeMap::from([(1, 9001), (2, 999)]));
    assert_eq!(Table::of_buckets(table.buckets()), Ok(table.clone()));
    let bytes = postcard::to_allocvec(&table).unwrap();
    assert_eq!(postcard::from_bytes::<Table>(&bytes).unwrap(), table);
    for (bad, why) in [
        (vec![], SplitError::Sum(0)),
        (vec![(1, 9999)], SplitError::Sum(9999)),
        (vec![(1, 10_000), (2, 60_000)], SplitError::Sum(70_000)),
        (vec![(1, 10_000), (2, 0)], SplitError::Empty),
        (vec![(1, 5000), (1, 5000)], SplitError::Neighbours(1)),
    ] {
        assert_eq!(runs(&bad), Err(why));
        let bad: Vec<Run> = bad.into_iter().map(|(version, buckets)| Run { version, buckets }).collect();
        assert!(
            postcard::from_bytes::<Table>(&postcard::to_allocvec(&bad).unwrap()).is_err(),
            "bytes are not believed"
        );
    }
    let many = (0..BUCKETS).map(|bucket| u32::from(bucket % 2));
    assert_eq!(Table::of_buckets(many), Err(SplitError::Runs));
}

#[test]
fn weights_add_up_and_name_some_versions() {
    assert_eq!(weights(&[(1, 9000), (2, 1000)]).unwrap().of(2), 1000);
    assert_eq!(weights(&[]), Err(SplitError::Arms(0)));
    assert_eq!(weights(&[(1, 9000), (2, 999)]), Err(SplitError::Sum(9999)));
    assert_eq!(weights(&[(1, 10_000), (2, 0)]), Err(SplitError::Empty));
    let many: Vec<_> = (1..=17).map(|version| (version, 588)).collect();
    assert_eq!(weights(&many), Err(SplitError::Arms(17)));
    assert!(serde_json::from_str::<Weights>(r#"{"1":1}"#).is_err());
}

#[test]
fn over_a_hundred_thousand_keys_the_split_is_within_one_percent_of_the_weights() {
    let shares = [(1, 5000), (2, 2500), (3, 1500), (4, 1000)];
    let table = runs(&shares).unwrap();
    for rollout in [RolloutId([1; 16]), RolloutId([2; 16]), RolloutId([0xfe; 16])] {
        let mut counts = BTreeMap::<u32, u32>::new();
        for n in 0..100_000 {
            *counts.entry(table.version(bucket(rollout, &format!("user-{n}")))).or_default() += 1;
        }
        for (version, weight) in shares {
            let (got, wanted) = (i64::from(counts[&version]), i64::from(weight) * 10);
            assert!((got - wanted).abs() < 1000, "{rollout}: version {version} got {got} of 100000, not {wanted}");
        }
    }
}

/// The keys of the vectors: plain ones, and those that an SDK in another language could get wrong.
fn keys() -> Vec<String> {
    let plain = (0..40).map(|n| format!("user-{n}"));
    let odd = ["", " ", "Ünïcode", "u\u{308}", "下棋", "\u{1f600}", "a\u{0}b", "rol_", "1e3"];
    plain.chain(odd.map(str::to_owned)).chain([("x").repeat(256)]).collect()
}

fn vectors() -> Value {
    let split = |rollout: u8, shares: &[(u32, u16)]| {
        let (id, table) = (RolloutId([rollout; 16]), runs(shares).unwrap());
        let of = |key: String| {
            let bucket = bucket(id, &key);
            json!({ "key": key, "bucket": bucket, "version": table.version(bucket) })
        };
        json!({ "rollout": id, "table": table, "keys": keys().into_iter().map(of).collect::<Vec<_>>() })
    };
    json!([
        split(0x00, &[(1, 10_000)]),
        split(0x17, &[(1, 9000), (2, 1000)]),
        split(0xa5, &[(3, 5000), (4, 2500), (3, 1), (5, 2499)]),
        split(0xff, &[(1, 1), (2, 9998), (1, 1)]),
    ])
}

#[test]
fn the_vectors_that_every_sdk_must_come_to() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/rollouts.json");
    let now = serde_json::to_string_pretty(&vectors()).unwrap() + "\n";
    if std::env::var_os("PROMPTORY_WRITE_GOLDEN").is_some() && !path.exists() {
        std::fs::write(&path, &now).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), now, "who gets which version never changes");
}

proptest! {
    #[test]
    fn a_key_has_one_bucket_in_a_rollout_and_another_in_another(id: [u8; 16], key: String) {
        let here = bucket(RolloutId(id), &key);
        prop_assert!(here < BUCKETS);
        prop_assert_eq!(here, bucket(RolloutId(id), &key));
    }
}
