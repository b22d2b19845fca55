//! The threads that the tenants' writers run on: their own, because everybody who writes waits for them. Among the
//! requests they would wait for their turn behind those that have not even been read.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// The writers' runtime, ended with its last owner without waiting: what its tasks have appended stays, and nobody is
/// left who would hear their answers.
#[derive(Debug)]
pub struct Threads(Option<Runtime>);

impl Threads {
    /// Half as many threads as the machine has cores, at least one.
    ///
    /// # Errors
    /// The system has no threads left.
    pub fn start() -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads((cores / 2).max(1)).thread_name("writer").enable_all();
        builder.build().map(Some).map(Self)
    }

    /// Runs a writer.
    pub fn spawn(&self, writer: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            runtime.spawn(writer);
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // A runtime may not wait for its threads inside another one.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
