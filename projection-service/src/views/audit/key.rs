//! The keys of the audit view's rows: one numbered family per byte, then what it is by, then the index.
//!
//! So what is by one actor, one action or one target lies together, in the order in which it happened.

use promptory_events::{KeyId, PrincipalId, PromptId};

use crate::store::rows::RowKey;

/// A row's key. The order of the variants and of their fields is the order of the rows, but for names of which one begins
/// with a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A record.
    Record(u64),
    /// What a principal did or tried.
    Actor(PrincipalId, u64),
    /// What happened under a name.
    Action(String, u64),
    /// What something was the target of.
    Target(String, u64),
    /// What was denied.
    Denied(u64),
    /// What a prompt is called now.
    Name(PromptId),
    /// The role that was granted at an index.
    Grant(u64),
    /// Whose an API key is.
    ApiKey(KeyId),
}

/// The first byte of every key. A number is never used again for another family; 0 is the checkpoint's.
pub mod family {
    /// [`super::Key::Record`]
    pub const RECORD: u8 = 1;
    /// [`super::Key::Actor`]
    pub const ACTOR: u8 = 2;
    /// [`super::Key::Action`]
    pub const ACTION: u8 = 3;
    /// [`super::Key::Target`]
    pub const TARGET: u8 = 4;
    /// [`super::Key::Denied`]
    pub const DENIED: u8 = 5;
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
            Self::Actor(actor, index) => join(family::ACTOR, &[&actor.0, &index.to_be_bytes()]),
            Self::Action(name, index) => join(family::ACTION, &[name.as_bytes(), &[END], &index.to_be_bytes()]),
            Self::Target(name, index) => join(family::TARGET, &[name.as_bytes(), &[END], &index.to_be_bytes()]),
            Self::Denied(index) => join(family::DENIED, &[&index.to_be_bytes()]),
            Self::Name(prompt) => join(family::NAME, &[&prompt.0]),
            Self::Grant(index) => join(family::GRANT, &[&index.to_be_bytes()]),
            Self::ApiKey(key) => join(family::API_KEY, &[&key.0]),
        }
    }
}

/// The index that the key of a record, or of what points to one, ends with.
#[must_use]
pub fn index_of(key: &[u8]) -> Option<u64> {
    key.split_last_chunk().map(|(_, index)| u64::from_be_bytes(*index))
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
        fn what_is_of_one_name_lies_together_in_the_order_of_the_index(
            one in "[a-c:.]{1,4}", other in "[a-c:.]{1,4}", low: u64, high: u64, between: u64,
        ) {
            let (low, high) = (low.min(high), low.max(high));
            let range = Key::Target(one.clone(), low).bytes()..=Key::Target(one.clone(), high).bytes();
            let there = range.contains(&Key::Target(other.clone(), between).bytes());
            prop_assert_eq!(there, one == other && (low..=high).contains(&between));
            prop_assert_eq!(index_of(&Key::Action(other, between).bytes()), Some(between));
        }
    }
}
