//! What a company's directory says of its people and groups (SCIM): who they are, sealed, and whether they may come in.
//!
//! Names are here as keyed hashes, which tell equal names apart from others and nothing else, and as a sealed profile.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{GroupId, IssuerId, NameId, PrincipalId};
use crate::issuer::Term;
use crate::sealed::Sealed;
use crate::time::Timestamp;

/// A principal is a user of the directory, from now on with this profile. While it is not active, neither a key nor a token
/// of it opens anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserSet {
    /// Who.
    pub user: PrincipalId,
    /// Its `userName`, as a keyed hash without regard to case.
    pub name: NameId,
    /// Its `externalId`, as a keyed hash.
    pub external: Option<NameId>,
    /// Whether it may come in.
    pub active: bool,
    /// All that the directory says of it, as a JSON object.
    pub profile: Sealed,
    /// When it was first said.
    pub created_at: Timestamp,
    /// When this was said.
    pub changed_at: Timestamp,
}

/// The directory has no such user any more. Nothing of the principal opens anything again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserRemoved {
    /// Who.
    pub user: PrincipalId,
}

/// A group is one of the directory, from now on with this profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupSet {
    /// Which.
    pub group: GroupId,
    /// Its `displayName`, as a keyed hash without regard to case.
    pub name: NameId,
    /// Its `externalId`, as a keyed hash.
    pub external: Option<NameId>,
    /// All that the directory says of it but for its members, as a JSON object.
    pub profile: Sealed,
    /// When it was first said.
    pub created_at: Timestamp,
    /// When this was said.
    pub changed_at: Timestamp,
}

/// The directory has no such group any more. The group and its grants stay: what an issuer's groups mean may lead to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupRemoved {
    /// Which.
    pub group: GroupId,
}

/// By what name the tokens of an issuer call a user of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum UserAttribute {
    /// Its `userName`.
    UserName,
    /// Its `externalId`.
    ExternalId,
}

/// Whoever shows a token of an issuer is the user of the directory that it names, from this index on: its principal, or
/// nobody. It holds as long as the trust does, which never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IssuerLinked {
    /// Whose tokens.
    pub issuer: IssuerId,
    /// Which of their claims names the user.
    pub claim: Term,
    /// What of the user it names.
    pub attribute: UserAttribute,
}
