//! Whether two versions, arms, labels or models of a prompt differ.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use promptory_events::{Position, Timestamp};
use promptory_platform::extract::Query;
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::{Answer, Question};
use promptory_usage::compare::{Comparison, Estimate, compare};
use promptory_usage::query::{Dimension, Measures};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::error::{AnalyticsProblems, problem};
use super::super::params::{ask, parsed};
use super::super::{App, render, respond};
use super::params::{AnalyticsParams, time};

/// What is compared.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct CompareParams {
    /// The prompt, by key or id.
    #[param(required = true, example = "team/greet")]
    prompt: String,
    /// By what the two differ.
    #[param(inline, required = true)]
    by: Option<By>,
    /// One of them, such as the version that is there: what it is called.
    #[param(required = true, example = "3")]
    a: String,
    /// The other one, such as the version that is to come.
    #[param(required = true, example = "4")]
    b: String,
    /// From this time on (RFC 3339); a day before `to` if it is left out.
    #[serde(deserialize_with = "time")]
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Before this time; now if it is left out.
    #[serde(deserialize_with = "time")]
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// Only this version of both.
    version: Option<u32>,
    /// Only what was asked for by this label.
    label: Option<String>,
    /// Only this model.
    model: Option<String>,
    /// Wait until the catalog has reached this position.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    at_least: Option<Position>,
}

/// By what two groups differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ComparedBy)]
pub enum By {
    Version,
    Arm,
    Label,
    Model,
}

/// How two groups differ, in every respect in which both have something.
#[derive(Debug, Serialize, ToSchema)]
pub struct Differences {
    /// From this time on.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Before this time.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// Executions of the two.
    count: Pair,
    /// The share that ended with an error (Newcombe's interval, from Wilson's).
    error_rate: Option<Difference>,
    /// The mean latency, in milliseconds (Welch's interval).
    latency_ms: Option<Difference>,
    /// Of each score that is a number its mean (Welch), of each that is true or false the share of true (Newcombe).
    scores: BTreeMap<String, Difference>,
}

/// A number of each.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pair {
    a: u64,
    b: u64,
}

/// What the two are in one respect, with 95 % confidence.
#[derive(Debug, Serialize, ToSchema)]
pub struct Difference {
    /// How many values there are of each.
    samples: Pair,
    a: Interval,
    b: Interval,
    /// `b` less `a`.
    difference: Interval,
    /// Whether the interval of the difference leaves 0 out; null if there are too few to say.
    significant: Option<bool>,
}

/// A value, and the ends of the interval that it lies in; null if there are too few to say.
#[derive(Debug, Serialize, ToSchema)]
pub struct Interval {
    value: f64,
    low: Option<f64>,
    high: Option<f64>,
}

/// How two versions (arms, labels, models) of a prompt differ: errors, latency and scores, each with a 95 % confidence interval.
#[utoipa::path(
    get,
    path = "/v1/analytics/compare",
    tag = "usage",
    params(CompareParams),
    responses((status = 200, body = Differences), AnalyticsProblems),
    security(("api_key" = [])),
)]
pub async fn differences(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<CompareParams>,
) -> Result<Response, Problem> {
    let by = params.by.ok_or_else(|| Problem::field("by", "one of version, arm, label, model"))?;
    let of =
        |field, name: &str| if name.is_empty() { Err(Problem::field(field, "say what it is called")) } else { Ok(()) };
    of("prompt", &params.prompt)?;
    of("a", &params.a)?;
    of("b", &params.b)?;
    let question = Question::Analytics(Box::new(params.counts(by).asked()?));
    let reply = app.read_side.ask(ask(&presented, params.at_least, question)).await.map_err(problem)?;
    let Answer::Analytics(answer) = reply.answer else { return Err(Problem::internal()) };
    let named = |name: &str| {
        let mut groups = answer.told.groups.iter();
        let found = groups.find(|group| match by {
            By::Version => group.dims.version.to_string() == name,
            By::Arm => group.dims.arm.as_deref() == Some(name),
            By::Label => group.dims.label.as_deref() == Some(name),
            By::Model => group.dims.model.as_deref() == Some(name),
        });
        found.map_or_else(Measures::default, |group| group.measures.clone())
    };
    let (a, b) = (named(&params.a), named(&params.b));
    let compared = compare(&a, &b);
    let mut scores: BTreeMap<String, Difference> =
        compared.millionths.into_iter().map(|(name, one)| (name, difference(&one, 1e6))).collect();
    scores.extend(compared.yes_rate.into_iter().map(|(name, one)| (name, difference(&one, 1.0))));
    let body = Differences {
        from: answer.from,
        to: answer.to,
        count: Pair { a: a.count, b: b.count },
        error_rate: compared.error_rate.map(|one| difference(&one, 1.0)),
        latency_ms: compared.latency_us.map(|one| difference(&one, 1e3)),
        scores,
    };
    Ok(respond::json(reply.as_of, render::json(&body)?))
}

impl CompareParams {
    /// The question about what is counted that has both groups in it.
    fn counts(&self, by: By) -> AnalyticsParams {
        let dimension = match by {
            By::Version => Dimension::Version,
            By::Arm => Dimension::Arm,
            By::Label => Dimension::Label,
            By::Model => Dimension::Model,
        };
        AnalyticsParams {
            from: self.from,
            to: self.to,
            group_by: Some(dimension.name().to_owned()),
            prompt: Some(self.prompt.clone()),
            version: self.version,
            label: self.label.clone(),
            model: self.model.clone(),
            ..AnalyticsParams::default()
        }
    }
}

fn difference(one: &Comparison, unit: f64) -> Difference {
    let interval = |estimate: Estimate| Interval {
        value: estimate.value / unit,
        low: estimate.low.map(|low| low / unit),
        high: estimate.high.map(|high| high / unit),
    };
    let samples = Pair { a: one.samples.0, b: one.samples.1 };
    let (a, b) = (interval(one.a), interval(one.b));
    Difference { samples, a, b, difference: interval(one.difference), significant: one.significant }
}
