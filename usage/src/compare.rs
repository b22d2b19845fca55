//! Whether two groups of executions differ: the difference with a 95 % confidence interval.
//!
//! Rates (errors, yes or no) by Newcombe's hybrid of two Wilson score intervals (Newcombe 1998, method 10), which holds for small
//! samples and for rates near 0 and 1. Means (latency, scores that are numbers) by Welch's interval, which assumes no equal variances;
//! the quantile of Student's t by its expansion around the normal one (Abramowitz and Stegun 26.7.5). The sums that all rests on
//! are exact.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::query::{Measures, Spread};

/// The quantile of the normal distribution that leaves 2.5 % on each side.
const Z: f64 = 1.959_963_984_540_054;
/// Below so many degrees of freedom the expansion of t is not good enough, and the sample says nothing anyway.
const FREEDOM_MIN: f64 = 3.0;

/// A value with the interval that it lies in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// The lower end; none if there is too little to say one.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
}

/// What two groups are in one respect, and how the second differs from the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// How many there are in the first, and in the second.
    pub samples: (u64, u64),
    /// The first.
    pub a: Estimate,
    /// The second.
    pub b: Estimate,
    /// The second less the first.
    pub difference: Estimate,
    /// Whether the interval of the difference leaves 0 out; none if there is no interval.
    pub significant: Option<bool>,
}

/// In every respect in which both have something.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The share of executions that ended with an error.
    pub error_rate: Option<Comparison>,
    /// The mean latency, in microseconds.
    pub latency_us: Option<Comparison>,
    /// The mean of scores that are numbers, in millionths.
    pub millionths: BTreeMap<String, Comparison>,
    /// The share of yes.
    pub yes_rate: BTreeMap<String, Comparison>,
}

/// Compares two groups.
#[must_use]
pub fn compare(a: &Measures, b: &Measures) -> Compared {
    let mut compared = Compared {
        error_rate: rates((a.errors, a.count), (b.errors, b.count)),
        latency_us: means(&a.latency_us, &b.latency_us),
        ..Compared::default()
    };
    for (name, of_a) in &a.scores {
        let Some(of_b) = b.scores.get(name) else { continue };
        let numbers = means(&of_a.millionths, &of_b.millionths);
        compared.millionths.extend(numbers.map(|means| (name.clone(), means)));
        let rates = rates((of_a.yes, of_a.yes + of_a.no), (of_b.yes, of_b.yes + of_b.no));
        compared.yes_rate.extend(rates.map(|rates| (name.clone(), rates)));
    }
    compared
}

fn rates(a: (u64, u64), b: (u64, u64)) -> Option<Comparison> {
    let samples = (a.1, b.1);
    let ((p_a, low_a, high_a), (p_b, low_b, high_b)) = (wilson(a)?, wilson(b)?);
    let value = p_b - p_a;
    let low = value - ((p_b - low_b).powi(2) + (high_a - p_a).powi(2)).sqrt();
    let high = value + ((high_b - p_b).powi(2) + (p_a - low_a).powi(2)).sqrt();
    let estimate = |value, low, high| Estimate { value, low: Some(low), high: Some(high) };
    let (a, b) = (estimate(p_a, low_a, high_a), estimate(p_b, low_b, high_b));
    Some(Comparison {
        samples,
        a,
        b,
        difference: estimate(value, low, high),
        significant: Some(low > 0.0 || high < 0.0),
    })
}

/// A rate with its Wilson score interval; none of no samples.
#[allow(clippy::cast_precision_loss, reason = "counts of executions are far below 2^53")]
fn wilson((hits, of): (u64, u64)) -> Option<(f64, f64, f64)> {
    if of == 0 {
        return None;
    }
    let (n, p) = (of as f64, hits as f64 / of as f64);
    let z2 = Z * Z;
    let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    Some((p, (middle - half).max(0.0), (middle + half).min(1.0)))
}

fn means(a: &Spread, b: &Spread) -> Option<Comparison> {
    let (mean_a, mean_b) = (a.mean()?, b.mean()?);
    let samples = (a.count, b.count);
    let value = mean_b - mean_a;
    let own = |spread: &Spread, mean: f64| match error(spread).and_then(|(square, freedom)| Some((square, t(freedom)?)))
    {
        Some((square, t)) => around(mean, Some(t * square.sqrt())),
        None => around(mean, None),
    };
    let half = match (error(a), error(b)) {
        (Some((square_a, free_a)), Some((square_b, free_b))) => {
            let square = square_a + square_b;
            // Welch and Satterthwaite.
            let freedom = square.powi(2) / (square_a.powi(2) / free_a + square_b.powi(2) / free_b);
            let freedom = if freedom.is_nan() { free_a + free_b } else { freedom }; // no variance at all
            t(freedom).map(|t| t * square.sqrt())
        }
        _ => None,
    };
    let significant = half.map(|half| value.abs() > half);
    Some(Comparison { samples, a: own(a, mean_a), b: own(b, mean_b), difference: around(value, half), significant })
}

fn around(value: f64, half: Option<f64>) -> Estimate {
    Estimate { value, low: half.map(|half| value - half), high: half.map(|half| value + half) }
}

/// The square of the standard error of a mean, and its degrees of freedom; none of fewer than two.
#[allow(clippy::cast_precision_loss, reason = "what is left after the exact subtraction is an estimate")]
fn error(spread: &Spread) -> Option<(f64, f64)> {
    let (count, n) = (u128::from(spread.count), spread.count as f64);
    if spread.count < 2 {
        return None;
    }
    let sum = spread.sum.unsigned_abs();
    // n times the sum of squares less the square of the sum: exactly where that fits, because most of it cancels out.
    let exact = count.checked_mul(spread.squares).zip(sum.checked_mul(sum));
    let spread = match exact {
        Some((squares, square)) => squares.saturating_sub(square) as f64,
        None => (n * spread.squares as f64 - (sum as f64).powi(2)).max(0.0),
    };
    Some((spread / (n * n * (n - 1.0)), n - 1.0))
}

/// The quantile of Student's t that leaves 2.5 % on each side.
fn t(freedom: f64) -> Option<f64> {
    if freedom < FREEDOM_MIN {
        return None;
    }
    let z = Z;
    let terms = [
        (z.powi(3) + z) / 4.0,
        (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0,
        (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0,
        (79.0 * z.powi(9) + 776.0 * z.powi(7) + 1482.0 * z.powi(5) - 1920.0 * z.powi(3) - 945.0 * z) / 92_160.0,
    ];
    let mut power = 1.0;
    let sum = terms.into_iter().map(|term| {
        power *= freedom;
        term / power
    });
    Some(z + sum.sum::<f64>())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn near(told: f64, right: f64, by: f64) {
        assert!((told - right).abs() <= by, "{told}, not {right}");
    }

    fn spread(values: &[i64]) -> Spread {
        let squares = values.iter().map(|value| u128::from(value.unsigned_abs()).pow(2)).sum();
        let sum = values.iter().map(|value| i128::from(*value)).sum();
        Spread { count: values.len() as u64, sum, squares, ..Spread::default() }
    }

    #[test]
    fn rates_are_those_of_the_paper() {
        // Newcombe 1998, table II: 56/70 and 48/80 by method 10.
        let told = rates((48, 80), (56, 70)).unwrap();
        near(told.difference.value, 0.2, 1e-9);
        near(told.difference.low.unwrap(), 0.0524, 5e-5);
        near(told.difference.high.unwrap(), 0.3339, 5e-5);
        assert_eq!(told.significant, Some(true));
        // 10/10 and 0/10.
        let told = rates((0, 10), (10, 10)).unwrap();
        near(told.difference.low.unwrap(), 0.6075, 5e-5);
        near(told.difference.high.unwrap(), 1.0, 1e-9);
        assert_eq!(rates((0, 0), (1, 2)), None);
    }

    #[test]
    fn student_s_quantiles_are_those_of_the_tables() {
        for (freedom, right) in [(3.0, 3.182), (5.0, 2.571), (10.0, 2.228), (30.0, 2.042), (120.0, 1.980)] {
            near(t(freedom).unwrap(), right, 0.01);
        }
        assert_eq!(t(2.0), None);
    }

    #[test]
    fn means_are_welch_s() {
        let (a, b) = (spread(&[1_000, 1_200, 1_100, 1_300]), spread(&[2_000, 2_600, 2_300, 2_900, 2_200]));
        let told = means(&a, &b).unwrap();
        // Means 1150 and 2400; variances 16,666.7 and 125,000; 5.26 degrees of freedom.
        near(told.difference.value, 1250.0, 1e-9);
        near(told.difference.high.unwrap() - 1250.0, 2.533 * (16_666.667_f64 / 4.0 + 25_000.0).sqrt(), 5.0);
        assert_eq!((told.samples, told.significant), ((4, 5), Some(true)));
        let same = means(&spread(&[5; 9]), &spread(&[5; 9])).unwrap();
        assert_eq!((same.difference.low, same.difference.high, same.significant), (Some(0.0), Some(0.0), Some(false)));
        let one = means(&spread(&[5]), &b).unwrap();
        assert_eq!((one.difference.low, one.significant, one.a.low), (None, None, None));
        // Large numbers that differ by little: what cancels out is subtracted exactly.
        let base = 1_000_000_000_000;
        let close = means(&spread(&[base, base + 2, base + 4, base + 6]), &spread(&[base; 4])).unwrap();
        near(error(&spread(&[base, base + 2, base + 4, base + 6])).unwrap().0, 20.0 / 3.0 / 4.0, 1e-9);
        near(close.difference.value, -3.0, 1e-3);
    }
}
