//! Blocks of records: what the records of a block are found by is one row, written when the block is full. So the rows of the
//! view follow each other, as a log does, however many things an event can be found by; who looks for something goes through
//! the rows of the blocks, a two-hundredth of the records' bytes or so. The last, unfinished block is in memory.

use promptory_events::PrincipalId;
use rpds::HashTrieMapSync;
use sha2::{Digest, Sha256};

use super::chunk::Chunk;
use super::key::Key;
use super::record::RecordRow;
use crate::ask::Outcome;
use crate::digest::Sum;
use crate::store::rows::RowError;
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

/// The last index of a block.
#[must_use]
pub fn end(block: u64) -> u64 {
    start(block) + (LEN - 1)
}

/// The indexes of a block that are marked, in order.
pub fn marked(block: u64, marks: Marks) -> impl DoubleEndedIterator<Item = u64> {
    (0..LEN).filter(move |bit| marks >> bit & 1 == 1).map(move |bit| start(block) + bit)
}

/// What records are found by: of one kind, one name. SHA-256 over both, cut to 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Posting([u8; 16]);

impl Posting {
    /// What a principal did or tried.
    #[must_use]
    pub fn actor(actor: PrincipalId) -> Self {
        Self::of(b'u', &actor.0)
    }

    /// What happened under a name.
    #[must_use]
    pub fn action(name: &str) -> Self {
        Self::of(b'a', name.as_bytes())
    }

    /// What something was the target of.
    #[must_use]
    pub fn target(name: &str) -> Self {
        Self::of(b't', name.as_bytes())
    }

    /// What was denied.
    #[must_use]
    pub fn denied() -> Self {
        Self::of(b'd', b"")
    }

    fn of(kind: u8, name: &[u8]) -> Self {
        let hash = Sha256::new().chain_update([kind]).chain_update(name).finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&hash[..16]);
        Self(id)
    }
}

/// What the records of the block that is not full yet are found by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block(HashTrieMapSync<Posting, Marks>);

impl Block {
    /// Notes the next record.
    pub(super) fn note(&mut self, index: u64, record: &RecordRow) {
        let denied = (record.outcome == Outcome::Denied).then(Posting::denied);
        let named = [Posting::actor(record.actor), Posting::action(&record.action)];
        let targets = record.targets.iter().map(|target| Posting::target(target));
        for posting in named.into_iter().chain(targets).chain(denied) {
            self.0.insert_mut(posting, self.marks(posting) | 1 << (index % LEN));
        }
    }

    /// Which records are found by a posting.
    pub(super) fn marks(&self, posting: Posting) -> Marks {
        self.0.get(&posting).copied().unwrap_or_default()
    }

    /// Stages the row of the block and begins the next one, if that was its last record.
    pub(super) fn close_after(&mut self, index: u64, staged: &mut Staged<Chunk>, sum: &mut Sum) {
        if of(index + 1) > of(index) {
            staged.put(sum, &Key::Block(of(index)), self.encode());
            self.0 = HashTrieMapSync::default();
        }
    }

    /// The row: postings in order, each with its marks.
    fn encode(&self) -> Vec<u8> {
        let mut entries: Vec<_> = self.0.iter().collect();
        entries.sort_unstable();
        entries.into_iter().flat_map(|(posting, marks)| posting.0.into_iter().chain(marks.to_be_bytes())).collect()
    }
}

/// Bytes of a posting and its marks.
const ENTRY: usize = 32;

/// Which records of a full block are found by a posting, by the block's row.
///
/// # Errors
/// The row can't be read.
pub fn marks_in(row: &[u8], posting: Posting) -> Result<Marks, RowError> {
    let (entries, rest) = row.as_chunks::<ENTRY>();
    if !rest.is_empty() {
        return Err(RowError::Row("block"));
    }
    let found = entries.binary_search_by(|entry| entry[..16].cmp(&posting.0));
    let marks = found.ok().and_then(|place| entries[place].last_chunk()).map(|marks| Marks::from_be_bytes(*marks));
    Ok(marks.unwrap_or_default())
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

    #[test]
    fn a_row_knows_what_it_was_made_of_and_nothing_else() {
        let mut block = Block::default();
        let names: Vec<_> = (0..100).map(|n| format!("label:{n}")).collect();
        for (bit, name) in names.iter().enumerate() {
            block.0.insert_mut(Posting::target(name), 1 << bit | 1 << 127);
        }
        let row = block.encode();
        for (bit, name) in names.iter().enumerate() {
            assert_eq!(marks_in(&row, Posting::target(name)), Ok(1 << bit | 1 << 127));
            assert_eq!(marks_in(&row, Posting::action(name)), Ok(0), "the same name of another kind");
        }
        assert_eq!(marks_in(&[], Posting::denied()), Ok(0));
        assert_eq!(marks_in(&row[1..], Posting::denied()), Err(RowError::Row("block")));
    }
}
