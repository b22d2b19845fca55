//! Rows in order, wherever they lie: in sled for the running model, in memory for a replay without sled.

use std::collections::BTreeMap;

use super::key::Key;

/// A row's key and value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Rows in some order, from either end.
pub type RowIter<'a> = Box<dyn DoubleEndedIterator<Item = Result<Row, RowError>> + 'a>;

/// Rows can't be read, or are not what was written: the store is damaged and must be built anew.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The store says so.
    #[error("the store can't be read: {0}")]
    Store(String),
    /// A row that another row points to is missing or can't be read.
    #[error("the row {0} is missing or can't be read")]
    Row(&'static str),
}

/// A row's key, as a view knows it.
pub trait RowKey {
    /// Its bytes.
    fn bytes(&self) -> Vec<u8>;
}

impl RowKey for Key {
    fn bytes(&self) -> Vec<u8> {
        self.encode()
    }
}

/// The rows of one view of one tenant.
pub trait Rows {
    /// The value at a key.
    ///
    /// # Errors
    /// The store can't be read.
    fn get(&self, key: &impl RowKey) -> Result<Option<Vec<u8>>, RowError>;

    /// The rows from `from` to `to`, both included.
    fn range(&self, from: &[u8], to: &[u8]) -> RowIter<'_>;

    /// The last row from `from` to `to`, both included.
    ///
    /// # Errors
    /// The store can't be read.
    fn last(&self, from: &Key, to: &Key) -> Result<Option<Row>, RowError> {
        self.range(&from.encode(), &to.encode()).next_back().transpose()
    }
}

impl Rows for sled::Tree {
    fn get(&self, key: &impl RowKey) -> Result<Option<Vec<u8>>, RowError> {
        let value = Self::get(self, key.bytes()).map_err(|e| RowError::Store(e.to_string()))?;
        Ok(value.map(|v| v.to_vec()))
    }

    fn range(&self, from: &[u8], to: &[u8]) -> RowIter<'_> {
        let rows = Self::range::<&[u8], _>(self, from..=to);
        Box::new(rows.map(|row| match row {
            Ok((key, value)) => Ok((key.to_vec(), value.to_vec())),
            Err(error) => Err(RowError::Store(error.to_string())),
        }))
    }
}

/// Rows in memory.
#[derive(Debug, Default)]
pub struct Memory(BTreeMap<Vec<u8>, Vec<u8>>);

impl Memory {
    /// Takes over the changes of a fold.
    pub fn extend(&mut self, rows: impl IntoIterator<Item = Row>) {
        self.0.extend(rows);
    }

    /// Every row, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(k, v)| (k.as_slice(), v.as_slice()))
    }
}

impl Rows for Memory {
    fn get(&self, key: &impl RowKey) -> Result<Option<Vec<u8>>, RowError> {
        Ok(self.0.get(&key.bytes()).cloned())
    }

    fn range(&self, from: &[u8], to: &[u8]) -> RowIter<'_> {
        if from > to {
            return Box::new(std::iter::empty()); // BTreeMap panics on such a range, sled gives nothing
        }
        let rows = self.0.range::<[u8], _>((std::ops::Bound::Included(from), std::ops::Bound::Included(to)));
        Box::new(rows.map(|(k, v)| Ok((k.clone(), v.clone()))))
    }
}
