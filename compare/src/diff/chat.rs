//! Chats by message, and by line and word inside a message whose text changed.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::text::{self, TextDiff};
use crate::Malformed;
use crate::lines::Parts;

/// What became of some messages. Their places count from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageChange {
    /// They stayed as they are.
    Equal {
        /// The place of the first of them in the first chat.
        from: u32,
        /// And in the second one.
        to: u32,
        /// How many.
        count: u32,
    },
    /// Nothing but the text of one changed.
    Changed {
        /// Its place in the first chat.
        from: u32,
        /// And in the second one.
        to: u32,
        /// What changed.
        text: TextDiff,
    },
    /// It is only in the first chat.
    Delete {
        /// Its place.
        from: u32,
        /// Its JSON.
        message: String,
    },
    /// It is only in the second chat.
    Insert {
        /// Its place.
        to: u32,
        /// Its JSON.
        message: String,
    },
}

/// Compares two lists of messages.
pub(super) fn compare(from: &str, to: &str) -> Result<Vec<MessageChange>, Malformed> {
    let from: Vec<&RawValue> = serde_json::from_str(from)?;
    let to: Vec<&RawValue> = serde_json::from_str(to)?;
    let mut parts = Parts::new();
    let from = parts.sequence(from.into_iter().map(RawValue::get));
    let to = parts.sequence(to.into_iter().map(RawValue::get));
    let (mut all, mut at, mut at_to) = (Vec::new(), 0, 0);
    for change in parts.changes(&from, &to) {
        equal(&mut all, at, at_to, change.from.start - at);
        let (old, new) = (from.parts(change.from.clone()), to.parts(change.to.clone()));
        replaced(&mut all, (change.from.start, old), (change.to.start, new))?;
        (at, at_to) = (change.from.end, change.to.end);
    }
    equal(&mut all, at, at_to, from.len() - at);
    Ok(all)
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn equal(all: &mut Vec<MessageChange>, from: usize, to: usize, count: usize) {
    if count > 0 {
        all.push(MessageChange::Equal { from: number(from), to: number(to), count: number(count) });
    }
}

/// Messages in place of others: pairs in order, as long as nothing but their texts differ.
fn replaced(
    all: &mut Vec<MessageChange>,
    (from, old): (usize, &[&str]),
    (to, new): (usize, &[&str]),
) -> Result<(), Malformed> {
    let mut pairs = 0;
    for (at, (old, new)) in old.iter().zip(new).enumerate() {
        let Some((old, new)) = same_but_text(old, new)? else { break };
        let text = text::compare(&old, &new);
        all.push(MessageChange::Changed { from: number(from + at), to: number(to + at), text });
        pairs += 1;
    }
    for (at, message) in old.iter().enumerate().skip(pairs) {
        all.push(MessageChange::Delete { from: number(from + at), message: (*message).to_owned() });
    }
    for (at, message) in new.iter().enumerate().skip(pairs) {
        all.push(MessageChange::Insert { to: number(to + at), message: (*message).to_owned() });
    }
    Ok(())
}

/// The texts of two messages that have all but their texts in common.
fn same_but_text(old: &str, new: &str) -> Result<Option<(String, String)>, Malformed> {
    let (mut old, mut new): (Value, Value) = (serde_json::from_str(old)?, serde_json::from_str(new)?);
    let text = |message: &mut Value| match message.get_mut("content").map(Value::take) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let texts = text(&mut old).zip(text(&mut new));
    Ok(texts.filter(|_| old == new))
}
