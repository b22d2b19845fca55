//! How a prompt became what it is: its versions, and where its labels pointed.

use axum::extract::State;
use axum::response::Response;
use promptory_platform::extract::{Path, Query};
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::{Answer, Question};

use super::cursor::{self, Cursor};
use super::error::{HistoryProblems, problem};
use super::params::{self, PageParams, VersionsParams};
use super::{App, render, respond, wire};

/// A prompt's versions, newest first.
///
/// All pages of one listing are answered at the point of the first.
#[utoipa::path(
    get,
    path = "/v1/prompts/{prompt}/versions",
    tag = "prompts",
    params(("prompt" = String, Path, description = "Percent-encoded key (`/` as `%2F`) or `prm_…`"), VersionsParams),
    responses((status = 200, body = wire::VersionPage), HistoryProblems),
    security(("api_key" = [])),
)]
pub async fn versions(
    State(app): State<App>,
    presented: Presented,
    Path(prompt): Path<String>,
    Query(params): Query<VersionsParams>,
) -> Result<Response, Problem> {
    let tenant = presented.tenant();
    let (mut as_of, below) = match params.cursor.as_deref().map(|text| Cursor::decode(text, tenant)).transpose()? {
        None => (params::as_of(params.as_of, params.clock), None),
        Some(_) if params.as_of.is_some() => return Err(params::fixed("as_of")),
        Some(Cursor::Versions { as_of, below }) => (as_of, Some(below)),
        Some(_) => return Err(cursor::foreign()),
    };
    let (prompt, limit) = (params::prompt(&prompt)?, params::limit(params.limit));
    let question = Question::Versions { prompt, below, limit, as_of };
    let reply = app.read_side.ask(params::ask(&presented, params.at_least, question)).await.map_err(problem)?;
    let Answer::Versions(items) = reply.answer else { return Err(Problem::internal()) };
    as_of = cursor::pinned(as_of, reply.as_of);
    // Numbers are dense, so after number 1 there is no other page.
    let last = items.last().map(|version| version.number).filter(|number| items.len() == limit && *number > 1);
    let next = last.map(|below| Cursor::Versions { as_of, below }.encode(tenant)).transpose()?;
    Ok(respond::json(reply.as_of, render::versions(&items, next)?))
}

/// Where a prompt's label pointed over the years, oldest first.
///
/// All pages of one listing are answered at the point of the first.
#[utoipa::path(
    get,
    path = "/v1/prompts/{prompt}/labels/{label}/history",
    tag = "prompts",
    params(
        ("prompt" = String, Path, description = "Percent-encoded key (`/` as `%2F`) or `prm_…`"),
        ("label" = String, Path, description = "The label"),
        PageParams,
    ),
    responses((status = 200, body = wire::MovePage), HistoryProblems),
    security(("api_key" = [])),
)]
pub async fn label_history(
    State(app): State<App>,
    presented: Presented,
    Path((prompt, label)): Path<(String, String)>,
    Query(params): Query<PageParams>,
) -> Result<Response, Problem> {
    let tenant = presented.tenant();
    let (mut as_of, after) = match params.cursor.as_deref().map(|text| Cursor::decode(text, tenant)).transpose()? {
        None => (params::as_of(params.as_of, params.clock), None),
        Some(_) if params.as_of.is_some() => return Err(params::fixed("as_of")),
        Some(Cursor::LabelHistory { as_of, after }) => (as_of, Some(after)),
        Some(_) => return Err(cursor::foreign()),
    };
    let (prompt, label, limit) = (params::prompt(&prompt)?, params::label(&label)?, params::limit(params.limit));
    let question = Question::LabelHistory { prompt, label, after, limit, as_of };
    let reply = app.read_side.ask(params::ask(&presented, params.at_least, question)).await.map_err(problem)?;
    let Answer::LabelHistory(items) = reply.answer else { return Err(Problem::internal()) };
    as_of = cursor::pinned(as_of, reply.as_of);
    let last = items.last().filter(|_| items.len() == limit || reply.cut).map(|item| item.stamp.index);
    let next = last.map(|after| Cursor::LabelHistory { as_of, after }.encode(tenant)).transpose()?;
    Ok(respond::json(reply.as_of, render::moves(&items, next)?))
}

/// The prompts that were forked from this one, archived or not, oldest first.
///
/// All pages of one listing are answered at the point of the first.
#[utoipa::path(
    get,
    path = "/v1/prompts/{prompt}/forks",
    tag = "prompts",
    params(("prompt" = String, Path, description = "Percent-encoded key (`/` as `%2F`) or `prm_…`"), PageParams),
    responses((status = 200, body = wire::ForkPage), HistoryProblems),
    security(("api_key" = [])),
)]
pub async fn forks(
    State(app): State<App>,
    presented: Presented,
    Path(prompt): Path<String>,
    Query(params): Query<PageParams>,
) -> Result<Response, Problem> {
    let tenant = presented.tenant();
    let (mut as_of, after) = match params.cursor.as_deref().map(|text| Cursor::decode(text, tenant)).transpose()? {
        None => (params::as_of(params.as_of, params.clock), None),
        Some(_) if params.as_of.is_some() => return Err(params::fixed("as_of")),
        Some(Cursor::Forks { as_of, after }) => (as_of, Some(after)),
        Some(_) => return Err(cursor::foreign()),
    };
    let (prompt, limit) = (params::prompt(&prompt)?, params::limit(params.limit));
    let question = Question::Forks { prompt, after, limit, as_of };
    let reply = app.read_side.ask(params::ask(&presented, params.at_least, question)).await.map_err(problem)?;
    let Answer::Forks(items) = reply.answer else { return Err(Problem::internal()) };
    as_of = cursor::pinned(as_of, reply.as_of);
    let last = items.last().filter(|_| items.len() == limit || reply.cut).map(|item| item.stamp.index);
    let next = last.map(|after| Cursor::Forks { as_of, after }.encode(tenant)).transpose()?;
    Ok(respond::json(reply.as_of, render::forks(&items, next)?))
}
