//! The load: clients on threads of their own, in a closed loop (the next request when the answer is there) or an open
//! one (requests are due at a rate, and what waits for a slow answer counts as slow too).

pub mod pace;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use hyper::Method;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::BenchError;
use super::client::{Connection, Request, uri};
use super::machine;
use super::prometheus::Buckets;

/// What the names of the driver's threads begin with, to tell their time from the server's.
pub const THREADS: &str = "bench-";
/// The longest latency that a histogram tells apart, in nanoseconds.
const LONGEST: u64 = 120_000_000_000;

/// Makes the request with a number for a client with a number.
pub type Make = Arc<dyn Fn(usize, u64) -> Request + Send + Sync>;

/// The driver's own threads.
#[derive(Debug)]
pub struct Load {
    runtime: Option<Runtime>,
    connects: AtomicU64,
}

impl Load {
    /// As many threads as the machine has cores.
    ///
    /// # Errors
    /// The system has no threads left.
    pub fn new() -> Result<Self, BenchError> {
        let mut builder = Builder::new_multi_thread();
        let runtime =
            builder.thread_name(format!("{THREADS}client")).worker_threads(machine::cores()).enable_all().build()?;
        Ok(Self { runtime: Some(runtime), connects: AtomicU64::new(0) })
    }

    /// Where the driver's tasks run.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.runtime.as_ref().expect("taken only when dropped").handle().clone()
    }

    /// Where a new set of clients begins to count its requests: no number comes twice in a run, so that no two texts
    /// that are made from them are the same.
    #[must_use]
    pub fn numbers(&self) -> u64 {
        self.connects.fetch_add(1, Ordering::Relaxed) << 32
    }

    /// Connects clients.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn connect(&self, address: SocketAddr, clients: usize) -> Result<Clients, BenchError> {
        let handle = self.handle();
        let sent = self.numbers();
        let mut connected = Vec::new();
        for number in 0..clients {
            let connection = handle.spawn(Connection::open(address)).await??;
            connected.push(Client { number, sent, connection });
        }
        Ok(Clients { handle, clients: connected })
    }

    /// A server's own histogram of the answers to reads of a route, as the router has it.
    ///
    /// # Errors
    /// It does not give its metrics.
    pub async fn histogram(&self, address: SocketAddr, route: &str) -> Result<Buckets, BenchError> {
        let target = uri("/metrics")?;
        let read = async move {
            let request = Request { method: Method::GET, target, authorization: None, body: Bytes::new() };
            Connection::open(address).await?.send(request).await
        };
        let text = self.handle().spawn(read).await??;
        Ok(Buckets::of_route(&String::from_utf8_lossy(&text), "GET", route))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // A runtime may not wait for its threads inside another one.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Connected clients; they go on counting their requests from one measurement to the next.
#[derive(Debug)]
pub struct Clients {
    handle: Handle,
    clients: Vec<Client>,
}

#[derive(Debug)]
struct Client {
    number: usize,
    sent: u64,
    connection: Connection,
}

/// What a measurement gave.
#[derive(Clone, Debug)]
pub struct Measured {
    /// From the first request to the last answer, in seconds.
    pub seconds: f64,
    /// Latencies in nanoseconds.
    pub latency: Histogram<u64>,
    /// Processor time of all threads but the driver's, where the system tells it.
    pub server_cpu: Option<Duration>,
}

impl Measured {
    /// Answers.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub fn done(&self) -> f64 {
        self.latency.len() as f64
    }

    /// Answers a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.done() / self.seconds
    }

    /// A quantile of the latencies in milliseconds.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub fn ms(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1e6
    }

    /// Processor time of the server for each answer in microseconds.
    #[must_use]
    pub fn server_us(&self) -> Option<f64> {
        self.server_cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / self.done().max(1.0))
    }
}

/// A histogram of latencies in nanoseconds, three digits exact.
#[must_use]
pub fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds are valid")
}

/// Takes a latency in; what is longer than the histogram reaches counts as its longest.
pub fn note(latency: &mut Histogram<u64>, took: Duration) {
    latency.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(LONGEST));
}

impl Clients {
    /// Every client sends, waits for the answer and sends again, at least once, for `time`.
    ///
    /// # Errors
    /// A connection broke or a request was refused.
    pub async fn closed(&mut self, time: Duration, make: &Make) -> Result<Measured, BenchError> {
        let until = Instant::now() + time;
        self.measure(|client| client.closed(until, make.clone())).await
    }

    /// Warms up, then measures.
    ///
    /// # Errors
    /// As [`Clients::closed`].
    pub async fn warm_closed(
        &mut self,
        warm_up: Duration,
        time: Duration,
        make: &Make,
    ) -> Result<Measured, BenchError> {
        self.closed(warm_up, make).await?;
        self.closed(time, make).await
    }

    /// Requests are due at `rate` a second, evenly, whether the answers come or not. A latency counts from when its
    /// request was due.
    ///
    /// # Errors
    /// As [`Clients::closed`].
    pub async fn open(&mut self, rate: f64, time: Duration, make: &Make) -> Result<Measured, BenchError> {
        let mut due = pace::start(rate, time, self.clients.len())?;
        self.measure(|client| client.open(due.remove(0), make.clone())).await
    }

    async fn measure<F>(&mut self, mut run: impl FnMut(Client) -> F) -> Result<Measured, BenchError>
    where
        F: Future<Output = Result<(Client, Histogram<u64>), BenchError>> + Send + 'static,
    {
        let (began, cpu) = (Instant::now(), machine::server_cpu());
        let running: Vec<_> = self.clients.drain(..).map(|client| self.handle.spawn(run(client))).collect();
        let (clients, latency) = gather(running).await?;
        self.clients = clients;
        let seconds = began.elapsed().as_secs_f64();
        let server_cpu = machine::server_cpu().zip(cpu).map(|(after, before)| after.saturating_sub(before));
        Ok(Measured { seconds, latency, server_cpu })
    }
}

type Ran = Result<(Client, Histogram<u64>), BenchError>;

async fn gather(running: Vec<JoinHandle<Ran>>) -> Result<(Vec<Client>, Histogram<u64>), BenchError> {
    let (mut clients, mut all) = (Vec::new(), latencies());
    for task in running {
        let (client, latency) = task.await??;
        all.add(latency).expect("both have the same bounds");
        clients.push(client);
    }
    Ok((clients, all))
}

impl Client {
    async fn closed(mut self, until: Instant, make: Make) -> Ran {
        let mut latency = latencies();
        loop {
            let sent = Instant::now();
            self.send(&make).await?;
            let now = Instant::now();
            note(&mut latency, now - sent);
            if now >= until {
                return Ok((self, latency));
            }
        }
    }

    async fn open(mut self, mut due: mpsc::Receiver<Instant>, make: Make) -> Ran {
        let mut latency = latencies();
        while let Some(due) = due.recv().await {
            self.send(&make).await?;
            note(&mut latency, due.elapsed());
        }
        Ok((self, latency))
    }

    async fn send(&mut self, make: &Make) -> Result<(), BenchError> {
        let request = make(self.number, self.sent);
        self.sent += 1;
        self.connection.send(request).await.map(drop)
    }
}
