//! Following a partition: what is there, then what comes, in order and without a gap.

use std::sync::Arc;

use promptory_events::Cursor;
use tokio::sync::watch;

use super::Shared;
use super::tables::{BATCHES, read_error};
use crate::chain::PAGE;
use crate::port::{ReadError, Recorded};

/// A partition's batches, live. Ends with an error when the ledger it follows is closed.
pub struct EmbeddedTail {
    shared: Arc<Shared>,
    partition: u16,
    /// The last sequence that was given.
    after: u64,
    committed: watch::Receiver<u64>,
}

impl EmbeddedTail {
    pub(super) fn new(shared: Arc<Shared>, partition: u16, after: Option<Cursor>) -> Result<Self, ReadError> {
        let known = shared.partitions.get(usize::from(partition));
        // Subscribe before replay: what is committed from here on wakes the tail.
        let committed = known
            .map(|known| known.committed.clone())
            .ok_or_else(|| ReadError::Unavailable(format!("there is no partition {partition}")))?;
        let end = *committed.borrow();
        let incarnation = shared.incarnation;
        match after {
            Some(cursor) if cursor.incarnation != incarnation => {
                let other = cursor.incarnation;
                Err(ReadError::Corrupt(format!("the cursor is of incarnation {other}, the ledger is {incarnation}")))
            }
            Some(Cursor { sequence, .. }) if sequence > end => {
                Err(ReadError::Corrupt(format!("the cursor {sequence} is beyond the end {end}")))
            }
            _ => Ok(Self { shared, partition, after: after.map_or(0, |cursor| cursor.sequence), committed }),
        }
    }

    /// See [`crate::Tail::next`].
    ///
    /// # Errors
    /// The file can't be read or contradicts itself; the ledger was closed.
    pub async fn next(&mut self) -> Result<Vec<Recorded>, ReadError> {
        loop {
            let end = *self.committed.borrow_and_update();
            if end > self.after {
                let page = self.page(end).await?;
                // Only now, after the last await: a dropped future has taken nothing.
                self.after += page.len() as u64;
                return Ok(page);
            }
            let changed = self.committed.changed().await;
            changed.map_err(|_| ReadError::Unavailable("the ledger was closed".to_owned()))?;
        }
    }

    async fn page(&self, end: u64) -> Result<Vec<Recorded>, ReadError> {
        let (first, partition) = (self.after + 1, self.partition);
        if let Some(page) = self.shared.partitions[usize::from(partition)].recent.from(first, PAGE) {
            return Ok(page);
        }
        let shared = self.shared.clone();
        let task = tokio::task::spawn_blocking(move || shared.replay(partition, first, end));
        task.await.map_err(|e| ReadError::Unavailable(e.to_string()))?
    }
}

impl Shared {
    /// Batches of a partition from `first` up to `end`, a page at most, at least one.
    pub(super) fn replay(&self, partition: u16, first: u64, end: u64) -> Result<Vec<Recorded>, ReadError> {
        let txn = self.begin()?;
        let batches = txn.open_table(BATCHES).map_err(read_error)?;
        let (mut page, mut bytes, mut next) = (Vec::new(), 0, first);
        for entry in batches.range((partition, first)..=(partition, end)).map_err(read_error)? {
            let (key, value) = entry.map_err(read_error)?;
            if !page.is_empty() && (page.len() >= PAGE.batches || bytes + value.value().len() > PAGE.bytes) {
                return Ok(page);
            }
            if key.value().1 != next {
                break;
            }
            let batch = self.recorded(next, value.value());
            bytes += batch.bytes.len();
            page.push(batch);
            next += 1;
        }
        if next > end { Ok(page) } else { Err(ReadError::Corrupt(format!("batch {next} of {partition} is missing"))) }
    }
}
