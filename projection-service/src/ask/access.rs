//! Questions about who may do what, and why.

use std::str::FromStr;

use promptory_events::event::Action;
use promptory_events::key::NameError;
use promptory_events::{ClaimId, IssuerId, KeyId, Prefix, PrincipalId, PromptKey, Timestamp};
use serde::{Deserialize, Serialize};

use super::{AccessItem, AsOf};

/// Where something may be done: a key, or a prefix for all below it. What covers it is told by its text alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place(String);

impl Place {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Place {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let place = || Self(text.to_owned());
        if text.is_empty() || text.ends_with('/') {
            return text.parse::<Prefix>().map(|_| place());
        }
        text.parse::<PromptKey>().map(|_| place())
    }
}

/// When, and by which clock expiries are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct When {
    /// Which events count.
    pub as_of: AsOf,
    /// What has expired by then is over; that of the point if it is not given: the time that was asked for, that at which its
    /// last event was recorded, or now.
    pub at: Option<Timestamp>,
}

/// Who may do something somewhere, one page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskWho {
    /// Where.
    pub on: Place,
    /// Also by what is granted on parts of it.
    pub below: bool,
    /// Only who may do this.
    pub action: Option<Action>,
    /// When.
    pub when: When,
    /// Only what comes after the item with this cursor.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// All that a principal may do, one page of its grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskHoldings {
    /// Whose.
    pub principal: PrincipalId,
    /// When.
    pub when: When,
    /// Only grants after so many.
    pub after: u32,
    /// At most so many.
    pub limit: usize,
}

/// Whether a principal may do something, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskWhy {
    /// Who.
    pub principal: PrincipalId,
    /// What.
    pub action: Action,
    /// Where.
    pub on: Place,
    /// When.
    pub when: When,
    /// By what it shows.
    pub showing: Showing,
}

/// What a principal is thought to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Showing {
    /// It is not asked: what it holds counts.
    Anything,
    /// This key.
    Key(KeyId),
    /// A token that an issuer gave it now, with these groups.
    Token {
        /// The trust.
        issuer: IssuerId,
        /// The groups that it claims.
        claims: Vec<ClaimId>,
    },
}

/// Who may do something: principals, then groups of issuers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhoAnswer {
    /// By which clock expiries were judged.
    pub at: Timestamp,
    /// The page.
    pub items: Vec<AccessItem>,
}

/// What a principal holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldingsAnswer {
    /// By which clock expiries were judged.
    pub at: Timestamp,
    /// All but the grants, as the text of a JSON object.
    pub about: String,
    /// One page of its grants.
    pub grants: Vec<AccessItem>,
}
