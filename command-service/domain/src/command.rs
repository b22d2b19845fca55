//! What may be asked for. Contents are already gathered: keyed, sealed, measured.

mod content;
mod directory;

use promptory_events::event::{
    Action, AnyRole, AttemptDenied, AttemptsCounted, AuditRead, BackupPart, Event, KeyScope, Kind, Languages,
    LedgerRestored, Quota, RoleName, RolloutBreached, Session, Subject, UnauthenticatedCounted, UserAttribute,
    VersionDegraded,
};
use promptory_events::guard::Guard;
use promptory_events::rollout::Weights;
use promptory_events::{
    Author, BackupId, Branch, ClaimId, CommandId, Evidence, FreezeId, GroupId, IssuerId, IssuerUrl, KeyId, Label,
    Prefix, PrincipalId, PromptId, PromptKey, RequestId, RolloutId, Sealed, Tag, TenantId, Term, Timestamp, VersionId,
};
use serde::{Deserialize, Serialize};

use crate::access::Token;
use crate::rollout::Step;
pub use content::{Copied, Material, MergeOutcome, Merged, NewTemplate, NewVersion, Resolved};
pub use directory::{GroupSaid, SetGroup, SetUser, UserSaid};

/// A command, its caller, and what it claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// What should change.
    pub change: Change,
    /// When it happened, if the caller claims another time than now. Needs the right to import.
    pub occurred_at: Option<Timestamp>,
    /// Who made the change, if the caller claims that it was somebody else. Needs the right to import.
    pub author: Option<Author>,
    /// Why, in the caller's words; the commit carries it.
    pub message: Option<Sealed>,
    /// That labels should move although they are frozen. Needs the right to override a freeze.
    pub override_freeze: bool,
}

/// What should change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A new prompt with its first version.
    CreatePrompt {
        /// Its key.
        key: PromptKey,
        /// What its content is.
        kind: Kind,
        /// Its first version.
        version: NewVersion,
        /// Its tags.
        tags: Vec<Tag>,
        /// Its metadata.
        metadata: Option<Material>,
    },
    /// A new version of a prompt.
    AddVersion {
        /// Which prompt.
        prompt: PromptRef,
        /// What its content is, if the caller says so: refused if the prompt is of the other kind.
        kind: Kind,
        /// The version.
        version: NewVersion,
        /// Which branch it is added to.
        branch: Branch,
        /// Refused unless this is the head of the branch.
        if_match: Option<VersionId>,
    },
    /// A new branch of a prompt.
    CreateBranch {
        /// Which prompt.
        prompt: PromptRef,
        /// Its name.
        branch: Branch,
        /// Where it begins.
        from: Pick,
    },
    /// A branch that takes no more versions.
    CloseBranch {
        /// Which prompt.
        prompt: PromptRef,
        /// Which branch.
        branch: Branch,
        /// Refused unless this is the head of the branch.
        if_match: Option<VersionId>,
    },
    /// A new prompt whose first version has the content of a version of another one.
    ForkPrompt {
        /// Which prompt, archived or not.
        prompt: PromptRef,
        /// Which of its versions.
        from: Pick,
        /// The new prompt's key.
        key: PromptKey,
        /// Labels that point to its first version.
        labels: Vec<Label>,
        /// Its tags.
        tags: Vec<Tag>,
        /// Its metadata.
        metadata: Option<Material>,
        /// The content, once it was gathered.
        copied: Option<Box<Copied>>,
    },
    /// What a version has that a branch has not, brought into the branch as a new version.
    Merge {
        /// Which prompt.
        prompt: PromptRef,
        /// Its branch.
        branch: Branch,
        /// The prompt that the other version is of, archived or not; `None`: the same.
        other: Option<PromptRef>,
        /// The other version.
        from: Pick,
        /// Labels that move to the new version.
        labels: Vec<Label>,
        /// Refused unless this is the head of the branch.
        if_match: Option<VersionId>,
        /// What the caller puts in place of what conflicts.
        resolved: Resolved,
        /// What came of it, once the contents were gathered.
        merged: Option<Box<Merged>>,
    },
    /// Another key, and a new version with it if the text changed too.
    RenamePrompt {
        /// Which prompt.
        prompt: PromptRef,
        /// Its new key.
        to: PromptKey,
        /// The version that comes with it, and its kind.
        version: Option<(Kind, NewVersion)>,
        /// Refused unless this is the head of `main`.
        if_match: Option<VersionId>,
    },
    /// Other tags.
    SetTags {
        /// Which prompt.
        prompt: PromptRef,
        /// All its tags from now on.
        tags: Vec<Tag>,
        /// Refused unless it has these now.
        from: Option<Vec<Tag>>,
        /// Refused unless this is the head of `main`.
        if_match: Option<VersionId>,
    },
    /// Other metadata.
    SetMetadata {
        /// Which prompt.
        prompt: PromptRef,
        /// Its metadata from now on.
        metadata: Material,
        /// Refused unless this is the head of `main`.
        if_match: Option<VersionId>,
    },
    /// Out of the way, key released, nothing deleted.
    ArchivePrompt {
        /// Which prompt.
        prompt: PromptRef,
        /// Refused unless this is the head of `main`.
        if_match: Option<VersionId>,
    },
    /// Back, under its last key or another.
    RestorePrompt {
        /// Which prompt; archived prompts hold no key, so by id.
        prompt: PromptId,
        /// Its key from now on; `None` for the one it had.
        key: Option<PromptKey>,
    },
    /// A label on a version.
    SetLabel {
        /// Which prompt.
        prompt: PromptRef,
        /// Which label.
        label: Label,
        /// The version number.
        version: u32,
        /// Refused unless the label points to this version now.
        if_match: Option<VersionId>,
    },
    /// No such label any more.
    RemoveLabel {
        /// Which prompt.
        prompt: PromptRef,
        /// Which label.
        label: Label,
        /// Refused unless the label points to this version now.
        if_match: Option<VersionId>,
    },
    /// A new API key, for a new principal with a role or for one that is there.
    IssueKey {
        /// For whom.
        holder: KeyHolder,
        /// SHA-256 of the secret part.
        secret_hash: [u8; 32],
        /// What it is narrowed to.
        scope: Option<KeyScope>,
        /// Until when it opens.
        expires_at: Option<Timestamp>,
    },
    /// Another API key in the place of one, which is revoked at once or after an overlap.
    RotateKey {
        /// The one that goes.
        key: KeyId,
        /// SHA-256 of the new secret part.
        secret_hash: [u8; 32],
        /// Until when the new one opens; `None`: as long as the old one.
        expires_at: Option<Timestamp>,
        /// For how many seconds the old one opens beside it: 0 to [`promptory_events::limits::KEY_OVERLAP_MAX_S`].
        overlap_s: u32,
    },
    /// An API key that opens nothing any more.
    RevokeKey {
        /// Which.
        key: KeyId,
    },
    /// A role for a principal or a group.
    GrantRole {
        /// Whom to.
        to: Subject,
        /// What.
        role: AnyRole,
        /// Where.
        prefix: Prefix,
        /// Until when.
        expires_at: Option<Timestamp>,
    },
    /// A role taken away.
    RevokeRole {
        /// Whom from.
        from: Subject,
        /// What.
        role: AnyRole,
        /// Where.
        prefix: Prefix,
    },
    /// A custom role, new or another set of actions.
    DefineRole {
        /// Its name.
        role: RoleName,
        /// All that it allows from now on.
        actions: Vec<Action>,
    },
    /// A new group.
    CreateGroup {
        /// Its display name.
        name: Option<Sealed>,
    },
    /// A principal into a group.
    AddMember {
        /// Which group.
        group: GroupId,
        /// Who.
        principal: PrincipalId,
    },
    /// A principal out of a group.
    RemoveMember {
        /// Which group.
        group: GroupId,
        /// Who.
        principal: PrincipalId,
    },
    /// Tokens of an issuer are believed.
    TrustIssuer {
        /// Whose.
        url: IssuerUrl,
        /// For whom they must be.
        audience: Term,
        /// Which claim has the groups.
        groups_claim: Term,
    },
    /// Tokens of an issuer are of users of the directory.
    LinkIssuer {
        /// Whose.
        issuer: IssuerId,
        /// Which of their claims names the user.
        claim: Term,
        /// What of the user it names.
        attribute: UserAttribute,
    },
    /// Tokens of an issuer open nothing any more.
    DistrustIssuer {
        /// Which.
        issuer: IssuerId,
    },
    /// A group of an issuer means one of ours.
    MapClaim {
        /// By whose word.
        issuer: IssuerId,
        /// What the issuer calls it, as a keyed hash.
        claim: ClaimId,
        /// What the issuer calls it.
        value: Sealed,
        /// What it means.
        group: GroupId,
    },
    /// A group of an issuer means nothing any more.
    UnmapClaim {
        /// By whose word.
        issuer: IssuerId,
        /// What the issuer calls it, as a keyed hash.
        claim: ClaimId,
    },
    /// The subject of tokens that are still to come, as a principal that can be granted something.
    AddPrincipal {
        /// Its pseudonym.
        principal: PrincipalId,
        /// Its display name.
        name: Option<Sealed>,
    },
    /// A user of the directory, new or another profile.
    SetUser(Box<SetUser>),
    /// A user that the directory has no more.
    RemoveUser {
        /// Who.
        user: PrincipalId,
        /// Refused unless this is the index of its last event.
        expected: Option<u64>,
    },
    /// A group of the directory, new, or with another profile or other members.
    SetGroup(Box<SetGroup>),
    /// A group that the directory has no more.
    RemoveGroup {
        /// Which.
        group: GroupId,
        /// Refused unless this is the index of its last event.
        expected: Option<u64>,
    },
    /// Tokens open nothing any more.
    RevokeSession {
        /// Which.
        session: Session,
    },
    /// A label moves only by approved requests below a prefix.
    ProtectLabel {
        /// Where.
        prefix: Prefix,
        /// Which label.
        label: Label,
        /// How many approvals it needs: 1 to [`promptory_events::limits::APPROVALS_MAX`].
        approvals: u16,
    },
    /// The protection on exactly this prefix ends.
    UnprotectLabel {
        /// Where.
        prefix: Prefix,
        /// Which label.
        label: Label,
    },
    /// Labels below a prefix do not move between two times.
    SetFreeze {
        /// Where.
        prefix: Prefix,
        /// From when on.
        from: Timestamp,
        /// Until when.
        until: Timestamp,
    },
    /// A freeze window is over.
    LiftFreeze {
        /// Where it is.
        prefix: Prefix,
        /// Which.
        freeze: FreezeId,
    },
    /// A protected label should move.
    RequestRelease {
        /// Of which prompt.
        prompt: PromptRef,
        /// Which label.
        label: Label,
        /// To which version; `None`: it should be removed, or split.
        version: Option<u32>,
        /// That it should be split: how many buckets each version should get, and what none of them may do.
        split: Option<(Weights, Vec<Guard>)>,
        /// Until when that may be approved.
        expires_at: Option<Timestamp>,
    },
    /// A request is approved; with the last approval that it needs the label moves.
    ApproveRelease {
        /// Which.
        request: RequestId,
    },
    /// A request is rejected.
    RejectRelease {
        /// Which.
        request: RequestId,
    },
    /// A request is withdrawn by who opened it.
    WithdrawRelease {
        /// Which.
        request: RequestId,
    },
    /// A label back to where it pointed before.
    RollBackLabel {
        /// Which prompt.
        prompt: PromptRef,
        /// Which label.
        label: Label,
        /// Refused unless the label points to this version now.
        if_match: Option<VersionId>,
    },
    /// A label is split over versions, or that changes or ends.
    Rollout {
        /// Of which prompt.
        prompt: PromptRef,
        /// Which label.
        label: Label,
        /// Refused unless this is the rollout that runs; `None`: whichever runs.
        rollout: Option<RolloutId>,
        /// What happens to it.
        step: Step,
    },
    /// A comment.
    AddComment {
        /// On what.
        on: CommentTarget,
        /// What is said.
        text: Sealed,
    },
    /// A new tenant (`_system` only).
    CreateTenant {
        /// Its name.
        tenant: TenantId,
        /// Its display name.
        title: Option<Sealed>,
    },
    /// No reads or writes for a while (`_system` only).
    SuspendTenant {
        /// Which.
        tenant: TenantId,
    },
    /// Back again (`_system` only).
    ResumeTenant {
        /// Which.
        tenant: TenantId,
    },
    /// How this tenant's prompts are searched.
    ConfigureSearch {
        /// The languages that they are in; none: words are found as they are written.
        languages: Languages,
    },
    /// Whether this tenant's versions are watched: whether they become worse than they were.
    ConfigureWatch {
        /// Whether they are from now on.
        enabled: bool,
    },
    /// How much of something this tenant may have. Operators only.
    SetQuota {
        /// Of what.
        quota: Quota,
        /// How much; nothing: any.
        limit: Option<u64>,
    },
    /// A backup begins (`_system` only): recorded before its first byte leaves.
    RecordBackup {
        /// Which.
        backup: BackupId,
        /// Which of its files.
        part: BackupPart,
    },
    /// Ledgers were restored from a backup (`_system` only; only the system itself says so).
    RecordRestore(LedgerRestored),
    /// What came of attempts that were denied, or who reads the audit; only the system itself says so.
    Attest(Attestation),
    /// The first command of `_system`: records the ledger's life and the first operator.
    Bootstrap {
        /// The life.
        incarnation: promptory_events::Incarnation,
        /// The first operator's key.
        secret_hash: [u8; 32],
    },
}

/// What is attested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attestation {
    /// An attempt was denied. Leads to nothing if the minute has an event for it, or as many as it may have.
    Denied(AttemptDenied),
    /// Attempts that have no event of their own.
    Counted(AttemptsCounted),
    /// Requests whose key opened nothing (`_system` only).
    Unauthenticated(UnauthenticatedCounted),
    /// Somebody reads the audit. Leads to nothing if the minute has an event that covers it.
    Read(AuditRead),
    /// A guard of a rollout was breached. Leads to nothing if that was said before, or the rollout is over.
    Breached(RolloutBreached),
    /// A version became worse than it was. Leads to nothing if that was said in this episode, or is not wanted.
    Degraded(VersionDegraded),
}

/// For whom a key is issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyHolder {
    /// A new principal, with its first role.
    New {
        /// Its role.
        role: AnyRole,
        /// Where it has it.
        prefix: Prefix,
        /// Until when it has it.
        until: Option<Timestamp>,
        /// Its display name.
        name: Option<Sealed>,
    },
    /// A principal that is there: a second key, or a rotated one.
    Existing(PrincipalId),
}

/// What is commented on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommentTarget {
    /// A version.
    Version {
        /// Of which prompt.
        prompt: PromptRef,
        /// Its number.
        version: u32,
    },
    /// A release request.
    Request(RequestId),
}

/// A prompt by its key or its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PromptRef {
    /// By the key that it holds now.
    Key(PromptKey),
    /// By identity.
    Id(PromptId),
}

/// Which version of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pick {
    /// By number.
    Number(u32),
    /// Where a label points; `latest` is the head of `main`.
    Label(Label),
    /// The head of a branch.
    Branch(Branch),
}

/// What a decision may depend on besides the state and the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The command's id; ids that it makes derive from it.
    pub command_id: CommandId,
    /// The time that the batch will be recorded at.
    pub now: Timestamp,
    /// What the caller showed.
    pub presented: Presented,
}

/// What a caller showed to be let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Presented {
    /// The system itself (bootstrap).
    System,
    /// An API key of this tenant: checked against the state, so that a revocation binds at its index.
    ApiKey {
        /// Its public part.
        key: KeyId,
        /// SHA-256 of its secret part.
        secret_hash: [u8; 32],
    },
    /// An operator, whose key `_system` has already accepted. May only issue an owner's key.
    Operator {
        /// Who.
        principal: PrincipalId,
        /// The key, of `_system`.
        key: KeyId,
    },
    /// What a token says whose signature was checked. Whether it opens anything is checked against the state.
    Token(Token),
}

/// What a command leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Who did it.
    pub actor: PrincipalId,
    /// By which right.
    pub evidence: Evidence,
    /// The events; none if everything is already as it was asked for.
    pub events: Vec<Event>,
}
