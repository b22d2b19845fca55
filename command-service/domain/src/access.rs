//! Who may do what: one table from role to actions. Rights are decided in this module and nowhere else.
//!
//! | module | what it holds |
//! |---|---|
//! | this one | the table of rights |
//! | [`actions`] | a set of actions |
//! | [`rights`] | who holds what, as the ledger says it: grants, groups, custom roles, API keys |
//! | [`tokens`] | issuers that are trusted, and tokens that are revoked |
//! | [`directory`] | users and groups of a company's directory, and who of them may not come in |
//! | [`caller`] | what one caller may do, and by which grants |
//! | [`explain`] | why it may, or what is missing |

pub mod actions;
pub mod caller;
pub mod directory;
pub mod explain;
pub(crate) mod identity;
pub(crate) mod provisioning;
pub mod rights;
pub(crate) mod rules;
pub mod tokens;

use promptory_events::TenantId;
use promptory_events::event::{AnyRole, Role};

pub use actions::Actions;
pub use caller::Caller;
pub use directory::Directory;
pub use promptory_events::event::Action;
pub use rights::Rights;
pub use tokens::Token;

/// What a built-in role allows.
#[must_use]
pub fn allowed(role: Role) -> Actions {
    use Action::*;
    match role {
        Role::Owner => Actions::all_but(&[ManageTenants]),
        Role::Admin => Actions::all_but(&[ManageTenants, Import, OverrideFreeze]),
        Role::Editor => {
            Actions::of(&[Read, WritePrompts, MoveLabels, Comment, RequestRelease, RecordUsage, ReadAnalytics])
        }
        Role::Reviewer => Actions::of(&[Read, Comment, ApproveRelease, ReadAnalytics]),
        Role::Viewer => Actions::of(&[Read, ReadAnalytics]),
        Role::Service => Actions::of(&[Read, RecordUsage]),
        Role::Auditor => Actions::of(&[Read, ReadAccess, ReadAnalytics]),
        Role::Importer => Actions::of(&[Read, WritePrompts, MoveLabels, Import]),
        // What viewers have they have: they let them in.
        Role::Operator => Actions::of(&[Read, ReadAccess, ManageAccess, ManageTenants, ReadAnalytics]),
    }
}

/// The role that a ledger must never be without: whoever holds it can hand out every other.
#[must_use]
pub fn top_role(tenant: &TenantId) -> Role {
    if tenant.is_system() { Role::Operator } else { Role::Owner }
}

/// Whether a role makes sense in a ledger: operators live in `_system`, and besides them only those who read.
#[must_use]
pub fn exists_in(role: &AnyRole, tenant: &TenantId) -> bool {
    match role {
        AnyRole::BuiltIn(Role::Operator) => tenant.is_system(),
        AnyRole::BuiltIn(Role::Viewer | Role::Auditor) => true,
        _ => !tenant.is_system(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_who_may_what() {
        let who = |action| Role::ALL.into_iter().filter(|r| allowed(*r).has(action)).collect::<Vec<_>>();
        assert_eq!(who(Action::ManageAccess), [Role::Owner, Role::Operator, Role::Admin]);
        assert_eq!(who(Action::Import), [Role::Owner, Role::Importer]);
        assert_eq!(who(Action::ManageTenants), [Role::Operator]);
        assert_eq!(who(Action::ApproveRelease), [Role::Owner, Role::Admin, Role::Reviewer]);
        assert_eq!(who(Action::OverrideFreeze), [Role::Owner]);
        assert_eq!(who(Action::Read), Role::ALL);
        assert_eq!(who(Action::RecordUsage), [Role::Owner, Role::Editor, Role::Admin, Role::Service]);
        let none = [Role::Importer, Role::Service];
        let counted: Vec<_> = Role::ALL.into_iter().filter(|role| !none.contains(role)).collect();
        assert_eq!(who(Action::ReadAnalytics), counted);
        assert!(!allowed(Role::Operator).has(Action::WritePrompts), "operators do not touch a tenant's prompts");
    }
}
