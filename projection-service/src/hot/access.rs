//! Who may do what, as the tenant's ledger says it now: API keys, roles, and (for `_system`) suspended tenants.

use promptory_domain::access::{Action, allows};
use promptory_events::event::Role;
use promptory_events::{KeyId, PrincipalId, TenantId};
use rpds::HashTrieMapSync;

use crate::ask::{AskError, Caller};
use crate::views::catalog::row::{ApiKeyRow, GrantRow, TenantRow};

/// A principal's roles: few, so a list; empty for one that is known and has none.
pub type Grants = Vec<(Role, GrantRow)>;

/// Keys, roles, tenants.
#[derive(Clone, Debug)]
pub struct Access {
    pub(crate) keys: HashTrieMapSync<KeyId, ApiKeyRow>,
    pub(crate) grants: HashTrieMapSync<PrincipalId, Grants>,
    pub(crate) tenants: HashTrieMapSync<TenantId, TenantRow>,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            keys: HashTrieMapSync::new_sync(),
            grants: HashTrieMapSync::new_sync(),
            tenants: HashTrieMapSync::new_sync(),
        }
    }
}

impl Access {
    /// Whom a caller's key authenticates.
    #[must_use]
    pub fn authenticate(&self, caller: &Caller) -> Option<PrincipalId> {
        let row = self.keys.get(&caller.key)?;
        let right = same(&row.secret_hash, &caller.secret_hash);
        (right && row.revoked.is_none()).then_some(row.principal)
    }

    /// The roles that a principal has.
    pub fn roles(&self, principal: PrincipalId) -> impl Iterator<Item = Role> + '_ {
        let grants = self.grants.get(&principal).map(Vec::as_slice).unwrap_or_default();
        grants.iter().filter(|(_, row)| row.revoked.is_none()).map(|(role, _)| *role)
    }

    /// Lets a caller in who may read.
    ///
    /// # Errors
    /// The key opens nothing, or none of the principal's roles may read.
    pub fn admit(&self, caller: &Caller) -> Result<PrincipalId, AskError> {
        let principal = self.authenticate(caller).ok_or(AskError::Unauthenticated)?;
        let reads = self.roles(principal).any(|role| allows(role, Action::Read));
        if reads { Ok(principal) } else { Err(AskError::Forbidden) }
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

/// Compares without telling by its time where the first difference is.
fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}
