//! Search: words of what `latest` and every other label points to, in one tantivy index for each tenant.
//!
//! An index is made from the catalog at a fixed index of the ledger and can be thrown away and built again. tantivy keeps
//! the words, their places and the columns; what counts as found, how well it fits and what is counted is decided here, over
//! the documents that the asking one may read and no others ([`universe`]): an answer is what an index of only those would
//! say, whatever else there is, whatever was deleted, and however its segments came to be.

mod docs;
pub mod document;
mod facets;
pub mod find;
pub mod index;
mod like;
mod matching;
mod near;
pub mod query;
mod rank;
pub mod schema;
pub mod snippet;
mod suggest;
pub mod universe;
pub mod words;

use crate::ask::search::QueryFault;
use crate::store::rows::RowError;

/// The shape of the index and of what it makes of a text. A change of it, of the lexer or of what is indexed needs another
/// number: every index is then built again on its next opening.
pub const FORMAT: u32 = 2;

/// Why an index can't be used, or has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The index is damaged, or can't be written.
    #[error("the search index: {0}")]
    Index(String),
    /// The catalog's store is damaged.
    #[error(transparent)]
    Row(#[from] RowError),
    /// The query can't be read.
    #[error(transparent)]
    Query(#[from] QueryFault),
    /// The page is of a state of the index that is no longer held.
    #[error("the pages of this search are no longer held")]
    Expired,
}

impl From<tantivy::TantivyError> for SearchError {
    fn from(error: tantivy::TantivyError) -> Self {
        Self::Index(error.to_string())
    }
}

impl From<std::io::Error> for SearchError {
    fn from(error: std::io::Error) -> Self {
        Self::Index(error.to_string())
    }
}
