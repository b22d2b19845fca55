//! The edge as clients meet it.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http_body_util::BodyExt;
use opentelemetry::trace::{SpanId, SpanKind, TracerProvider as _};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use promptory_events::TraceContext;
use promptory_events::limits::REQUEST_MAX_BYTES;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tower::ServiceExt;
use tracing::{Instrument, info_span};
use tracing_subscriber::layer::SubscriberExt;

use super::*;
use crate::extract::Json;
use crate::telemetry;

fn app(routes: Router) -> Router {
    edge(routes, Limits::default(), &CancellationToken::new(), &Attestor::default())
}

async fn answer(app: &Router, request: Request) -> (StatusCode, HeaderMap, Value) {
    let response = app.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

fn request(method: &str, uri: &str, body: impl Into<Body>) -> Request {
    let request = Request::builder().method(method).uri(uri).header("content-type", "application/json");
    request.body(body.into()).unwrap()
}

async fn echo(Json(value): Json<Value>) -> String {
    value.to_string()
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let app = app(Router::new().route("/a", get(|| async { "a" }).post(echo)));
    let (status, headers, body) = answer(&app, request("GET", "/b", "")).await;
    assert_eq!((status.as_u16(), &body["code"]), (404, &"not-found".into()));
    assert_eq!(headers["content-type"], "application/problem+json");
    let (status, headers, body) = answer(&app, request("DELETE", "/a", "")).await;
    assert_eq!((status.as_u16(), &body["code"]), (405, &"method-not-allowed".into()));
    assert_eq!(headers["allow"], "GET,HEAD,POST");
}

#[tokio::test]
async fn a_panic_is_a_problem_and_says_nothing() {
    let app = app(Router::new().route(
        "/",
        get(|| async {
            if true {
                panic!("the text is: secret")
            }
        }),
    ));
    let (status, _, body) = answer(&app, request("GET", "/", "")).await;
    assert_eq!((status.as_u16(), &body["code"]), (500, &"internal".into()));
    assert!(!body.to_string().contains("secret"));
}

#[tokio::test]
async fn what_is_too_long_is_refused_before_it_is_read() {
    let app = app(Router::new().route("/", post(echo)).route("/{x}", get(|| async { "x" })));
    let long = format!("/{}", "x".repeat(9000));
    assert_eq!(answer(&app, request("GET", &long, "")).await.2["code"], "uri-too-long");

    let large = vec![b' '; REQUEST_MAX_BYTES + 1];
    let (_, _, body) = answer(&app, request("POST", "/", large)).await;
    assert_eq!((&body["code"], &body["limit"]), (&"too-large".into(), &REQUEST_MAX_BYTES.into()));

    // Without a length it shows only on the way.
    let parts = (0..=16).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 1024 * 1024])));
    let body = Body::from_stream(futures::stream::iter(parts));
    assert_eq!(answer(&app, request("POST", "/", body)).await.2["code"], "too-large");

    let just_right = format!("\"{}\"", "x".repeat(3 * 1024 * 1024));
    assert_eq!(answer(&app, request("POST", "/", just_right)).await.0, 200, "above axum's own limit");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_a_problem() {
    let app = app(Router::new().route("/", post(echo)));
    let never = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
    let (status, _, body) = answer(&app, request("POST", "/", never)).await;
    assert_eq!((status.as_u16(), &body["code"]), (408, &"request-timeout".into()));
}

#[tokio::test]
async fn a_full_gate_sheds_load_but_answers_probes() {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (inside, go) = (Arc::clone(&entered), Arc::clone(&release));
    let slow = move || async move {
        inside.notify_one();
        go.notified().await;
    };
    let routes = Router::new().route("/slow", get(slow)).route("/healthz", get(|| async { "ok" }));
    let app =
        edge(routes, Limits { requests: 1, ..Limits::default() }, &CancellationToken::new(), &Attestor::default());

    let first = tokio::spawn(app.clone().oneshot(request("GET", "/slow", "")));
    entered.notified().await;
    let (status, headers, body) = answer(&app, request("GET", "/slow", "")).await;
    assert_eq!((status.as_u16(), &body["code"]), (429, &"overloaded".into()));
    assert_eq!(headers["retry-after"], "1");
    assert_eq!(answer(&app, request("GET", "/healthz", "")).await.0, 200);

    release.notify_one();
    assert_eq!(first.await.unwrap().unwrap().status(), 200, "who was inside is answered");
    let again = tokio::spawn(app.clone().oneshot(request("GET", "/slow", "")));
    entered.notified().await;
    release.notify_one();
    assert_eq!(again.await.unwrap().unwrap().status(), 200, "and there is room again");
}

#[tokio::test]
async fn streams_end_when_the_process_shuts_down() {
    let stream = || async {
        let stream = futures::stream::pending::<Result<Bytes, std::io::Error>>();
        ([("content-type", "text/event-stream")], Body::from_stream(stream)).into_response()
    };
    let shutdown = CancellationToken::new();
    let app = edge(Router::new().route("/", get(stream)), Limits::default(), &shutdown, &Attestor::default());
    let response: Response = app.oneshot(request("GET", "/", "")).await.unwrap();
    shutdown.cancel();
    assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
}

#[tokio::test]
async fn latency_is_counted_by_route_not_by_path() {
    telemetry::install_metrics();
    let app = app(Router::new().route("/v1/prompts/{prompt}", get(|| async { "x" })));
    for path in ["/v1/prompts/secret", "/v1/prompts/other", "/elsewhere"] {
        answer(&app, request("GET", path, "")).await;
    }
    answer(&app, request("BREW", "/v1/prompts/x", "")).await;
    answer(&app, request("PUT", "/v1/prompts/x", "")).await;
    let text = telemetry::metrics_text();
    let count = |method, route, status| {
        let labels = format!(r#"{{method="{method}",route="{route}",status="{status}"}}"#);
        let line = format!("promptory_http_request_seconds_count{labels} ");
        text.lines().find_map(|l| l.strip_prefix(&line)).map_or(0, |n| n.parse::<u64>().unwrap())
    };
    assert_eq!(count("GET", "/v1/prompts/{prompt}", "2xx"), 2);
    assert_eq!(count("other", "/v1/prompts/{prompt}", "4xx"), 1);
    assert_eq!(count("PUT", "/v1/prompts/{prompt}", "4xx"), 1);
    assert!(count("GET", "unmatched", "4xx") >= 1);
    assert!(!text.contains("secret"));
}

#[tokio::test]
async fn the_server_answers_and_drains() {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (inside, go) = (Arc::clone(&entered), Arc::clone(&release));
    let slow = move || async move {
        inside.notify_one();
        go.notified().await;
        "done"
    };
    let app = app(Router::new().route("/slow", get(slow)).route("/", get(|| async { "hello" })));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let server = tokio::spawn(serve(listener, app, shutdown.clone()));

    let mut idle = tokio::net::TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut buffer = [0; 512];
    let read = idle.read(&mut buffer).await.unwrap();
    assert!(buffer[..read].ends_with(b"hello"), "head and body in one piece");

    let mut busy = tokio::net::TcpStream::connect(address).await.unwrap();
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    entered.notified().await;
    shutdown.cancel();
    assert_eq!(idle.read(&mut buffer).await.unwrap(), 0, "idle connections are closed");
    release.notify_one();
    let mut rest = Vec::new();
    busy.read_to_end(&mut rest).await.unwrap();
    assert!(rest.ends_with(b"done"), "requests under way are answered");
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn one_trace_leads_from_the_request_to_the_worker() {
    let exporter = InMemorySpanExporter::default();
    let traces = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(traces.tracer("test"));
    let _default = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));

    // The handler appends in a span of its own and hands the trace on, as commits do.
    let handler = || async { Json(appended().instrument(info_span!("append")).await).0.to_string() };
    let app = app(Router::new().route("/v1/prompts", post(handler)));
    let mut request = request("POST", "/v1/prompts", "");
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    request.headers_mut().insert("traceparent", parent.parse().unwrap());
    let (_, _, written) = answer(&app, request).await;

    // Much later a worker reads it.
    let context: TraceContext = serde_json::from_value(written).unwrap();
    let apply = info_span!("apply");
    telemetry::link(&apply, &context);
    apply.in_scope(|| {});
    drop(apply);

    let spans = exporter.get_finished_spans().unwrap();
    let span = |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:?}"));
    let (http, append, apply) = (span("POST /v1/prompts"), span("append"), span("apply"));
    let trace = http.span_context.trace_id();
    assert_eq!(trace.to_string(), "0af7651916cd43dd8448eb211c80319c", "the client's trace goes on");
    assert_eq!([append.span_context.trace_id(), apply.span_context.trace_id()], [trace, trace]);
    assert_eq!(http.parent_span_id, SpanId::from_hex("b7ad6b7169203331").unwrap());
    assert_eq!(append.parent_span_id, http.span_context.span_id());
    assert_eq!(apply.parent_span_id, append.span_context.span_id());
    assert_eq!(http.span_kind, SpanKind::Server);
}

async fn appended() -> Value {
    serde_json::to_value(telemetry::current_trace().unwrap()).unwrap()
}
