//! What an exporter is answered: `ExportTraceServiceResponse`, and for refusals `google.rpc.Status`, both as it wrote itself.
//! Refusals are made from problem documents, so that they say what all others say, in one place.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;
use serde::Serialize;
use utoipa::ToSchema;

use super::Encoding;
use crate::told::{Told, written};

/// What is told of one export: enough to find out, and no more than a line of a log.
const FLAWS_MAX: usize = 5;

/// What became of an export, in JSON. In Protobuf it is OTLP's own message.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Export {
    /// What was not taken; nothing, if all of it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partial_success: Option<PartialSuccess>,
}

/// What of an export was not taken.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartialSuccess {
    /// How many spans; a number as a text, as Protobuf has it in JSON.
    pub rejected_spans: String,
    /// Which of the first of them, and why.
    pub error_message: String,
}

/// A refusal (`google.rpc.Status`) in JSON. In Protobuf it is that message.
#[derive(Clone, PartialEq, Message, Serialize, ToSchema)]
pub struct RpcStatus {
    /// The code of gRPC for it.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// The code of the problem that it is, as everywhere here, and what is wrong.
    #[prost(string, tag = "2")]
    pub message: String,
}

/// The answer to an export that was taken, as far as it was: `flaws` are the spans that were not, by place, with why.
#[must_use]
pub fn taken(encoding: Encoding, flaws: &[(usize, String)]) -> Response {
    let named = flaws.iter().take(FLAWS_MAX).map(|(place, why)| format!("span {place}: {why}"));
    let mut error_message = named.collect::<Vec<_>>().join("; ");
    if flaws.len() > FLAWS_MAX {
        error_message.push_str(&format!("; and {} more", flaws.len() - FLAWS_MAX));
    }
    let bytes = match encoding {
        Encoding::Protobuf => {
            let rejected_spans = i64::try_from(flaws.len()).unwrap_or(i64::MAX);
            let partial = ExportTracePartialSuccess { rejected_spans, error_message };
            let partial_success = (!flaws.is_empty()).then_some(partial);
            ExportTraceServiceResponse { partial_success }.encode_to_vec()
        }
        Encoding::Json => {
            let partial = PartialSuccess { rejected_spans: flaws.len().to_string(), error_message };
            let export = Export { partial_success: (!flaws.is_empty()).then_some(partial) };
            serde_json::to_vec(&export).unwrap_or_default() // plain data into memory always has a form
        }
    };
    answer(StatusCode::OK, encoding, bytes)
}

/// Puts a problem document into the form of a refusal; every other answer stays as it is, and so do status and headers.
pub async fn in_its_form(encoding: Encoding, response: Response) -> Response {
    let form = |told: Told| {
        let message = format!("{}: {}", told.code, told.detail);
        let status = RpcStatus { code: rpc_code(told.status), message };
        match encoding {
            Encoding::Protobuf => status.encode_to_vec(),
            Encoding::Json => serde_json::to_vec(&status).unwrap_or_default(), // as above
        }
    };
    written(response, encoding.name(), form).await
}

fn answer(status: StatusCode, encoding: Encoding, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(encoding.name()));
    response
}

/// gRPC's code for a status (google.rpc.Code).
fn rpc_code(status: StatusCode) -> i32 {
    match status.as_u16() {
        401 => 16,      // UNAUTHENTICATED
        403 => 7,       // PERMISSION_DENIED
        404 => 5,       // NOT_FOUND
        405 => 12,      // UNIMPLEMENTED
        408 | 504 => 4, // DEADLINE_EXCEEDED
        429 => 8,       // RESOURCE_EXHAUSTED
        503 => 14,      // UNAVAILABLE
        400..=499 => 3, // INVALID_ARGUMENT
        _ => 13,        // INTERNAL
    }
}

#[cfg(test)]
mod tests;
