//! Every reason to refuse a command, with its stable code.

use std::borrow::Cow;

use promptory_events::event::{Action, AnyRole, Kind, Quota, VersionRef, Written};
use promptory_events::{
    Branch, FreezeId, GroupId, IssuerId, KeyId, Label, PrincipalId, PromptKey, RequestId, RolloutId, TenantId,
    Timestamp, VersionId,
};
use serde::{Deserialize, Serialize};

use crate::release::book::Status;

/// Why a command is refused. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Rejection {
    /// No such key, a wrong secret, a revoked key, a token that is too old, …: not told apart.
    #[error("what was shown opens nothing")]
    Unauthenticated,
    /// No role of the caller allows this, there.
    #[error("this needs the right `{}` there", .0.name())]
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
    #[error("the role {0} does not exist here")]
    RoleNotHere(AnyRole),
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
    /// Nobody gives (or takes) a right that he does not hold himself, there and so long.
    #[error("this hands on the right `{}`, which you do not hold yourself, there and for so long", .0.name())]
    DelegationExceeds(Action),
    /// No custom role of that name is defined.
    #[error("there is no role {0}; define it first")]
    RoleNotFound(AnyRole),
    /// No such group.
    #[error("there is no group {0}")]
    GroupNotFound(GroupId),
    /// A revoked key is not rotated: issue another.
    #[error("the API key {0} is revoked; issue another")]
    ApiKeyRevoked(KeyId),
    /// What ends must end later than now.
    #[error("`expires_at` must lie in the future")]
    ExpiryInPast,
    /// A protected label moves by an approved request, or by a rollback.
    #[error("the label {label} is protected here: ask for a release, which needs {approvals} approvals")]
    LabelProtected {
        /// Which.
        label: Label,
        /// How many approvals it needs.
        approvals: u16,
    },
    /// A label that anybody may move needs no request.
    #[error("the label {0} is not protected here; set it")]
    LabelNotProtected(Label),
    /// Labels do not move now.
    #[error("labels are frozen here until {until}")]
    Frozen {
        /// Until when.
        until: Timestamp,
    },
    /// No such window on that prefix.
    #[error("there is no freeze window {0} on that prefix")]
    FreezeNotFound(FreezeId),
    /// A window that ends before it begins.
    #[error("`until` must be later than `from`")]
    EmptyWindow,
    /// No such request.
    #[error("there is no release request {0}")]
    ReleaseNotFound(RequestId),
    /// It was rejected, withdrawn or executed.
    #[error("the release request is closed: {0:?}")]
    ReleaseClosed(Status),
    /// Its time is over.
    #[error("the release request has expired; open another")]
    ReleaseExpired,
    /// The label has moved since.
    #[error("the label has moved since the release was asked for; open another request")]
    ReleaseStale,
    /// Nobody approves what he asked for or made himself.
    #[error("the author of a request or of its version does not approve it")]
    OwnRelease,
    /// Only its author withdraws a request; others reject it.
    #[error("only who opened a release request withdraws it; reject it instead")]
    ReleaseNotYours,
    /// The label never pointed anywhere else.
    #[error("the label did not point to another version before")]
    NothingToRollBack,
    /// The label has no such rollout.
    #[error("the label {0} has no such rollout")]
    RolloutNotFound(Label),
    /// A label has one rollout at a time, and does not move under it.
    #[error("the label {label} has the rollout {rollout}: complete it or roll it back first")]
    RolloutRuns {
        /// Which.
        label: Label,
        /// The rollout that runs.
        rollout: RolloutId,
    },
    /// A rollout is completed to one of its versions.
    #[error("version {version} is neither of this rollout nor its control")]
    NotAnArm {
        /// The version's number.
        version: u32,
    },
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
    /// What a content includes is not there.
    #[error("`{0}` is included, and there is no such version")]
    IncludeNotFound(Written),
    /// Only texts can be included.
    #[error("`{0}` is included, and is no text")]
    IncludeNotText(Written),
    /// Something would include itself, directly or by others.
    #[error("by including `{0}` the version would come to include itself")]
    IncludeCycle(Written),
    /// No such trust.
    #[error("no issuer {0} is trusted")]
    IssuerNotFound(IssuerId),
    /// Of an issuer for an audience there is one trust.
    #[error("the issuer is trusted for this audience already, as {0}; distrust it first")]
    IssuerExists(IssuerId),
    /// The tenant has as much as it may have.
    #[error(
        "the tenant may have {limit} {quota} and has {used}; this takes {more} more: free some, or ask an operator for a \
         larger quota"
    )]
    QuotaExceeded {
        /// Of what.
        quota: Quota,
        /// How much it may have.
        limit: u64,
        /// How much it has.
        used: u64,
        /// How much more this takes.
        more: u64,
    },
    /// Another user of the directory has that name.
    #[error("another user of the directory has this `{0}`")]
    NameTaken(Cow<'static, str>),
    /// The user or the group is another one than the caller has seen.
    #[error("it has changed; its version is {current} now")]
    DirectoryMoved {
        /// The index of its last event.
        current: u64,
    },
    /// It may be done, but not without the contents of these versions. No caller sees this: the contents are gathered and
    /// the command is decided again.
    #[error("the versions that this rests on kept changing; try again")]
    ContentsWanted(Vec<Wanted>),
    /// The prompt has other tags than the caller has seen.
    #[error("the prompt's tags are not those in `from`")]
    TagsMoved,
}

/// A version whose content a command rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Which version.
    pub version: VersionRef,
    /// The event that added it.
    pub index: u64,
}
