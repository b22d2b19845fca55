//! Who may do what: one table from role to action. Rights are decided here and nowhere else.

use promptory_events::TenantId;
use promptory_events::event::Role;
use serde::{Deserialize, Serialize};

/// Something that needs a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    /// See prompts and history.
    Read,
    /// Create prompts, add versions, rename, tag, archive, restore.
    WritePrompts,
    /// Set and remove labels.
    MoveLabels,
    /// Claim when and by whom a change was made.
    Import,
    /// Grant and revoke roles, issue and revoke keys.
    ManageAccess,
    /// Create, suspend and resume tenants.
    ManageTenants,
}

impl Action {
    /// The name that a refusal shows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::WritePrompts => "write-prompts",
            Self::MoveLabels => "move-labels",
            Self::Import => "import",
            Self::ManageAccess => "manage-access",
            Self::ManageTenants => "manage-tenants",
        }
    }
}

/// Whether a role allows an action.
#[must_use]
pub fn allows(role: Role, action: Action) -> bool {
    use Action::{Import, ManageAccess, ManageTenants, MoveLabels, Read, WritePrompts};
    match role {
        Role::Owner => matches!(action, Read | WritePrompts | MoveLabels | Import | ManageAccess),
        Role::Editor => matches!(action, Read | WritePrompts | MoveLabels),
        Role::Viewer => matches!(action, Read),
        Role::Importer => matches!(action, Read | WritePrompts | MoveLabels | Import),
        Role::Operator => matches!(action, Read | ManageAccess | ManageTenants),
    }
}

/// The role that a ledger must never be without: whoever holds it can hand out every other.
#[must_use]
pub fn top_role(tenant: &TenantId) -> Role {
    if tenant.is_system() { Role::Operator } else { Role::Owner }
}

/// Whether a role makes sense in a ledger: operators live in `_system`, and only they and their viewers do.
#[must_use]
pub fn exists_in(role: Role, tenant: &TenantId) -> bool {
    match role {
        Role::Operator => tenant.is_system(),
        Role::Viewer => true,
        Role::Owner | Role::Editor | Role::Importer => !tenant.is_system(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_owners_and_operators_manage_access_and_only_owners_and_importers_claim_times() {
        let roles = [Role::Owner, Role::Editor, Role::Viewer, Role::Importer, Role::Operator];
        let who = |action| roles.into_iter().filter(|r| allows(*r, action)).collect::<Vec<_>>();
        assert_eq!(who(Action::ManageAccess), [Role::Owner, Role::Operator]);
        assert_eq!(who(Action::Import), [Role::Owner, Role::Importer]);
        assert_eq!(who(Action::ManageTenants), [Role::Operator]);
        assert_eq!(who(Action::Read), roles);
        assert!(!allows(Role::Operator, Action::WritePrompts), "operators do not touch a tenant's prompts");
    }
}
