//! What can be said of a rate however often one looks: confidence sequences.
//!
//! An interval that is right 95 times of 100 is wrong sooner or later for whoever looks at it every minute. The bounds here
//! hold at all times at once: the probability that a bound is *ever* wrong, over all looks, is at most what was asked for. The
//! beta-binomial mixture of Robbins (1970) does that, as one of the boundaries of Howard, Ramdas, McAuliffe and Sekhon (2021,
//! "Time-uniform, nonparametric, nonasymptotic confidence sequences", section 4): under a rate p the likelihood ratio of all
//! other rates, mixed by Beta(1/2, 1/2), to p is a martingale that begins at 1, so it ever reaches 1/α with a probability
//! of at most α (Ville). It is exact for every sample, and needs no plan of when to look.
//!
//! It also holds for the mean of numbers between 0 and 1 with their sum in place of the number of hits, because a line through
//! two points of a convex function lies above it (Hoeffding 1963); and for quantiles, because how many of the values are beyond
//! the true one is a rate (Howard and Ramdas 2022, "Sequential estimation of quantiles").

use libm::lgamma;

/// Steps until an end is known to the last digit that matters.
const HALVINGS: usize = 60;

/// How improbable hits and misses are under a rate, beside all other rates: the logarithm of the martingale.
fn evidence(hits: f64, misses: f64, rate: f64) -> f64 {
    let ln_beta = |a: f64, b: f64| lgamma(a) + lgamma(b) - lgamma(a + b);
    let part = |times: f64, of: f64| if times > 0.0 { times * of.ln() } else { 0.0 };
    ln_beta(hits + 0.5, misses + 0.5) - ln_beta(0.5, 0.5) - part(hits, rate) - part(misses, 1.0 - rate)
}

/// Whether the rate is above this one, of `hits` (or a sum of numbers between 0 and 1) of `of`: wrong at any time with a
/// probability of at most `alpha`.
#[must_use]
pub fn is_above(rate: f64, hits: f64, of: f64, alpha: f64) -> bool {
    let misses = (of - hits).max(0.0);
    of > 0.0 && hits > rate * of && (rate <= 0.0 || evidence(hits, misses, rate) >= -alpha.ln())
}

/// The lower end of the confidence sequence of a rate: 0 if nothing can be said.
#[must_use]
pub fn lower(hits: f64, of: f64, alpha: f64) -> f64 {
    if of <= 0.0 || hits <= 0.0 {
        return 0.0;
    }
    // The martingale falls from the left towards the rate that was seen.
    let (mut out, mut inside) = (0.0, (hits / of).min(1.0));
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(out, inside);
        if is_above(middle, hits, of, alpha) { out = middle } else { inside = middle }
    }
    out
}

/// The upper end: 1 if nothing can be said.
#[must_use]
pub fn upper(hits: f64, of: f64, alpha: f64) -> f64 {
    1.0 - lower((of - hits).max(0.0), of, alpha)
}

/// How many of so many must be hits at least, to be sure that the rate is above this one; `None`: not even all of them.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "counts of executions are far below 2^53")]
pub fn hits_to_be_above(rate: f64, of: u64, alpha: f64) -> Option<u64> {
    let sure = |hits: u64| is_above(rate, hits as f64, of as f64, alpha);
    if !sure(of) {
        return None;
    }
    let (mut too_few, mut enough) = (0, of);
    while enough - too_few > 1 {
        let middle = u64::midpoint(too_few, enough);
        if sure(middle) { enough = middle } else { too_few = middle }
    }
    Some(enough)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn ends_lie_around_what_was_seen_and_close_in_on_it() {
        let mut width = 1.0;
        for of in [10.0, 100.0, 1_000.0, 100_000.0, 10_000_000.0] {
            let (low, high) = (lower(0.2 * of, of, 0.01), upper(0.2 * of, of, 0.01));
            assert!(low < 0.2 && 0.2 < high && high - low < width, "{of}: {low} to {high}");
            width = high - low;
        }
        assert!(width < 0.002, "{width}");
        assert_eq!((lower(0.0, 100.0, 0.01), upper(100.0, 100.0, 0.01)), (0.0, 1.0));
        assert_eq!((lower(0.0, 0.0, 0.01), upper(0.0, 0.0, 0.01)), (0.0, 1.0), "nothing is known");
    }

    #[test]
    fn the_martingale_is_the_ratio_that_the_paper_says() {
        // One hit of one: the mixture gives 1/2, whatever it is beside.
        assert!((evidence(1.0, 0.0, 0.25) - (0.5_f64 / 0.25).ln()).abs() < 1e-12);
        // Two hits of two: the mean of p² under Beta(1/2, 1/2) is 3/8.
        assert!((evidence(2.0, 0.0, 0.5) - (0.375_f64 / 0.25).ln()).abs() < 1e-12);
    }

    #[test]
    fn it_is_a_martingale_so_its_mean_stays_one() {
        // Over all ways that 12 throws can go: each is as probable as p says, and the means of the ratio add up to 1.
        for rate in [0.1_f64, 0.5, 0.9] {
            let mut mean = 0.0;
            for hits in 0..=12_u32 {
                let ways = (1..=hits).fold(1.0, |ways, k| ways * f64::from(13 - k) / f64::from(k));
                let (hits, misses) = (f64::from(hits), f64::from(12 - hits));
                mean += ways * rate.powf(hits) * (1.0 - rate).powf(misses) * evidence(hits, misses, rate).exp();
            }
            assert!((mean - 1.0).abs() < 1e-9, "{mean}");
        }
    }

    #[test]
    fn the_least_hits_that_are_enough_are_enough_and_one_less_is_not() {
        for (rate, of) in [(0.05, 50), (0.05, 5_000), (0.5, 100), (0.99, 10_000)] {
            let Some(enough) = hits_to_be_above(rate, of, 0.01) else {
                assert!(!is_above(rate, f64::from(u32::try_from(of).unwrap()), of as f64, 0.01));
                continue;
            };
            assert!(is_above(rate, enough as f64, of as f64, 0.01));
            assert!(!is_above(rate, (enough - 1) as f64, of as f64, 0.01));
        }
        assert_eq!(hits_to_be_above(0.95, 10, 0.01), None);
    }
}
