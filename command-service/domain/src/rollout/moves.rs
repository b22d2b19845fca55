//! Other weights with the fewest buckets moved: only versions that have too many give some up, and only as many as they
//! have too many.
//!
//! The control gives up its last buckets and every other version its first, so that of two versions the buckets that moved
//! last are the first to move back.

use promptory_events::rollout::{SplitError, Table, Weights};

/// The table with the weights, made from one.
pub(super) fn fewest(table: &Table, control: u32, weights: &Weights) -> Result<Table, SplitError> {
    let has = table.weights();
    let mut buckets: Vec<u32> = table.buckets().collect();
    let mut free: Vec<usize> = Vec::new();
    for (version, count) in &has {
        let surplus = usize::from(count.saturating_sub(weights.of(*version)));
        let own = buckets.iter().enumerate().filter(|(_, of)| *of == version).map(|(bucket, _)| bucket);
        if *version == control {
            free.extend(own.skip(usize::from(*count) - surplus)); // no more than it has
        } else {
            free.extend(own.take(surplus));
        }
    }
    free.sort_unstable();
    let mut free = free.into_iter();
    for (version, wanted) in weights.as_map() {
        let lacks = wanted.saturating_sub(has.get(version).copied().unwrap_or_default());
        for bucket in free.by_ref().take(usize::from(lacks)) {
            buckets[bucket] = *version; // an index of this very list
        }
    }
    Table::of_buckets(buckets)
}

#[cfg(test)]
mod tests;
