//! Blocks of records: which records of a block are of one kind is one row, written when the block is full. So an event costs
//! one row and a share of few, however many things it can be found by. What lies in the last, unfinished block is seen
//! record by record.

use rpds::HashTrieMapSync;

use super::chunk::Chunk;
use super::key::{Key, Posting};
use super::record::RecordRow;
use super::row;
use crate::ask::Outcome;
use crate::digest::Sum;
use crate::views::stage::Staged;

/// Records in a block: the bits of [`Marks`].
pub const LEN: u64 = 128;

/// Which records of a block: the lowest bit is the first one.
pub type Marks = u128;

/// The block of an index.
#[must_use]
pub fn of(index: u64) -> u64 {
    index / LEN
}

/// The first index of a block.
#[must_use]
pub fn start(block: u64) -> u64 {
    block * LEN
}

/// The indexes of a block that are marked, in order.
pub fn marked(block: u64, marks: Marks) -> impl DoubleEndedIterator<Item = u64> {
    (0..LEN).filter(move |bit| marks >> bit & 1 == 1).map(move |bit| start(block) + bit)
}

/// What the records of the block that is not full yet are found by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block(HashTrieMapSync<Posting, Marks>);

impl Block {
    /// Notes the next record.
    pub(super) fn note(&mut self, index: u64, record: &RecordRow) {
        let denied = (record.outcome == Outcome::Denied).then_some(Posting::Denied);
        let named = [Posting::Actor(record.actor), Posting::Action(record.action.clone())];
        let targets = record.targets.iter().cloned().map(Posting::Target);
        for posting in named.into_iter().chain(targets).chain(denied) {
            let marks = self.0.get(&posting).copied().unwrap_or_default();
            self.0.insert_mut(posting, marks | 1 << (index % LEN));
        }
    }

    /// Stages the rows of the block and begins the next one, if that was its last record.
    pub(super) fn close_after(&mut self, index: u64, staged: &mut Staged<Chunk>, sum: &mut Sum) {
        if of(index + 1) > of(index) {
            for (posting, marks) in &std::mem::take(&mut self.0) {
                staged.put(sum, &Key::Posting(posting.clone(), of(index)), row::encode(marks));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_indexes_in_order_from_either_end() {
        let marks = 1 | 1 << 5 | 1 << 127;
        assert_eq!(marked(2, marks).collect::<Vec<_>>(), [256, 261, 383]);
        assert_eq!(marked(2, marks).rev().collect::<Vec<_>>(), [383, 261, 256]);
        assert_eq!((of(383), of(384), start(3)), (2, 3, 384));
    }
}
