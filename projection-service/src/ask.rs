//! Questions and answers as plain data: the same in process and over NATS.

mod access;
mod analytics;
mod answer;
mod audit;
mod changes;
mod error;
mod graph;
pub mod insight;
pub mod search;
mod template;
pub mod wire;

use std::collections::BTreeMap;

use promptory_events::event::{AuditForm, CommentOn};
use promptory_events::{Branch, KeyId, Label, Position, PromptId, PromptKey, TenantId, Timestamp};
use promptory_platform::{BearerToken, Presented};
use serde::{Deserialize, Serialize};

pub use crate::check::Check;
pub use crate::rebuild::work::{AskWork, Kind as WorkKind, Stage as WorkStage, WorkAnswer};
pub use crate::store::Share;
pub use access::{AskHoldings, AskWho, AskWhy, HoldingsAnswer, Place, Showing, When, WhoAnswer};
pub use analytics::{AnalyticsAnswer, AskAnalytics, AskEmptySearches, EmptySearches};
pub use answer::{
    AccessItem, Answer, Basis, Comment, EventRecord, EventsAnswer, LabelMove, ModelAnswer, OtherFormat, PreviousModel,
    PromptAnswer, PromptSummary, QuotaAnswer, Reply, Stamp, StatusAnswer, VersionSummary,
};
pub use audit::{AuditAnswer, AuditCounted, AuditFilter, AuditRecord, Order, Outcome};
pub use changes::{AskChanges, Changed, ChangesAnswer, Of, PromptChange, Step};
pub use error::AskError;
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
