//! Issuers that are trusted, tokens of theirs, what the groups of an issuer mean, sessions that are over.
//!
//! A token is the text of its claims: whoever sends one signs it (`world.rs`).

use std::collections::{BTreeMap, BTreeSet};

use promptory_events::{CommandId, Timestamp};
use serde_json::Value;

use super::rights::Long;
use super::{Caller, Code, Model, Principal, text, time};

const MINUTE_MS: i64 = 60_000;
/// How old a token may be, and how far clocks may be apart.
const AGE_MS: i64 = 15 * MINUTE_MS;
const SKEW_MS: i64 = MINUTE_MS / 2;

/// A trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    pub url: String,
    pub audience: String,
    pub groups_claim: String,
    /// What it calls a group -> the group.
    pub groups: BTreeMap<String, String>,
    /// The claim that names users of the directory, and what of them it names.
    pub link: Option<(String, String)>,
}

/// Tokens that open nothing any more.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// Principal -> those issued before.
    pub before: BTreeMap<String, Timestamp>,
    /// Token -> until when it must be remembered.
    pub tokens: BTreeMap<String, Timestamp>,
}

/// The claims of a token, if it is one that is shown.
pub fn claims(shown: &str) -> Option<Value> {
    shown.starts_with('{').then(|| serde_json::from_str(shown).unwrap())
}

fn seconds(claims: &Value, name: &str) -> Timestamp {
    Timestamp::from_micros(claims[name].as_i64().unwrap() * 1_000_000)
}

impl Model {
    /// The trust by which a token is believed.
    fn trust(&self, claims: &Value) -> Option<(&String, &Issuer)> {
        let of = |issuer: &Issuer| issuer.url == text(claims, "iss") && issuer.audience == text(claims, "aud");
        self.issuers.iter().find(|(_, issuer)| of(issuer))
    }

    /// Whose a token is: the user that it names, if its issuer's tokens are of users, else its subject.
    pub fn bearer(&self, claims: &Value) -> Option<String> {
        match &self.trust(claims)?.1.link {
            None => self.subjects.get(&(text(claims, "aud").into(), text(claims, "sub").into())).cloned(),
            Some((claim, attribute)) => {
                let named = claims[claim].as_str()?;
                let is = |user: &super::directory::User| match attribute.as_str() {
                    "userName" => user.name == named.to_lowercase(),
                    _ => user.external.as_deref() == Some(named),
                };
                self.users.iter().find(|(_, user)| is(user)).map(|(id, _)| id.clone())
            }
        }
    }

    pub(super) fn token_opens(&self, shown: &str, claims: &Value, bearer: &str) -> bool {
        let (issued, ends) = (seconds(claims, "iat"), seconds(claims, "exp"));
        let current = issued <= self.now.plus_ms(SKEW_MS)
            && self.now < ends.plus_ms(SKEW_MS)
            && self.now < issued.plus_ms(AGE_MS + SKEW_MS);
        let revoked = self.sessions.tokens.contains_key(shown)
            || self.sessions.before.get(bearer).is_some_and(|time| issued < *time);
        current && !revoked
    }

    /// The groups that a token claims and that mean something.
    pub(super) fn claimed_groups(&self, shown: &str) -> Vec<String> {
        let Some(claims) = claims(shown) else { return Vec::new() };
        let Some((_, issuer)) = self.trust(&claims) else { return Vec::new() };
        let claimed = claims[&issuer.groups_claim].as_array().cloned().unwrap_or_default();
        claimed.iter().filter_map(|name| issuer.groups.get(name.as_str()?).cloned()).collect()
    }

    /// The groups of issuers by which a token alone could do something: the trust and what it calls the group.
    pub fn claims_that_could(&self, action: &str, path: &str) -> BTreeSet<(String, String)> {
        let all = self.issuers.iter().flat_map(|(id, issuer)| issuer.groups.iter().map(move |group| (id, group)));
        let could = |group: &String| {
            let mut held = self.groups[group].iter().filter(|grant| self.lasts(grant.until));
            held.any(|grant| path.starts_with(&grant.prefix) && self.allows(&grant.role).contains(action))
        };
        all.filter(|(_, (_, group))| could(group)).map(|(id, (value, _))| (id.clone(), value.clone())).collect()
    }

    pub(super) fn trust_issuer(&mut self, caller: Caller<'_>, body: &Value, id: CommandId) -> Result<(), Code> {
        self.needs(caller, "manage-access", "")?;
        self.claimed(body)?;
        let [url, audience, groups_claim] =
            ["url", "audience", "groups_claim"].map(|field| text(body, field).to_owned());
        let known = self.issuers.values().find(|issuer| issuer.url == url && issuer.audience == audience);
        match known {
            Some(issuer) if issuer.groups_claim == groups_claim => {}
            Some(_) => return Err("issuer-exists"),
            None => {
                let issuer = Issuer { url, audience, groups_claim, groups: BTreeMap::new(), link: None };
                self.issuers.insert(id.issuer().to_string(), issuer);
                self.say("issuer.trusted");
            }
        }
        Ok(())
    }

    pub(super) fn distrust_issuer(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let id = text(body, "issuer");
        self.needs(caller, "manage-access", "")?;
        for group in self.issuers.get(id).into_iter().flat_map(|issuer| issuer.groups.values()) {
            self.leaves(caller, group)?;
        }
        self.claimed(body)?;
        self.issuers.remove(id).ok_or("issuer-not-found")?;
        self.say("issuer.distrusted");
        Ok(())
    }

    pub(super) fn link_issuer(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        self.needs(caller, "manage-access", "")?;
        self.holds(caller, &self.allows("owner"), "", Long::Until(None))?;
        self.claimed(body)?;
        let link = (text(body, "claim").to_owned(), text(body, "attribute").to_owned());
        let issuer = self.issuers.get_mut(text(body, "issuer")).ok_or("issuer-not-found")?;
        match &issuer.link {
            Some(before) if *before == link => {}
            Some(_) => return Err("issuer-exists"),
            None => {
                issuer.link = Some(link);
                self.say("issuer.linked");
            }
        }
        Ok(())
    }

    /// What a group of an issuer means is taken from whoever is in it.
    fn unmaps(&self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let meant = self.issuers.get(text(body, "issuer")).and_then(|issuer| issuer.groups.get(text(body, "value")));
        meant.map_or(Ok(()), |group| self.leaves(caller, group))
    }

    pub(super) fn map_claim(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let (value, group) = (text(body, "value"), text(body, "group"));
        self.needs(caller, "manage-access", "")?;
        self.unmaps(caller, body)?;
        self.joins(caller, group)?;
        self.claimed(body)?;
        let known = self.groups.contains_key(group);
        let issuer = self.issuers.get_mut(text(body, "issuer")).ok_or("issuer-not-found")?;
        if !known {
            return Err("group-not-found");
        }
        if issuer.groups.insert(value.into(), group.into()).as_deref() != Some(group) {
            self.say("claim.mapped");
        }
        Ok(())
    }

    pub(super) fn unmap_claim(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        self.needs(caller, "manage-access", "")?;
        self.unmaps(caller, body)?;
        self.claimed(body)?;
        let issuer = self.issuers.get_mut(text(body, "issuer")).ok_or("issuer-not-found")?;
        if issuer.groups.remove(text(body, "value")).is_some() {
            self.say("claim.unmapped");
        }
        Ok(())
    }

    pub(super) fn add_principal(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        self.needs(caller, "manage-access", "")?;
        self.claimed(body)?;
        let id = &self.subjects[&(text(body, "audience").to_owned(), text(body, "subject").to_owned())];
        if !self.principals.contains_key(id) {
            self.principals.insert(id.clone(), Principal::default());
            self.say("principal.added");
        }
        Ok(())
    }

    pub(super) fn revoke_session(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        let principal = body["principal"].as_str().unwrap_or(caller.principal);
        // Named by its hash when it is sent; here by what it says.
        let token = body["token"].as_str().map_or(caller.key, |token| token).to_owned();
        let is_of_one = body["principal"].is_null() && body["before"].is_null();
        if is_of_one && token == caller.key || !is_of_one && principal == caller.principal {
            self.may_claim(caller)?;
        } else {
            self.needs(caller, "manage-access", "")?;
            if !is_of_one {
                self.holds_all_of(caller, principal)?;
            }
        }
        self.claimed(body)?;
        if is_of_one {
            if !self.sessions.tokens.contains_key(&token) {
                self.say("session.revoked");
                self.sessions.tokens.insert(token, self.remembered());
                self.forget();
            }
            return Ok(());
        }
        let before = time(body, "before").map_or(self.now, |time| time.min(self.now));
        if self.sessions.before.get(principal).is_none_or(|known| *known < before) {
            self.end_sessions(principal, before);
        }
        Ok(())
    }

    /// Tokens of a principal that were issued before a time open nothing any more.
    pub(super) fn end_sessions(&mut self, principal: &str, before: Timestamp) {
        self.say("session.revoked");
        let known = self.sessions.before.entry(principal.into()).or_insert(before);
        *known = before.max(*known);
        self.forget();
    }

    fn remembered(&self) -> Timestamp {
        self.now.plus_ms(AGE_MS + 2 * SKEW_MS)
    }

    /// A token that is too old by now is forgotten.
    fn forget(&mut self) {
        let now = self.now;
        self.sessions.tokens.retain(|_, until| now < *until);
    }
}
