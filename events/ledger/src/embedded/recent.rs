//! The batches that were just committed, for the tails: they are handed on without a read and without a copy.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::chain::Page;
use crate::port::Recorded;

/// For all partitions together.
const BYTES: usize = 8 * 1024 * 1024;

/// A partition's newest batches, dense, bounded in bytes.
pub(super) struct Recent {
    budget: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    batches: VecDeque<Recorded>,
    bytes: usize,
}

impl Recent {
    /// One of `partitions` that share the memory.
    pub(super) fn new(partitions: usize) -> Self {
        Self { budget: BYTES / partitions.max(1), held: Mutex::default() }
    }

    // A panic while it was held leaves at worst an older state, and a tail then reads the file.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the next batch; the oldest make room.
    pub(super) fn push(&self, batch: Recorded) {
        let mut held = self.held();
        held.bytes += batch.bytes.len();
        held.batches.push_back(batch);
        while held.bytes > self.budget {
            match held.batches.pop_front() {
                Some(oldest) => held.bytes -= oldest.bytes.len(),
                None => break,
            }
        }
    }

    /// The batches from sequence `first` on, up to a page; `None` if `first` is not held.
    pub(super) fn from(&self, first: u64, page: Page) -> Option<Vec<Recorded>> {
        let held = self.held();
        let oldest = held.batches.front()?.cursor.sequence;
        let skip = usize::try_from(first.checked_sub(oldest)?).ok()?;
        let mut bytes = 0;
        let fits = |batch: &&Recorded| {
            let fits = bytes == 0 || bytes + batch.bytes.len() <= page.bytes;
            bytes += batch.bytes.len();
            fits
        };
        let found: Vec<_> = held.batches.iter().skip(skip).take(page.batches).take_while(fits).cloned().collect();
        if found.is_empty() { None } else { Some(found) }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use promptory_events::{Cursor, Incarnation};

    use super::Page;
    use super::*;

    fn batch(sequence: u64, len: usize) -> Recorded {
        let cursor = Cursor { incarnation: Incarnation([1; 8]), sequence };
        Recorded { cursor, bytes: Bytes::from(vec![0; len]) }
    }

    fn sequences(recent: &Recent, first: u64, page: Page) -> Option<Vec<u64>> {
        recent.from(first, page).map(|found| found.iter().map(|b| b.cursor.sequence).collect())
    }

    #[test]
    fn the_oldest_make_room_and_what_is_gone_is_read_from_the_file() {
        let recent = Recent::new(1);
        let third = BYTES / 3;
        (1..=4).for_each(|sequence| recent.push(batch(sequence, third)));
        let all = Page { batches: 9, bytes: BYTES };
        assert_eq!(sequences(&recent, 1, all), None);
        assert_eq!(sequences(&recent, 2, all), Some(vec![2, 3, 4]));
        assert_eq!(sequences(&recent, 5, all), None);
        assert_eq!(sequences(&recent, 2, Page { batches: 2, bytes: BYTES }), Some(vec![2, 3]));
        assert_eq!(sequences(&recent, 2, Page { batches: 9, bytes: 1 }), Some(vec![2]), "never less than one");
        recent.push(batch(5, BYTES + 1));
        assert_eq!(sequences(&recent, 5, all), None, "too large to be kept");
    }
}
