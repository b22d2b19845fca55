//! How long requests take, by route. The histogram's handle is looked up once for each route, not for each request.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use metrics::Histogram;

/// What one route (one method of one path) shares between its requests.
#[derive(Clone, Debug, Default)]
pub struct Latency(Arc<OnceLock<Handles>>);

#[derive(Debug)]
struct Handles {
    method: &'static str,
    /// By class of status, `1xx` to `5xx`.
    by_class: [Histogram; 5],
}

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The metric's name; its labels are `method`, `route` (as the router has it, never the path) and `status`.
pub const METRIC: &str = "promptory_http_request_seconds";

impl Latency {
    pub fn record(&self, method: &'static str, route: &str, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        let handles =
            self.0.get_or_init(|| Handles { method, by_class: CLASSES.map(|status| histogram(method, route, status)) });
        // A path's 405 answers every other method, so there the handle at hand may be another method's.
        if handles.method == method {
            handles.by_class[class].record(took);
        } else {
            histogram(method, route, CLASSES[class]).record(took);
        }
    }
}

fn histogram(method: &'static str, route: &str, status: &'static str) -> Histogram {
    metrics::histogram!(METRIC, "method" => method, "route" => route.to_owned(), "status" => status)
}

/// The method as a label. Clients may invent methods, labels must stay few.
pub fn method_label(method: &Method) -> &'static str {
    const KNOWN: [(Method, &str); 7] = [
        (Method::GET, "GET"),
        (Method::POST, "POST"),
        (Method::PUT, "PUT"),
        (Method::DELETE, "DELETE"),
        (Method::HEAD, "HEAD"),
        (Method::PATCH, "PATCH"),
        (Method::OPTIONS, "OPTIONS"),
    ];
    KNOWN.iter().find(|(known, _)| known == method).map_or("other", |(_, label)| label)
}
