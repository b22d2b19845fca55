//! Branches, forks and merges.

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

/// A new branch of a prompt.
#[utoipa::path(put, path = "/v1/prompts/{prompt}/branches/{branch}", tag = "prompts",
    params(("prompt" = String, Path, description = "Key (percent-encoded, `/` as `%2F`) or id"), ("branch" = String, Path, description = "The branch"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`from`: the version that it begins at; also `message`, `occurred_at`, `author`"),
    responses((status = 201, description = "Done, or done before", body = OutcomeDocument),
        (status = 200, description = "Everything was as it asked for: no events", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn create_branch(
    State(service): State<Service>,
    shown: Presented,
    Path((prompt, branch)): Path<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("create_branch", &[("prompt", prompt), ("branch", branch)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// A branch that takes no more versions; those that it has stay.
#[utoipa::path(delete, path = "/v1/prompts/{prompt}/branches/{branch}", tag = "prompts",
    params(("prompt" = String, Path, description = "Key (percent-encoded, `/` as `%2F`) or id"), ("branch" = String, Path, description = "The branch"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time"), ("If-Match" = Option<String>, Header, description = "The version that must be the head of the branch")),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn close_branch(
    State(service): State<Service>,
    shown: Presented,
    Path((prompt, branch)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let command = request("close_branch", &[("prompt", prompt), ("branch", branch)], &headers, Map::new())?;
    only(service.execute(&shown, vec![command]).await)
}

/// A new prompt whose first version has the content of a version of this one.
#[utoipa::path(post, path = "/v1/prompts/{prompt}/forks", tag = "prompts",
    params(("prompt" = String, Path, description = "Key (percent-encoded, `/` as `%2F`) or id"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`key`; `from`: the version; `labels`, `tags`, `metadata`; also `message`, `occurred_at`, `author`"),
    responses((status = 201, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn fork(
    State(service): State<Service>,
    shown: Presented,
    Path(prompt): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("fork_prompt", &[("prompt", prompt)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// What a version has that a branch has not, as a new version of the branch.
#[utoipa::path(post, path = "/v1/prompts/{prompt}/merges", tag = "prompts",
    params(("prompt" = String, Path, description = "Key (percent-encoded, `/` as `%2F`) or id"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time"), ("If-Match" = Option<String>, Header, description = "The version that must be the head of the branch")),
    request_body(content = Object, description = "`from`: the version; `branch`; after a conflict `text` or `messages`, `config`; `labels`; also `message`, `occurred_at`, `author`"),
    responses((status = 201, description = "Done, or done before", body = OutcomeDocument),
        (status = 200, description = "Everything was as it asked for: no events", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn merge(
    State(service): State<Service>,
    shown: Presented,
    Path(prompt): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("merge", &[("prompt", prompt)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}
