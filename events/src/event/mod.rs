//! The events. One enum, whose order is the wire format: it only grows at the end.
//!
//! A changed shape is a new variant, and [`crate::upcast`] turns the old one into it. An event states its own before
//! and after, so an audit record is a pure function of (batch header, commit header, event bytes).

pub mod access;
pub mod attest;
pub mod directory;
pub mod identity;
pub mod prompt;
pub mod quota;
pub mod release;
pub mod role;
pub mod rollout;
pub mod search;
pub mod system;
pub mod watch;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use access::{
    GroupCreated, KeyIssued, KeyRevoked, KeyScope, MemberAdded, MemberRemoved, PrincipalAdded, RoleDefined,
    RoleGranted, RoleRevoked, Subject,
};
pub use attest::{
    Attempt, AttemptAgain, AttemptDenied, AttemptsCounted, AuditForm, AuditRead, Door, Reading, UnauthenticatedCounted,
};
pub use directory::{GroupRemoved, GroupSet, IssuerLinked, UserAttribute, UserRemoved, UserSet};
pub use identity::{ClaimMapped, ClaimUnmapped, IssuerDistrusted, IssuerTrusted, Session, SessionRevoked};
pub use prompt::{
    BranchClosed, BranchCreated, Include, Kind, LabelRemoved, LabelSet, MetadataSet, PromptArchived, PromptCreated,
    PromptRenamed, PromptRestored, Selector, Syntax, TagsSet, VersionAdded, VersionRef, Written,
};
pub use quota::{Quota, QuotaSet};
pub use release::{
    CommentAdded, CommentOn, FreezeLifted, FreezeOverridden, FreezeSet, LabelProtected, LabelRolledBack,
    LabelUnprotected, ReleaseApproved, ReleaseExecuted, ReleaseRejected, ReleaseRequested, ReleaseWithdrawn,
};
pub use role::{Action, AnyRole, Role, RoleName};
pub use rollout::{
    RolloutAdvanced, RolloutBreached, RolloutCompleted, RolloutPaused, RolloutResumed, RolloutRolledBack,
    RolloutStarted, Split,
};
pub use search::{Language, Languages, SearchConfigured, UnknownLanguage};
pub use system::{
    BackupPart, BackupStarted, LedgerOpened, LedgerRestored, RestoredHead, TenantCreated, TenantResumed,
    TenantSuspended,
};
pub use watch::{EPISODE_MS, VersionDegraded, WatchConfigured};

use crate::codec::{self, CodecError};
use crate::id::{ContentId, PromptId};
use crate::sealed::{Content, ContentBody, Sealed};
use crate::upcast;

/// Room for most events while they are encoded.
const ROOM: usize = 2048;

/// One immutable fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Event {
    /// A ledger began its life (first event of `_system`).
    LedgerOpened(LedgerOpened),
    /// A tenant was created (`_system` only).
    TenantCreated(TenantCreated),
    /// A tenant was suspended: no writes, no reads (`_system` only).
    TenantSuspended(TenantSuspended),
    /// A tenant was resumed (`_system` only).
    TenantResumed(TenantResumed),
    /// A principal came to be.
    PrincipalAdded(PrincipalAdded),
    /// A principal or a group was granted a role on a prefix.
    RoleGranted(RoleGranted),
    /// A role on a prefix was taken from a principal or a group.
    RoleRevoked(RoleRevoked),
    /// An API key was issued to a principal.
    KeyIssued(KeyIssued),
    /// An API key was revoked.
    KeyRevoked(KeyRevoked),
    /// A prompt came to be.
    PromptCreated(PromptCreated),
    /// A version was added to a prompt.
    VersionAdded(VersionAdded),
    /// A prompt got another key.
    PromptRenamed(PromptRenamed),
    /// A prompt's tags were set.
    TagsSet(TagsSet),
    /// A prompt's metadata was set.
    MetadataSet(MetadataSet),
    /// A prompt was archived, which releases its key.
    PromptArchived(PromptArchived),
    /// A prompt was restored under a key.
    PromptRestored(PromptRestored),
    /// A label was set to or moved to a version.
    LabelSet(LabelSet),
    /// A label was removed.
    LabelRemoved(LabelRemoved),
    /// A command with an idempotency key found everything as it asked for. Recorded, so that a late repeat of it still
    /// changes nothing after somebody else has changed it.
    CommandUnchanged,
    /// A backup was begun (`_system` only). Recorded before its first byte leaves.
    BackupStarted(BackupStarted),
    /// The ledgers of tenants were restored from a backup (`_system` only).
    LedgerRestored(LedgerRestored),
    /// A branch was begun at a version.
    BranchCreated(BranchCreated),
    /// A branch was closed.
    BranchClosed(BranchClosed),
    /// A custom role was defined, or defined anew.
    RoleDefined(RoleDefined),
    /// A group came to be.
    GroupCreated(GroupCreated),
    /// A principal became a member of a group.
    MemberAdded(MemberAdded),
    /// A principal is no member of a group any more.
    MemberRemoved(MemberRemoved),
    /// A label was protected on a prefix.
    LabelProtected(LabelProtected),
    /// A label is not protected on a prefix any more.
    LabelUnprotected(LabelUnprotected),
    /// A freeze window was set.
    FreezeSet(FreezeSet),
    /// A freeze window was lifted.
    FreezeLifted(FreezeLifted),
    /// This commit moves labels that are frozen.
    FreezeOverridden(FreezeOverridden),
    /// Somebody asked for a protected label to be moved.
    ReleaseRequested(ReleaseRequested),
    /// A release request was approved by one more.
    ReleaseApproved(ReleaseApproved),
    /// A release request was rejected.
    ReleaseRejected(ReleaseRejected),
    /// A release request was withdrawn.
    ReleaseWithdrawn(ReleaseWithdrawn),
    /// A release request has all its approvals; the label moves in the same commit.
    ReleaseExecuted(ReleaseExecuted),
    /// A label goes back to where it pointed before, in the same commit.
    LabelRolledBack(LabelRolledBack),
    /// Somebody commented on a version or a release request.
    CommentAdded(CommentAdded),
    /// An attempt was denied.
    AttemptDenied(AttemptDenied),
    /// Denied attempts of a minute were counted.
    AttemptsCounted(AttemptsCounted),
    /// Requests whose key opened nothing were counted (`_system` only).
    UnauthenticatedCounted(UnauthenticatedCounted),
    /// A label was split over versions.
    RolloutStarted(RolloutStarted),
    /// The weights of a rollout changed.
    RolloutAdvanced(RolloutAdvanced),
    /// A rollout was paused: everybody gets the control.
    RolloutPaused(RolloutPaused),
    /// A paused rollout goes on.
    RolloutResumed(RolloutResumed),
    /// A rollout is over, and the label stays where it was.
    RolloutRolledBack(RolloutRolledBack),
    /// A rollout is over, and everybody gets one of its versions.
    RolloutCompleted(RolloutCompleted),
    /// Tokens of an issuer are believed.
    IssuerTrusted(IssuerTrusted),
    /// Tokens of an issuer open nothing any more.
    IssuerDistrusted(IssuerDistrusted),
    /// A group of an issuer means one of ours.
    ClaimMapped(ClaimMapped),
    /// A group of an issuer means nothing any more.
    ClaimUnmapped(ClaimUnmapped),
    /// Tokens open nothing any more.
    SessionRevoked(SessionRevoked),
    /// An operator set or lifted a quota of the tenant.
    QuotaSet(QuotaSet),
    /// A principal is a user of the directory, with a profile.
    UserSet(UserSet),
    /// The directory has no such user any more.
    UserRemoved(UserRemoved),
    /// A group is one of the directory, with a profile.
    GroupSet(GroupSet),
    /// The directory has no such group any more.
    GroupRemoved(GroupRemoved),
    /// Tokens of an issuer are of users of the directory.
    IssuerLinked(IssuerLinked),
    /// Somebody listed or counted records of the audit.
    AuditRead(AuditRead),
    /// Somebody exported records of the audit.
    AuditExported(AuditRead),
    /// How the tenant's prompts are searched was set.
    SearchConfigured(SearchConfigured),
    /// A guard of a rollout was breached.
    RolloutBreached(RolloutBreached),
    /// Whether versions are watched was set.
    WatchConfigured(WatchConfigured),
    /// A version became worse than it was.
    VersionDegraded(VersionDegraded),
}

impl Event {
    /// The stable name that users see, `<family>.<past tense>`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::LedgerOpened(_) => "ledger.opened",
            Self::TenantCreated(_) => "tenant.created",
            Self::TenantSuspended(_) => "tenant.suspended",
            Self::TenantResumed(_) => "tenant.resumed",
            Self::PrincipalAdded(_) => "principal.added",
            Self::RoleGranted(_) => "role.granted",
            Self::RoleRevoked(_) => "role.revoked",
            Self::KeyIssued(_) => "key.issued",
            Self::KeyRevoked(_) => "key.revoked",
            Self::PromptCreated(_) => "prompt.created",
            Self::VersionAdded(_) => "version.added",
            Self::PromptRenamed(_) => "prompt.renamed",
            Self::TagsSet(_) => "tags.set",
            Self::MetadataSet(_) => "metadata.set",
            Self::PromptArchived(_) => "prompt.archived",
            Self::PromptRestored(_) => "prompt.restored",
            Self::LabelSet(_) => "label.set",
            Self::LabelRemoved(_) => "label.removed",
            Self::CommandUnchanged => "command.unchanged",
            Self::BackupStarted(_) => "backup.started",
            Self::LedgerRestored(_) => "ledger.restored",
            Self::BranchCreated(_) => "branch.created",
            Self::BranchClosed(_) => "branch.closed",
            Self::RoleDefined(_) => "role.defined",
            Self::GroupCreated(_) => "group.created",
            Self::MemberAdded(_) => "member.added",
            Self::MemberRemoved(_) => "member.removed",
            Self::LabelProtected(_) => "label.protected",
            Self::LabelUnprotected(_) => "label.unprotected",
            Self::FreezeSet(_) => "freeze.set",
            Self::FreezeLifted(_) => "freeze.lifted",
            Self::FreezeOverridden(_) => "freeze.overridden",
            Self::ReleaseRequested(_) => "release.requested",
            Self::ReleaseApproved(_) => "release.approved",
            Self::ReleaseRejected(_) => "release.rejected",
            Self::ReleaseWithdrawn(_) => "release.withdrawn",
            Self::ReleaseExecuted(_) => "release.executed",
            Self::LabelRolledBack(_) => "label.rolled-back",
            Self::CommentAdded(_) => "comment.added",
            Self::AttemptDenied(_) => "attempt.denied",
            Self::AttemptsCounted(_) => "attempts.counted",
            Self::UnauthenticatedCounted(_) => "unauthenticated.counted",
            Self::RolloutStarted(_) => "rollout.started",
            Self::RolloutAdvanced(_) => "rollout.advanced",
            Self::RolloutPaused(_) => "rollout.paused",
            Self::RolloutResumed(_) => "rollout.resumed",
            Self::RolloutRolledBack(_) => "rollout.rolled-back",
            Self::RolloutCompleted(_) => "rollout.completed",
            Self::IssuerTrusted(_) => "issuer.trusted",
            Self::IssuerDistrusted(_) => "issuer.distrusted",
            Self::ClaimMapped(_) => "claim.mapped",
            Self::ClaimUnmapped(_) => "claim.unmapped",
            Self::SessionRevoked(_) => "session.revoked",
            Self::QuotaSet(_) => "quota.set",
            Self::UserSet(_) => "user.set",
            Self::UserRemoved(_) => "user.removed",
            Self::GroupSet(_) => "group.set",
            Self::GroupRemoved(_) => "group.removed",
            Self::IssuerLinked(_) => "issuer.linked",
            Self::AuditRead(_) => "audit.read",
            Self::AuditExported(_) => "audit.exported",
            Self::SearchConfigured(_) => "search.configured",
            Self::RolloutBreached(_) => "rollout.breached",
            Self::WatchConfigured(_) => "watch.configured",
            Self::VersionDegraded(_) => "version.degraded",
        }
    }

    /// The prompt that this event is about, if it is about one.
    #[must_use]
    pub fn prompt(&self) -> Option<PromptId> {
        match self {
            Self::PromptCreated(e) => Some(e.prompt),
            Self::VersionAdded(e) => Some(e.prompt),
            Self::PromptRenamed(e) => Some(e.prompt),
            Self::TagsSet(e) => Some(e.prompt),
            Self::MetadataSet(e) => Some(e.prompt),
            Self::PromptArchived(e) => Some(e.prompt),
            Self::PromptRestored(e) => Some(e.prompt),
            Self::LabelSet(e) => Some(e.prompt),
            Self::LabelRemoved(e) => Some(e.prompt),
            Self::BranchCreated(e) => Some(e.prompt),
            Self::BranchClosed(e) => Some(e.prompt),
            Self::RolloutStarted(e) => Some(e.prompt),
            Self::RolloutAdvanced(e) => Some(e.prompt),
            Self::RolloutPaused(e) => Some(e.prompt),
            Self::RolloutResumed(e) => Some(e.prompt),
            Self::RolloutRolledBack(e) => Some(e.prompt),
            Self::RolloutCompleted(e) => Some(e.prompt),
            Self::RolloutBreached(e) => Some(e.prompt),
            _ => None,
        }
    }

    /// The prompt that it has to do with: the one that it is about, or whose label or version it speaks of.
    #[must_use]
    pub fn regards(&self) -> Option<PromptId> {
        match self {
            Self::FreezeOverridden(e) => Some(e.prompt),
            Self::ReleaseRequested(e) => Some(e.prompt),
            Self::ReleaseApproved(e) => Some(e.prompt),
            Self::ReleaseRejected(e) => Some(e.prompt),
            Self::ReleaseWithdrawn(e) => Some(e.prompt),
            Self::ReleaseExecuted(e) => Some(e.prompt),
            Self::LabelRolledBack(e) => Some(e.prompt),
            Self::CommentAdded(e) => Some(e.prompt),
            Self::VersionDegraded(e) => Some(e.prompt),
            other => other.prompt(),
        }
    }

    /// The contents that this event names.
    pub fn contents(&self) -> impl Iterator<Item = &Content> {
        let (content, config, variables) = match self {
            Self::VersionAdded(e) => (Some(&e.content), e.config.as_deref(), e.variables.as_deref()),
            Self::MetadataSet(e) => (Some(&e.after), None, None),
            _ => (None, None, None),
        };
        content.into_iter().chain(config).chain(variables)
    }

    /// The sealed bytes of a content, if this event carries them.
    #[must_use]
    pub fn carries(&self, id: &ContentId) -> Option<&Sealed> {
        self.contents().find(|content| content.id == *id).and_then(|content| match &content.body {
            ContentBody::Inline(sealed) => Some(sealed),
            ContentBody::At(_) => None,
        })
    }

    /// The bytes that go into the ledger.
    ///
    /// # Errors
    /// None in practice: every event is plain data.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        codec::to_vec(self, ROOM).map_err(CodecError::Postcard)
    }

    /// Reads the bytes of any version ever released, as today's shape.
    ///
    /// # Errors
    /// Bytes that are no event, or an event followed by more bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let (event, rest) = postcard::take_from_bytes::<Self>(bytes).map_err(CodecError::Postcard)?;
        if rest.is_empty() { Ok(upcast::event(event)) } else { Err(CodecError::TrailingBytes(rest.len())) }
    }
}
