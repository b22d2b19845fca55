//! Who may do what: only the schemas are used, items are passed on as they are.

use serde::Serialize;
use utoipa::ToSchema;

use super::Scope;

/// A grant, and by what somebody has it.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct HeldGrant {
    /// The event that granted it: what commits name as evidence.
    granted_index: u64,
    /// What.
    role: String,
    /// Where.
    prefix: String,
    /// Until when.
    expires_at: Option<String>,
    /// What the role allows.
    actions: Vec<String>,
    /// The event that defined the role as it is, if it is one of the tenant's own.
    role_defined_index: Option<u64>,
    /// The group that it was granted to; it is not there for a grant of one's own.
    group: Option<String>,
    /// The event by which the principal is a member of the group.
    member_index: Option<u64>,
    /// The issuer whose group means this group, if that is how.
    issuer: Option<String>,
    /// That group of the issuer.
    claim: Option<String>,
    /// The event that said what it means.
    mapped_index: Option<u64>,
    /// Whether it has expired (of a principal's grants).
    expired: Option<bool>,
}

/// A key, and what it opens there.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct OpeningKey {
    /// Its id.
    key: String,
    /// What it is narrowed to.
    scope: Option<Scope>,
    /// Until when it opens.
    expires_at: Option<String>,
    /// What the principal may do there with it.
    actions: Vec<String>,
}

/// Somebody who may do something: a principal, or whoever has a token of an issuer that claims a group.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct Who {
    /// Who, if it is one principal.
    principal: Option<String>,
    /// Whose tokens, if it is a group of an issuer.
    issuer: Option<String>,
    /// Which of its groups.
    claim: Option<String>,
    /// What the issuer calls it; null if it was erased, or the caller may not see issuers.
    value: Option<String>,
    /// What it means: one of our groups.
    group: Option<String>,
    /// What they may do on all of it.
    actions: Vec<String>,
    /// By what; at most 100.
    by: Vec<HeldGrant>,
    /// Whether there is more of that.
    more: bool,
    /// A principal's keys that open, as far as the caller may see them.
    keys: Option<Vec<OpeningKey>>,
}

/// One page of whoever may do something there.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct WhoPage {
    /// The key or prefix.
    on: String,
    /// When expiries were judged.
    at: String,
    /// The index that all pages of this listing are answered at; null before the first event.
    index: Option<u64>,
    /// Who.
    who: Vec<Who>,
    /// Give it as `cursor` to get the next page; null on the last one.
    next_cursor: Option<String>,
}

/// Where an action is allowed.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct Reach {
    /// What.
    action: String,
    /// On which prefixes; at most 100.
    prefixes: Vec<String>,
    /// Whether there are more.
    more: bool,
}

/// A group that a principal is a member of.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct Membership {
    /// Which.
    group: String,
    /// The event by which it is.
    member_index: u64,
}

/// A key of a principal that is not revoked.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct HeldKey {
    /// Its id.
    key: String,
    /// What it is narrowed to.
    scope: Option<Scope>,
    /// Until when it opens.
    expires_at: Option<String>,
    /// Whether it opens.
    opens: bool,
    /// The event that issued it.
    issued_index: u64,
}

/// All that a principal may do, with one page of its grants.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct Holdings {
    /// Who.
    principal: String,
    /// The event that added it.
    added_index: u64,
    /// When expiries were judged.
    at: String,
    /// The index that all pages of this listing are answered at.
    index: Option<u64>,
    /// Whether the caller may see all of it. If not, `can` and `groups` are left out.
    complete: bool,
    /// Where each action is allowed, whatever key is shown.
    can: Option<Vec<Reach>>,
    /// Its groups.
    groups: Option<Vec<Membership>>,
    /// Its keys that are not revoked.
    keys: Vec<HeldKey>,
    /// Tokens that were issued to it before this time open nothing; null: none was revoked so.
    tokens_revoked_before: Option<String>,
    /// Its grants, its own first, then those of its groups; expired ones too.
    grants: Vec<HeldGrant>,
    /// Give it as `cursor` to get the next page of grants; null on the last one.
    next_cursor: Option<String>,
}

/// A grant that allows it, with who gave it and when.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct DecidingGrant {
    /// The grant.
    #[serde(flatten)]
    grant: HeldGrant,
    /// Who granted it.
    granted_by: String,
    /// When.
    granted_at: String,
    /// Who made the principal a member of the group.
    member_by: Option<String>,
    /// When.
    member_at: Option<String>,
    /// Who said what the issuer's group means.
    mapped_by: Option<String>,
    /// When.
    mapped_at: Option<String>,
    /// Who defined the role as it is.
    role_defined_by: Option<String>,
    /// When.
    role_defined_at: Option<String>,
    /// Whether it is the one that a command would name as its evidence.
    decides: bool,
}

/// Something that is missing. Besides what is here it may have the members of a grant.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct Missing {
    /// `no-grant`, `principal-unknown`, `kept-out`, `key-unknown`, `key-revoked`, `key-expired`, `key-scope`,
    /// `issuer-unknown`, `grant-expired`, `grant-lacks-action`, `grant-elsewhere`, `grant-revoked` or `membership-ended`.
    reason: String,
    /// What the scope of the key keeps: the `action` or the `prefix`.
    kept: Option<String>,
    /// The event that revoked it.
    revoked_index: Option<u64>,
    /// The event that ended the membership.
    removed_index: Option<u64>,
}

/// Whether a principal could do something, and why.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct Why {
    /// Whether it could.
    allowed: bool,
    /// Who.
    principal: String,
    /// What.
    action: String,
    /// Where.
    on: String,
    /// When expiries were judged.
    at: String,
    /// The index that it is answered at.
    index: Option<u64>,
    /// The grants that allow it, at most 100.
    grants: Vec<DecidingGrant>,
    /// What is missing, if it could not; at most 100.
    missing: Vec<Missing>,
}
