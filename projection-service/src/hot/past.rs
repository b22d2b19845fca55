//! Past states that were folded lately, bounded and shared by all tenants of the process: the pages of one listing fold once, and
//! a question about a later point goes on from an earlier one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::store::key::Area;
use crate::views::catalog::past::Past;

/// States that are kept, of all tenants together.
const STATES_MAX: usize = 256;
/// Changes that those have come of, which is about their size: some 64 MiB, less what states of one tenant share.
const CHANGES_MAX: u64 = 65_536;

/// A tenant as a number of this process, an area, and the last event that had changed it: the state depends on nothing else.
type Key = (u64, Area, u64);

/// A state that was folded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folded {
    /// What it is.
    pub past: Arc<Past>,
    /// How many events it has come of.
    pub changes: u64,
}

/// The past states.
#[derive(Debug, Default)]
pub struct PastCache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// Each with when it was used last, counted in uses.
    states: BTreeMap<Key, (Folded, u64)>,
    uses: u64,
    changes: u64,
}

impl PastCache {
    /// The latest state of an area that is not later than the event `last`, and the event that it is after.
    pub(crate) fn until(&self, tenant: u64, area: Area, last: u64) -> Option<(u64, Folded)> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.uses += 1;
        let now = kept.uses;
        let (key, (folded, used)) = kept.states.range_mut((tenant, area, 0)..=(tenant, area, last)).next_back()?;
        *used = now;
        Some((key.2, folded.clone()))
    }

    /// Keeps a state; those that were not used for longest make room for it. One that is too large alone is not kept.
    pub(crate) fn put(&self, tenant: u64, area: Area, last: u64, folded: Folded) {
        if folded.changes > CHANGES_MAX {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.uses += 1;
        kept.changes += folded.changes;
        let now = kept.uses;
        if let Some((before, _)) = kept.states.insert((tenant, area, last), (folded, now)) {
            kept.changes -= before.changes;
        }
        while kept.states.len() > STATES_MAX || kept.changes > CHANGES_MAX {
            let oldest = kept.states.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| *key);
            let Some((gone, _)) = oldest.and_then(|key| kept.states.remove(&key)) else { break };
            kept.changes -= gone.changes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(changes: u64) -> Folded {
        Folded { changes, ..Folded::default() }
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room_and_a_later_point_begins_at_an_earlier_one() {
        let cache = PastCache::default();
        let until = |tenant, last| cache.until(tenant, Area::Access, last).map(|(index, _)| index);
        cache.put(1, Area::Access, 10, folded(CHANGES_MAX / 2));
        cache.put(1, Area::Access, 20, folded(CHANGES_MAX / 2));
        assert_eq!((until(1, 9), until(1, 15), until(1, 99), until(2, 99)), (None, Some(10), Some(20), None));
        assert!(cache.until(1, Area::Releases, 99).is_none());
        assert_eq!(until(1, 10), Some(10), "used last");
        cache.put(2, Area::Access, 5, folded(1));
        assert_eq!((until(1, 99), until(2, 5)), (Some(10), Some(5)));
        cache.put(1, Area::Access, 30, folded(CHANGES_MAX + 1));
        assert_eq!(until(1, 99), Some(10), "too large alone");
        for last in 0..2 * STATES_MAX as u64 {
            cache.put(3, Area::Releases, last, folded(0));
        }
        assert!(cache.0.lock().unwrap().states.len() <= STATES_MAX);
    }
}
