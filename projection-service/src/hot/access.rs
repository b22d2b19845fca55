//! Who may do what, as the tenant's ledger says it now: API keys, grants, groups, and (for `_system`) suspended tenants.
//!
//! Looking rights up is the domain's own: [`Rights`]. The rows are kept beside it because the fold replaces them, and
//! because listings show what has ended, too.

use std::sync::Arc;

use promptory_domain::access::{Action, Caller as Rightful, Rights, Token};
use promptory_events::event::{AnyRole, RoleName, Subject};
use promptory_events::{ClaimId, GroupId, IssuerId, KeyId, Prefix, PrincipalId, TenantId, Timestamp};
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};

use crate::ask::{AskError, Caller};
use crate::views::catalog::row::{
    ApiKeyRow, ClaimRow, DirectoryRow, GrantRow, GroupRow, IssuerRow, MemberRow, RoleRow, TenantRow,
};

/// Keys, grants, groups, roles, tenants.
#[derive(Clone, Debug, Default)]
pub struct Access {
    pub(crate) rights: Rights,
    pub(crate) keys: RedBlackTreeMapSync<KeyId, ApiKeyRow>,
    pub(crate) grants: RedBlackTreeMapSync<(Subject, Prefix, AnyRole), GrantRow>,
    pub(crate) groups: RedBlackTreeMapSync<GroupId, GroupRow>,
    pub(crate) members: RedBlackTreeMapSync<(GroupId, PrincipalId), MemberRow>,
    pub(crate) roles: RedBlackTreeMapSync<RoleName, RoleRow>,
    pub(crate) issuers: RedBlackTreeMapSync<IssuerId, IssuerRow>,
    pub(crate) claims: RedBlackTreeMapSync<(IssuerId, ClaimId), ClaimRow>,
    pub(crate) users: RedBlackTreeMapSync<PrincipalId, DirectoryRow>,
    /// The groups of the directory; all groups are in `groups`.
    pub(crate) listed: RedBlackTreeMapSync<GroupId, DirectoryRow>,
    pub(crate) tenants: HashTrieMapSync<TenantId, TenantRow>,
    /// When each key last did something that is in the ledger.
    pub(crate) wrote: HashTrieMapSync<KeyId, Timestamp>,
}

/// What a reader was let in by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A key: it may narrow what the principal may read.
    Key(KeyId),
    /// A token, which was checked: the groups that it claims may widen it.
    Token(Arc<Token>),
}

/// Somebody who was let in, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Who.
    pub principal: PrincipalId,
    /// By what.
    pub shown: Shown,
    /// By the clock of whoever answers: what has expired by then is over.
    pub now: Timestamp,
}

impl Access {
    /// Lets a caller in who may read anything at all; `token` is what its token says, if it shows one, once that was
    /// checked.
    ///
    /// # Errors
    /// The key or the token opens nothing, or no grant of the principal lets it read.
    pub fn admit(&self, caller: &Caller, token: Option<Arc<Token>>, now: Timestamp) -> Result<Reader, AskError> {
        let (principal, shown) = match (caller, token) {
            (Caller::Key { key, secret_hash }, _) => {
                (self.rights.authenticate(*key, secret_hash, now), Shown::Key(*key))
            }
            (Caller::Token(_), Some(token)) => (self.rights.authenticate_token(&token, now), Shown::Token(token)),
            (Caller::Token(_), None) => return Err(AskError::Unauthenticated),
        };
        let reader = Reader { principal: principal.ok_or(AskError::Unauthenticated)?, shown, now };
        let reads = self.rights_of(&reader).anywhere(Action::Read);
        if reads { Ok(reader) } else { Err(AskError::Forbidden) }
    }

    /// What a reader may do.
    #[must_use]
    pub fn rights_of<'a>(&'a self, reader: &'a Reader) -> Rightful<'a> {
        match &reader.shown {
            Shown::Key(key) => self.rights.caller(reader.principal, Some(*key), reader.now),
            Shown::Token(token) => self.rights.token_caller(token, reader.now),
        }
    }

    /// The roles that a principal has somewhere, itself or by its groups, each once.
    #[must_use]
    pub fn roles(&self, reader: &Reader) -> Vec<AnyRole> {
        let mut roles: Vec<AnyRole> = self.rights_of(reader).grants().map(|(_, grant)| grant.role.clone()).collect();
        roles.sort_unstable();
        roles.dedup();
        roles
    }

    /// The principal of an API key, revoked or not.
    #[must_use]
    pub fn principal_of(&self, key: KeyId) -> Option<PrincipalId> {
        self.keys.get(&key).map(|row| row.principal)
    }

    /// Whether a tenant is suspended (asked of `_system`).
    #[must_use]
    pub fn suspended(&self, tenant: &TenantId) -> bool {
        self.tenants.get(tenant).is_some_and(|row| row.suspended.is_some())
    }
}
