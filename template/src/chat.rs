//! Messages and placeholders, as a chat's content has them: a JSON list of `{"role","content"}` and of
//! `{"type":"placeholder","name"}`, which stands for a list of messages that is given when it is rendered.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An item of a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Item<'a> {
    /// A message.
    #[serde(borrow)]
    Message(Message<'a>),
    /// A place for messages.
    Placeholder(Placeholder<'a>),
}

/// Somebody says something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message<'a> {
    /// `system`, `user`, `assistant`, …
    #[serde(borrow)]
    pub role: Cow<'a, str>,
    /// What is said.
    #[serde(borrow)]
    pub content: Cow<'a, str>,
}

/// A place for messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placeholder<'a> {
    /// That it is one.
    pub r#type: Marker,
    /// The variable whose messages stand there.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
}

/// The one type that an item may say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Marker {
    /// A placeholder.
    Placeholder,
}

/// Reads a stored chat.
///
/// # Errors
/// It is none.
pub fn items(content: &str) -> Result<Vec<Item<'_>>, serde_json::Error> {
    serde_json::from_str(content)
}

/// Whether a role is one.
#[must_use]
pub fn is_role(role: &str) -> bool {
    (1..=32).contains(&role.len()) && role.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// The messages that a value holds, if it is a list of nothing else.
///
/// # Errors
/// Which item is no message.
pub fn said(value: &Value) -> Result<Vec<Message<'_>>, String> {
    let list = value.as_array().ok_or("it is no list")?;
    let messages = list.iter().enumerate().map(|(at, item)| {
        let text = |field| item.get(field).and_then(Value::as_str);
        match (text("role"), text("content"), item.as_object().map_or(0, serde_json::Map::len)) {
            (Some(role), Some(content), 2) if is_role(role) => {
                Ok(Message { role: role.into(), content: content.into() })
            }
            _ => Err(format!("item {at} is no message with `role` and `content`")),
        }
    });
    messages.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_chat_reads_back_as_it_is_stored() {
        let stored = r#"[{"role":"system","content":"a \"b\""},{"type":"placeholder","name":"history"}]"#;
        let items = items(stored).unwrap();
        assert_eq!(serde_json::to_string(&items).unwrap(), stored);
        assert!(matches!(&items[1], Item::Placeholder(placeholder) if placeholder.name == "history"));
    }

    #[test]
    fn messages_that_are_given_are_messages() {
        assert_eq!(said(&json!([{"role": "user", "content": "hi"}])).unwrap()[0].content, "hi");
        assert!(said(&json!([])).unwrap().is_empty());
        let bad = [
            json!({"role": "user"}),
            json!({"role": "a b", "content": ""}),
            json!({"role": "user", "content": 1}),
            json!({"role": "user", "content": "", "name": "x"}),
            json!("hi"),
        ];
        for item in bad {
            assert!(said(&json!([{"role": "user", "content": ""}, item])).unwrap_err().contains("item 1"));
        }
        assert!(said(&json!({})).is_err());
    }
}
