//! W3C trace contexts: read from a request, written into commits, joined again by the workers that read them.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use promptory_events::TraceContext;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The header is no `traceparent` of version 00.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a W3C traceparent")]
pub struct TraceParentError;

/// The trace and span that the caller runs in; `None` without a collector or outside of every recorded span.
#[must_use]
pub fn current_trace() -> Option<TraceContext> {
    let context = Span::current().context();
    let span = context.span().span_context().clone();
    span.is_valid().then(|| TraceContext {
        trace_id: span.trace_id().to_bytes(),
        span_id: span.span_id().to_bytes(),
        flags: span.trace_flags().to_u8(),
    })
}

/// Makes `span` a child of a span of another time or process. Call it before the span is first entered.
pub fn link(span: &Span, parent: &TraceContext) {
    let parent = SpanContext::new(
        TraceId::from_bytes(parent.trace_id),
        SpanId::from_bytes(parent.span_id),
        TraceFlags::new(parent.flags),
        true,
        TraceState::NONE,
    );
    // It fails where no span is recorded: then there is nothing to join.
    let _ = span.set_parent(Context::new().with_remote_span_context(parent));
}

/// Reads `00-<trace id>-<span id>-<flags>`.
///
/// # Errors
/// Another form, or one of the ids is all zeros.
pub fn parse_traceparent(text: &str) -> Result<TraceContext, TraceParentError> {
    let mut parts = text.trim().split('-');
    let mut part = || parts.next().ok_or(TraceParentError);
    let (version, trace_id, span_id, flags) = (part()?, part()?, part()?, part()?);
    // A later version may append parts; the first four keep their meaning. Version ff is forbidden.
    let [version] = hex(version)?;
    if version == 0xff || (version == 0 && parts.next().is_some()) {
        return Err(TraceParentError);
    }
    let [flags] = hex(flags)?;
    let context = TraceContext { trace_id: hex(trace_id)?, span_id: hex(span_id)?, flags };
    let valid = context.trace_id != [0; 16] && context.span_id != [0; 8];
    if valid { Ok(context) } else { Err(TraceParentError) }
}

fn hex<const N: usize>(text: &str) -> Result<[u8; N], TraceParentError> {
    let mut out = [0; N];
    let fits = text.len() == 2 * N;
    let whole = fits && data_encoding::HEXLOWER.decode_mut(text.as_bytes(), &mut out).is_ok();
    if whole { Ok(out) } else { Err(TraceParentError) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_is_read_strictly() {
        let context = parse_traceparent(GOOD).unwrap();
        assert_eq!((context.trace_id[0], context.span_id[7], context.flags), (0x0a, 0x31, 1));
        assert!(parse_traceparent(&GOOD.replacen("00-", "cc-", 1)).is_ok(), "a later version");
        let zero = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        for bad in ["", "00", zero, &GOOD.to_uppercase(), &GOOD[..50], &format!("{GOOD}-x"), "é"] {
            assert_eq!(parse_traceparent(bad), Err(TraceParentError), "{bad}");
        }
        assert!(parse_traceparent(&GOOD.replacen("00-", "ff-", 1)).is_err());
    }

    #[test]
    fn without_a_collector_there_is_no_trace() {
        let span = tracing::info_span!("alone");
        link(&span, &parse_traceparent(GOOD).unwrap());
        assert_eq!(span.in_scope(current_trace), None);
    }
}
