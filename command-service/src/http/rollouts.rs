//! A label that is split over versions, sticky by a key: start, other weights, pause, resume, back, and one version for all.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use promptory_platform::Presented;
use promptory_platform::extract::{Json, Path};
use promptory_platform::problem::{Problem, ProblemDocument};
use serde_json::{Map, Value};

use super::answer::{OutcomeDocument, only};
use super::request;
use crate::service::Service;

async fn step(
    kind: &str,
    service: &Service,
    shown: &Presented,
    (prompt, label): (String, String),
    headers: &HeaderMap,
    body: Map<String, Value>,
) -> Result<Response, Problem> {
    let command = request(kind, &[("prompt", prompt), ("label", label)], headers, body)?;
    only(service.execute(shown, vec![command]).await)
}

/// Splits a label over versions. The label goes on pointing to the control, which whoever has no key gets.
#[utoipa::path(post, path = "/v1/prompts/{prompt}/labels/{label}/rollout", tag = "rollouts",
    params(("prompt" = String, Path, description = "Key (percent-encoded, `/` as `%2F`) or id"), ("label" = String, Path, description = "The label"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`arms`: an array of `version` and `weight` (hundredths of a percent, 10,000 together); `guards`: what no version may do, each with `measure`, `limit` or `control_margin`, and `then`; `message`, `override_freeze`"),
    responses((status = 201, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn start_rollout(
    State(service): State<Service>,
    shown: Presented,
    Path(of): Path<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    step("start_rollout", &service, &shown, of, &headers, body).await
}

/// Other weights for the rollout that runs. No more keys change their version than have to.
#[utoipa::path(post, path = "/v1/prompts/{prompt}/labels/{label}/rollout/advance", tag = "rollouts",
    params(("prompt" = String, Path, description = "Key (percent-encoded, `/` as `%2F`) or id"), ("label" = String, Path, description = "The label"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`arms`, as when it was started; `rollout`: the id that must run; `message`, `override_freeze`"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn advance_rollout(
    State(service): State<Service>,
    shown: Presented,
    Path(of): Path<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    step("advance_rollout", &service, &shown, of, &headers, body).await
}

/// Everybody gets the control until it is resumed. The table is kept.
#[utoipa::path(post, path = "/v1/prompts/{prompt}/labels/{label}/rollout/pause", tag = "rollouts",
    params(("prompt" = String, Path, description = "Key (percent-encoded, `/` as `%2F`) or id"), ("label" = String, Path, description = "The label"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "an object; `rollout`, `message`, `override_freeze`"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn pause_rollout(
    State(service): State<Service>,
    shown: Presented,
    Path(of): Path<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    step("pause_rollout", &service, &shown, of, &headers, body).await
}

/// Keys get their versions again, each the one that it had.
#[utoipa::path(post, path = "/v1/prompts/{prompt}/labels/{label}/rollout/resume", tag = "rollouts",
    params(("prompt" = String, Path, description = "Key (percent-encoded, `/` as `%2F`) or id"), ("label" = String, Path, description = "The label"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "an object; `rollout`, `message`, `override_freeze`"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn resume_rollout(
    State(service): State<Service>,
    shown: Presented,
    Path(of): Path<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    step("resume_rollout", &service, &shown, of, &headers, body).await
}

/// Ends the rollout; the label stays where it is.
#[utoipa::path(post, path = "/v1/prompts/{prompt}/labels/{label}/rollout/rollback", tag = "rollouts",
    params(("prompt" = String, Path, description = "Key (percent-encoded, `/` as `%2F`) or id"), ("label" = String, Path, description = "The label"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "an object; `rollout`, `message`, `override_freeze`"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn roll_back_rollout(
    State(service): State<Service>,
    shown: Presented,
    Path(of): Path<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    step("roll_back_rollout", &service, &shown, of, &headers, body).await
}

/// Ends the rollout; everybody gets one of its versions, to which the label moves, or the control.
#[utoipa::path(post, path = "/v1/prompts/{prompt}/labels/{label}/rollout/complete", tag = "rollouts",
    params(("prompt" = String, Path, description = "Key (percent-encoded, `/` as `%2F`) or id"), ("label" = String, Path, description = "The label"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`version`: its number; `rollout`, `message`, `override_freeze`"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn complete_rollout(
    State(service): State<Service>,
    shown: Presented,
    Path(of): Path<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    step("complete_rollout", &service, &shown, of, &headers, body).await
}
