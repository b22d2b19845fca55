//! What is counted, as CSV (RFC 4180): a line for each group.

use std::collections::BTreeSet;

use promptory_platform::Problem;
use promptory_projection::ask::AnalyticsAnswer;
use promptory_usage::query::{Dimension, Group};

use super::super::audit::csv::harmless;
use super::wire;

const MEASURES: [&str; 10] = [
    "count",
    "errors",
    "latency_ms_mean",
    "latency_ms_p50",
    "latency_ms_p95",
    "latency_ms_p99",
    "input_tokens",
    "output_tokens",
    "cost_nanos",
    "scores",
];

/// The whole table, its names in the first line. Scores are one cell of JSON.
///
/// # Errors
/// None in practice.
pub fn csv(answer: &AnalyticsAnswer, by: &BTreeSet<Dimension>) -> Result<Vec<u8>, Problem> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let timed = answer.told.groups.iter().any(|group| group.at.is_some());
    let at = timed.then_some("at");
    let key = by.contains(&Dimension::Prompt).then_some("key");
    let names = by.iter().map(|dimension| dimension.name());
    let head = at.into_iter().chain(key).chain(names).chain(MEASURES);
    writer.write_record(head).map_err(|_| Problem::internal())?;
    let scores = wire::counted(answer, by);
    let scores = serde_json::to_value(&scores).map_err(|_| Problem::internal())?;
    for (place, group) in answer.told.groups.iter().enumerate() {
        let scores = scores["groups"][place]["scores"].to_string();
        let line = at.map(|_| group.at.map(|at| at.to_string()).unwrap_or_default()).into_iter();
        let key = key.map(|_| answer.keys.get(&group.dims.prompt).map(ToString::to_string).unwrap_or_default());
        let named = by.iter().map(|dimension| name(*dimension, group));
        let line = line.chain(key).chain(named).map(harmless).chain(measures(group)).chain([scores]);
        writer.write_record(line).map_err(|_| Problem::internal())?;
    }
    writer.into_inner().map_err(|_| Problem::internal())
}

fn name(dimension: Dimension, group: &Group) -> String {
    let dims = &group.dims;
    let text = |name: &Option<String>| name.clone().unwrap_or_default();
    match dimension {
        Dimension::Prompt => dims.prompt.to_string(),
        Dimension::Version => dims.version.to_string(),
        Dimension::Label => text(&dims.label),
        Dimension::Arm => text(&dims.arm),
        Dimension::Model => text(&dims.model),
        Dimension::Caller => text(&dims.caller),
    }
}

fn measures(group: &Group) -> [String; 9] {
    let measures = &group.measures;
    let latency = wire::latency(measures);
    let number = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    [
        measures.count.to_string(),
        measures.errors.to_string(),
        number(latency.mean),
        number(latency.p50),
        number(latency.p95),
        number(latency.p99),
        measures.input_tokens.to_string(),
        measures.output_tokens.to_string(),
        measures.cost_nanos.to_string(),
    ]
}
