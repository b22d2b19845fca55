//! Prompts that nobody seems to need.

use axum::extract::State;
use axum::response::Response;
use promptory_events::{Label, Position, Timestamp};
use promptory_platform::extract::Query;
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::insight::{Insight, Stale, StaleKind, What};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::App;
use super::super::error::AnalyticsProblems;
use super::super::params::{page_size, parsed};
use super::insight::{Paged, Which, answer, cell, head, line, next};
use super::params::Format;

/// Days unless the question says otherwise, and the most that it may say.
const DAYS_DEFAULT: u32 = 30;
const DAYS_MAX: u32 = 3_650;

/// Which prompts, and what is stale.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct StaleParams {
    /// Only prompts whose key begins with this.
    prefix: Option<String>,
    /// Only this prompt, by key or id.
    prompt: Option<String>,
    /// Only prompts that have this label now.
    #[param(value_type = Option<String>, example = "production")]
    label: Option<Label>,
    /// For how many days, 1 to 3,650; 30 if it is left out.
    #[param(minimum = 1, maximum = 3650)]
    days: Option<u32>,
    /// Only prompts that nobody has run, that nobody has changed, or both; one or the other if it is left out.
    #[param(inline)]
    kind: Option<Kind>,
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

/// In which way a prompt is stale.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// In one way or the other.
    Any,
    /// Nobody has run it.
    Unused,
    /// Nobody has changed it.
    Unchanged,
    /// Both.
    Both,
}

/// Prompts that nobody seems to need.
#[derive(Debug, Serialize, ToSchema)]
pub struct StalePrompts<'a> {
    /// What was neither run nor changed since then is stale.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// The prompts, by key.
    prompts: Vec<StalePrompt<'a>>,
    /// Where the next page begins. A page may be short, even empty, though there are more.
    next_cursor: Option<&'a str>,
}

/// A prompt that nobody seems to need.
#[derive(Debug, Serialize, ToSchema)]
pub struct StalePrompt<'a> {
    /// Which.
    #[serde(flatten)]
    which: Which<'a>,
    /// When its last change was recorded.
    #[schema(value_type = String, format = DateTime)]
    changed_at: Timestamp,
    /// The minute in which it was last run; null: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    executed_at: Option<Timestamp>,
    /// Whether nobody has run it since then, though it could be run.
    unused: bool,
    /// Whether nobody has changed it since then.
    unchanged: bool,
}

/// Live prompts that nobody has run, or nobody has changed, for so many days. Of those on which the caller may `read-analytics`, by
/// key.
#[utoipa::path(
    get,
    path = "/v1/analytics/stale",
    tag = "usage",
    params(StaleParams),
    responses((status = 200, body = StalePrompts), AnalyticsProblems),
    security(("api_key" = [])),
)]
pub async fn stale(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<StaleParams>,
) -> Result<Response, Problem> {
    let days = params.days.unwrap_or(DAYS_DEFAULT);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(Problem::field("days", format!("must be 1 to {DAYS_MAX}")));
    }
    let given = [("label", params.label.is_some()), ("days", params.days.is_some()), ("kind", params.kind.is_some())];
    let fresh = given.into_iter().find(|(_, given)| *given).map(|(field, _)| field);
    let what = What::Stale { days, kind: params.kind.map_or(StaleKind::Any, StaleKind::from), label: params.label };
    let page = Paged {
        prefix: params.prefix,
        prompt: params.prompt,
        limit: params.limit,
        cursor: params.cursor,
        at_least: params.at_least,
    };
    let said = page.ask(&app, &presented, fresh, what).await?;
    let Insight::Stale { since, page } = &said.insight else { return Err(Problem::internal()) };
    let next = next(&presented, said.asked(), page.next.clone())?;
    let items = page.items.iter().map(|item| StalePrompt {
        which: Which::from(&item.prompt),
        changed_at: item.changed_at,
        executed_at: item.executed_at,
        unused: item.unused,
        unchanged: item.unchanged,
    });
    let body = StalePrompts { since: *since, prompts: items.collect(), next_cursor: next.as_deref() };
    answer(said.as_of, params.format, &body, next.as_deref(), || Ok(table(&page.items)))
}

fn table(items: &[Stale]) -> Vec<Vec<String>> {
    let lines = items.iter().map(|item| {
        let cells =
            [item.changed_at.to_string(), cell(item.executed_at), item.unused.to_string(), item.unchanged.to_string()];
        line(&item.prompt, cells)
    });
    [head(&["changed_at", "executed_at", "unused", "unchanged"])].into_iter().chain(lines).collect()
}

impl From<Kind> for StaleKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Any => Self::Any,
            Kind::Unused => Self::Unused,
            Kind::Unchanged => Self::Unchanged,
            Kind::Both => Self::Both,
        }
    }
}
