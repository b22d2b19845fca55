//! The keys of the audit view's rows: one numbered family per byte, then what it is by, then the number of a chunk or a block.
//!
//! What is by one actor, one action or one target lies together, in the order in which it happened.

use promptory_events::{KeyId, PrincipalId, PromptId};

use crate::store::rows::RowKey;

/// A row's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A record, as the digest knows it. No row has this key.
    Record(u64),
    /// The records of a chunk.
    Records(u64),
    /// Which records of a block are of one kind.
    Posting(Posting, u64),
    /// What a prompt is called now.
    Name(PromptId),
    /// The role that was granted at an index.
    Grant(u64),
    /// Whose an API key is.
    ApiKey(KeyId),
}

/// What records are found by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Posting {
    /// What a principal did or tried.
    Actor(PrincipalId),
    /// What happened under a name.
    Action(String),
    /// What something was the target of.
    Target(String),
    /// What was denied.
    Denied,
}

/// The first byte of every key. A number is never used again for another family; 0 is the checkpoint's, and 2 to 5 were those
/// of rows that pointed to one record each.
pub mod family {
    /// [`super::Key::Record`]
    pub const RECORD: u8 = 1;
    /// [`super::Key::Records`]
    pub const RECORDS: u8 = 10;
    /// [`super::Posting::Actor`]
    pub const ACTOR: u8 = 6;
    /// [`super::Posting::Action`]
    pub const ACTION: u8 = 7;
    /// [`super::Posting::Target`]
    pub const TARGET: u8 = 8;
    /// [`super::Posting::Denied`]
    pub const DENIED: u8 = 9;
    /// [`super::Key::Name`]
    pub const NAME: u8 = 20;
    /// [`super::Key::Grant`]
    pub const GRANT: u8 = 21;
    /// [`super::Key::ApiKey`]
    pub const API_KEY: u8 = 22;
}

/// Ends a name of varying length. Names hold no control characters.
const END: u8 = 0;

impl RowKey for Key {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Record(index) => join(family::RECORD, &[&index.to_be_bytes()]),
            Self::Records(chunk) => join(family::RECORDS, &[&chunk.to_be_bytes()]),
            Self::Posting(Posting::Actor(actor), block) => join(family::ACTOR, &[&actor.0, &block.to_be_bytes()]),
            Self::Posting(Posting::Action(name), block) => named(family::ACTION, name, *block),
            Self::Posting(Posting::Target(name), block) => named(family::TARGET, name, *block),
            Self::Posting(Posting::Denied, block) => join(family::DENIED, &[&block.to_be_bytes()]),
            Self::Name(prompt) => join(family::NAME, &[&prompt.0]),
            Self::Grant(index) => join(family::GRANT, &[&index.to_be_bytes()]),
            Self::ApiKey(key) => join(family::API_KEY, &[&key.0]),
        }
    }
}

/// The chunk or block that the key of a row of records or a posting ends with.
#[must_use]
pub fn number_of(key: &[u8]) -> Option<u64> {
    key.split_last_chunk().map(|(_, number)| u64::from_be_bytes(*number))
}

fn named(family: u8, name: &str, block: u64) -> Vec<u8> {
    join(family, &[name.as_bytes(), &[END], &block.to_be_bytes()])
}

fn join(family: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    out.push(family);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_of_one_name_lies_together_in_the_order_of_the_blocks(
            one in "[a-c:.]{1,4}", other in "[a-c:.]{1,4}", low: u64, high: u64, between: u64,
        ) {
            let (low, high) = (low.min(high), low.max(high));
            let target = |name: &str, block| Key::Posting(Posting::Target(name.to_owned()), block).bytes();
            let there = (target(&one, low)..=target(&one, high)).contains(&target(&other, between));
            prop_assert_eq!(there, one == other && (low..=high).contains(&between));
            prop_assert_eq!(number_of(&Key::Posting(Posting::Action(other), between).bytes()), Some(between));
        }
    }
}
