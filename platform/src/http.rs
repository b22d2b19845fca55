//! The edge that both routers share, applied once to the merged router, and the server under it.
//!
//! A request passes: 404/405 as problems, limits of path and body, the gate (too much at once is refused, never
//! queued), its span, the handler with panics caught, the latency histogram. One layer does all of it, so that a read
//! from memory pays for one boxed future and no look-up.

mod body;
mod gate;
mod latency;
mod layer;
mod serve;

pub use body::BodyTimedOut;
pub use serve::serve;

use std::time::Duration;

use axum::Router;
use promptory_events::limits;
use tokio_util::sync::CancellationToken;

use crate::attest::Attestor;
use crate::problem::{Problem, ProblemType};
use layer::EdgeLayer;

/// The bounds of the edge.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests that are being answered at once.
    pub requests: u64,
    /// Bytes of bodies that are being received at once.
    pub body_bytes: u64,
    /// Path and query of one request.
    pub uri_bytes: usize,
    /// How long one body may take to arrive.
    pub body_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: 4096,
            // 16 of the largest requests, or a great many of the usual ones.
            body_bytes: 16 * limits::REQUEST_MAX_BYTES as u64,
            // A key of 1,024 bytes is at most 3,072 when percent-encoded; a cursor carries one too.
            uri_bytes: 8 * 1024,
            body_wait: Duration::from_secs(60),
        }
    }
}

/// Puts the edge around a complete router. Streams that never end by themselves (SSE) end when `shutdown` is cancelled; keys
/// that open nothing are counted at `attestor`.
pub fn edge(router: Router, limits: Limits, shutdown: &CancellationToken, attestor: &Attestor) -> Router {
    router
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        // After the fallbacks: the layer must be around them too.
        .layer(EdgeLayer::new(limits, shutdown.clone(), attestor.clone()))
}

async fn not_found() -> Problem {
    Problem::new(ProblemType::NOT_FOUND, "there is nothing at this path; GET /openapi.json lists what there is")
}

// Axum adds the `Allow` header.
async fn method_not_allowed() -> Problem {
    Problem::new(ProblemType::METHOD_NOT_ALLOWED, "see the header `Allow` for the methods that this path takes")
}

#[cfg(test)]
mod tests;
