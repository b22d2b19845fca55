//! The bound is held over 200 lives of a rollout that is looked at again and again, by traffic that is drawn: a version that
//! keeps within it is hardly ever blamed, one that does not is found by the second look.

use promptory_events::guard::Then;
use promptory_events::{PromptId, Timestamp};

use super::*;
use crate::record::{Execution, Score, ScoreValue};

const SEEDS: u64 = 200;
/// Looks of a life that goes well.
const LOOKS: usize = 30;
/// Executions of an arm between two looks, and of the control.
const OF_ARM: usize = 150;
const OF_CONTROL: usize = 350;
/// The false-alarm rate that is stated: five of a hundred lives.
const FALSE_ALARM: u32 = 50_000;

/// Numbers that follow from a seed (SplitMix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A number around a mean, 0 to twice of it, in a hump.
    fn around(&mut self, mean: u64) -> u64 {
        self.below(mean) + self.below(mean)
    }
}

/// How a version runs.
#[derive(Clone, Copy)]
struct Runs {
    /// Errors of a thousand.
    errors: u64,
    /// About, in microseconds.
    latency_us: u64,
    /// The mean score, in millionths.
    score: u64,
}

const USUAL: Runs = Runs { errors: 20, latency_us: 800_000, score: 400_000 };

fn run(draw: &mut Draw, runs: Runs) -> (Execution, ScoreValue) {
    let execution = Execution {
        id: String::new(),
        prompt: PromptId([1; 16]),
        version: 1,
        label: None,
        arm: None,
        model: None,
        caller: None,
        latency_us: Some(draw.around(runs.latency_us)),
        input_tokens: None,
        output_tokens: None,
        cost_nanos: None,
        error: (draw.below(1000) < runs.errors).then(|| "timeout".to_owned()),
        occurred_at: Timestamp::MIN,
        scores: Vec::new(),
        trace: None,
    };
    (execution, ScoreValue::Millionths(i64::try_from(draw.around(runs.score)).unwrap()))
}

fn more(tally: &mut Tally, draw: &mut Draw, runs: Runs, many: usize) {
    for _ in 0..many {
        let (execution, value) = run(draw, runs);
        tally.add(&execution);
        tally.judge(&[Score { name: "helpful".to_owned(), value }]);
    }
}

fn guard(measure: Measure, bound: Bound) -> Guard {
    Guard::new(measure, bound, 50, FALSE_ALARM, Then::RollBack).unwrap()
}

fn helpful() -> Measure {
    Measure::Score { name: "helpful".parse().unwrap(), lowest: 0, highest: 1_000_000 }
}

/// At which look a version is blamed, of so many.
fn blamed(guard: &Guard, seed: u64, runs: Runs, looks: usize) -> Option<usize> {
    let (mut draw, mut arm, mut control) = (Draw(seed), Tally::default(), Tally::default());
    (1..=looks).find(|_| {
        more(&mut arm, &mut draw, runs, OF_ARM);
        more(&mut control, &mut draw, USUAL, OF_CONTROL);
        breach(guard, &arm, &control).is_some()
    })
}

/// In how many of the lives it is blamed at all.
fn lives_blamed(guard: &Guard, runs: Runs) -> usize {
    (0..SEEDS).filter(|seed| blamed(guard, *seed, runs, LOOKS).is_some()).count()
}

#[test]
fn a_version_at_the_very_edge_of_its_bound_is_blamed_no_more_often_than_was_stated() {
    let at_most = usize::try_from(SEEDS * u64::from(FALSE_ALARM) / 1_000_000).unwrap();
    for guard in [
        guard(Measure::ErrorRate, Bound::Limit(20_000)),
        guard(Measure::ErrorRate, Bound::Control(0)),
        guard(Measure::Latency { percent: 95 }, Bound::Control(0)),
        guard(helpful(), Bound::Limit(400_000)),
        guard(helpful(), Bound::Control(0)),
    ] {
        let blamed = lives_blamed(&guard, USUAL);
        assert!(blamed <= at_most, "{blamed} of {SEEDS} lives: {guard:?}");
    }
}

#[test]
fn a_bad_version_is_blamed_at_the_second_look_at_the_latest() {
    for (guard, runs) in [
        (guard(Measure::ErrorRate, Bound::Limit(50_000)), Runs { errors: 250, ..USUAL }),
        (guard(Measure::ErrorRate, Bound::Control(10_000)), Runs { errors: 250, ..USUAL }),
        (guard(Measure::Latency { percent: 95 }, Bound::Control(100_000)), Runs { latency_us: 1_600_000, ..USUAL }),
        (guard(helpful(), Bound::Control(50_000)), Runs { score: 150_000, ..USUAL }),
    ] {
        for seed in 0..SEEDS {
            assert!(blamed(&guard, seed, runs, 2).is_some(), "seed {seed}: {guard:?}");
        }
    }
}

#[test]
fn figures_say_what_was_compared_with_what() {
    let mut arm = Tally { count: 200, errors: 60, ..Tally::default() };
    let control = Tally { count: 1_000, errors: 20, ..Tally::default() };
    let by_control = guard(Measure::ErrorRate, Bound::Control(10_000));
    let figures = breach(&by_control, &arm, &control).unwrap();
    assert_eq!((figures.version.samples, figures.version.value), (200, 300_000));
    let beside = figures.control.unwrap();
    assert_eq!((beside.samples, beside.value), (1_000, 20_000));
    assert_eq!(figures.limit, beside.end + 10_000);
    assert!(figures.version.end > figures.limit && figures.version.end < 300_000 && beside.end > 20_000);
    assert_eq!(breach(&by_control, &arm, &Tally::default()), None, "beside nothing");
    let by_limit = guard(Measure::ErrorRate, Bound::Limit(50_000));
    let figures = breach(&by_limit, &arm, &Tally::default()).unwrap();
    assert_eq!((figures.control, figures.limit), (None, 50_000));
    (arm.count, arm.errors) = (49, 49);
    assert_eq!(breach(&by_limit, &arm, &control), None, "too few to say anything");
}

#[test]
fn scores_of_all_forms_count_between_their_ends() {
    let mut version = Tally::default();
    let mut score = |value: ScoreValue| version.judge(&[Score { name: "helpful".to_owned(), value }]);
    (0..300).for_each(|_| score(ScoreValue::Boolean(false)));
    (0..100).for_each(|_| score(ScoreValue::Boolean(true)));
    (0..100).for_each(|_| score(ScoreValue::Millionths(-5_000_000)));
    score(ScoreValue::Category("warm".to_owned()));
    let figures = breach(&guard(helpful(), Bound::Limit(500_000)), &version, &Tally::default()).unwrap();
    assert_eq!((figures.version.samples, figures.version.value), (500, 200_000), "what is below counts as the lowest");
    assert!(figures.version.end > 200_000 && figures.version.end < 500_000);
    let other = Measure::Score { name: "other".parse().unwrap(), lowest: 0, highest: 1_000_000 };
    assert_eq!(breach(&guard(other, Bound::Limit(500_000)), &version, &Tally::default()), None);
}
