//! A label that is split over versions: which bucket a key falls into, and which version a bucket gets.
//!
//! Whoever holds a rollout's id and its table comes to the same version for a key, whether server or SDK: there is nothing
//! else to know. `vectors/rollouts.json` fixes it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de};
use sha2::{Digest, Sha256};

use crate::id::RolloutId;
use crate::limits::{ROLLOUT_ARMS_MAX, ROLLOUT_RUNS_MAX};

/// Buckets of a rollout: a weight of one is a hundredth of a percent.
pub const BUCKETS: u16 = 10_000;

/// The bucket that a key falls into: SHA-256 over the id as text, a zero byte and the key's UTF-8, read as one big-endian
/// number, modulo [`BUCKETS`]. Another rollout shuffles the keys anew.
#[must_use]
pub fn bucket(rollout: RolloutId, key: &str) -> u16 {
    let mut hasher = Sha256::new();
    hasher.update(rollout.to_string());
    hasher.update([0]);
    hasher.update(key);
    let digits = hasher.finalize();
    let rest = digits.iter().fold(0, |rest: u32, digit| (rest * 256 + u32::from(*digit)) % u32::from(BUCKETS));
    u16::try_from(rest).unwrap_or_default() // below 10,000
}

/// A number of buckets one after another that get the same version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// The version's number.
    pub version: u32,
    /// How many buckets: at least one.
    pub buckets: u16,
}

/// Which version each bucket gets, from bucket 0 on. The runs cover all buckets, and neighbours differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Table(Vec<Run>);

/// How many buckets each version gets: at least one each, [`BUCKETS`] together, 1 to 16 versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Weights(BTreeMap<u32, u16>);

/// Runs that are no table, or weights that are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// They do not cover the buckets exactly.
    #[error("the weights must add up to {BUCKETS} (each is in hundredths of a percent), not to {0}")]
    Sum(u32),
    /// A run or a version without buckets.
    #[error("a weight is at least 1; leave a version out that gets none")]
    Empty,
    /// Two runs of the same version, one after the other.
    #[error("two runs of version {0} lie side by side")]
    Neighbours(u32),
    /// More versions than are allowed, or none.
    #[error("1 to {ROLLOUT_ARMS_MAX} versions are allowed, not {0}")]
    Arms(usize),
    /// More runs than are allowed.
    #[error("at most {ROLLOUT_RUNS_MAX} runs are allowed")]
    Runs,
}

fn covers(buckets: impl Iterator<Item = u16>) -> Result<(), SplitError> {
    let (mut sum, mut empty) = (0u32, false);
    for buckets in buckets {
        sum = sum.saturating_add(u32::from(buckets));
        empty |= buckets == 0;
    }
    match sum {
        _ if empty => Err(SplitError::Empty),
        sum if sum != u32::from(BUCKETS) => Err(SplitError::Sum(sum)),
        _ => Ok(()),
    }
}

impl Table {
    /// Every bucket gets the same version.
    #[must_use]
    pub fn all(version: u32) -> Self {
        Self(vec![Run { version, buckets: BUCKETS }])
    }

    /// From its runs.
    ///
    /// # Errors
    /// They do not cover the buckets exactly, or could be fewer, or are too many.
    pub fn new(runs: Vec<Run>) -> Result<Self, SplitError> {
        if runs.len() > ROLLOUT_RUNS_MAX {
            return Err(SplitError::Runs);
        }
        covers(runs.iter().map(|run| run.buckets))?;
        match runs.windows(2).find(|pair| pair[0].version == pair[1].version) {
            Some(pair) => Err(SplitError::Neighbours(pair[0].version)),
            None => Ok(Self(runs)),
        }
    }

    /// From the version of each bucket.
    ///
    /// # Errors
    /// Not as many as there are buckets; more runs than are allowed.
    pub fn of_buckets(versions: impl IntoIterator<Item = u32>) -> Result<Self, SplitError> {
        let mut runs: Vec<Run> = Vec::new();
        for version in versions {
            match runs.last_mut() {
                Some(run) if run.version == version => run.buckets = run.buckets.saturating_add(1),
                _ => runs.push(Run { version, buckets: 1 }),
            }
        }
        Self::new(runs)
    }

    /// Its runs, from bucket 0 on.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.0
    }

    /// The version of each bucket, from bucket 0 on.
    pub fn buckets(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|run| std::iter::repeat_n(run.version, usize::from(run.buckets)))
    }

    /// The version that a bucket gets.
    #[must_use]
    pub fn version(&self, bucket: u16) -> u32 {
        let mut left = bucket;
        for run in &self.0 {
            match left.checked_sub(run.buckets) {
                None => return run.version,
                Some(rest) => left = rest,
            }
        }
        self.0.last().map_or(0, |run| run.version) // beyond the last bucket; a table has a run
    }

    /// How many buckets each version has.
    #[must_use]
    pub fn weights(&self) -> BTreeMap<u32, u16> {
        let mut weights = BTreeMap::new();
        for run in &self.0 {
            *weights.entry(run.version).or_default() += run.buckets; // BUCKETS at most
        }
        weights
    }
}

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Weights {
    /// From the number of buckets of each version.
    ///
    /// # Errors
    /// They do not cover the buckets exactly; too many versions.
    pub fn new(weights: BTreeMap<u32, u16>) -> Result<Self, SplitError> {
        if !(1..=ROLLOUT_ARMS_MAX).contains(&weights.len()) {
            return Err(SplitError::Arms(weights.len()));
        }
        covers(weights.values().copied())?;
        Ok(Self(weights))
    }

    /// The buckets of each version.
    #[must_use]
    pub fn as_map(&self) -> &BTreeMap<u32, u16> {
        &self.0
    }

    /// The versions.
    pub fn versions(&self) -> impl Iterator<Item = u32> {
        self.0.keys().copied()
    }

    /// The buckets of a version.
    #[must_use]
    pub fn of(&self, version: u32) -> u16 {
        self.0.get(&version).copied().unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Weights {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(BTreeMap::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
