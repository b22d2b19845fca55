//! What is answered.

use std::collections::BTreeMap;

use promptory_events::event::{AnyRole, CommentOn, Include, Kind, Languages, Quota, Syntax, VersionRef};
use promptory_events::{
    Author, Branch, CommandId, CommentId, ContentId, Label, Position, Prefix, PrincipalId, PromptId, PromptKey, Tag,
    Timestamp, VersionId,
};
use serde::{Deserialize, Serialize};

use super::insight;
use super::search;
use super::{
    AnalyticsAnswer, AuditAnswer, AuditCounted, ChangesAnswer, Check, DependentsAnswer, DiffAnswer, EmptySearches,
    ExpandedAnswer, Fork, HoldingsAnswer, RenderedAnswer, Rollouts, WhoAnswer, WorkAnswer,
};

/// An answer and what it is as of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// What the answer is as of: the model's position, or the event that the question named or that was the last one
    /// recorded by the time it named. Asking again with this index gives the same answer. `None` before the first event.
    pub as_of: Option<Position>,
    /// The answer.
    pub answer: Answer,
    /// That a page has fewer items than there are and were asked for, because they would be too large for one message.
    pub cut: bool,
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// To `Prompt`.
    Prompt(Box<PromptAnswer>),
    /// To `List`.
    List(Vec<PromptSummary>),
    /// To `Versions`.
    Versions(Vec<VersionSummary>),
    /// To `LabelHistory`.
    LabelHistory(Vec<LabelMove>),
    /// To `Events`.
    Events(EventsAnswer),
    /// To `Status`.
    Status(StatusAnswer),
    /// To `Access`.
    Access(Vec<AccessItem>),
    /// To `Comments`.
    Comments(Vec<Comment>),
    /// To `Forks`.
    Forks(Vec<Fork>),
    /// To `Diff`.
    Diff(Box<DiffAnswer>),
    /// To `Render`.
    Rendered(Box<RenderedAnswer>),
    /// To `Dependents`.
    Dependents(DependentsAnswer),
    /// To `Quotas`: all of them, in order.
    Quotas(Vec<QuotaAnswer>),
    /// To `Languages`.
    Languages(Languages),
    /// To `Watch`.
    Watch(bool),
    /// To `Who`.
    Who(WhoAnswer),
    /// To `Holdings`.
    Holdings(HoldingsAnswer),
    /// To `Why`: the text of a JSON object.
    Why(String),
    /// To `Changes`.
    Changes(ChangesAnswer),
    /// To `Audit`.
    Audit(AuditAnswer),
    /// To `AuditCount`.
    AuditCount(AuditCounted),
    /// To `Analytics`.
    Analytics(Box<AnalyticsAnswer>),
    /// To `EmptySearches`.
    EmptySearches(Box<EmptySearches>),
    /// To `Insight`.
    Insight(Box<insight::Insight>),
    /// To `Search`.
    Found(Box<search::Found>),
    /// To `Suggest`.
    Suggested(search::Suggestions),
    /// To `Models`, and to `Work`: the one view.
    Models(Vec<ModelAnswer>),
    /// To `Expand`.
    Expanded(Box<ExpandedAnswer>),
}

/// How a read model of the tenant stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelAnswer {
    /// Which.
    pub view: String,
    /// The shape of its rows.
    pub format: u32,
    /// How far it is; nothing before the first event, and while it is not open because it has stopped.
    pub position: Option<Position>,
    /// Its model digest there.
    pub digest: Option<String>,
    /// Why it has stopped, if it has.
    pub stopped: Option<String>,
    /// What the last check of this process found.
    pub checked: Option<Check>,
    /// The last rebuild or rollback of this process, under way or over.
    pub work: Option<WorkAnswer>,
    /// The store that was replaced last.
    pub previous: Option<PreviousModel>,
    /// Stores of other formats, left by other releases.
    pub others: Vec<OtherFormat>,
}

/// A store that was replaced and is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousModel {
    /// Its last event when it was replaced.
    pub index: u64,
    /// Its model digest there.
    pub digest: String,
    /// When it was replaced.
    pub replaced_at: Timestamp,
    /// When it is taken away.
    pub kept_until: Timestamp,
}

/// The stores that a release of another format has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherFormat {
    /// The format.
    pub format: u32,
    /// Since when nobody uses them.
    pub unused_since: Timestamp,
    /// When they are taken away.
    pub kept_until: Timestamp,
}

/// How much there is of something, and may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaAnswer {
    /// Of what.
    pub quota: Quota,
    /// How much there is; nothing for what the ledger does not count.
    pub used: Option<u64>,
    /// How much there may be; nothing: any.
    pub limit: Option<u64>,
}

/// Whether a time was recorded by us or claimed by an importer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// By the writer's clock.
    Recorded,
    /// Claimed by a principal with the right to import.
    Claimed,
}

/// One prompt with one version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PromptAnswer {
    /// The prompt, as it was at the point asked about.
    pub prompt: PromptSummary,
    /// The version.
    pub version: VersionSummary,
    /// The version's content: text as it is, or the chat's messages as JSON text.
    pub content: String,
    /// The version's configuration as JSON text.
    pub config: Option<String>,
    /// Its variables by name, those that it declares and those that it uses, as JSON text.
    pub variables: String,
    /// The prompt's metadata at that point as JSON text.
    pub metadata: Option<String>,
}

/// One prompt without content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptSummary {
    /// Its identity.
    pub id: PromptId,
    /// Its key (the last one it had, if archived).
    pub key: PromptKey,
    /// What its content is.
    pub kind: Kind,
    /// Whether it is archived.
    pub archived: bool,
    /// How many versions, on all branches; also the newest one's number.
    pub versions: u32,
    /// The newest version of `main`.
    pub latest: VersionId,
    /// The open branches, `main` among them, and their heads' numbers.
    pub branches: BTreeMap<Branch, u32>,
    /// The version that its first version was copied from, if it is a fork.
    pub forked_from: Option<VersionRef>,
    /// Labels and the version numbers they point to.
    pub labels: BTreeMap<Label, u32>,
    /// What some of them are split over.
    pub rollouts: Rollouts,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// The index of its last event.
    pub changed_index: u64,
    /// When that was recorded.
    pub changed_at: Timestamp,
    /// Effective time: when what it says happened.
    pub effective_at: Timestamp,
    /// Whether that time is claimed.
    pub basis: Basis,
}

/// One version without content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionSummary {
    /// Its identity, also its ETag.
    pub id: VersionId,
    /// Its number.
    pub number: u32,
    /// The branch that it was added to.
    pub branch: Branch,
    /// What it was made from: none, the head of its branch, and after a merge also what was merged; for the first version
    /// of a fork one of another prompt.
    pub parents: Vec<VersionRef>,
    /// Keyed id of its content.
    pub content_id: ContentId,
    /// Length of its content.
    pub bytes: u32,
    /// How its content is read.
    pub syntax: Syntax,
    /// What its content includes.
    pub includes: Vec<Include>,
    /// How it came to be.
    pub stamp: Stamp,
}

/// Who did it, when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The index of the event.
    pub index: u64,
    /// The command.
    pub command_id: CommandId,
    /// Who sent it.
    pub actor: PrincipalId,
    /// Who is claimed to have made it.
    pub author: Option<Author>,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// When it is claimed to have happened.
    pub occurred_at: Option<Timestamp>,
    /// Why, in the actor's words.
    pub message: Option<String>,
    /// By which right: indexes of the grants.
    pub grants: Vec<u64>,
}

/// One move of a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelMove {
    /// From which version number.
    pub before: Option<u32>,
    /// To which; `None`: removed.
    pub after: Option<u32>,
    /// How.
    pub stamp: Stamp,
}

/// One event, as users see it: no text, ids only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// The stable name, `version.added`.
    pub name: String,
    /// The prompt it is about.
    pub prompt: Option<PromptId>,
    /// The key of that prompt after it.
    pub key: Option<PromptKey>,
    /// How it came to be.
    pub stamp: Stamp,
    /// What is special to the event, as JSON text: ids, numbers, names; never prompt text.
    pub detail: String,
}

/// Events, and how far they were looked at: those between that are not there may not be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsAnswer {
    /// The events.
    pub events: Vec<EventRecord>,
    /// The index to go on from.
    pub next: u64,
}

/// What was said about a version or a release request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Which.
    pub id: CommentId,
    /// On what.
    pub on: CommentOn,
    /// What was said; `None`: it was erased.
    pub text: Option<String>,
    /// By whom and when.
    pub stamp: Stamp,
}

/// An item of a list about access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessItem {
    /// Where the next page goes on after it.
    pub cursor: String,
    /// What it is, as JSON text: ids and names of roles, never a secret or its hash.
    pub json: String,
}

/// How the model stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusAnswer {
    /// The model digest at `as_of`, hex.
    pub model_digest: String,
    /// Live prompts that the caller may read.
    pub prompts: u64,
    /// The roles that the caller has somewhere.
    pub roles: Vec<AnyRole>,
    /// Where the caller may read.
    pub reads: Vec<Prefix>,
}
