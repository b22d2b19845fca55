use data_encoding::HEXLOWER;

use super::*;
use crate::Rollup;
use crate::rows::Rows;
use crate::searches::Count;

pub(crate) fn execution(id: &str) -> Execution {
    Execution {
        id: id.to_owned(),
        prompt: PromptId([7; 16]),
        version: 3,
        label: Some("production".to_owned()),
        arm: None,
        model: Some("m-1".to_owned()),
        caller: Some("c-9".to_owned()),
        occurred_at: Timestamp::from_micros(1_700_000_000_000_000),
        latency_us: Some(1_250_500),
        input_tokens: Some(812),
        output_tokens: Some(90),
        cost_nanos: Some(1_234_567),
        error: None,
        scores: vec![score("helpful", ScoreValue::Millionths(870_000))],
        trace: None,
    }
}

fn score(name: &str, value: ScoreValue) -> Score {
    Score { name: name.to_owned(), value }
}

fn outcome() -> OutcomeRecord {
    OutcomeRecord {
        id: "o1".to_owned(),
        execution: "e1".to_owned(),
        prompt: None,
        occurred_at: Timestamp::from_micros(1_700_000_060_000_000),
        scores: vec![
            score("liked", ScoreValue::Boolean(true)),
            score("tone", ScoreValue::Category("friendly".to_owned())),
        ],
    }
}

fn golden(name: &str, bytes: &[u8]) {
    let path = format!("{}/golden/{name}.hex", env!("CARGO_MANIFEST_DIR"));
    let hex = HEXLOWER.encode(bytes);
    if std::env::var_os("PROMPTORY_WRITE_GOLDEN").is_some() && !std::path::Path::new(&path).exists() {
        std::fs::write(&path, format!("{hex}\n")).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap().trim_end(), hex, "{name}: these bytes are for ever");
}

#[test]
fn the_bytes_are_for_ever() {
    let received_at = Timestamp::from_micros(1_700_000_100_000_000);
    let mut failed = execution("e2");
    failed.error = Some("timeout".to_owned());
    failed.trace = Some("t1".to_owned());
    let records = vec![Record::Execution(execution("e1")), Record::Execution(failed), Record::Outcome(outcome())];
    let batch = Batch { received_at, records };
    golden("batch", &batch.encode());
    assert_eq!(Batch::decode(&batch.encode()).unwrap(), batch);

    let mut searches = Searches::default();
    searches.add("linux terminal", Count::one(true));
    let record = SearchesRecord { id: "searches-1".to_owned(), occurred_at: received_at, searches };
    let batch = Batch { received_at, records: vec![Record::Searches(record)] };
    golden("searches", &batch.encode());
    assert_eq!(Batch::decode(&batch.encode()).unwrap(), batch);
    assert!(batch.records[0].check(received_at).is_ok());

    let mut rows = Rows::default();
    let dims = std::sync::Arc::new(crate::Dims::of(&execution("e1")));
    let tally = rows.at(28_333_333, &dims);
    tally.add(&execution("e1"));
    tally.judge(&outcome().scores);
    let rollup = Rollup { log: 5, after: 0, through: 2, records: 3, repeats: 0, rows: rows.written() };
    golden("rollup", &rollup.encode());
    assert_eq!(Rollup::decode(&rollup.encode()).unwrap(), rollup);
    assert_eq!(Rows::decode(&rows.encode()).unwrap(), rows);
}

#[test]
fn other_bytes_are_refused() {
    let batch = Batch { received_at: Timestamp::from_micros(0), records: vec![Record::Execution(execution("e1"))] };
    let bytes = batch.encode();
    for cut in 0..bytes.len() {
        assert!(Batch::decode(&bytes[..cut]).is_err());
    }
    assert!(Batch::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
    assert!(Rollup::decode(&[9, 9, 9]).is_err());
}

#[test]
fn every_bound_names_its_field() {
    let now = Timestamp::from_micros(1_700_000_200_000_000);
    let flaw = |change: &dyn Fn(&mut Execution)| {
        let mut changed = execution("e1");
        change(&mut changed);
        Record::Execution(changed).check(now).unwrap_err().field
    };
    assert!(Record::Execution(execution("e1")).check(now).is_ok());
    assert!(Record::Outcome(outcome()).check(now).is_ok());
    assert_eq!(flaw(&|e| e.id = String::new()), "/id");
    assert_eq!(flaw(&|e| e.id = "x".repeat(129)), "/id");
    assert_eq!(flaw(&|e| e.caller = Some("a\nb".to_owned())), "/caller");
    assert_eq!(flaw(&|e| e.model = Some("x".repeat(257))), "/model");
    assert_eq!(flaw(&|e| e.arm = Some(String::new())), "/arm");
    assert_eq!(flaw(&|e| e.error = Some("x".repeat(65))), "/error");
    assert_eq!(flaw(&|e| e.latency_us = Some(limits::USAGE_LATENCY_MAX_US + 1)), "/latency_ms");
    assert_eq!(flaw(&|e| e.input_tokens = Some(u64::MAX)), "/input_tokens");
    assert_eq!(flaw(&|e| e.cost_nanos = Some(u64::MAX)), "/cost_nanos");
    assert_eq!(flaw(&|e| e.occurred_at = Timestamp::from_micros(-1)), "/occurred_at");
    assert_eq!(flaw(&|e| e.occurred_at = now.plus_ms(limits::USAGE_AHEAD_MAX_MS + 1)), "/occurred_at");
    let many = |e: &mut Execution| e.scores = vec![score("a", ScoreValue::Boolean(true)); 17];
    assert_eq!(flaw(&many), "/scores");
    let twice = |e: &mut Execution| e.scores = vec![score("a", ScoreValue::Boolean(true)); 2];
    assert_eq!(flaw(&twice), "/scores/1/name");
    assert_eq!(flaw(&|e| e.scores[0].value = ScoreValue::Millionths(i64::MIN)), "/scores/0/value");
    let empty = OutcomeRecord { scores: vec![], ..outcome() };
    assert_eq!(Record::Outcome(empty).check(now).unwrap_err().field, "/scores");
}
