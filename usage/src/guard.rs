//! Whether a version keeps within its bound, by what is counted of it: a pure function of two tallies that may be asked at any
//! time and as often as one likes ([`crate::sequential`]).
//!
//! The version is not worse until it surely is: what is compared is the better end of its confidence sequence with the limit, or
//! with the worse end of what it is compared with. The error is shared by the ends that are used, so a version that keeps within
//! its bound is found to breach it, over all looks together, with at most the probability that was asked for.

use promptory_events::guard::{Bound, Figures, Guard, Measure, Sample};

use crate::sequential::{hits_to_be_above, lower, upper};
use crate::sketch::Sketch;
use crate::tally::{ScoreTally, Tally};

/// [`promptory_events::guard::MILLION`].
const MILLION_F64: f64 = 1_000_000.0;

/// Which end of a confidence sequence.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Lower,
    Upper,
}

/// The figures by which a version breaches a guard; `None` if it does not, or nothing can be said yet.
#[must_use]
pub fn breach(guard: &Guard, version: &Tally, control: &Tally) -> Option<Figures> {
    let alpha = f64::from(guard.false_alarm) / MILLION_F64;
    let (better, worse) = if guard.measure.falls() { (End::Upper, End::Lower) } else { (End::Lower, End::Upper) };
    let (alpha, control) = match guard.bound {
        Bound::Limit(_) => (alpha, None),
        Bound::Control(_) => (alpha / 2.0, Some(sample(&guard.measure, control, worse, alpha / 2.0)?)),
    };
    let limit = guard.limit(control.map(|control| control.end))?;
    let version = sample(&guard.measure, version, better, alpha)?;
    let figures = Figures { version, control, limit };
    guard.is_breached_by(&figures).then_some(figures)
}

/// What a tally says of a measure; `None` if that has no end.
#[allow(clippy::cast_precision_loss, reason = "counts of executions are far below 2^53")]
fn sample(measure: &Measure, tally: &Tally, end: End, alpha: f64) -> Option<Sample> {
    match measure {
        Measure::ErrorRate if tally.count == 0 => None,
        Measure::ErrorRate => Some(rate((tally.errors as f64, tally.count), end, alpha, (0.0, MILLION_F64))),
        Measure::Latency { percent } => quantile(&tally.latency, *percent, end, alpha),
        Measure::Score { name, lowest, highest } => {
            score(tally.scores.get(name.as_str())?, (*lowest, *highest), end, alpha)
        }
    }
}

/// A rate with its end, told as so many of a range from a value on; rounded so that it claims less.
#[allow(clippy::cast_precision_loss, reason = "counts of executions are far below 2^53")]
fn rate((hits, samples): (f64, u64), end: End, alpha: f64, (from, range): (f64, f64)) -> Sample {
    let (of, told) = (samples as f64, |rate: f64| from + rate * range);
    let bound = match end {
        End::Lower => told(lower(hits, of, alpha)).floor(),
        End::Upper => told(upper(hits, of, alpha)).ceil(),
    };
    Sample { samples, value: whole(told(hits / of)), end: whole(bound) }
}

#[allow(clippy::cast_possible_truncation, reason = "rates and scores in millionths fit; beyond it saturates")]
fn whole(value: f64) -> i64 {
    value.round() as i64
}

/// A quantile is at least a value if surely more than so many are not below it; and at most one likewise. Of a bin of the sketch
/// the edge is taken that claims less.
fn quantile(sketch: &Sketch, percent: u8, end: End, alpha: f64) -> Option<Sample> {
    let (samples, share) = (sketch.count(), f64::from(percent) / 100.0);
    let end = match end {
        End::Lower => sketch.from_above(hits_to_be_above(1.0 - share, samples, alpha)?)?,
        End::Upper => sketch.from_below(hits_to_be_above(share, samples, alpha)?)?,
    };
    Some(Sample { samples, value: sketch.quantile(u64::from(percent) * 10)?, end })
}

/// The mean of a score between its lowest and its highest value.
#[allow(clippy::cast_precision_loss, reason = "what is lost is far less than a millionth of the range")]
fn score(tally: &ScoreTally, (lowest, highest): (i64, i64), end: End, alpha: f64) -> Option<Sample> {
    let (numbers, yes_no) = (tally.numbers.sketch.count(), tally.yes + tally.no);
    let of = numbers + yes_no;
    if of == 0 {
        return None;
    }
    // What is beyond the range counts as its nearer end, as nearly as the bins say it; else the sum is exact.
    let sum = tally.numbers.sketch.sum_within(lowest, highest).unwrap_or(tally.numbers.sum);
    let sum = sum + i128::from(tally.yes) * i128::from(highest) + i128::from(tally.no) * i128::from(lowest);
    let range = (highest - lowest) as f64;
    let above = (sum - i128::from(of) * i128::from(lowest)) as f64 / range;
    let hits = above.clamp(0.0, of as f64);
    Some(rate((hits, of), end, alpha, (lowest as f64, range)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
