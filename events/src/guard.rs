//! What a rollout must not do: guards, and the figures by which one was breached.
//!
//! All numbers are integers, in the units that usage is counted in: rates and scores in millionths, latencies in microseconds.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de};

use crate::limits::{GUARD_FALSE_ALARM_MAX_MILLIONTHS, GUARD_FALSE_ALARM_MIN_MILLIONTHS, USAGE_NAME_MAX_BYTES};

/// A whole, in millionths.
pub const MILLION: i64 = 1_000_000;

/// What is no degradation yet: a share of errors more, in millionths.
const WATCH_ERROR_MARGIN: i64 = 10_000;
/// A share of the latency more, in millionths.
const WATCH_LATENCY_MARGIN: i64 = 200_000;
/// A score lower, in millionths.
const WATCH_SCORE_MARGIN: i64 = 50_000;
/// Executions or scores that a day and its past need at least.
pub const WATCH_MIN_SAMPLES: u32 = 100;

/// What usage records call a kind of judgement: 1 to 64 bytes, no control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct ScoreName(String);

impl ScoreName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ScoreName {
    type Err = GuardError;

    fn from_str(text: &str) -> Result<Self, GuardError> {
        let fits = (1..=USAGE_NAME_MAX_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(GuardError::ScoreName) }
    }
}

impl<'de> Deserialize<'de> for ScoreName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for ScoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Measure {
    /// The share of executions that ended with an error, in millionths.
    ErrorRate,
    /// The latency that so many of a hundred executions are not above (1 to 99), in microseconds.
    Latency {
        /// How many of a hundred.
        percent: u8,
    },
    /// The mean of a score, in millionths. A yes counts as the highest, a no as the lowest, and a number beyond them as the
    /// nearer one.
    Score {
        /// Which score.
        name: ScoreName,
        /// The lowest that it can be, in millionths.
        lowest: i64,
        /// The highest that it can be, in millionths.
        highest: i64,
    },
}

impl Measure {
    /// Whether less of it is worse.
    #[must_use]
    pub fn falls(&self) -> bool {
        matches!(self, Self::Score { .. })
    }

    /// What it is called: its kind and what narrows that.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::ErrorRate => "error_rate".to_owned(),
            Self::Latency { percent } => format!("latency {percent}"),
            Self::Score { name, .. } => format!("score {name}"),
        }
    }

    /// Whether one value of it is worse than another.
    #[must_use]
    pub fn is_worse(&self, value: i64, than: i64) -> bool {
        if self.falls() { value < than } else { value > than }
    }
}

/// How bad it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Bound {
    /// Not worse than this.
    Limit(i64),
    /// Not worse than the control by more than this: millionths of a rate or a score; for a latency millionths of that of the
    /// control. At least 0.
    Control(i64),
}

/// What happens to the rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Then {
    /// It is paused.
    Pause,
    /// It is rolled back.
    RollBack,
}

/// Something that no version of a rollout may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Guard {
    /// What is looked at.
    pub measure: Measure,
    /// How bad it may be.
    pub bound: Bound,
    /// Nothing is said of fewer executions or scores of a version; at least 1.
    pub min_samples: u32,
    /// How probable it may be that it is ever breached by a version that keeps within the bound, in millionths.
    pub false_alarm: u32,
    /// What happens when it is breached.
    pub then: Then,
}

#[derive(Deserialize)]
struct Parts {
    measure: Measure,
    bound: Bound,
    min_samples: u32,
    false_alarm: u32,
    then: Then,
}

/// What is no guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// Not what a score is called.
    #[error("the name of a score has 1 to {USAGE_NAME_MAX_BYTES} bytes and no control characters")]
    ScoreName,
    /// A quantile that can't be had.
    #[error("a quantile is 1 to 99")]
    Quantile,
    /// The lowest score is not below the highest.
    #[error("the lowest value of a score must be below its highest")]
    Range,
    /// A bound that nothing can be beyond, or everything is.
    #[error("that is no bound for this measure")]
    Bound,
    /// No sample.
    #[error("at least 1 sample is needed")]
    Samples,
    /// A probability that can't be had.
    #[error("the probability of a false alarm is 0.0001 to 0.2")]
    FalseAlarm,
}

impl Guard {
    /// A guard of its parts.
    ///
    /// # Errors
    /// They are none together.
    pub fn new(
        measure: Measure,
        bound: Bound,
        min_samples: u32,
        false_alarm: u32,
        then: Then,
    ) -> Result<Self, GuardError> {
        let inside = match (&measure, bound) {
            (Measure::Latency { percent }, _) if !(1..=99).contains(percent) => return Err(GuardError::Quantile),
            (Measure::Score { lowest, highest, .. }, _) if lowest >= highest => return Err(GuardError::Range),
            (_, Bound::Control(margin)) => margin >= 0,
            (Measure::ErrorRate, Bound::Limit(limit)) => (0..MILLION).contains(&limit),
            (Measure::Latency { .. }, Bound::Limit(limit)) => limit >= 0,
            (Measure::Score { lowest, highest, .. }, Bound::Limit(limit)) => (*lowest..=*highest).contains(&limit),
        };
        if !inside {
            return Err(GuardError::Bound);
        }
        if min_samples == 0 {
            return Err(GuardError::Samples);
        }
        if !(GUARD_FALSE_ALARM_MIN_MILLIONTHS..=GUARD_FALSE_ALARM_MAX_MILLIONTHS).contains(&false_alarm) {
            return Err(GuardError::FalseAlarm);
        }
        Ok(Self { measure, bound, min_samples, false_alarm, then })
    }

    /// What a version must not do beside its own past; one of the stated probability for each version, measure and day.
    ///
    /// # Errors
    /// The measure is none.
    pub fn of_watch(measure: Measure) -> Result<Self, GuardError> {
        let margin = match measure {
            Measure::ErrorRate => WATCH_ERROR_MARGIN,
            Measure::Latency { .. } => WATCH_LATENCY_MARGIN,
            Measure::Score { .. } => WATCH_SCORE_MARGIN,
        };
        Self::new(measure, Bound::Control(margin), WATCH_MIN_SAMPLES, GUARD_FALSE_ALARM_MIN_MILLIONTHS, Then::Pause)
    }

    /// The worst that is still allowed beside a control whose own end is there; `None` if it can't be told.
    #[must_use]
    pub fn limit(&self, control: Option<i64>) -> Option<i64> {
        let margin = match self.bound {
            Bound::Limit(limit) => return Some(limit),
            Bound::Control(margin) => margin,
        };
        let control = control?;
        Some(match self.measure {
            Measure::ErrorRate => control.saturating_add(margin),
            Measure::Latency { .. } => {
                let more = i128::from(control).saturating_mul(margin.into()) / i128::from(MILLION);
                control.saturating_add(i64::try_from(more).unwrap_or(i64::MAX))
            }
            Measure::Score { .. } => control.saturating_sub(margin),
        })
    }

    /// Whether figures are those of a breach.
    #[must_use]
    pub fn is_breached_by(&self, figures: &Figures) -> bool {
        let control = match self.bound {
            Bound::Limit(_) => None,
            Bound::Control(_) => figures.control.map(|control| control.end),
        };
        figures.version.samples >= u64::from(self.min_samples)
            && self.limit(control) == Some(figures.limit)
            && self.measure.is_worse(figures.version.end, figures.limit)
    }
}

impl<'de> Deserialize<'de> for Guard {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Parts { measure, bound, min_samples, false_alarm, then } = Parts::deserialize(deserializer)?;
        Self::new(measure, bound, min_samples, false_alarm, then).map_err(de::Error::custom)
    }
}

/// What was counted of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sample {
    /// How many executions or scores.
    pub samples: u64,
    /// What the measure is of them.
    pub value: i64,
    /// The end of its confidence sequence that speaks for the defendant: of a version the better one, of what it is compared
    /// with the worse one.
    pub end: i64,
}

/// By what a guard was breached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// The version.
    pub version: Sample,
    /// What it was compared with, if it was.
    pub control: Option<Sample>,
    /// What its end is worse than.
    pub limit: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(bound: Bound) -> Result<Guard, GuardError> {
        Guard::new(Measure::ErrorRate, bound, 10, 10_000, Then::Pause)
    }

    #[test]
    fn what_can_t_be_breached_or_kept_is_no_guard() {
        assert_eq!(guard(Bound::Limit(MILLION)), Err(GuardError::Bound));
        assert_eq!(guard(Bound::Control(-1)), Err(GuardError::Bound));
        let latency = Measure::Latency { percent: 100 };
        assert_eq!(Guard::new(latency, Bound::Limit(1), 10, 10_000, Then::Pause), Err(GuardError::Quantile));
        let name = "helpful".parse().unwrap();
        let score = Measure::Score { name, lowest: 5, highest: 5 };
        assert_eq!(Guard::new(score, Bound::Limit(5), 10, 10_000, Then::Pause), Err(GuardError::Range));
        assert_eq!(Guard::new(Measure::ErrorRate, Bound::Limit(0), 0, 10_000, Then::Pause), Err(GuardError::Samples));
        assert_eq!(Guard::new(Measure::ErrorRate, Bound::Limit(0), 1, 1, Then::Pause), Err(GuardError::FalseAlarm));
        let written = serde_json::to_value(guard(Bound::Limit(5)).unwrap()).unwrap();
        let mut bad = written.clone();
        bad["min_samples"] = 0.into();
        assert!(serde_json::from_value::<Guard>(written).is_ok() && serde_json::from_value::<Guard>(bad).is_err());
    }

    #[test]
    fn figures_are_of_a_breach_only_if_they_are_beyond_the_limit_that_follows_from_them() {
        let by_limit = guard(Bound::Limit(50_000)).unwrap();
        let sample = |samples, end| Sample { samples, value: end, end };
        let figures = Figures { version: sample(10, 50_001), control: None, limit: 50_000 };
        assert!(by_limit.is_breached_by(&figures));
        assert!(!by_limit.is_breached_by(&Figures { version: sample(9, 50_001), ..figures }), "too few");
        assert!(!by_limit.is_breached_by(&Figures { version: sample(10, 50_000), ..figures }), "within");
        assert!(!by_limit.is_breached_by(&Figures { limit: 40_000, ..figures }), "another limit");
        let by_control = guard(Bound::Control(10_000)).unwrap();
        assert!(!by_control.is_breached_by(&figures), "compared with nothing");
        let figures = Figures { control: Some(sample(10, 40_000)), ..figures };
        assert!(by_control.is_breached_by(&figures));
    }
}
