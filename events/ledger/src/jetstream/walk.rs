//! The way to an event: along the chain, from the head back by `prev`, through what is known of it already, one get a
//! batch.
//!
//! A long way is walked in lanes at once. Where a lane begins is asked of the stream (the tenant's first batch at or after
//! a sequence), and each must end at the beginning of the one below: so every link is seen, as on one walk. Where the
//! batches lie close together, a lane's are got ahead of it.

use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use promptory_events::{BatchHeader, TenantId};

use super::Inner;
use super::ahead::CLOSE;
use super::kept::Kept;
use super::layout::{stream_name, subject};
use super::marks::{Mark, Tip};
use crate::chain::header_of;
use crate::port::{ReadError, Recorded};

/// Lanes that are walked at once.
const LANES: usize = 16;
/// A way over fewer events is walked in one.
const LONG_EVENTS: u64 = 512;

/// A batch that was seen on the way.
#[derive(Clone)]
struct Seen {
    mark: Mark,
    header: BatchHeader,
}

impl Seen {
    fn new(batch: &Recorded, header: BatchHeader) -> Self {
        Self { mark: Mark::new(&header, batch.cursor.sequence, batch.bytes.len()), header }
    }

    /// The sequence of the batch before, which this, as it is not asked for of a tenant's first, must have.
    fn before(&self) -> Result<u64, ReadError> {
        if self.header.prev == 0 || self.header.prev >= self.mark.sequence {
            return Err(self.broken(&format!("follows batch {}", self.header.prev)));
        }
        Ok(self.header.prev)
    }

    /// Checks that this batch follows `older`, whose sequence is in its header.
    fn follows(&self, older: &Self) -> Result<(), ReadError> {
        let last = older.header.last_index();
        if last.checked_add(1) == Some(self.header.first_index) && older.header.recorded_at <= self.header.recorded_at {
            return Ok(());
        }
        Err(self.broken(&format!("follows batch {}, which ends at event {last}", older.mark.sequence)))
    }

    fn broken(&self, how: &str) -> ReadError {
        let (tenant, first) = (&self.header.tenant, self.header.first_index);
        let place = format!("batch {} of {tenant} begins at event {first}", self.mark.sequence);
        ReadError::Corrupt(format!("the chain is broken: {place} and {how}"))
    }
}

impl Inner {
    /// Where the batches lie from the one that holds event `from` to `head`, oldest first. `from` is not beyond it. Keeps
    /// what it got.
    pub(super) async fn walk(
        &self,
        tenant: &TenantId,
        from: u64,
        head: &(Recorded, BatchHeader),
        kept: &Kept,
    ) -> Result<Vec<Mark>, ReadError> {
        let mut at = Seen::new(&head.0, head.1.clone());
        let tip = Tip::new(&head.1, at.mark.sequence);
        let mut back = vec![at.mark];
        while at.header.first_index > from {
            let prev = at.before()?;
            let known = self.marks.up_to(tenant, prev, from);
            if let Some(oldest) = known.first() {
                back.extend(known.iter().rev());
                at = self.seen(tenant, oldest.sequence, kept).await?;
            } else if at.header.first_index - from > LONG_EVENTS {
                // Boxed, because the compiler can't see through the closures in it that it is `Send`.
                let lanes: BoxFuture<'_, _> = Box::pin(self.lanes(tenant, from, &at, &mut back, kept));
                at = lanes.await?;
            } else {
                let older = self.seen(tenant, prev, kept).await?;
                at.follows(&older)?;
                back.push(older.mark);
                at = older;
            }
        }
        back.reverse();
        self.marks.extend(tenant, &back, at.header.prev, tip);
        Ok(back)
    }

    async fn seen(&self, tenant: &TenantId, sequence: u64, kept: &Kept) -> Result<Seen, ReadError> {
        if let Some(batch) = kept.get(sequence) {
            let header = header_of(&batch, tenant)?;
            return Ok(Seen::new(&batch, header));
        }
        let (batch, header) = self.batch(tenant, sequence).await?;
        kept.keep(&batch);
        Ok(Seen::new(&batch, header))
    }

    /// Walks from `high` to the batch that holds `from` in many lanes; returns that batch. `back` gets them all.
    async fn lanes(
        &self,
        tenant: &TenantId,
        from: u64,
        high: &Seen,
        back: &mut Vec<Mark>,
        kept: &Kept,
    ) -> Result<Seen, ReadError> {
        let mut begins = self.begins(tenant, from, high).await?;
        let floor = begins.first().is_some_and(|oldest| oldest.header.first_index <= from);
        begins.push(high.clone());
        let gap = gap(&begins);
        // The lowest lane has no lower one to end at, and is not needed if its beginning holds the event already.
        let lows: Vec<_> = std::iter::once(None).chain(begins.iter().cloned().map(Some)).collect();
        let lanes: Vec<_> = lows.into_iter().zip(begins).skip(usize::from(floor)).collect();
        let walks = lanes.into_iter().rev().map(|(low, high)| self.lane(tenant, from, low, high, gap, kept));
        let walked: Vec<_> = stream::iter(walks).buffered(LANES).try_collect().await?;
        let mut last = high.clone();
        for seen in walked.into_iter().flatten() {
            back.push(seen.mark);
            last = seen;
        }
        Ok(last)
    }

    /// Batches of a tenant below `high` at about equal distances, oldest first, the oldest of them the last one that is
    /// not after the event `from`, if there is such a one.
    async fn begins(&self, tenant: &TenantId, from: u64, high: &Seen) -> Result<Vec<Seen>, ReadError> {
        let (partition, end) = (self.partition_of(tenant), high.mark.sequence);
        let stream = self.reads.impatient.get_stream_no_info(stream_name(partition)).await;
        let Ok(stream) = stream else { return Ok(Vec::new()) }; // asks nobody: it can't fail
        let subject = subject(partition, tenant);
        let (stream, subject) = (&stream, &subject);
        let probes = (0..LANES as u64).map(|lane| async move {
            let at = end / LANES as u64 * lane + 1;
            match stream.direct_get_next_for_subject(subject.clone(), Some(at)).await {
                Ok(message) => self.checked(tenant, &message).map(Some),
                // There is one lane less.
                Err(error) => {
                    tracing::debug!(%error, "no beginning of a lane");
                    Ok(None)
                }
            }
        });
        let found: Vec<_> = stream::iter(probes).buffered(LANES).try_collect().await?;
        let mut begins: Vec<_> = found.into_iter().flatten().map(|(batch, header)| Seen::new(&batch, header)).collect();
        begins.retain(|seen| seen.mark.sequence < end);
        begins.sort_by_key(|seen| seen.mark.sequence);
        begins.dedup_by_key(|seen| seen.mark.sequence);
        let not_needed = begins.partition_point(|seen| seen.header.first_index <= from).saturating_sub(1);
        begins.drain(..not_needed);
        Ok(begins)
    }

    /// The batches below `high`, newest first, down to `low` (which is one of them), or to the one that holds `from`.
    async fn lane(
        &self,
        tenant: &TenantId,
        from: u64,
        low: Option<Seen>,
        high: Seen,
        gap: u64,
        kept: &Kept,
    ) -> Result<Vec<Seen>, ReadError> {
        if let Some(low) = low.as_ref().filter(|_| gap <= CLOSE) {
            self.get_ahead(tenant, low.mark.sequence, high.mark.sequence, gap, kept).await;
        }
        let (mut at, mut out) = (high, Vec::new());
        while at.header.first_index > from {
            let prev = at.before()?;
            let older = match &low {
                Some(low) if prev == low.mark.sequence => low.clone(),
                Some(low) if prev < low.mark.sequence => {
                    return Err(at.broken(&format!("passes over batch {}", low.mark.sequence)));
                }
                _ => self.seen(tenant, prev, kept).await?,
            };
            at.follows(&older)?;
            out.push(older.clone());
            if low.as_ref().is_some_and(|low| low.mark.sequence == prev) {
                break;
            }
            at = older;
        }
        Ok(out)
    }
}

/// How far a tenant's batches lie apart, about: the median of some, of one at least.
fn gap(some: &[Seen]) -> u64 {
    let mut gaps: Vec<_> = some.iter().map(|seen| seen.mark.sequence.saturating_sub(seen.header.prev)).collect();
    let middle = gaps.len() / 2;
    *gaps.select_nth_unstable(middle).1
}
