//! Quotas of tenants, for operators.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use promptory_platform::Presented;
use promptory_platform::extract::{Json, Path};
use promptory_platform::problem::{Problem, ProblemDocument};
use serde_json::{Map, Value};

use super::answer::{OutcomeDocument, one};
use super::request;
use crate::service::Service;

/// How much of something a tenant may have.
#[utoipa::path(put, path = "/v1/tenants/{tenant}/quotas/{quota}", tag = "tenants",
    params(("tenant" = String, Path, description = "Its name"), ("quota" = String, Path, description = "prompts, versions, stored-bytes, principals, api-keys or commands-per-minute"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`limit`: how much; `message`"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn set(
    State(service): State<Service>,
    shown: Presented,
    Path((tenant, quota)): Path<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    if body.get("limit").is_none_or(Value::is_null) {
        return Err(Problem::field("/limit", "say how much; DELETE lifts the quota"));
    }
    let command = request("set_quota", &[("quota", quota)], &headers, body)?;
    one(service.set_quota(&shown, &tenant, command).await)
}

/// A tenant may have any amount again.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/quotas/{quota}", tag = "tenants",
    params(("tenant" = String, Path, description = "Its name"), ("quota" = String, Path, description = "prompts, versions, stored-bytes, principals, api-keys or commands-per-minute"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn lift(
    State(service): State<Service>,
    shown: Presented,
    Path((tenant, quota)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let command = request("set_quota", &[("quota", quota)], &headers, Map::new())?;
    one(service.set_quota(&shown, &tenant, command).await)
}
