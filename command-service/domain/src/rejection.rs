//! Every reason to refuse a command, with its stable code.

use std::borrow::Cow;

use promptory_events::event::{Kind, Role, VersionRef};
use promptory_events::{Branch, KeyId, Label, PrincipalId, PromptKey, TenantId, VersionId};
use serde::{Deserialize, Serialize};

use crate::access::Action;

/// Why a command is refused. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Rejection {
    /// No such key, a wrong secret, or a revoked key: not told apart.
    #[error("the API key opens nothing")]
    Unauthenticated,
    /// No role of the caller allows this.
    #[error("this needs the right `{}`", .0.name())]
    Forbidden(Action),
    /// The command belongs into another kind of ledger.
    #[error("the ledger of {0} does not take this command")]
    NotInThisLedger(TenantId),
    /// No prompt of that key or id.
    #[error("there is no prompt {0}")]
    PromptNotFound(String),
    /// Archived prompts take no change but a restore.
    #[error("the prompt is archived; restore it first")]
    PromptArchived,
    /// Only archived prompts can be restored.
    #[error("the prompt is not archived")]
    PromptNotArchived,
    /// Another prompt holds the key.
    #[error("the key {0} is held by another prompt; choose another key")]
    KeyTaken(PromptKey),
    /// A text prompt takes no messages, a chat prompt no text.
    #[error("the prompt holds {expected:?} content, fixed when it was created")]
    KindMismatch {
        /// What it holds.
        expected: Kind,
    },
    /// The prompt has fewer versions.
    #[error("the prompt has versions 1 to {newest}, not {asked}")]
    VersionNotFound {
        /// The number asked for.
        asked: u32,
        /// The newest number.
        newest: u32,
    },
    /// The label is not set.
    #[error("the prompt has no label {0}")]
    LabelNotFound(Label),
    /// `latest` always means the head of `main`.
    #[error("`latest` always means the newest version of `main` and can't be set or removed")]
    LabelReserved,
    /// If-Match names another version than the current one.
    #[error("the current version is {}", .current.map_or_else(|| "none".to_owned(), |v| v.to_string()))]
    PreconditionFailed {
        /// The version that If-Match would have to name.
        current: Option<VersionId>,
    },
    /// A claimed time after the recorded one.
    #[error("`occurred_at` lies in the future")]
    OccurredInFuture,
    /// As many as are allowed.
    #[error("at most {max} {what} are allowed")]
    LimitReached {
        /// Of what.
        what: Cow<'static, str>,
        /// How many.
        max: usize,
    },
    /// No such principal.
    #[error("there is no principal {0}")]
    PrincipalNotFound(PrincipalId),
    /// No such API key.
    #[error("there is no API key {0}")]
    ApiKeyNotFound(KeyId),
    /// The role makes no sense in this ledger.
    #[error("the role {0:?} does not exist here")]
    RoleNotHere(Role),
    /// Nobody would be left who can hand out rights.
    #[error("nobody would be left who can manage access")]
    LastOwner,
    /// The tenant is there.
    #[error("there is a tenant {0} already")]
    TenantExists(TenantId),
    /// The tenant is not there.
    #[error("there is no tenant {0}")]
    TenantNotFound(TenantId),
    /// `_system` has its first event.
    #[error("the system was set up already")]
    AlreadyBootstrapped,
    /// The prompt has no such open branch.
    #[error("the prompt has no branch {0}")]
    BranchNotFound(Branch),
    /// The prompt has such an open branch.
    #[error("the prompt has a branch {0} already")]
    BranchExists(Branch),
    /// `main` is always there.
    #[error("the branch `main` is always there and can't be closed")]
    BranchReserved,
    /// Both sides of a merge changed the same.
    #[error("both versions changed the same; repeat the merge with what is to stand there")]
    MergeConflict,
    /// Versions that have no version in common that both come from.
    #[error("the two versions do not come from a common one")]
    UnrelatedVersions,
    /// It may be done, but not without the contents of these versions. No caller sees this: the contents are gathered and
    /// the command is decided again.
    #[error("the versions that this rests on kept changing; try again")]
    ContentsWanted(Vec<Wanted>),
}

/// A version whose content a command rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Which version.
    pub version: VersionRef,
    /// The event that added it.
    pub index: u64,
}
