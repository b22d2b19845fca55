//! Roles granted and taken back, groups, custom roles, API keys.

use promptory_events::{CommandId, Timestamp};
use serde_json::Value;

use super::rights::{Grant, Long};
use super::{Caller, Code, Key, Model, OPERATOR, Principal, claims, names, text, time};

/// Whom a command is about.
enum Subject<'a> {
    Principal(&'a str),
    Group(&'a str),
}

fn subject(body: &Value) -> Subject<'_> {
    match body["group"].as_str() {
        Some(group) => Subject::Group(group),
        None => Subject::Principal(text(body, "principal")),
    }
}

impl Model {
    /// An operator lets an owner in.
    pub fn let_in(&mut self, principal: &str, key: &str) {
        let grant = Grant { prefix: String::new(), role: "owner".into(), until: None, index: self.events + 1 };
        self.principals.insert(principal.into(), Principal { grants: vec![grant], ..Principal::default() });
        self.keys.insert(key.into(), Key { principal: principal.into(), scope: None, until: None, revoked: false });
        self.events += 3;
        for quota in ["principals", "api-keys"] {
            *self.used.entry(quota).or_default() += 1;
        }
    }

    /// Whose an API key or a token is.
    pub fn principal_of(&self, shown: &str) -> Option<String> {
        match claims(shown) {
            Some(claims) => self.bearer(&claims),
            None if shown == OPERATOR => Some(self.operator.clone()),
            None => self.keys.get(shown).map(|key| key.principal.clone()),
        }
    }

    /// Whether an API key or a token opens now.
    pub fn opens(&self, shown: &str) -> bool {
        let Some(principal) = self.principal_of(shown) else { return false };
        let opens = match claims(shown) {
            Some(claims) => self.token_opens(shown, &claims, &principal),
            None => shown == OPERATOR || self.lasting(shown),
        };
        opens && !self.kept_out(&principal)
    }

    /// Whether an API key is neither revoked nor over.
    fn lasting(&self, key: &str) -> bool {
        self.keys.get(key).is_some_and(|key| !key.revoked && self.lasts(key.until))
    }

    /// The first of these keys that has every right.
    pub fn working_owner(&self, keys: &[String]) -> Option<String> {
        let owns = |key: &Key| key.scope.is_none() && self.owns(&key.principal);
        keys.iter().find(|key| self.opens(key) && owns(&self.keys[*key])).cloned()
    }

    /// Whether a principal holds the top role on the whole tenant, by itself and for good.
    fn owns(&self, principal: &str) -> bool {
        let mut grants = self.principals[principal].grants.iter();
        grants.any(|grant| grant.role == "owner" && grant.prefix.is_empty() && grant.until.is_none())
    }

    pub(super) fn issue_key(&mut self, caller: Caller<'_>, body: &Value, id: CommandId) -> Result<(), Code> {
        let scope = body["scope"].as_object();
        let scope = scope.map(|scope| (scope["role"].as_str().unwrap(), scope["prefix"].as_str().unwrap()));
        let (until, role_until) = (time(body, "expires_at"), time(body, "role_expires_at"));
        let (role, prefix) = (text(body, "role"), text(body, "prefix"));
        let is_new = !role.is_empty();
        if is_new {
            self.needs(caller, "manage-access", prefix)?;
            self.holds(caller, &self.known_role(role)?, prefix, Long::Until(role_until))?;
            scope.map_or(Ok(()), |(role, _)| self.known_role(role).map(drop))?;
        } else {
            self.may_open(caller, text(body, "principal"), scope, until)?;
        }
        self.claimed(body)?;
        self.ahead(until)?;
        let principal = if is_new {
            self.ahead(role_until)?;
            let principal = id.principal().to_string();
            self.say("principal.added");
            let index = self.say("role.granted");
            let grant = Grant { prefix: prefix.into(), role: role.into(), until: role_until, index };
            self.principals.insert(principal.clone(), Principal { grants: vec![grant], ..Principal::default() });
            principal
        } else {
            let principal = text(body, "principal");
            self.principals.get(principal).ok_or("principal-not-found")?;
            principal.to_owned()
        };
        self.put_key(id, principal, scope.map(|(role, prefix)| (role.into(), prefix.into())), until);
        Ok(())
    }

    /// Whether the caller may have another key for a principal that is there.
    fn may_open(
        &self,
        caller: Caller<'_>,
        principal: &str,
        scope: Option<(&str, &str)>,
        until: Option<Timestamp>,
    ) -> Result<(), Code> {
        match scope {
            Some((role, prefix)) => {
                self.needs(caller, "manage-access", prefix)?;
                self.holds(caller, &self.known_role(role)?, prefix, Long::Until(until))
            }
            None => {
                self.needs(caller, "manage-access", "")?;
                self.holds_all_of(caller, principal)
            }
        }
    }

    fn put_key(&mut self, id: CommandId, principal: String, scope: Option<(String, String)>, until: Option<Timestamp>) {
        self.say("key.issued");
        self.keys.insert(id.api_key().to_string(), Key { principal, scope, until, revoked: false });
    }

    pub(super) fn rotate_key(&mut self, caller: Caller<'_>, body: &Value, id: CommandId) -> Result<(), Code> {
        let asked = time(body, "expires_at");
        let old = text(body, "key");
        let Some(known) = self.keys.get(old).cloned() else {
            self.needs(caller, "manage-access", "")?;
            self.claimed(body)?;
            return Err("key-not-found");
        };
        let until = asked.or(known.until);
        let gains_time = matches!((known.until, asked), (Some(end), Some(asked)) if end < asked);
        if old == caller.key && !gains_time {
            self.may_claim(caller)?;
        } else {
            let scope = known.scope.as_ref().map(|(role, prefix)| (role.as_str(), prefix.as_str()));
            self.may_open(caller, &known.principal, scope, until)?;
        }
        self.claimed(body)?;
        if known.revoked {
            return Err("key-revoked");
        }
        self.ahead(until)?;
        if until.is_some() {
            self.owner_left(|key, _| key != old)?;
        }
        let overlap = body["overlap_seconds"].as_i64().map(|seconds| self.now.plus_ms(seconds * 1000));
        let opens = self.lasting(old);
        self.put_key(id, known.principal, known.scope, until);
        let old = self.keys.get_mut(old).unwrap();
        match overlap.filter(|_| opens) {
            Some(end) => old.until = Some(old.until.map_or(end, |until| until.min(end))),
            None => (old.revoked, self.keys_gone) = (true, 1),
        }
        self.say("key.revoked");
        Ok(())
    }

    pub(super) fn revoke_key(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let key = text(body, "key");
        self.may_revoke(caller, key)?;
        self.claimed(body)?;
        if !self.keys.get(key).ok_or("key-not-found")?.revoked {
            self.owner_left(|other, _| other != key)?;
            self.key_goes(key);
        }
        Ok(())
    }

    pub(super) fn may_revoke(&self, caller: Caller<'_>, key: &str) -> Result<(), Code> {
        match self.keys.get(key) {
            None => self.needs(caller, "manage-access", ""),
            Some(known) if known.principal == caller.principal => self.may_claim(caller),
            Some(Key { scope: Some((role, prefix)), .. }) => {
                self.needs(caller, "manage-access", prefix)?;
                self.holds(caller, &self.allows(role), prefix, Long::Now)
            }
            Some(known) => {
                self.needs(caller, "manage-access", "")?;
                self.holds_all_of(caller, &known.principal)
            }
        }
    }

    pub(super) fn key_goes(&mut self, key: &str) {
        self.keys.get_mut(key).unwrap().revoked = true;
        self.keys_gone += 1;
        self.say("key.revoked");
    }

    /// What needs no right of its own still needs those to claim and to override.
    pub(super) fn may_claim(&self, caller: Caller<'_>) -> Result<(), Code> {
        let also = [(caller.claims, "import"), (caller.overrides, "override-freeze")];
        let mut all = also.into_iter().filter(|(needed, _)| *needed);
        if all.all(|(_, action)| self.may(caller, action, "", Long::Now)) { Ok(()) } else { Err("forbidden") }
    }

    pub(super) fn grant_role(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let (role, prefix, until) = (text(body, "role"), text(body, "prefix"), time(body, "expires_at"));
        self.needs(caller, "manage-access", prefix)?;
        self.holds(caller, &self.known_role(role)?, prefix, Long::Until(until))?;
        self.claimed(body)?;
        self.ahead(until)?;
        let to = subject(body);
        match self.granted(&to)?.iter().find(|grant| grant.role == role && grant.prefix == prefix) {
            Some(held) if held.until == until => return Ok(()),
            Some(_) if until.is_some() => self.no_owner_lost(&to, role, prefix)?,
            _ => {}
        }
        let index = self.say("role.granted");
        let grants = self.granted_mut(&to);
        grants.retain(|grant| grant.role != role || grant.prefix != prefix);
        grants.push(Grant { prefix: prefix.into(), role: role.into(), until, index });
        Ok(())
    }

    pub(super) fn revoke_role(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let (role, prefix) = (text(body, "role"), text(body, "prefix"));
        self.needs(caller, "manage-access", prefix)?;
        self.holds(caller, &self.allows(role), prefix, Long::Now)?;
        self.claimed(body)?;
        let from = subject(body);
        if self.granted(&from)?.iter().any(|grant| grant.role == role && grant.prefix == prefix) {
            self.no_owner_lost(&from, role, prefix)?;
            self.granted_mut(&from).retain(|grant| grant.role != role || grant.prefix != prefix);
            self.say("role.revoked");
        }
        Ok(())
    }

    fn granted(&self, subject: &Subject<'_>) -> Result<&Vec<Grant>, Code> {
        match subject {
            Subject::Principal(id) => self.principals.get(*id).map(|p| &p.grants).ok_or("principal-not-found"),
            Subject::Group(id) => self.groups.get(*id).ok_or("group-not-found"),
        }
    }

    fn granted_mut(&mut self, subject: &Subject<'_>) -> &mut Vec<Grant> {
        match subject {
            Subject::Principal(id) => &mut self.principals.get_mut(*id).unwrap().grants,
            Subject::Group(id) => self.groups.get_mut(*id).unwrap(),
        }
    }

    fn no_owner_lost(&self, from: &Subject<'_>, role: &str, prefix: &str) -> Result<(), Code> {
        match from {
            Subject::Principal(principal) if role == "owner" && prefix.is_empty() => {
                self.owner_left(|_, holder| holder != *principal)
            }
            _ => Ok(()),
        }
    }

    /// Somebody must hold the role on the whole tenant by a grant of his own that does not expire, with a key that neither
    /// expires nor is narrowed.
    pub(super) fn owner_left(&self, remains: impl Fn(&str, &str) -> bool) -> Result<(), Code> {
        let left = self.keys.iter().any(|(id, key)| self.is_for_good(key) && remains(id, &key.principal));
        if left { Ok(()) } else { Err("last-owner") }
    }

    pub(super) fn is_for_good(&self, key: &Key) -> bool {
        let unbound = !key.revoked && key.until.is_none() && key.scope.is_none();
        unbound && self.owns(&key.principal) && !self.kept_out(&key.principal)
    }

    pub(super) fn define_role(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let (role, actions) = (text(body, "role"), names(body, "actions"));
        self.needs(caller, "manage-access", "")?;
        self.holds(caller, &self.allows(role), "", Long::Now)?;
        self.holds(caller, &actions, "", Long::Until(None))?;
        self.claimed(body)?;
        if self.roles.get(role) != Some(&actions) {
            self.roles.insert(role.into(), actions);
            self.say("role.defined");
        }
        Ok(())
    }

    pub(super) fn configure_search(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        self.needs(caller, "manage-settings", "")?;
        self.claimed(body)?;
        let languages = names(body, "languages");
        if self.languages != languages {
            self.languages = languages;
            self.say("search.configured");
        }
        Ok(())
    }

    pub(super) fn create_group(&mut self, caller: Caller<'_>, body: &Value, id: CommandId) -> Result<(), Code> {
        self.needs(caller, "manage-access", "")?;
        self.claimed(body)?;
        self.groups.insert(id.group().to_string(), Vec::new());
        self.say("group.created");
        Ok(())
    }

    /// Who lets somebody into a group, or takes a group to mean something, hands on what it has.
    pub(super) fn joins(&self, caller: Caller<'_>, group: &str) -> Result<(), Code> {
        let mut held = self.groups.get(group).into_iter().flatten().filter(|grant| self.lasts(grant.until));
        held.try_for_each(|g| self.holds(caller, &self.allows(&g.role), &g.prefix, Long::Until(g.until)))
    }

    /// Who puts somebody out takes it.
    pub(super) fn leaves(&self, caller: Caller<'_>, group: &str) -> Result<(), Code> {
        let mut held = self.groups.get(group).into_iter().flatten().filter(|grant| self.lasts(grant.until));
        held.try_for_each(|g| self.holds(caller, &self.allows(&g.role), &g.prefix, Long::Now))
    }

    pub(super) fn add_member(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let (group, principal) = (text(body, "group"), text(body, "principal"));
        self.needs(caller, "manage-access", "")?;
        self.joins(caller, group)?;
        self.claimed(body)?;
        self.groups.get(group).ok_or("group-not-found")?;
        if self.principals.get_mut(principal).ok_or("principal-not-found")?.groups.insert(group.into()) {
            let index = self.say("member.added");
            self.touch(group, index);
        }
        Ok(())
    }

    pub(super) fn remove_member(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let (group, principal) = (text(body, "group"), text(body, "principal"));
        self.needs(caller, "manage-access", "")?;
        self.leaves(caller, group)?;
        self.claimed(body)?;
        self.groups.get(group).ok_or("group-not-found")?;
        if self.principals.get_mut(principal).ok_or("principal-not-found")?.groups.remove(group) {
            let index = self.say("member.removed");
            self.touch(group, index);
        }
        Ok(())
    }
}
