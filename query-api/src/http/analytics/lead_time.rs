//! How long it took from the idea to production.

use axum::extract::State;
use axum::response::Response;
use promptory_events::{Label, Position, Timestamp};
use promptory_platform::extract::Query;
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::insight::{AllLeads, Insight, Lead, Took, What};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::App;
use super::super::error::AnalyticsProblems;
use super::super::params::{page_size, parsed};
use super::insight::{Paged, Which, answer, cell, head, line, next};
use super::params::{Format, in_order, time};

/// Which prompts, and which label.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct LeadTimeParams {
    /// Only prompts whose key begins with this.
    prefix: Option<String>,
    /// Only this prompt, by key or id.
    prompt: Option<String>,
    /// The label that says that a version is in use; `production` if it is left out.
    #[param(value_type = Option<String>, example = "production")]
    label: Option<Label>,
    /// Only prompts that got there at this time or later (RFC 3339).
    #[serde(deserialize_with = "time")]
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only prompts that got there before.
    #[serde(deserialize_with = "time")]
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// Prompts on the page, 1 to 1,000; 100 if it is not given.
    #[serde(deserialize_with = "page_size")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// `next_cursor` of the page before. It carries on all that was asked.
    cursor: Option<String>,
    /// JSON or CSV.
    #[param(inline)]
    format: Option<Format>,
    /// Wait until the catalog has reached this position.
    #[serde(deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    at_least: Option<Position>,
}

/// How long prompts took to get to where a label points.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeadTimes<'a> {
    /// Which label.
    #[schema(value_type = String)]
    label: &'a Label,
    /// Of all prompts that are asked about; null on later pages.
    total: Option<LeadTimeTotal>,
    /// The prompts that got there, by key.
    prompts: Vec<LeadTime<'a>>,
    /// Where the next page begins.
    next_cursor: Option<&'a str>,
}

/// Of all prompts that are asked about.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeadTimeTotal {
    /// How many prompts were looked at: 10,000 at most.
    prompts: u64,
    /// Whether those are all. If not, narrow the prefix.
    complete: bool,
    /// How many of them got there.
    released: u64,
    /// The median of each duration, over those that have it; null if none got there.
    median: Option<Durations>,
}

/// How long each step took, in seconds.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Durations {
    /// From the prompt's creation until the version was added.
    created_to_version_s: f64,
    /// From then until the release was approved; null without one.
    version_to_approval_s: Option<f64>,
    /// From the version until the label pointed to it.
    version_to_label_s: f64,
    /// From the creation until then.
    created_to_label_s: f64,
}

/// How a prompt got there. Times are effective ones: an import may have claimed them.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeadTime<'a> {
    /// Which.
    #[serde(flatten)]
    which: Which<'a>,
    /// When it was created, with its first version.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The version that the label first pointed to.
    version: u32,
    /// When that was added.
    #[schema(value_type = String, format = DateTime)]
    version_at: Timestamp,
    /// When the release that moved the label had its last approval; null if none did.
    #[schema(value_type = Option<String>, format = DateTime)]
    approved_at: Option<Timestamp>,
    /// When the label first pointed to it.
    #[schema(value_type = String, format = DateTime)]
    labelled_at: Timestamp,
    /// How long that took.
    #[serde(flatten)]
    took: Durations,
}

/// How long it took from a prompt's creation until a label first pointed to one of its versions, with medians. Of live prompts on
/// which the caller may `read-analytics`, by key.
#[utoipa::path(
    get,
    path = "/v1/analytics/lead-time",
    tag = "usage",
    params(LeadTimeParams),
    responses((status = 200, body = LeadTimes), AnalyticsProblems),
    security(("api_key" = [])),
)]
pub async fn lead_time(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<LeadTimeParams>,
) -> Result<Response, Problem> {
    in_order(params.from, params.to)?;
    let given = [("label", params.label.is_some()), ("from", params.from.is_some()), ("to", params.to.is_some())];
    let fresh = given.into_iter().find(|(_, given)| *given).map(|(field, _)| field);
    let production = || "production".parse().map_err(|_| Problem::internal());
    let label = params.label.map_or_else(production, Ok)?;
    if label.is_latest() {
        return Err(Problem::field("label", "`latest` is there from the first version on; name another label"));
    }
    let what = What::LeadTime { label, from: params.from, to: params.to };
    let page = Paged {
        prefix: params.prefix,
        prompt: params.prompt,
        limit: params.limit,
        cursor: params.cursor,
        at_least: params.at_least,
    };
    let said = page.ask(&app, &presented, fresh, what).await?;
    let Insight::LeadTime { page, total } = &said.insight else { return Err(Problem::internal()) };
    let What::LeadTime { label, .. } = &said.asked().what else { return Err(Problem::internal()) };
    let next = next(&presented, said.asked(), page.next.clone())?;
    let body = LeadTimes {
        label,
        total: total.as_ref().map(of_all),
        prompts: page.items.iter().map(one).collect(),
        next_cursor: next.as_deref(),
    };
    answer(said.as_of, params.format, &body, next.as_deref(), || Ok(table(&page.items)))
}

fn of_all(total: &AllLeads) -> LeadTimeTotal {
    LeadTimeTotal {
        prompts: total.prompts,
        complete: total.complete,
        released: total.released,
        median: total.medians.map(durations),
    }
}

#[allow(clippy::cast_precision_loss, reason = "durations are told as floats")]
fn durations(took: Took) -> Durations {
    let seconds = |micros: i64| micros as f64 / 1e6;
    Durations {
        created_to_version_s: seconds(took.to_version),
        version_to_approval_s: took.to_approval.map(seconds),
        version_to_label_s: seconds(took.to_label),
        created_to_label_s: seconds(took.whole),
    }
}

fn one(lead: &Lead) -> LeadTime<'_> {
    LeadTime {
        which: Which::from(&lead.prompt),
        created_at: lead.created_at,
        version: lead.version,
        version_at: lead.version_at,
        approved_at: lead.approved_at,
        labelled_at: lead.moved_at,
        took: durations(lead.took()),
    }
}

fn table(items: &[Lead]) -> Vec<Vec<String>> {
    let names = [
        "created_at",
        "version",
        "version_at",
        "approved_at",
        "labelled_at",
        "created_to_version_s",
        "version_to_approval_s",
        "version_to_label_s",
        "created_to_label_s",
    ];
    let lines = items.iter().map(|lead| {
        let took = durations(lead.took());
        let cells = [
            lead.created_at.to_string(),
            lead.version.to_string(),
            lead.version_at.to_string(),
            cell(lead.approved_at),
            lead.moved_at.to_string(),
            took.created_to_version_s.to_string(),
            cell(took.version_to_approval_s),
            took.version_to_label_s.to_string(),
            took.created_to_label_s.to_string(),
        ];
        line(&lead.prompt, cells)
    });
    [head(&names)].into_iter().chain(lines).collect()
}
