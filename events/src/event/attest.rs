//! Attestations: what the system itself says about attempts that led to nothing, and about who read the audit. Nobody else
//! may write them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::role::Action;
use crate::commit::Credential;
use crate::id::PrincipalId;
use crate::prefix::Prefix;
use crate::time::Timestamp;

/// Somebody who was let in wanted to do something that no grant of his allows there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// Who.
    pub principal: PrincipalId,
    /// What for a right it would have needed.
    pub action: Action,
    /// Where: the folder of the key, or the prefix that it was about.
    pub target: Prefix,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// A change.
    Command,
    /// An answer.
    Question,
}

/// An attempt was denied, the first of its kind in a minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptDenied {
    /// Which.
    pub attempt: Attempt,
    /// What the caller showed.
    pub credential: Credential,
    /// What it asked for.
    pub door: Door,
    /// The minute, by its beginning.
    pub minute: Timestamp,
}

/// Attempts of a minute that were denied and have no event of their own. Each of our processes writes its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptsCounted {
    /// The minute, by its beginning.
    pub minute: Timestamp,
    /// Those of which the first has an event, and how often they came again; in order.
    pub again: Vec<AttemptAgain>,
    /// How many others there were, beyond what is told apart.
    pub others: u64,
}

/// How often an attempt came again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptAgain {
    /// Which.
    pub attempt: Attempt,
    /// How often.
    pub times: u64,
}

/// Requests of a minute whose key opened nothing, of all tenants (`_system` only). Each of our processes writes its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnauthenticatedCounted {
    /// The minute in which they were counted, by its beginning.
    pub minute: Timestamp,
    /// How many.
    pub times: u64,
}

/// How somebody reads the audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuditForm {
    /// Page by page.
    List,
    /// Only how many records there are.
    Count,
    /// As a file of comma-separated values.
    Csv,
    /// As a file of JSON lines.
    Ndjson,
    /// As a file of events of the Open Cybersecurity Schema Framework.
    Ocsf,
}

impl AuditForm {
    /// Whether it is a file.
    #[must_use]
    pub fn is_file(self) -> bool {
        !matches!(self, Self::List | Self::Count)
    }
}

/// Who reads what of the audit, and how.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Reading {
    /// Who.
    pub principal: PrincipalId,
    /// How.
    pub form: AuditForm,
    /// By which filter, as JSON without the words that are looked for in messages; nothing: by any, because more filters
    /// were used in this minute than are told apart.
    pub filter: Option<String>,
}

/// Somebody reads the audit. Recorded before the first byte leaves, once for the same reading in a minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditRead {
    /// Which reading.
    pub reading: Reading,
    /// What the reader showed.
    pub credential: Credential,
    /// The minute, by its beginning.
    pub minute: Timestamp,
}
