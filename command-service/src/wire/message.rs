//! One item of a chat: a message, or a place for messages.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A message (`role` and `content`), or a placeholder (`type` and `name`) for messages that are given when it is rendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Message {
    /// Somebody says something.
    Said {
        /// `system`, `user`, `assistant`, …
        role: String,
        /// Its text, kept as it is.
        content: String,
    },
    /// A place for messages.
    Placeholder {
        /// `placeholder`.
        #[schema(example = "placeholder")]
        r#type: String,
        /// The variable whose messages stand there.
        name: String,
    },
}

/// Both at once, so that a refusal can say what is wrong.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    role: Option<String>,
    content: Option<String>,
    r#type: Option<String>,
    name: Option<String>,
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: serde::Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let error = serde::de::Error::custom;
        match Fields::deserialize(value)? {
            Fields { role: Some(role), content: Some(content), r#type: None, name: None } => {
                Ok(Self::Said { role, content })
            }
            Fields { role: None, content: None, r#type: Some(r#type), name: Some(name) } => {
                if r#type == "placeholder" {
                    return Ok(Self::Placeholder { r#type, name });
                }
                Err(error("the `type` of a message is `placeholder`, or is left out"))
            }
            _ => Err(error("a message has `role` and `content`, a placeholder `type` and `name`")),
        }
    }
}

impl Message {
    /// Roughly how many bytes it has.
    pub(super) fn size_hint(&self) -> usize {
        match self {
            Self::Said { content, .. } => content.len(),
            Self::Placeholder { name, .. } => name.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_and_a_placeholder_read_back_and_nothing_else_is_one() {
        for json in [r#"{"role":"user","content":"hi"}"#, r#"{"type":"placeholder","name":"history"}"#] {
            let message: Message = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&message).unwrap(), json);
        }
        for (json, reason) in [
            (r#"{"role":"user"}"#, "`role` and `content`"),
            (r#"{"role":"user","content":"hi","name":"x"}"#, "`type` and `name`"),
            (r#"{"type":"image","name":"x"}"#, "`placeholder`"),
            (r#"{"role":"user","content":"hi","colour":1}"#, "colour"),
            (r#"{"role":"user","content":1}"#, "string"),
        ] {
            let error = serde_json::from_str::<Message>(json).unwrap_err().to_string();
            assert!(error.contains(reason), "{json}: {error}");
        }
    }
}
