//! A company's directory: users and groups as it sets them, and who of them is kept out.

use std::collections::BTreeSet;

use promptory_events::CommandId;
use serde_json::Value;

use super::{Caller, Code, Model, Principal, names, text};

/// A user of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// In small letters: capitals make no other name.
    pub name: String,
    pub external: Option<String>,
    pub active: bool,
    /// The event that set it last.
    pub index: u64,
}

fn expected(body: &Value, index: u64) -> Result<(), Code> {
    if body["if_index"].as_u64().is_none_or(|expected| expected == index) { Ok(()) } else { Err("precondition-failed") }
}

impl Model {
    /// Whether somebody comes in by nothing: a user that is not active, or that was removed.
    pub fn kept_out(&self, principal: &str) -> bool {
        self.gone.contains(principal) || self.users.get(principal).is_some_and(|user| !user.active)
    }

    /// A user who alone has every right for good is not kept out.
    fn not_the_last(&self, user: &str) -> Result<(), Code> {
        let is_top = self.keys.values().any(|key| key.principal == user && self.is_for_good(key));
        if is_top { self.owner_left(|_, holder| holder != user) } else { Ok(()) }
    }

    pub(super) fn set_user(&mut self, caller: Caller<'_>, body: &Value, id: CommandId) -> Result<(), Code> {
        let user = body["user"].as_str();
        self.needs(caller, "manage-access", "")?;
        user.map_or(Ok(()), |user| self.holds_all_of(caller, user))?;
        self.claimed(body)?;
        let before = match user {
            None => None,
            Some(user) => Some(self.users.get(user).cloned().ok_or("principal-not-found")?),
        };
        before.as_ref().map_or(Ok(()), |before| expected(body, before.index))?;
        let profile = &body["profile"];
        if profile.is_null() {
            return Ok(());
        }
        let user = user.map_or_else(|| id.principal().to_string(), ToOwned::to_owned);
        let name = text(profile, "userName").to_lowercase();
        let external = profile["externalId"].as_str().map(ToOwned::to_owned);
        let mut others = self.users.iter().filter(|(id, _)| **id != user).map(|(_, other)| other);
        if others.any(|other| other.name == name || external.is_some() && other.external == external) {
            return Err("name-taken");
        }
        if before.is_none() {
            self.principals.insert(user.clone(), Principal::default());
            self.say("principal.added");
        }
        let (active, index) = (profile["active"] != false, self.say("user.set"));
        if before.is_some_and(|before| before.active) && !active {
            self.not_the_last(&user)?;
            self.end_sessions(&user, self.now);
        }
        self.users.insert(user, User { name, external, active, index });
        Ok(())
    }

    pub(super) fn remove_user(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let user = text(body, "user");
        self.needs(caller, "manage-access", "")?;
        self.holds_all_of(caller, user)?;
        let is_his = |id: &&String| self.keys[*id].principal == user && !self.keys[*id].revoked;
        let keys: Vec<String> = self.keys.keys().filter(is_his).cloned().collect();
        keys.iter().try_for_each(|key| self.may_revoke(caller, key))?;
        self.claimed(body)?;
        expected(body, self.users.get(user).ok_or("principal-not-found")?.index)?;
        self.not_the_last(user)?;
        keys.iter().for_each(|key| self.key_goes(key));
        for group in std::mem::take(&mut self.principals.get_mut(user).unwrap().groups) {
            let index = self.say("member.removed");
            self.touch(&group, index);
        }
        self.end_sessions(user, self.now);
        self.say("user.removed");
        self.users.remove(user);
        self.gone.insert(user.into());
        Ok(())
    }

    /// The directory sees that somebody came into a group or left it.
    pub(super) fn touch(&mut self, group: &str, index: u64) {
        if let Some(known) = self.listed.get_mut(group) {
            *known = index;
        }
    }

    fn is_member(&self, group: &str, principal: &str) -> Result<bool, Code> {
        let known = self.principals.get(principal).ok_or("principal-not-found")?;
        Ok(known.groups.contains(group))
    }

    pub(super) fn set_group(&mut self, caller: Caller<'_>, body: &Value, id: CommandId) -> Result<(), Code> {
        let (known, add, remove) = (body["group"].as_str(), names(body, "add"), names(body, "remove"));
        self.needs(caller, "manage-access", "")?;
        if let Some(group) = known {
            if !add.is_empty() {
                self.joins(caller, group)?;
            }
            if !remove.is_empty() {
                self.leaves(caller, group)?;
            }
        }
        self.claimed(body)?;
        known.map_or(Ok(()), |group| expected(body, *self.listed.get(group).ok_or("group-not-found")?))?;
        let group = known.map_or_else(|| id.group().to_string(), ToOwned::to_owned);
        let mut come = BTreeSet::new();
        for principal in add {
            if !self.users.contains_key(&principal) {
                return Err("principal-not-found");
            }
            if !self.is_member(&group, &principal)? {
                come.insert(principal);
            }
        }
        let mut go = BTreeSet::new();
        for principal in remove.into_iter().filter(|_| known.is_some()) {
            if self.is_member(&group, &principal)? {
                go.insert(principal);
            }
        }
        if known.is_none() {
            self.groups.insert(group.clone(), Vec::new());
            self.say("group.created");
        }
        if !body["profile"].is_null() {
            let index = self.say("group.set");
            self.listed.insert(group.clone(), index);
        }
        for principal in come {
            let index = self.say("member.added");
            self.principals.get_mut(&principal).unwrap().groups.insert(group.clone());
            self.touch(&group, index);
        }
        for principal in go {
            let index = self.say("member.removed");
            self.principals.get_mut(&principal).unwrap().groups.remove(&group);
            self.touch(&group, index);
        }
        Ok(())
    }

    pub(super) fn remove_group(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let group = text(body, "group");
        self.needs(caller, "manage-access", "")?;
        self.leaves(caller, group)?;
        self.claimed(body)?;
        expected(body, *self.listed.get(group).ok_or("group-not-found")?)?;
        let members: Vec<String> =
            self.users.keys().filter(|user| self.principals[*user].groups.contains(group)).cloned().collect();
        for member in members {
            self.say("member.removed");
            self.principals.get_mut(&member).unwrap().groups.remove(group);
        }
        self.say("group.removed");
        self.listed.remove(group);
        Ok(())
    }
}
