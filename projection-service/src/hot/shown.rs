//! When each API key was last shown by a reader to this process. Not an event and not on a disk: a hint for whoever cleans
//! up keys, told by the second.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{PoisonError, RwLock};

use promptory_events::{KeyId, Timestamp};

use super::access::{Reader, Shown};

/// Times closer than this are not told apart, so that a busy key is not written for each request.
const STEP_MICROS: i64 = 1_000_000;

/// When keys were last shown. Only keys that opened are noted, so it has no more entries than the tenant has keys.
#[derive(Debug, Default)]
pub struct LastShown(RwLock<HashMap<KeyId, AtomicI64>>);

impl LastShown {
    /// Takes note of a reader who was let in by a key.
    pub fn note_reader(&self, reader: &Reader) {
        if let Shown::Key(key) = reader.shown {
            self.note(key, reader.now);
        }
    }

    /// Takes note of a key that opened.
    pub fn note(&self, key: KeyId, now: Timestamp) {
        if let Some(last) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            if now.micros() - last.load(Ordering::Relaxed) >= STEP_MICROS {
                last.store(now.micros(), Ordering::Relaxed);
            }
            return;
        }
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key, AtomicI64::new(now.micros()));
    }

    /// When a key was last shown, if it was since this process began.
    #[must_use]
    pub fn of(&self, key: KeyId) -> Option<Timestamp> {
        let shown = self.0.read().unwrap_or_else(PoisonError::into_inner);
        shown.get(&key).map(|last| Timestamp::from_micros(last.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_time_counts_by_the_second() {
        let (shown, key) = (LastShown::default(), KeyId([1; 8]));
        assert_eq!(shown.of(key), None);
        let at = Timestamp::from_micros;
        for (now, told) in [(5, 5), (6, 5), (1_000_005, 1_000_005), (2, 1_000_005)] {
            shown.note(key, at(now));
            assert_eq!(shown.of(key), Some(at(told)));
        }
    }
}
