//! Who may do what: the table of docs/api.md, grants on prefixes, groups, custom roles, narrowed keys.

use std::collections::BTreeSet;

use promptory_events::Timestamp;

use super::{Caller, Code, Model};

/// A role on a prefix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    pub prefix: String,
    pub role: String,
    pub until: Option<Timestamp>,
    /// The event that granted it.
    pub index: u64,
}

/// How long a right must last.
#[derive(Clone, Copy, Debug)]
pub(super) enum Long {
    Now,
    Until(Option<Timestamp>),
}

/// The actions of the table, and the one that only operators have.
pub const ACTIONS: [&str; 16] = [
    "read",
    "write-prompts",
    "move-labels",
    "comment",
    "request-release",
    "approve-release",
    "roll-back",
    "manage-protection",
    "override-freeze",
    "import",
    "manage-access",
    "read-access",
    "manage-settings",
    "record-usage",
    "read-analytics",
    "manage-tenants",
];

/// The columns of the table.
fn built_in(role: &str) -> Option<&'static [&'static str]> {
    Some(match role {
        "owner" => &ACTIONS[..15],
        "admin" => &[
            "read",
            "write-prompts",
            "move-labels",
            "comment",
            "request-release",
            "approve-release",
            "roll-back",
            "manage-protection",
            "manage-access",
            "read-access",
            "manage-settings",
            "record-usage",
            "read-analytics",
        ],
        "editor" => {
            &["read", "write-prompts", "move-labels", "comment", "request-release", "record-usage", "read-analytics"]
        }
        "reviewer" => &["read", "comment", "approve-release", "read-analytics"],
        "viewer" => &["read", "read-analytics"],
        "service" => &["read", "record-usage"],
        "auditor" => &["read", "read-access", "read-analytics"],
        "importer" => &["read", "write-prompts", "move-labels", "import"],
        "operator" => &["read", "manage-access", "read-access", "read-analytics", "manage-tenants"],
        _ => return None,
    })
}

impl Model {
    /// What a role allows; a custom one that nobody has defined, nothing.
    pub(super) fn allows(&self, role: &str) -> BTreeSet<String> {
        let of_tenant = || self.roles.get(role).cloned().unwrap_or_default();
        built_in(role).map_or_else(of_tenant, |actions| actions.iter().map(ToString::to_string).collect())
    }

    /// The same for a role that is handed on: it must be there.
    pub(super) fn known_role(&self, role: &str) -> Result<BTreeSet<String>, Code> {
        match role {
            "operator" => Err("role-not-here"),
            _ if built_in(role).is_none() && !self.roles.contains_key(role) => Err("role-not-found"),
            _ => Ok(self.allows(role)),
        }
    }

    /// The grants of a principal and of its groups that are not over.
    pub(super) fn held(&self, principal: &str) -> Vec<&Grant> {
        let Some(holder) = self.principals.get(principal) else { return Vec::new() };
        let of_groups = holder.groups.iter().filter_map(|group| self.groups.get(group)).flatten();
        holder.grants.iter().chain(of_groups).filter(|grant| self.lasts(grant.until)).collect()
    }

    /// The same of a caller, with those of the groups that its token claims.
    fn held_by(&self, caller: Caller<'_>) -> Vec<&Grant> {
        let claimed = self.claimed_groups(caller.key);
        let of_claimed = claimed.iter().filter_map(|group| self.groups.get(group)).flatten();
        self.held(caller.principal).into_iter().chain(of_claimed.filter(|grant| self.lasts(grant.until))).collect()
    }

    fn in_scope(&self, caller: Caller<'_>, action: &str, path: &str) -> bool {
        let Some((role, prefix)) = self.scope_of(caller) else { return true };
        self.allows(role).contains(action) && path.starts_with(prefix)
    }

    /// What a key is narrowed to; a token is not.
    fn scope_of(&self, caller: Caller<'_>) -> Option<&(String, String)> {
        self.keys.get(caller.key).and_then(|key| key.scope.as_ref())
    }

    pub(super) fn may(&self, caller: Caller<'_>, action: &str, path: &str, long: Long) -> bool {
        let enough = |grant: &Grant| match (long, grant.until) {
            (Long::Now, _) | (_, None) => true,
            (Long::Until(None), Some(_)) => false,
            (Long::Until(Some(until)), Some(end)) => until <= end,
        };
        let mut held = self.held_by(caller).into_iter();
        self.in_scope(caller, action, path)
            && held.any(|g| path.starts_with(&g.prefix) && self.allows(&g.role).contains(action) && enough(g))
    }

    /// Whether somebody may do something, with a key of his or by what he holds alone.
    pub fn could(&self, principal: &str, key: Option<&str>, action: &str, path: &str) -> bool {
        match key {
            Some(key) => {
                let caller = Caller { principal, key, claims: false, overrides: false };
                self.opens(key) && self.may(caller, action, path, Long::Now)
            }
            None => {
                let mut held = self.held(principal).into_iter().filter(|_| !self.kept_out(principal));
                held.any(|grant| path.starts_with(&grant.prefix) && self.allows(&grant.role).contains(action))
            }
        }
    }

    /// The events that granted somebody what he and his groups have, also what is over.
    pub fn granted_to(&self, principal: &str) -> BTreeSet<u64> {
        let holder = &self.principals[principal];
        let of_groups = holder.groups.iter().filter_map(|group| self.groups.get(group)).flatten();
        holder.grants.iter().chain(of_groups).map(|grant| grant.index).collect()
    }

    /// Whether an action is allowed on anything at all.
    pub(super) fn anywhere(&self, caller: Caller<'_>, action: &str) -> bool {
        let meets = |grant: &Grant| match self.scope_of(caller) {
            None => true,
            Some((role, scope)) => {
                self.allows(role).contains(action)
                    && (scope.starts_with(&grant.prefix) || grant.prefix.starts_with(scope))
            }
        };
        self.held_by(caller).into_iter().any(|g| self.allows(&g.role).contains(action) && meets(g))
    }

    /// A command needs its action; one that claims or overrides needs that right, too, on the same.
    pub(super) fn needs(&self, caller: Caller<'_>, action: &str, path: &str) -> Result<(), Code> {
        let also = [(true, action), (caller.claims, "import"), (caller.overrides, "override-freeze")];
        let mut all = also.into_iter().filter(|(needed, _)| *needed);
        if all.all(|(_, action)| self.may(caller, action, path, Long::Now)) { Ok(()) } else { Err("forbidden") }
    }

    /// Nobody hands on, or takes back, more than he holds.
    pub(super) fn holds(
        &self,
        caller: Caller<'_>,
        actions: &BTreeSet<String>,
        path: &str,
        long: Long,
    ) -> Result<(), Code> {
        let all = actions.iter().all(|action| self.may(caller, action, path, long));
        if all { Ok(()) } else { Err("delegation-exceeds") }
    }

    /// A key that nothing narrows is its principal: so all that it holds.
    pub(super) fn holds_all_of(&self, caller: Caller<'_>, principal: &str) -> Result<(), Code> {
        let held = self.held(principal);
        held.iter().try_for_each(|grant| self.holds(caller, &self.allows(&grant.role), &grant.prefix, Long::Now))
    }

    /// An action on the prompt that a command names in a field; its id, if it is there. Who names it by id learns no more of a
    /// hidden one than of one that is not there.
    pub(super) fn needs_on_prompt(&self, caller: Caller<'_>, action: &str, name: &str) -> Result<Option<String>, Code> {
        if !name.starts_with("prm_") {
            self.needs(caller, action, name)?;
            let mut live = self.prompts.iter().filter(|(_, prompt)| !prompt.archived && prompt.key == name);
            return Ok(live.next().map(|(id, _)| id.clone()));
        }
        if !self.anywhere(caller, action) {
            return Err("forbidden");
        }
        let key = self.prompts.get(name).map(|prompt| prompt.key.clone());
        let seen = |key: &String| [action, "read"].iter().any(|action| self.may(caller, action, key, Long::Now));
        let key = key.filter(seen).ok_or("prompt-not-found")?;
        self.needs(caller, action, &key)?;
        Ok(Some(name.to_owned()))
    }

    /// An action on a release request is one on its prompt, and as hidden.
    pub(super) fn needs_on_release(&self, caller: Caller<'_>, action: &str, release: &str) -> Result<(), Code> {
        if !self.anywhere(caller, action) {
            return Err("forbidden");
        }
        let key = self.releases.get(release).map(|release| self.prompts[&release.prompt].key.clone());
        let seen = |key: &String| [action, "read"].iter().any(|action| self.may(caller, action, key, Long::Now));
        self.needs(caller, action, &key.filter(seen).ok_or("release-not-found")?)
    }
}
