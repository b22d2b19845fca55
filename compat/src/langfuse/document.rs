//! A version as Langfuse's clients read it.

use std::collections::BTreeMap;

use promptory_events::event::Kind;
use promptory_events::{Label, PromptKey, Tag, TenantId, Timestamp, VersionId};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::PRODUCTION;

/// A version of a prompt.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LangfusePrompt)]
pub struct Prompt<'a> {
    /// The version's identity.
    #[schema(value_type = String, example = "ver_00112233445566778899aabbccddeeff")]
    pub id: VersionId,
    /// The tenant.
    #[schema(value_type = String)]
    pub project_id: &'a TenantId,
    /// The prompt's key.
    #[schema(value_type = String, example = "team/greet")]
    pub name: &'a PromptKey,
    /// The version's number.
    pub version: u32,
    /// `text` or `chat`.
    #[schema(value_type = String, example = "text")]
    pub r#type: Kind,
    /// A text, or messages and placeholders.
    #[schema(value_type = Value)]
    pub prompt: Content<'a>,
    /// The version's configuration; `{}` if it has none.
    #[schema(value_type = Object)]
    pub config: &'a RawValue,
    /// The labels that point to the version.
    pub labels: Vec<String>,
    /// The prompt's tags.
    #[schema(value_type = Vec<String>)]
    pub tags: &'a [Tag],
    /// Why, in the words of who wrote it.
    pub commit_message: Option<&'a str>,
    /// When it was written, as it is claimed or else recorded.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The same: a version does not change.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Who wrote it: the author who is claimed, or else the principal.
    pub created_by: String,
    /// Whether `production` points to it.
    pub is_active: bool,
    /// What it includes, if that was filled in.
    #[schema(value_type = Option<Object>)]
    pub resolution_graph: Option<serde_json::Value>,
}

/// What a version says.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Content<'a> {
    /// A text.
    Text(&'a str),
    /// Messages and placeholders.
    Messages(&'a RawValue),
}

impl<'a> Content<'a> {
    /// Of a content as it is stored: a text as it is, a chat as JSON.
    ///
    /// # Errors
    /// A chat that is no JSON.
    pub fn of(kind: Kind, stored: &'a str) -> Result<Self, serde_json::Error> {
        match kind {
            Kind::Text => Ok(Self::Text(stored)),
            Kind::Chat => serde_json::from_str(stored).map(Self::Messages),
        }
    }
}

/// A configuration as it is stored, or the empty one in the place of none.
///
/// # Errors
/// One that is no JSON.
pub fn config(stored: Option<&str>) -> Result<&RawValue, serde_json::Error> {
    serde_json::from_str(stored.unwrap_or("{}"))
}

/// The labels of a version by the prompt's labels: here `latest` is one of them, on the head of `main`.
#[must_use]
pub fn labels(all: &BTreeMap<Label, u32>, head: u32, number: u32) -> Vec<String> {
    let mut labels: Vec<_> = all.iter().filter(|(_, at)| **at == number).map(|(label, _)| label.to_string()).collect();
    if head == number {
        labels.push(Label::LATEST.to_owned());
    }
    labels
}

/// Whether a version with these labels is the one that clients get who name none.
#[must_use]
pub fn is_active(labels: &[String]) -> bool {
    labels.iter().any(|label| label == PRODUCTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_is_a_label_of_the_head_and_the_others_are_of_the_version_that_they_point_to() {
        let all = BTreeMap::from([("production".parse().unwrap(), 1), ("staging".parse().unwrap(), 2)]);
        assert_eq!(labels(&all, 2, 1), ["production"]);
        assert_eq!(labels(&all, 2, 2), ["staging", "latest"]);
        assert!(is_active(&labels(&all, 2, 1)) && !is_active(&labels(&all, 2, 2)));
        assert_eq!(labels(&all, 4, 3), Vec::<String>::new());
    }

    #[test]
    fn a_content_is_a_text_or_json_and_no_configuration_is_an_empty_one() {
        let json = |content: Content<'_>| serde_json::to_string(&content).unwrap();
        assert_eq!(json(Content::of(Kind::Text, "a \"b\"").unwrap()), r#""a \"b\"""#);
        let chat = r#"[{"role":"user","content":"hi"}]"#;
        assert_eq!(json(Content::of(Kind::Chat, chat).unwrap()), chat);
        assert!(Content::of(Kind::Chat, "hi").is_err());
        assert_eq!(
            (config(None).unwrap().get(), config(Some(r#"{"a":0.10}"#)).unwrap().get()),
            ("{}", r#"{"a":0.10}"#)
        );
    }
}
