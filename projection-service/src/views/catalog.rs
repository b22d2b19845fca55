//! The catalog: prompts with every past state, their versions, labels and keys, and who may read them.
//!
//! [`fold`] is pure: batches in order lead to the same rows, whether one by one or many at once, into sled or memory.
//! It works on [`Hot`] and never reads rows: what a change replaces follows from the state.

mod access;
pub mod answer;
mod apply;
mod identity;
pub mod past;
pub mod point;
mod releases;
pub mod row;
pub mod sight;
pub mod stage;
pub mod trail;

use promptory_events::{Batch, CodecError, Cursor, Incarnation, TenantId, Timestamp};

use crate::hot::Hot;
use crate::store::checkpoint::Checkpoint;
use stage::Staged;

/// The name of the view, in digests and as the name of its tree.
pub const VIEW: &str = "catalog-1";

/// The shape of the rows. A test pins the digest of a fixed history: if it changes, so must this number, and every
/// store is built anew on its next opening.
pub const FORMAT: u32 = 7;

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
pub fn fold(hot: &mut Hot, staged: &mut Staged, source: &Source, cursor: Cursor, batch: &Batch) -> Result<(), Broken> {
    fold_until(hot, staged, source, cursor, batch, u64::MAX)
}

/// As [`fold`], but not beyond the event `last`.
///
/// # Errors
/// As [`fold`].
pub fn fold_until(
    hot: &mut Hot,
    staged: &mut Staged,
    source: &Source,
    cursor: Cursor,
    batch: &Batch,
    last: u64,
) -> Result<(), Broken> {
    let header = &batch.header;
    if header.tenant != source.tenant || header.incarnation != source.incarnation {
        return Err(Broken::OtherLedger);
    }
    if hot.index.is_some_and(|known| header.last_index() <= known) {
        return Ok(());
    }
    follows(hot, cursor, batch)?;
    let (before, mark) = (hot.clone(), staged.mark());
    let folded = fold_events(hot, staged, cursor, batch, last);
    if folded.is_err() {
        *hot = before;
        staged.back_to(mark);
    }
    folded
}

/// Whether a batch is the next one, or the one in whose middle the state is.
fn follows(hot: &Hot, cursor: Cursor, batch: &Batch) -> Result<(), Broken> {
    let (header, expected) = (&batch.header, hot.next_index());
    if header.first_index > expected {
        return Err(Broken::Gap { expected, found: header.first_index });
    }
    let before = hot.cursor.map_or(0, |c| c.sequence);
    let within = header.first_index < expected;
    let (said, ours) = if within { (cursor.sequence, before) } else { (header.prev, before) };
    if said != ours {
        return Err(Broken::Chain { expected: ours, found: said });
    }
    if header.recorded_at < hot.recorded_at {
        return Err(Broken::Time { before: hot.recorded_at, after: header.recorded_at });
    }
    Ok(())
}

fn fold_events(hot: &mut Hot, staged: &mut Staged, cursor: Cursor, batch: &Batch, last: u64) -> Result<(), Broken> {
    let (header, known) = (&batch.header, hot.next_index());
    (hot.cursor, hot.recorded_at) = (Some(cursor), header.recorded_at);
    for (first, commit) in batch.indexed() {
        for (index, (event, bytes)) in (first..).zip(commit.decode_events()?.iter().zip(&commit.events)) {
            if index < known || index > last {
                continue;
            }
            let step =
                apply::Step { recorded_at: header.recorded_at, commit: &commit.header, first, index, event, bytes };
            apply::apply(hot, staged, &step)?;
            hot.index = Some(index);
            staged.border(Checkpoint {
                index,
                cursor,
                recorded_at: header.recorded_at,
                sum: hot.sum,
                quotas: hot.quotas,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
