//! Requests between our own processes over NATS: whoever listens on a subject answers, so many at once and no more.
//!
//! A request that finds no place is told so at once and never queued. Delivery is at most once: who asks has to be able
//! to ask again. An empty request only asks whether somebody listens, and gets an empty answer.

use std::sync::Arc;
use std::time::Duration;

use async_nats::client::{Request, RequestErrorKind};
use async_nats::connection::State;
use async_nats::service::{Service, ServiceExt};
use async_nats::{Client, service};
use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// After the listening has ended, requests under way have this long.
const DRAIN_WAIT: Duration = Duration::from_secs(10);
/// And their answers, to leave, this long.
const FLUSH_WAIT: Duration = Duration::from_secs(1);

/// How long it is waited for that a server knows who listens.
const HEARD_WAIT: Duration = Duration::from_secs(1);
/// How often it is seen whether the one process that was asked still listens.
const LOOK: Duration = Duration::from_millis(250);

/// A place to listen on can't be had.
#[derive(Debug, thiserror::Error)]
#[error("no answers can be given over NATS: {0}")]
pub struct ListenError(async_nats::Error);

/// Why a request got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Nobody listens. The request reached nobody.
    #[error("nobody listens")]
    Nobody,
    /// There is no connection. The request reached nobody.
    #[error("there is no connection to a NATS server")]
    NoConnection,
    /// No answer came in time, or the connection was lost: the request may have been done.
    #[error("no answer came: {0}")]
    Lost(String),
}

/// Where requests are answered.
#[derive(Clone, Debug)]
pub struct Place {
    /// The subject.
    pub subject: String,
    /// Those of one queue share the requests: one of them gets each.
    pub queue: String,
    /// As many as this has permits are answered at once.
    pub at_once: Arc<Semaphore>,
    /// What a request is told that finds none.
    pub busy: Bytes,
}

/// One service of this process, listening on some subjects.
#[derive(Debug)]
pub struct Answering {
    client: Client,
    service: Service,
    tasks: TaskTracker,
}

impl Answering {
    /// Registers a service under a name (`nats micro ls` shows it), listening on nothing yet.
    ///
    /// # Errors
    /// There is no connection.
    pub async fn start(client: Client, name: &str, description: &str) -> Result<Self, ListenError> {
        let builder = client.service_builder().description(description);
        let service = builder.start(name, env!("CARGO_PKG_VERSION")).await.map_err(ListenError)?;
        Ok(Self { client, service, tasks: TaskTracker::new() })
    }

    /// Listens on one more subject. When this returns, the server that this process is connected to knows it, and the others of its
    /// cluster a moment later. If the connection is lost meanwhile, it is known once there is one again.
    ///
    /// # Errors
    /// There is no connection.
    pub async fn listen<H, F>(&self, place: Place, handle: H) -> Result<(), ListenError>
    where
        H: Fn(Bytes) -> F + Send + Sync + 'static,
        F: Future<Output = Bytes> + Send + 'static,
    {
        let Place { subject, queue, at_once, busy } = place;
        let endpoint = self.service.endpoint_builder().name(subject.replace('.', "-")).queue_group(queue);
        let mut endpoint = endpoint.add(subject.clone()).await.map_err(ListenError)?;
        let tasks = self.tasks.clone();
        self.tasks.spawn(async move {
            while let Some(request) = endpoint.next().await {
                if request.message.payload.is_empty() {
                    respond(&request, Bytes::new()).await;
                    continue;
                }
                let Ok(permit) = at_once.clone().try_acquire_owned() else {
                    respond(&request, busy.clone()).await;
                    continue;
                };
                let answer = handle(request.message.payload.clone());
                tasks.spawn(async move {
                    respond(&request, answer.await).await;
                    drop(permit);
                });
            }
        });
        // On one connection what is sent first is taken first: this is answered once the server knows who listens.
        let _ = ask(&self.client, subject, Bytes::new(), HEARD_WAIT).await;
        Ok(())
    }

    /// Listens no more, and lets the requests under way finish.
    pub async fn stop(self) {
        if let Err(error) = self.service.stop().await {
            tracing::debug!(%error, "a service ended badly");
        }
        self.tasks.close();
        if tokio::time::timeout(DRAIN_WAIT, self.tasks.wait()).await.is_err() {
            tracing::warn!(requests = self.tasks.len(), "ending with requests over NATS under way");
        }
        // Without a connection nobody waits for the answers any more.
        let _ = tokio::time::timeout(FLUSH_WAIT, self.client.flush()).await;
    }
}

async fn respond(request: &service::Request, answer: Bytes) {
    if let Err(error) = request.respond(Ok(answer)).await {
        tracing::debug!(%error, "an answer could not be sent");
    }
}

/// Asks whoever listens on a subject, and waits for the answer so long.
///
/// # Errors
/// There was none; [`NoAnswer`] says whether the request may have been done.
pub async fn ask(client: &Client, subject: String, request: Bytes, patience: Duration) -> Result<Bytes, NoAnswer> {
    if client.connection_state() != State::Connected {
        // What is sent now would wait in memory and be answered to nobody.
        return Err(NoAnswer::NoConnection);
    }
    let request = Request::new().payload(request).timeout(Some(patience));
    match client.send_request(subject, request).await {
        Ok(message) => Ok(message.payload),
        Err(error) => Err(match error.kind() {
            RequestErrorKind::NoResponders => NoAnswer::Nobody,
            RequestErrorKind::TimedOut => NoAnswer::Lost(format!("not within {} ms", patience.as_millis())),
            _ => NoAnswer::Lost(error.to_string()),
        }),
    }
}

/// The same where one process listens and no other: if that is gone, no answer is waited for any more.
///
/// # Errors
/// As [`ask`]; who is gone with the request in its hands may have done it.
pub async fn ask_one(client: &Client, subject: String, request: Bytes, patience: Duration) -> Result<Bytes, NoAnswer> {
    let gone = gone(client, subject.clone());
    tokio::select! {
        answer = ask(client, subject, request, patience) => answer,
        () = gone => Err(NoAnswer::Lost("who was asked is gone".to_owned())),
    }
}

/// Returns once nobody listens. Who does not answer listens.
async fn gone(client: &Client, subject: String) {
    loop {
        tokio::time::sleep(LOOK).await;
        if ask(client, subject.clone(), Bytes::new(), LOOK).await == Err(NoAnswer::Nobody) {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
