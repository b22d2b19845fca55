//! JetStream alone: guarded publishes of one message a command, into streams that are set like the ledger's, by nothing but
//! the client library.
//!
//! A guard names the message before, so on one subject a publish waits for the answer to the one before it. That is what a
//! tenant's commands would do without batches.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::Subject;
use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, Context, ErrorCode};
use bytes::Bytes;
use hdrhistogram::Histogram;
use promptory_events::{TenantId, partition};
use tokio::sync::Mutex;

use super::super::load::{Measured, latencies, note};
use super::super::{Bench, BenchError};
use super::account::Account;

/// What servers of a cluster say now and then while the message before is acknowledged already but still noted as on its way.
const IN_FLIGHT: ErrorCode = ErrorCode(10164);
const IN_FLIGHT_PAUSE: Duration = Duration::from_millis(1);

/// What the subjects begin with.
const FIRST: &str = "raw";

/// Streams like the ledger's, with a subject a tenant.
#[derive(Debug)]
pub struct Raw {
    context: Context,
    payload: Bytes,
    subjects: Arc<Vec<Guarded>>,
}

/// A subject, and the sequence of its last message.
#[derive(Debug)]
struct Guarded {
    subject: Subject,
    last: Mutex<u64>,
}

impl Raw {
    /// Makes them. Each message is `payload`.
    ///
    /// # Errors
    /// The servers refuse.
    pub async fn make(
        bench: &Bench,
        account: &Account,
        tenants: &[TenantId],
        payload: Bytes,
    ) -> Result<Self, BenchError> {
        account.make_others(FIRST).await?;
        let partitions = account.partitions();
        let guarded = |tenant| {
            let subject = format!("{FIRST}.{}.{tenant}", partition::of(tenant, partitions)).into();
            Guarded { subject, last: Mutex::new(0) }
        };
        let subjects = Arc::new(tenants.iter().map(guarded).collect());
        // One connection, as the ledger has one for its appends; with the driver's threads for its own.
        let options = account.options.clone();
        let connecting = async move { options.connect("promptory bench: raw").await };
        let client = bench.load.handle().spawn(connecting).await?.map_err(crate::stores::StoreError::from)?.client();
        Ok(Self { context: async_nats::jetstream::new(client), payload, subjects })
    }

    /// So many publishers go on for `time`, each on its own of the first `subjects` subjects as far as there are enough.
    ///
    /// # Errors
    /// The servers refuse a message.
    pub async fn measure(
        &self,
        bench: &Bench,
        publishers: usize,
        subjects: usize,
        time: Duration,
    ) -> Result<Measured, BenchError> {
        let (began, until) = (Instant::now(), Instant::now() + time);
        let publisher = |number: usize| {
            let (context, payload, all) = (self.context.clone(), self.payload.clone(), self.subjects.clone());
            let at = number % subjects.clamp(1, all.len());
            bench.load.handle().spawn(async move { publish(&context, &all[at], &payload, until).await })
        };
        let running: Vec<_> = (0..publishers).map(publisher).collect();
        let mut latency = latencies();
        for task in running {
            latency.add(task.await??).expect("both have the same bounds");
        }
        Ok(Measured { seconds: began.elapsed().as_secs_f64(), latency, server_cpu: None })
    }
}

async fn publish(
    context: &Context,
    guarded: &Guarded,
    payload: &Bytes,
    until: Instant,
) -> Result<Histogram<u64>, BenchError> {
    let mut latency = latencies();
    let failed = |error: PublishError| BenchError::Store(error.to_string());
    loop {
        let sent = Instant::now();
        let mut last = guarded.last.lock().await;
        *last = loop {
            let message = PublishMessage::build().payload(payload.clone()).expected_last_subject_sequence(*last);
            let acknowledged = context.send_publish(guarded.subject.clone(), message).await.map_err(failed)?;
            match acknowledged.await {
                Ok(acknowledged) => break acknowledged.sequence,
                Err(error) if in_flight(&error) => tokio::time::sleep(IN_FLIGHT_PAUSE).await,
                Err(error) => return Err(failed(error)),
            }
        };
        drop(last);
        let now = Instant::now();
        note(&mut latency, now - sent);
        if now >= until {
            return Ok(latency);
        }
    }
}

fn in_flight(error: &PublishError) -> bool {
    let said = std::error::Error::source(error).and_then(|source| source.downcast_ref::<jetstream::Error>());
    said.is_some_and(|said| said.error_code() == IN_FLIGHT)
}
