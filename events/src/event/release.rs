//! Labels that do not move by anybody's hand: protection, release requests, freeze windows, rollbacks; and comments.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::rollout::Split;
use crate::id::{CommentId, FreezeId, PromptId, RequestId};
use crate::key::Label;
use crate::prefix::Prefix;
use crate::sealed::Sealed;
use crate::time::Timestamp;

/// A label was protected below a prefix: from here on it moves only by an approved request, or by a rollback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LabelProtected {
    /// Where.
    pub prefix: Prefix,
    /// Which label.
    pub label: Label,
    /// How many approvals a request needed until now, if it was protected there.
    pub before: Option<u16>,
    /// How many it needs from now on.
    pub after: u16,
}

/// A label is not protected on a prefix any more. It may be by another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LabelUnprotected {
    /// Where.
    pub prefix: Prefix,
    /// Which label.
    pub label: Label,
    /// How many approvals a request needed until now.
    pub before: u16,
}

/// A freeze window was set: no label below the prefix moves in it, unless somebody who may overrides it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FreezeSet {
    /// Which.
    pub freeze: FreezeId,
    /// Where.
    pub prefix: Prefix,
    /// From when on.
    pub from: Timestamp,
    /// Until when: at that time labels move again.
    pub until: Timestamp,
}

/// A freeze window was lifted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FreezeLifted {
    /// Which.
    pub freeze: FreezeId,
    /// Where it was.
    pub prefix: Prefix,
}

/// The labels that this commit moves are frozen, and its actor overrode that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FreezeOverridden {
    /// The window.
    pub freeze: FreezeId,
    /// Whose label moves.
    pub prompt: PromptId,
}

/// Somebody asked for a protected label to be moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseRequested {
    /// Which request.
    pub request: RequestId,
    /// Of which prompt.
    pub prompt: PromptId,
    /// Which label.
    pub label: Label,
    /// The version number that it pointed to, if it was set: if it moves meanwhile, the request is stale.
    pub before: Option<u32>,
    /// The version number that it should point to; `None`: it should be removed. With a split where it points already.
    pub after: Option<u32>,
    /// That it should not move but be split.
    pub split: Option<Split>,
    /// Until when it may be approved.
    pub expires_at: Option<Timestamp>,
}

/// Somebody who is neither the author of the request nor of the version approved it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseApproved {
    /// Which request.
    pub request: RequestId,
    /// Of which prompt.
    pub prompt: PromptId,
    /// How many approvals it has with this one.
    pub approvals: u16,
    /// How many it needs, at this index.
    pub needed: u16,
}

/// A request was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseRejected {
    /// Which request.
    pub request: RequestId,
    /// Of which prompt.
    pub prompt: PromptId,
}

/// A request was withdrawn by its author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseWithdrawn {
    /// Which request.
    pub request: RequestId,
    /// Of which prompt.
    pub prompt: PromptId,
}

/// A request has all its approvals; the label moves with the next event of the same commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseExecuted {
    /// Which request.
    pub request: RequestId,
    /// Of which prompt.
    pub prompt: PromptId,
    /// Which label.
    pub label: Label,
}

/// A label goes back to where it pointed before, with the next event of the same commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LabelRolledBack {
    /// The prompt.
    pub prompt: PromptId,
    /// The label.
    pub label: Label,
    /// The version number it pointed to.
    pub before: u32,
    /// The version number it pointed to before that, and does again.
    pub after: u32,
}

/// What a comment is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommentOn {
    /// A version, by number.
    Version(u32),
    /// A release request.
    Request(RequestId),
}

/// Somebody commented.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommentAdded {
    /// Which comment.
    pub comment: CommentId,
    /// On something of which prompt.
    pub prompt: PromptId,
    /// On what.
    pub on: CommentOn,
    /// What was said.
    pub text: Sealed,
}
