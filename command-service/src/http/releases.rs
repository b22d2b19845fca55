//! Release requests, rollbacks and comments.

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

/// Asks for a protected label to be moved.
#[utoipa::path(post, path = "/v1/releases", tag = "releases",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`prompt`, `label`, `version` or `remove`; `expires_at`, `message`"),
    responses((status = 201, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn open(
    State(service): State<Service>,
    shown: Presented,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("request_release", &[], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// Approves a release request. With the last approval that it needs the label moves.
#[utoipa::path(post, path = "/v1/releases/{release}/approve", tag = "releases",
    params(("release" = String, Path, description = "Its id"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "an object; `message`, `override_freeze`"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn approve(
    State(service): State<Service>,
    shown: Presented,
    Path(release): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("approve_release", &[("release", release)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// Rejects a release request.
#[utoipa::path(post, path = "/v1/releases/{release}/reject", tag = "releases",
    params(("release" = String, Path, description = "Its id"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "an object; `message`"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn reject(
    State(service): State<Service>,
    shown: Presented,
    Path(release): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("reject_release", &[("release", release)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// Withdraws a release request that the caller has opened.
#[utoipa::path(post, path = "/v1/releases/{release}/withdraw", tag = "releases",
    params(("release" = String, Path, description = "Its id"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "an object; `message`"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn withdraw(
    State(service): State<Service>,
    shown: Presented,
    Path(release): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("withdraw_release", &[("release", release)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// Comments on a release request.
#[utoipa::path(post, path = "/v1/releases/{release}/comments", tag = "releases",
    params(("release" = String, Path, description = "Its id"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`text`"),
    responses((status = 201, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn comment_on_release(
    State(service): State<Service>,
    shown: Presented,
    Path(release): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("add_comment", &[("release", release)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// Comments on a version of a prompt.
#[utoipa::path(post, path = "/v1/prompts/{prompt}/comments", tag = "releases",
    params(("prompt" = String, Path, description = "Key (percent-encoded, `/` as `%2F`) or id"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`version`: its number; `text`"),
    responses((status = 201, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn comment_on_version(
    State(service): State<Service>,
    shown: Presented,
    Path(prompt): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("add_comment", &[("prompt", prompt)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// Moves a label back to where it pointed before.
#[utoipa::path(post, path = "/v1/prompts/{prompt}/labels/{label}/rollback", tag = "releases",
    params(("prompt" = String, Path, description = "Key (percent-encoded, `/` as `%2F`) or id"), ("label" = String, Path, description = "The label"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time"), ("If-Match" = Option<String>, Header, description = "The version that the label must point to")),
    request_body(content = Object, description = "an object; `message`, `override_freeze`"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn roll_back(
    State(service): State<Service>,
    shown: Presented,
    Path((prompt, label)): Path<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("roll_back_label", &[("prompt", prompt), ("label", label)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}
