//! Quantiles of many integers without the integers: how many there are in each of a fixed set of bins.
//!
//! The bins are those of a high dynamic range histogram: each integer below 128 has its own, and every power of two from
//! there on has 64 of one width. So what a quantile says is within 1/128 of the value that has this rank, two sketches are
//! merged by adding, and nothing depends on an order or on how a machine rounds a logarithm (as in DDSketch, Masson, Rim
//! and Lee 2019, whose bins have the same relative width everywhere). Bins that hold nothing take no room.

use serde::{Deserialize, Serialize};

/// What a quantile may be off by: one part in so many of the value.
pub const ERROR_PARTS: u64 = 128;
const BINS_PER_POWER: u64 = 64;

/// How many values there are in each bin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sketch {
    /// By bin, in order; no empty ones. The bins of negative numbers are below zero.
    bins: Vec<(i32, u64)>,
}

impl Sketch {
    /// Takes a value in.
    pub fn add(&mut self, value: i64) {
        self.add_to(bin_of(value), 1);
    }

    /// Takes in what another one has.
    pub fn merge(&mut self, other: &Self) {
        for (bin, count) in &other.bins {
            self.add_to(*bin, *count);
        }
    }

    fn add_to(&mut self, bin: i32, more: u64) {
        match self.bins.binary_search_by_key(&bin, |(bin, _)| *bin) {
            Ok(at) => self.bins[at].1 = self.bins[at].1.saturating_add(more),
            Err(at) => self.bins.insert(at, (bin, more)),
        }
    }

    /// How many values it has.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.bins.iter().map(|(_, count)| count).sum()
    }

    /// How many bins hold something.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bins.len()
    }

    /// Whether it has no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bins.is_empty()
    }

    /// About the smallest value that so many thousandths of all values are not above (500: the median): off by at most one
    /// part in [`ERROR_PARTS`] of it. `None` without values.
    #[must_use]
    pub fn quantile(&self, thousandths: u64) -> Option<i64> {
        let rank = rank(self.count(), thousandths);
        let mut seen = 0;
        let found = self.bins.iter().find(|(_, count)| {
            seen += count;
            seen >= rank
        });
        found.map(|(bin, _)| middle(*bin))
    }

    /// A value that so many of the highest are not below: the lower edge of a bin. `None` if there are not so many, or none asked.
    #[must_use]
    pub fn from_above(&self, many: u64) -> Option<i64> {
        found(self.bins.iter().rev(), many).map(|bin| edges(bin).0)
    }

    /// A value that so many of the lowest are not above: the upper edge of a bin. `None` if there are not so many, or none asked.
    #[must_use]
    pub fn from_below(&self, many: u64) -> Option<i64> {
        found(self.bins.iter(), many).map(|bin| edges(bin).1)
    }

    /// About the sum of all values, with those beyond a range as its nearer end; `None` if none are beyond: then the sum itself is
    /// better.
    #[must_use]
    pub fn sum_within(&self, lowest: i64, highest: i64) -> Option<i128> {
        let (first, last) = (self.bins.first()?.0, self.bins.last()?.0);
        if bin_of(lowest) <= first && last <= bin_of(highest) {
            return None;
        }
        let within = |(bin, count): &(i32, u64)| {
            i128::from(middle(*bin).clamp(lowest, highest)).saturating_mul(i128::from(*count))
        };
        Some(self.bins.iter().map(within).fold(0, i128::saturating_add))
    }
}

/// The bin of the value at a place, counted from 1.
fn found<'a>(bins: impl Iterator<Item = &'a (i32, u64)>, many: u64) -> Option<i32> {
    let mut seen = 0_u64;
    for (bin, count) in bins {
        seen = seen.saturating_add(*count);
        if seen >= many {
            return (many > 0).then_some(*bin);
        }
    }
    None
}

/// The lowest and the highest value of a bin.
fn edges(bin: i32) -> (i64, i64) {
    let size = u64::from(bin.unsigned_abs());
    let (low, high) = match size.checked_sub(2 * BINS_PER_POWER) {
        None => (size, size),
        Some(beyond) => {
            let shift = (beyond / BINS_PER_POWER + 1).min(57); // what was read may be anything
            let low = (BINS_PER_POWER + beyond % BINS_PER_POWER) << shift;
            (low, low + ((1 << shift) - 1))
        }
    };
    let [low, high] = [low, high].map(|edge| i64::try_from(edge).unwrap_or(i64::MAX));
    if bin < 0 { (-high, -low) } else { (low, high) }
}

/// Which one of `count` values in order a quantile is, from 1 on.
#[must_use]
pub fn rank(count: u64, thousandths: u64) -> u64 {
    let rank = (u128::from(count) * u128::from(thousandths)).div_ceil(1000).max(1);
    u64::try_from(rank).unwrap_or(u64::MAX)
}

fn bin_of(value: i64) -> i32 {
    let size = value.unsigned_abs();
    let bin = if size < 2 * BINS_PER_POWER {
        size
    } else {
        let shift = u64::from(57 - size.leading_zeros()); // at least 1: the value has 8 bits or more
        2 * BINS_PER_POWER + (shift - 1) * BINS_PER_POWER + (size >> shift) - BINS_PER_POWER
    };
    let bin = i32::try_from(bin).unwrap_or(i32::MAX); // 3,776 at most
    if value < 0 { -bin } else { bin }
}

fn middle(bin: i32) -> i64 {
    let size = u64::from(bin.unsigned_abs());
    let middle = match size.checked_sub(2 * BINS_PER_POWER) {
        None => size,
        Some(beyond) => {
            let shift = (beyond / BINS_PER_POWER + 1).min(57); // what was read may be anything
            ((BINS_PER_POWER + beyond % BINS_PER_POWER) << shift) + (1 << (shift - 1))
        }
    };
    let middle = i64::try_from(middle).unwrap_or(i64::MAX);
    if bin < 0 { -middle } else { middle }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_values_are_exact_and_large_ones_have_a_bin() {
        for value in -127..=127 {
            assert_eq!(middle(bin_of(value)), value);
        }
        assert!(bin_of(127) < bin_of(128) && bin_of(i64::MAX - 1) > bin_of(i64::MAX / 2));
        assert_eq!(bin_of(i64::MIN), -bin_of(i64::MAX) - 1);
    }

    fn near_by(edge: i64, truth: i64) -> bool {
        u128::from(edge.abs_diff(truth)) * u128::from(ERROR_PARTS) <= 2 * u128::from(truth.unsigned_abs())
    }

    fn near(told: i64, truth: i64) -> bool {
        u128::from(told.abs_diff(truth)) * u128::from(ERROR_PARTS) <= u128::from(truth.unsigned_abs())
    }

    proptest! {
        #[test]
        fn quantiles_are_within_the_error_and_merging_changes_nothing(
            values in prop::collection::vec(prop_oneof![-2000_i64..2000, any::<i32>().prop_map(i64::from), 0..i64::MAX / 2], 1..300),
            cut in 0_usize..300,
        ) {
            let (mut whole, mut first, mut second) = (Sketch::default(), Sketch::default(), Sketch::default());
            for (place, value) in values.iter().enumerate() {
                whole.add(*value);
                if place < cut { first.add(*value) } else { second.add(*value) }
            }
            first.merge(&second);
            prop_assert_eq!(&first, &whole);
            let mut sorted = values;
            sorted.sort_unstable();
            for many in [1, sorted.len().div_ceil(3), sorted.len()] {
                let (highest, lowest) = (sorted[sorted.len() - many], sorted[many - 1]);
                let (low, high) = (whole.from_above(many as u64).unwrap(), whole.from_below(many as u64).unwrap());
                prop_assert!(low <= highest && near_by(low, highest), "{many}: {low} for {highest}");
                prop_assert!(high >= lowest && near_by(high, lowest), "{many}: {high} for {lowest}");
            }
            prop_assert_eq!(whole.from_above(sorted.len() as u64 + 1), None);
            let (first, last) = (sorted[0], sorted[sorted.len() - 1]);
            prop_assert_eq!(whole.sum_within(first, last), None, "nothing is beyond");
            for thousandths in [0, 1, 250, 500, 900, 950, 990, 999, 1000] {
                let at = usize::try_from(rank(sorted.len() as u64, thousandths)).unwrap() - 1;
                let told = whole.quantile(thousandths).unwrap();
                prop_assert!(near(told, sorted[at]), "{} of {}: {told}, not {}", thousandths, sorted.len(), sorted[at]);
            }
        }
    }
}
