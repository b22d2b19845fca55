//! Protected labels and freeze windows.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use promptory_platform::Presented;
use promptory_platform::extract::{Json, Path, Query};
use promptory_platform::problem::{Problem, ProblemDocument};
use serde_json::{Map, Value};

use super::answer::{OutcomeDocument, only};
use super::request;
use crate::service::Service;

/// Where something holds.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Place {
    /// Empty or ending with `/`; the whole tenant if it is not there.
    #[param(example = "team/area/")]
    prefix: Option<String>,
}

impl Place {
    fn fields(self) -> impl Iterator<Item = (&'static str, String)> {
        self.prefix.map(|prefix| ("prefix", prefix)).into_iter()
    }
}

/// Protects a label below a prefix: it moves only by approved requests.
#[utoipa::path(put, path = "/v1/protections/{label}", tag = "releases",
    params(("label" = String, Path, description = "The label"), Place, ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`approvals`: how many a request needs, 1 to 16"),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn protect(
    State(service): State<Service>,
    shown: Presented,
    Path(label): Path<String>,
    Query(query): Query<Place>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let given: Vec<_> = [("label", label)].into_iter().chain(query.fields()).collect();
    let command = request("protect_label", &given, &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// Ends the protection of a label on exactly this prefix.
#[utoipa::path(delete, path = "/v1/protections/{label}", tag = "releases",
    params(("label" = String, Path, description = "The label"), Place, ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn unprotect(
    State(service): State<Service>,
    shown: Presented,
    Path(label): Path<String>,
    Query(query): Query<Place>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let given: Vec<_> = [("label", label)].into_iter().chain(query.fields()).collect();
    let command = request("unprotect_label", &given, &headers, Map::new())?;
    only(service.execute(&shown, vec![command]).await)
}

/// A freeze window: below a prefix no label moves between two times.
#[utoipa::path(post, path = "/v1/freezes", tag = "releases",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    request_body(content = Object, description = "`prefix`, `from`, `until`; `message`"),
    responses((status = 201, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn freeze(
    State(service): State<Service>,
    shown: Presented,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let command = request("set_freeze", &[], &headers, body)?;
    only(service.execute(&shown, vec![command]).await)
}

/// Lifts a freeze window.
#[utoipa::path(delete, path = "/v1/freezes/{freeze}", tag = "releases",
    params(("freeze" = String, Path, description = "Its id"), Place, ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered from what it did the first time")),
    responses((status = 200, description = "Done, or done before", body = OutcomeDocument),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: repeat with the same idempotency key", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn lift(
    State(service): State<Service>,
    shown: Presented,
    Path(freeze): Path<String>,
    Query(query): Query<Place>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let given: Vec<_> = [("freeze", freeze)].into_iter().chain(query.fields()).collect();
    let command = request("lift_freeze", &given, &headers, Map::new())?;
    only(service.execute(&shown, vec![command]).await)
}
