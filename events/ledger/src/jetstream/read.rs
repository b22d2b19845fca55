//! Reading a tenant: its head, one batch, or its chain page by page, checked as it is read.
//!
//! The way to an event is the chain: from the head back by `prev`, through what is known of it already, one get a batch.
//! Where the batches lie is then known, so a page is got with many gets under way.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use promptory_events::{BatchHeader, Cursor, Position, TenantId};

use super::Inner;
use super::marks::{Mark, Tip};
use crate::chain::{PAGE, Step};
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
                let marks = self.walk(tenant, index, &head).await?;
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

    /// Where the batches lie from the one that holds event `from` to `head`, oldest first. `from` is not beyond it.
    async fn walk(&self, tenant: &TenantId, from: u64, head: &(Recorded, BatchHeader)) -> Result<Vec<Mark>, ReadError> {
        let mut at = head.0.cursor.sequence;
        let mut header = head.1.clone();
        let mut back = vec![Mark::new(&header, at, head.0.bytes.len())];
        while header.first_index > from {
            let prev = before(&header, at)?;
            let known = self.marks.up_to(tenant, prev, from);
            let (batch, older) = self.batch(tenant, known.first().map_or(prev, |mark| mark.sequence)).await?;
            at = batch.cursor.sequence;
            if known.is_empty() {
                if Some(header.first_index) != older.last_index().checked_add(1) {
                    return Err(broken(&header, at, older.last_index()));
                }
                back.push(Mark::new(&older, at, batch.bytes.len()));
            } else {
                back.extend(known.iter().rev());
            }
            header = older;
        }
        back.reverse();
        self.marks.extend(tenant, &back, header.prev, Tip::new(&head.1, head.0.cursor.sequence));
        Ok(back)
    }
}

/// The sequence of the batch before one that is not the tenant's first.
fn before(header: &BatchHeader, sequence: u64) -> Result<u64, ReadError> {
    if header.prev == 0 || header.prev >= sequence {
        let place = format!("batch {sequence} of {} begins at event {}", header.tenant, header.first_index);
        return Err(ReadError::Corrupt(format!("the chain is broken: {place} and follows batch {}", header.prev)));
    }
    Ok(header.prev)
}

fn broken(header: &BatchHeader, sequence: u64, last_index: u64) -> ReadError {
    let (tenant, first) = (&header.tenant, header.first_index);
    let what = format!("the batch of {tenant} that begins at event {first} follows {sequence}");
    ReadError::Corrupt(format!("the chain is broken: {what}, which ends at event {last_index}"))
}

/// A tenant's batches in order, up to the head as it was when the reading began. Holds where each of them lies: 24 bytes
/// a batch.
pub struct JetStreamReader {
    inner: Arc<Inner>,
    tenant: TenantId,
    marks: Vec<Mark>,
    given: usize,
    step: Step,
}

impl JetStreamReader {
    pub(super) async fn new(inner: Arc<Inner>, tenant: TenantId, from: u64) -> Result<Self, ReadError> {
        let marks = match inner.last(&tenant).await? {
            Some(head) if from <= head.1.last_index() => inner.walk(&tenant, from, &head).await?,
            _ => Vec::new(),
        };
        Ok(Self { inner, tenant, marks, given: 0, step: Step::First(from) })
    }

    /// See [`crate::Reader::next`].
    ///
    /// # Errors
    /// The ledger can't be read or contradicts itself.
    pub async fn next(&mut self) -> Result<Vec<Recorded>, ReadError> {
        let wanted = self.page();
        let gets = wanted.iter().map(|mark| self.inner.batch(&self.tenant, mark.sequence));
        let got: Vec<_> = stream::iter(gets).buffered(GETS).try_collect().await?;
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
