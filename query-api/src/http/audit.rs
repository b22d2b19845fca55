//! Who did what, when and by which right, and what was denied. Listing, counting and exporting take the same filter.

pub(super) mod csv;
pub mod export;
mod ocsf;
mod params;
pub mod wire;

use axum::extract::State;
use axum::response::Response;
use promptory_events::event::AuditForm;
use promptory_platform::extract::Query;
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::{Answer, Order, Question};

use super::cursor::{self, Cursor};
use super::error::{ListProblems, problem};
use super::params::{ask, limit};
use super::{App, render, respond};
use params::{AuditCountParams, AuditParams};

/// What was done and what was denied, newest first. For whoever may `read-access`; of prompts and prefixes below which
/// the caller may not, nothing is told.
///
/// A page may have fewer records than asked for, or none, though more follow: go on with `next_cursor` until it is null.
/// All pages of one listing end at the event that was the last one at the first page.
#[utoipa::path(
    get,
    path = "/v1/audit",
    tag = "audit",
    params(AuditParams),
    responses((status = 200, body = wire::AuditPage), ListProblems),
    security(("api_key" = [])),
)]
pub async fn audit(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<AuditParams>,
) -> Result<Response, Problem> {
    let (tenant, asked) = (presented.tenant(), params.filter()?);
    let cursor = params.cursor.as_deref().map(|text| Cursor::decode(text, tenant)).transpose()?;
    let (filter, end, from) = match cursor {
        None => (Box::new(asked), None, None),
        Some(Cursor::Audit { filter, end, from }) if asked == Default::default() || asked == *filter => {
            (filter, Some(end), Some(from))
        }
        Some(Cursor::Audit { .. }) => return Err(other_filter()),
        Some(_) => return Err(cursor::foreign()),
    };
    let (order, limit) = (Order::NewestFirst, limit(params.limit));
    let form = AuditForm::List;
    let question = Question::Audit { filter: filter.clone(), end, from, order, limit, form };
    let reply = app.read_side.ask(ask(&presented, params.at_least, question)).await.map_err(problem)?;
    let Answer::Audit(page) = reply.answer else { return Err(Problem::internal()) };
    let end = reply.as_of.map(|position| position.index);
    let next = page.next.zip(end).map(|(from, end)| Cursor::Audit { filter, end, from }.encode(tenant)).transpose()?;
    let records = page.records.iter().map(wire::record).collect::<Result<_, _>>()?;
    Ok(respond::json(reply.as_of, render::json(&wire::AuditPage { records, index: end, next_cursor: next })?))
}

/// How many records there are.
#[utoipa::path(
    get,
    path = "/v1/audit/count",
    tag = "audit",
    params(AuditCountParams),
    responses((status = 200, body = wire::AuditCount), ListProblems),
    security(("api_key" = [])),
)]
pub async fn count(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<AuditCountParams>,
) -> Result<Response, Problem> {
    let filter = Box::new(params.filter()?);
    let (mut count, mut at_least, mut end, mut from) = (0, params.at_least, None, None);
    loop {
        let question = Question::AuditCount { filter: filter.clone(), end, from };
        let reply = app.read_side.ask(ask(&presented, at_least.take(), question)).await.map_err(problem)?;
        let Answer::AuditCount(counted) = reply.answer else { return Err(Problem::internal()) };
        count += counted.count;
        (end, from) = (reply.as_of.map(|position| position.index), counted.next);
        if from.is_none() {
            return Ok(respond::json(reply.as_of, render::json(&wire::AuditCount { count, index: end })?));
        }
    }
}

fn other_filter() -> Problem {
    Problem::field("cursor", "carries another filter; leave the filter out or begin again without the cursor")
}
