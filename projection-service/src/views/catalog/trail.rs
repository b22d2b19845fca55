//! The way back along a prompt's changes: each change knows a few earlier ones, so that any is found in some steps.
//!
//! The list is that of Myers, "An applicative random-access stack" (1983): perfect binary trees whose sizes are a
//! skew-binary number. It has at most about log2(n) entries after n changes, and every change keeps the list that was
//! there before it, so the trees need no rows of their own.

use serde::{Deserialize, Serialize};

/// What a change knows of those before it: the indexes of their events, newest first. The first is the one just before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trail(Vec<Root>);

/// A change, and how many there are from it down to the next entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Root {
    index: u64,
    size: u32,
}

impl Trail {
    /// What the next change knows, once the change at `index` is there, which is later than all that are known.
    pub fn push(&mut self, index: u64) {
        match self.0.as_mut_slice() {
            [first, second, ..] if first.size == second.size => {
                *second = Root { index, size: first.size.saturating_mul(2).saturating_add(1) };
                self.0.remove(0);
            }
            _ => self.0.insert(0, Root { index, size: 1 }),
        }
    }

    /// The change just before.
    #[must_use]
    pub fn before(&self) -> Option<u64> {
        self.0.first().map(|root| root.index)
    }

    /// Some changes, newest first; all others lie between them, or before the last.
    pub fn changes(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|root| root.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_earlier_change_is_found_in_few_steps() {
        let count = 2_000;
        let mut trails = vec![Trail::default()];
        for index in 0..count {
            let mut next = trails[trails.len() - 1].clone();
            next.push(index);
            assert_eq!(next.before(), Some(index), "the change just before comes first");
            assert!(next.changes().count() <= 12, "{next:?}");
            trails.push(next);
        }
        for wanted in 0..count {
            let (mut at, mut looks) = (count, 0);
            while at != wanted {
                let trail = &trails[usize::try_from(at).unwrap()];
                at = trail.changes().inspect(|_| looks += 1).take_while(|index| *index >= wanted).last().unwrap();
            }
            assert!(looks <= 36, "{wanted} took {looks} looks");
        }
    }
}
