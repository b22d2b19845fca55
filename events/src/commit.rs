//! The events of one command, atomic, with who did it and by which right.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de};

use crate::event::Event;
use crate::id::{ClaimId, CommandHash, CommandId, IssuerId, KeyId, NameId, PrincipalId, TenantId, TokenHash};
use crate::key::NameError;
use crate::limits;
use crate::sealed::Sealed;
use crate::time::Timestamp;

/// What a commit says about all its events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitHeader {
    /// The command; a repeat of it is answered from this commit.
    pub command_id: CommandId,
    /// Keyed hash of the command's body, so that another command under the same id is refused; [`CommandHash::NONE`] if
    /// the command came without an idempotency key.
    pub command_hash: CommandHash,
    /// Who did it.
    pub actor: PrincipalId,
    /// By which right.
    pub evidence: Evidence,
    /// When it happened, if the actor claims another time than the recorded one.
    pub occurred_at: Option<Timestamp>,
    /// Who made the change, if the actor claims that it was somebody else.
    pub author: Option<Author>,
    /// Why, in the actor's words.
    pub message: Option<Sealed>,
    /// The trace it was part of.
    pub trace: Option<TraceContext>,
}

/// What allowed a command, recorded so that anybody can check it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What authenticated the actor.
    pub credential: Credential,
    /// Indexes of the `role.granted` events that were used.
    pub grants: Vec<u64>,
}

/// What authenticated an actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Credential {
    /// Nothing: the system itself. Only bootstrap writes this.
    System,
    /// An API key, of this tenant or (for operators) of `_system`.
    ApiKey {
        /// The tenant that the key names.
        tenant: TenantId,
        /// Its public part.
        key: KeyId,
    },
    /// A token of an issuer that the tenant trusts; the actor is the pseudonym of its subject.
    Token(TokenEvidence),
}

/// What a token said, as far as it was used. Its signature was checked before this was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenEvidence {
    /// The trust that it was believed by.
    pub issuer: IssuerId,
    /// The token.
    pub token: TokenHash,
    /// Its claim `iat`.
    pub issued_at: Timestamp,
    /// Its claim `exp`.
    pub expires_at: Timestamp,
    /// The user of the directory that it names, as a keyed hash, if its issuer's tokens are of users.
    pub user: Option<NameId>,
    /// The groups that it claims and by which grants were used, in order.
    pub claims: Vec<ClaimId>,
}

/// W3C trace context of the request that carried the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The span that appended.
    pub span_id: [u8; 8],
    /// The flags; bit 0 is "sampled".
    pub flags: u8,
}

/// The pseudonym of a claimed author: 1 to 64 of `A-Z a-z 0-9 . _ : -`, so that no name or address slips in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Author(String);

impl Author {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Author {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > limits::AUTHOR_MAX_BYTES {
            return Err(NameError::TooLong { bytes: text.len(), max: limits::AUTHOR_MAX_BYTES });
        }
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
        if text.bytes().all(legal) { Ok(Self(text.to_owned())) } else { Err(NameError::AuthorForm) }
    }
}

impl<'de> Deserialize<'de> for Author {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The events of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// What is said about all of them.
    pub header: CommitHeader,
    /// The events, in order; at least one.
    pub events: Vec<Event>,
}
