//! Versions and what they were made from, over the borders of prompts.

use std::collections::{BTreeMap, BinaryHeap};

use promptory_events::PromptId;

use crate::state::{Tenant, Version};

/// A version, by its prompt and number.
pub type At = (PromptId, u32);

/// The version that two versions come from and that is the latest of those: none of the others comes from it. `None` if they
/// have none in common. Looks at each version between it and the two once.
///
/// Where two lines were merged into each other more than once, several versions may be as close; the latest of them is taken,
/// so that everybody takes the same.
#[must_use]
pub fn common(state: &Tenant, one: At, other: At) -> Option<At> {
    const ONE: u8 = 1;
    const OTHER: u8 = 2;
    let mut seen: BTreeMap<At, u8> = BTreeMap::new();
    // Nothing is made from what comes after it, so from the latest event back each is reached by all that comes from it
    // before it is looked at.
    let mut latest: BinaryHeap<(u64, At)> = BinaryHeap::new();
    for (at, side) in [(one, ONE), (other, OTHER)] {
        let sides = seen.entry(at).or_default();
        if *sides == 0 {
            latest.push((version(state, at)?.index, at));
        }
        *sides |= side;
    }
    while let Some((_, at)) = latest.pop() {
        let sides = seen.get(&at).copied().unwrap_or_default();
        if sides == ONE | OTHER {
            return Some(at);
        }
        for parent in version(state, at)?.parents(at.0) {
            let sides_of_parent = seen.entry(parent).or_default();
            if *sides_of_parent == 0 {
                latest.push((version(state, parent)?.index, parent));
            }
            *sides_of_parent |= sides;
        }
    }
    None
}

/// A version as it is.
#[must_use]
pub fn version(state: &Tenant, (prompt, number): At) -> Option<&Version> {
    state.by_id(prompt)?.version(number)
}

#[cfg(test)]
mod tests;
