//! What no version of a rollout may do, from JSON: names become types, numbers the integers that usage is counted in.

use promptory_events::guard::{Bound, Guard, GuardError, MILLION, Measure, Then};
use promptory_events::limits::USAGE_SCORE_MAX_MILLIONTHS;
use promptory_platform::problem::Problem;
use serde_json::Number;

use crate::wire;

const PERCENT: u8 = 95;
const MIN_SAMPLES: u32 = 100;
const FALSE_ALARM_MILLIONTHS: i64 = 10_000;
const MICROS_OF_MS: i64 = 1000;

/// All of them, each named by its place if it is none.
pub(super) fn guards(all: &[wire::Guard]) -> Result<Vec<Guard>, Problem> {
    all.iter().enumerate().map(|(place, one)| Place(place).guard(one)).collect()
}

struct Place(usize);

impl Place {
    fn refused(&self, field: &str, why: impl Into<String>) -> Problem {
        Problem::field(&format!("/guards/{}/{field}", self.0), why)
    }

    fn guard(&self, said: &wire::Guard) -> Result<Guard, Problem> {
        let measure = self.measure(said)?;
        let of_limit = if matches!(measure, Measure::Latency { .. }) { MICROS_OF_MS } else { MILLION };
        let limit = self.whole("limit", said.limit.as_ref(), of_limit)?;
        let margin = self.whole("control_margin", said.control_margin.as_ref(), MILLION)?;
        let bound = match (limit, margin) {
            (Some(limit), None) => Bound::Limit(limit),
            (None, Some(margin)) => Bound::Control(margin),
            _ => return Err(self.refused("limit", "give exactly one of `limit` and `control_margin`")),
        };
        let then = match said.then.as_str() {
            "pause" => Then::Pause,
            "roll_back" => Then::RollBack,
            _ => return Err(self.refused("then", "is `pause` or `roll_back`")),
        };
        let false_alarm = self.whole("false_alarm", said.false_alarm.as_ref(), MILLION)?;
        let false_alarm = u32::try_from(false_alarm.unwrap_or(FALSE_ALARM_MILLIONTHS)).unwrap_or_default(); // 0 is refused
        let guard = Guard::new(measure, bound, said.min_samples.unwrap_or(MIN_SAMPLES), false_alarm, then);
        guard.map_err(|error| self.refused(at(error, bound), error.to_string()))
    }

    fn measure(&self, said: &wire::Guard) -> Result<Measure, Problem> {
        let (latency, score) = (said.measure == "latency", said.measure == "score");
        for (is_its, given, field) in [
            (latency, said.quantile.is_some(), "quantile"),
            (score, said.score.is_some(), "score"),
            (score, said.lowest.is_some(), "lowest"),
            (score, said.highest.is_some(), "highest"),
        ] {
            if given && !is_its {
                return Err(self.refused(field, format!("is not of the measure `{}`", said.measure)));
            }
        }
        match said.measure.as_str() {
            "error_rate" => Ok(Measure::ErrorRate),
            "latency" => Ok(Measure::Latency { percent: said.quantile.unwrap_or(PERCENT) }),
            "score" => {
                let name = said.score.as_deref().unwrap_or_default().parse();
                let name = name.map_err(|error: GuardError| self.refused("score", error.to_string()))?;
                let lowest = self.whole("lowest", said.lowest.as_ref(), MILLION)?.unwrap_or(0);
                let highest = self.whole("highest", said.highest.as_ref(), MILLION)?.unwrap_or(MILLION);
                Ok(Measure::Score { name, lowest, highest })
            }
            _ => Err(self.refused("measure", "is `error_rate`, `latency` or `score`")),
        }
    }

    /// A number in so many parts of its unit, to the nearest one.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "what is too large is refused before"
    )]
    fn whole(&self, field: &str, number: Option<&Number>, parts: i64) -> Result<Option<i64>, Problem> {
        let Some(number) = number else { return Ok(None) };
        let parts = number.as_f64().map(|number| (number * parts as f64).round());
        match parts.filter(|parts| parts.abs() <= USAGE_SCORE_MAX_MILLIONTHS as f64) {
            Some(parts) => Ok(Some(parts as i64)),
            None => Err(self.refused(field, "is too large")),
        }
    }
}

fn at(error: GuardError, bound: Bound) -> &'static str {
    match (error, bound) {
        (GuardError::ScoreName, _) => "score",
        (GuardError::Quantile, _) => "quantile",
        (GuardError::Range, _) => "lowest",
        (GuardError::Bound, Bound::Limit(_)) => "limit",
        (GuardError::Bound, Bound::Control(_)) => "control_margin",
        (GuardError::Samples, _) => "min_samples",
        (GuardError::FalseAlarm, _) => "false_alarm",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(value: Value) -> Result<Guard, String> {
        let said: wire::Guard = serde_json::from_value(value).unwrap();
        let mut all = guards(&[said]).map_err(|problem| problem.document()["field"].as_str().unwrap().to_owned())?;
        Ok(all.remove(0))
    }

    #[test]
    fn units_are_those_that_people_think_in() {
        let guard = read(json!({"measure": "latency", "limit": 1500.5, "then": "pause"})).unwrap();
        assert_eq!((guard.measure, guard.bound), (Measure::Latency { percent: 95 }, Bound::Limit(1_500_500)));
        assert_eq!((guard.min_samples, guard.false_alarm, guard.then), (100, 10_000, Then::Pause));
        let score = json!({"measure": "score", "score": "helpful", "lowest": 1, "highest": 5, "control_margin": 0.25,
            "min_samples": 20, "false_alarm": 0.05, "then": "roll_back"});
        let guard = read(score).unwrap();
        assert_eq!((guard.bound, guard.false_alarm), (Bound::Control(250_000), 50_000));
        let Measure::Score { lowest, highest, .. } = guard.measure else { panic!("{guard:?}") };
        assert_eq!((lowest, highest), (1_000_000, 5_000_000));
    }

    #[test]
    fn what_is_no_guard_is_named_by_its_place() {
        let base = json!({"measure": "error_rate", "limit": 0.05, "then": "pause"});
        assert!(read(base.clone()).is_ok());
        for (field, value, named) in [
            ("measure", json!("cost"), "measure"),
            ("then", json!("explode"), "then"),
            ("limit", json!(1), "limit"),
            ("limit", json!(1e300), "limit"),
            ("control_margin", json!(0.1), "limit"),
            ("quantile", json!(95), "quantile"),
            ("score", json!("helpful"), "score"),
            ("min_samples", json!(0), "min_samples"),
            ("false_alarm", json!(0.5), "false_alarm"),
            ("false_alarm", json!(-1), "false_alarm"),
        ] {
            let mut bad = base.clone();
            bad[field] = value;
            assert_eq!(read(bad), Err(format!("/guards/0/{named}")), "{field}");
        }
    }
}
