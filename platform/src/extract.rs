//! Axum extractors whose refusals are problem documents.

use std::error::Error;

use axum::body::Bytes;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;

mod misfit;
mod presented;
mod query;

pub use misfit::{Misfit, member, misfit, missing};
pub use query::{Query, query};

use crate::http::BodyTimedOut;
use crate::problem::{Problem, ProblemType};

/// A JSON body. Unknown fields are the type's business (`deny_unknown_fields`).
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let RawJson(bytes) = RawJson::from_request(request, state).await?;
        json(&bytes).map(Self)
    }
}

/// A body that says it is JSON, for whoever reads it with [`json`] later.
#[derive(Debug)]
pub struct RawJson(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for RawJson {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let detail = "send the body as JSON with `Content-Type: application/json`";
            return Err(Problem::new(ProblemType::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let Raw(bytes) = Raw::from_request(request, state).await?;
        Ok(Self(bytes))
    }
}

/// A body as it is.
#[derive(Debug)]
pub struct Raw(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Bytes::from_request(request, state).await.map(Self).map_err(|rejection| body_problem(&rejection))
    }
}

/// Reads JSON, naming where it is wrong.
///
/// # Errors
/// `malformed-request` for what is no JSON, `invalid-field` for JSON of another shape.
pub fn json<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        if error.is_data() {
            match misfit::<T>(bytes, &error) {
                Misfit { field, why } if field.is_empty() => Problem::new(ProblemType::INVALID_FIELD, why),
                Misfit { field, why } => Problem::field(&field, why),
            }
        } else {
            Problem::new(ProblemType::MALFORMED_REQUEST, format!("the body is no JSON: {error}"))
        }
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json") || essence.to_ascii_lowercase().ends_with("+json")
}

fn body_problem(rejection: &BytesRejection) -> Problem {
    if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::too_large();
    }
    let mut cause: Option<&(dyn Error + 'static)> = Some(rejection);
    while let Some(error) = cause {
        if error.is::<BodyTimedOut>() {
            return Problem::new(ProblemType::REQUEST_TIMEOUT, "the body did not arrive in time");
        }
        cause = error.source();
    }
    Problem::new(ProblemType::MALFORMED_REQUEST, "the body did not arrive whole")
}

/// Path parameters, percent-decoded.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path: Result<axum::extract::Path<T>, PathRejection> =
            axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|p| Self(p.0)).map_err(|rejection| path_problem(&rejection))
    }
}

fn path_problem(rejection: &PathRejection) -> Problem {
    let PathRejection::FailedToDeserializePathParams(failed) = rejection else {
        return Problem::internal(); // a handler that asks for parameters its route has not
    };
    match failed.kind() {
        ErrorKind::ParseErrorAtKey { key, .. }
        | ErrorKind::DeserializeError { key, .. }
        | ErrorKind::InvalidUtf8InPathParam { key } => Problem::field(key, failed.body_text()),
        kind => Problem::new(ProblemType::INVALID_FIELD, kind.to_string()),
    }
}
