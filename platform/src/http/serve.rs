//! The HTTP/1.1 server.
//!
//! Written on hyper's connections because `axum::serve` has no time limit for heads. An answer leaves in one write:
//! hyper queues head and body and hands both to one `writev`, and with Nagle's algorithm off it leaves at once.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections at once; more wait in the listener's own bounded queue.
const CONNECTIONS_MAX: usize = 16_384;
/// A head may have this many bytes, and so may what is read ahead: it bounds the memory of a connection.
const HEAD_MAX_BYTES: usize = 64 * 1024;
/// A head must be whole within this; it also ends connections that are kept open and unused.
const HEAD_WAIT: Duration = Duration::from_secs(60);
/// After a failed accept (mostly: no file handles left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// After shutdown began, requests under way have this long.
const DRAIN_WAIT: Duration = Duration::from_secs(20);

/// Answers connections until `shutdown` is cancelled, then lets requests under way finish.
///
/// # Errors
/// The listener has no address: it is closed.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) -> io::Result<()> {
    tracing::info!(address = %listener.local_addr()?, "listening");
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let tasks = TaskTracker::new();
    while let Some((stream, place)) = next(&listener, &connections, &shutdown).await {
        let io = TokioIo::new(stream);
        let connection = http().serve_connection(io, TowerToHyperService::new(router.clone()));
        let connection = graceful.watch(connection);
        tasks.spawn(async move {
            // A client that goes away in the middle is no event of ours.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    tasks.close();
    let drained = async {
        graceful.shutdown().await;
        tasks.wait().await;
    };
    if tokio::time::timeout(DRAIN_WAIT, drained).await.is_err() {
        tracing::warn!(connections = tasks.len(), "shutting down with requests under way");
    }
    Ok(())
}

fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WAIT).max_buf_size(HEAD_MAX_BYTES);
    http
}

/// The next connection with its place; `None` on shutdown.
async fn next(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let accepted = async {
        // A place first: whoever finds none stays in the listener's queue.
        let place = Arc::clone(connections).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) if stream.set_nodelay(true).is_ok() => return Some((stream, place)),
                Ok(_) => {} // gone already
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = shutdown.cancelled() => None,
        accepted = accepted => accepted,
    }
}
