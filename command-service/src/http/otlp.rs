//! Exports of traces (OTLP/HTTP): the runs of prompts in them become usage records like any other. Each span is taken for itself,
//! because an exporter sends what many have done, and sends nothing again that was refused.

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use axum::middleware::Next;
use axum::response::Response;
use promptory_compat::otlp::{
    Encoding, Export, Reading, RpcStatus, answer, generation, in_its_form, request::each_span, unpacked,
};
use promptory_events::limits;
use promptory_platform::Presented;
use promptory_platform::extract::Raw;
use promptory_platform::problem::{Problem, ProblemDocument, ProblemType};
use promptory_usage::Flaw;

use crate::gather::prompt_named;
use crate::service::{Service, Unplaced};

/// Runs of prompts, as an exporter of OpenTelemetry sends them. Spans that are none are no error.
#[utoipa::path(post, path = "/v1/otlp/v1/traces", tag = "usage", operation_id = "export_traces",
    request_body(content((Vec<u8> = "application/x-protobuf"), (Object = "application/json")), description = "An `ExportTraceServiceRequest`, as it is or with `Content-Encoding: gzip`"),
    responses((status = 200, description = "Taken; `partial_success` says what was not", content((Export = "application/json"), (Vec<u8> = "application/x-protobuf"))),
        (status = "4XX", description = "Refused; nothing was written", content((RpcStatus = "application/json"), (Vec<u8> = "application/x-protobuf"), (ProblemDocument = "application/problem+json"))),
        (status = "5XX", description = "Not available, or the outcome is not known: send the same spans again", content((RpcStatus = "application/json"), (Vec<u8> = "application/x-protobuf"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn export(
    State(service): State<Service>,
    shown: Presented,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let Some(encoding) = Encoding::of(&headers) else {
        let detail = "send the body with `Content-Type: application/x-protobuf` or `application/json`";
        return Err(Problem::new(ProblemType::UNSUPPORTED_MEDIA_TYPE, detail));
    };
    // What a packed body becomes is not known before it is unpacked.
    let bytes = if headers.contains_key(CONTENT_ENCODING) { limits::OTLP_BODY_MAX_BYTES } else { body.len() };
    let taken = service.record_each(&shown, bytes, move |now, take| {
        let body = unpacked(&headers, body)?;
        let (mut counts, mut place) = (Counts::default(), 0);
        each_span(encoding, &body, |resource, span| {
            match span.and_then(|span| generation::read(resource, &span, now)) {
                Ok(Reading::Other) => counts.other += 1,
                Ok(Reading::Unlinked) => counts.unlinked += 1,
                Ok(Reading::Run(run)) => {
                    let prompt = prompt_named(&run.prompt).map_err(|why| flaw("/prompt", why.detail));
                    take(place, prompt.map(|prompt| Unplaced::Execution(prompt, run.execution)));
                }
                Err(why) => take(place, Err(flaw("", why))),
            }
            place += 1;
        })?;
        Ok(counts)
    });
    let (taken, counts) = taken.await?;
    counts.tell(taken.records, taken.refused.len());
    let mut flaws: Vec<_> = taken.refused.into_iter().map(|bad| (bad.index, bad.flaw.named())).collect();
    flaws.sort_unstable();
    Ok(answer::taken(encoding, &flaws))
}

/// The same, where Langfuse's SDKs send it.
#[utoipa::path(post, path = "/api/public/otel/v1/traces", tag = "langfuse", operation_id = "langfuse_export_traces",
    request_body(content((Vec<u8> = "application/x-protobuf"), (Object = "application/json")), description = "An `ExportTraceServiceRequest`, as it is or with `Content-Encoding: gzip`"),
    responses((status = 200, description = "Taken; `partial_success` says what was not", content((Export = "application/json"), (Vec<u8> = "application/x-protobuf"))),
        (status = "4XX", description = "Refused; nothing was written", content((RpcStatus = "application/json"), (Vec<u8> = "application/x-protobuf"), (ProblemDocument = "application/problem+json"))),
        (status = "5XX", description = "Not available, or the outcome is not known: send the same spans again", content((RpcStatus = "application/json"), (Vec<u8> = "application/x-protobuf"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn export_from_langfuse(
    service: State<Service>,
    shown: Presented,
    headers: HeaderMap,
    body: Raw,
) -> Result<Response, Problem> {
    export(service, shown, headers, body).await
}

/// Refusals in the form that the exporter reads, written as it writes.
pub async fn status_form(request: Request, next: Next) -> Response {
    let encoding = Encoding::of(request.headers()).unwrap_or(Encoding::Json);
    in_its_form(encoding, next.run(request).await).await
}

/// What spans were.
#[derive(Default)]
struct Counts {
    other: u64,
    unlinked: u64,
}

impl Counts {
    fn tell(&self, taken: usize, refused: usize) {
        let all =
            [("taken", taken as u64), ("refused", refused as u64), ("unlinked", self.unlinked), ("other", self.other)];
        for (what, count) in all {
            metrics::counter!("promptory_otlp_spans_total", "what" => what).increment(count);
        }
    }
}

fn flaw(field: &str, why: String) -> Flaw {
    Flaw { field: field.to_owned(), why }
}
