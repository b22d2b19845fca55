//! What is counted, as JSON.

use std::collections::{BTreeMap, BTreeSet};

use promptory_events::{PromptId, PromptKey, Timestamp};
use promptory_projection::ask::AnalyticsAnswer;
use promptory_usage::query::{Dimension, Group, Measures, Scored, Spread};
use serde::Serialize;
use utoipa::ToSchema;

/// What is counted.
#[derive(Debug, Serialize, ToSchema)]
pub struct Analytics<'a> {
    /// From this time on.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Before this time.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// The groups: by time, and within one time the first in the order that was asked for.
    groups: Vec<AnalyticsGroup<'a>>,
    /// How many groups there are, times left out; more than are told if `top` cut some off.
    of: u64,
}

/// What is counted of one group. What it is of is told as far as `group_by` asks for it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AnalyticsGroup<'a> {
    /// When its bucket begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// The prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    prompt: Option<PromptId>,
    /// What it is called now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    key: Option<&'a PromptKey>,
    /// The version's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    /// The label; null: none was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    label: Option<Option<&'a str>>,
    /// The arm of a rollout; null: none was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    arm: Option<Option<&'a str>>,
    /// The model; null: none was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    model: Option<Option<&'a str>>,
    /// The caller; null: none was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    caller: Option<Option<&'a str>>,
    /// Executions.
    count: u64,
    /// Those that ended with an error.
    errors: u64,
    /// How long they took, in milliseconds.
    latency_ms: Numbers,
    /// Tokens that went in.
    input_tokens: u64,
    /// Tokens that came out.
    output_tokens: u64,
    /// What they cost, in billionths of a unit.
    #[schema(value_type = u64)]
    cost_nanos: u128,
    /// How good they were, by what was judged.
    scores: BTreeMap<&'a str, Judged<'a>>,
}

/// How numbers lie.
#[derive(Debug, Serialize, ToSchema)]
pub struct Numbers {
    /// How many there are.
    pub count: u64,
    /// Their mean.
    pub mean: Option<f64>,
    /// The median.
    pub p50: Option<f64>,
    /// 95 of 100 are not above.
    pub p95: Option<f64>,
    /// 99 of 100 are not above.
    pub p99: Option<f64>,
}

/// What is counted of one kind of judgement.
#[derive(Debug, Serialize, ToSchema)]
pub struct Judged<'a> {
    /// Of those that are numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    numbers: Option<Numbers>,
    /// How often true.
    #[serde(rename = "true", skip_serializing_if = "Option::is_none")]
    yes: Option<u64>,
    /// How often false.
    #[serde(rename = "false", skip_serializing_if = "Option::is_none")]
    no: Option<u64>,
    /// How often each word.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    categories: &'a BTreeMap<String, u64>,
}

/// What is told.
pub fn counted<'a>(answer: &'a AnalyticsAnswer, by: &BTreeSet<Dimension>) -> Analytics<'a> {
    let groups = answer.told.groups.iter().map(|one| group(one, &answer.keys, by)).collect();
    Analytics { from: answer.from, to: answer.to, groups, of: answer.told.of }
}

fn group<'a>(
    group: &'a Group,
    keys: &'a BTreeMap<PromptId, PromptKey>,
    by: &BTreeSet<Dimension>,
) -> AnalyticsGroup<'a> {
    let (dims, measures) = (&group.dims, &group.measures);
    let told = |dimension: Dimension| by.contains(&dimension);
    let name = |dimension, name: &'a Option<String>| told(dimension).then_some(name.as_deref());
    AnalyticsGroup {
        at: group.at,
        prompt: told(Dimension::Prompt).then_some(dims.prompt),
        key: keys.get(&dims.prompt).filter(|_| told(Dimension::Prompt)),
        version: told(Dimension::Version).then_some(dims.version),
        label: name(Dimension::Label, &dims.label),
        arm: name(Dimension::Arm, &dims.arm),
        model: name(Dimension::Model, &dims.model),
        caller: name(Dimension::Caller, &dims.caller),
        count: measures.count,
        errors: measures.errors,
        latency_ms: latency(measures),
        input_tokens: measures.input_tokens,
        output_tokens: measures.output_tokens,
        cost_nanos: measures.cost_nanos,
        scores: measures.scores.iter().map(|(name, score)| (name.as_str(), judged(score))).collect(),
    }
}

/// How long executions took, in milliseconds.
pub fn latency(measures: &Measures) -> Numbers {
    numbers(&measures.latency_us, 1e3)
}

fn judged(score: &Scored) -> Judged<'_> {
    let told = score.yes + score.no > 0;
    Judged {
        numbers: (score.millionths.count > 0).then(|| numbers(&score.millionths, 1e6)),
        yes: told.then_some(score.yes),
        no: told.then_some(score.no),
        categories: &score.categories,
    }
}

#[allow(clippy::cast_precision_loss, reason = "what is told in other units is a float")]
fn numbers(spread: &Spread, unit: f64) -> Numbers {
    let told = |value: Option<i64>| value.map(|value| value as f64 / unit);
    let mean = spread.mean().map(|mean| mean / unit);
    Numbers { count: spread.count, mean, p50: told(spread.p50), p95: told(spread.p95), p99: told(spread.p99) }
}
