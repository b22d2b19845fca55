//! The JSON that reads answer with, field by field. Borrowed from the answers: nothing is copied to be written.

mod access;
mod changes;
mod diff;
mod release;
mod rollout;
mod search;
mod template;
mod who;

use std::collections::BTreeMap;

use promptory_events::event::{Kind, Languages, Syntax, VersionRef};
use promptory_events::{
    Author, Branch, CommandId, CommentId, ContentId, Label, Position, Prefix, PrincipalId, PromptId, PromptKey,
    RequestId, Tag, TenantId, Timestamp, VersionId,
};
use promptory_projection::ask::Basis;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

pub use access::{GrantPage, GroupPage, IssuerPage, KeyPage, RolePage, Scope};
pub use changes::{ChangePage, ChangedPrompt, Step};
pub use diff::{Diff, Hunk, KeyChange, MessageChange, TemplateChange, TextDiff, Word};
pub use release::{FreezePage, ProtectionPage, ReleasePage};
pub use rollout::{Rollout, rollouts};
pub use search::{Found, Suggestions};
pub use template::{Dependent, DependentPage, IncludedVersion, RenderBody, Rendered};
pub use who::{Holdings, WhoPage, Why};

/// Who did something, when and by which right.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stamp<'a> {
    /// The index of the event.
    pub index: u64,
    /// The command.
    #[schema(value_type = String, example = "cmd_00112233445566778899aabbccddeeff")]
    pub command_id: CommandId,
    /// Who sent it.
    #[schema(value_type = String, example = "pri_00112233445566778899aabbccddeeff")]
    pub actor: PrincipalId,
    /// Who is claimed to have made it.
    #[schema(value_type = Option<String>)]
    pub author: Option<&'a Author>,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub recorded_at: Timestamp,
    /// When it is claimed to have happened.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub occurred_at: Option<Timestamp>,
    /// Why, in the actor's words.
    pub message: Option<&'a str>,
    /// By which right: the indexes of the grants.
    pub grants: &'a [u64],
}

/// One version without its text.
#[derive(Debug, Serialize, ToSchema)]
pub struct Version<'a> {
    /// Its identity.
    #[schema(value_type = String, example = "ver_00112233445566778899aabbccddeeff")]
    pub id: VersionId,
    /// Its number: 1, 2, …
    pub number: u32,
    /// The branch that it was added to.
    #[schema(value_type = String, example = "main")]
    pub branch: &'a Branch,
    /// What it was made from: the head of its branch, and after a merge also what was merged; for the first version of a
    /// fork a version of another prompt.
    #[schema(value_type = Vec<AVersion>)]
    pub parents: &'a [VersionRef],
    /// Keyed id of its content: equal texts of a tenant have equal ids.
    #[schema(value_type = String)]
    pub content_id: ContentId,
    /// Length of its content.
    pub bytes: u32,
    /// How its content is read: `none`, `simple` or `jinja`.
    #[schema(value_type = String, example = "simple")]
    pub template: Syntax,
    /// What its content includes, as it is written there: `key@label` or `key@number`.
    #[schema(value_type = Vec<String>, example = json!(["team/footer@production"]))]
    pub includes: Vec<String>,
    /// How it came to be.
    #[serde(flatten)]
    pub stamp: Stamp<'a>,
}

/// One version of one prompt.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used: it is written as the read side has it")]
pub struct AVersion {
    /// The prompt.
    #[schema(example = "prm_00112233445566778899aabbccddeeff")]
    prompt: String,
    /// The version's number.
    number: u32,
    /// The version's identity.
    #[schema(example = "ver_00112233445566778899aabbccddeeff")]
    version: String,
}

/// One prompt with one version's text.
#[derive(Debug, Serialize, ToSchema)]
pub struct Prompt<'a> {
    /// Its identity, whatever its key is called over the years.
    #[schema(value_type = String, example = "prm_00112233445566778899aabbccddeeff")]
    pub id: PromptId,
    /// Its key (the last one it had, if archived).
    #[schema(value_type = String, example = "team/area/name")]
    pub key: &'a PromptKey,
    /// What its content is.
    #[schema(value_type = String, example = "text")]
    pub kind: Kind,
    /// Whether it is archived.
    pub archived: bool,
    /// The version's text, if the prompt is one of text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<&'a str>,
    /// The version's messages, if the prompt is a chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Message>>)]
    pub messages: Option<&'a RawValue>,
    /// The version's model configuration.
    #[schema(value_type = Option<Object>)]
    pub config: Option<&'a RawValue>,
    /// The version's variables by name: whether each is `declared`, `used` and `required`, and its `type`, `default` and
    /// `description` if it has one.
    #[schema(value_type = Object)]
    pub variables: &'a RawValue,
    /// The prompt's metadata.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<&'a RawValue>,
    /// Labels and the version numbers they point to.
    #[schema(value_type = BTreeMap<String, u32>)]
    pub labels: &'a BTreeMap<Label, u32>,
    /// Labels that are split over versions, and over which.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = Option<BTreeMap<String, Rollout>>)]
    pub rollouts: BTreeMap<&'a Label, Rollout<'a>>,
    /// Its tags.
    #[schema(value_type = Vec<String>)]
    pub tags: &'a [Tag],
    /// How many versions, on all branches; also the newest one's number.
    pub versions: u32,
    /// The newest version of `main`.
    #[schema(value_type = String)]
    pub latest: VersionId,
    /// The open branches, `main` among them, and their heads' numbers.
    #[schema(value_type = BTreeMap<String, u32>)]
    pub branches: &'a BTreeMap<Branch, u32>,
    /// The version that its first version was copied from, if it is a fork.
    #[schema(value_type = Option<AVersion>)]
    pub forked_from: Option<VersionRef>,
    /// The version that this is.
    pub version: Version<'a>,
    /// The index of the prompt's last event.
    pub changed_index: u64,
    /// When that was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
    /// When what it says happened.
    #[schema(value_type = String, format = DateTime)]
    pub effective_at: Timestamp,
    /// Whether that time was recorded here or claimed by an importer: `recorded` or `claimed`.
    #[schema(value_type = String, example = "recorded")]
    pub basis: Basis,
}

/// One item of a chat: a message has `role` and `content`, a placeholder `type` and `name`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StoredMessage)]
#[allow(dead_code, reason = "only its schema is used: messages are passed on as they are")]
pub struct Message {
    /// Who speaks: `system`, `user`, `assistant`, …
    role: Option<String>,
    /// What is said.
    content: Option<String>,
    /// `placeholder`.
    r#type: Option<String>,
    /// The variable whose messages stand in a placeholder's place.
    name: Option<String>,
}

/// One prompt of a listing.
#[derive(Debug, Serialize, ToSchema)]
pub struct Summary<'a> {
    /// Its identity.
    #[schema(value_type = String)]
    pub id: PromptId,
    /// Its key.
    #[schema(value_type = String)]
    pub key: &'a PromptKey,
    /// What its content is.
    #[schema(value_type = String)]
    pub kind: Kind,
    /// Whether it is archived.
    pub archived: bool,
    /// How many versions, on all branches; also the newest one's number.
    pub versions: u32,
    /// The newest version of `main`.
    #[schema(value_type = String)]
    pub latest: VersionId,
    /// The open branches, `main` among them, and their heads' numbers.
    #[schema(value_type = BTreeMap<String, u32>)]
    pub branches: &'a BTreeMap<Branch, u32>,
    /// The version that its first version was copied from, if it is a fork.
    #[schema(value_type = Option<AVersion>)]
    pub forked_from: Option<VersionRef>,
    /// Labels and the version numbers they point to.
    #[schema(value_type = BTreeMap<String, u32>)]
    pub labels: &'a BTreeMap<Label, u32>,
    /// Labels that are split over versions, and over which.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = Option<BTreeMap<String, Rollout>>)]
    pub rollouts: BTreeMap<&'a Label, Rollout<'a>>,
    /// Its tags.
    #[schema(value_type = Vec<String>)]
    pub tags: &'a [Tag],
    /// The index of its last event.
    pub changed_index: u64,
    /// When that was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
    /// When what it says happened.
    #[schema(value_type = String, format = DateTime)]
    pub effective_at: Timestamp,
    /// Whether that time was recorded here or claimed by an importer.
    #[schema(value_type = String)]
    pub basis: Basis,
}

/// One page of prompts, by key.
#[derive(Debug, Serialize, ToSchema)]
pub struct PromptPage<'a> {
    /// The prompts.
    pub prompts: Vec<Summary<'a>>,
    /// Give it as `cursor` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
    /// The index that all pages of this listing are answered at; null before the first event.
    pub index: Option<u64>,
}

/// One page of versions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionPage<'a> {
    /// The versions.
    pub versions: Vec<Version<'a>>,
    /// Give it as `cursor` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// One move of a label.
#[derive(Debug, Serialize, ToSchema)]
pub struct Move<'a> {
    /// From which version's number; null: it was not set.
    pub before: Option<u32>,
    /// To which; null: it was removed.
    pub after: Option<u32>,
    /// How.
    #[serde(flatten)]
    pub stamp: Stamp<'a>,
}

/// One page of a label's moves, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct MovePage<'a> {
    /// The moves.
    pub moves: Vec<Move<'a>>,
    /// Give it as `cursor` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// One fork of a prompt.
#[derive(Debug, Serialize, ToSchema)]
pub struct Fork<'a> {
    /// The number of the version that it was forked from.
    pub of: u32,
    /// The prompt that came of it, as it is now.
    pub prompt: Summary<'a>,
    /// How it came to be.
    #[serde(flatten)]
    pub stamp: Stamp<'a>,
}

/// One page of a prompt's forks, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ForkPage<'a> {
    /// The forks.
    pub forks: Vec<Fork<'a>>,
    /// Give it as `cursor` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// One event.
#[derive(Debug, Serialize, ToSchema)]
pub struct Event<'a> {
    /// Its stable name.
    #[schema(example = "version.added")]
    pub r#type: &'a str,
    /// The prompt it is about.
    #[schema(value_type = Option<String>)]
    pub prompt: Option<PromptId>,
    /// The key of that prompt after it.
    #[schema(value_type = Option<String>)]
    pub key: Option<&'a PromptKey>,
    /// What is special to it: ids, numbers and names, never a prompt's text.
    #[schema(value_type = Object)]
    pub detail: &'a RawValue,
    /// How it came to be, with its index.
    #[serde(flatten)]
    pub stamp: Stamp<'a>,
}

/// One page of events, in order.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventPage<'a> {
    /// The events.
    pub events: Vec<Event<'a>>,
    /// The index to go on `from`.
    pub next: u64,
}

/// How a tenant's read model stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Status<'a> {
    /// The tenant, as the key names it.
    #[schema(value_type = String)]
    pub tenant: &'a TenantId,
    /// What this is as of.
    #[schema(value_type = Option<String>)]
    pub position: Option<Position>,
    /// Digest over the whole model at that position.
    pub model_digest: &'a str,
    /// Prompts that are not archived and that the caller may read.
    pub prompts: u64,
    /// The roles that the caller has somewhere, itself or by its groups.
    pub roles: Vec<String>,
    /// Where the caller may read: prefixes, the empty one for the whole tenant.
    #[schema(value_type = Vec<String>)]
    pub reads: &'a [Prefix],
}

/// What a tenant has and may have.
#[derive(Debug, Serialize, ToSchema)]
pub struct Quotas<'a> {
    /// What this is as of.
    #[schema(value_type = Option<String>)]
    pub position: Option<Position>,
    /// Each of them.
    #[schema(value_type = Vec<QuotaItem>)]
    pub quotas: Vec<QuotaItem<'a>>,
}

/// How much there is of something, and may be.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuotaItem<'a> {
    /// Of what.
    #[schema(value_type = String)]
    pub quota: &'a str,
    /// How much there is; null for commands a minute, which each process counts at its door.
    pub used: Option<u64>,
    /// How much there may be; null: any.
    pub limit: Option<u64>,
}

/// How a tenant's prompts are searched.
#[derive(Debug, Serialize, ToSchema)]
pub struct SearchSettings {
    /// What this is as of.
    #[schema(value_type = Option<String>)]
    pub position: Option<Position>,
    /// The languages that they are in, by their ISO 639-1 codes; none: words are found as they are written.
    #[schema(value_type = Vec<String>)]
    pub languages: Languages,
}

/// Whether a tenant's versions are watched.
#[derive(Debug, Serialize, ToSchema)]
pub struct WatchSettings {
    /// What this is as of.
    #[schema(value_type = Option<String>)]
    pub position: Option<Position>,
    /// Whether they are.
    pub enabled: bool,
}

/// A comment on a version or on a release request.
#[derive(Debug, Serialize, ToSchema)]
pub struct Comment<'a> {
    /// Its id.
    #[schema(value_type = String, example = "cmt_00112233445566778899aabbccddeeff")]
    pub id: CommentId,
    /// The number of the version that it is on.
    pub version: Option<u32>,
    /// The release request that it is on.
    #[schema(value_type = Option<String>)]
    pub release: Option<RequestId>,
    /// What was said; null: it was erased.
    pub text: Option<&'a str>,
    /// By whom and when.
    #[serde(flatten)]
    pub stamp: Stamp<'a>,
}

/// One page of comments, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommentPage<'a> {
    /// The comments.
    pub comments: Vec<Comment<'a>>,
    /// Give it as `cursor` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
}
