//! Metrics: the `metrics` facade everywhere, one Prometheus recorder behind it.

use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Buckets of every metric that ends in `_seconds`: from a read in memory to a request that waited.
const SECONDS: &[f64] =
    &[0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// How often samples that wait are put into their buckets; they take memory until then.
const UPKEEP_EVERY: Duration = Duration::from_secs(1);

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

fn recorder() -> Option<&'static PrometheusHandle> {
    RECORDER.get_or_init(build).as_ref()
}

fn build() -> Option<PrometheusHandle> {
    let seconds = Matcher::Suffix("_seconds".to_owned());
    // Both fail only for an empty list or a second recorder: metrics are then off, the service is not.
    PrometheusBuilder::new().set_buckets_for_metric(seconds, SECONDS).ok()?.install_recorder().ok()
}

/// Puts the recorder in place, if it is not there yet. What was counted before is lost.
pub fn install_metrics() {
    recorder();
}

/// Everything counted, as Prometheus text.
#[must_use]
pub fn metrics_text() -> String {
    recorder().map(PrometheusHandle::render).unwrap_or_default()
}

/// Tidies the recorder from a thread that ends when this is dropped.
#[derive(Debug)]
pub(super) struct Upkeep {
    _stop: Option<SyncSender<()>>,
}

impl Upkeep {
    pub(super) fn start() -> Self {
        let Some(recorder) = recorder() else { return Self { _stop: None } };
        let (stop, stopped) = sync_channel::<()>(0);
        let tidy = move || {
            while stopped.recv_timeout(UPKEEP_EVERY) == Err(RecvTimeoutError::Timeout) {
                recorder.run_upkeep();
            }
        };
        // Without the thread, reading the metrics tidies too.
        let spawned = std::thread::Builder::new().name("metrics-upkeep".to_owned()).spawn(tidy);
        Self { _stop: spawned.is_ok().then_some(stop) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_shown_in_buckets() {
        install_metrics();
        metrics::histogram!("promptory_test_wait_seconds").record(0.003);
        metrics::counter!("promptory_test_total").increment(2);
        let text = metrics_text();
        assert!(text.contains("promptory_test_total 2"), "{text}");
        assert!(text.contains(r#"promptory_test_wait_seconds_bucket{le="0.005"} 1"#), "{text}");
    }
}
