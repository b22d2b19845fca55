//! Who may do what: principals, groups, grants of roles on prefixes, API keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::role::{Action, AnyRole, RoleName};
use crate::id::{GroupId, KeyId, PrincipalId};
use crate::prefix::Prefix;
use crate::sealed::Sealed;
use crate::time::Timestamp;

/// Whom a role is granted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// One principal.
    Principal(PrincipalId),
    /// Whoever is a member of a group.
    Group(GroupId),
}

/// A principal came to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrincipalAdded {
    /// The pseudonym.
    pub principal: PrincipalId,
    /// Its display name.
    pub name: Option<Sealed>,
}

/// A role was granted on a prefix. This event's index is what later commits name as evidence. Granted again (with another
/// expiry) it takes the place of the grant before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleGranted {
    /// Whom to.
    pub to: Subject,
    /// What.
    pub role: AnyRole,
    /// Where.
    pub prefix: Prefix,
    /// Until when: from then on it allows nothing.
    pub expires_at: Option<Timestamp>,
}

/// A grant was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleRevoked {
    /// Whom from.
    pub from: Subject,
    /// What.
    pub role: AnyRole,
    /// Where.
    pub prefix: Prefix,
    /// The index of the `role.granted` that ends with this.
    pub grant: u64,
}

/// A custom role was defined: all that it allows from this index on, wherever it is granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleDefined {
    /// Its name.
    pub role: RoleName,
    /// What it allowed until now, if it was there.
    pub before: Option<Vec<Action>>,
    /// What it allows from now on, in order and without doubles.
    pub after: Vec<Action>,
}

/// A group came to be, without members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupCreated {
    /// The pseudonym.
    pub group: GroupId,
    /// Its display name.
    pub name: Option<Sealed>,
}

/// A principal became a member of a group, and so has what the group has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberAdded {
    /// Which group.
    pub group: GroupId,
    /// Who.
    pub principal: PrincipalId,
}

/// A principal is no member of a group any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberRemoved {
    /// Which group.
    pub group: GroupId,
    /// Who.
    pub principal: PrincipalId,
}

/// What an API key is narrowed to: of its principal's rights those that this role has on this prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyScope {
    /// What.
    pub role: AnyRole,
    /// Where.
    pub prefix: Prefix,
}

/// An API key was issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyIssued {
    /// The public part.
    pub key: KeyId,
    /// Whom it authenticates.
    pub principal: PrincipalId,
    /// SHA-256 of the secret part, which is 32 random bytes and so needs no slow hash.
    pub secret_hash: [u8; 32],
    /// What it is narrowed to; nothing: it has all rights of its principal.
    pub scope: Option<KeyScope>,
    /// Until when: from then on it authenticates nobody.
    pub expires_at: Option<Timestamp>,
    /// The key whose place it takes; that one is revoked in the same commit, at once or from a time on.
    pub replaces: Option<KeyId>,
}

/// An API key was revoked: from this index on, or from a time on, it authenticates nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyRevoked {
    /// Which.
    pub key: KeyId,
    /// From when on, if another key takes its place with an overlap; nothing: from this index on.
    pub from: Option<Timestamp>,
}
