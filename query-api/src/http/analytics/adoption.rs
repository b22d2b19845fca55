//! Who takes prompts up: executions, callers and versions, forks and what includes them.

use axum::extract::State;
use axum::response::Response;
use promptory_events::{Label, Position, Timestamp};
use promptory_platform::extract::Query;
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::insight::{Adopted, AllAdopted, Insight, What};
use promptory_usage::adoption::VersionCount;
use promptory_usage::page::Grain;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::App;
use super::super::error::AnalyticsProblems;
use super::super::params::{page_size, parsed};
use super::insight::{Paged, Which, answer, cell, head, line, next};
use super::params::{Format, Granularity, in_order, time};

/// Which prompts, and from when on.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct AdoptionParams {
    /// Only prompts whose key begins with this.
    prefix: Option<String>,
    /// Only this prompt, by key or id.
    prompt: Option<String>,
    /// Only prompts that have this label now.
    #[param(value_type = Option<String>, example = "production")]
    label: Option<Label>,
    /// Executions from this time on (RFC 3339), at the beginning of its minute; 30 days before `to` if it is left out.
    #[serde(deserialize_with = "time")]
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Executions before this time, to the end of its minute; now if it is left out.
    #[serde(deserialize_with = "time")]
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// Versions by minute, hour or day (UTC); over all of it if it is left out.
    #[param(inline)]
    granularity: Option<Granularity>,
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

/// How prompts are taken up.
#[derive(Debug, Serialize, ToSchema)]
pub struct Adoption<'a> {
    /// Executions from this time on.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Executions before this time.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// Of all prompts that are asked about; null on later pages.
    total: Option<AdoptionTotal>,
    /// The prompts, by key.
    prompts: Vec<AdoptedPrompt<'a>>,
    /// Where the next page begins.
    next_cursor: Option<&'a str>,
}

/// Of all prompts that are asked about.
#[derive(Debug, Serialize, ToSchema)]
pub struct AdoptionTotal {
    /// How many prompts these are the figures of: 10,000 at most.
    prompts: u64,
    /// Whether those are all. If not, narrow the prefix.
    complete: bool,
    /// Of those, how many were run.
    executed: u64,
    /// Executions.
    executions: u64,
    /// Those that ended with an error.
    errors: u64,
    /// Distinct callers of any of them.
    callers: u64,
    /// Forks, added up.
    forks: u64,
    /// Dependents, added up.
    dependents: u64,
}

/// How a prompt is taken up.
#[derive(Debug, Serialize, ToSchema)]
pub struct AdoptedPrompt<'a> {
    /// Which.
    #[serde(flatten)]
    which: Which<'a>,
    /// Executions.
    executions: u64,
    /// Those that ended with an error.
    errors: u64,
    /// Distinct callers.
    callers: u64,
    /// Prompts that were forked from it and that the caller may read.
    forks: u64,
    /// Prompts that include it, by a version that a label or a branch leads to, and that the caller may read.
    dependents: u64,
    /// Which versions were run.
    versions: Vec<AdoptedVersion>,
}

/// Executions of a version.
#[derive(Debug, Serialize, ToSchema)]
pub struct AdoptedVersion {
    /// When the bucket begins, if a granularity is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// The version's number.
    version: u32,
    /// Executions.
    count: u64,
    /// Their share of the prompt's executions in the bucket, 0 to 1.
    share: f64,
}

/// How prompts are taken up: executions, distinct callers, and versions with their share of the traffic, of a time; forks and
/// dependents as of now. Of live prompts on which the caller may `read-analytics`, by key.
#[utoipa::path(
    get,
    path = "/v1/analytics/adoption",
    tag = "usage",
    params(AdoptionParams),
    responses((status = 200, body = Adoption), AnalyticsProblems),
    security(("api_key" = [])),
)]
pub async fn adoption(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<AdoptionParams>,
) -> Result<Response, Problem> {
    in_order(params.from, params.to)?;
    let given = [
        ("label", params.label.is_some()),
        ("from", params.from.is_some()),
        ("to", params.to.is_some()),
        ("granularity", params.granularity.is_some()),
    ];
    let fresh = given.into_iter().find(|(_, given)| *given).map(|(field, _)| field);
    let step = params.granularity.map(Grain::from);
    let what = What::Adoption { from: params.from, to: params.to, step, label: params.label };
    let page = Paged {
        prefix: params.prefix,
        prompt: params.prompt,
        limit: params.limit,
        cursor: params.cursor,
        at_least: params.at_least,
    };
    let said = page.ask(&app, &presented, fresh, what).await?;
    let Insight::Adoption { from, to, page, total } = &said.insight else { return Err(Problem::internal()) };
    let timed = matches!(said.asked().what, What::Adoption { step: Some(_), .. });
    let next = next(&presented, said.asked(), page.next.clone())?;
    let body = Adoption {
        from: *from,
        to: *to,
        total: total.as_ref().map(of_all),
        prompts: page.items.iter().map(|item| adopted(item, timed)).collect(),
        next_cursor: next.as_deref(),
    };
    answer(said.as_of, params.format, &body, next.as_deref(), || Ok(table(&page.items, timed)))
}

fn of_all(total: &AllAdopted) -> AdoptionTotal {
    AdoptionTotal {
        prompts: total.prompts,
        complete: total.complete,
        executed: total.uses.prompts,
        executions: total.uses.executions,
        errors: total.uses.errors,
        callers: total.uses.callers,
        forks: total.reuse.forks,
        dependents: total.reuse.dependents,
    }
}

fn adopted(item: &Adopted, timed: bool) -> AdoptedPrompt<'_> {
    AdoptedPrompt {
        which: Which::from(&item.prompt),
        executions: item.uses.executions,
        errors: item.uses.errors,
        callers: item.uses.callers,
        forks: item.reuse.forks,
        dependents: item.reuse.dependents,
        versions: versions(&item.uses.versions, timed),
    }
}

/// Each with its share of its bucket.
#[allow(clippy::cast_precision_loss, reason = "a share is told as a float")]
fn versions(counts: &[VersionCount], timed: bool) -> Vec<AdoptedVersion> {
    let mut told = Vec::with_capacity(counts.len());
    for bucket in counts.chunk_by(|one, other| one.at == other.at) {
        let all = bucket.iter().map(|one| one.count).fold(0, u64::saturating_add);
        told.extend(bucket.iter().map(|one| AdoptedVersion {
            at: timed.then(|| Timestamp::from_micros(i64::from(one.at) * 60_000_000)),
            version: one.version,
            count: one.count,
            share: one.count as f64 / all as f64, // a bucket is there because something was run in it
        }));
    }
    told
}

/// A line for each version of a prompt and bucket; one without if nothing of a prompt was run.
fn table(items: &[Adopted], timed: bool) -> Vec<Vec<String>> {
    let names = ["executions", "errors", "callers", "forks", "dependents", "at", "version", "count", "share"];
    let mut lines = vec![head(&names)];
    for item in items {
        let Adopted { prompt, reuse, uses } = item;
        let own = [uses.executions, uses.errors, uses.callers, reuse.forks, reuse.dependents].map(|n| n.to_string());
        let told = versions(&uses.versions, timed);
        if told.is_empty() {
            lines.push(line(prompt, own.iter().cloned().chain([const { String::new() }; 4])));
        }
        lines.extend(told.iter().map(|one| {
            let of = [cell(one.at), one.version.to_string(), one.count.to_string(), one.share.to_string()];
            line(prompt, own.iter().cloned().chain(of))
        }));
    }
    lines
}
