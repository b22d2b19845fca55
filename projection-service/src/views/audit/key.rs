//! The keys of the audit view's rows: one numbered family per byte, then what it is by, or the number of a chunk or a block.

use promptory_events::{KeyId, PromptId};

use crate::store::rows::RowKey;

/// A row's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A record, as the digest knows it. No row has this key.
    Record(u64),
    /// The records of a chunk.
    Records(u64),
    /// What the records of a block are found by.
    Block(u64),
    /// What a prompt is called now.
    Name(PromptId),
    /// The role that was granted at an index.
    Grant(u64),
    /// Whose an API key is.
    ApiKey(KeyId),
}

/// The first byte of every key. A number is never used again for another family; 0 is the checkpoint's, and 2 to 9 were those
/// of rows of what one record or the records of one block are found by.
pub mod family {
    /// [`super::Key::Record`]
    pub const RECORD: u8 = 1;
    /// [`super::Key::Records`]
    pub const RECORDS: u8 = 10;
    /// [`super::Key::Block`]
    pub const BLOCK: u8 = 11;
    /// [`super::Key::Name`]
    pub const NAME: u8 = 20;
    /// [`super::Key::Grant`]
    pub const GRANT: u8 = 21;
    /// [`super::Key::ApiKey`]
    pub const API_KEY: u8 = 22;
}

impl RowKey for Key {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Record(index) => join(family::RECORD, &[&index.to_be_bytes()]),
            Self::Records(chunk) => join(family::RECORDS, &[&chunk.to_be_bytes()]),
            Self::Block(block) => join(family::BLOCK, &[&block.to_be_bytes()]),
            Self::Name(prompt) => join(family::NAME, &[&prompt.0]),
            Self::Grant(index) => join(family::GRANT, &[&index.to_be_bytes()]),
            Self::ApiKey(key) => join(family::API_KEY, &[&key.0]),
        }
    }
}

/// The chunk or block that the key of a row of records or of a block ends with.
#[must_use]
pub fn number_of(key: &[u8]) -> Option<u64> {
    key.split_last_chunk().map(|(_, number)| u64::from_be_bytes(*number))
}

fn join(family: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    out.push(family);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}
