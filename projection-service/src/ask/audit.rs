//! What is asked of the audit view, and what it says.

use promptory_events::event::AnyRole;
use promptory_events::{Author, CommandId, Credential, Prefix, PrincipalId, PromptKey, Timestamp};
use serde::{Deserialize, Serialize};

/// Which records. Every part narrows; an empty filter means all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AuditFilter {
    /// Recorded at this time or later.
    pub since: Option<Timestamp>,
    /// Recorded before this time.
    pub until: Option<Timestamp>,
    /// From this index on.
    pub from: Option<u64>,
    /// Up to and with this index.
    pub to: Option<u64>,
    /// By this principal.
    pub actor: Option<PrincipalId>,
    /// Claimed to be by this author.
    pub author: Option<Author>,
    /// Of this name, as events have it.
    pub action: Option<String>,
    /// About this: an id, or `kind:name`.
    pub target: Option<String>,
    /// About something below this, as it was called then: the beginning of a key.
    pub prefix: Option<String>,
    /// Allowed by this role.
    pub role: Option<AnyRole>,
    /// Done, or denied.
    pub outcome: Option<Outcome>,
    /// Each of these words occurs in the message, in any case of letters.
    pub words: Option<String>,
}

impl AuditFilter {
    /// The filter as JSON for the record of a reading: of the words only that there are some, for they may be secret.
    #[must_use]
    pub fn recorded(&self) -> String {
        let said = serde_json::json!({
            "since": self.since,
            "until": self.until,
            "from": self.from,
            "to": self.to,
            "actor": self.actor,
            "author": self.author,
            "action": self.action,
            "target": self.target,
            "prefix": self.prefix,
            "role": self.role.as_ref().map(ToString::to_string),
            "outcome": self.outcome,
            "message": self.words.as_ref().map(|_| true),
        });
        let said = said.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        // In order of the names, whatever features serde_json was built with.
        let said: std::collections::BTreeMap<_, _> = said.collect();
        serde_json::to_string(&said).unwrap_or_default() // names and plain values always have a form
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was denied.
    Denied,
}

/// In which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Order {
    /// As they were recorded.
    OldestFirst,
    /// The other way round.
    NewestFirst,
}

impl Order {
    /// Which of two indexes comes last.
    #[must_use]
    pub fn last(self, one: u64, other: u64) -> u64 {
        match self {
            Self::OldestFirst => one.max(other),
            Self::NewestFirst => one.min(other),
        }
    }

    /// The index to go on from after one; `None`: there is nothing beyond it.
    #[must_use]
    pub fn after(self, index: u64) -> Option<u64> {
        match self {
            Self::OldestFirst => index.checked_add(1),
            Self::NewestFirst => index.checked_sub(1),
        }
    }
}

/// One page of records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditAnswer {
    /// In which order.
    pub order: Order,
    /// The records.
    pub records: Vec<AuditRecord>,
    /// The index to go on from; `None`: that was all.
    pub next: Option<u64>,
}

/// How many records there are, as far as was looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCounted {
    /// So many.
    pub count: u64,
    /// The index to go on from; `None`: that was all.
    pub next: Option<u64>,
}

/// Who did what, when and by which right: a function of an event, its commit and its batch, and of what the names in it
/// meant then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// The index of the event.
    pub index: u64,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// When it is claimed to have happened.
    pub occurred_at: Option<Timestamp>,
    /// The command.
    pub command_id: CommandId,
    /// Who did it, or tried.
    pub actor: PrincipalId,
    /// Who is claimed to have made it.
    pub author: Option<Author>,
    /// What the actor showed.
    pub credential: Credential,
    /// The roles that allowed it.
    pub roles: Vec<AnyRole>,
    /// By the grants of these indexes.
    pub grants: Vec<u64>,
    /// The event's name.
    pub action: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What it is about: ids, or `kind:name`; the first is what it is about most.
    pub targets: Vec<String>,
    /// The key of the prompt that it is about, after it.
    pub key: Option<PromptKey>,
    /// The key that the prompt had until then, if it has another one since.
    pub key_before: Option<PromptKey>,
    /// The prefix that it is about, if it is not about a prompt.
    pub prefix: Option<Prefix>,
    /// Why, in the actor's words.
    pub message: Option<String>,
    /// What is special to it, as JSON text.
    pub detail: String,
}
