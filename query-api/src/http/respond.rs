//! What every answer of a read has in common: JSON, and what it is as of.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use promptory_events::{Position, VersionId};
use promptory_projection::ask::Arm;

/// What the answer is as of; a command's position, given as `at_least`, is comparable to it.
pub const POSITION: HeaderName = HeaderName::from_static("promptory-position");

/// A body of JSON, as of a position.
pub fn json(as_of: Option<Position>, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    position(headers, as_of);
    response
}

/// The same with the version's ETag.
pub fn version(as_of: Option<Position>, id: VersionId, body: Bytes) -> Response {
    let mut response = json(as_of, body);
    etag(response.headers_mut(), id);
    response
}

/// The client has this version already.
pub fn not_modified(as_of: Option<Position>, id: VersionId) -> Response {
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    etag(response.headers_mut(), id);
    position(response.headers_mut(), as_of);
    response
}

/// The rollout that splits the label that was asked for, and which version it was.
const ROLLOUT: HeaderName = HeaderName::from_static("promptory-rollout");
const ARM: HeaderName = HeaderName::from_static("promptory-arm");
const BUCKET: HeaderName = HeaderName::from_static("promptory-bucket");

/// The same answer, which says which version of a split label it is. These are headers, because the body is the same for
/// everybody who gets that version.
pub fn with_arm(mut response: Response, arm: Option<Arm>) -> Response {
    let Some(Arm { rollout, version, bucket }) = arm else { return response };
    let headers = response.headers_mut();
    headers.extend(HeaderValue::try_from(rollout.to_string()).ok().map(|value| (ROLLOUT, value)));
    headers.insert(ARM, version.into());
    headers.extend(bucket.map(|bucket| (BUCKET, bucket.into())));
    response
}

/// Sets the header that says what an answer is as of. Before a tenant's first event there is nothing to say.
pub fn position(headers: &mut HeaderMap, as_of: Option<Position>) {
    if let Some(value) = as_of.and_then(|position| HeaderValue::try_from(position.to_string()).ok()) {
        headers.insert(POSITION, value);
    }
}

fn etag(headers: &mut HeaderMap, id: VersionId) {
    // Quotes and hex digits are always a legal value.
    if let Ok(value) = HeaderValue::try_from(format!("\"{id}\"")) {
        headers.insert(header::ETAG, value);
    }
}
