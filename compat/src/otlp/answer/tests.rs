use axum::body::to_bytes;
use axum::response::IntoResponse;
use promptory_platform::{Problem, ProblemType};
use serde_json::{Value, json};

use super::*;

async fn bytes(response: Response) -> Vec<u8> {
    to_bytes(response.into_body(), 4096).await.unwrap().to_vec()
}

#[tokio::test]
async fn what_was_not_taken_is_told_as_the_exporter_writes() {
    let flaws: Vec<_> = (0..7).map(|place| (place * 2, "no".to_owned())).collect();
    let response = taken(Encoding::Protobuf, &flaws);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/x-protobuf");
    let told = ExportTraceServiceResponse::decode(&bytes(response).await[..]).unwrap().partial_success.unwrap();
    let message = "span 0: no; span 2: no; span 4: no; span 6: no; span 8: no; and 2 more";
    assert_eq!((told.rejected_spans, told.error_message.as_str()), (7, message));
    let response = taken(Encoding::Json, &flaws);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
    let told: Value = serde_json::from_slice(&bytes(response).await).unwrap();
    assert_eq!(told, json!({"partialSuccess": {"rejectedSpans": "7", "errorMessage": message}}));
    // All of it: nothing is said, not even that it was nothing.
    assert_eq!(bytes(taken(Encoding::Protobuf, &[])).await, b"");
    assert_eq!(bytes(taken(Encoding::Json, &[])).await, b"{}");
}

#[tokio::test]
async fn a_refusal_keeps_its_status_and_its_headers_and_says_its_code() {
    for (kind, code) in [
        (ProblemType::UNAUTHENTICATED, 16),
        (ProblemType::FORBIDDEN, 7),
        (ProblemType::MALFORMED_REQUEST, 3),
        (ProblemType::TOO_LARGE, 3),
        (ProblemType::UNAVAILABLE, 14),
        (ProblemType::INTERNAL, 13),
    ] {
        let response = in_its_form(Encoding::Protobuf, Problem::new(kind, "why").into_response()).await;
        assert_eq!(response.status().as_u16(), kind.status);
        assert_eq!(response.headers().contains_key("retry-after"), kind == ProblemType::UNAVAILABLE);
        let status = RpcStatus::decode(&bytes(response).await[..]).unwrap();
        assert_eq!((status.code, status.message), (code, format!("{}: why", kind.code)));
    }
    let response = in_its_form(Encoding::Json, Problem::field("/a", "why").into_response()).await;
    assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
    let told: Value = serde_json::from_slice(&bytes(response).await).unwrap();
    assert_eq!(told, json!({"code": 3, "message": "invalid-field: why"}));
    let other = in_its_form(Encoding::Json, taken(Encoding::Json, &[])).await;
    assert_eq!(bytes(other).await, b"{}");
}
