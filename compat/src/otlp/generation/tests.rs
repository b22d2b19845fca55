use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{Status, span::Event};
use serde_json::json;

use super::*;

fn now() -> Timestamp {
    Timestamp::from_micros(1_800_000_000_000_000)
}

fn attributes(said: &Value) -> Vec<KeyValue> {
    let value = |value: &Value| match value {
        Value::String(text) => json!({"stringValue": text}),
        Value::Number(number) if number.is_i64() => json!({"intValue": number.to_string()}),
        number => json!({"doubleValue": number}),
    };
    let all = said.as_object().unwrap().iter();
    all.map(|(key, said)| {
        let value: AnyValue = serde_json::from_value(value(said)).unwrap();
        KeyValue { key: key.clone(), value: Some(value), ..KeyValue::default() }
    })
    .collect()
}

fn span(said: &Value) -> Span {
    Span {
        trace_id: (1..=16).collect(),
        span_id: vec![0xab; 8],
        start_time_unix_nano: 1_700_000_000_123_456_789,
        end_time_unix_nano: 1_700_000_001_000_000_999,
        attributes: attributes(said),
        ..Span::default()
    }
}

fn service(name: &str) -> Resource {
    Resource { attributes: attributes(&json!({"service.name": name})), ..Resource::default() }
}

fn run(said: &Value) -> Run {
    match read(&service("shop"), &span(said), now()) {
        Ok(Reading::Run(run)) => *run,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_span_of_the_conventions_is_a_run() {
    let Run { prompt, execution } = run(&json!({
        "promptory.prompt.key": "team/greet", "promptory.prompt.version": 3, "promptory.prompt.label": "production",
        "promptory.prompt.arm": "canary", "gen_ai.operation.name": "chat", "gen_ai.request.model": "large",
        "gen_ai.response.model": "large-2026-01-01", "gen_ai.usage.input_tokens": 812, "gen_ai.usage.output_tokens": 90,
        "gen_ai.usage.cost": 0.001_234_567,
    }));
    assert_eq!(prompt, "team/greet");
    let expected = Execution {
        id: "0102030405060708090a0b0c0d0e0f10/abababababababab".to_owned(),
        prompt: PromptId([0; 16]),
        version: 3,
        label: Some("production".to_owned()),
        arm: Some("canary".to_owned()),
        model: Some("large-2026-01-01".to_owned()),
        caller: Some("shop".to_owned()),
        occurred_at: Timestamp::from_micros(1_700_000_000_123_456),
        latency_us: Some(876_544),
        input_tokens: Some(812),
        output_tokens: Some(90),
        cost_nanos: Some(1_234_567),
        error: None,
        scores: Vec::new(),
        trace: Some("0102030405060708090a0b0c0d0e0f10".to_owned()),
    };
    assert_eq!(execution, expected);
}

#[test]
fn a_generation_of_langfuse_s_is_a_run() {
    let Run { prompt, execution } = run(&json!({
        "langfuse.observation.type": "generation", "langfuse.observation.prompt.name": "team/greet",
        "langfuse.observation.prompt.version": 2, "langfuse.observation.model.name": "small",
        "langfuse.observation.usage_details": r#"{"input": 10, "output": 4, "total": 14}"#,
        "langfuse.observation.cost_details": r#"{"input": 0.25, "output": 0.5}"#, "user.id": "ada@example.com",
    }));
    assert_eq!((prompt.as_str(), execution.version, execution.model.as_deref()), ("team/greet", 2, Some("small")));
    assert_eq!((execution.input_tokens, execution.output_tokens), (Some(10), Some(4)));
    assert_eq!((execution.cost_nanos, execution.caller.as_deref()), (Some(750_000_000), Some("shop")));
    let total = run(&json!({
        "langfuse.observation.type": "generation", "langfuse.observation.prompt.name": "p",
        "langfuse.observation.prompt.version": "7",
        "langfuse.observation.cost_details": r#"{"input": 0.25, "total": 0.3}"#,
        "langfuse.observation.usage_details": "no JSON", "gen_ai.usage.prompt_tokens": 5.0,
    }));
    let execution = total.execution;
    assert_eq!((execution.version, execution.cost_nanos, execution.input_tokens), (7, Some(300_000_000), Some(5)));
}

#[test]
fn what_asks_no_model_is_something_else_even_with_a_prompt_handed_down_to_it() {
    let prompt = json!({"langfuse.observation.prompt.name": "p", "langfuse.observation.prompt.version": 1});
    let with = |more: Value| {
        let mut said = prompt.clone();
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read(&Resource::default(), &span(&said), now()).unwrap()
    };
    for (more, is_run) in [
        (json!({"langfuse.observation.type": "span"}), false),
        (json!({"langfuse.observation.type": "tool", "gen_ai.operation.name": "chat"}), false),
        (json!({"langfuse.observation.type": "embedding"}), true),
        (json!({"gen_ai.operation.name": "execute_tool"}), false),
        (json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "large"}), false),
        (json!({"gen_ai.operation.name": "embeddings"}), true),
        (json!({"gen_ai.request.model": "large"}), true),
        (json!({"promptory.prompt.key": "p", "promptory.prompt.version": 1}), true),
        (json!({"http.route": "/"}), false),
    ] {
        assert_eq!(matches!(with(more.clone()), Reading::Run(_)), is_run, "{more}");
    }
    let unlinked = read(&Resource::default(), &span(&json!({"gen_ai.operation.name": "chat"})), now());
    assert_eq!(unlinked, Ok(Reading::Unlinked));
}

#[test]
fn what_of_a_run_can_not_be_taken_is_named() {
    let good = json!({"promptory.prompt.key": "p", "promptory.prompt.version": 1});
    let refused = |said: &Value| read(&Resource::default(), &span(said), now()).unwrap_err();
    let of_langfuse = json!({"langfuse.observation.type": "generation", "langfuse.observation.prompt.name": "p"});
    for (said, why) in [
        (json!({"promptory.prompt.key": "p"}), "promptory.prompt.version"),
        (json!({"promptory.prompt.key": "p", "promptory.prompt.version": -1}), "promptory.prompt.version"),
        (of_langfuse, "langfuse.observation.prompt.version"),
        (json!({"promptory.prompt.key": "p", "promptory.prompt.version": 4_294_967_296_i64}), "no such version"),
        (json!({"promptory.prompt.key": "p", "promptory.prompt.version": 1, "promptory.prompt.label": "A B"}), LABEL),
    ] {
        assert!(refused(&said).contains(why), "{said}: {}", refused(&said));
    }
    for (trace_id, span_id) in [(vec![], vec![1; 8]), (vec![0; 16], vec![1; 8]), (vec![1; 16], vec![0; 8])] {
        let span = Span { trace_id, span_id, ..span(&good) };
        assert!(read(&Resource::default(), &span, now()).unwrap_err().contains("trace id"));
    }
    let mut many = span(&good);
    many.attributes.resize(limits::OTLP_ATTRIBUTES_MAX + 1, KeyValue::default());
    assert!(read(&Resource::default(), &many, now()).unwrap_err().contains("attributes"));
}

#[test]
fn times_errors_and_callers_are_read_as_far_as_they_are_there() {
    let good = json!({"promptory.prompt.key": "p", "promptory.prompt.version": 1});
    let of = |resource: &Resource, span: &Span| match read(resource, span, now()) {
        Ok(Reading::Run(run)) => run.execution,
        other => panic!("{other:?}"),
    };
    let timeless = Span { start_time_unix_nano: 0, ..span(&good) };
    let execution = of(&service("unknown_service:python"), &timeless);
    assert_eq!((execution.occurred_at, execution.latency_us, execution.caller), (now(), None, None));
    let backwards = Span { end_time_unix_nano: 1, ..span(&good) };
    assert_eq!(of(&service("shop"), &backwards).latency_us, None);

    let failed = Status { code: StatusCode::Error.into(), ..Status::default() };
    let mut span = Span { status: Some(failed), ..span(&good) };
    assert_eq!(of(&service("shop"), &span).error.as_deref(), Some("error"));
    let event = |kind: &str| Event {
        name: "exception".to_owned(),
        attributes: attributes(&json!({"exception.type": kind})),
        ..Event::default()
    };
    span.events = vec![event("first"), event("last\n")];
    assert_eq!(of(&service("shop"), &span).error.as_deref(), Some("last"));
    span.attributes.extend(attributes(&json!({"error.type": "é".repeat(40), "promptory.caller": "batch"})));
    let execution = of(&service("shop"), &span);
    assert_eq!((execution.error, execution.caller), (Some("é".repeat(32)), Some("batch".to_owned())));
}
