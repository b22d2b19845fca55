//! Who may do what: principals, roles, API keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{KeyId, PrincipalId};
use crate::sealed::Sealed;

/// What a principal may do. The table is in `promptory_domain::access`; the order is the wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything in the tenant.
    Owner,
    /// Reads and writes prompts and labels.
    Editor,
    /// Reads.
    Viewer,
    /// Writes prompts and may claim when and by whom a change was made.
    Importer,
    /// Creates, suspends and resumes tenants (`_system` only).
    Operator,
}

/// A principal came to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrincipalAdded {
    /// The pseudonym.
    pub principal: PrincipalId,
    /// Its display name.
    pub name: Option<Sealed>,
}

/// A principal was granted a role. This event's index is what later commits name as evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleGranted {
    /// Who.
    pub principal: PrincipalId,
    /// What.
    pub role: Role,
}

/// A role was taken from a principal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleRevoked {
    /// Who.
    pub principal: PrincipalId,
    /// What.
    pub role: Role,
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
}

/// An API key was revoked: from this index on it authenticates nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyRevoked {
    /// Which.
    pub key: KeyId,
}
