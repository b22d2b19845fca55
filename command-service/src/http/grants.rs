//! Roles on prefixes, for principals and groups.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use promptory_platform::Presented;
use promptory_platform::extract::{Path, Query};
use promptory_platform::problem::{Problem, ProblemDocument};
use serde_json::Map;

use super::answer::{OutcomeDocument, only};
use super::request;
use crate::service::Service;

/// Where and until when a role is granted.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Grant {
    /// Empty or ending with `/`; the whole tenant if it is not there.
    #[param(example = "team/area/")]
    prefix: Option<String>,
    /// Until when, RFC 3339; for good if it is not there.
    expires_at: Option<String>,
}

impl Grant {
    fn fields(self) -> impl Iterator<Item = (&'static str, String)> {
        let fields = [("prefix", self.prefix), ("expires_at", self.expires_at)];
        fields.into_iter().filter_map(|(name, value)| value.map(|value| (name, value)))
    }
}

/// Where a role was granted.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Revocation {
    /// The prefix it was granted on; the whole tenant if it is not there.
    prefix: Option<String>,
}

impl Revocation {
    fn fields(self) -> impl Iterator<Item = (&'static str, String)> {
        self.prefix.map(|prefix| ("prefix", prefix)).into_iter()
    }
}

/// A role for a principal, on a prefix.
#[utoipa::path(put, path = "/v1/principals/{principal}/roles/{role}", tag = "access",
    params(("principal" = String, Path, description = "Its id"), ("role" = String, Path, description = "A built-in or custom role's name"), Grant, ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn grant_to_principal(
    State(service): State<Service>,
    shown: Presented,
    Path((principal, role)): Path<(String, String)>,
    Query(query): Query<Grant>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let given = [("principal", principal), ("role", role)];
    let given: Vec<_> = given.into_iter().chain(query.fields()).collect();
    let command = request("grant_role", &given, &headers, Map::new())?;
    only(service.execute(&shown, vec![command]).await)
}

/// A role taken away from a principal.
#[utoipa::path(delete, path = "/v1/principals/{principal}/roles/{role}", tag = "access",
    params(("principal" = String, Path, description = "Its id"), ("role" = String, Path, description = "A built-in or custom role's name"), Revocation, ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn revoke_from_principal(
    State(service): State<Service>,
    shown: Presented,
    Path((principal, role)): Path<(String, String)>,
    Query(query): Query<Revocation>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let given = [("principal", principal), ("role", role)];
    let given: Vec<_> = given.into_iter().chain(query.fields()).collect();
    let command = request("revoke_role", &given, &headers, Map::new())?;
    only(service.execute(&shown, vec![command]).await)
}

/// A role for a group, on a prefix.
#[utoipa::path(put, path = "/v1/groups/{group}/roles/{role}", tag = "access",
    params(("group" = String, Path, description = "Its id"), ("role" = String, Path, description = "A built-in or custom role's name"), Grant, ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn grant_to_group(
    State(service): State<Service>,
    shown: Presented,
    Path((group, role)): Path<(String, String)>,
    Query(query): Query<Grant>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let given = [("group", group), ("role", role)];
    let given: Vec<_> = given.into_iter().chain(query.fields()).collect();
    let command = request("grant_role", &given, &headers, Map::new())?;
    only(service.execute(&shown, vec![command]).await)
}

/// A role taken away from a group.
#[utoipa::path(delete, path = "/v1/groups/{group}/roles/{role}", tag = "access",
    params(("group" = String, Path, description = "Its id"), ("role" = String, Path, description = "A built-in or custom role's name"), Revocation, ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn revoke_from_group(
    State(service): State<Service>,
    shown: Presented,
    Path((group, role)): Path<(String, String)>,
    Query(query): Query<Revocation>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let given = [("group", group), ("role", role)];
    let given: Vec<_> = given.into_iter().chain(query.fields()).collect();
    let command = request("revoke_role", &given, &headers, Map::new())?;
    only(service.execute(&shown, vec![command]).await)
}
