//! From callers that wait to the client that does not: a thread with a runtime of its own holds the connection and does
//! what callers hand it. The queue is bounded, and nobody waits longer than they said.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout_at;

use super::super::KeyStoreError;

/// Questions that may wait for the thread.
const QUEUE: usize = 256;
/// Questions that are with the servers at once.
const UNDER_WAY: usize = 64;
/// The thread keeps the time itself; this is for one that gets no processor.
const GRACE: Duration = Duration::from_millis(250);

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;
type Job<C> = Box<dyn FnOnce(Arc<C>) -> Running + Send>;

/// The way to a client `C`. Dropping it ends the thread and the connection.
pub(super) struct Door<C> {
    queue: Option<mpsc::Sender<Job<C>>>,
    thread: Option<JoinHandle<()>>,
}

impl<C: Send + Sync + 'static> Door<C> {
    /// Starts the thread and makes the client in it; waits for that.
    pub(super) async fn open<E, F>(connect: F) -> Result<Self, E>
    where
        F: Future<Output = Result<C, E>> + Send + 'static,
        E: From<io::Error> + Send + 'static,
    {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let (opened, opening) = oneshot::channel();
        let thread = std::thread::Builder::new().name("key-stream".to_owned());
        let thread = thread.spawn(move || run(connect, jobs, opened))?;
        // Not in a door yet: who stops waiting here leaves the thread to end by itself.
        match opening.await {
            Ok(result) => result.map(|()| Self { queue: Some(queue), thread: Some(thread) }),
            Err(_) => Err(io::Error::other("the key store's thread ended").into()),
        }
    }

    /// Hands a question to the thread and waits for its answer until `until`, and no longer.
    pub(super) fn ask<T, F, A>(&self, until: Instant, question: F) -> Result<T, KeyStoreError>
    where
        F: FnOnce(Arc<C>) -> A + Send + 'static,
        A: Future<Output = Result<T, KeyStoreError>> + Send + 'static,
        T: Send + 'static,
    {
        let (answer, answered) = sync_channel(1);
        let job: Job<C> = Box::new(move |client| {
            Box::pin(async move {
                let result = timeout_at(until.into(), question(client)).await;
                let _ = answer.send(result.unwrap_or_else(|_| Err(too_long()))); // or nobody waits any more
            })
        });
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => KeyStoreError::Storage("too many wait for the servers".to_owned()),
            TrySendError::Closed(_) => gone(),
        })?;
        let patience = until.saturating_duration_since(Instant::now()) + GRACE;
        answered.recv_timeout(patience).unwrap_or_else(|error| match error {
            RecvTimeoutError::Timeout => Err(too_long()),
            RecvTimeoutError::Disconnected => Err(gone()),
        })
    }
}

fn too_long() -> KeyStoreError {
    KeyStoreError::Storage("the servers did not answer in time".to_owned())
}

fn gone() -> KeyStoreError {
    KeyStoreError::Storage("the key store's thread did not answer".to_owned())
}

fn run<C, E, F>(connect: F, mut jobs: mpsc::Receiver<Job<C>>, mut opened: oneshot::Sender<Result<(), E>>)
where
    C: Send + Sync + 'static,
    E: From<io::Error>,
    F: Future<Output = Result<C, E>>,
{
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = opened.send(Err(error.into()));
            return;
        }
    };
    runtime.block_on(async {
        let connected = tokio::select! {
            connected = connect => connected,
            () = opened.closed() => return, // who opened it has left
        };
        let client = match connected {
            Ok(client) => Arc::new(client),
            Err(error) => {
                let _ = opened.send(Err(error));
                return;
            }
        };
        if opened.send(Ok(())).is_err() {
            return;
        }
        let room = Arc::new(Semaphore::new(UNDER_WAY));
        while let Some(job) = jobs.recv().await {
            let Ok(place) = room.clone().acquire_owned().await else { return };
            let running = job(client.clone());
            tokio::spawn(async move {
                running.await;
                drop(place);
            });
        }
    });
}

impl<C> Drop for Door<C> {
    fn drop(&mut self) {
        self.queue = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the key store's thread had panicked");
        }
    }
}
