//! Settings of the tenant as a whole.

use axum::extract::State;
use axum::response::Response;
use promptory_platform::extract::Query;
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::{Answer, Question};

use super::error::{ListProblems, problem};
use super::params::{self, RecordedParams};
use super::{App, render, respond, wire};

/// The languages that the tenant's prompts are searched in. For everybody who may come in.
#[utoipa::path(
    get,
    path = "/v1/settings/search",
    tag = "prompts",
    params(RecordedParams),
    responses((status = 200, body = wire::SearchSettings), ListProblems),
    security(("api_key" = [])),
)]
pub async fn search(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<RecordedParams>,
) -> Result<Response, Problem> {
    let question = Question::Languages { as_of: params::recorded(params.as_of, params.clock) };
    let reply = app.read_side.ask(params::ask(&presented, params.at_least, question)).await.map_err(problem)?;
    let Answer::Languages(languages) = reply.answer else { return Err(Problem::internal()) };
    Ok(respond::json(reply.as_of, render::search_settings(reply.as_of, languages)?))
}

/// Whether it is watched if the tenant's versions become worse than they were. For everybody who may come in.
#[utoipa::path(
    get,
    path = "/v1/settings/watch",
    tag = "usage",
    params(RecordedParams),
    responses((status = 200, body = wire::WatchSettings), ListProblems),
    security(("api_key" = [])),
)]
pub async fn watch(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<RecordedParams>,
) -> Result<Response, Problem> {
    let question = Question::Watch { as_of: params::recorded(params.as_of, params.clock) };
    let reply = app.read_side.ask(params::ask(&presented, params.at_least, question)).await.map_err(problem)?;
    let Answer::Watch(enabled) = reply.answer else { return Err(Problem::internal()) };
    Ok(respond::json(reply.as_of, render::watch_settings(reply.as_of, enabled)?))
}
