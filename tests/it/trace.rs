//! One trace from the HTTP request over the append to the projection's apply.

use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use promptory_tests::World;
use serde_json::json;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn of_trace(exporter: &InMemorySpanExporter) -> Vec<SpanData> {
    let spans = exporter.get_finished_spans().unwrap();
    spans.into_iter().filter(|span| span.span_context.trace_id().to_string() == TRACE).collect()
}

#[test]
fn one_trace_goes_from_the_request_to_the_read_model() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    // The node's tasks run on threads of their own, so the subscriber is the process's; other tests leave it alone.
    tracing_subscriber::registry()
        .with(tracing_subscriber::filter::LevelFilter::INFO)
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")))
        .init();
    let world = World::new();
    let client = world.acme();
    let parent = format!("00-{TRACE}-b7ad6b7169203331-01");
    let text = "a text that must be in no span";
    let body = json!({"key": "a", "text": text, "message": "nor this"});
    let answer = client.send("POST", "/v1/prompts", &[("traceparent", &parent)], Some(&body)).expect(201);
    client.wait_for(answer.json["position"].as_str().unwrap());
    // Spans end a moment after what they measured.
    for _ in 0..100 {
        if of_trace(&exporter).len() >= 3 {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let spans = of_trace(&exporter);
    let names: Vec<String> = spans.iter().map(|span| span.name.to_string()).collect();
    for name in ["append", "apply"] {
        assert!(names.iter().any(|n| n == name), "no {name} in {names:?}");
    }
    assert!(names.len() >= 3, "and the request itself: {names:?}");
    let told = format!("{spans:?}");
    assert!(!told.contains(text) && !told.contains("nor this") && !told.contains(&client.key));
}
