//! Who vouches for callers without an API key: issuers, what their groups mean, principals known before they come, sessions.

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

/// Tokens of an issuer are believed, if they are for an audience.
#[utoipa::path(post, path = "/v1/issuers", tag = "access",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`url`, `audience`, `groups_claim`"),
    responses((status = 201, description = "Done, or done before", body = OutcomeDocument),
        (status = 200, description = "Everything was as it asked for: no events", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn trust_issuer(
    State(service): State<Service>,
    shown: Presented,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("trust_issuer", &[], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// Tokens of an issuer open nothing any more.
#[utoipa::path(delete, path = "/v1/issuers/{issuer}", tag = "access",
    params(("issuer" = String, Path, description = "The id of the trust"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn distrust_issuer(
    State(service): State<Service>,
    shown: Presented,
    Path(issuer): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let command = request("distrust_issuer", &[("issuer", issuer)], &headers, Map::new())?;
    only(service.execute(&shown, vec![command]).await)
}

/// Tokens of an issuer are of users of the directory.
#[utoipa::path(put, path = "/v1/issuers/{issuer}/users", tag = "access",
    params(("issuer" = String, Path, description = "The id of the trust"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`claim`: which claim names the user; `attribute`: what of the user, `userName` or `externalId`"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn link_issuer(
    State(service): State<Service>,
    shown: Presented,
    Path(issuer): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("link_issuer", &[("issuer", issuer)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// A group of an issuer means one of ours.
#[utoipa::path(put, path = "/v1/issuers/{issuer}/groups/{value}", tag = "access",
    params(("issuer" = String, Path, description = "The id of the trust"), ("value" = String, Path, description = "What the issuer calls its group"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`group`: the id of our group"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn map_claim(
    State(service): State<Service>,
    shown: Presented,
    Path((issuer, value)): Path<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("map_claim", &[("issuer", issuer), ("value", value)], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// A group of an issuer means nothing any more.
#[utoipa::path(delete, path = "/v1/issuers/{issuer}/groups/{value}", tag = "access",
    params(("issuer" = String, Path, description = "The id of the trust"), ("value" = String, Path, description = "What the issuer calls its group"), ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn unmap_claim(
    State(service): State<Service>,
    shown: Presented,
    Path((issuer, value)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let command = request("unmap_claim", &[("issuer", issuer), ("value", value)], &headers, Map::new())?;
    only(service.execute(&shown, vec![command]).await)
}

/// The subject of tokens that are still to come, as a principal that can be granted something.
#[utoipa::path(post, path = "/v1/principals", tag = "access",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`url` and `audience` of the issuer, `subject`, `name`"),
    responses((status = 201, description = "Done, or done before", body = OutcomeDocument),
        (status = 200, description = "Everything was as it asked for: no events", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn add_principal(
    State(service): State<Service>,
    shown: Presented,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("add_principal", &[], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// Tokens open nothing any more.
#[utoipa::path(post, path = "/v1/sessions/revoke", tag = "access",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`principal` and `before`, or `token`; nothing for the token that is shown"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn revoke_session(
    State(service): State<Service>,
    shown: Presented,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("revoke_session", &[], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}
