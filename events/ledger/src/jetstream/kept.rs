//! Batches that were seen on the way back along a chain and will be read on the way forward: kept, so that they need not be
//! got twice. Bounded in bytes over all readings at once; what finds no room is got again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::port::Recorded;

/// For all readings together: the whole chain of a few ordinary tenants.
const BYTES: usize = 32 * 1024 * 1024;

/// How much is kept by all readings.
#[derive(Clone, Debug, Default)]
pub(super) struct Room(Arc<AtomicUsize>);

impl Room {
    fn take(&self, bytes: usize) -> bool {
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= BYTES);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What one reading keeps, by sequence.
#[derive(Debug)]
pub(super) struct Kept {
    room: Room,
    held: Mutex<HashMap<u64, Recorded>>,
}

impl Kept {
    pub(super) fn new(room: Room) -> Self {
        Self { room, held: Mutex::default() }
    }

    // Whole after every step, so a panic while it was held left it right.
    fn held(&self) -> MutexGuard<'_, HashMap<u64, Recorded>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a batch, if there is room; false: there is none.
    pub(super) fn keep(&self, batch: &Recorded) -> bool {
        if !self.room.take(batch.bytes.len()) {
            return false;
        }
        if let Some(twice) = self.held().insert(batch.cursor.sequence, batch.clone()) {
            self.room.give_back(twice.bytes.len());
        }
        true
    }

    /// A batch, which is kept on.
    pub(super) fn get(&self, sequence: u64) -> Option<Recorded> {
        self.held().get(&sequence).cloned()
    }

    /// Gives a batch, and keeps it no longer.
    pub(super) fn take(&self, sequence: u64) -> Option<Recorded> {
        let taken = self.held().remove(&sequence)?;
        self.room.give_back(taken.bytes.len());
        Some(taken)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let left = self.held().values().map(|batch| batch.bytes.len()).sum();
        self.room.give_back(left);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use promptory_events::{Cursor, Incarnation};

    use super::*;

    fn batch(sequence: u64, bytes: usize) -> Recorded {
        let cursor = Cursor { incarnation: Incarnation([1; 8]), sequence };
        Recorded { cursor, bytes: vec![0; bytes].into() }
    }

    #[test]
    fn readings_share_the_room_and_give_it_back() {
        let room = Room::default();
        let (one, other) = (Kept::new(room.clone()), Kept::new(room.clone()));
        assert_eq!([1, 1, 2, 3].map(|sequence| one.keep(&batch(sequence, BYTES / 2))), [true, true, true, false]);
        assert!(!other.keep(&batch(3, 1)) && other.take(3).is_none(), "the one holds all the room");
        assert_eq!(one.get(1).unwrap().bytes.len(), BYTES / 2);
        assert_eq!(one.take(1).unwrap().cursor.sequence, 1);
        assert!(one.take(1).is_none());
        other.keep(&batch(3, 1));
        assert!(other.take(3).is_some());
        drop(one);
        assert_eq!(room.0.load(Ordering::Relaxed), 0);
    }
}
