//! Groups and custom roles.

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

/// A new group, without members.
#[utoipa::path(post, path = "/v1/groups", tag = "access",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`name`"),
    responses((status = 201, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn create_group(
    State(service): State<Service>,
    shown: Presented,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("create_group", &[], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// A principal into a group.
#[utoipa::path(put, path = "/v1/groups/{group}/members/{principal}", tag = "access",
    params(("group" = String, Path, description = "Its id"), ("principal" = String, Path, description = "The member's id"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn add_member(
    State(service): State<Service>,
    shown: Presented,
    Path((group, principal)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let command = request("add_member", &[("group", group), ("principal", principal)], &headers, Map::new())?;
    only(service.execute(&shown, vec![command]).await)
}

/// A principal out of a group.
#[utoipa::path(delete, path = "/v1/groups/{group}/members/{principal}", tag = "access",
    params(("group" = String, Path, description = "Its id"), ("principal" = String, Path, description = "The member's id"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn remove_member(
    State(service): State<Service>,
    shown: Presented,
    Path((group, principal)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let command = request("remove_member", &[("group", group), ("principal", principal)], &headers, Map::new())?;
    only(service.execute(&shown, vec![command]).await)
}

/// A custom role: new, or another set of actions wherever it is granted.
#[utoipa::path(put, path = "/v1/roles/{role}", tag = "access",
    params(("role" = String, Path, description = "Its name"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`actions`: all that it allows"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn define_role(
    State(service): State<Service>,
    shown: Presented,
    Path(role): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("define_role", &[("role", role)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}
