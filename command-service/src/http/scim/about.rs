//! What this server does of SCIM, and what a user and a group may have. No key is needed to know that.

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use promptory_events::limits;
use promptory_platform::extract::Path;
use promptory_platform::problem::ProblemType;
use promptory_scim::schema::Schema;
use promptory_scim::{GROUP, USER};
use serde_json::{Value, json};

use super::ask::base;
use super::{Refused, ScimError, document, list};

fn all(values: &[Value]) -> Response {
    document(StatusCode::OK, &list(values.len(), 1, values))
}

fn named(values: Vec<Value>, name: &str) -> Result<Response, Refused> {
    let found = values.into_iter().find(|value| value["id"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(name)));
    found.map(|found| document(StatusCode::OK, &found)).ok_or_else(|| Refused::not_found(ProblemType::NOT_FOUND))
}

/// What this server does of SCIM.
#[utoipa::path(get, path = "/scim/v2/ServiceProviderConfig", tag = "scim",
    responses((status = 200, description = "What is done", body = Value, content_type = "application/scim+json")))]
pub async fn service_provider_config(headers: HeaderMap) -> Response {
    let scheme = |name: &str, kind: &str, about: &str, primary: bool| {
        json!({ "name": name, "type": kind, "description": about, "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": primary })
    };
    let config = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": limits::DIRECTORY_PAGE_MAX },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": true },
        "authenticationSchemes": [
            scheme("API key", "oauthbearertoken", "An API key as a bearer token.", true),
            scheme("HTTP Basic", "httpbasic", "The key's id as the name, its secret as the password.", false),
        ],
        "meta": { "resourceType": "ServiceProviderConfig", "location": format!("{}/ServiceProviderConfig", base(&headers)) },
    });
    document(StatusCode::OK, &config)
}

fn types(headers: &HeaderMap) -> Vec<Value> {
    [USER, GROUP].iter().map(|kind| kind.json(&base(headers))).collect()
}

/// What there is.
#[utoipa::path(get, path = "/scim/v2/ResourceTypes", tag = "scim",
    responses((status = 200, description = "A list", body = Value, content_type = "application/scim+json")))]
pub async fn resource_types(headers: HeaderMap) -> Response {
    all(&types(&headers))
}

/// One of them.
#[utoipa::path(get, path = "/scim/v2/ResourceTypes/{name}", tag = "scim",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 200, description = "The type", body = Value, content_type = "application/scim+json"),
        (status = "4XX", description = "There is none", body = ScimError, content_type = "application/scim+json")))]
pub async fn resource_type(headers: HeaderMap, Path(name): Path<String>) -> Result<Response, Refused> {
    named(types(&headers), &name)
}

fn all_schemas(headers: &HeaderMap) -> Vec<Value> {
    let of = |schema: &Schema| schema.json(&base(headers));
    [USER, GROUP].iter().flat_map(|kind| std::iter::once(&kind.core).chain(kind.extensions)).map(of).collect()
}

/// What they may have.
#[utoipa::path(get, path = "/scim/v2/Schemas", tag = "scim",
    responses((status = 200, description = "A list", body = Value, content_type = "application/scim+json")))]
pub async fn schemas(headers: HeaderMap) -> Response {
    all(&all_schemas(&headers))
}

/// One schema.
#[utoipa::path(get, path = "/scim/v2/Schemas/{urn}", tag = "scim",
    params(("urn" = String, Path, description = "Its URN")),
    responses((status = 200, description = "The schema", body = Value, content_type = "application/scim+json"),
        (status = "4XX", description = "There is none", body = ScimError, content_type = "application/scim+json")))]
pub async fn schema(headers: HeaderMap, Path(urn): Path<String>) -> Result<Response, Refused> {
    named(all_schemas(&headers), &urn)
}
