//! What a version says with values for its variables, and what depends on a prompt.

use axum::extract::State;
use axum::response::Response;
use promptory_events::limits::RENDER_VARIABLES_MAX_BYTES;
use promptory_platform::extract::{Json, Path, Query};
use promptory_platform::{Presented, Problem, ProblemType};
use promptory_projection::ask::{Answer, Question};

use super::cursor::{self, Cursor};
use super::error::{HistoryProblems, RenderProblems, problem};
use super::params::{self, DependentsParams, ResolveParams};
use super::wire::RenderBody;
use super::{App, render as body, respond, wire};

/// What a version of a prompt says with values for its variables: the newest, or by label, number or branch, now or as of
/// then. Nothing is written.
#[utoipa::path(
    post,
    path = "/v1/prompts/{prompt}/render",
    tag = "prompts",
    params(("prompt" = String, Path, description = "Percent-encoded key (`/` as `%2F`) or `prm_…`"), ResolveParams),
    request_body = wire::RenderBody,
    responses(
        (status = 200, body = wire::Rendered, headers(("ETag" = String, description = "The version's id, in quotes"))),
        RenderProblems,
    ),
    security(("api_key" = [])),
)]
pub async fn render(
    State(app): State<App>,
    presented: Presented,
    Path(prompt): Path<String>,
    Query(params): Query<ResolveParams>,
    Json(RenderBody { variables }): Json<RenderBody>,
) -> Result<Response, Problem> {
    let variables = serde_json::to_string(&variables).map_err(|_| Problem::internal())?;
    if variables.len() > RENDER_VARIABLES_MAX_BYTES {
        let detail = format!("has {} bytes as JSON; at most {RENDER_VARIABLES_MAX_BYTES} are allowed", variables.len());
        let problem = Problem::new(ProblemType::TOO_LARGE, detail).with("field", "/variables");
        return Err(problem.with("limit", RENDER_VARIABLES_MAX_BYTES));
    }
    let as_of = params::as_of(params.as_of, params.clock);
    let (prompt, which) = (params::prompt(&prompt)?, params.which()?);
    let question = Question::Render { prompt, which: which.clone(), as_of, variables };
    let reply = app.read_side.ask(params::ask(&presented, params.at_least, question)).await.map_err(problem)?;
    let Answer::Rendered(answer) = reply.answer else { return Err(Problem::internal()) };
    // What is said depends on more than the version, so the ETag only names it: there is no 304.
    let response = respond::version(reply.as_of, answer.version.id, body::rendered(&answer)?);
    Ok(respond::with_arm(response, which.arm(&answer.prompt.labels, &answer.prompt.rollouts)))
}

/// The versions that include a prompt, oldest first: those that a label or a branch leads to, or all.
///
/// All pages of one listing are answered at the point of the first. A page may have fewer items than it could.
#[utoipa::path(
    get,
    path = "/v1/prompts/{prompt}/dependents",
    tag = "prompts",
    params(("prompt" = String, Path, description = "Percent-encoded key (`/` as `%2F`) or `prm_…`"), DependentsParams),
    responses((status = 200, body = wire::DependentPage), HistoryProblems),
    security(("api_key" = [])),
)]
pub async fn dependents(
    State(app): State<App>,
    presented: Presented,
    Path(prompt): Path<String>,
    Query(params): Query<DependentsParams>,
) -> Result<Response, Problem> {
    let tenant = presented.tenant();
    let (as_of, all, after) = match params.cursor.as_deref().map(|text| Cursor::decode(text, tenant)).transpose()? {
        None => (params::as_of(params.as_of, params.clock), params.all, None),
        Some(_) if params.as_of.is_some() => return Err(params::fixed("as_of")),
        Some(Cursor::Dependents { as_of, all, after }) => (as_of, all, Some(after)),
        Some(_) => return Err(cursor::foreign()),
    };
    let (prompt, limit) = (params::prompt(&prompt)?, params::limit(params.limit));
    let question = Question::Dependents { prompt, all, after, limit, as_of };
    let reply = app.read_side.ask(params::ask(&presented, params.at_least, question)).await.map_err(problem)?;
    let Answer::Dependents(answer) = reply.answer else { return Err(Problem::internal()) };
    let as_of = cursor::pinned(as_of, reply.as_of);
    let next = answer.next.map(|after| Cursor::Dependents { as_of, all, after }.encode(tenant)).transpose()?;
    Ok(respond::json(reply.as_of, body::dependents(&answer.items, next)?))
}
