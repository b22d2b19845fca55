//! Who may do what. Only the schemas are used: the read side writes these items, and they are passed on as they are.

use serde::Serialize;
use utoipa::ToSchema;

/// An API key, as its tenant's ledger knows it. Its secret is not kept.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used: items are passed on as they are")]
pub struct Key {
    /// Its id.
    key: String,
    /// Whom it authenticates.
    principal: String,
    /// What it is narrowed to: `role` and `prefix`; null: nothing.
    scope: Option<Scope>,
    /// Until when it opens.
    expires_at: Option<String>,
    /// The event that issued it.
    issued_index: u64,
    /// The key whose place it took.
    replaces: Option<String>,
    /// The event that revoked it.
    revoked_index: Option<u64>,
    /// When it last did something that is in the ledger, or read something from this process since that began: as it is known
    /// now, whatever the list is as of.
    last_used_at: Option<String>,
}

/// What a key is narrowed to.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct Scope {
    /// What.
    role: String,
    /// Where.
    prefix: String,
}

/// One page of API keys, by id.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct KeyPage {
    /// The keys, revoked ones too.
    keys: Vec<Key>,
    /// Give it as `cursor` to get the next page; null on the last one.
    next_cursor: Option<String>,
}

/// A role that was granted on a prefix and not revoked.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used: items are passed on as they are")]
pub struct Grant {
    /// Who has it, if it is one principal.
    principal: Option<String>,
    /// Whose members have it, if it is a group.
    group: Option<String>,
    /// What.
    role: String,
    /// Where.
    prefix: String,
    /// Until when; it may have expired.
    expires_at: Option<String>,
    /// The event that granted it: what commits name as evidence.
    granted_index: u64,
}

/// One page of grants, by who has them.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct GrantPage {
    /// The grants.
    grants: Vec<Grant>,
    /// Give it as `cursor` to get the next page; null on the last one.
    next_cursor: Option<String>,
}

/// A group.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used: items are passed on as they are")]
pub struct Group {
    /// Its id.
    group: String,
    /// The event that created it.
    created_index: u64,
    /// Its members.
    members: Vec<String>,
}

/// One page of groups, by id.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct GroupPage {
    /// The groups.
    groups: Vec<Group>,
    /// Give it as `cursor` to get the next page; null on the last one.
    next_cursor: Option<String>,
}

/// A custom role.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used: items are passed on as they are")]
pub struct CustomRole {
    /// Its name.
    role: String,
    /// What it allows.
    actions: Vec<String>,
    /// The event that defined it last.
    defined_index: u64,
}

/// One page of custom roles, by name.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct RolePage {
    /// The roles.
    roles: Vec<CustomRole>,
    /// Give it as `cursor` to get the next page; null on the last one.
    next_cursor: Option<String>,
}

/// An issuer whose tokens are believed.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used: items are passed on as they are")]
pub struct Issuer {
    /// The id of the trust.
    issuer: String,
    /// Its address, as the claim `iss` of its tokens has it.
    url: String,
    /// For whom its tokens must be.
    audience: String,
    /// Which of their claims has the groups of their subject.
    groups_claim: String,
    /// Which of their claims names a user of the directory, and what of him, if they are of users.
    users: Option<IssuerUsers>,
    /// The event that trusted it.
    trusted_index: u64,
    /// What its groups mean.
    groups: Vec<IssuerGroup>,
}

/// How tokens of an issuer name users of the directory.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used: items are passed on as they are")]
pub struct IssuerUsers {
    /// By which claim.
    claim: String,
    /// What of the user it is: `userName` or `externalId`.
    attribute: String,
}

/// What a group of an issuer means.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used: items are passed on as they are")]
pub struct IssuerGroup {
    /// What the issuer calls it, as a keyed hash: so the evidence of commits names it.
    claim: String,
    /// What the issuer calls it; null if that was erased.
    value: Option<String>,
    /// What it means: one of our groups.
    group: String,
    /// The event that mapped it last.
    mapped_index: u64,
}

/// One page of issuers, by id.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct IssuerPage {
    /// The issuers.
    issuers: Vec<Issuer>,
    /// Give it as `cursor` to get the next page; null on the last one.
    next_cursor: Option<String>,
}
