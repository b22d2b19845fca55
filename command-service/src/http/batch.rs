//! Many commands in one request.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use promptory_events::limits;
use promptory_platform::Presented;
use promptory_platform::extract::Json;
use promptory_platform::problem::{Problem, ProblemDocument, ProblemType};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::answer;
use crate::service::Service;
use crate::wire::{Change, Request};

/// Commands in order.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Commands {
    /// 1 to 1,000 commands.
    #[schema(value_type = Vec<Request>)]
    commands: Vec<Map<String, Value>>,
}

/// One answer a command, in order.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Results {
    /// An outcome with its `status`, or a `status` and a `problem`.
    results: Vec<Value>,
}

/// Many commands, in order. Each is atomic; one that is refused does not stop the next.
#[utoipa::path(post, path = "/v1/commands", tag = "commands", request_body = Commands,
    responses((status = 200, description = "One answer a command, in order", body = Results),
        (status = "4XX", description = "None was done", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "None was done, or it is not known", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn commands(
    State(service): State<Service>,
    shown: Presented,
    Json(body): Json<Commands>,
) -> Result<Response, Problem> {
    let count = body.commands.len();
    if !(1..=limits::COMMANDS_PER_REQUEST_MAX).contains(&count) {
        let max = limits::COMMANDS_PER_REQUEST_MAX;
        let problem = Problem::new(ProblemType::LIMIT_REACHED, format!("{count} commands; send 1 to {max}"));
        return Err(problem.with("field", "/commands").with("limit", max));
    }
    // A command that can't be read is refused in its place, like one that is decided against.
    let read: Vec<Result<Request, Problem>> = body.commands.into_iter().map(readable).collect();
    let requests = read.iter().filter_map(|r| r.as_ref().ok().cloned()).collect();
    let mut answers = service.execute(&shown, requests).await?.into_iter();
    let results = read.into_iter().map(|request| match request {
        Ok(_) => answers.next().map_or(Value::Null, answer::line),
        Err(problem) => answer::line(Err(problem.into())),
    });
    Ok(axum::Json(Results { results: results.collect() }).into_response())
}

fn readable(command: Map<String, Value>) -> Result<Request, Problem> {
    let request = Request::from_object(command)?;
    match request.change {
        // Two commands in two ledgers: the tenant, and its first owner's key, which this answer has no place for.
        Change::CreateTenant { .. } => Err(Problem::field("/type", "create tenants by POST /v1/tenants")),
        _ => Ok(request),
    }
}
