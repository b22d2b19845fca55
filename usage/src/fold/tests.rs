//! Whatever comes, in whatever order and however often, and however the stretches are cut: what is counted is what a
//! computation over all records says; and a view that is made anew from rollups and the log behind them says the same.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use promptory_events::PromptId;
use proptest::prelude::*;

use super::*;
use crate::page::{PageKey, parts, spread};
use crate::query::{Dimension, Question};
use crate::record::Batch;
use crate::record::ScoreValue;
use crate::record::tests::execution;
use crate::rows::Written;
use crate::sketch::{ERROR_PARTS, rank};
use crate::{Rollup, page};

const KEEP_MS: i64 = 1_000_000;
const START: i64 = 1_700_000_000_000_000;

/// A view as the store has it: pages and what was seen, up to the last rollup.
#[derive(Default)]
struct View {
    pages: BTreeMap<PageKey, Rows>,
    seen: HashMap<IdHash, Sighting>,
    waiting: HashMap<IdHash, Vec<Waiting>>,
    through: usize,
    open: Stretch,
}

impl Known for (&HashMap<IdHash, Sighting>, &HashMap<IdHash, Vec<Waiting>>) {
    type Error = Infallible;

    fn seen(&self, id: &IdHash) -> Result<Option<Sighting>, Infallible> {
        Ok(self.0.get(id).cloned())
    }

    fn waiting(&self, execution: &IdHash) -> Result<Vec<Waiting>, Infallible> {
        Ok(self.1.get(execution).cloned().unwrap_or_default())
    }
}

impl View {
    fn fold(&mut self, batch: &Batch) {
        let known = (&self.seen, &self.waiting);
        for record in &batch.records {
            self.open.take(batch.received_at, record, &known, KEEP_MS).unwrap();
        }
    }

    /// Ends the stretch with what a rollup says it adds.
    fn close(&mut self, rows: &Written, through: usize) {
        let stretch = std::mem::take(&mut self.open);
        let mut pages = BTreeMap::new();
        rows.each(|minute, dims, tally| spread(&mut pages, minute, dims, tally)).unwrap();
        for (key, rows) in pages {
            let page = self.pages.entry(key).or_default();
            rows.iter().for_each(|(bucket, dims, tally)| page.merge(bucket, dims, tally));
        }
        self.seen.extend(stretch.seen);
        self.waiting.extend(stretch.waiting);
        self.through = through;
    }

    fn answer(&self, question: &Question) -> Rows {
        let mut groups = Rows::default();
        for part in parts(question.from, question.to, question.coarsest()) {
            for (key, rows) in &self.pages {
                if key.grain == part.grain && key.callers == question.needs_callers() {
                    for (bucket, dims, tally) in rows.iter() {
                        question.take(&mut groups, (part.from, part.to), (bucket, dims, tally)).unwrap();
                    }
                }
            }
        }
        for (minute, dims, tally) in self.open.rows.iter() {
            question.take(&mut groups, (question.from, question.to), (minute, dims, tally)).unwrap();
        }
        groups
    }
}

/// The records as they came, with where the log is cut.
#[derive(Clone, Debug)]
struct Story {
    batches: Vec<Batch>,
    cuts: BTreeSet<usize>,
}

fn record() -> impl Strategy<Value = Record> {
    let run =
        (0_u8..40, 0_u8..3, 1_u32..3, 0_u8..3, 0_u8..4, -200_000_i64..0, 0_u64..5_000_000, any::<bool>(), -3_i64..3);
    let run = (run, prop::option::of(0_u8..6)).prop_map(|(drawn, trace)| {
        let (id, prompt, version, model, caller, second, latency, fails, score) = drawn;
        let mut run = execution(&format!("e{id}"));
        // Everything follows from the id and what is drawn: a repeat with other content may come, too.
        run.prompt = PromptId([prompt; 16]);
        run.version = version;
        run.model = (model > 0).then(|| format!("m{model}"));
        run.caller = (caller > 0).then(|| format!("c{caller}"));
        run.occurred_at = Timestamp::from_micros(START + second * 1_000_000);
        run.latency_us = (latency % 7 > 0).then_some(latency);
        run.cost_nanos = Some(latency * 3);
        run.error = fails.then(|| "timeout".to_owned());
        run.scores[0].value = ScoreValue::Millionths(score * 250_000);
        run.trace = trace.map(|trace| format!("t{trace}"));
        Record::Execution(run)
    });
    let about =
        prop_oneof![2 => (0_u8..40).prop_map(|id| format!("e{id}")), 1 => (0_u8..6).prop_map(|id| format!("t{id}"))];
    let outcome = (0_u8..40, about, any::<bool>(), prop::option::of(0_u8..3));
    let outcome = outcome.prop_map(|(id, execution, liked, prompt)| {
        let scores = vec![
            Score { name: "liked".to_owned(), value: ScoreValue::Boolean(liked) },
            Score { name: "tone".to_owned(), value: ScoreValue::Category(format!("w{}", id % 3)) },
        ];
        let id = format!("o{id}");
        let (prompt, occurred_at) = (prompt.map(|byte| PromptId([byte; 16])), Timestamp::from_micros(START));
        Record::Outcome(OutcomeRecord { id, execution, prompt, occurred_at, scores })
    });
    prop_oneof![3 => run, 1 => outcome]
}

fn story() -> impl Strategy<Value = Story> {
    let batches = prop::collection::vec(prop::collection::vec(record(), 1..8), 1..20);
    (batches, prop::collection::btree_set(0_usize..20, 0..6)).prop_map(|(batches, cuts)| {
        let received = |place: i64| Timestamp::from_micros(START + place * 1_000_000);
        let batches = (0..).zip(batches).map(|(place, records)| Batch { received_at: received(place), records });
        Story { batches: batches.collect(), cuts }
    })
}

fn question() -> impl Strategy<Value = Question> {
    let step = prop_oneof![
        Just(None),
        Just(Some(page::Grain::Minute)),
        Just(Some(page::Grain::Hour)),
        Just(Some(page::Grain::Day))
    ];
    let by = prop::collection::btree_set(prop::sample::select(Dimension::ALL.to_vec()), 0..4);
    (step, by, 0_u32..3400, 1_u32..3400, prop::option::of(1_u32..3), prop::option::of(1_u8..4)).prop_map(
        |(step, group_by, from, length, version, caller)| {
            let from = u32::try_from(START / 60_000_000).unwrap() - 3400 + from;
            let mut question = Question {
                from,
                to: from + length,
                step,
                group_by,
                filter: crate::query::Filter::default(),
                order: crate::query::Order::Count,
                top: None,
            };
            question.filter.version = version;
            question.filter.caller = caller.map(|caller| format!("c{caller}"));
            question
        },
    )
}

/// What of each execution counts, and the scores of its outcomes, from all records in their order. An outcome of a trace is one
/// of the execution in it that came last, or of the first that comes.
fn truth(story: &Story) -> Vec<(Execution, Vec<Score>)> {
    let (mut ids, mut runs, mut outcomes) =
        (BTreeSet::new(), Vec::<Execution>::new(), BTreeMap::<String, Vec<OutcomeRecord>>::new());
    let mut last = BTreeMap::<String, String>::new();
    for record in story.batches.iter().flat_map(|batch| &batch.records) {
        let is_new = ids.insert(record.id().to_owned());
        match record {
            Record::Execution(run) => {
                if let Some(trace) = &run.trace {
                    last.insert(trace.clone(), run.id.clone());
                    let waited = outcomes.remove(trace).unwrap_or_default();
                    outcomes.entry(run.id.clone()).or_default().extend(waited);
                }
                runs.extend(is_new.then(|| run.clone()));
            }
            Record::Outcome(outcome) if is_new => {
                let execution = last.get(&outcome.execution).unwrap_or(&outcome.execution);
                outcomes.entry(execution.clone()).or_default().push(outcome.clone());
            }
            Record::Outcome(_) | Record::Searches(_) => {}
        }
    }
    let scores = |run: &Execution| {
        let all = outcomes.get(&run.id).into_iter().flatten();
        let own = all.filter(|outcome| outcome.prompt.is_none_or(|prompt| prompt == run.prompt));
        own.flat_map(|outcome| outcome.scores.clone()).collect()
    };
    runs.into_iter().map(|run| (run.clone(), scores(&run))).collect()
}

/// The groups that the question asks for, with their members.
type Grouped = BTreeMap<(u32, Dims), Vec<(Execution, Vec<Score>)>>;

fn grouped(question: &Question, runs: &[(Execution, Vec<Score>)]) -> Grouped {
    let mut groups = Grouped::new();
    for (run, outcomes) in runs {
        let minute = u32::try_from(run.occurred_at.micros() / 60_000_000).unwrap();
        let mut one = Rows::default();
        let (dims, mut tally) = (Dims::of(run), crate::Tally::default());
        tally.add(run);
        question.take(&mut one, (question.from, question.to), (minute, &dims, &tally)).unwrap();
        for (bucket, dims, _) in one.iter() {
            groups.entry((bucket, Dims::clone(dims))).or_default().push((run.clone(), outcomes.clone()));
        }
    }
    groups
}

fn check(rows: &Rows, truth: &Grouped) {
    assert_eq!(rows.len(), truth.len());
    for (bucket, dims, tally) in rows.iter() {
        let members = &truth[&(bucket, Dims::clone(dims))];
        let sum = |of: &dyn Fn(&Execution) -> u64| members.iter().map(|(run, _)| u128::from(of(run))).sum::<u128>();
        assert_eq!(tally.count, members.len() as u64);
        assert_eq!(u128::from(tally.errors), sum(&|run| u64::from(run.error.is_some())));
        assert_eq!(tally.latency_us, sum(&|run| run.latency_us.unwrap_or(0)));
        assert_eq!(u128::from(tally.input_tokens), sum(&|run| run.input_tokens.unwrap_or(0)));
        assert_eq!(tally.cost_nanos, sum(&|run| run.cost_nanos.unwrap_or(0)));
        let mut latencies: Vec<u64> = members.iter().filter_map(|(run, _)| run.latency_us).collect();
        latencies.sort_unstable();
        for thousandths in [500, 950, 990] {
            let Some(told) = tally.latency.quantile(thousandths) else {
                assert!(latencies.is_empty());
                continue;
            };
            let at = usize::try_from(rank(latencies.len() as u64, thousandths)).unwrap() - 1;
            let (told, right) = (told.unsigned_abs(), latencies[at]);
            assert!(told.abs_diff(right) * ERROR_PARTS <= right, "p{thousandths}: {told}, not {right}");
        }
        let all: Vec<&Score> = members.iter().flat_map(|(run, outcomes)| run.scores.iter().chain(outcomes)).collect();
        let mut scores = crate::Tally::default();
        all.iter().for_each(|score| scores.judge(std::slice::from_ref(*score)));
        assert_eq!(tally.scores, scores.scores);
        let numbers: i128 = all
            .iter()
            .filter_map(|score| match score.value {
                ScoreValue::Millionths(value) => Some(i128::from(value)),
                _ => None,
            })
            .sum();
        assert_eq!(tally.scores.get("helpful").map_or(0, |score| score.numbers.sum), numbers);
    }
}

proptest! {
    #[test]
    fn what_is_counted_is_what_all_records_say(story in story(), asked in prop::collection::vec(question(), 4)) {
        let (mut running, mut rollups) = (View::default(), Vec::new());
        for (place, batch) in story.batches.iter().enumerate() {
            running.fold(batch);
            if story.cuts.contains(&place) {
                let rows = running.open.rows.written();
                let (log, after, through) = (1, running.through as u64, place as u64 + 1);
                let rollup = Rollup { log, after, through, records: 0, repeats: 0, rows };
                running.close(&rollup.rows, place + 1);
                rollups.push(Rollup::decode(&rollup.encode()).unwrap());
            }
        }
        // Anew: the log is read once more for what was seen, the rollups say what is counted.
        let mut anew = View::default();
        for rollup in &rollups {
            let through = usize::try_from(rollup.through).unwrap();
            story.batches[anew.through..through].iter().for_each(|batch| anew.fold(batch));
            anew.close(&rollup.rows, through);
        }
        story.batches[anew.through..].iter().for_each(|batch| anew.fold(batch));

        let runs = truth(&story);
        for question in &asked {
            let answer = running.answer(question);
            check(&answer, &grouped(question, &runs));
            prop_assert_eq!(&answer, &anew.answer(question));
            prop_assert_eq!(question.tell(&answer), question.tell(&anew.answer(question)));
        }
    }
}

#[test]
fn a_repeat_counts_again_once_the_log_has_forgotten_the_first() {
    let batch = |second: i64| Batch {
        received_at: Timestamp::from_micros(START + second * 1_000_000),
        records: vec![Record::Execution(execution("e1"))],
    };
    let mut view = View::default();
    for (second, counted) in [(0, 1), (900, 1), (1800, 1), (2801, 2)] {
        view.fold(&batch(second));
        let count: u64 = view.open.rows.iter().map(|(_, _, tally)| tally.count).sum();
        assert_eq!(count, counted, "after {second} s: each time it comes it is remembered as long again");
    }
}

#[test]
fn an_outcome_of_a_trace_counts_for_the_run_in_it_that_came_last_and_waits_for_the_first() {
    let run = |id: &str, model: &str| {
        let mut run = execution(id);
        (run.trace, run.model) = (Some("t".to_owned()), Some(model.to_owned()));
        Record::Execution(run)
    };
    let outcome = |id: &str, prompt: Option<PromptId>| {
        let scores = vec![Score { name: "liked".to_owned(), value: ScoreValue::Boolean(true) }];
        let occurred_at = Timestamp::from_micros(START);
        Record::Outcome(OutcomeRecord { id: id.to_owned(), execution: "t".to_owned(), prompt, occurred_at, scores })
    };
    let (other, received_at) = (Some(PromptId([9; 16])), Timestamp::from_micros(START));
    let steps = [
        (vec![outcome("o1", None), outcome("o2", other)], [0, 0, 0]),
        (vec![run("e1", "first"), run("e2", "second")], [1, 0, 1]),
        (vec![outcome("o3", None), outcome("o4", other)], [1, 1, 2]),
        // A repeat is the one that came last, too; it counts for nothing else.
        (vec![run("e1", "first"), outcome("o5", None), outcome("o5", None)], [2, 1, 2]),
    ];
    let mut view = View::default();
    for (records, expected) in steps {
        view.fold(&Batch { received_at, records });
        let liked = |model: &str| -> u64 {
            let rows = view.open.rows.iter().filter(|(_, dims, _)| dims.model.as_deref() == Some(model));
            rows.filter_map(|(_, _, tally)| tally.scores.get("liked")).map(|score| score.yes).sum()
        };
        assert_eq!([liked("first"), liked("second"), view.open.dropped], expected);
    }
    assert_eq!(view.open.rows.iter().map(|(_, _, tally)| tally.count).sum::<u64>(), 2);
}

#[test]
fn a_stretch_is_full_before_it_is_too_large_for_a_message() {
    let mut stretch = Stretch::default();
    let (seen, waiting) = (HashMap::new(), HashMap::new());
    let mut number = 0;
    while !stretch.is_full() {
        let records = (0..1000).map(|_| {
            number += 1;
            let mut run = execution(&format!("e{number}"));
            run.caller = Some(format!("{number:0128}"));
            run.scores = (0..16)
                .map(|place| Score {
                    name: format!("{place:064}"),
                    value: ScoreValue::Category(format!("{number:064}")),
                })
                .collect();
            Record::Execution(run)
        });
        let batch = Batch { received_at: Timestamp::from_micros(START), records: records.collect() };
        for record in &batch.records {
            stretch.take(batch.received_at, record, &(&seen, &waiting), KEEP_MS).unwrap();
        }
    }
    let rollup = Rollup { log: u64::MAX, after: 0, through: 0, records: 0, repeats: 0, rows: stretch.rows.written() };
    let bytes = rollup.encode().len();
    assert!(bytes <= limits::BATCH_MAX_BYTES, "{bytes}");
}
