//! sled and redb alone, with the very bytes that the projection and the ledger write.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use promptory_events::{Batch, TenantId};
use promptory_ledger::Ledger;
use promptory_projection::hot::Hot;
use promptory_projection::store::key::family;
use promptory_projection::store::rows::Row;
use promptory_projection::views::catalog::stage::Staged;
use promptory_projection::views::catalog::{Source, VIEW, fold};
use redb::{Database, TableDefinition};

use super::super::BenchError;

// What the projection's store is opened and written with; see its module `store`.
const BATCH_OPS: usize = 400;
const BATCH_BYTES: usize = 1024 * 1024;
const SEGMENT_BYTES: usize = 256 * 1024;
const CACHE_BYTES: u64 = 4 * 1024 * 1024;
const FLUSH_OPS: usize = 4_000;
/// Rows and bytes that it folds before it writes.
const STAGE_ROWS: usize = 2_000;
const STAGE_BYTES: usize = 4 * 1024 * 1024;
/// About what a checkpoint takes.
const CHECKPOINT: [u8; 64] = [0; 64];

/// The ledger's own table has the same form of key.
const BATCHES: TableDefinition<'_, (u16, u64), &[u8]> = TableDefinition::new("batches");

/// What a tenant's ledger holds, and what its projection writes for it, in order.
#[derive(Debug)]
pub struct Recording {
    batches: Vec<Vec<Row>>,
    messages: Vec<Bytes>,
    events: u64,
}

impl Recording {
    /// Folds a ledger and keeps the rows in the batches in which the store gets them.
    ///
    /// # Errors
    /// The ledger can't be read or folded.
    pub async fn of(ledger: &Ledger, tenant: &TenantId) -> Result<Self, BenchError> {
        let source = Source { tenant: tenant.clone(), incarnation: ledger.incarnation() };
        let mut recording = Self { batches: Vec::new(), messages: Vec::new(), events: 0 };
        let (mut hot, mut staged) = (Hot::default(), Staged::default());
        let mut reader = ledger.read(tenant, 0).await?;
        loop {
            let page = reader.next().await?;
            for recorded in &page {
                let batch = Batch::parse(recorded.bytes.clone()).map_err(failed)?;
                fold(&mut hot, &mut staged, &source, recorded.cursor, &batch).map_err(failed)?;
                recording.messages.push(recorded.bytes.clone());
                if staged.len() >= STAGE_ROWS || staged.bytes() >= STAGE_BYTES {
                    recording.keep(&mut staged);
                }
            }
            if page.is_empty() {
                recording.keep(&mut staged);
                recording.events = hot.next_index();
                return Ok(recording);
            }
        }
    }

    fn keep(&mut self, staged: &mut Staged) {
        let parts = staged.parts(BATCH_OPS - 1, BATCH_BYTES).into_iter().map(|(rows, _)| rows);
        self.batches.extend(parts);
    }

    /// Events in it.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub fn events(&self) -> f64 {
        self.events as f64
    }

    /// Rows that the projection writes for it, checkpoints included.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub fn rows(&self) -> f64 {
        self.batches.iter().map(|batch| batch.len() + 1).sum::<usize>() as f64
    }

    /// Writes the rows into a fresh sled in the same batches. Gives the seconds.
    ///
    /// # Errors
    /// sled says so.
    pub async fn sled(self: Arc<Self>, path: PathBuf) -> Result<f64, BenchError> {
        tokio::task::spawn_blocking(move || self.sled_blocking(&path).map_err(failed)).await?
    }

    fn sled_blocking(&self, path: &PathBuf) -> sled::Result<f64> {
        let config = sled::Config::new().path(path).segment_size(SEGMENT_BYTES).cache_capacity(CACHE_BYTES);
        let began = Instant::now();
        let db = config.flush_every_ms(None).open()?;
        let tree = db.open_tree(VIEW)?;
        let mut unflushed = 0;
        for rows in &self.batches {
            let mut batch = sled::Batch::default();
            rows.iter().for_each(|(key, value)| batch.insert(key.as_slice(), value.as_slice()));
            batch.insert(&[family::CHECKPOINT], &CHECKPOINT[..]);
            tree.apply_batch(batch)?;
            unflushed += rows.len() + 1;
            if unflushed >= FLUSH_OPS {
                unflushed = 0;
                db.flush()?;
            }
        }
        Ok(began.elapsed().as_secs_f64())
    }

    /// Writes the ledger's messages into a fresh redb, in as many durable commits as sled got batches (or one for each
    /// message, if there are fewer). Gives the number of commits and the seconds.
    ///
    /// # Errors
    /// redb says so.
    pub async fn redb(self: Arc<Self>, path: PathBuf) -> Result<(f64, f64), BenchError> {
        tokio::task::spawn_blocking(move || self.redb_blocking(&path).map_err(failed)).await?
    }

    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    fn redb_blocking(&self, path: &PathBuf) -> Result<(f64, f64), redb::Error> {
        let db = Database::create(path)?;
        let per_commit = self.messages.len().div_ceil(self.batches.len().max(1)).max(1);
        let (began, mut sequence) = (Instant::now(), 0);
        for messages in self.messages.chunks(per_commit) {
            let write = db.begin_write()?; // durable on commit: redb's default
            let mut table = write.open_table(BATCHES)?;
            for message in messages {
                sequence += 1;
                table.insert((0, sequence), message.as_ref())?;
            }
            drop(table);
            write.commit()?;
        }
        let commits = self.messages.len().div_ceil(per_commit);
        Ok((commits as f64, began.elapsed().as_secs_f64()))
    }
}

fn failed(error: impl std::fmt::Display) -> BenchError {
    BenchError::Store(error.to_string())
}
