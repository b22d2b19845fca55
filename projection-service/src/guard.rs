//! A guard and its figures as JSON, in the units in which they are given: shares, milliseconds, scores.

use promptory_events::guard::{Bound, Figures, Guard, Measure, Sample, Then};
use serde_json::{Value, json};

const PARTS_OF_ONE: f64 = 1_000_000.0;
const MICROS_OF_MS: f64 = 1000.0;

/// A guard as whoever names it gives it.
#[must_use]
pub fn told(guard: &Guard) -> Value {
    let mut said = match &guard.measure {
        Measure::ErrorRate => json!({ "measure": "error_rate" }),
        Measure::Latency { percent } => json!({ "measure": "latency", "quantile": percent }),
        Measure::Score { name, lowest, highest } => {
            let [lowest, highest] = [lowest, highest].map(|end| in_parts(*end, PARTS_OF_ONE));
            json!({ "measure": "score", "score": name, "lowest": lowest, "highest": highest })
        }
    };
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
    let sample = |sample: Sample| {
        json!({
            "samples": sample.samples,
            "value": value(measure, sample.value),
            "end": value(measure, sample.end),
        })
    };
    json!({
        "version": sample(figures.version),
        "control": figures.control.map(sample),
        "limit": value(measure, figures.limit),
    })
}

fn value(measure: &Measure, value: i64) -> f64 {
    in_parts(value, if matches!(measure, Measure::Latency { .. }) { MICROS_OF_MS } else { PARTS_OF_ONE })
}

#[allow(clippy::cast_precision_loss, reason = "to be read; the events have the exact integers")]
fn in_parts(whole: i64, parts: f64) -> f64 {
    whole as f64 / parts
}
