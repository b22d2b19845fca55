//! Why a question got no answer.

use promptory_events::{Branch, Label, Position, Prefix};
use serde::{Deserialize, Serialize};

use super::{NotRendered, search};

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
