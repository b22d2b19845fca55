//! Work that may wait: on a thread of its own, behind everything that somebody waits for.

use std::{io, thread};

use tokio::sync::oneshot;

/// How far behind: while both cores are busy it gets about a quarter of what others get.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

/// Does the work on such a thread. Threads that the work starts are behind, too: they inherit it.
///
/// # Errors
/// There can't be another thread, or the work panicked.
pub(crate) async fn behind<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (tell, told) = oneshot::channel();
    thread::Builder::new().name("behind".to_owned()).spawn(move || {
        // On Linux a thread has it for itself; elsewhere it would be the whole process.
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::nice(NICE) {
            tracing::debug!(%error, "this work is not behind the rest");
        }
        let _ = tell.send(work()); // who waited may be gone
    })?;
    told.await.map_err(|_| io::Error::other("the work panicked"))
}
