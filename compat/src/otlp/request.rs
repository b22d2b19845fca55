//! A body -> its spans. Each layer is opened by itself, so that what is in it is counted before it is built: a small body can
//! not become much more than it is.

use std::io::Read;

use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use promptory_events::limits;
use promptory_platform::{Problem, ProblemType};
use prost::Message;
use serde::Deserialize;
use serde_json::value::RawValue;

/// How a body is written; the answer is written the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
}

impl Encoding {
    /// As the content type says; none for any other.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        match header(headers, &CONTENT_TYPE).split(';').next().unwrap_or_default().trim() {
            kind if kind.eq_ignore_ascii_case("application/x-protobuf") => Some(Self::Protobuf),
            kind if kind.eq_ignore_ascii_case("application/json") => Some(Self::Json),
            _ => None,
        }
    }

    /// The content type.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// A body as it was before it was packed with gzip, if it was.
///
/// # Errors
/// Packed in another way, badly, or larger than `OTLP_BODY_MAX_BYTES` when it is unpacked.
pub fn unpacked(headers: &HeaderMap, body: Bytes) -> Result<Bytes, Problem> {
    let packing = header(headers, &CONTENT_ENCODING).trim();
    let body = if packing.is_empty() || packing.eq_ignore_ascii_case("identity") {
        body
    } else if packing.eq_ignore_ascii_case("gzip") {
        let (mut plain, max) = (Vec::new(), limits::OTLP_BODY_MAX_BYTES as u64);
        let read = MultiGzDecoder::new(&body[..]).take(max + 1).read_to_end(&mut plain);
        read.map_err(|error| Problem::new(ProblemType::MALFORMED_REQUEST, format!("the body is no gzip: {error}")))?;
        plain.into()
    } else {
        let detail = "send the body as it is or with `Content-Encoding: gzip`";
        return Err(Problem::new(ProblemType::UNSUPPORTED_MEDIA_TYPE, detail));
    };
    if body.len() > limits::OTLP_BODY_MAX_BYTES {
        let detail = format!("an export may have {} bytes when it is unpacked", limits::OTLP_BODY_MAX_BYTES);
        return Err(Problem::new(ProblemType::TOO_LARGE, detail).with("limit", limits::OTLP_BODY_MAX_BYTES));
    }
    Ok(body)
}

/// Shows each span with what it comes from, in order; one that can't be read as why not.
///
/// # Errors
/// The body can't be read as a whole, or has more than `OTLP_SPANS_MAX` spans.
pub fn each_span(
    encoding: Encoding,
    body: &Bytes,
    mut show: impl FnMut(&Resource, Result<Span, String>),
) -> Result<(), Problem> {
    let mut left = limits::OTLP_SPANS_MAX;
    let mut show = |resource: &Resource, span| {
        left = left.checked_sub(1).ok_or_else(too_many)?;
        show(resource, span);
        Ok(())
    };
    match encoding {
        Encoding::Protobuf => protobuf(body, &mut show),
        Encoding::Json => json(body, &mut show),
    }
}

type Show<'s> = &'s mut dyn FnMut(&Resource, Result<Span, String>) -> Result<(), Problem>;

fn protobuf(body: &Bytes, show: Show<'_>) -> Result<(), Problem> {
    let wrong = |error: prost::DecodeError| malformed(&error.to_string());
    for resource in proto::Export::decode(body.clone()).map_err(wrong)?.resource_spans {
        let of = proto::ResourceSpans::decode(resource).map_err(wrong)?;
        let resource = of.resource.unwrap_or_default();
        for scope in of.scope_spans {
            for span in proto::ScopeSpans::decode(scope).map_err(wrong)?.spans {
                let read = sized(span.len()).and_then(|()| Span::decode(span).map_err(|error| error.to_string()));
                show(&resource, read)?;
            }
        }
    }
    Ok(())
}

fn json(body: &Bytes, show: Show<'_>) -> Result<(), Problem> {
    let wrong = |error: serde_json::Error| malformed(&error.to_string());
    let export: text::Export<'_> = serde_json::from_slice(body).map_err(wrong)?;
    for resource in export.resource_spans {
        let of: text::ResourceSpans<'_> = serde_json::from_str(resource.get()).map_err(wrong)?;
        let resource = of.resource.unwrap_or_default();
        for scope in of.scope_spans {
            let scope: text::ScopeSpans<'_> = serde_json::from_str(scope.get()).map_err(wrong)?;
            for span in scope.spans {
                let read = || serde_json::from_str(span.get()).map_err(|error| error.to_string());
                show(&resource, sized(span.get().len()).and_then(|()| read()))?;
            }
        }
    }
    Ok(())
}

fn sized(bytes: usize) -> Result<(), String> {
    let max = limits::OTLP_SPAN_MAX_BYTES;
    if bytes > max { Err(format!("has {bytes} bytes, at most {max}")) } else { Ok(()) }
}

fn malformed(why: &str) -> Problem {
    Problem::new(ProblemType::MALFORMED_REQUEST, format!("the body is no ExportTraceServiceRequest: {why}"))
}

fn too_many() -> Problem {
    let detail = format!("an export may have {} spans", limits::OTLP_SPANS_MAX);
    Problem::new(ProblemType::TOO_LARGE, detail).with("limit", limits::OTLP_SPANS_MAX)
}

fn header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The layers above a span, with what is below them as the bytes that it is.
mod proto {
    use bytes::Bytes;
    use opentelemetry_proto::tonic::resource::v1::Resource;

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Export {
        #[prost(bytes = "bytes", repeated, tag = "1")]
        pub resource_spans: Vec<Bytes>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct ResourceSpans {
        #[prost(message, optional, tag = "1")]
        pub resource: Option<Resource>,
        #[prost(bytes = "bytes", repeated, tag = "2")]
        pub scope_spans: Vec<Bytes>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct ScopeSpans {
        #[prost(bytes = "bytes", repeated, tag = "2")]
        pub spans: Vec<Bytes>,
    }
}

/// The same in JSON.
mod text {
    use super::{Deserialize, RawValue, Resource};

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub struct Export<'b> {
        #[serde(borrow, default)]
        pub resource_spans: Vec<&'b RawValue>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub struct ResourceSpans<'b> {
        #[serde(default)]
        pub resource: Option<Resource>,
        #[serde(borrow, default)]
        pub scope_spans: Vec<&'b RawValue>,
    }

    #[derive(Deserialize)]
    pub struct ScopeSpans<'b> {
        #[serde(borrow, default)]
        pub spans: Vec<&'b RawValue>,
    }
}

#[cfg(test)]
mod tests;
