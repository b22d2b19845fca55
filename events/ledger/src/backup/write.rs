//! Ledger to file, while it is written to: each partition from its beginning to its end as it was at the start.
//!
//! The end of the partition that holds `_system` is asked for last: so no tenant is in the file whose creation is not.
//! The keys are exported *after* this: a data key is durable before the event that needs it, so every key of an event in
//! the file is there by then; the other way round the newest events could lack theirs.

use bytes::Bytes;
use promptory_events::{BackupId, TenantId, Timestamp, partition};
use sha2::{Digest, Sha256};
use std::io;
use tokio::sync::mpsc;

use super::format::{self, BATCH, HEADER, ROLLUP, ROLLUPS, SUM, TENANT};
use super::lineage::Lineages;
use super::{BackupError, Contents, FORMAT, Header};
use crate::port::{Ledger, ReadError, Recorded, Tail};
use crate::usage::UsageLog;

/// After so many bytes comes a sum.
const SEGMENT_BYTES: usize = 4 * 1024 * 1024;
/// Bytes that are handed on at once, about.
const CHUNK_BYTES: usize = 256 * 1024;

/// Where the bytes of a backup go. A small queue: a slow taker slows the backup and nothing else.
pub type Sink = mpsc::Sender<io::Result<Bytes>>;

/// Writes a ledger's file into `sink`, with the rollups of a usage log if there is one. Whoever takes the bytes must look whether this ended well: a file without its end
/// is refused by every reader.
///
/// # Errors
/// The ledger can't be read, what is in it can't be so, or nobody takes the bytes.
pub async fn write(
    ledger: &Ledger,
    usage: Option<&UsageLog>,
    backup: BackupId,
    taken_at: Timestamp,
    sink: &Sink,
) -> Result<Contents, BackupError> {
    let mut sweep = Sweep::begin(ledger).await?;
    let header =
        Header { format: FORMAT, backup, incarnation: ledger.incarnation(), taken_at, ends: sweep.ends.clone() };
    let mut lineages = Lineages::new(header.incarnation);
    let mut out = Out { sink, chunk: Vec::new(), hasher: Sha256::new(), since_sum: 0 };
    out.chunk.extend_from_slice(format::LEDGER);
    out.json(HEADER, &header).await?;
    while let Some(page) = sweep.next(ledger).await? {
        for recorded in &page {
            let sequence = recorded.cursor.sequence;
            let tenant = lineages.take(sequence, &recorded.bytes)?.tenant;
            out.batch(&tenant, sequence, &recorded.bytes).await?;
        }
    }
    let mut tenants = Vec::new();
    for summary in lineages.summaries() {
        out.json(TENANT, &summary).await?;
        tenants.push(summary);
    }
    let rollups = match usage {
        Some(usage) => out.rollups(usage).await?,
        None => 0,
    };
    out.json(ROLLUPS, &rollups).await?;
    out.sum()?;
    out.hand_on().await?;
    Ok(Contents { header, tenants, rollups })
}

/// A walk over everything that is in a ledger when it begins.
pub(super) struct Sweep {
    pub(super) ends: Vec<u64>,
    partition: u16,
    /// The tail of the partition, and the last sequence that it gave.
    tail: Option<(Tail, u64)>,
}

impl Sweep {
    pub(super) async fn begin(ledger: &Ledger) -> Result<Self, ReadError> {
        let system = partition::of(&TenantId::system(), ledger.partitions());
        let mut ends = vec![0; ledger.partitions().into()];
        for partition in (0..ledger.partitions()).filter(|partition| *partition != system).chain([system]) {
            ends[usize::from(partition)] = ledger.end(partition).await?;
        }
        Ok(Self { ends, partition: 0, tail: None })
    }

    /// The next batches; `None` when all were given.
    pub(super) async fn next(&mut self, ledger: &Ledger) -> Result<Option<Vec<Recorded>>, ReadError> {
        loop {
            let Some(end) = self.ends.get(usize::from(self.partition)).copied() else { return Ok(None) };
            let at = self.tail.as_ref().map_or(0, |(_, at)| *at);
            if at >= end {
                (self.partition, self.tail) = (self.partition + 1, None);
                continue;
            }
            let (tail, at) = match &mut self.tail {
                Some(tail) => tail,
                None => self.tail.insert((ledger.tail(self.partition, None).await?, 0)),
            };
            let mut page = tail.next().await?;
            page.retain(|recorded| recorded.cursor.sequence <= end);
            // A tail promises this; a file that lacks a batch must not be taken for a whole one.
            if let Some((recorded, expected)) =
                page.iter().zip(*at + 1..).find(|(recorded, expected)| recorded.cursor.sequence != *expected)
            {
                let found = recorded.cursor.sequence;
                return Err(ReadError::Corrupt(format!("batch {expected} of {} is missing: {found}", self.partition)));
            }
            *at += page.len() as u64;
            return Ok(Some(page));
        }
    }
}

/// What is on its way out.
struct Out<'a> {
    sink: &'a Sink,
    chunk: Vec<u8>,
    /// Over all that was handed on.
    hasher: Sha256,
    since_sum: usize,
}

impl Out<'_> {
    async fn json(&mut self, kind: u8, value: &impl serde::Serialize) -> Result<(), BackupError> {
        let json = serde_json::to_vec(value).map_err(io::Error::other)?;
        format::put(&mut self.chunk, kind, &[&json])?;
        self.may_hand_on().await
    }

    async fn batch(&mut self, tenant: &TenantId, sequence: u64, bytes: &Bytes) -> Result<(), BackupError> {
        let tenant = tenant.as_str().as_bytes();
        let len = u8::try_from(tenant.len()).map_err(io::Error::other)?; // a tenant id has at most 63 bytes
        format::put(&mut self.chunk, BATCH, &[&sequence.to_le_bytes(), &[len], tenant, bytes])?;
        self.may_hand_on().await
    }

    /// Everything that is left of usage once the records have expired. What they say that is in no rollup yet is not in it.
    async fn rollups(&mut self, usage: &UsageLog) -> Result<u64, BackupError> {
        let mut count = 0;
        for tenant in usage.rolled_tenants().await? {
            let name = tenant.as_str().as_bytes();
            let len = u8::try_from(name.len()).map_err(io::Error::other)?;
            let mut after = 0;
            loop {
                let page = usage.rollups(&tenant, after).await?;
                let Some(last) = page.last() else { break };
                after = last.sequence;
                for rollup in &page {
                    format::put(&mut self.chunk, ROLLUP, &[&[len], name, &rollup.bytes])?;
                    self.may_hand_on().await?;
                    count += 1;
                }
            }
        }
        Ok(count)
    }

    async fn may_hand_on(&mut self) -> Result<(), BackupError> {
        if self.chunk.len() < CHUNK_BYTES {
            return Ok(());
        }
        if self.since_sum + self.chunk.len() >= SEGMENT_BYTES {
            self.sum()?;
        }
        self.hand_on().await
    }

    fn sum(&mut self) -> Result<(), BackupError> {
        let mut hasher = self.hasher.clone();
        hasher.update(&self.chunk);
        self.since_sum = 0;
        format::put(&mut self.chunk, SUM, &[&hasher.finalize()])
    }

    async fn hand_on(&mut self) -> Result<(), BackupError> {
        let chunk = std::mem::take(&mut self.chunk);
        self.hasher.update(&chunk);
        self.since_sum += chunk.len();
        self.sink.send(Ok(chunk.into())).await.map_err(|_| BackupError::Gone)
    }
}
