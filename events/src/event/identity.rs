//! Who vouches for callers that hold no API key: trusted issuers, what their groups mean here, and tokens that open nothing
//! any more.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{ClaimId, GroupId, IssuerId, PrincipalId, TokenHash};
use crate::issuer::{IssuerUrl, Term};
use crate::sealed::Sealed;
use crate::time::Timestamp;

/// Tokens of an issuer are believed from this index on, if they are for this audience. None of it changes: another audience
/// or another claim is another trust, so that nobody gets the rights of one by changing the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IssuerTrusted {
    /// This trust.
    pub issuer: IssuerId,
    /// Whose tokens, as the claim `iss` has it.
    pub url: IssuerUrl,
    /// For whom they must be, as the claim `aud` has it.
    pub audience: Term,
    /// Which claim says in which groups their subject is.
    pub groups_claim: Term,
}

/// Tokens of an issuer open nothing from this index on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IssuerDistrusted {
    /// Which.
    pub issuer: IssuerId,
}

/// Whoever is in a group by the word of an issuer has what a group of ours has, as long as his token says so. In the place
/// of the group that it meant before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClaimMapped {
    /// By whose word.
    pub issuer: IssuerId,
    /// What the issuer calls the group, as a keyed hash.
    pub claim: ClaimId,
    /// What the issuer calls the group.
    pub value: Sealed,
    /// The group that it meant until now.
    pub before: Option<GroupId>,
    /// The group that it means.
    pub after: GroupId,
}

/// A group of an issuer means nothing here any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClaimUnmapped {
    /// By whose word.
    pub issuer: IssuerId,
    /// What the issuer calls the group, as a keyed hash.
    pub claim: ClaimId,
    /// The group that it meant until now.
    pub before: GroupId,
}

/// Which tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Session {
    /// All of a principal that were issued before a time.
    Before {
        /// Whose.
        principal: PrincipalId,
        /// Issued before when.
        time: Timestamp,
    },
    /// One.
    Token(TokenHash),
}

/// Tokens open nothing from this index on, however long they were made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionRevoked {
    /// Which tokens.
    pub session: Session,
    /// When the last of them would have ended by its age: nobody has to remember this any longer.
    pub until: Timestamp,
}
