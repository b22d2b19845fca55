//! Why a caller may do something, or may not: the grants that [`Caller::grant`] looks among, one by one, judged by the rules that
//! it is made of. So an explanation can't say anything else than what is decided.

use promptory_events::event::Action;
use promptory_events::{ClaimId, GroupId, Prefix};

use super::rights::Grant;
use super::{Actions, Caller};

/// What a caller has a grant by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// It was granted to itself.
    Own,
    /// It is a member of the group that has it.
    Group(GroupId),
    /// Its token claims a group of the issuer that means the group that has it.
    Claim(ClaimId, GroupId),
}

/// A grant of a caller, whether it allows anything or not.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// What the caller has it by.
    pub through: Through,
    /// Where.
    pub prefix: &'a Prefix,
    /// What, by which event, until when.
    pub grant: &'a Grant,
}

/// Whether a grant allows an action on a key or prefix, or the first thing that it lacks for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Allows,
    /// It is on a prefix that does not cover that.
    Elsewhere,
    /// Its role does not have the action.
    Lacks,
    /// It has expired.
    Expired,
}

/// What the scope of a caller's key keeps from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Narrowed {
    /// The scope is on another prefix.
    Prefix,
    /// The role of the scope does not have the action.
    Role,
}

impl<'a> Caller<'a> {
    /// All its grants: its own, those of its groups, those of the groups that its token claims.
    pub fn held(&self) -> impl Iterator<Item = Held<'a>> + use<'a> {
        let all = self.sources();
        all.flat_map(|(through, grants)| grants.iter().map(move |(prefix, grant)| Held { through, prefix, grant }))
    }

    /// What one of them says about an action on a key or prefix. The scope of a key is not looked at.
    #[must_use]
    pub fn verdict(&self, held: &Held<'_>, action: Action, path: &str) -> Verdict {
        if !held.prefix.covers(path) {
            Verdict::Elsewhere
        } else if !self.has(held.grant, action) {
            Verdict::Lacks
        } else if !self.lasts(held.grant) {
            Verdict::Expired
        } else {
            Verdict::Allows
        }
    }

    /// Why the scope of its key keeps an action from it, whatever it holds; `None`: it does not.
    #[must_use]
    pub fn narrowed(&self, action: Action, path: &str) -> Option<Narrowed> {
        match self.scope()? {
            (_, actions) if !actions.has(action) => Some(Narrowed::Role),
            (prefix, _) if !prefix.covers(path) => Some(Narrowed::Prefix),
            _ => None,
        }
    }

    /// Whether one of its grants has expired.
    #[must_use]
    pub fn is_over(&self, held: &Held<'_>) -> bool {
        !self.lasts(held.grant)
    }

    /// What one of its grants gives where it is; nothing if it has expired.
    #[must_use]
    pub fn gives(&self, held: &Held<'_>) -> Actions {
        match self.rights().actions(&held.grant.role) {
            Some(actions) if self.lasts(held.grant) => actions,
            _ => Actions::default(),
        }
    }

    /// All that it may do on a key or prefix.
    #[must_use]
    pub fn actions(&self, path: &str) -> Actions {
        let allowed: Vec<Action> = Action::ALL.into_iter().filter(|a| self.grant(*a, path).is_some()).collect();
        Actions::of(&allowed)
    }
}

#[cfg(test)]
mod tests {
    use promptory_events::event::{AnyRole, Event, KeyIssued, KeyScope, PrincipalAdded, Role, RoleGranted, Subject};
    use promptory_events::{KeyId, PrincipalId, Timestamp};

    use super::*;
    use crate::access::Rights;

    const WHO: PrincipalId = PrincipalId([7; 16]);
    const KEY: KeyId = KeyId([7; 8]);

    fn rights() -> Rights {
        let mut rights = Rights::default();
        let grant = |role: Role, prefix: &str, expires_at| {
            let (role, prefix) = (role.into(), prefix.parse().unwrap());
            Event::RoleGranted(RoleGranted { to: Subject::Principal(WHO), role, prefix, expires_at })
        };
        let scope = KeyScope { role: AnyRole::BuiltIn(Role::Editor), prefix: "team/a/".parse().unwrap() };
        let events = [
            Event::PrincipalAdded(PrincipalAdded { principal: WHO, name: None }),
            grant(Role::Viewer, "", None),
            grant(Role::Editor, "team/", Some(Timestamp::from_micros(10))),
            grant(Role::Admin, "other/", None),
            Event::KeyIssued(KeyIssued {
                key: KEY,
                principal: WHO,
                secret_hash: [0; 32],
                scope: Some(scope),
                expires_at: None,
                replaces: None,
            }),
        ];
        assert!((0u64..).zip(&events).all(|(index, event)| rights.evolve(index, event)));
        rights
    }

    #[test]
    fn each_grant_is_judged_and_one_that_allows_is_what_decides() {
        let rights = rights();
        let judged = |at: i64, action, path: &str| {
            let caller = rights.caller(WHO, None, Timestamp::from_micros(at));
            let verdicts: Vec<_> = caller.held().map(|held| caller.verdict(&held, action, path)).collect();
            assert_eq!(caller.grant(action, path).is_some(), verdicts.contains(&Verdict::Allows));
            verdicts
        };
        use Verdict::{Allows, Elsewhere, Expired, Lacks};
        assert_eq!(judged(9, Action::WritePrompts, "team/a/x"), [Lacks, Elsewhere, Allows]);
        assert_eq!(judged(10, Action::WritePrompts, "team/a/x"), [Lacks, Elsewhere, Expired]);
        assert_eq!(judged(9, Action::Read, "other/x"), [Allows, Allows, Elsewhere]);
    }

    #[test]
    fn a_scope_is_named_by_what_it_keeps() {
        let rights = rights();
        let caller = rights.caller(WHO, Some(KEY), Timestamp::from_micros(1));
        assert_eq!(caller.narrowed(Action::ManageAccess, "team/a/x"), Some(Narrowed::Role));
        assert_eq!(caller.narrowed(Action::Read, "team/b"), Some(Narrowed::Prefix));
        assert_eq!(caller.narrowed(Action::Read, "team/a/x"), None);
        let can: Vec<_> = caller.actions("team/a/x").iter().collect();
        assert_eq!(
            can,
            [
                Action::Read,
                Action::WritePrompts,
                Action::MoveLabels,
                Action::Comment,
                Action::RequestRelease,
                Action::RecordUsage,
                Action::ReadAnalytics
            ]
        );
        assert_eq!(caller.actions("other/x"), Actions::default());
    }
}
