//! Refusals in MLflow's form, made from problem documents.

use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::told::{Told, in_form};

/// What MLflow's client takes for an error.
#[derive(Debug, Serialize, ToSchema)]
pub struct MlflowError {
    /// The kind of error, as MLflow has it.
    #[schema(example = "RESOURCE_DOES_NOT_EXIST")]
    pub error_code: String,
    /// What happened here, and what to do about it.
    pub message: String,
    /// The code of the problem that it is, as everywhere here.
    pub code: String,
    /// Which field, if one is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// What MLflow calls a problem.
fn name(told: &Told) -> &'static str {
    match (told.status.as_u16(), told.code.as_str()) {
        (_, "limit-reached" | "quota-exceeded") => "RESOURCE_LIMIT_EXCEEDED",
        (_, "key-taken") => "RESOURCE_ALREADY_EXISTS",
        (_, "not-found") => "ENDPOINT_NOT_FOUND",
        (401, _) => "UNAUTHENTICATED",
        (403, _) => "PERMISSION_DENIED",
        (404 | 410, _) => "RESOURCE_DOES_NOT_EXIST",
        (405, _) => "NOT_IMPLEMENTED",
        (409 | 412, _) => "RESOURCE_CONFLICT",
        (429, _) => "REQUEST_LIMIT_EXCEEDED",
        (503, _) => "TEMPORARILY_UNAVAILABLE",
        (400..=499, _) => "INVALID_PARAMETER_VALUE",
        _ => "INTERNAL_ERROR",
    }
}

/// Puts a problem document into MLflow's form; every other answer stays as it is, and so do status and headers.
pub async fn in_its_form(response: Response) -> Response {
    let form = |told: Told| MlflowError {
        error_code: name(&told).to_owned(),
        message: told.detail,
        code: told.code,
        field: told.field,
    };
    in_form(response, form).await
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::response::IntoResponse;
    use promptory_platform::{Problem, ProblemType};
    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn a_problem_has_the_name_that_mlflow_has_for_it() {
        let refused = Problem::field("/name", "is too long").into_response();
        let body = to_bytes(in_its_form(refused).await.into_body(), 1024).await.unwrap();
        let told = json!({"error_code": "INVALID_PARAMETER_VALUE", "message": "is too long", "code": "invalid-field", "field": "/name"});
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), told);
        for (of, error_code) in [
            (ProblemType::KEY_TAKEN, "RESOURCE_ALREADY_EXISTS"),
            (ProblemType::LIMIT_REACHED, "RESOURCE_LIMIT_EXCEEDED"),
            (ProblemType::LABEL_RESERVED, "INVALID_PARAMETER_VALUE"),
            (ProblemType::LABEL_PROTECTED, "RESOURCE_CONFLICT"),
            (ProblemType::NOT_FOUND, "ENDPOINT_NOT_FOUND"),
            (ProblemType::LABEL_NOT_FOUND, "RESOURCE_DOES_NOT_EXIST"),
            (ProblemType::METHOD_NOT_ALLOWED, "NOT_IMPLEMENTED"),
            (ProblemType::FORBIDDEN, "PERMISSION_DENIED"),
        ] {
            let told = Problem::new(of, "no").into_response();
            let told = in_its_form(told).await;
            assert_eq!(told.status().as_u16(), of.status);
            let body = to_bytes(told.into_body(), 1024).await.unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["error_code"], error_code, "{}", of.code);
        }
    }
}
