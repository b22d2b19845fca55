//! A guard of a rollout as JSON, in the units that people think in.

use serde::{Deserialize, Serialize};
use serde_json::Number;
use utoipa::ToSchema;

/// Something that no version of a rollout may do: exactly one of `limit` and `control_margin`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// What is looked at: `error_rate`, `latency` or `score`.
    #[schema(example = "error_rate")]
    pub measure: String,
    /// Of a latency, which one: so many of a hundred executions are not above it. 1 to 99; 95 if this is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantile: Option<u8>,
    /// Of a score, which one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<String>,
    /// The lowest that the score can be; 0 if this is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub lowest: Option<Number>,
    /// The highest that the score can be; 1 if this is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub highest: Option<Number>,
    /// The worst that is allowed: a share of all executions, milliseconds, or a score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub limit: Option<Number>,
    /// By how much it may be worse than the control: a share of all executions, a share of the control's latency, or a score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub control_margin: Option<Number>,
    /// Nothing is said of fewer executions or scores of a version; 100 if this is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_samples: Option<u32>,
    /// How probable it may be that a version that keeps within the bound is ever found to breach it: 0.0001 to 0.2; 0.01 if
    /// this is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub false_alarm: Option<Number>,
    /// What happens then: `pause` or `roll_back`.
    #[schema(example = "roll_back")]
    pub then: String,
}
