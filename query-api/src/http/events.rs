//! What happened, by page or as a stream.

use axum::extract::{FromRequestParts, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::Response;
use promptory_platform::extract::Query;
use promptory_platform::{Presented, Problem};
use promptory_projection::ask::{Answer, Question};

use super::error::{ReadProblems, problem};
use super::params::{self, EventsParams};
use super::{App, render, respond, sse, wire};

/// How the events should come.
#[derive(Debug)]
pub enum Form {
    /// One page of JSON.
    Page,
    /// A stream, after the last event that the reader has seen, if it says so.
    Stream {
        /// `Last-Event-ID`.
        last_seen: Option<u64>,
    },
}

impl<S: Send + Sync> FromRequestParts<S> for Form {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let text = |name| parts.headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let accept = text(header::ACCEPT).unwrap_or_default();
        if !accept.split(',').any(|kind| kind.split(';').next().unwrap_or_default().trim() == "text/event-stream") {
            return Ok(Self::Page);
        }
        let last_seen = text(header::HeaderName::from_static("last-event-id")).filter(|id| !id.is_empty());
        let last_seen = last_seen.map(str::parse).transpose();
        let last_seen = last_seen.map_err(|_| Problem::field("Last-Event-ID", "must be an event's index"))?;
        Ok(Self::Stream { last_seen })
    }
}

/// What happened in this tenant, in order, as far as the caller may see it.
///
/// A page may have fewer events than asked for, or none, though more follow: go on from `next` until it stays the same.
///
/// With `Accept: text/event-stream` the events come as a stream: first those from `from` (or after `Last-Event-ID`),
/// then those that happen. The stream ends when the API key no longer opens.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "events",
    params(EventsParams, ("Last-Event-ID" = Option<u64>, Header, description = "Streams only: resume after this")),
    responses(
        (
            status = 200,
            content((wire::EventPage = "application/json"), (String = "text/event-stream")),
            description = "A page, or a stream of `id: <index>`, `event: <type>`, `data: <the event as JSON>`",
        ),
        ReadProblems,
    ),
    security(("api_key" = [])),
)]
pub async fn events(
    State(app): State<App>,
    presented: Presented,
    Query(params): Query<EventsParams>,
    form: Form,
) -> Result<Response, Problem> {
    match form {
        Form::Stream { last_seen } => {
            let from = last_seen.map_or(params.from, |index| index.saturating_add(1));
            sse::stream(&app, &presented, params.at_least, from).await
        }
        Form::Page => page(&app, &presented, &params).await,
    }
}

async fn page(app: &App, presented: &Presented, params: &EventsParams) -> Result<Response, Problem> {
    let question = Question::Events { from: params.from, limit: params::limit(params.limit) };
    let reply = app.read_side.ask(params::ask(presented, params.at_least, question)).await.map_err(problem)?;
    let Answer::Events(page) = reply.answer else { return Err(Problem::internal()) };
    Ok(respond::json(reply.as_of, render::events(&page.events, page.next)?))
}
