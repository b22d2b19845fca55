//! Whether a version became worse than it was: its last day beside the days before it, by the same controlled test as guards
//! ([`crate::guard`]), so that it may be asked all day long.

use promptory_events::guard::{Figures, Guard, MILLION, Measure, WATCH_MIN_SAMPLES};

use crate::guard::breach;
use crate::tally::Tally;

/// The quantile of the latency that is watched.
const PERCENT: u8 = 95;

/// In what a version became worse, and by what figures. Of scores those are watched that lie between 0 and 1, and yes or no.
#[must_use]
pub fn found(past: &Tally, day: &Tally) -> Vec<(Measure, Figures)> {
    let scores = day.scores.keys().filter(|name| [past, day].iter().all(|tally| is_share(tally, name)));
    let scores = scores.filter_map(|name| {
        let name = name.parse().ok()?;
        Some(Measure::Score { name, lowest: 0, highest: MILLION })
    });
    let measures = [Measure::ErrorRate, Measure::Latency { percent: PERCENT }].into_iter().chain(scores);
    let worse = measures.filter_map(|measure| {
        let guard = Guard::of_watch(measure).ok()?;
        let figures = breach(&guard, day, past)?;
        let enough = figures.control.is_some_and(|past| past.samples >= u64::from(WATCH_MIN_SAMPLES));
        enough.then_some((guard.measure, figures))
    });
    worse.collect()
}

/// Whether all that a score says lies between 0 and 1.
fn is_share(tally: &Tally, name: &str) -> bool {
    tally.scores.get(name).is_some_and(|score| score.numbers.sketch.sum_within(0, MILLION).is_none())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::record::{Score, ScoreValue};

    /// Executions of which so many fail and so many of a hundred are liked, in a time.
    fn runs(many: u64, errors: u64, liked: u64, latency_us: i64) -> Tally {
        let mut tally = Tally { count: many, errors, ..Tally::default() };
        for n in 0..many {
            tally.latency.add(latency_us + i64::try_from(n % 100).unwrap() * 1000);
            let value = ScoreValue::Boolean(n % 100 < liked);
            tally.judge(&[Score { name: "liked".to_owned(), value }]);
        }
        tally
    }

    fn names(past: &Tally, day: &Tally) -> Vec<String> {
        found(past, day).iter().map(|(measure, _)| measure.name()).collect()
    }

    #[test]
    fn what_became_worse_is_named_and_nothing_else() {
        let past = runs(3_000, 60, 80, 500_000);
        assert_eq!(names(&past, &runs(400, 8, 80, 500_000)), [""; 0], "as it was");
        assert_eq!(names(&past, &runs(400, 0, 100, 100_000)), [""; 0], "better");
        assert_eq!(names(&past, &runs(400, 120, 80, 500_000)), ["error_rate"]);
        assert_eq!(names(&past, &runs(400, 8, 80, 1_500_000)), ["latency 95"]);
        assert_eq!(names(&past, &runs(400, 8, 30, 500_000)), ["score liked"]);
        assert_eq!(names(&past, &runs(400, 120, 30, 1_500_000)).len(), 3);
        assert_eq!(names(&past, &runs(99, 99, 0, 1_500_000)), [""; 0], "too few today");
        assert_eq!(names(&runs(99, 0, 100, 1_000), &runs(400, 120, 30, 1_500_000)), [""; 0], "too few before");
        assert_eq!(names(&Tally::default(), &runs(400, 120, 30, 1_500_000)), [""; 0], "no past");
    }

    #[test]
    fn a_score_without_ends_is_not_watched() {
        let scored = |value: i64| {
            let mut tally = runs(400, 8, 80, 500_000);
            (0..400).for_each(|_| {
                tally.judge(&[Score { name: "points".to_owned(), value: ScoreValue::Millionths(value) }])
            });
            tally
        };
        assert_eq!(names(&scored(900_000), &scored(100_000)), ["score points"]);
        assert_eq!(names(&scored(9_000_000), &scored(100_000)), [""; 0]);
    }
}
