//! Many commands in one request: each for itself, or all or nothing.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use promptory_events::limits;
use promptory_platform::Presented;
use promptory_platform::extract::Json;
use promptory_platform::problem::{Problem, ProblemDocument, ProblemType};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::answer;
use crate::failure::Failure;
use crate::service::Service;
use crate::wire::{Change, Request};

/// Commands in order.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Commands {
    /// 1 to 1,000 commands.
    #[schema(value_type = Vec<Request>)]
    commands: Vec<Map<String, Value>>,
    /// Whether all are done together, or none: nobody ever sees a part of them. Together they have at most 6 MiB, sealed.
    #[serde(default)]
    atomic: bool,
}

/// One answer a command, in order.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Results {
    /// An outcome with its `status`, or a `status` and a `problem`.
    results: Vec<Value>,
}

/// Many commands, in order. Each is atomic; one that is refused does not stop the next. With `atomic` all are done or
/// none: the answer is then that of the command that was refused, whose place is in `command`.
#[utoipa::path(post, path = "/v1/commands", tag = "commands", request_body = Commands,
    params(("Idempotency-Key" = Option<String>, Header, description = "With `atomic`: the same key with the same body is answered from what it did the first time. Else each command may have one of its own")),
    responses((status = 200, description = "One answer a command, in order", body = Results),
        (status = "4XX", description = "None was done; `command` is the place of the one that was refused, from 0", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "None was done, or it is not known", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn commands(
    State(service): State<Service>,
    shown: Presented,
    headers: HeaderMap,
    Json(body): Json<Commands>,
) -> Result<Response, Problem> {
    let count = body.commands.len();
    if !(1..=limits::COMMANDS_PER_REQUEST_MAX).contains(&count) {
        let max = limits::COMMANDS_PER_REQUEST_MAX;
        let problem = Problem::new(ProblemType::LIMIT_REACHED, format!("{count} commands; send 1 to {max}"));
        return Err(problem.with("field", "/commands").with("limit", max));
    }
    let key = headers.get("idempotency-key").map(|value| value.to_str().map(ToOwned::to_owned)).transpose();
    let key = key.map_err(|_| Problem::field("Idempotency-Key", "must be visible ASCII"))?;
    if body.atomic {
        return together(&service, &shown, body.commands, key).await;
    }
    if key.is_some() {
        let detail = "each command has its own; one for the whole request goes with `atomic`";
        return Err(Problem::field("Idempotency-Key", detail));
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

async fn together(
    service: &Service,
    shown: &Presented,
    commands: Vec<Map<String, Value>>,
    key: Option<String>,
) -> Result<Response, Problem> {
    let read = commands.into_iter().enumerate().map(|(command, object)| {
        readable(object).map_err(|problem| Failure::InBatch { command, why: Box::new(problem.into()) })
    });
    let requests = read.collect::<Result<Vec<_>, _>>()?;
    let outcomes = service.execute_together(shown, requests, key).await?;
    let replayed = !outcomes.is_empty() && outcomes.iter().all(|outcome| outcome.replayed);
    let position = outcomes.last().and_then(|last| last.position);
    let results = outcomes.into_iter().map(|outcome| answer::line(Ok(outcome))).collect();
    let mut response = axum::Json(Results { results }).into_response();
    if let Some(position) = position.and_then(|position| HeaderValue::from_str(&position.to_string()).ok()) {
        response.headers_mut().insert("promptory-position", position);
    }
    if replayed {
        response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn readable(command: Map<String, Value>) -> Result<Request, Problem> {
    let request = Request::from_object(&command)?;
    match request.change {
        // Two commands in two ledgers: the tenant, and its first owner's key, which this answer has no place for.
        Change::CreateTenant { .. } => Err(Problem::field("/type", "create tenants by POST /v1/tenants")),
        _ => Ok(request),
    }
}
