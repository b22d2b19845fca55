//! API keys.

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

/// A new API key, for a new principal or for one that is there. The answer shows it once.
#[utoipa::path(post, path = "/v1/keys", tag = "access",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`role`, `prefix`, `role_expires_at` and `name` of a new principal, or `principal`; `scope` and `expires_at` of the key"),
    responses((status = 201, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn issue_key(
    State(service): State<Service>,
    shown: Presented,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("issue_key", &[], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// Another API key in the place of one, which is revoked at once or after an overlap. The answer shows it once.
#[utoipa::path(post, path = "/v1/keys/{key}/rotate", tag = "access",
    params(("key" = String, Path, description = "Its id: the part after `pk_<tenant>_`"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`expires_at`; without it the new key lasts as long as the old one. `overlap_seconds`: for how long the old one still opens"),
    responses((status = 201, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn rotate_key(
    State(service): State<Service>,
    shown: Presented,
    Path(key): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("rotate_key", &[("key", key)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// An API key that opens nothing any more.
#[utoipa::path(delete, path = "/v1/keys/{key}", tag = "access",
    params(("key" = String, Path, description = "Its id: the part after `pk_<tenant>_`"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn revoke_key(
    State(service): State<Service>,
    shown: Presented,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let command = request("revoke_key", &[("key", key)], &headers, Map::new())?;
    only(service.execute(&shown, vec![command]).await)
}
