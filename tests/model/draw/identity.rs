//! What commands about issuers, tokens, the directory and quotas say, and tokens themselves.

use serde_json::{Value, json};

use super::{Maker, unknown};
use crate::plain::{QUOTAS, claims};

pub const AUDIENCES: [&str; 2] = ["promptory", "other"];
pub const SUBJECTS: [&str; 3] = ["ada", "ben", "cleo"];
/// What the issuer calls its groups.
const CLAIMED: [&str; 3] = ["writers", "bosses", "guests"];
/// Users by name; capitals make no other.
const NAMES: [&str; 4] = ["dora", "Dora", "emil", "fay"];
const EXTERNALS: [&str; 2] = ["x1", "x2"];

impl Maker<'_> {
    /// A token of somebody, mostly one that is fresh.
    pub(super) fn token(&mut self) -> String {
        let now = self.model.now.micros() / 1_000_000;
        let issued = now - [0, 0, 0, 0, 20, 1_000, -31][self.draw.below(7)];
        let (aud, sub) = (self.audience(), self.draw.of(&SUBJECTS));
        let ends = issued + [600, 600, 5][self.draw.below(3)];
        let mut token = json!({"iss": self.url, "aud": aud, "sub": sub, "iat": issued, "exp": ends});
        token["groups"] = self.some(&CLAIMED);
        token["roles"] = self.some(&CLAIMED);
        for (claim, names) in [("login", NAMES.as_slice()), ("oid", EXTERNALS.as_slice())] {
            if !self.draw.chance(10) {
                token[claim] = self.draw.of(names).into();
            }
        }
        token.to_string()
    }

    fn audience(&mut self) -> &'static str {
        if self.draw.chance(20) { AUDIENCES[1] } else { AUDIENCES[0] }
    }

    fn issuer(&mut self) -> String {
        let known = self.pick(self.model.issuers.keys().cloned().collect());
        known.filter(|_| !self.draw.chance(5)).unwrap_or_else(|| unknown("iss_"))
    }

    fn user(&mut self) -> String {
        match self.pick(self.model.users.keys().cloned().collect()) {
            Some(user) if !self.draw.chance(8) => user,
            _ => self.principal(),
        }
    }

    fn listed_group(&mut self) -> String {
        match self.pick(self.model.listed.keys().cloned().collect()) {
            Some(group) if !self.draw.chance(8) => group,
            _ => self.group(),
        }
    }

    /// The state that a command rests on, now and then one that is past.
    fn if_index(&mut self, mut body: Value, index: Option<u64>) -> Value {
        if self.draw.chance(25) {
            let index = index.unwrap_or_default();
            body["if_index"] = if self.draw.chance(30) { index.saturating_sub(1) } else { index }.into();
        }
        body
    }

    pub(super) fn identity(&mut self, kind: &str) -> Value {
        match kind {
            "trust_issuer" => {
                let groups_claim = if self.draw.chance(20) { "roles" } else { "groups" };
                json!({"url": self.url, "audience": self.audience(), "groups_claim": groups_claim})
            }
            "distrust_issuer" => json!({"issuer": self.issuer()}),
            "link_issuer" => {
                let (claim, attribute) = [("login", "userName"), ("oid", "externalId")][self.draw.below(2)];
                json!({"issuer": self.issuer(), "claim": claim, "attribute": attribute})
            }
            "map_claim" => json!({"issuer": self.issuer(), "value": self.draw.of(&CLAIMED), "group": self.group()}),
            "unmap_claim" => json!({"issuer": self.issuer(), "value": self.draw.of(&CLAIMED)}),
            "add_principal" => {
                json!({"url": self.url, "audience": self.audience(), "subject": self.draw.of(&SUBJECTS)})
            }
            "revoke_session" => self.session(),
            "set_quota" => {
                let quota = self.draw.of(&QUOTAS);
                if self.draw.chance(60) {
                    return json!({"quota": quota});
                }
                let used = u64::try_from(self.model.used.get(quota).copied().unwrap_or_default()).unwrap();
                json!({"quota": quota, "limit": (used + self.draw.below(4) as u64).saturating_sub(1)})
            }
            _ => self.directory(kind),
        }
    }

    fn session(&mut self) -> Value {
        match self.draw.below(3) {
            0 => json!({"principal": self.bearer()}),
            1 => {
                let before = self.model.now.plus_ms([0, -10_000, 10_000][self.draw.below(3)]);
                json!({"principal": self.bearer(), "before": before.to_string()})
            }
            _ => json!({"token": self.token()}),
        }
    }

    /// Somebody who may have tokens.
    fn bearer(&mut self) -> String {
        let token = claims(&self.token()).and_then(|claims| self.model.bearer(&claims));
        token.filter(|_| !self.draw.chance(30)).unwrap_or_else(|| self.principal())
    }

    fn directory(&mut self, kind: &str) -> Value {
        match kind {
            "set_user" => {
                let mut profile = json!({"userName": self.draw.of(&NAMES), "active": !self.draw.chance(25)});
                if self.draw.chance(40) {
                    profile["externalId"] = self.draw.of(&EXTERNALS).into();
                }
                if self.draw.chance(40) {
                    return json!({ "profile": profile });
                }
                let user = self.user();
                let index = self.model.users.get(&user).map(|user| user.index);
                let body =
                    if self.draw.chance(5) { json!({"user": user}) } else { json!({"user": user, "profile": profile}) };
                self.if_index(body, index)
            }
            "remove_user" => {
                let user = self.user();
                let index = self.model.users.get(&user).map(|user| user.index);
                self.if_index(json!({ "user": user }), index)
            }
            "set_group" => {
                let mut body = json!({"add": [], "remove": []});
                for field in ["add", "remove"] {
                    let count = self.draw.below(3);
                    body[field] = (0..count).map(|_| Value::from(self.user())).collect();
                }
                let is_new = self.draw.chance(30);
                if is_new || self.draw.chance(30) {
                    body["profile"] = json!({"displayName": "Poets"});
                }
                if is_new {
                    return body;
                }
                let group = self.listed_group();
                let index = self.model.listed.get(&group).copied();
                body["group"] = group.into();
                self.if_index(body, index)
            }
            "remove_group" => {
                let group = self.listed_group();
                let index = self.model.listed.get(&group).copied();
                self.if_index(json!({ "group": group }), index)
            }
            _ => json!({"tenant": "acme"}),
        }
    }
}
