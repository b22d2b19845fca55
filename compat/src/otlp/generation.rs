//! A span -> a run of a prompt, if it is one. Pure: whether there is such a prompt is seen by whoever takes it.

use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{Span, status::StatusCode};
use promptory_events::{Label, PromptId, Timestamp, limits};
use promptory_usage::Execution;
use serde_json::{Map, Value};

use super::attributes::{Attributes, fitted, whole};

/// What says which prompt was run, and which version of it: the first pair whose first is there.
pub const PROMPT: [(&str, &str); 2] = [
    ("promptory.prompt.key", "promptory.prompt.version"),
    ("langfuse.observation.prompt.name", "langfuse.observation.prompt.version"),
];
/// The label that it was asked for by.
pub const LABEL: &str = "promptory.prompt.label";
/// The arm of a rollout.
pub const ARM: &str = "promptory.prompt.arm";
/// Who ran it, if that is not the service.
pub const CALLER: &str = "promptory.caller";
/// Of the resource: the program.
pub const SERVICE: &str = "service.name";
/// The model: the first that is there.
pub const MODEL: [&str; 3] = ["langfuse.observation.model.name", "gen_ai.response.model", "gen_ai.request.model"];
/// Tokens that went in; the second name is that of earlier conventions.
pub const INPUT_TOKENS: [&str; 2] = ["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"];
/// Tokens that came out.
pub const OUTPUT_TOKENS: [&str; 2] = ["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"];
/// What it cost. Not in the conventions, but instrumentations write it.
pub const COST: &str = "gen_ai.usage.cost";
/// The kind of error.
pub const ERROR: &str = "error.type";
/// What a span of Langfuse's is.
pub const KIND: &str = "langfuse.observation.type";
/// What a span of the conventions is.
pub const OPERATION: &str = "gen_ai.operation.name";
/// Langfuse: tokens by kind, as JSON.
pub const USAGE_DETAILS: &str = "langfuse.observation.usage_details";
/// Langfuse: money by kind, as JSON.
pub const COST_DETAILS: &str = "langfuse.observation.cost_details";

/// What kinds and operations ask a model for something.
const KINDS: [&str; 2] = ["generation", "embedding"];
const OPERATIONS: [&str; 4] = ["chat", "generate_content", "text_completion", "embeddings"];
/// How tokens are called within [`USAGE_DETAILS`].
const DETAILS_IN: [&str; 4] = ["input", "input_tokens", "prompt_tokens", "promptTokens"];
const DETAILS_OUT: [&str; 4] = ["output", "output_tokens", "completion_tokens", "completionTokens"];
/// What an SDK calls a program that has no name.
const NAMELESS: &str = "unknown_service";
/// The kind of an error that says none.
const SOME_ERROR: &str = "error";

/// A run of a prompt, which is not looked up yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The prompt, by key or id.
    pub prompt: String,
    /// The rest of it; its prompt's id is zero.
    pub execution: Execution,
}

/// What a span is.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// A run of a prompt.
    Run(Box<Run>),
    /// A model was asked for something, but no prompt is named.
    Unlinked,
    /// Something else: a step around it, a tool, a request.
    Other,
}

/// Reads a span; `now` is when it came.
///
/// # Errors
/// It is a run of a prompt, and something of it can't be taken.
pub fn read(resource: &Resource, span: &Span, now: Timestamp) -> Result<Reading, String> {
    if span.attributes.len() > limits::OTLP_ATTRIBUTES_MAX {
        return Err(format!("has {} attributes, at most {}", span.attributes.len(), limits::OTLP_ATTRIBUTES_MAX));
    }
    let said = Attributes(&span.attributes);
    let prompt = PROMPT.iter().find_map(|(key, version)| Some((said.text(&[*key])?, *version)));
    if !asks_a_model(said) {
        return Ok(Reading::Other);
    }
    let Some((prompt, version)) = prompt else { return Ok(Reading::Unlinked) };
    let version = said.whole(&[version]).ok_or_else(|| format!("says no version: set `{version}` to its number"))?;
    let version = u32::try_from(version).map_err(|_| "there is no such version".to_owned())?;
    let label = said.text(&[LABEL]).map(str::parse::<Label>).transpose().map_err(|why| format!("{LABEL}: {why}"))?;
    let (trace, id) = ids(span)?;
    let usage = object(said, USAGE_DETAILS);
    let tokens = |details: &[&str], names: &[&str]| named(&usage, details).or_else(|| said.whole(names));
    let execution = Execution {
        id,
        prompt: PromptId([0; 16]), // until it is looked up
        version,
        label: label.map(|label| label.to_string()),
        arm: said.text(&[ARM]).map(str::to_owned),
        model: said.text(&MODEL).map(str::to_owned),
        caller: caller(resource, said),
        occurred_at: when(span.start_time_unix_nano).unwrap_or(now),
        latency_us: latency_us(span),
        input_tokens: tokens(&DETAILS_IN, &INPUT_TOKENS),
        output_tokens: tokens(&DETAILS_OUT, &OUTPUT_TOKENS),
        cost_nanos: cost(said),
        error: error(span, said),
        scores: Vec::new(),
        trace: Some(trace),
    };
    Ok(Reading::Run(Box::new(Run { prompt: prompt.to_owned(), execution })))
}

/// Whoever says what kind of span it is, is believed: a prompt is handed down to the steps around a generation, too. Where
/// nobody says it, a model's name or one of our own attributes does.
fn asks_a_model(said: Attributes<'_>) -> bool {
    if let Some(kind) = said.text(&[KIND]) {
        return KINDS.contains(&kind);
    }
    if let Some(operation) = said.text(&[OPERATION]) {
        return OPERATIONS.contains(&operation);
    }
    said.text(&MODEL).is_some() || said.text(&[PROMPT[0].0]).is_some()
}

/// The trace's id, and the id of a record: both of them, for a span's own is unique within its trace only.
fn ids(span: &Span) -> Result<(String, String), String> {
    let is_id = |bytes: &[u8], size: usize| bytes.len() == size && bytes.iter().any(|byte| *byte != 0);
    if !is_id(&span.trace_id, 16) || !is_id(&span.span_id, 8) {
        return Err("needs a trace id of 16 bytes and a span id of 8, not all zero".to_owned());
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let trace = hex(&span.trace_id);
    let id = record_id(&trace, &hex(&span.span_id));
    Ok((trace, id))
}

/// The id of the record that a span becomes; ids in hexadecimal.
#[must_use]
pub fn record_id(trace: &str, span: &str) -> String {
    format!("{trace}/{span}")
}

/// The program, not its user: what is counted is kept for ever, and users are persons.
fn caller(resource: &Resource, said: Attributes<'_>) -> Option<String> {
    let service = || Attributes(&resource.attributes).text(&[SERVICE]).filter(|name| !name.starts_with(NAMELESS));
    said.text(&[CALLER]).or_else(service).and_then(|name| fitted(name, limits::USAGE_CALLER_MAX_BYTES))
}

fn when(nanos: u64) -> Option<Timestamp> {
    (nanos > 0).then(|| Timestamp::from_micros(i64::try_from(nanos / 1000).unwrap_or(i64::MAX)))
}

fn latency_us(span: &Span) -> Option<u64> {
    let (start, end) = (span.start_time_unix_nano, span.end_time_unix_nano);
    let nanos = end.checked_sub(start).filter(|_| start > 0)?;
    Some(nanos / 1000)
}

fn error(span: &Span, said: Attributes<'_>) -> Option<String> {
    let status = span.status.as_ref().filter(|status| status.code() == StatusCode::Error);
    let kind = said.text(&[ERROR]);
    if status.is_none() && kind.is_none() {
        return None;
    }
    // An exception that was recorded on the way says more than nothing.
    let exceptions = span.events.iter().filter(|event| event.name == "exception");
    let exception = || exceptions.rev().find_map(|event| Attributes(&event.attributes).text(&["exception.type"]));
    let kind = kind.or_else(exception).and_then(|kind| fitted(kind, limits::USAGE_NAME_MAX_BYTES));
    Some(kind.unwrap_or_else(|| SOME_ERROR.to_owned()))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within bounds, as is seen first")]
fn cost(said: Attributes<'_>) -> Option<u64> {
    let details = object(said, COST_DETAILS);
    let amounts = || details.values().filter_map(Value::as_f64);
    let total = details.get("total").and_then(Value::as_f64).or_else(|| amounts().next().map(|_| amounts().sum()));
    let nanos = (total.or_else(|| said.number(&[COST]))? * 1e9).round();
    // What is over the limit is refused where all records are checked.
    (0.0..1e18).contains(&nanos).then_some(nanos as u64)
}

fn object(said: Attributes<'_>, name: &str) -> Map<String, Value> {
    said.text(&[name]).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

fn named(details: &Map<String, Value>, names: &[&str]) -> Option<u64> {
    names.iter().find_map(|name| details.get(*name)?.as_f64().and_then(whole))
}

#[cfg(test)]
mod tests;
