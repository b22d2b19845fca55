//! Commands as JSON, before anything about them is believed. Names are plain strings here, so that a refusal can say
//! which field is wrong; `gather` turns them into types.

mod change;
mod guard;
mod message;
mod pick;

use promptory_platform::extract::{member, missing};
use promptory_platform::problem::{Problem, ProblemType};
use serde::de::DeserializeOwned;
use serde::de::value::MapDeserializer;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub use change::{Arm, Change, KeyScope};
pub use guard::Guard;
pub use message::Message;
pub use pick::{Pick, Source};

/// One command with what its caller claims and demands.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Request {
    /// What the caller claims and demands.
    #[serde(flatten)]
    pub claims: Claims,
    /// What should change.
    #[serde(flatten)]
    pub change: Change,
}

/// What goes with every command.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Claims {
    /// The same key with the same body is answered from what it did the first time, for ever. 1 to 255 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// The version id that must be current, else the command is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub if_match: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it happened, RFC 3339; needs the right to import.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<String>,
    /// Pseudonym of who made the change; needs the right to import.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// That labels should move although they are frozen; needs the right to override a freeze.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub override_freeze: bool,
}

impl Claims {
    const FIELDS: [&'static str; 6] =
        ["idempotency_key", "if_match", "message", "occurred_at", "author", "override_freeze"];
}

impl Request {
    /// Reads a command from a JSON object: the claims' fields and those of the change, and no others.
    ///
    /// # Errors
    /// `invalid-field` for another shape.
    pub fn from_object(object: &Map<String, Value>) -> Result<Self, Problem> {
        let fields = object.iter().map(|(name, value)| (name.as_str(), value));
        let (claims, change): (Vec<Field<'_>>, Vec<Field<'_>>) =
            fields.partition(|(name, _)| Claims::FIELDS.contains(name));
        Ok(Self { claims: read(&claims)?, change: read(&change)? })
    }

    /// Roughly how many bytes it brings that are to be sealed.
    #[must_use]
    pub fn size_hint(&self) -> usize {
        match &self.change {
            Change::CreatePrompt { text, messages, .. }
            | Change::AddVersion { text, messages, .. }
            | Change::Merge { text, messages, .. }
            | Change::RenamePrompt { text, messages, .. } => {
                let messages = messages.iter().flatten().map(Message::size_hint);
                text.as_ref().map_or(0, String::len) + messages.sum::<usize>()
            }
            Change::SetUser { .. } => 4096,
            _ => 0,
        }
    }
}

type Field<'o> = (&'o str, &'o Value);

static NULL: Value = Value::Null;

/// Reads an object of these fields; a refusal names the one that is to blame.
fn read<T: DeserializeOwned>(fields: &[Field<'_>]) -> Result<T, Problem> {
    object(fields).map_err(|error| {
        let why = error.to_string();
        match to_blame::<T>(fields, &why) {
            Some(name) => Problem::field(&member(name), why),
            None => Problem::new(ProblemType::INVALID_FIELD, why),
        }
    })
}

fn object<T: DeserializeOwned>(fields: &[Field<'_>]) -> Result<T, serde_json::Error> {
    T::deserialize(MapDeserializer::new(fields.iter().copied()))
}

/// The field that was refused. A change is looked at as a whole before its fields are, so the refusal does not say: it is the
/// one that is refused in the same words without the others.
fn to_blame<'f, T: DeserializeOwned>(fields: &[Field<'f>], why: &'f str) -> Option<&'f str> {
    let says_the_same = |fields: &[Field<'_>]| object::<T>(fields).is_err_and(|error| error.to_string() == why);
    // Whatever is put where it is missing, something else is said; unless it is missing further inside.
    if let Some(name) = missing(why)
        && !says_the_same(&[fields, &[(name, &NULL)]].concat())
    {
        return Some(name);
    }
    let tag = fields.iter().find(|(name, _)| *name == "type");
    let alone = tag.filter(|tag| says_the_same(&[**tag]));
    let blamed = |field: &&Field<'f>| says_the_same(&tag.into_iter().chain([*field]).copied().collect::<Vec<_>>());
    alone.or_else(|| fields.iter().find(blamed)).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Request, Problem> {
        let Value::Object(object) = serde_json::from_str(json).unwrap() else { panic!("no object") };
        Request::from_object(&object)
    }

    #[test]
    fn a_command_has_its_own_fields_and_the_common_ones() {
        let request = read(r#"{"type":"set_label","prompt":"a","label":"x","version":2,"message":"why"}"#).unwrap();
        assert_eq!(request.claims.message.as_deref(), Some("why"));
        assert!(matches!(request.change, Change::SetLabel { version: 2, .. }));
    }

    #[test]
    fn unknown_and_missing_fields_are_named() {
        for (json, field, says) in [
            (r#"{"type":"archive_prompt","prompt":"a","colour":1}"#, "/colour", "colour"),
            (r#"{"type":"archive_prompt","prompt":"a","b/c":1}"#, "/b~1c", "b/c"),
            (r#"{"type":"archive_prompt"}"#, "/prompt", "missing"),
            (r#"{"type":"start_rollout","prompt":"a","label":"x","arms":[{"version":1}]}"#, "/arms", "weight"),
            (r#"{"type":"fly"}"#, "/type", "fly"),
            (r#"{"type":7}"#, "/type", "7"),
            (r#"{"prompt":"a"}"#, "/type", "missing"),
            (r#"{"type":"set_label","prompt":"a","label":"x","version":-1}"#, "/version", "-1"),
            (r#"{"type":"set_label","prompt":7,"label":7,"version":7}"#, "/label", "7"),
            (r#"{"type":"archive_prompt","prompt":"a","message":1}"#, "/message", "string"),
        ] {
            let problem = read(json).unwrap_err();
            assert_eq!(problem.members.get("field"), Some(&Value::from(field)), "{json}: {}", problem.detail);
            assert!(problem.detail.contains(says), "{json}: {}", problem.detail);
        }
    }
}
