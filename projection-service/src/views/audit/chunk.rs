//! Records as they are stored: sixteen to a row, and compressed, since records that follow each other are much alike. sled
//! takes a time for each row, and writes its neighbours with it. Those of the last, unfinished row go with the checkpoint, in
//! the same atomic batch, so that nothing is missing at any event.
//!
//! The digest is of records, not of rows: how they lie together makes no difference to it.

use std::cell::RefCell;

use bytes::Bytes;
use lz4_flex::block;
use serde::{Deserialize, Serialize};

use super::key::{Key, number_of};
use super::{Audit, row};
use crate::digest::Sum;
use crate::store::rows::{RowError, RowKey, Rows};
use crate::views::View;
use crate::views::stage::Staged;

/// Records in a row.
pub const LEN: u64 = 16;

/// What the records of a row may take, decompressed: far beyond what sixteen can have.
const BYTES_MAX: usize = 16 << 20;

/// The encoded records of one row, or of one that is not full yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk(Vec<Bytes>);

impl Chunk {
    /// Takes the next record, and stages the row that it fills.
    pub(super) fn push(&mut self, index: u64, record: Bytes, staged: &mut Staged<Self>, sum: &mut Sum) {
        sum.add(&Key::Record(index).bytes(), &record);
        self.0.push(record);
        if self.0.len() as u64 == LEN {
            staged.write(&Key::Records(index / LEN), self.encode());
            self.0.clear();
        }
    }

    /// The records with their indexes.
    pub(super) fn records(&self, chunk: u64) -> impl DoubleEndedIterator<Item = (u64, &Bytes)> {
        self.0.iter().enumerate().map(move |(place, record)| (chunk * LEN + place as u64, record))
    }

    /// Adds what the digest is of.
    pub(super) fn sum(&self, chunk: u64, sum: &mut Sum) {
        self.records(chunk).for_each(|(index, record)| sum.add(&Key::Record(index).bytes(), record));
    }

    /// The row of a full chunk: how long it is, as LZ4 blocks have it in front, and what it is compressed to.
    fn encode(&self) -> Vec<u8> {
        block::compress_prepend_size(&row::encode(self))
    }

    /// The chunk in a row.
    ///
    /// # Errors
    /// The row can't be read.
    pub(super) fn decode(row: &[u8]) -> Result<Self, RowError> {
        let unreadable = |_| RowError::Row("records");
        let (len, compressed) = block::uncompressed_size(row).map_err(unreadable)?;
        if len > BYTES_MAX {
            return Err(RowError::Row("records"));
        }
        row::decode("records", &block::decompress(compressed, len).map_err(unreadable)?)
    }
}

/// The records of a view up to where its state is; its rows may be ahead.
#[derive(Debug)]
pub struct Records<'a, R> {
    audit: &'a Audit,
    rows: &'a R,
    /// The row that was read last: records are mostly looked at one after the other.
    last: RefCell<Option<(u64, Chunk)>>,
}

impl<'a, R: Rows> Records<'a, R> {
    /// Of a view and its rows.
    pub fn of(audit: &'a Audit, rows: &'a R) -> Self {
        Self { audit, rows, last: RefCell::default() }
    }

    /// The index after the last record.
    pub fn next(&self) -> u64 {
        self.audit.next()
    }

    /// A record.
    ///
    /// # Errors
    /// It is not there, or can't be read.
    pub fn get(&self, index: u64) -> Result<Bytes, RowError> {
        let (chunk, missing) = (index / LEN, || RowError::Row("record"));
        let place = usize::try_from(index % LEN).map_err(|_| missing())?;
        if chunk == self.unfinished() {
            return self.audit.recent.0.get(place).cloned().ok_or_else(missing);
        }
        let mut last = self.last.borrow_mut();
        if last.as_ref().is_none_or(|(known, _)| *known != chunk) {
            let row = self.rows.get(&Key::Records(chunk))?.ok_or_else(missing)?;
            *last = Some((chunk, Chunk::decode(&row)?));
        }
        last.as_ref().and_then(|(_, chunk)| chunk.0.get(place)).cloned().ok_or_else(missing)
    }

    /// The records from an index to another, both included.
    pub fn range(&self, low: u64, high: u64) -> impl DoubleEndedIterator<Item = Result<(u64, Bytes), RowError>> {
        let within = move |number: u64, chunk: &Chunk| -> Vec<_> {
            let records = chunk.records(number).filter(|(index, _)| (low..=high).contains(index));
            records.map(|(index, record)| Ok((index, record.clone()))).collect()
        };
        let unfinished = self.unfinished();
        let recent = within(unfinished, &self.audit.recent);
        let last = (high / LEN).min(unfinished.saturating_sub(1));
        let full = self.rows.range(&Key::Records(low / LEN).bytes(), &Key::Records(last).bytes());
        // Of none that is full, the range has the one that only became so since.
        let full = full.filter(move |_| unfinished > 0).flat_map(move |row| {
            let chunk = row.and_then(|(key, row)| {
                let number = number_of(&key).ok_or(RowError::Row("records"))?;
                Ok((number, Chunk::decode(&row)?))
            });
            chunk.map_or_else(|error| vec![Err(error)], |(number, chunk)| within(number, &chunk))
        });
        full.chain(recent)
    }

    fn unfinished(&self) -> u64 {
        self.next() / LEN
    }
}
