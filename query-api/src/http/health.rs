//! How the process is: for probes, for scrapers and for people. No key needed, so nothing
//! of a tenant but its name, and that only if its projection has stopped.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::future::join_all;
use promptory_platform::telemetry;
use promptory_projection::Health;
use promptory_projection::shelf::Stopped as Stopping;
use serde::Serialize;
use utoipa::ToSchema;

use crate::read_side::ReadSide;

/// What has to be well for the process to be ready.
pub type Watched = Arc<[ReadSide]>;

/// That the process answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alive {
    /// Always `alive`.
    #[schema(example = "alive")]
    status: &'static str,
}

/// Whether the process should get requests.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ready {
    /// `ready`; `catching-up` until the read models have reached the end of the ledger once; `no-projection` if nobody
    /// answers for some partition; `ledger-failed` if the ledger does not answer, and after a commit whose outcome is
    /// not known: then nothing is written until the process starts again.
    #[schema(example = "ready")]
    status: &'static str,
    /// Projections that have stopped, or wait for trouble to pass. They stop alone: the others are answered, so this does not make it unready.
    stopped: Vec<Stopped>,
    /// How many stores of the catalog are open.
    open: usize,
}

/// A projection that has stopped.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stopped {
    /// Whose.
    tenant: String,
    /// Which of its read models: `catalog`, `audit` or `search`.
    #[schema(example = "catalog")]
    view: String,
    /// Why.
    reason: String,
}

/// Whether the process is alive.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = Alive)))]
pub async fn healthz() -> Json<Alive> {
    Json(Alive { status: "alive" })
}

/// Whether the process should get requests.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    responses((status = 200, body = Ready), (status = 503, body = Ready, description = "Not yet")),
)]
pub async fn readyz(State(watched): State<Watched>) -> Response {
    let all = join_all(watched.iter().map(ReadSide::health)).await;
    let health = all.into_iter().fold(Health::default(), Health::and);
    let (code, status) = match (health.ledger_writes, health.missing.is_empty(), health.caught_up) {
        (false, ..) => (StatusCode::SERVICE_UNAVAILABLE, "ledger-failed"),
        (true, false, _) => (StatusCode::SERVICE_UNAVAILABLE, "no-projection"),
        (true, true, false) => (StatusCode::SERVICE_UNAVAILABLE, "catching-up"),
        (true, true, true) => (StatusCode::OK, "ready"),
    };
    let told = |s: Stopping| Stopped { tenant: s.tenant.to_string(), view: s.view, reason: s.reason };
    let stopped = health.stopped.into_iter().map(told);
    (code, Json(Ready { status, stopped: stopped.collect(), open: health.open })).into_response()
}

/// Everything that is counted, as Prometheus text.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses((status = 200, body = String, content_type = "text/plain")),
)]
pub async fn metrics(State(watched): State<Watched>) -> Response {
    watched.iter().for_each(ReadSide::set_gauges);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], telemetry::metrics_text()).into_response()
}
