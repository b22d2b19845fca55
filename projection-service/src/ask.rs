//! Questions and answers as plain data: the same in process and over NATS.

mod access;
mod analytics;
mod audit;
mod changes;
mod graph;
pub mod insight;
pub mod search;
mod template;
pub mod wire;

use std::collections::BTreeMap;

use promptory_events::event::{AnyRole, AuditForm, CommentOn, Include, Kind, Languages, Quota, Syntax, VersionRef};
use promptory_events::{
    Author, Branch, CommandId, CommentId, KeyId, Label, Position, Prefix, PrincipalId, PromptId, PromptKey, Tag,
    TenantId, Timestamp, VersionId,
};
use promptory_platform::{BearerToken, Presented};
use serde::{Deserialize, Serialize};

pub use crate::check::Check;
pub use crate::rebuild::work::{AskWork, Kind as WorkKind, Stage as WorkStage, WorkAnswer};
pub use crate::store::Share;
pub use access::{AskHoldings, AskWho, AskWhy, HoldingsAnswer, Place, Showing, When, WhoAnswer};
pub use analytics::{AnalyticsAnswer, AskAnalytics, AskEmptySearches, EmptySearches};
pub use audit::{AuditAnswer, AuditCounted, AuditFilter, AuditRecord, Order, Outcome};
pub use changes::{AskChanges, Changed, ChangesAnswer, Of, PromptChange, Step};
pub use graph::{Against, DiffAnswer, Fork};
pub use promptory_domain::rollout::running::{Arm, Rollout, Rollouts};
pub use template::{
    Dependent, DependentsAnswer, ExpandedAnswer, ExpandedPart, NotRendered, RenderedAnswer, RenderedPart,
};

/// A question to one tenant's read models.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ask {
    /// Whose.
    pub tenant: TenantId,
    /// Who asks.
    pub caller: Caller,
    /// Wait (bounded) until the model has reached this.
    pub at_least: Option<Position>,
    /// What.
    pub question: Question,
}

/// What the caller showed; the read models know the keys and the issuers, so the answering side checks it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Caller {
    /// An API key.
    Key {
        /// Its public part.
        key: KeyId,
        /// SHA-256 of its secret part.
        secret_hash: [u8; 32],
    },
    /// A token of an issuer. It travels as it is: nobody but who checks it can say whose it is.
    Token(BearerToken),
}

impl From<&Presented> for Caller {
    fn from(presented: &Presented) -> Self {
        match presented {
            Presented::ApiKey { key, secret_hash, .. } => Self::Key { key: *key, secret_hash: *secret_hash },
            Presented::Token(token) => Self::Token(token.clone()),
        }
    }
}

/// A point in a tenant's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AsOf {
    /// Everything that is there.
    Now,
    /// Up to and with this event.
    Index(u64),
    /// What had been recorded by then.
    Recorded(Timestamp),
    /// What had happened by then: per prompt, the prefix whose effective time is not later.
    Occurred(Timestamp),
    /// As `Occurred`, of the events up to an index: the later pages of a listing that began with `Occurred`, so that an
    /// import between two pages does not move them.
    OccurredAt {
        /// By when it had happened.
        time: Timestamp,
        /// Up to which event.
        index: u64,
    },
}

/// A prompt by key or id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PromptRef {
    /// The prompt that held this key at the point asked about.
    Key(PromptKey),
    /// By identity, archived or not.
    Id(PromptId),
}

/// Which version of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Which {
    /// The one that the label points to; `latest` is the newest of `main`.
    Label(Label),
    /// By number.
    Number(u32),
    /// The head of an open branch.
    Branch(Branch),
    /// The one that the label means for a key: if the label is split, that of the key's bucket.
    Keyed {
        /// The label.
        label: Label,
        /// The key.
        key: String,
    },
}

impl Which {
    /// What a label that is split means here; `None` if no label is asked for, or none that is split.
    #[must_use]
    pub fn arm(&self, labels: &BTreeMap<Label, u32>, rollouts: &Rollouts) -> Option<Arm> {
        let (label, key) = match self {
            Self::Label(label) => (label, None),
            Self::Keyed { label, key } => (label, Some(key.as_str())),
            Self::Number(_) | Self::Branch(_) => return None,
        };
        // Nearly all prompts have no rollout: then this is all that it costs.
        let running = rollouts.get(label)?;
        labels.get(label).map(|control| running.arm(*control, key))
    }
}

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Question {
    /// One prompt with one version's content.
    Prompt {
        /// Which prompt.
        prompt: PromptRef,
        /// Which version.
        which: Which,
        /// When.
        as_of: AsOf,
    },
    /// The prompts that held a key at a point, by key, one page.
    List {
        /// Only keys that begin with this.
        prefix: String,
        /// Only keys after this one.
        after: Option<PromptKey>,
        /// At most so many (1 to 1,000).
        limit: usize,
        /// When. `Now` on the first page; the cursor carries the index on.
        as_of: AsOf,
    },
    /// A prompt's versions, newest first, one page.
    Versions {
        /// Which prompt.
        prompt: PromptRef,
        /// Only numbers below this one.
        below: Option<u32>,
        /// At most so many.
        limit: usize,
        /// When.
        as_of: AsOf,
    },
    /// Where a prompt's label pointed over the years, oldest first, one page.
    LabelHistory {
        /// Which prompt.
        prompt: PromptRef,
        /// Which label.
        label: Label,
        /// Only moves after this index.
        after: Option<u64>,
        /// At most so many.
        limit: usize,
        /// When.
        as_of: AsOf,
    },
    /// The tenant's events, one page.
    Events {
        /// The first index.
        from: u64,
        /// At most so many.
        limit: usize,
    },
    /// Position and digest of the model.
    Status,
    /// Who may do what: one page of a list.
    Access {
        /// Which list.
        what: Listing,
        /// Only what comes after the item with this cursor.
        after: Option<String>,
        /// At most so many.
        limit: usize,
        /// When, by an index or a recorded time: nobody claims that something about access happened earlier.
        as_of: AsOf,
    },
    /// What was said about a prompt's versions and release requests, oldest first, one page.
    Comments {
        /// Which prompt.
        prompt: PromptRef,
        /// Only on this.
        on: Option<CommentOn>,
        /// Only after this index.
        after: Option<u64>,
        /// At most so many.
        limit: usize,
        /// When.
        as_of: AsOf,
    },
    /// The prompts that were forked from one, archived or not, oldest first, one page.
    Forks {
        /// Of which prompt.
        prompt: PromptRef,
        /// Only forks after this index.
        after: Option<u64>,
        /// At most so many.
        limit: usize,
        /// When.
        as_of: AsOf,
    },
    /// What differs between two versions.
    Diff {
        /// Which prompt.
        prompt: PromptRef,
        /// Which of its versions.
        which: Which,
        /// The version that it is compared with.
        against: Against,
        /// When: what labels and branches mean, and which prompt holds a key.
        as_of: AsOf,
    },
    /// What a version says with values for its variables.
    Render {
        /// Which prompt.
        prompt: PromptRef,
        /// Which version.
        which: Which,
        /// When: what it includes is as it was then, too.
        as_of: AsOf,
        /// The values by name, as the text of a JSON object.
        variables: String,
    },
    /// The versions that include a prompt, oldest first, one page.
    Dependents {
        /// Which prompt.
        prompt: PromptRef,
        /// Also those that neither a label nor a branch leads to.
        all: bool,
        /// Only versions that were added after this index.
        after: Option<u64>,
        /// At most so many.
        limit: usize,
        /// When.
        as_of: AsOf,
    },
    /// What the tenant has and may have.
    Quotas,
    /// The languages that the tenant's prompts are searched in.
    Languages {
        /// When.
        as_of: AsOf,
    },
    /// Whether the tenant's versions are watched.
    Watch {
        /// When.
        as_of: AsOf,
    },
    /// Who may do something.
    Who(AskWho),
    /// All that a principal may do.
    Holdings(AskHoldings),
    /// Whether a principal may do something, and why.
    Why(AskWhy),
    /// What changed between two points.
    Changes(AskChanges),
    /// Who did what: one page of records.
    Audit {
        /// Which.
        filter: Box<AuditFilter>,
        /// Only up to and with this event. Nothing on the first page; the cursor carries the index on.
        end: Option<u64>,
        /// Where the page before said to go on.
        from: Option<u64>,
        /// In which order.
        order: Order,
        /// At most so many.
        limit: usize,
        /// What the reader gets: it is recorded who reads what in which form.
        form: AuditForm,
    },
    /// How many such records there are.
    AuditCount {
        /// Which.
        filter: Box<AuditFilter>,
        /// Only up to and with this event.
        end: Option<u64>,
        /// Where the answer before said to go on.
        from: Option<u64>,
    },
    /// What is counted of usage.
    Analytics(Box<AskAnalytics>),
    /// What was searched for and not found.
    EmptySearches(AskEmptySearches),
    /// What is asked of prompts as a whole.
    Insight(Box<insight::AskInsight>),
    /// How the tenant's read models stand.
    Models {
        /// Whether they are to be checked against the ledger. That goes on after the answer.
        check: bool,
    },
    /// The prompts whose text has some words.
    Search(Box<search::Search>),
    /// What somebody may want to type.
    Suggest {
        /// What was typed so far.
        text: String,
        /// Among the texts that this label points to.
        label: Label,
        /// At most so many of each kind.
        limit: usize,
    },
    /// A read model is built anew, or the one before it put back. That goes on after the answer.
    Work(AskWork),
    /// What a version says with all that it includes filled in, and variables left as they are.
    Expand {
        /// Which prompt.
        prompt: PromptRef,
        /// Which version.
        which: Which,
        /// When: what it includes is as it was then, too.
        as_of: AsOf,
    },
}

impl Question {
    /// Whether it is a later page of a search, which only the process that answered the first one can answer.
    #[must_use]
    pub fn goes_on_searching(&self) -> bool {
        matches!(self, Self::Search(search) if search.after.is_some())
    }
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

/// A list of what is known about access and releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Listing {
    /// API keys, also revoked ones.
    Keys,
    /// Grants that are not revoked.
    Grants,
    /// Groups with their members.
    Groups,
    /// Custom roles.
    Roles,
    /// Labels that are protected.
    Protections,
    /// Freeze windows that are not lifted.
    Freezes,
    /// Release requests that are open.
    OpenReleases,
    /// All release requests.
    Releases,
    /// Issuers that are trusted.
    Issuers,
}

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
    pub content_id: promptory_events::ContentId,
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

impl AskError {
    /// Whether it may come from a right that is lacking, which is recorded before it is told.
    #[must_use]
    pub fn may_be_denied(&self) -> bool {
        matches!(
            self,
            Self::Forbidden
                | Self::PromptNotFound
                | Self::AccessHidden(_)
                | Self::AnalyticsHidden(_)
                | Self::PrincipalNotFound
        )
    }

    /// Whether it comes from where the answer should have come from, and passes by itself: a process that starts again,
    /// a model that is a little behind, too much at once.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(
            self,
            Self::Busy
                | Self::Nobody(_)
                | Self::CatchingUp(_)
                | Self::NoAnswer
                | Self::Behind(_)
                | Self::IssuerAway
                | Self::Unrecorded
                | Self::SearchBehind { .. }
        )
    }
}

/// Why a question got no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum AskError {
    /// No such key, a wrong secret, a revoked key, an unknown tenant: not told apart.
    #[error("what was shown opens nothing")]
    Unauthenticated,
    /// The caller may not read.
    #[error("the caller may not read this")]
    Forbidden,
    /// The tenant is suspended.
    #[error("the tenant is suspended")]
    Suspended,
    /// There is no such prompt at that point.
    #[error("there is no such prompt at that point")]
    PromptNotFound,
    /// The prompt has no such version at that point.
    #[error("the prompt has no version {0} at that point")]
    VersionNotFound(u32),
    /// The prompt has no such label at that point.
    #[error("the prompt has no label {0} at that point")]
    LabelNotFound(Label),
    /// The ledger does not reach that index.
    #[error("the ledger does not reach index {0}")]
    IndexBeyondEnd(u64),
    /// The key that the text was sealed with has been destroyed.
    #[error("the text has been erased")]
    Erased,
    /// The model has not reached `at_least` in time.
    #[error("the model has not reached {0} in time")]
    Behind(Position),
    /// `at_least` is of another life of the ledger.
    #[error("{0} is of another life of the ledger")]
    OtherIncarnation(Position),
    /// As many questions as allowed are being answered.
    #[error("as many questions as allowed are being answered; try again in a second")]
    Busy,
    /// No process that has the tenant's read models runs, or none can be reached.
    #[error("nobody answers for partition {0} now; try again in a second")]
    Nobody(u16),
    /// The process that has the tenant's read models has not caught up with the ledger since it started.
    #[error("the read models of partition {0} are catching up; try again in a second")]
    CatchingUp(u16),
    /// No answer came in time.
    #[error("no answer came in time; try again")]
    NoAnswer,
    /// The tenant's projection has stopped or the store can't be read.
    #[error("the read model is not available: {0}")]
    Unavailable(String),
    /// A cursor of another list.
    #[error("the cursor is not of this list")]
    ForeignCursor,
    /// The prompt has no such open branch at that point.
    #[error("the prompt has no branch {0} at that point")]
    BranchNotFound(Branch),
    /// The two prompts hold different kinds of content.
    #[error("the two prompts hold different kinds of content")]
    KindMismatch,
    /// A version can't be rendered so.
    #[error("{0}")]
    NotRendered(Box<NotRendered>),
    /// A token that is not believed.
    #[error("{0}")]
    TokenRefused(String),
    /// An issuer whose keys can't be had now.
    #[error("the issuer's keys can't be had now; try again")]
    IssuerAway,
    /// The caller may not see who may do what there.
    #[error("the caller may not see who may do what on {0:?}")]
    AccessHidden(Prefix),
    /// The caller may not see what is counted there.
    #[error("the caller may not see what is counted on {0:?}")]
    AnalyticsHidden(Prefix),
    /// There is more than one answer holds.
    #[error("there are more groups than one answer has: narrow the filter, or group by less")]
    TooManyGroups,
    /// There is no such principal at that point.
    #[error("there is no such principal at that point")]
    PrincipalNotFound,
    /// A query that can't be read.
    #[error("{0}")]
    QueryInvalid(search::QueryFault),
    /// The search index has not reached a position in time; the first one, if none was asked for.
    #[error("the search index has not reached the position in time")]
    SearchBehind {
        /// What was asked for.
        wanted: Option<Position>,
        /// What it has.
        reached: Option<Position>,
    },
    /// The pages of a search are no longer held.
    #[error("the pages of this search are no longer held; begin again without the cursor")]
    CursorExpired,
    /// The reading could not be recorded, so nothing is read.
    #[error("it could not be recorded now that the audit is read; try again")]
    Unrecorded,
    /// No store of the view was kept to go back to.
    #[error("no store of this view was kept to go back to")]
    NoPreviousModel,
}
