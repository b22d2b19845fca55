//! SCIM 2.0 (RFC 7644) below `/scim/v2`: how the identity provider of a company keeps its people and groups here.
//!
//! Each request that writes is one command like any other. Answers and refusals are in the RFC's form; what is not let in
//! or not understood before it comes here is a problem document as everywhere.

pub mod about;
mod answer;
mod ask;
pub mod groups;
pub mod search;
mod store;
pub mod users;

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use promptory_platform::problem::{Problem, ProblemType};
use promptory_scim::{Error, Kind};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::failure::Failure;

/// What SCIM's bodies are.
const SCIM_JSON: &str = "application/scim+json";

/// A refusal in SCIM's form.
#[derive(Debug)]
pub struct Refused {
    problem: Problem,
    kind: Option<Kind>,
}

/// The document of a refusal.
#[derive(Debug, serde::Serialize, ToSchema)]
pub struct ScimError {
    /// `urn:ietf:params:scim:api:messages:2.0:Error`.
    pub schemas: Vec<String>,
    /// The HTTP status, as a text.
    pub status: String,
    /// What is wrong, in the RFC's words.
    #[serde(rename = "scimType", skip_serializing_if = "Option::is_none")]
    pub scim_type: Option<String>,
    /// What happened here.
    pub detail: String,
}

impl Refused {
    /// There is nothing of that id.
    fn not_found(problem: ProblemType) -> Self {
        Self { problem: Problem::new(problem, "the directory has nothing of this id"), kind: None }
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        let kind = match problem.kind {
            ProblemType::MALFORMED_REQUEST => Some(Kind::InvalidSyntax),
            ProblemType::NAME_TAKEN => Some(Kind::Uniqueness),
            kind if kind.status == 400 => Some(Kind::InvalidValue),
            _ => None,
        };
        Self { problem, kind }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Problem::from(failure).into()
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { problem: Problem::new(ProblemType::INVALID_FIELD, error.detail), kind: Some(error.kind) }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let kind = self.problem.kind;
        let document = ScimError {
            schemas: vec!["urn:ietf:params:scim:api:messages:2.0:Error".to_owned()],
            status: kind.status.to_string(),
            scim_type: self.kind.map(|kind| kind.name().to_owned()),
            detail: self.problem.detail.clone(),
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        // Its headers are those of the problem: how to come in, when to come again.
        let mut response = self.problem.into_response();
        *response.body_mut() = Bytes::from(body).into();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(SCIM_JSON));
        debug_assert!(kind.status != 401 || response.headers().contains_key(WWW_AUTHENTICATE));
        response
    }
}

/// There is nothing at a path below the base.
pub async fn nowhere() -> Refused {
    Refused { problem: Problem::new(ProblemType::NOT_FOUND, "there is nothing at this path"), kind: None }
}

/// A document.
fn document(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, body.to_string()).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(SCIM_JSON));
    response
}

/// A resource, with its version and its address in the headers.
fn resource(status: StatusCode, body: &Value, version: u64, location: &str) -> Response {
    let mut response = document(status, body);
    let headers = response.headers_mut();
    headers.extend(HeaderValue::from_str(&etag(version)).ok().map(|etag| (ETAG, etag)));
    headers.extend(HeaderValue::from_str(location).ok().map(|location| (LOCATION, location)));
    response
}

/// A page of a list.
fn list(total: usize, start: usize, resources: &[Value]) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

/// A version as an ETag. Weak: what it stands for may be written in more than one way.
fn etag(version: u64) -> String {
    format!("W/\"{version}\"")
}
