//! The events as a stream that a reader can leave and resume.
//!
//! Nothing is queued for a reader: a page is asked for when its connection has taken the one before, so a slow reader
//! costs one page of memory and delays nobody. Every page and every heartbeat asks anew and so checks the key anew.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use promptory_events::Position;
use promptory_platform::{Presented, Problem, ProblemType};
use promptory_projection::ask::{Answer, Ask, AskError, EventsAnswer, Question};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::error::problem;
use super::{App, params, render, respond};
use crate::read_side::ReadSide;

/// After so long without an event a comment is sent, so that nothing between takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Events asked for at once.
const PAGE: usize = 100;
/// When nobody answers for the moment: how long to wait, and how often, before the stream ends.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSES: u32 = 60;
/// How long a reader should wait before it comes back.
const OPENING: &[u8] = b"retry: 1000\n\n";

/// Answers with the events from index `from` on, for as long as the key opens.
///
/// # Errors
/// As any read; too many streams are open.
pub async fn stream(
    app: &App,
    presented: &Presented,
    at_least: Option<Position>,
    from: u64,
) -> Result<Response, Problem> {
    let place = Arc::clone(&app.streams).try_acquire_owned();
    let place = place.map_err(|_| Problem::new(ProblemType::OVERLOADED, "as many streams as allowed are open"))?;
    // Let in first: a stranger must not make us watch a tenant that may not even exist.
    let admission = params::ask(presented, at_least, Question::Events { from, limit: 1 });
    let admitted = app.read_side.ask(admission.clone()).await.map_err(problem)?;
    // Subscribe before replay: what comes after the last page that is replayed has then been announced to us.
    let announced = app.read_side.follow(presented.tenant());
    let ask = Ask { at_least: None, ..admission };
    let reader =
        Reader { read_side: app.read_side.clone(), ask, next: from, announced, pauses: 0, _open: Open::new(place) };
    let opening = futures::stream::once(async { Ok::<_, Infallible>(Bytes::from_static(OPENING)) });
    let events = futures::stream::unfold(reader, |mut reader| async {
        let frames = reader.frames().await?;
        Some((Ok(frames), reader))
    });
    let mut response = Response::new(Body::from_stream(futures::StreamExt::chain(opening, events)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    respond::position(headers, admitted.as_of);
    Ok(response)
}

/// Where one reader stands.
struct Reader {
    read_side: ReadSide,
    ask: Ask,
    /// The index of the event that it gets next.
    next: u64,
    announced: watch::Receiver<Option<Position>>,
    /// How often in a row nobody answered.
    pauses: u32,
    _open: Open,
}

impl Reader {
    /// The next frames: events, or a heartbeat if there are none. `None`: the stream is over.
    async fn frames(&mut self) -> Option<Bytes> {
        loop {
            // Seen first, asked then: what is announced while we ask wakes us below.
            let announced = *self.announced.borrow_and_update();
            let EventsAnswer { events, next } = match self.page(announced).await {
                Ok(page) => page,
                Err(error) if error.passes() && self.pauses < PAUSES => {
                    self.pauses += 1;
                    tokio::time::sleep(PAUSE).await;
                    // Also shows whether the reader is still there.
                    return Some(Bytes::from_static(b": waiting\n\n"));
                }
                Err(error) => {
                    tracing::debug!(tenant.id = %self.ask.tenant, %error, "an event stream ends");
                    return None;
                }
            };
            self.pauses = 0;
            let looked_at_some = next > self.next;
            self.next = next;
            if !events.is_empty() {
                return render::event_frames(&events).ok();
            }
            if looked_at_some {
                continue; // none of those may be seen by this reader; more may follow
            }
            match tokio::time::timeout(HEARTBEAT, self.announced.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return None, // the read side is gone
                Err(_) => return Some(Bytes::from_static(b": heartbeat\n\n")),
            }
        }
    }

    /// The next page of a model that is as far as was announced: another replica may answer than the one that did.
    async fn page(&mut self, announced: Option<Position>) -> Result<EventsAnswer, AskError> {
        let mut ask = Ask { at_least: announced, ..self.ask.clone() };
        ask.question = Question::Events { from: self.next, limit: PAGE };
        match self.read_side.ask(ask).await?.answer {
            Answer::Events(page) => Ok(page),
            _ => Err(AskError::Unavailable("another answer than asked for".to_owned())),
        }
    }
}

/// Counts the open streams.
struct Open {
    _place: OwnedSemaphorePermit,
}

impl Open {
    fn new(place: OwnedSemaphorePermit) -> Self {
        metrics::gauge!("promptory_event_streams").increment(1);
        Self { _place: place }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::gauge!("promptory_event_streams").decrement(1);
    }
}
