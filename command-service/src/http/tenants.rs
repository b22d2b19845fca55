//! Tenants, for operators.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use promptory_platform::Presented;
use promptory_platform::extract::{Json, Path};
use promptory_platform::problem::{Problem, ProblemDocument};
use serde_json::{Map, Value};

use super::answer::{OutcomeDocument, one, only};
use super::request;
use crate::outcome::Outcome;
use crate::service::Service;

/// A new tenant. The answer shows its owner's API key once.
#[utoipa::path(post, path = "/v1/tenants", tag = "tenants",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`tenant`: its name; `title`"),
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
    let command = request("create_tenant", &[], &headers, body)?;
    let (created, owner) = service.create_tenant(&shown, command).await?;
    // One answer for both: the tenant's events and position, with the owner's key.
    let answer = Outcome { api_key: owner.api_key, principal: owner.principal, key_id: owner.key_id, ..created };
    one(Ok(answer))
}

/// What another owner is called.
#[derive(Debug, Default, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewOwner {
    /// Its display name; kept sealed.
    name: Option<String>,
}

/// Another owner of a tenant, for the day that all keys are lost. The answer shows its API key once.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/owners", tag = "tenants",
    params(("tenant" = String, Path, description = "Its name"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body = NewOwner,
    responses((status = 201, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn add_owner(
    State(service): State<Service>,
    shown: Presented,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NewOwner>,
) -> Result<Response, Problem> {
    let key = headers.get("idempotency-key").map(|value| value.to_str().map(ToOwned::to_owned)).transpose();
    let key = key.map_err(|_| Problem::field("Idempotency-Key", "must be visible ASCII"))?;
    one(service.add_owner(&shown, &tenant, body.name, key).await)
}

/// No reads or writes for a tenant until it is resumed.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/suspend", tag = "tenants",
    params(("tenant" = String, Path, description = "Its name"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "an object; `message`"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn suspend(
    State(service): State<Service>,
    shown: Presented,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("suspend_tenant", &[("tenant", tenant)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// A suspended tenant back again.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/resume", tag = "tenants",
    params(("tenant" = String, Path, description = "Its name"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "an object; `message`"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn resume(
    State(service): State<Service>,
    shown: Presented,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("resume_tenant", &[("tenant", tenant)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}
