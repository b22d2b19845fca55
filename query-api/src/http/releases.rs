//! What waits for approval, what is protected and frozen, and what was said.

use axum::extract::State;
use axum::response::Response;
use promptory_events::event::CommentOn;
use promptory_platform::extract::{Path, Query};
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::{Answer, Listing, Question};

use super::access::listed;
use super::cursor::{self, Cursor};
use super::error::{HistoryProblems, ListProblems, problem};
use super::params::{self, CommentsParams, RecordedPageParams, ReleasesParams};
use super::{App, render, respond, wire};

/// Release requests that wait, with the versions to compare and who has approved; with `all` those of before, too.
#[utoipa::path(
    get,
    path = "/v1/releases",
    tag = "releases",
    params(ReleasesParams),
    responses((status = 200, body = wire::ReleasePage), ListProblems),
    security(("api_key" = [])),
)]
pub async fn releases(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<ReleasesParams>,
) -> Result<Response, Problem> {
    let ReleasesParams { all, limit, cursor, as_of, clock, at_least } = params;
    let what = if all { Listing::Releases } else { Listing::OpenReleases };
    listed(&app, &presented, RecordedPageParams { limit, cursor, as_of, clock, at_least }, what).await
}

/// What was said about a prompt's versions and release requests, oldest first.
#[utoipa::path(
    get,
    path = "/v1/prompts/{prompt}/comments",
    tag = "releases",
    params(("prompt" = String, Path, description = "Percent-encoded key (`/` as `%2F`) or `prm_…`"), CommentsParams),
    responses((status = 200, body = wire::CommentPage), HistoryProblems),
    security(("api_key" = [])),
)]
pub async fn comments(
    State(app): State<App>,
    presented: Presented,
    Path(prompt): Path<String>,
    Query(params): Query<CommentsParams>,
) -> Result<Response, Problem> {
    let tenant = presented.tenant();
    let (mut as_of, after) = match params.cursor.as_deref().map(|text| Cursor::decode(text, tenant)).transpose()? {
        None => (params::as_of(params.as_of, params.clock), None),
        Some(_) if params.as_of.is_some() => return Err(params::fixed("as_of")),
        Some(Cursor::Comments { as_of, after }) => (as_of, Some(after)),
        Some(_) => return Err(cursor::foreign()),
    };
    let on = match (params.version, params.release) {
        (Some(_), Some(_)) => return Err(Problem::field("version", "either `version` or `release`, not both")),
        (version, release) => version.map(CommentOn::Version).or(release.map(CommentOn::Request)),
    };
    let (prompt, limit) = (params::prompt(&prompt)?, params::limit(params.limit));
    let question = Question::Comments { prompt, on, after, limit, as_of };
    let reply = app.read_side.ask(params::ask(&presented, params.at_least, question)).await.map_err(problem)?;
    let Answer::Comments(items) = reply.answer else { return Err(Problem::internal()) };
    as_of = cursor::pinned(as_of, reply.as_of);
    let last = items.last().filter(|_| items.len() == limit || reply.cut).map(|item| item.stamp.index);
    let next = last.map(|after| Cursor::Comments { as_of, after }.encode(tenant)).transpose()?;
    Ok(respond::json(reply.as_of, render::comments(&items, next)?))
}

/// Labels that are protected, by prefix.
#[utoipa::path(
    get,
    path = "/v1/protections",
    tag = "releases",
    params(RecordedPageParams),
    responses((status = 200, body = wire::ProtectionPage), ListProblems),
    security(("api_key" = [])),
)]
pub async fn protections(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<RecordedPageParams>,
) -> Result<Response, Problem> {
    listed(&app, &presented, params, Listing::Protections).await
}

/// Freeze windows that are not lifted, by id.
#[utoipa::path(
    get,
    path = "/v1/freezes",
    tag = "releases",
    params(RecordedPageParams),
    responses((status = 200, body = wire::FreezePage), ListProblems),
    security(("api_key" = [])),
)]
pub async fn freezes(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<RecordedPageParams>,
) -> Result<Response, Problem> {
    listed(&app, &presented, params, Listing::Freezes).await
}
