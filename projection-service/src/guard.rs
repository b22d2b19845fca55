//! A guard and its figures as JSON, in the units in which they are given: shares, milliseconds, scores.

use promptory_events::guard::{Bound, Figures, Guard, Measure, Sample, Then};
use serde_json::{Value, json};

const PARTS_OF_ONE: f64 = 1_000_000.0;
const MICROS_OF_MS: f64 = 1000.0;

/// What is looked at.
#[must_use]
pub fn measure(measure: &Measure) -> Value {
    match measure {
        Measure::ErrorRate => json!({ "measure": "error_rate" }),
        Measure::Latency { percent } => json!({ "measure": "latency", "quantile": percent }),
        Measure::Score { name, lowest, highest } => {
            let [lowest, highest] = [lowest, highest].map(|end| in_parts(*end, PARTS_OF_ONE));
            json!({ "measure": "score", "score": name, "lowest": lowest, "highest": highest })
        }
    }
}

/// A guard as whoever names it gives it.
#[must_use]
pub fn told(guard: &Guard) -> Value {
    let mut said = measure(&guard.measure);
    match guard.bound {
        Bound::Limit(limit) => said["limit"] = value(&guard.measure, limit).into(),
        Bound::Control(margin) => said["control_margin"] = in_parts(margin, PARTS_OF_ONE).into(),
    }
    said["min_samples"] = guard.min_samples.into();
    said["false_alarm"] = in_parts(guard.false_alarm.into(), PARTS_OF_ONE).into();
    said["then"] = match guard.then {
        Then::Pause => "pause",
        Then::RollBack => "roll_back",
    }
    .into();
    said
}

/// By what a measure is beyond its limit.
#[must_use]
pub fn figures(measure: &Measure, figures: &Figures) -> Value {
    json!({
        "version": sample(measure, figures.version),
        "control": figures.control.map(|control| sample(measure, control)),
        "limit": value(measure, figures.limit),
    })
}

/// By what a day is beyond what was before it.
#[must_use]
pub fn beside_past(measure: &Measure, figures: &Figures) -> Value {
    json!({
        "day": sample(measure, figures.version),
        "past": figures.control.map(|past| sample(measure, past)),
        "limit": value(measure, figures.limit),
    })
}

fn sample(measure: &Measure, sample: Sample) -> Value {
    json!({
        "samples": sample.samples,
        "value": value(measure, sample.value),
        "end": value(measure, sample.end),
    })
}

fn value(measure: &Measure, value: i64) -> f64 {
    in_parts(value, if matches!(measure, Measure::Latency { .. }) { MICROS_OF_MS } else { PARTS_OF_ONE })
}

#[allow(clippy::cast_precision_loss, reason = "to be read; the events have the exact integers")]
fn in_parts(whole: i64, parts: f64) -> f64 {
    whole as f64 / parts
}
