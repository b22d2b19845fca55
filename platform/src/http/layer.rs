//! The one layer around every route.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use hyper::body::Body as HttpBody;
use promptory_events::limits::REQUEST_MAX_BYTES;
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service};
use tracing::{Instrument, Span, field};

use super::Limits;
use super::body::{TimedBody, UntilShutdown};
use super::gate::{Gate, Stay};
use super::latency::{Latency, method_label};
use crate::attest::Attestor;
use crate::problem::{Problem, ProblemType};
use crate::telemetry;

/// What all routes share.
#[derive(Clone, Debug)]
pub struct EdgeLayer {
    limits: Limits,
    requests: Gate,
    bodies: Gate,
    shutdown: CancellationToken,
    attestor: Attestor,
}

impl EdgeLayer {
    pub fn new(limits: Limits, shutdown: CancellationToken, attestor: Attestor) -> Self {
        let (requests, bodies) = (Gate::new(limits.requests), Gate::new(limits.body_bytes));
        Self { limits, requests, bodies, shutdown, attestor }
    }

    /// Lets a request in or says why not. What it returns is held until the answer is there.
    fn admit(&self, request: &mut Request, route: &str) -> Result<Option<(Stay, Option<Stay>)>, Problem> {
        let uri = request.uri();
        if uri.path().len() + uri.query().map_or(0, str::len) > self.limits.uri_bytes {
            let detail = format!("path and query may have {} bytes", self.limits.uri_bytes);
            return Err(Problem::new(ProblemType::URI_TOO_LONG, detail));
        }
        // Probes must be answered when nothing else is: a busy process is not a dead one.
        if matches!(route, "/healthz" | "/readyz" | "/metrics") {
            return Ok(None);
        }
        let stay = self.requests.enter(1).ok_or_else(overloaded)?;
        Ok(Some((stay, self.admit_body(request)?)))
    }

    fn admit_body(&self, request: &mut Request) -> Result<Option<Stay>, Problem> {
        if request.body().is_end_stream() {
            return Ok(None);
        }
        // A body of unknown length counts as the largest.
        let bytes = request.body().size_hint().exact().unwrap_or(REQUEST_MAX_BYTES as u64);
        if bytes > REQUEST_MAX_BYTES as u64 {
            return Err(Problem::too_large());
        }
        let stay = self.bodies.enter(bytes).ok_or_else(overloaded)?;
        let wait = self.limits.body_wait;
        let body = std::mem::take(request.body_mut());
        *request.body_mut() = axum::body::Body::new(TimedBody::new(body, wait));
        DefaultBodyLimit::max(REQUEST_MAX_BYTES).apply(request);
        Ok(Some(stay))
    }
}

fn overloaded() -> Problem {
    Problem::new(ProblemType::OVERLOADED, "as many requests as allowed are being answered; try again in a second")
}

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;

    fn layer(&self, inner: S) -> Edge<S> {
        Edge { inner, shared: self.clone(), latency: Latency::default() }
    }
}

/// One route with the edge around it.
#[derive(Clone, Debug)]
pub struct Edge<S> {
    inner: S,
    shared: EdgeLayer,
    latency: Latency,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl<S> Service<Request> for Edge<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Answer {
        let began = Instant::now();
        let method = method_label(request.method());
        let matched = request.extensions().get::<MatchedPath>().cloned();
        let route = matched.as_ref().map_or("unmatched", MatchedPath::as_str);
        let admitted = self.shared.admit(&mut request, route);
        let span = request_span(request.method(), route, request.headers());
        let latency = self.latency.clone();
        let finish = move |response: &Response| {
            let route = matched.as_ref().map_or("unmatched", MatchedPath::as_str);
            latency.record(method, route, response.status(), began.elapsed());
        };
        let stay = match admitted {
            Ok(stay) => stay,
            Err(problem) => {
                let response = problem.into_response();
                finish(&response);
                return Box::pin(std::future::ready(Ok(response)));
            }
        };
        let handler = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        let (shutdown, attestor) = (self.shared.shutdown.clone(), self.shared.attestor.clone());
        let recorded = span.clone();
        let answer = async move {
            let response = match handler.await {
                Ok(Ok(response)) => response,
                // The panic hook has logged where.
                Err(_) => Problem::internal().into_response(),
            };
            drop(stay);
            if response.status() == StatusCode::UNAUTHORIZED {
                attestor.unauthenticated();
            }
            finish(&response);
            recorded.record("http.response.status_code", response.status().as_u16());
            Ok(end_with(shutdown, response))
        };
        Box::pin(answer.instrument(span))
    }
}

/// Reads are many and cheap: their spans are at debug level. The path stays out: keys are the tenants' own words.
fn request_span(method: &Method, route: &str, headers: &HeaderMap) -> Span {
    let read = matches!(*method, Method::GET | Method::HEAD);
    macro_rules! span {
        ($level:ident) => {
            tracing::$level!(
                "http.request",
                otel.name = %format_args!("{method} {route}"),
                otel.kind = "server",
                http.request.method = %method,
                http.route = route,
                http.response.status_code = field::Empty,
            )
        };
    }
    let span = if read { span!(debug_span) } else { span!(info_span) };
    if !span.is_disabled() {
        let parent = headers.get("traceparent").and_then(|value| value.to_str().ok());
        if let Some(Ok(parent)) = parent.map(telemetry::parse_traceparent) {
            telemetry::link(&span, &parent);
        }
    }
    span
}

fn end_with(shutdown: CancellationToken, response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
        response.map(|body| axum::body::Body::new(UntilShutdown::new(body, shutdown)))
    } else {
        response
    }
}
