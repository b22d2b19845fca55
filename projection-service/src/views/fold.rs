//! From a batch to changed rows, for every view alike. Pure: batches in order lead to the same rows, whether one by one or
//! many at once, into sled or memory.

use bytes::Bytes;
use promptory_events::{Batch, CodecError, CommitHeader, Cursor, Event, Incarnation, TenantId, Timestamp};

use super::stage::Staged;
use super::{Head, View};
use crate::store::checkpoint::Checkpoint;

/// An event and what is said about it.
#[derive(Debug)]
pub struct Step<'a> {
    /// When the batch was recorded.
    pub recorded_at: Timestamp,
    /// Of the commit.
    pub commit: &'a CommitHeader,
    /// The index of the commit's first event.
    pub first: u64,
    /// The index of the event.
    pub index: u64,
    /// The event.
    pub event: &'a Event,
    /// Its bytes, as the ledger has them.
    pub bytes: &'a Bytes,
}

impl Step<'_> {
    pub(crate) fn broken(&self, reason: &'static str) -> Broken {
        Broken::Event { index: self.index, reason }
    }
}

/// Why a batch can't be folded. The tenant's projection stops at it; no event is ever skipped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The batch or an event in it can't be read.
    #[error("a batch can't be read: {0}")]
    Codec(#[from] CodecError),
    /// A batch of another tenant or another life of the ledger.
    #[error("a batch of another ledger")]
    OtherLedger,
    /// Events are missing.
    #[error("the events {expected} to {found} are missing")]
    Gap {
        /// The index that comes next.
        expected: u64,
        /// The index that came.
        found: u64,
    },
    /// The batch does not follow the one before it.
    #[error("batch {found} does not follow batch {expected}")]
    Chain {
        /// The sequence of the batch before.
        expected: u64,
        /// The one that the batch says it follows.
        found: u64,
    },
    /// The recorded time goes back.
    #[error("the recorded time goes back from {before} to {after}")]
    Time {
        /// Of the batch before.
        before: Timestamp,
        /// Of this one.
        after: Timestamp,
    },
    /// An event that can't follow on those before it.
    #[error("event {index} can't follow: {reason}")]
    Event {
        /// Its index.
        index: u64,
        /// What it contradicts.
        reason: &'static str,
    },
}

/// Whose batches are folded, from which life of the ledger.
#[derive(Clone, Debug)]
pub struct Source {
    /// The tenant.
    pub tenant: TenantId,
    /// The life.
    pub incarnation: Incarnation,
}

/// Folds a batch into the state and stages the rows that it changes. Events that the state already knows are left out.
///
/// # Errors
/// The batch can't be folded; state and rows are as they were.
pub fn fold<V: View>(
    view: &mut V,
    staged: &mut Staged<V::Kept>,
    source: &Source,
    cursor: Cursor,
    batch: &Batch,
) -> Result<(), Broken> {
    fold_until(view, staged, source, cursor, batch, u64::MAX)
}

/// As [`fold`], but not beyond the event `last`.
///
/// # Errors
/// As [`fold`].
pub fn fold_until<V: View>(
    view: &mut V,
    staged: &mut Staged<V::Kept>,
    source: &Source,
    cursor: Cursor,
    batch: &Batch,
    last: u64,
) -> Result<(), Broken> {
    let header = &batch.header;
    if header.tenant != source.tenant || header.incarnation != source.incarnation {
        return Err(Broken::OtherLedger);
    }
    let head = view.head();
    if head.index.is_some_and(|known| header.last_index() <= known) {
        return Ok(());
    }
    follows(&head, cursor, batch)?;
    let (before, mark) = (view.clone(), staged.mark());
    let folded = fold_events(view, staged, source, cursor, batch, last);
    if folded.is_err() {
        *view = before;
        staged.back_to(mark);
    }
    folded
}

/// Whether a batch is the next one, or the one in whose middle the state is.
fn follows(head: &Head, cursor: Cursor, batch: &Batch) -> Result<(), Broken> {
    let (header, expected) = (&batch.header, head.index.map_or(0, |index| index + 1));
    if header.first_index > expected {
        return Err(Broken::Gap { expected, found: header.first_index });
    }
    let before = head.cursor.map_or(0, |c| c.sequence);
    let within = header.first_index < expected;
    let (said, ours) = if within { (cursor.sequence, before) } else { (header.prev, before) };
    if said != ours {
        return Err(Broken::Chain { expected: ours, found: said });
    }
    if header.recorded_at < head.recorded_at {
        return Err(Broken::Time { before: head.recorded_at, after: header.recorded_at });
    }
    Ok(())
}

fn fold_events<V: View>(
    view: &mut V,
    staged: &mut Staged<V::Kept>,
    source: &Source,
    cursor: Cursor,
    batch: &Batch,
    last: u64,
) -> Result<(), Broken> {
    let (header, known) = (&batch.header, view.next());
    view.set_head(Head { cursor: Some(cursor), recorded_at: header.recorded_at, ..view.head() });
    for (first, commit) in batch.indexed() {
        for (index, (event, bytes)) in (first..).zip(commit.decode_events()?.iter().zip(&commit.events)) {
            if index < known || index > last {
                continue;
            }
            if let Some(prompt) = event.prompt() {
                staged.touch(prompt);
            }
            let (recorded_at, commit) = (header.recorded_at, &commit.header);
            view.apply(staged, source, &Step { recorded_at, commit, first, index, event, bytes })?;
            let head = Head { index: Some(index), ..view.head() };
            view.set_head(head);
            staged.border(Checkpoint { index, cursor, recorded_at, sum: head.sum, kept: view.kept() });
        }
    }
    Ok(())
}
