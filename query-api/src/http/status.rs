//! How a tenant's read model stands.

use axum::extract::State;
use axum::response::Response;
use promptory_platform::extract::Query;
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::{Answer, Question};

use super::error::{ReadProblems, problem};
use super::params::{self, StatusParams};
use super::{App, render, respond, wire};

/// Position and digest of the tenant's read model, and the caller's roles.
#[utoipa::path(
    get,
    path = "/v1/status",
    tag = "prompts",
    params(StatusParams),
    responses((status = 200, body = wire::Status), ReadProblems),
    security(("api_key" = [])),
)]
pub async fn status(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<StatusParams>,
) -> Result<Response, Problem> {
    let ask = params::ask(&presented, params.at_least, Question::Status);
    let reply = app.read_side.ask(ask).await.map_err(problem)?;
    let Answer::Status(answer) = reply.answer else { return Err(Problem::internal()) };
    Ok(respond::json(reply.as_of, render::status(presented.tenant(), reply.as_of, &answer)?))
}
