//! The server's own latency histogram, out of the metrics text that it serves.

/// Cumulative counts by upper bound in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets(Vec<(f64, u64)>);

impl Buckets {
    /// The successful answers of one route in a metrics text. Empty if it was never asked.
    pub fn of_route(text: &str, method: &str, route: &str) -> Self {
        let labels = [format!("method=\"{method}\""), format!("route=\"{route}\""), "status=\"2xx\"".to_owned()];
        let ours = text.lines().filter_map(|line| {
            let rest = line.strip_prefix("promptory_http_request_seconds_bucket{")?;
            let (found, count) = rest.rsplit_once("} ")?;
            if !labels.iter().all(|label| found.contains(label.as_str())) {
                return None;
            }
            let bound = found.split_once("le=\"")?.1.split('"').next()?;
            Some((bound.parse().ok()?, count.trim().parse().ok()?))
        });
        Self(ours.collect())
    }

    /// What has come since an earlier look.
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |bound: f64| earlier.0.iter().find(|(b, _)| b.total_cmp(&bound).is_eq());
        let counts = self.0.iter().map(|&(bound, n)| (bound, n - before(bound).map_or(0, |(_, n)| *n).min(n)));
        Self(counts.collect())
    }

    /// Answers in it.
    pub fn count(&self) -> u64 {
        self.0.last().map_or(0, |(_, count)| *count)
    }

    /// The upper bound in seconds of the bucket that holds a quantile: it is at most so much.
    pub fn at_most(&self, quantile: f64) -> f64 {
        let found = self.0.iter().find(|(_, count)| share(*count, self.count()) >= quantile);
        found.map_or(f64::NAN, |(bound, _)| *bound)
    }

    /// The share of the answers that took at most so many seconds; exact if that is a bucket's bound.
    pub fn within(&self, seconds: f64) -> f64 {
        let inside = self.0.iter().rfind(|(bound, _)| *bound <= seconds).map_or(0, |(_, count)| *count);
        share(inside, self.count())
    }
}

#[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: &str = "/v1/prompts/{prompt}";

    fn text(counts: [u64; 3]) -> String {
        let bounds = ["0.0005", "0.001", "+Inf"];
        let line = |(le, n): (&str, u64)| {
            format!(
                "promptory_http_request_seconds_bucket{{method=\"GET\",route=\"{ROUTE}\",status=\"2xx\",le=\"{le}\"}} {n}"
            )
        };
        let ours: Vec<_> = bounds.into_iter().zip(counts).map(line).collect();
        let other = ours[0].replace(ROUTE, "/v1/status").replace("} ", "} 9");
        format!("# TYPE x histogram\n{}\n{other}\nup 1\n", ours.join("\n"))
    }

    #[test]
    fn only_what_came_since_counts() {
        let before = Buckets::of_route(&text([5, 5, 5]), "GET", ROUTE);
        let after = Buckets::of_route(&text([103, 104, 105]), "GET", ROUTE);
        let since = after.since(&before);
        assert_eq!(since.count(), 100);
        assert!((since.within(0.001) - 0.99).abs() < 1e-9);
        assert!((since.at_most(0.98) - 0.0005).abs() < 1e-9);
        assert!((since.at_most(0.99) - 0.001).abs() < 1e-9);
        assert!(since.at_most(1.0).is_infinite());
    }

    #[test]
    fn a_route_that_was_never_asked_has_no_answers() {
        let none = Buckets::of_route("up 1\n", "GET", ROUTE);
        assert_eq!((none.count(), none.since(&none).count()), (0, 0));
        assert!(none.at_most(0.99).is_nan());
    }
}
