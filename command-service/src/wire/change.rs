//! What should change, as JSON.

use promptory_events::event::{Syntax, UserAttribute};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Guard, Message, Pick, Source};

/// What a key is narrowed to: of its principal's rights those that the role has on the prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyScope {
    /// What.
    pub role: String,
    /// Where: empty or ending with `/`.
    pub prefix: String,
}

/// A version of a split label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Its number.
    pub version: u32,
    /// How much it gets, in hundredths of a percent: 1 to 10,000, and 10,000 together.
    pub weight: u16,
}

/// What should change.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// A new prompt with its first version. Exactly one of `text` and `messages`.
    CreatePrompt {
        /// Its key.
        key: String,
        /// Its text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// Its messages.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        messages: Option<Vec<Message>>,
        /// The version's model configuration.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        config: Option<Map<String, Value>>,
        /// How the content is read: `none`, `simple` (if this is not there) or `jinja`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>, example = "jinja")]
        template: Option<Syntax>,
        /// The variables that it declares, by name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<Object>)]
        variables: Option<Map<String, Value>>,
        /// Labels that point to the version.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        labels: Vec<String>,
        /// The prompt's tags.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tags: Vec<String>,
        /// The prompt's metadata: title, description, …
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metadata: Option<Map<String, Value>>,
    },
    /// A new version. Exactly one of `text` and `messages`.
    AddVersion {
        /// The prompt's key or id.
        prompt: String,
        /// Its text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// Its messages.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        messages: Option<Vec<Message>>,
        /// Its model configuration.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        config: Option<Map<String, Value>>,
        /// How the content is read: `none`, `simple` (if this is not there) or `jinja`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>, example = "jinja")]
        template: Option<Syntax>,
        /// The variables that it declares, by name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<Object>)]
        variables: Option<Map<String, Value>>,
        /// Labels that move to it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        labels: Vec<String>,
        /// The branch that it is added to; `main` if this is not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        branch: Option<String>,
    },
    /// A new branch.
    CreateBranch {
        /// The prompt's key or id.
        prompt: String,
        /// The branch.
        branch: String,
        /// The version that it begins at; the head of `main` if this is not there.
        #[serde(default, skip_serializing_if = "Pick::is_empty")]
        from: Pick,
    },
    /// A branch that takes no more versions; those that it has stay.
    CloseBranch {
        /// The prompt's key or id.
        prompt: String,
        /// The branch.
        branch: String,
    },
    /// A new prompt whose first version has the content and the configuration of a version of another one.
    ForkPrompt {
        /// The other prompt's key or id.
        prompt: String,
        /// Its version; the head of `main` if this is not there.
        #[serde(default, skip_serializing_if = "Pick::is_empty")]
        from: Pick,
        /// The new prompt's key.
        key: String,
        /// Labels that point to its first version.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        labels: Vec<String>,
        /// Its tags.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tags: Vec<String>,
        /// Its metadata.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metadata: Option<Map<String, Value>>,
    },
    /// What a version has that a branch has not, as a new version of the branch.
    Merge {
        /// The prompt's key or id.
        prompt: String,
        /// The branch that is merged into; `main` if this is not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        branch: Option<String>,
        /// The version that is merged.
        from: Source,
        /// The text that is to stand there, after a conflict.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// The messages that are to stand there, after a conflict.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        messages: Option<Vec<Message>>,
        /// The configuration that is to stand there, after a conflict.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        config: Option<Map<String, Value>>,
        /// How the content is to be read, after a conflict.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>, example = "jinja")]
        template: Option<Syntax>,
        /// The variables that are to be declared, after a conflict.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<Object>)]
        variables: Option<Map<String, Value>>,
        /// Labels that move to the new version.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        labels: Vec<String>,
    },
    /// Another key, and a new version with it if `text` or `messages` is there.
    RenamePrompt {
        /// The prompt's key or id.
        prompt: String,
        /// Its new key.
        to: String,
        /// The new version's text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// The new version's messages.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        messages: Option<Vec<Message>>,
        /// The new version's model configuration.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        config: Option<Map<String, Value>>,
        /// How the content is read: `none`, `simple` (if this is not there) or `jinja`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>, example = "jinja")]
        template: Option<Syntax>,
        /// The variables that it declares, by name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<Object>)]
        variables: Option<Map<String, Value>>,
    },
    /// Other tags.
    SetTags {
        /// The prompt's key or id.
        prompt: String,
        /// All its tags from now on.
        tags: Vec<String>,
        /// Refused unless it has these now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Vec<String>>,
    },
    /// Other metadata.
    SetMetadata {
        /// The prompt's key or id.
        prompt: String,
        /// All its metadata from now on.
        metadata: Map<String, Value>,
    },
    /// Out of the way; the key is free, nothing is deleted.
    ArchivePrompt {
        /// The prompt's key or id.
        prompt: String,
    },
    /// Back again.
    RestorePrompt {
        /// The prompt's id: archived prompts hold no key.
        prompt: String,
        /// Its key from now on; the one it had if this is not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// A label on a version.
    SetLabel {
        /// The prompt's key or id.
        prompt: String,
        /// The label.
        label: String,
        /// The version's number.
        version: u32,
    },
    /// No such label any more.
    RemoveLabel {
        /// The prompt's key or id.
        prompt: String,
        /// The label.
        label: String,
    },
    /// A new API key: for a new principal with `role` on `prefix`, or for the existing `principal`.
    IssueKey {
        /// The new principal's role.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// Where it has it: empty or ending with `/`; the whole tenant if this is not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<String>,
        /// Until when it has it, RFC 3339.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role_expires_at: Option<String>,
        /// The new principal's display name; kept sealed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The principal that gets another key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        principal: Option<String>,
        /// What the key is narrowed to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<KeyScope>,
        /// Until when the key opens, RFC 3339.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<String>,
    },
    /// Another API key in the place of one, which is revoked at once or after an overlap.
    RotateKey {
        /// Its id: the part after `pk_<tenant>_`.
        key: String,
        /// Until when the new one opens; as long as the old one if this is not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<String>,
        /// For how many seconds the old one still opens: at most 30 days; not at all if this is not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        overlap_seconds: Option<u32>,
    },
    /// An API key that opens nothing any more.
    RevokeKey {
        /// Its id: the part after `pk_<tenant>_`.
        key: String,
    },
    /// A role for a principal or a group: exactly one of the two.
    GrantRole {
        /// Who.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        principal: Option<String>,
        /// Or who.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String>,
        /// What.
        role: String,
        /// Where: empty or ending with `/`; the whole tenant if this is not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<String>,
        /// Until when, RFC 3339.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<String>,
    },
    /// A role taken away from a principal or a group: exactly one of the two.
    RevokeRole {
        /// Who.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        principal: Option<String>,
        /// Or who.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String>,
        /// What.
        role: String,
        /// Where; the whole tenant if this is not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<String>,
    },
    /// A custom role, new or another set of actions.
    DefineRole {
        /// Its name.
        role: String,
        /// All that it allows from now on.
        actions: Vec<String>,
    },
    /// A new group.
    CreateGroup {
        /// Its display name; kept sealed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// A principal into a group.
    AddMember {
        /// Which group.
        group: String,
        /// Who.
        principal: String,
    },
    /// A principal out of a group.
    RemoveMember {
        /// Which group.
        group: String,
        /// Who.
        principal: String,
    },
    /// Tokens of an issuer are believed.
    TrustIssuer {
        /// Its address, as the claim `iss` of its tokens has it.
        url: String,
        /// For whom its tokens must be: one of their claim `aud`.
        audience: String,
        /// Which of their claims has the groups of their subject.
        groups_claim: String,
    },
    /// Tokens of an issuer are of users of the directory: whoever shows one is the user that it names, or nobody.
    LinkIssuer {
        /// The id of the trust.
        issuer: String,
        /// Which claim names the user.
        claim: String,
        /// What of the user it names: `userName` or `externalId`.
        #[schema(value_type = String)]
        attribute: UserAttribute,
    },
    /// Tokens of an issuer open nothing any more.
    DistrustIssuer {
        /// The id of the trust.
        issuer: String,
    },
    /// A group of an issuer means one of ours.
    MapClaim {
        /// The id of the trust.
        issuer: String,
        /// What the issuer calls its group; kept sealed.
        value: String,
        /// The id of our group.
        group: String,
    },
    /// A group of an issuer means nothing any more.
    UnmapClaim {
        /// The id of the trust.
        issuer: String,
        /// What the issuer calls its group.
        value: String,
    },
    /// The subject of tokens that are still to come, so that it can be granted something.
    AddPrincipal {
        /// The issuer's address.
        url: String,
        /// The audience that the issuer is trusted for.
        audience: String,
        /// The subject, as the claim `sub` of the tokens has it; only its pseudonym is kept.
        subject: String,
        /// Its display name; kept sealed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// A user of the directory, new (without `user`) or as it is from now on.
    SetUser {
        /// The user's id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// All that the directory says of it, as a user of SCIM; kept sealed. Nothing changes if this is not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        profile: Option<Map<String, Value>>,
        /// Refused unless this is the index of the user's last event.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        if_index: Option<u64>,
    },
    /// A user that the directory has no more: its keys are revoked, and it comes in by nothing.
    RemoveUser {
        /// The user's id.
        user: String,
        /// Refused unless this is the index of the user's last event.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        if_index: Option<u64>,
    },
    /// A group of the directory, new (without `group`) or as it is from now on, and users that come and go.
    SetGroup {
        /// The group's id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String>,
        /// All that the directory says of it but for its members, as a group of SCIM; kept sealed. As before if this is not
        /// there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        profile: Option<Map<String, Value>>,
        /// The ids of users that become members.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        add: Vec<String>,
        /// The ids of users that are members no more.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        remove: Vec<String>,
        /// Refused unless this is the index of the group's last event.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        if_index: Option<u64>,
    },
    /// A group that the directory has no more; the users in it leave it.
    RemoveGroup {
        /// The group's id.
        group: String,
        /// Refused unless this is the index of the group's last event.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        if_index: Option<u64>,
    },
    /// Tokens open nothing any more: one, or all of a principal. Without any of these the token that is shown.
    RevokeSession {
        /// Whose tokens.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        principal: Option<String>,
        /// Those issued before then, RFC 3339; now if this is not there, and now at the latest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<String>,
        /// Or the SHA-256 of one token without its signature, as 64 hex digits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
    },
    /// A label moves only by approved requests below a prefix.
    ProtectLabel {
        /// Where: empty or ending with `/`; the whole tenant if this is not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<String>,
        /// The label.
        label: String,
        /// How many approvals a request needs: 1 to 16.
        approvals: u16,
    },
    /// The protection on exactly this prefix ends.
    UnprotectLabel {
        /// Where; the whole tenant if this is not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<String>,
        /// The label.
        label: String,
    },
    /// Labels below a prefix do not move between two times.
    SetFreeze {
        /// Where; the whole tenant if this is not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<String>,
        /// From when on, RFC 3339.
        from: String,
        /// Until when, RFC 3339.
        until: String,
    },
    /// A freeze window is over.
    LiftFreeze {
        /// Where it is; the whole tenant if this is not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<String>,
        /// Its id.
        freeze: String,
    },
    /// A protected label should move, be removed or be split: exactly one of `version`, `remove` and `arms`.
    RequestRelease {
        /// The prompt's key or id.
        prompt: String,
        /// The label.
        label: String,
        /// The number of the version that it should point to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u32>,
        /// That it should be removed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        remove: bool,
        /// The versions that it should be split over, and how much each should get.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        arms: Vec<Arm>,
        /// What no version of the rollout may do that begins by it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        guards: Vec<Guard>,
        /// Until when that may be approved, RFC 3339.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<String>,
    },
    /// A release request is approved; with the last approval that it needs the label moves.
    ApproveRelease {
        /// Its id.
        release: String,
    },
    /// A release request is rejected.
    RejectRelease {
        /// Its id.
        release: String,
    },
    /// A release request is withdrawn by who opened it.
    WithdrawRelease {
        /// Its id.
        release: String,
    },
    /// A label back to where it pointed before.
    RollBackLabel {
        /// The prompt's key or id.
        prompt: String,
        /// The label.
        label: String,
    },
    /// A label is split over versions. It goes on pointing to the control, which whoever has no key gets.
    StartRollout {
        /// The prompt's key or id.
        prompt: String,
        /// The label.
        label: String,
        /// The versions and how much each gets.
        arms: Vec<Arm>,
        /// What no version of it may do.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        guards: Vec<Guard>,
    },
    /// Other weights for the rollout that runs.
    AdvanceRollout {
        /// The prompt's key or id.
        prompt: String,
        /// The label.
        label: String,
        /// The id of the rollout that must run; whichever runs if this is not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rollout: Option<String>,
        /// The versions and how much each gets.
        arms: Vec<Arm>,
    },
    /// Everybody gets the control for a while.
    PauseRollout {
        /// The prompt's key or id.
        prompt: String,
        /// The label.
        label: String,
        /// The id of the rollout that must run; whichever runs if this is not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rollout: Option<String>,
    },
    /// Keys get their versions again.
    ResumeRollout {
        /// The prompt's key or id.
        prompt: String,
        /// The label.
        label: String,
        /// The id of the rollout that must run; whichever runs if this is not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rollout: Option<String>,
    },
    /// The rollout is over; the label stays where it is.
    RollBackRollout {
        /// The prompt's key or id.
        prompt: String,
        /// The label.
        label: String,
        /// The id of the rollout that must run; whichever runs if this is not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rollout: Option<String>,
    },
    /// The rollout is over; everybody gets one version.
    CompleteRollout {
        /// The prompt's key or id.
        prompt: String,
        /// The label.
        label: String,
        /// The id of the rollout that must run; whichever runs if this is not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rollout: Option<String>,
        /// The version's number: one of the rollout's, or the control's.
        version: u32,
    },
    /// A comment on a version of a prompt, or on a release request: `prompt` and `version`, or `release`.
    AddComment {
        /// The prompt's key or id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prompt: Option<String>,
        /// The version's number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u32>,
        /// Or the release request's id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        release: Option<String>,
        /// What is said; kept sealed.
        text: String,
    },
    /// A new tenant (operators).
    CreateTenant {
        /// Its name.
        tenant: String,
        /// Its display name; kept sealed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
    },
    /// No reads or writes for a while (operators).
    SuspendTenant {
        /// Which.
        tenant: String,
    },
    /// Back again (operators).
    ResumeTenant {
        /// Which.
        tenant: String,
    },
    /// How the tenant's prompts are searched.
    ConfigureSearch {
        /// The languages that they are in, by their ISO 639-1 codes; none: words are found as they are written.
        languages: Vec<String>,
    },
    /// Whether the tenant's versions are watched.
    ConfigureWatch {
        /// Whether they are from now on.
        enabled: bool,
    },
    /// How much of something the tenant may have (operators).
    SetQuota {
        /// Of what.
        quota: String,
        /// How much; any if this is not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u64>,
    },
}

impl Change {
    /// Whether it is about a version that a caller may demand to be the current one.
    #[must_use]
    pub fn takes_if_match(&self) -> bool {
        matches!(
            self,
            Self::AddVersion { .. }
                | Self::RenamePrompt { .. }
                | Self::SetTags { .. }
                | Self::SetMetadata { .. }
                | Self::ArchivePrompt { .. }
                | Self::SetLabel { .. }
                | Self::RemoveLabel { .. }
                | Self::RollBackLabel { .. }
                | Self::CloseBranch { .. }
                | Self::Merge { .. }
        )
    }

    /// Whether it is decided on contents that are in the ledger already, which are gathered once it is known which.
    #[must_use]
    pub fn rests_on_contents(&self) -> bool {
        matches!(self, Self::ForkPrompt { .. } | Self::Merge { .. })
    }
}
