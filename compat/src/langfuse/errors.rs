//! Refusals in Langfuse's form, made from problem documents.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::told::{Told, in_form};

/// What Langfuse's clients take for an error.
#[derive(Debug, Serialize, ToSchema)]
pub struct LangfuseError {
    /// What happened here, and what to do about it.
    pub message: String,
    /// The name of the kind of error, as Langfuse has it.
    pub error: String,
    /// The code of the problem that it is, as everywhere here.
    pub code: String,
    /// Which field, if one is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// What Langfuse calls errors of a status.
fn name(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "UnauthorizedError",
        403 => "ForbiddenError",
        404 => "LangfuseNotFoundError",
        405 => "MethodNotAllowedError",
        409 | 412 => "LangfuseConflictError",
        429 => "RateLimitError",
        503 => "ServiceUnavailableError",
        400..=499 => "InvalidRequestError",
        _ => "InternalServerError",
    }
}

/// Puts a problem document into Langfuse's form; every other answer stays as it is, and so do status and headers.
pub async fn in_its_form(response: Response) -> Response {
    let form = |told: Told| LangfuseError {
        message: told.detail,
        error: name(told.status).to_owned(),
        code: told.code,
        field: told.field,
    };
    in_form(response, form).await
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::header::CONTENT_TYPE;
    use axum::response::IntoResponse;
    use promptory_platform::{Problem, ProblemType};
    use serde_json::Value;

    use super::*;

    async fn form(response: Response) -> (u16, Response, Value) {
        let response = in_its_form(response).await;
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1024).await.unwrap();
        let json = serde_json::from_slice(&bytes).unwrap_or_default();
        (parts.status.as_u16(), Response::from_parts(parts, Body::empty()), json)
    }

    #[tokio::test]
    async fn a_problem_keeps_its_status_its_headers_and_its_code() {
        let (status, response, json) = form(Problem::field("/name", "is too long").into_response()).await;
        assert_eq!(status, 400);
        assert_eq!(
            json,
            serde_json::json!({
                "message": "is too long", "error": "InvalidRequestError", "code": "invalid-field", "field": "/name"
            })
        );
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        let (status, response, json) = form(Problem::new(ProblemType::UNAUTHENTICATED, "no").into_response()).await;
        assert_eq!((status, json["error"].as_str()), (401, Some("UnauthorizedError")));
        assert!(response.headers().contains_key("www-authenticate"));
        let (_, response, _) = form(Problem::new(ProblemType::UNAVAILABLE, "no").into_response()).await;
        assert_eq!(response.headers()["retry-after"], "1");
    }

    #[tokio::test]
    async fn any_other_answer_stays() {
        let answer = ([(CONTENT_TYPE, "application/json")], r#"{"detail":"x"}"#).into_response();
        assert_eq!(form(answer).await.2, serde_json::json!({"detail": "x"}));
    }
}
