//! How prompts were run, and what became of it.

mod body;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use promptory_platform::Presented;
use promptory_platform::extract::RawJson;
use promptory_platform::problem::{Problem, ProblemDocument};
use serde::Serialize;
use utoipa::ToSchema;

use crate::service::Service;
use body::Records;

/// What became of the records.
#[derive(Debug, Serialize, ToSchema)]
pub struct Recorded {
    /// How many there were. All of them are durable; those that had come before count once.
    records: usize,
}

/// How prompts were run, and what became of it. Up to 1,000 records, all of them taken or none; durable when answered. The same
/// record again, known by its id, counts once, for as long as the log keeps it.
#[utoipa::path(post, path = "/v1/usage", tag = "usage",
    request_body = Records,
    responses((status = 200, description = "Taken", body = Recorded),
        (status = "4XX", description = "Refused; nothing was written", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "Not available, or the outcome is not known: send the same records again", body = ProblemDocument, content_type = "application/problem+json")),
    security(("api_key" = [])))]
pub async fn record(
    State(service): State<Service>,
    shown: Presented,
    RawJson(body): RawJson,
) -> Result<Response, Problem> {
    let records = service.record(&shown, body.len(), move |now, take| body::read(&body, now, take)).await?;
    Ok(axum::Json(Recorded { records }).into_response())
}
