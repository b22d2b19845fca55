//! A tenant's whole history as lines of JSON, the form that `export ndjson` writes and `import ndjson` reads: a head, one
//! line for each commit with the texts that it brought, and an end that says whether anything is missing before it.
//!
//! What stands in a commit is what `GET /v1/events` says of its events. Nothing is decided here.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The number of this form.
pub const FORMAT: u32 = 1;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// The first.
    Head(Head),
    /// One of many.
    Commit(Box<Commit>),
    /// The last.
    End(End),
}

/// Whose history it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// [`FORMAT`].
    pub format: u32,
    /// The tenant.
    pub tenant: String,
    /// Which life of its ledger: with an event's index it tells that event from every other.
    pub incarnation: String,
}

/// All before it is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The index up to and with which events were asked for.
    pub until: u64,
    /// Lines of commits.
    pub commits: u64,
    /// SHA-256 of all bytes before this line, hex.
    pub sha256: String,
}

/// What one command did. Times are RFC 3339.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    /// The command.
    pub command_id: String,
    /// Who sent it.
    pub actor: String,
    /// Who made the change, if that was claimed.
    pub author: Option<String>,
    /// When it was recorded.
    pub recorded_at: String,
    /// When it happened, if that was claimed.
    pub occurred_at: Option<String>,
    /// Why.
    pub message: Option<String>,
    /// The indexes of the grants that allowed it.
    #[serde(default)]
    pub grants: Vec<u64>,
    /// What it did, in order; at least one.
    pub events: Vec<Event>,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Where it stands in the ledger.
    pub index: u64,
    /// What kind of event it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id of the prompt that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The key of that prompt after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What is special to its kind.
    #[serde(default)]
    pub detail: Value,
    /// The texts that came with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brought: Option<Brought>,
}

/// The texts of a `version.added`, or the metadata of a `metadata.set`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Brought {
    /// The text of a version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Or its messages, as the HTTP API has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<Value>>,
    /// Its configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<Map<String, Value>>,
    /// The variables that it declares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variables: Option<Map<String, Value>>,
    /// The metadata from this event on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// What it brought was erased: nobody has it any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

impl Commit {
    /// The index of its last event.
    #[must_use]
    pub fn last_index(&self) -> u64 {
        self.events.last().map_or(0, |event| event.index)
    }
}

impl Event {
    /// A number of its detail.
    #[must_use]
    pub fn number(&self, field: &str) -> Option<u32> {
        self.detail[field].as_u64().and_then(|number| number.try_into().ok())
    }

    /// A text of its detail.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&str> {
        self.detail[field].as_str()
    }

    /// The versions that a version comes from, in order.
    #[must_use]
    pub fn parents(&self) -> Vec<Parent> {
        serde_json::from_value(self.detail["parents"].clone()).unwrap_or_default()
    }
}

/// A version, as others name it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Parent {
    /// Of which prompt.
    pub prompt: String,
    /// Its number there.
    pub number: u32,
    /// Its id.
    pub version: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back_and_says_what_it_is() {
        let head = Line::Head(Head { format: FORMAT, tenant: "acme".into(), incarnation: "af307b7a9d6ec84c".into() });
        let event = Event {
            index: 3,
            kind: "version.added".into(),
            prompt: Some("prm_1".into()),
            key: Some("a".into()),
            detail: serde_json::json!({"number": 1, "parents": [{"prompt": "prm_2", "number": 4, "version": "ver_5"}]}),
            brought: Some(Brought { text: Some("hi".into()), ..Brought::default() }),
        };
        assert_eq!((event.number("number"), event.parents()[0].number, event.text("number")), (Some(1), 4, None));
        let commit = Line::Commit(Box::new(Commit {
            command_id: "cmd_1".into(),
            actor: "pri_1".into(),
            author: None,
            recorded_at: "2026-05-03T12:00:00Z".into(),
            occurred_at: None,
            message: None,
            grants: vec![1],
            events: vec![event],
        }));
        let end = Line::End(End { until: 3, commits: 1, sha256: "00".into() });
        for (line, kind) in [(head, "head"), (commit, "commit"), (end, "end")] {
            let text = serde_json::to_string(&line).unwrap();
            assert!(text.starts_with(&format!("{{\"line\":\"{kind}\"")), "{text}");
            assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
        }
    }
}
