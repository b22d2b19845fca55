//! What one caller may do at one time, and by which grants: its own, those of its groups and of the groups that its token
//! claims, narrowed by the key it shows.

use promptory_events::event::{Action, KeyScope, Subject};
use promptory_events::{ClaimId, GroupId, Prefix, Timestamp};

use super::Actions;
use super::explain::Through;
use super::rights::{Grant, Grants, Holder, Rights, lasts};
use super::tokens::Token;

/// A caller at a time.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    rights: &'a Rights,
    holder: Option<&'a Holder>,
    scope: Option<(&'a Prefix, Actions)>,
    token: Option<&'a Token>,
    now: Timestamp,
}

impl<'a> Caller<'a> {
    pub(super) fn new(
        rights: &'a Rights,
        holder: Option<&'a Holder>,
        scope: Option<&'a KeyScope>,
        now: Timestamp,
    ) -> Self {
        let scope = scope.map(|scope| (&scope.prefix, rights.actions(&scope.role).unwrap_or_default()));
        Self { rights, holder, scope, token: None, now }
    }

    pub(super) fn of_token(rights: &'a Rights, holder: Option<&'a Holder>, token: &'a Token, now: Timestamp) -> Self {
        Self { rights, holder, scope: None, token: Some(token), now }
    }

    /// The groups that its token claims and by which one of these grants was given, as its issuer calls them, in order.
    #[must_use]
    pub fn claims_used(&self, grants: &[u64]) -> Vec<ClaimId> {
        let gave = |group| {
            let given = self.rights.grants(Subject::Group(group)).into_iter().flat_map(Grants::iter);
            given.into_iter().any(|(_, grant)| grants.contains(&grant.index))
        };
        let mut used: Vec<ClaimId> = self.claimed().filter(|(_, group)| gave(*group)).map(|(claim, _)| claim).collect();
        used.sort_unstable();
        used.dedup();
        used
    }

    fn claimed(&self) -> impl Iterator<Item = (ClaimId, GroupId)> + use<'a> {
        let rights = self.rights;
        self.token.into_iter().flat_map(move |token| rights.tokens().groups(token))
    }

    /// The grant that allows an action on a key or prefix, by the index of its event.
    #[must_use]
    pub fn grant(&self, action: Action, path: &str) -> Option<u64> {
        self.find(action, path, |_| true)
    }

    /// The grant that allows an action on a key or prefix until a time (`None`: for good): what may be handed on.
    #[must_use]
    pub fn lasting_grant(&self, action: Action, path: &str, until: Option<Timestamp>) -> Option<u64> {
        self.find(action, path, |grant| match (grant.expires_at, until) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(end), Some(until)) => until <= end,
        })
    }

    fn find(&self, action: Action, path: &str, enough: impl Fn(&Grant) -> bool) -> Option<u64> {
        if self.narrowed(action, path).is_some() {
            return None;
        }
        let allows = |grant: &&Grant| self.allows(grant, action) && enough(grant);
        let of = |grants: &'a Grants| Prefix::around(path).find_map(|prefix| grants.on(prefix).iter().find(allows));
        self.all_grants().find_map(of).map(|grant| grant.index)
    }

    /// The grants of the caller and of its groups.
    fn all_grants(&self) -> impl Iterator<Item = &'a Grants> + use<'a> {
        self.sources().map(|(_, grants)| grants)
    }

    /// The same, each with what the caller has them by.
    pub(super) fn sources(&self) -> impl Iterator<Item = (Through, &'a Grants)> + use<'a> {
        let rights = self.rights;
        let of_group = move |group| rights.grants(Subject::Group(group));
        let own = self.holder.into_iter().flat_map(move |holder| {
            let groups = holder.groups.iter();
            let by_group = groups.filter_map(move |group| Some((Through::Group(*group), of_group(*group)?)));
            std::iter::once((Through::Own, &holder.grants)).chain(by_group)
        });
        let claimed = self.claimed();
        own.chain(claimed.filter_map(move |(claim, group)| Some((Through::Claim(claim, group), of_group(group)?))))
    }

    fn allows(&self, grant: &Grant, action: Action) -> bool {
        self.lasts(grant) && self.has(grant, action)
    }

    pub(super) fn lasts(&self, grant: &Grant) -> bool {
        lasts(grant.expires_at, self.now)
    }

    pub(super) fn has(&self, grant: &Grant, action: Action) -> bool {
        self.rights.actions(&grant.role).is_some_and(|actions| actions.has(action))
    }

    pub(super) fn rights(&self) -> &'a Rights {
        self.rights
    }

    pub(super) fn scope(&self) -> Option<(&'a Prefix, Actions)> {
        self.scope
    }

    /// Whether an action is allowed on anything at all.
    #[must_use]
    pub fn anywhere(&self, action: Action) -> bool {
        self.grant(action, "").is_some() || !self.prefixes(action).is_empty()
    }

    /// The grants that hold now, the caller's own and those of its groups.
    pub fn grants(&self) -> impl Iterator<Item = (&'a Prefix, &'a Grant)> {
        let now = self.now;
        self.all_grants().flat_map(Grants::iter).filter(move |(_, grant)| lasts(grant.expires_at, now))
    }

    /// Where an action is allowed: prefixes of which none covers another, in order. Empty: nowhere.
    #[must_use]
    pub fn prefixes(&self, action: Action) -> Vec<Prefix> {
        let within = |prefix: &Prefix| match self.scope {
            None => Some(prefix.clone()),
            Some((_, actions)) if !actions.has(action) => None,
            Some((scope, _)) if scope.covers(prefix.as_str()) => Some(prefix.clone()),
            Some((scope, _)) => prefix.covers(scope.as_str()).then(|| scope.clone()),
        };
        let all = self.all_grants().flat_map(Grants::iter).filter(|(_, grant)| self.allows(grant, action));
        let mut prefixes: Vec<Prefix> = all.filter_map(|(prefix, _)| within(prefix)).collect();
        prefixes.sort_unstable();
        // A prefix sorts before whatever it covers.
        prefixes.dedup_by(|next, kept| kept.covers(next.as_str()));
        prefixes
    }
}
