//! Where a tenant's batches lie: a stretch of each tenant's chain up to the last batch that was seen.
//!
//! Disposable: all of it can be found again by walking back from the head. Bounded in bytes over all tenants.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use promptory_events::{BatchHeader, TenantId};

/// For all tenants together.
const BYTES: usize = 32 * 1024 * 1024;
/// What a tenant costs beside its marks, about.
const TENANT_BYTES: usize = 256;
const MARK_BYTES: usize = size_of::<Mark>();

/// A batch: the index of its first event, its sequence, its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) first_index: u64,
    pub(super) sequence: u64,
    pub(super) bytes: u32,
}

impl Mark {
    pub(super) fn new(header: &BatchHeader, sequence: u64, bytes: usize) -> Self {
        // A batch has 6 MiB at most; another size only makes a page smaller or larger.
        Self { first_index: header.first_index, sequence, bytes: u32::try_from(bytes).unwrap_or(u32::MAX) }
    }
}

/// The last batch that was seen of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tip {
    pub(super) sequence: u64,
    pub(super) last_index: u64,
    /// In microseconds.
    pub(super) recorded_at: i64,
}

impl Tip {
    pub(super) fn new(header: &BatchHeader, sequence: u64) -> Self {
        Self { sequence, last_index: header.last_index(), recorded_at: header.recorded_at.micros() }
    }
}

/// Each mark's batch is the predecessor of the next one's; the last one's is the tip. Never empty.
struct Chain {
    marks: VecDeque<Mark>,
    tip: Tip,
}

impl Chain {
    fn bytes(&self) -> usize {
        TENANT_BYTES + self.marks.len() * MARK_BYTES
    }

    fn first_sequence(&self) -> u64 {
        self.marks.front().map_or(0, |mark| mark.sequence)
    }
}

pub(super) struct Marks {
    budget: usize,
    held: Mutex<Held>,
}

struct Held {
    chains: LruCache<TenantId, Chain>,
    bytes: usize,
}

impl Marks {
    pub(super) fn new() -> Self {
        Self::with_budget(BYTES)
    }

    fn with_budget(budget: usize) -> Self {
        Self { budget, held: Mutex::new(Held { chains: LruCache::unbounded(), bytes: 0 }) }
    }

    // A panic while it was held leaves the count of bytes wrong at worst.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tip(&self, tenant: &TenantId) -> Option<Tip> {
        self.held().chains.get(tenant).map(|chain| chain.tip)
    }

    /// One more batch of a tenant was seen.
    pub(super) fn note(&self, tenant: &TenantId, header: &BatchHeader, sequence: u64, bytes: usize) {
        self.extend(tenant, &[Mark::new(header, sequence, bytes)], header.prev, Tip::new(header, sequence));
    }

    /// A stretch of a tenant's chain was seen: `run`, oldest first, after the batch `prev`, up to `tip`.
    pub(super) fn extend(&self, tenant: &TenantId, run: &[Mark], prev: u64, tip: Tip) {
        let Some(first) = run.first() else { return };
        let mut held = self.held();
        let (before, after) = match held.chains.get_mut(tenant) {
            None => {
                let chain = Chain { marks: run.iter().copied().collect(), tip };
                let after = chain.bytes();
                held.chains.put(tenant.clone(), chain);
                (0, after)
            }
            Some(chain) => {
                let before = chain.bytes();
                join(chain, run, first.sequence, prev, tip);
                (before, chain.bytes())
            }
        };
        held.bytes = held.bytes + after - before;
        self.make_room(&mut held, tenant);
    }

    fn make_room(&self, held: &mut Held, tenant: &TenantId) {
        // One tenant has a quarter at most: it loses its oldest half.
        if let Some(chain) = held.chains.get_mut(tenant).filter(|chain| chain.bytes() > self.budget / 4) {
            let before = chain.bytes();
            chain.marks.drain(..chain.marks.len() / 2);
            chain.marks.shrink_to_fit();
            held.bytes = held.bytes + chain.bytes() - before;
        }
        while held.bytes > self.budget {
            match held.chains.pop_lru() {
                Some((_, chain)) => held.bytes -= chain.bytes(),
                None => break,
            }
        }
    }

    /// Where the batch lies that holds event `index`, if it is in the known stretch.
    pub(super) fn find(&self, tenant: &TenantId, index: u64) -> Option<Mark> {
        let mut held = self.held();
        let chain = held.chains.get(tenant)?;
        if index > chain.tip.last_index {
            return None;
        }
        let after = chain.marks.partition_point(|mark| mark.first_index <= index);
        chain.marks.get(after.checked_sub(1)?).copied()
    }

    /// The known batches up to the one with sequence `last`, oldest first, from the one that holds event `from` if it is
    /// known, else from the oldest known one. Empty if `last` is not known.
    pub(super) fn up_to(&self, tenant: &TenantId, last: u64, from: u64) -> Vec<Mark> {
        let mut held = self.held();
        let Some(chain) = held.chains.get(tenant) else { return Vec::new() };
        let Ok(end) = chain.marks.binary_search_by_key(&last, |mark| mark.sequence) else { return Vec::new() };
        let start = chain.marks.partition_point(|mark| mark.first_index <= from).saturating_sub(1);
        chain.marks.range(start.min(end)..=end).copied().collect()
    }
}

/// Puts two stretches of one chain together, where they touch; otherwise the newer one stays.
fn join(chain: &mut Chain, run: &[Mark], first: u64, prev: u64, tip: Tip) {
    let known_last = chain.tip.sequence;
    let newer = tip.sequence > known_last;
    if first <= chain.first_sequence() && tip.sequence >= chain.first_sequence() {
        // It reaches further back, and into what is known.
        let older: VecDeque<Mark> = if newer {
            run.iter().copied().collect()
        } else {
            let known = std::mem::take(&mut chain.marks);
            let before = known.front().map_or(0, |mark| mark.sequence);
            run.iter().copied().take_while(|mark| mark.sequence < before).chain(known).collect()
        };
        chain.marks = older;
    } else if newer && (prev == known_last || first <= known_last) {
        chain.marks.extend(run.iter().copied().filter(|mark| mark.sequence > known_last));
    } else if newer {
        chain.marks = run.iter().copied().collect();
    }
    if newer {
        chain.tip = tip;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// Batch n (from 1) has the events 2n-2 and 2n-1 and the sequence 10n.
    fn run(batches: std::ops::RangeInclusive<u64>) -> (Vec<Mark>, u64, Tip) {
        let tip = Tip { sequence: batches.end() * 10, last_index: batches.end() * 2 - 1, recorded_at: 0 };
        let prev = (batches.start() - 1) * 10;
        let mark = |n| Mark { first_index: n * 2 - 2, sequence: n * 10, bytes: 1 };
        (batches.map(mark).collect(), prev, tip)
    }

    fn marks(runs: &[std::ops::RangeInclusive<u64>]) -> (Marks, TenantId) {
        let (marks, tenant) = (Marks::new(), "acme".parse().unwrap());
        for batches in runs {
            let (run, prev, tip) = run(batches.clone());
            marks.extend(&tenant, &run, prev, tip);
        }
        (marks, tenant)
    }

    fn known(runs: &[std::ops::RangeInclusive<u64>]) -> Vec<u64> {
        let (marks, tenant) = marks(runs);
        let last = marks.tip(&tenant).unwrap().sequence;
        marks.up_to(&tenant, last, 0).iter().map(|mark| mark.sequence / 10).collect()
    }

    #[test]
    fn stretches_that_touch_are_one() {
        assert_eq!(known(&[1..=2, 3..=3]), [1, 2, 3], "an append");
        assert_eq!(known(&[3..=4, 1..=4]), [1, 2, 3, 4], "a walk further back");
        assert_eq!(known(&[3..=4, 1..=5]), [1, 2, 3, 4, 5]);
        assert_eq!(known(&[3..=6, 1..=4]), [1, 2, 3, 4, 5, 6], "a walk that began before the last appends");
        assert_eq!(known(&[1..=3, 2..=5]), [1, 2, 3, 4, 5]);
        assert_eq!(known(&[1..=5, 2..=3]), [1, 2, 3, 4, 5], "nothing new");
        assert_eq!(known(&[1..=2, 5..=6]), [5, 6], "a hole between them: the newer one stays");
        assert_eq!(known(&[5..=6, 1..=2]), [5, 6]);
    }

    #[test]
    fn an_event_is_found_in_the_known_stretch_alone() {
        let (marks, tenant) = marks(&[3..=5]);
        let find = |index| marks.find(&tenant, index).map(|mark| mark.sequence / 10);
        assert_eq!([3, 4, 5, 9, 10].map(find), [None, Some(3), Some(3), Some(5), None]);
        let up_to = |last, from| marks.up_to(&tenant, last, from).iter().map(|m| m.sequence / 10).collect::<Vec<_>>();
        assert_eq!(up_to(40, 0), [3, 4]);
        assert_eq!(up_to(50, 7), [4, 5]);
        assert_eq!(up_to(40, 9), [4]);
        assert_eq!(up_to(45, 0), [0_u64; 0]);
    }

    #[test]
    fn memory_is_bounded_over_all_tenants_and_for_one() {
        let marks = Marks::with_budget(64 * 1024);
        for n in 0..1000 {
            let (run, prev, tip) = run(1..=8);
            marks.extend(&format!("t{n}").parse().unwrap(), &run, prev, tip);
        }
        assert!(marks.held().bytes <= 64 * 1024);
        assert!(marks.tip(&"t999".parse().unwrap()).is_some() && marks.tip(&"t0".parse().unwrap()).is_none());
        let tenant: TenantId = "long".parse().unwrap();
        for n in 1..=5000 {
            let (run, prev, tip) = run(n..=n);
            marks.extend(&tenant, &run, prev, tip);
        }
        let held = marks.held();
        let sum: usize = held.chains.iter().map(|(_, chain)| chain.bytes()).sum();
        assert_eq!(held.bytes, sum);
        assert!(held.chains.peek(&tenant).unwrap().bytes() <= 16 * 1024);
        assert!(held.bytes <= 64 * 1024);
    }
}
