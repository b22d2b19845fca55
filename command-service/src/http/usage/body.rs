//! Records as JSON, each read by itself, so that a bad one is named by its place.

use std::collections::BTreeMap;

use promptory_events::{PromptId, Timestamp, limits};
use promptory_platform::Problem;
use promptory_platform::extract::{Misfit, json, misfit};
use promptory_usage::{Execution, Flaw, OutcomeRecord, Score, ScoreValue};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::gather::prompt_named;
use crate::service::{Take, Unplaced};

/// Records that come together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Records<'b> {
    /// At most 1,000 of them.
    #[schema(value_type = Vec<UsageRecord>)]
    #[serde(borrow)]
    records: Vec<&'b RawValue>,
}

/// An execution of a prompt, or with `execution` what became of one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageRecord {
    /// Its id, up to 128 bytes: the same one again is the same record.
    id: String,
    /// The prompt, by key or id. An outcome may do without: then it counts for the execution of whatever prompt, which needs
    /// the right on the whole tenant.
    prompt: Option<String>,
    /// Of an outcome: the id of the execution; or a `trace`, for the execution in it that came last.
    execution: Option<String>,
    /// The version's number.
    version: Option<u32>,
    /// The label that it was asked for by.
    label: Option<String>,
    /// The arm of a rollout.
    arm: Option<String>,
    /// The model.
    model: Option<String>,
    /// Who ran it, as a pseudonym.
    caller: Option<String>,
    /// When (RFC 3339); now if it is left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
    /// How long it took, in milliseconds.
    latency_ms: Option<f64>,
    /// Tokens that went in.
    input_tokens: Option<u64>,
    /// Tokens that came out.
    output_tokens: Option<u64>,
    /// What it cost, in billionths of a unit of your currency.
    cost_nanos: Option<u64>,
    /// The kind of error that it ended with.
    error: Option<String>,
    /// The id of what it was a part of, up to 128 bytes: an outcome may name it in place of the execution.
    trace: Option<String>,
    /// How good it was, by what was judged: a number, true or false, or a word.
    #[serde(default)]
    #[schema(value_type = Object)]
    scores: BTreeMap<String, Value>,
}

/// A score's value.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Boolean(bool),
    Number(f64),
    Category(String),
}

/// Shows each record of a body, or what is wrong with it.
///
/// # Errors
/// The body is no such list, or has too many.
pub fn read(body: &[u8], now: Timestamp, take: &mut Take<'_>) -> Result<(), Problem> {
    let Records { records } = json(body)?;
    if records.len() > limits::USAGE_RECORDS_MAX {
        let detail = format!("at most {} records at once", limits::USAGE_RECORDS_MAX);
        return Err(Problem::field("/records", detail).with("limit", limits::USAGE_RECORDS_MAX));
    }
    for (index, raw) in records.into_iter().enumerate() {
        take(index, record(raw.get()).and_then(|record| record.placed(now)));
    }
    Ok(())
}

/// One record. What has the wrong type is named by its place.
fn record(text: &str) -> Result<UsageRecord, Flaw> {
    serde_json::from_str(text).map_err(|error| {
        let Misfit { field, why } = misfit::<UsageRecord>(text.as_bytes(), &error);
        flaw(&field, why)
    })
}

impl UsageRecord {
    fn placed(self, now: Timestamp) -> Result<Unplaced, Flaw> {
        let prompt = self.prompt.as_deref().map(prompt_named).transpose().map_err(|why| pointed("/prompt", why))?;
        let scores = self.scores.into_iter().map(|(name, value)| score(name, value)).collect::<Result<_, _>>()?;
        let occurred_at = self.occurred_at.unwrap_or(now);
        if let Some(execution) = self.execution {
            let others = [
                ("/version", self.version.is_some()),
                ("/label", self.label.is_some()),
                ("/arm", self.arm.is_some()),
                ("/model", self.model.is_some()),
                ("/caller", self.caller.is_some()),
                ("/latency_ms", self.latency_ms.is_some()),
                ("/input_tokens", self.input_tokens.is_some()),
                ("/output_tokens", self.output_tokens.is_some()),
                ("/cost_nanos", self.cost_nanos.is_some()),
                ("/error", self.error.is_some()),
                ("/trace", self.trace.is_some()),
            ];
            if let Some((field, _)) = others.into_iter().find(|(_, given)| *given) {
                return Err(flaw(field, "is said by the execution; an outcome has scores".to_owned()));
            }
            return Ok(Unplaced::Outcome(
                prompt,
                OutcomeRecord { id: self.id, execution, prompt: None, occurred_at, scores },
            ));
        }
        let prompt = prompt.ok_or_else(|| flaw("/prompt", "say which prompt was run".to_owned()))?;
        let version = self.version.ok_or_else(|| flaw("/version", "say which version was run".to_owned()))?;
        let execution = Execution {
            id: self.id,
            prompt: PromptId([0; 16]), // until it is looked up
            version,
            label: self.label.map(label).transpose()?,
            arm: self.arm,
            model: self.model,
            caller: self.caller,
            occurred_at,
            latency_us: self.latency_ms.map(latency).transpose()?,
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            cost_nanos: self.cost_nanos,
            error: self.error,
            scores,
            trace: self.trace,
        };
        Ok(Unplaced::Execution(prompt, execution))
    }
}

fn label(text: String) -> Result<String, Flaw> {
    let label: Result<promptory_events::Label, _> = text.parse();
    label.map(|label| label.to_string()).map_err(|why| flaw("/label", why.to_string()))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within bounds, as was just seen")]
fn latency(ms: f64) -> Result<u64, Flaw> {
    let us = (ms * 1000.0).round();
    #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
    let max = limits::USAGE_LATENCY_MAX_US as f64;
    if (0.0..=max).contains(&us) { Ok(us as u64) } else { Err(flaw("/latency_ms", "must be 0 to a day".to_owned())) }
}

fn score(name: String, value: Value) -> Result<Score, Flaw> {
    let value = match value {
        Value::Boolean(value) => ScoreValue::Boolean(value),
        Value::Category(word) => ScoreValue::Category(word),
        Value::Number(number) => ScoreValue::number(number)
            .ok_or_else(|| flaw(&format!("/scores/{name}"), "must be between minus and plus a billion".to_owned()))?,
    };
    Ok(Score { name, value })
}

fn pointed(field: &str, why: Problem) -> Flaw {
    flaw(field, why.detail)
}

fn flaw(field: &str, why: String) -> Flaw {
    Flaw { field: field.to_owned(), why }
}
