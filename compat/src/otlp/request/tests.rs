use std::io::Write;

use axum::http::HeaderValue;
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};

use super::*;

fn span(name: &str) -> Span {
    Span { trace_id: vec![1; 16], span_id: vec![2; 8], name: name.to_owned(), ..Span::default() }
}

fn export(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let value = any_value::Value::StringValue("shop".to_owned());
    let attribute = KeyValue {
        key: "service.name".to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    };
    let resource = Some(Resource { attributes: vec![attribute], ..Resource::default() });
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }, ScopeSpans::default()];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }],
    }
}

type Shown = Vec<(Resource, Result<Span, String>)>;

fn read(encoding: Encoding, body: Vec<u8>) -> Result<Shown, Problem> {
    let mut shown = Vec::new();
    each_span(encoding, &body.into(), |resource, span| shown.push((resource.clone(), span)))?;
    Ok(shown)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn headers(packing: &str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_str(packing).unwrap())])
}

#[test]
fn both_encodings_say_the_same() {
    let export = export(vec![span("one"), span("two")]);
    let proto = read(Encoding::Protobuf, export.encode_to_vec()).unwrap();
    assert_eq!(proto, read(Encoding::Json, serde_json::to_vec(&export).unwrap()).unwrap());
    let names: Vec<_> = proto.iter().map(|(_, span)| span.as_ref().unwrap().name.as_str()).collect();
    assert_eq!((names, proto[1].0.attributes[0].key.as_str()), (vec!["one", "two"], "service.name"));
    assert_eq!(read(Encoding::Protobuf, Vec::new()).unwrap(), []);
    assert_eq!(read(Encoding::Json, b"{\"later\": 1, \"resourceSpans\": [{}]}".to_vec()).unwrap(), []);
}

#[test]
fn a_body_that_is_none_is_refused_and_a_bad_span_alone_is_named() {
    for body in ["", "[1]", "{", "{\"resourceSpans\": [{\"scopeSpans\": 1}]}"] {
        let refused = read(Encoding::Json, body.into()).unwrap_err();
        assert_eq!(refused.kind, ProblemType::MALFORMED_REQUEST, "{body}");
    }
    for body in [vec![0xff], vec![0x0a, 5, 1], vec![0x0a, 2, 0x12, 9]] {
        assert_eq!(read(Encoding::Protobuf, body).unwrap_err().kind, ProblemType::MALFORMED_REQUEST);
    }
    let spans = r#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "xyz"}, {"name": "good"}]}]}]}"#;
    let shown = read(Encoding::Json, spans.into()).unwrap();
    assert!(shown[0].1.is_err());
    assert_eq!(shown[1].1.as_ref().unwrap().name, "good");
    let large = read(Encoding::Protobuf, export(vec![span(&"x".repeat(limits::OTLP_SPAN_MAX_BYTES))]).encode_to_vec());
    assert!(large.unwrap()[0].1.as_ref().unwrap_err().contains("at most"));
}

#[test]
fn spans_have_a_limit() {
    let export = export(vec![Span::default(); limits::OTLP_SPANS_MAX + 1]);
    for (encoding, body) in
        [(Encoding::Protobuf, export.encode_to_vec()), (Encoding::Json, serde_json::to_vec(&export).unwrap())]
    {
        assert_eq!(read(encoding, body).unwrap_err().kind, ProblemType::TOO_LARGE);
    }
}

#[test]
fn a_body_is_unpacked_as_far_as_it_may_be() {
    let plain = Bytes::from_static(b"plain");
    assert_eq!(unpacked(&HeaderMap::new(), plain.clone()).unwrap(), plain);
    assert_eq!(unpacked(&headers("identity"), plain.clone()).unwrap(), plain);
    assert_eq!(unpacked(&headers("GZIP"), gzip(b"plain").into()).unwrap(), plain);
    assert_eq!(unpacked(&headers("gzip"), plain.clone()).unwrap_err().kind, ProblemType::MALFORMED_REQUEST);
    assert_eq!(unpacked(&headers("br"), plain).unwrap_err().kind, ProblemType::UNSUPPORTED_MEDIA_TYPE);
    let (most, more) = (vec![0; limits::OTLP_BODY_MAX_BYTES], vec![0; limits::OTLP_BODY_MAX_BYTES + 1]);
    assert_eq!(unpacked(&headers("gzip"), gzip(&most).into()).unwrap().len(), most.len());
    assert_eq!(unpacked(&headers("gzip"), gzip(&more).into()).unwrap_err().kind, ProblemType::TOO_LARGE);
    assert_eq!(unpacked(&HeaderMap::new(), more.into()).unwrap_err().kind, ProblemType::TOO_LARGE);
}
