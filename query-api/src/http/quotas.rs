//! What a tenant has and may have.

use axum::extract::State;
use axum::response::Response;
use promptory_platform::extract::Query;
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::{Answer, Question};

use super::error::{ReadProblems, problem};
use super::params::{self, StatusParams};
use super::{App, render, respond, wire};

/// What the tenant has and may have of each. For whoever may read the whole tenant, or who may do what in it.
#[utoipa::path(
    get,
    path = "/v1/quotas",
    tag = "prompts",
    params(StatusParams),
    responses((status = 200, body = wire::Quotas), ReadProblems),
    security(("api_key" = [])),
)]
pub async fn quotas(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<StatusParams>,
) -> Result<Response, Problem> {
    let ask = params::ask(&presented, params.at_least, Question::Quotas);
    let reply = app.read_side.ask(ask).await.map_err(problem)?;
    let Answer::Quotas(quotas) = reply.answer else { return Err(Problem::internal()) };
    Ok(respond::json(reply.as_of, render::quotas(reply.as_of, &quotas)?))
}
