//! Reading a tenant: its head, one batch, or its chain page by page, checked as it is read.
//!
//! Where the batches lie is found by walking back from the head; a page is what the walk has kept, and what it has not is
//! got with many gets under way.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use promptory_events::{BatchHeader, Cursor, Position, TenantId};

use super::Inner;
use super::kept::Kept;
use super::marks::Mark;
use crate::chain::{PAGE, Step, header_of};
use crate::port::{Head, ReadError, Recorded};

/// Gets under way at once, of one page.
const GETS: usize = 32;

impl Inner {
    /// See [`crate::Ledger::head`].
    pub(super) async fn head(&self, tenant: &TenantId) -> Result<Option<Head>, ReadError> {
        let last = self.last(tenant).await?;
        Ok(last.map(|(batch, header)| Head {
            position: Position { incarnation: self.identity.incarnation, index: header.last_index() },
            cursor: Cursor { incarnation: self.identity.incarnation, sequence: batch.cursor.sequence },
            recorded_at: header.recorded_at,
        }))
    }

    /// See [`crate::Ledger::get`].
    pub(super) async fn get(&self, tenant: &TenantId, index: u64) -> Result<Option<Recorded>, ReadError> {
        let sequence = match self.marks.find(tenant, index) {
            Some(mark) => mark.sequence,
            None => {
                let Some(head) = self.last(tenant).await? else { return Ok(None) };
                if index > head.1.last_index() {
                    return Ok(None);
                }
                let marks = self.walk(tenant, index, &head, &Kept::new(self.room.clone())).await?;
                marks.first().map_or(head.0.cursor.sequence, |mark| mark.sequence)
            }
        };
        let (batch, header) = self.batch(tenant, sequence).await?;
        if (header.first_index..=header.last_index()).contains(&index) {
            Ok(Some(batch))
        } else {
            Err(ReadError::Corrupt(format!("event {index} of {tenant} is in no batch")))
        }
    }
}

/// A tenant's batches in order, up to the head as it was when the reading began. Holds where each of them lies, 24 bytes
/// a batch, and as many of them as there is room for.
pub struct JetStreamReader {
    inner: Arc<Inner>,
    tenant: TenantId,
    marks: Vec<Mark>,
    kept: Kept,
    given: usize,
    step: Step,
}

impl JetStreamReader {
    pub(super) async fn new(inner: Arc<Inner>, tenant: TenantId, from: u64) -> Result<Self, ReadError> {
        let kept = Kept::new(inner.room.clone());
        let marks = match inner.last(&tenant).await? {
            Some(head) if from <= head.1.last_index() => inner.walk(&tenant, from, &head, &kept).await?,
            _ => Vec::new(),
        };
        Ok(Self { inner, tenant, marks, kept, given: 0, step: Step::First(from) })
    }

    /// See [`crate::Reader::next`].
    ///
    /// # Errors
    /// The ledger can't be read or contradicts itself.
    pub async fn next(&mut self) -> Result<Vec<Recorded>, ReadError> {
        let wanted = self.page();
        let gets = wanted.iter().map(|mark| self.known_or_got(mark.sequence));
        // Boxed, because the compiler can't see through the closure that it is `Send`.
        let getting: BoxFuture<'_, Result<Vec<_>, _>> = Box::pin(stream::iter(gets).buffered(GETS).try_collect());
        let got = getting.await?;
        let (mut page, mut step) = (Vec::with_capacity(got.len()), self.step);
        for (batch, header) in got {
            step = step.after(&header, batch.cursor.sequence)?;
            page.push(batch);
        }
        // Only now, after the last await and the last check: what failed is asked for again.
        self.step = step;
        self.given += page.len();
        Ok(page)
    }

    async fn known_or_got(&self, sequence: u64) -> Result<(Recorded, BatchHeader), ReadError> {
        match self.kept.take(sequence) {
            Some(batch) => header_of(&batch, &self.tenant).map(|header| (batch, header)),
            None => self.inner.batch(&self.tenant, sequence).await,
        }
    }

    /// The next batches that make a page, at least one if any is left.
    fn page(&self) -> &[Mark] {
        let rest = &self.marks[self.given..];
        let mut bytes = 0;
        let fits = |mark: &&Mark| {
            let first = bytes == 0;
            bytes += mark.bytes as usize;
            first || bytes <= PAGE.bytes
        };
        &rest[..rest.iter().take(PAGE.batches).take_while(fits).count()]
    }
}
