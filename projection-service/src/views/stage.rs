//! Changes of rows on their way from the fold to a store: in order, with a checkpoint after each event.

use promptory_events::PromptId;

use crate::digest::Sum;
use crate::store::checkpoint::Checkpoint;
use crate::store::rows::{Row, RowKey};

/// Rows to be written, and where they may be parted.
#[derive(Debug)]
pub struct Staged<K> {
    rows: Vec<Row>,
    borders: Vec<Border<K>>,
    bytes: usize,
    touched: Vec<PromptId>,
}

impl<K> Default for Staged<K> {
    fn default() -> Self {
        Self { rows: Vec::new(), borders: Vec::new(), bytes: 0, touched: Vec::new() }
    }
}

/// The rows before `end` and the checkpoint say the same: a store may stop here.
#[derive(Debug)]
struct Border<K> {
    end: usize,
    checkpoint: Checkpoint<K>,
}

/// How far something was staged, to go back to it.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    rows: usize,
    borders: usize,
    bytes: usize,
}

impl<K> Staged<K> {
    /// A new row.
    pub fn put(&mut self, sum: &mut Sum, key: &impl RowKey, value: Vec<u8>) {
        let bytes = key.bytes();
        sum.add(&bytes, &value);
        self.write(key, value);
    }

    /// A row of things that the sum has already.
    pub fn write(&mut self, key: &impl RowKey, value: Vec<u8>) {
        let key = key.bytes();
        self.bytes += key.len() + value.len();
        self.rows.push((key, value));
    }

    /// Another value for a row that is there.
    pub fn replace(&mut self, sum: &mut Sum, key: &impl RowKey, before: &[u8], value: Vec<u8>) {
        sum.remove(&key.bytes(), before);
        self.put(sum, key, value);
    }

    /// Everything up to here belongs to the events up to this checkpoint.
    pub fn border(&mut self, checkpoint: Checkpoint<K>) {
        self.borders.push(Border { end: self.rows.len(), checkpoint });
    }

    /// Takes note of a prompt that an event is about.
    pub fn touch(&mut self, prompt: PromptId) {
        if self.touched.last() != Some(&prompt) {
            self.touched.push(prompt);
        }
    }

    /// The prompts that the events were about, in order. To be asked before the rows are parted.
    pub fn take_touched(&mut self) -> Vec<PromptId> {
        std::mem::take(&mut self.touched)
    }

    /// How many rows wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many bytes wait.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Where it stands.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { rows: self.rows.len(), borders: self.borders.len(), bytes: self.bytes }
    }

    /// Forgets what was staged after the mark.
    pub fn back_to(&mut self, mark: Mark) {
        self.rows.truncate(mark.rows);
        self.borders.truncate(mark.borders);
        self.bytes = mark.bytes;
    }

    /// Parts the rows on event borders, each part at most `ops` rows and about `bytes` bytes (one event may be more),
    /// and empties itself.
    pub fn parts(&mut self, ops: usize, bytes: usize) -> Vec<(Vec<Row>, Checkpoint<K>)> {
        let rows = std::mem::take(&mut self.rows);
        // Where each part ends, and its checkpoint.
        let (mut ends, mut last): (Vec<Border<K>>, Option<Border<K>>) = (Vec::new(), None);
        let (mut begun, mut weight) = (0, 0);
        for border in self.borders.drain(..) {
            let from = last.as_ref().map_or(0, |last| last.end);
            let size: usize = rows[from..border.end].iter().map(|(k, v)| k.len() + v.len()).sum();
            if let Some(full) = last.take().filter(|_| border.end - begun > ops || weight + size > bytes) {
                (begun, weight) = (full.end, 0);
                ends.push(full);
            }
            weight += size;
            last = Some(border);
        }
        ends.extend(last);
        self.bytes = 0;
        self.touched.clear();
        let (mut rows, mut taken) = (rows.into_iter(), 0);
        let part = |end: Border<K>| {
            let count = end.end - std::mem::replace(&mut taken, end.end);
            (rows.by_ref().take(count).collect(), end.checkpoint)
        };
        ends.into_iter().map(part).collect()
    }

    /// All rows, in order, for a store without parts.
    pub fn drain(&mut self) -> impl Iterator<Item = Row> + '_ {
        self.borders.clear();
        self.bytes = 0;
        self.touched.clear();
        self.rows.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use promptory_events::{Cursor, Incarnation, Timestamp};

    use super::*;
    use crate::store::key::Key;

    fn checkpoint(index: u64) -> Checkpoint<()> {
        let cursor = Cursor { incarnation: Incarnation([1; 8]), sequence: 1 };
        Checkpoint { index, cursor, recorded_at: Timestamp::MIN, sum: Sum::default(), kept: () }
    }

    #[test]
    fn parts_end_on_event_borders_and_carry_the_checkpoint_of_their_last_event() {
        let (mut staged, mut sum) = (Staged::default(), Sum::default());
        for event in 0..5 {
            (0..3).for_each(|i| staged.put(&mut sum, &Key::Event(event * 3 + i), vec![0]));
            staged.border(checkpoint(event));
        }
        let parts = staged.parts(7, 1 << 20);
        let shape: Vec<_> = parts.iter().map(|(rows, checkpoint)| (rows.len(), checkpoint.index)).collect();
        assert_eq!(shape, [(6, 1), (6, 3), (3, 4)]);
        assert!(staged.is_empty() && staged.parts(7, 1 << 20).is_empty());
    }

    #[test]
    fn an_event_that_is_larger_than_a_part_is_a_part_of_its_own() {
        let (mut staged, mut sum) = (Staged::default(), Sum::default());
        for event in 0..3 {
            staged.put(&mut sum, &Key::Event(event), vec![0; 100]);
            staged.border(checkpoint(event));
        }
        assert_eq!(staged.parts(400, 50).len(), 3);
    }
}
