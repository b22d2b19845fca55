//! Logs to stderr, traces to OpenTelemetry if there is a collector, metrics for Prometheus.
//!
//! What is logged holds ids, names and numbers, never prompt text or secrets: the panic hook, too, leaves out every
//! message that was formatted at run time.

mod metrics;
mod trace;

pub use metrics::{install_metrics, metrics_text};
pub use trace::{TraceParentError, current_trace, link, parse_traceparent};

use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// What to log and where traces go.
#[derive(Clone, Debug)]
pub struct Config {
    /// Log lines as JSON instead of text.
    pub json: bool,
    /// Base address of an OTLP/HTTP collector (`http://collector:4318`); without one no trace is recorded.
    pub otlp_endpoint: Option<String>,
    /// Which logs and spans, as `RUST_LOG` has it: `info,promptory_query=debug`.
    pub filter: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { json: false, otlp_endpoint: None, filter: "info".to_owned() }
    }
}

/// Why telemetry could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter can't be read.
    #[error("the log filter can't be read: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The exporter can't be built.
    #[error("traces can't be sent to the OTLP endpoint: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// This process has a subscriber already.
    #[error("telemetry was started before")]
    Started(#[from] tracing_subscriber::util::TryInitError),
}

/// Keeps telemetry going. Dropped last, it sends the spans that still wait.
#[must_use = "dropping it ends telemetry"]
#[derive(Debug)]
pub struct Guard {
    traces: Option<SdkTracerProvider>,
    _upkeep: metrics::Upkeep,
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Flushes first. Nobody is left to tell if it fails, and the process must still end.
        if let Some(traces) = self.traces.take() {
            let _ = traces.shutdown();
        }
    }
}

/// Starts logs, traces and metrics for this process. Once.
///
/// # Errors
/// The filter can't be read, the endpoint is no address, or it was started before.
pub fn init(config: Config) -> Result<Guard, TelemetryError> {
    let filter = EnvFilter::try_new(&config.filter)?;
    let traces = config.otlp_endpoint.as_deref().map(otlp).transpose()?;
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let lines = if config.json { lines.json().flatten_event(true).boxed() } else { lines.boxed() };
    // The filter is the log's own: a quiet log must not cost the traces.
    let spans = traces.as_ref().map(|traces| span_layer(traces).with_filter(LevelFilter::INFO));
    tracing_subscriber::registry().with(lines.with_filter(filter)).with(spans).try_init()?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(Guard { traces, _upkeep: metrics::Upkeep::start() })
}

/// A provider that sends spans in batches from a thread of its own.
fn otlp(endpoint: &str) -> Result<SdkTracerProvider, TelemetryError> {
    let base = endpoint.trim_end_matches('/');
    let address = if base.ends_with("/v1/traces") { base.to_owned() } else { format!("{base}/v1/traces") };
    let exporter = SpanExporter::builder().with_http().with_endpoint(address).build()?;
    let resource = Resource::builder().with_service_name("promptory").build();
    Ok(SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build())
}

/// The layer that turns tracing's spans into OpenTelemetry's.
fn span_layer<S>(traces: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_opentelemetry::layer()
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_tracer(traces.tracer("promptory"))
}

/// A literal message is our own words; a formatted one could quote what a user sent.
fn log_panic(info: &PanicHookInfo<'_>) {
    let message = info.payload().downcast_ref::<&'static str>().copied().unwrap_or("(message left out)");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, message, "panic");
}
