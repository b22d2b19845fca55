//! Who holds what, as a tenant's ledger says it: the same for deciding and for letting readers in.
//!
//! Looking a right up never goes through all principals or all grants: by principal, then by each prefix around the key.

use std::collections::{BTreeMap, BTreeSet};

use promptory_events::event::{
    AnyRole, Event, GroupSet, KeyIssued, KeyScope, Role, RoleName, Subject, UserAttribute, UserSet,
};
use promptory_events::{GroupId, KeyId, Prefix, PrincipalId, Timestamp};
use rpds::{HashTrieMapSync, RedBlackTreeMapSync, RedBlackTreeSetSync};
use serde::{Deserialize, Serialize};

use super::directory::Directory;
use super::tokens::{Token, Tokens, UserLink};
use super::{Actions, Caller, allowed};

/// Principals, groups, custom roles and API keys of one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    principals: HashTrieMapSync<PrincipalId, Holder>,
    groups: HashTrieMapSync<GroupId, Grants>,
    members: HashTrieMapSync<GroupId, RedBlackTreeSetSync<PrincipalId>>,
    roles: RedBlackTreeMapSync<RoleName, Actions>,
    keys: HashTrieMapSync<KeyId, ApiKeyState>,
    /// Who holds the top role on the whole tenant by a grant of their own that does not expire.
    top: RedBlackTreeSetSync<PrincipalId>,
    tokens: Tokens,
    directory: Directory,
}

/// Grants of one subject, by prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants(BTreeMap<Prefix, Vec<Grant>>);

/// A role on a prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// What.
    pub role: AnyRole,
    /// The index of the event that granted it.
    pub index: u64,
    /// From then on it allows nothing.
    pub expires_at: Option<Timestamp>,
}

/// What is known of one principal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    pub grants: Grants,
    pub groups: BTreeSet<GroupId>,
    /// Its keys that are not revoked.
    pub keys: BTreeSet<KeyId>,
}

/// An API key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyState {
    /// Whom it authenticates.
    pub principal: PrincipalId,
    /// SHA-256 of its secret part.
    pub secret_hash: [u8; 32],
    /// What it is narrowed to.
    pub scope: Option<KeyScope>,
    /// From then on it authenticates nobody.
    pub expires_at: Option<Timestamp>,
    /// Whether it is revoked.
    pub revoked: bool,
}

impl ApiKeyState {
    /// Of a key that was just issued.
    #[must_use]
    pub fn new(issued: &KeyIssued) -> Self {
        Self {
            principal: issued.principal,
            secret_hash: issued.secret_hash,
            scope: issued.scope.clone(),
            expires_at: issued.expires_at,
            revoked: false,
        }
    }

    /// Whether it opens at a time.
    #[must_use]
    pub fn opens(&self, now: Timestamp) -> bool {
        !self.revoked && lasts(self.expires_at, now)
    }
}

/// Whether what expires at `expires_at` still holds at `now`.
#[must_use]
pub fn lasts(expires_at: Option<Timestamp>, now: Timestamp) -> bool {
    expires_at.is_none_or(|end| now < end)
}

impl Grants {
    /// The grants on exactly this prefix.
    #[must_use]
    pub fn on(&self, prefix: &str) -> &[Grant] {
        self.0.get(prefix).map(Vec::as_slice).unwrap_or_default()
    }

    /// A role on a prefix, if it is granted.
    #[must_use]
    pub fn get(&self, prefix: &Prefix, role: &AnyRole) -> Option<&Grant> {
        self.on(prefix.as_str()).iter().find(|grant| grant.role == *role)
    }

    /// All of them, by prefix.
    pub fn iter(&self) -> impl Iterator<Item = (&Prefix, &Grant)> {
        self.0.iter().flat_map(|(prefix, grants)| grants.iter().map(move |grant| (prefix, grant)))
    }

    fn put(&mut self, prefix: &Prefix, grant: Grant) {
        let on = self.0.entry(prefix.clone()).or_default();
        on.retain(|other| other.role != grant.role);
        on.push(grant);
        on.sort_unstable_by(|a, b| a.role.cmp(&b.role));
    }

    fn remove(&mut self, prefix: &Prefix, role: &AnyRole) {
        if let Some(on) = self.0.get_mut(prefix) {
            on.retain(|grant| grant.role != *role);
            if on.is_empty() {
                self.0.remove(prefix);
            }
        }
    }
}

impl Rights {
    /// The principal that an API key authenticates; `None` for unknown, wrong, revoked and expired keys alike.
    #[must_use]
    pub fn authenticate(&self, key: KeyId, secret_hash: &[u8; 32], now: Timestamp) -> Option<PrincipalId> {
        let state = self.keys.get(&key)?;
        let opens = same(&state.secret_hash, secret_hash) && state.opens(now);
        (opens && !self.directory.keeps_out(state.principal)).then_some(state.principal)
    }

    /// What a principal may do at a time, with the key that it shows.
    #[must_use]
    pub fn caller(&self, principal: PrincipalId, key: Option<KeyId>, now: Timestamp) -> Caller<'_> {
        let scope = key.and_then(|key| self.keys.get(&key)).and_then(|state| state.scope.as_ref());
        Caller::new(self, self.principals.get(&principal), scope, now)
    }

    /// The principal that a token authenticates; `None` for one that opens nothing.
    #[must_use]
    pub fn authenticate_token(&self, token: &Token, now: Timestamp) -> Option<PrincipalId> {
        let principal = self.bearer(token)?;
        let opens = self.tokens.opens(token, principal, now) && !self.directory.keeps_out(principal);
        opens.then_some(principal)
    }

    /// Whose a token is: the user of the directory that it names, if its issuer's tokens are of users, else its subject.
    fn bearer(&self, token: &Token) -> Option<PrincipalId> {
        match self.tokens.issuers().get(&token.issuer).and_then(|issuer| issuer.users.as_ref()) {
            None => Some(token.principal),
            Some(UserLink { attribute: UserAttribute::UserName, .. }) => self.directory.named(token.user?),
            Some(UserLink { attribute: UserAttribute::ExternalId, .. }) => self.directory.known_as(token.user?),
        }
    }

    /// What the subject of a token may do at a time: by its own grants, if it has some, and by the groups that it claims.
    #[must_use]
    pub fn token_caller<'a>(&'a self, token: &'a Token, now: Timestamp) -> Caller<'a> {
        let holder = self.bearer(token).and_then(|principal| self.principals.get(&principal));
        Caller::of_token(self, holder, token, now)
    }

    /// Issuers, and tokens that are revoked.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The same, to be made from rows.
    pub fn tokens_mut(&mut self) -> &mut Tokens {
        &mut self.tokens
    }

    /// Users and groups of the directory.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The same, to be made from rows.
    pub fn directory_mut(&mut self) -> &mut Directory {
        &mut self.directory
    }

    /// Whether there is such a principal.
    #[must_use]
    pub fn has_principal(&self, principal: PrincipalId) -> bool {
        self.principals.contains_key(&principal)
    }

    /// The grants of a subject; `None` if there is no such principal or group.
    #[must_use]
    pub fn grants(&self, subject: Subject) -> Option<&Grants> {
        match subject {
            Subject::Principal(principal) => self.principals.get(&principal).map(|holder| &holder.grants),
            Subject::Group(group) => self.groups.get(&group),
        }
    }

    /// Whether a principal is a member of a group.
    #[must_use]
    pub fn is_member(&self, group: GroupId, principal: PrincipalId) -> bool {
        self.groups_of(principal).any(|member_of| member_of == group)
    }

    /// The members of a group, by id.
    pub fn members(&self, group: GroupId) -> impl Iterator<Item = PrincipalId> + '_ {
        self.members.get(&group).into_iter().flat_map(|members| members.iter().copied())
    }

    /// The groups of a principal.
    pub fn groups_of(&self, principal: PrincipalId) -> impl Iterator<Item = GroupId> + '_ {
        self.principals.get(&principal).into_iter().flat_map(|holder| holder.groups.iter().copied())
    }

    /// The keys of a principal that are not revoked.
    pub fn keys_of(&self, principal: PrincipalId) -> impl Iterator<Item = (KeyId, &ApiKeyState)> {
        let keys = self.principals.get(&principal).into_iter().flat_map(|holder| holder.keys.iter());
        keys.filter_map(|key| self.keys.get(key).map(|state| (*key, state)))
    }

    /// An API key, revoked or not.
    #[must_use]
    pub fn key(&self, key: KeyId) -> Option<&ApiKeyState> {
        self.keys.get(&key)
    }

    /// What a role allows; `None` for a custom role that is not defined.
    #[must_use]
    pub fn actions(&self, role: &AnyRole) -> Option<Actions> {
        match role {
            AnyRole::BuiltIn(role) => Some(allowed(*role)),
            AnyRole::Custom(name) => self.roles.get(name).copied(),
        }
    }

    /// The custom roles.
    #[must_use]
    pub fn roles(&self) -> &RedBlackTreeMapSync<RoleName, Actions> {
        &self.roles
    }

    /// Whoever holds the top role for good, with a key that opens everything for good: the rights that a tenant must
    /// never be without. What expires, is narrowed, or comes from a group does not count, nor who is kept out.
    pub fn lasting_tops(&self) -> impl Iterator<Item = (KeyId, PrincipalId)> + '_ {
        self.top.iter().filter(|principal| !self.directory.keeps_out(**principal)).flat_map(|principal| {
            let lasting = self.keys_of(*principal).filter(|(_, key)| key.scope.is_none() && key.expires_at.is_none());
            lasting.map(|(key, _)| (key, *principal))
        })
    }

    /// Takes an event about access in. False: it contradicts what is there.
    #[must_use]
    pub fn evolve(&mut self, index: u64, event: &Event) -> bool {
        match event {
            Event::PrincipalAdded(e) => {
                let new = !self.has_principal(e.principal);
                self.principals.insert_mut(e.principal, Holder::default());
                new
            }
            Event::GroupCreated(e) => {
                let new = !self.groups.contains_key(&e.group);
                self.groups.insert_mut(e.group, Grants::default());
                new
            }
            Event::RoleGranted(e) => {
                let grant = Grant { role: e.role.clone(), index, expires_at: e.expires_at };
                self.grant(e.to, &e.prefix, grant)
            }
            Event::RoleRevoked(e) => self.revoke(e.from, &e.prefix, &e.role),
            Event::RoleDefined(e) => {
                self.roles.insert_mut(e.role.clone(), Actions::of(&e.after));
                true
            }
            Event::MemberAdded(e) => {
                self.directory.touch(e.group, index);
                self.join(e.group, e.principal)
            }
            Event::MemberRemoved(e) => {
                self.directory.touch(e.group, index);
                self.leave(e.group, e.principal)
            }
            Event::KeyIssued(e) => self.issue(e.key, ApiKeyState::new(e)),
            Event::KeyRevoked(e) => match e.from {
                None => self.revoke_key(e.key),
                Some(from) => self.retire_key(e.key, from),
            },
            Event::UserSet(UserSet { user, .. }) if !self.has_principal(*user) => false,
            Event::GroupSet(GroupSet { group, .. }) if !self.groups.contains_key(group) => false,
            _ => self.tokens.evolve(event).or_else(|| self.directory.evolve(index, event)).unwrap_or(false),
        }
    }

    /// A grant, which takes the place of the one of the same role on the same prefix.
    pub fn grant(&mut self, to: Subject, prefix: &Prefix, grant: Grant) -> bool {
        if let Subject::Principal(principal) = to
            && is_top(&grant.role)
            && prefix.is_tenant()
        {
            match grant.expires_at {
                None => self.top.insert_mut(principal),
                Some(_) => drop(self.top.remove_mut(&principal)),
            }
        }
        self.grants_mut(to).map(|grants| grants.put(prefix, grant)).is_some()
    }

    /// No such grant any more.
    pub fn revoke(&mut self, from: Subject, prefix: &Prefix, role: &AnyRole) -> bool {
        if let Subject::Principal(principal) = from
            && is_top(role)
            && prefix.is_tenant()
        {
            self.top.remove_mut(&principal);
        }
        let held = self.grants(from).is_some_and(|grants| grants.get(prefix, role).is_some());
        held && self.grants_mut(from).map(|grants| grants.remove(prefix, role)).is_some()
    }

    /// Another member of a group.
    pub fn join(&mut self, group: GroupId, principal: PrincipalId) -> bool {
        let known = self.groups.contains_key(&group);
        let mut members = self.members.get(&group).cloned().unwrap_or_default();
        members.insert_mut(principal);
        self.members.insert_mut(group, members);
        self.principals.get_mut(&principal).is_some_and(|holder| holder.groups.insert(group)) && known
    }

    fn leave(&mut self, group: GroupId, principal: PrincipalId) -> bool {
        if let Some(members) = self.members.get_mut(&group) {
            members.remove_mut(&principal);
        }
        self.principals.get_mut(&principal).is_some_and(|holder| holder.groups.remove(&group))
    }

    /// An API key, in whatever state.
    pub fn issue(&mut self, key: KeyId, state: ApiKeyState) -> bool {
        let holder = self.principals.get_mut(&state.principal);
        let known = holder.map(|holder| if state.revoked { false } else { holder.keys.insert(key) }).is_some();
        let new = !self.keys.contains_key(&key);
        self.keys.insert_mut(key, state);
        known && new
    }

    fn revoke_key(&mut self, key: KeyId) -> bool {
        let Some(state) = self.keys.get_mut(&key) else { return false };
        state.revoked = true;
        let principal = state.principal;
        self.principals.get_mut(&principal).is_some_and(|holder| holder.keys.remove(&key))
    }

    /// An API key that opens nothing from a time on.
    fn retire_key(&mut self, key: KeyId, from: Timestamp) -> bool {
        let Some(state) = self.keys.get_mut(&key) else { return false };
        state.expires_at = Some(state.expires_at.map_or(from, |end| end.min(from)));
        true
    }

    fn grants_mut(&mut self, subject: Subject) -> Option<&mut Grants> {
        match subject {
            Subject::Principal(principal) => self.principals.get_mut(&principal).map(|holder| &mut holder.grants),
            Subject::Group(group) => self.groups.get_mut(&group),
        }
    }
}

/// Roles that can hand out every other; a ledger knows only one of the two.
fn is_top(role: &AnyRole) -> bool {
    matches!(role, AnyRole::BuiltIn(Role::Owner | Role::Operator))
}

/// Compares without telling by its time where the first difference is.
fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}
