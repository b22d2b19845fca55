//! Prompts, versions and labels.

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

/// A new prompt with its first version.
#[utoipa::path(post, path = "/v1/prompts", tag = "prompts",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`key`, exactly one of `text` and `messages`; `config`, `template` (`none`, `simple` or `jinja`), `variables`, `labels`, `tags`, `metadata`; also `message`, `occurred_at`, `author`"),
    responses((status = 201, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn create(
    State(service): State<Service>,
    shown: Presented,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("create_prompt", &[], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// A new version of a prompt.
#[utoipa::path(post, path = "/v1/prompts/{prompt}/versions", tag = "prompts",
    params(("prompt" = String, Path, description = "Key (percent-encoded, `/` as `%2F`) or id"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time"), ("If-Match" = Option<String>, Header, description = "The version that must be current")),
    request_body(content = Object, description = "exactly one of `text` and `messages`; `config`, `template` (`none`, `simple` or `jinja`), `variables`, `labels`; also `message`, `occurred_at`, `author`"),
    responses((status = 201, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn add_version(
    State(service): State<Service>,
    shown: Presented,
    Path(prompt): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("add_version", &[("prompt", prompt)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// Another key for a prompt, and a new version with it if there is a text.
#[utoipa::path(put, path = "/v1/prompts/{prompt}/key", tag = "prompts",
    params(("prompt" = String, Path, description = "Key (percent-encoded, `/` as `%2F`) or id"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time"), ("If-Match" = Option<String>, Header, description = "The version that must be current")),
    request_body(content = Object, description = "`to`: the new key; `text` or `messages`, `config`, `template`, `variables`; also `message`, `occurred_at`, `author`"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn rename(
    State(service): State<Service>,
    shown: Presented,
    Path(prompt): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("rename_prompt", &[("prompt", prompt)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// All tags of a prompt.
#[utoipa::path(put, path = "/v1/prompts/{prompt}/tags", tag = "prompts",
    params(("prompt" = String, Path, description = "Key (percent-encoded, `/` as `%2F`) or id"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time"), ("If-Match" = Option<String>, Header, description = "The version that must be current")),
    request_body(content = Object, description = "`tags`; `from`: the tags that it must have now; also `message`, `occurred_at`, `author`"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn set_tags(
    State(service): State<Service>,
    shown: Presented,
    Path(prompt): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("set_tags", &[("prompt", prompt)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// All metadata of a prompt.
#[utoipa::path(put, path = "/v1/prompts/{prompt}/metadata", tag = "prompts",
    params(("prompt" = String, Path, description = "Key (percent-encoded, `/` as `%2F`) or id"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time"), ("If-Match" = Option<String>, Header, description = "The version that must be current")),
    request_body(content = Object, description = "`metadata`: an object; also `message`, `occurred_at`, `author`"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn set_metadata(
    State(service): State<Service>,
    shown: Presented,
    Path(prompt): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("set_metadata", &[("prompt", prompt)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// Out of the way; the key is free, nothing is deleted.
#[utoipa::path(post, path = "/v1/prompts/{prompt}/archive", tag = "prompts",
    params(("prompt" = String, Path, description = "Key (percent-encoded, `/` as `%2F`) or id"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time"), ("If-Match" = Option<String>, Header, description = "The version that must be current")),
    request_body(content = Object, description = "an object; also `message`, `occurred_at`, `author`"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn archive(
    State(service): State<Service>,
    shown: Presented,
    Path(prompt): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("archive_prompt", &[("prompt", prompt)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// Back again.
#[utoipa::path(post, path = "/v1/prompts/{prompt}/restore", tag = "prompts",
    params(("prompt" = String, Path, description = "Id: archived prompts hold no key"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time"), ("If-Match" = Option<String>, Header, description = "The version that must be current")),
    request_body(content = Object, description = "`key`, if it is to be another one; also `message`, `occurred_at`, `author`"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn restore(
    State(service): State<Service>,
    shown: Presented,
    Path(prompt): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("restore_prompt", &[("prompt", prompt)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// A label on a version.
#[utoipa::path(put, path = "/v1/prompts/{prompt}/labels/{label}", tag = "prompts",
    params(("prompt" = String, Path, description = "Key (percent-encoded, `/` as `%2F`) or id"), ("label" = String, Path, description = "The label"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time"), ("If-Match" = Option<String>, Header, description = "The version that must be current")),
    request_body(content = Object, description = "`version`: its number; also `message`, `occurred_at`, `author`"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn set_label(
    State(service): State<Service>,
    shown: Presented,
    Path((prompt, label)): Path<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("set_label", &[("prompt", prompt), ("label", label)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// No such label any more.
#[utoipa::path(delete, path = "/v1/prompts/{prompt}/labels/{label}", tag = "prompts",
    params(("prompt" = String, Path, description = "Key (percent-encoded, `/` as `%2F`) or id"), ("label" = String, Path, description = "The label"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time"), ("If-Match" = Option<String>, Header, description = "The version that must be current")),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn remove_label(
    State(service): State<Service>,
    shown: Presented,
    Path((prompt, label)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let command = request("remove_label", &[("prompt", prompt), ("label", label)], &headers, Map::new())?;
    only(service.execute(&shown, vec![command]).await)
}
