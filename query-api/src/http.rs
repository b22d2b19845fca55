//! The routes of the read side.

mod access;
mod analytics;
mod audit;
mod changes;
mod conditional;
mod cursor;
mod diff;
mod error;
mod events;
mod health;
mod history;
mod langfuse;
mod mlflow;
mod models;
mod params;
mod prompts;
mod quotas;
mod releases;
mod render;
mod respond;
mod search;
mod settings;
mod settle;
mod sse;
mod status;
mod templates;
mod who;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::middleware::map_response;
use promptory_compat as compat;
use promptory_platform::openapi;
use tokio::sync::Semaphore;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::read_side::ReadSide;

pub use settle::settled;

/// Event streams at once. Each costs a task's memory and one page, so many are fine, but not any number.
const STREAMS_MAX: usize = 8192;
/// Exports of the audit at once. Each keeps a core busy while its reader takes what it gets.
const EXPORTS_MAX: usize = 16;

/// What every handler may use.
#[derive(Clone, Debug)]
pub(crate) struct App {
    /// Answers questions.
    read_side: ReadSide,
    /// Places for event streams.
    streams: Arc<Semaphore>,
    /// Places for exports.
    exports: Arc<Semaphore>,
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Promptory",
        description = "An event-sourced prompt repository. Every answer of a read says in the header \
                       `Promptory-Position` what it is as of; `at_least` waits for a position that a write returned. \
                       Refusals are problem documents (RFC 9457) with a stable `code`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "prompts", description = "What is, and what was."),
        (name = "events", description = "What happened."),
        (name = "access", description = "Who may do what."),
        (name = "audit", description = "Who did what, when and by which right, and what was denied."),
        (name = "releases", description = "Protected labels and how they move."),
        (name = "rollouts", description = "Labels that are split over versions."),
        (name = "langfuse", description = "What clients of Langfuse speak."),
        (name = "mlflow", description = "What MLflow's client speaks about prompts."),
        (name = "usage", description = "How prompts are run, and what is counted of it."),
        (name = "health", description = "How the process is. No key needed."),
    )
)]
struct Description;

/// All routes that read, and their description. The edge (limits, spans, 404 and 405) is put around the merged router.
pub fn router(read_side: ReadSide) -> (Router, utoipa::openapi::OpenApi) {
    let app = App {
        read_side,
        streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        exports: Arc::new(Semaphore::new(EXPORTS_MAX)),
    };
    let (router, description) = routes();
    (router.with_state(app), description)
}

/// What the routes that read are, for a process that does not have them.
#[must_use]
pub fn description() -> utoipa::openapi::OpenApi {
    routes().1
}

/// How the process is: every process has these, whatever else it does.
///
/// It is ready when all of `watched` are.
pub fn health_router(watched: Vec<ReadSide>) -> Router {
    health_routes().0.with_state(watched.into())
}

/// What those routes are.
#[must_use]
pub fn health_description() -> utoipa::openapi::OpenApi {
    health_routes().1
}

fn health_routes() -> (Router<health::Watched>, utoipa::openapi::OpenApi) {
    let (router, mut description) = OpenApiRouter::new()
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
        .split_for_parts();
    openapi::complete(&mut description);
    (router, description)
}

fn routes() -> (Router<App>, utoipa::openapi::OpenApi) {
    let (router, mut description) = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(prompts::resolve))
        .routes(routes!(prompts::list))
        .routes(routes!(search::search))
        .routes(routes!(search::suggest))
        .routes(routes!(history::versions))
        .routes(routes!(history::label_history))
        .routes(routes!(history::forks))
        .routes(routes!(diff::diff))
        .routes(routes!(changes::changes))
        .routes(routes!(templates::render))
        .routes(routes!(templates::dependents))
        .routes(routes!(events::events))
        .routes(routes!(status::status))
        .routes(routes!(quotas::quotas))
        .routes(routes!(settings::search))
        .routes(routes!(settings::watch))
        .routes(routes!(access::keys))
        .routes(routes!(access::grants))
        .routes(routes!(access::groups))
        .routes(routes!(access::roles))
        .routes(routes!(access::issuers))
        .routes(routes!(who::who))
        .routes(routes!(who::why))
        .routes(routes!(who::holdings))
        .routes(routes!(releases::releases))
        .routes(routes!(releases::comments))
        .routes(routes!(releases::protections))
        .routes(routes!(releases::freezes))
        .routes(routes!(audit::audit))
        .routes(routes!(audit::count))
        .routes(routes!(audit::export::export))
        .routes(routes!(analytics::analytics))
        .routes(routes!(analytics::compare::differences))
        .routes(routes!(analytics::adoption::adoption))
        .routes(routes!(analytics::lead_time::lead_time))
        .routes(routes!(analytics::stale::stale))
        .routes(routes!(analytics::empty_searches::empty_searches))
        .routes(routes!(models::models))
        .routes(routes!(models::rebuild))
        .routes(routes!(models::rollback))
        .merge(langfuse_routes())
        .merge(mlflow_routes())
        .split_for_parts();
    openapi::complete(&mut description);
    (router, description)
}

/// Refusals of theirs are in their form.
fn langfuse_routes() -> OpenApiRouter<App> {
    let routes = OpenApiRouter::new().routes(routes!(langfuse::get)).routes(routes!(langfuse::list));
    routes.layer(map_response(compat::langfuse::in_its_form))
}

/// Refusals of theirs are in their form.
fn mlflow_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(mlflow::get))
        .routes(routes!(mlflow::search))
        .routes(routes!(mlflow::get_alias))
        .routes(routes!(mlflow::get_version))
        .routes(routes!(mlflow::search_versions))
        .layer(map_response(compat::mlflow::in_its_form))
}

#[cfg(test)]
mod tests;
