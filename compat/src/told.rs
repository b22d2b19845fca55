//! What a refusal says, so that it can be said in another product's form. Routes refuse with problem documents as all others
//! do, and what they say is put into that form in one place.

use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;

/// A problem document is small.
const PROBLEM_MAX_BYTES: usize = 8 * 1024 * 1024;

/// What a problem document says.
#[derive(Debug)]
pub(crate) struct Told {
    /// The answer's status.
    pub status: StatusCode,
    /// What happened, and what to do about it.
    pub detail: String,
    /// The stable code.
    pub code: String,
    /// Which field, if one is to blame.
    pub field: Option<String>,
}

/// Puts a problem document into a form in JSON; every other answer stays as it is, and so do status and headers.
pub(crate) async fn in_form<T: Serialize>(response: Response, form: impl FnOnce(Told) -> T) -> Response {
    written(response, "application/json", |told| serde_json::to_vec(&form(told)).unwrap_or_default()).await
}

/// The same for a form of another type.
pub(crate) async fn written(response: Response, kind: &'static str, form: impl FnOnce(Told) -> Vec<u8>) -> Response {
    if response.headers().get(CONTENT_TYPE).is_none_or(|kind| kind != "application/problem+json") {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let problem: Value = to_bytes(body, PROBLEM_MAX_BYTES)
        .await
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let text = |member: &str| problem[member].as_str().map(str::to_owned);
    let bytes = form(Told {
        status: parts.status,
        detail: text("detail").unwrap_or_default(),
        code: text("code").unwrap_or_default(),
        field: text("field"),
    });
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(bytes))
}
