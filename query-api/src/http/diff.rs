//! What differs between two versions: unified and word by word.

use axum::extract::State;
use axum::response::Response;
use promptory_platform::extract::{Path, Query};
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::{Answer, Question};

use super::error::{DiffProblems, problem};
use super::params::{self, DiffParams};
use super::{App, render, respond, wire};

/// What differs between two versions of a prompt, or between a version of it and one of another prompt.
#[utoipa::path(
    get,
    path = "/v1/prompts/{prompt}/diff",
    tag = "prompts",
    params(("prompt" = String, Path, description = "Percent-encoded key (`/` as `%2F`) or `prm_…`"), DiffParams),
    responses((status = 200, body = wire::Diff), DiffProblems),
    security(("api_key" = [])),
)]
pub async fn diff(
    State(app): State<App>,
    presented: Presented,
    Path(prompt): Path<String>,
    Query(params): Query<DiffParams>,
) -> Result<Response, Problem> {
    let (prompt, at_least) = (params::prompt(&prompt)?, params.at_least);
    let as_of = params::as_of(params.as_of, params.clock);
    let (which, against) = params.versions()?;
    let question = Question::Diff { prompt, which, against, as_of };
    let reply = app.read_side.ask(params::ask(&presented, at_least, question)).await.map_err(problem)?;
    let Answer::Diff(answer) = reply.answer else { return Err(Problem::internal()) };
    Ok(respond::json(reply.as_of, render::diff(&answer)?))
}
