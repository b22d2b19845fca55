//! Exports of traces over HTTP: runs of prompts in them are counted as records are, once for each span; what is none is no
//! error, and what can't be taken is named. The exporters themselves run in `tests/py/langfuse_job.py`.

use std::io::Write;

use data_encoding::BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use promptory_compat::otlp::RpcStatus;
use promptory_tests::client::Answer;
use promptory_tests::{Client, World};
use prost::Message;
use serde_json::{Value, json};

const PATHS: [&str; 2] = ["/v1/otlp/v1/traces", "/api/public/otel/v1/traces"];
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn prompt(owner: &Client, key: &str) {
    let made = owner.post("/v1/prompts", &json!({"key": key, "text": "Hello"})).expect(201).json;
    owner.wait_for(made["position"].as_str().unwrap());
}

fn attributes(said: &Value) -> Value {
    let value = |value: &Value| match value {
        Value::String(text) => json!({"stringValue": text}),
        Value::Number(number) if number.is_i64() => json!({"intValue": number.to_string()}),
        number => json!({"doubleValue": number}),
    };
    said.as_object().unwrap().iter().map(|(key, said)| json!({"key": key, "value": value(said)})).collect()
}

/// A span that took 250 ms, a minute before the world begins.
fn span(number: u8, said: &Value) -> Value {
    json!({"traceId": TRACE, "spanId": format!("00000000000000{number:02x}"), "name": "chat", "kind": 3,
        "startTimeUnixNano": "1777809540000000000", "endTimeUnixNano": "1777809540250000000",
        "attributes": attributes(said), "status": {}})
}

fn export(spans: &[Value]) -> Value {
    json!({"resourceSpans": [{"resource": {"attributes": attributes(&json!({"service.name": "shop"}))},
        "scopeSpans": [{"scope": {"name": "test"}, "spans": spans}]}]})
}

fn run(prompt: &str, version: u32) -> Value {
    json!({"promptory.prompt.key": prompt, "promptory.prompt.version": version, "promptory.prompt.label": "production",
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "m-1", "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5, "gen_ai.usage.cost": 0.25})
}

fn counted(client: &Client, query: &str) -> Value {
    client.get(&format!("/v1/analytics?from=2026-05-03T11:00:00Z&{query}")).expect(200).json["groups"].clone()
}

/// A request whose body is no JSON.
fn send(url: &str, authorization: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String, Vec<u8>) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let request = agent.post(url).header("authorization", authorization);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let mut response = request.send(body).unwrap();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    (response.status().as_u16(), kind, response.body_mut().read_to_vec().unwrap())
}

#[test]
fn the_runs_in_an_export_are_counted_once_and_the_rest_of_it_is_no_error() {
    let world = World::new();
    let owner = world.acme();
    prompt(&owner, "team/greet");
    let mut failed = span(2, &run("team/greet", 1));
    failed["status"] = json!({"code": 2, "message": "no"});
    let other = [span(3, &json!({"http.route": "/"})), span(4, &json!({"gen_ai.operation.name": "chat"}))];
    let spans = [&[span(1, &run("team/greet", 1)), failed], &other[..]].concat();
    for path in [PATHS[0], PATHS[1], PATHS[0]] {
        assert_eq!(owner.post(path, &export(&spans)).expect(200).json, json!({}));
    }
    let groups = counted(&owner, "group_by=prompt,version,label,model,caller&granularity=minute");
    assert_eq!(groups.as_array().unwrap().len(), 1, "{groups}");
    let group = &groups[0];
    assert_eq!(
        (&group["key"], &group["version"], &group["label"]),
        (&json!("team/greet"), &json!(1), &json!("production"))
    );
    assert_eq!((&group["model"], &group["caller"]), (&json!("m-1"), &json!("shop")));
    assert_eq!((&group["count"], &group["errors"], &group["input_tokens"]), (&json!(2), &json!(1), &json!(20)));
    assert_eq!((&group["latency_ms"]["mean"], &group["cost_nanos"]), (&json!(250.0), &json!(500_000_000)));
    assert_eq!(group["at"], json!("2026-05-03T11:59:00Z"), "when it began");

    // Feedback by the span, and by the trace, which is the span in it that came last.
    let by_span = format!("{TRACE}/0000000000000001");
    let liked =
        |id: &str, execution: &str, liked: bool| json!({"id": id, "execution": execution, "scores": {"liked": liked}});
    let records = json!({"records": [liked("o1", &by_span, true), liked("o2", TRACE, false)]});
    assert_eq!(owner.post("/v1/usage", &records).expect(200).json["records"], json!(2));
    assert_eq!(counted(&owner, "")[0]["scores"]["liked"], json!({"true": 1, "false": 1}));
    let spans = owner.text("/metrics");
    let of = |what: &str| {
        spans.lines().any(|line| line.starts_with(&format!("promptory_otlp_spans_total{{what=\"{what}\"}}")))
    };
    assert!(["taken", "refused", "unlinked", "other"].iter().all(|what| of(what)), "{spans}");
}

#[test]
fn what_can_not_be_taken_is_named_and_the_rest_is_taken() {
    let world = World::new();
    let owner = world.acme();
    prompt(&owner, "team/greet");
    prompt(&owner, "other/greet");
    let mut nameless = span(5, &run("team/greet", 1));
    nameless["spanId"] = json!("");
    let spans = [
        span(1, &run("team/nobody", 1)),
        span(2, &run("team/greet", 9)),
        span(3, &run("team/greet", 1)),
        span(4, &json!({"promptory.prompt.key": "team/greet"})),
        nameless,
    ];
    let told = owner.post(PATHS[0], &export(&spans)).expect(200).json["partialSuccess"].clone();
    assert_eq!(told["rejectedSpans"], json!("4"), "{told}");
    let message = told["errorMessage"].as_str().unwrap();
    let named = [
        "span 0: prompt: there is no such prompt",
        "span 1: version: ",
        "span 3: says no version",
        "span 4: needs a trace id",
    ];
    assert!(named.iter().all(|flaw| message.contains(flaw)), "{message}");
    assert_eq!(counted(&owner, "")[0]["count"], json!(1));

    // A key for some prompts records those, and is told of the others; one that may not at all gets nothing in.
    let issued = owner.post("/v1/keys", &json!({"role": "service", "prefix": "team/"})).expect(201).json;
    owner.wait_for(issued["position"].as_str().unwrap());
    let service = owner.with_key(issued["key"].as_str().unwrap());
    let both = export(&[span(6, &run("other/greet", 1)), span(7, &run("team/greet", 1))]);
    let told = service.post(PATHS[0], &both).expect(200).json["partialSuccess"].clone();
    assert_eq!(told["errorMessage"], json!("span 0: prompt: needs the right `record-usage` on `other/`"));
    assert_eq!(counted(&owner, "")[0]["count"], json!(2));
}

#[test]
fn protobuf_is_read_packed_or_not_and_answered_in_protobuf() {
    let world = World::new();
    let owner = world.acme();
    prompt(&owner, "team/greet");
    let (name, secret) = owner.key.rsplit_once('_').unwrap();
    let basic = format!("Basic {}", BASE64.encode(format!("{name}:{secret}").as_bytes()));
    let bearer = format!("Bearer {}", owner.key);
    let message =
        |spans: &[Value]| serde_json::from_value::<ExportTraceServiceRequest>(export(spans)).unwrap().encode_to_vec();
    let good = message(&[span(1, &run("team/greet", 1))]);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&message(&[span(1, &run("team/greet", 1)), span(2, &run("nobody", 1))])).unwrap();
    let packed = packed.finish().unwrap();
    let proto = ("content-type", "application/x-protobuf");
    for path in PATHS {
        let url = format!("{}{path}", owner.url);
        let (status, kind, body) = send(&url, &basic, &[proto], &good);
        assert_eq!((status, kind.as_str(), body.as_slice()), (200, proto.1, &b""[..]));
        let (status, _, body) = send(&url, &bearer, &[proto, ("content-encoding", "gzip")], &packed);
        let told = ExportTraceServiceResponse::decode(&body[..]).unwrap().partial_success.unwrap();
        assert_eq!((status, told.rejected_spans), (200, 1), "{}", told.error_message);
        for (authorization, headers, body, status, code) in [
            ("Bearer x", &[proto][..], &good[..], 401, 16),
            (&bearer, &[proto], b"\xff", 400, 3),
            (&bearer, &[proto, ("content-encoding", "br")], &good, 415, 3),
        ] {
            let (is, kind, told) = send(&url, authorization, headers, body);
            assert_eq!((is, kind.as_str()), (status, proto.1));
            let told = RpcStatus::decode(&told[..]).unwrap();
            assert_eq!(told.code, code, "{}", told.message);
        }
        // In no encoding that is known: JSON, which anybody can read.
        let (status, kind, told) = send(&url, &bearer, &[("content-type", "text/plain")], &good);
        assert_eq!((status, kind.as_str()), (415, "application/json"));
        assert_eq!(serde_json::from_slice::<Value>(&told).unwrap()["code"], json!(3));
    }
    assert_eq!(counted(&owner, "")[0]["count"], json!(1));
}

#[test]
fn refusals_in_json_are_a_status() {
    let world = World::new();
    let owner = world.acme();
    let refused = |answer: &Answer, status: u16, message: &str| {
        assert_eq!((answer.status, answer.header("content-type")), (status, "application/json"), "{}", answer.json);
        assert!(answer.json["message"].as_str().unwrap().starts_with(message), "{}", answer.json);
    };
    refused(&owner.post(PATHS[0], &json!("x")), 400, "malformed-request: ");
    refused(&owner.with_key("pk_acme_0000000000000000_x").post(PATHS[0], &export(&[])), 401, "unauthenticated: ");
    let many = vec![json!({}); 10_001];
    refused(&owner.post(PATHS[1], &export(&many)), 413, "too-large: ");
}

#[test]
fn langfuse_s_scores_are_outcomes_of_the_run_that_they_name() {
    let world = World::new();
    let owner = world.acme();
    prompt(&owner, "team/greet");
    let generation = json!({"langfuse.observation.type": "generation", "langfuse.observation.prompt.name": "team/greet",
        "langfuse.observation.prompt.version": 1});
    assert_eq!(owner.post(PATHS[1], &export(&[span(1, &generation)])).expect(200).json, json!({}));
    let score = |id: &str, name: &str, value: Value| json!({"id": id, "traceId": TRACE, "name": name, "value": value});
    let mut helpful = score("s1", "helpful", json!(0.5));
    helpful["observationId"] = json!("0000000000000001");
    let mut liked = score("s2", "liked", json!(1));
    liked["dataType"] = json!("BOOLEAN");
    // Many, one, events; and all of it twice.
    let event = |id: &str, kind: &str, body: &Value| json!({"id": id, "type": kind, "timestamp": "2026-05-03T12:00:00Z", "body": body});
    let tone = score("s3", "tone", json!("warm"));
    let events =
        json!({"batch": [event("e1", "score-create", &tone), event("e2", "trace-create", &json!({"id": TRACE}))]});
    for _ in 0..2 {
        let all = owner.post("/api/public/scores", &json!([helpful])).expect(202).json;
        assert_eq!(all, json!({"message": "Accepted"}));
        assert_eq!(owner.post("/api/public/scores", &liked).expect(200).json, json!({"id": "s2"}));
        let told = owner.post("/api/public/ingestion", &events).expect(207).json;
        assert_eq!(told["successes"], json!([{"id": "e1", "status": 201}]));
        let error = &told["errors"][0];
        assert_eq!(
            (&error["id"], &error["status"], told["errors"].as_array().unwrap().len()),
            (&json!("e2"), &json!(400), 1)
        );
        assert!(error["message"].as_str().unwrap().starts_with("type: only `score-create`"), "{error}");
    }
    let scores = counted(&owner, "prompt=team/greet")[0]["scores"].clone();
    assert_eq!(scores["helpful"]["numbers"]["mean"], json!(0.5));
    assert_eq!(
        (&scores["liked"], &scores["tone"]),
        (&json!({"true": 1, "false": 0}), &json!({"categories": {"warm": 1}}))
    );

    let homeless = json!({"name": "helpful", "value": 1, "sessionId": "s"});
    let told = owner.post("/api/public/scores", &json!([homeless, liked])).expect(207).json;
    assert_eq!((&told["accepted"], &told["rejected"]), (&json!(1), &json!(1)));
    assert!(told["errors"][0]["message"].as_str().unwrap().starts_with("traceId: "), "{told}");
    let refused = owner.post("/api/public/scores", &homeless).expect(400).json;
    assert_eq!((&refused["error"], &refused["field"]), (&json!("InvalidRequestError"), &json!("/traceId")));
    // An outcome that does not say of which prompt may be about any.
    let issued = owner.post("/v1/keys", &json!({"role": "service", "prefix": "team/"})).expect(201).json;
    owner.wait_for(issued["position"].as_str().unwrap());
    let service = owner.with_key(issued["key"].as_str().unwrap());
    let told = service.post("/api/public/scores", &json!([liked])).expect(207).json;
    assert_eq!(told["errors"][0]["message"], json!("prompt: needs the right `record-usage` on the whole tenant"));
    assert_eq!(
        service.post("/api/public/ingestion", &json!({"batch": 1})).expect(400).json["error"],
        json!("InvalidRequestError")
    );
}
