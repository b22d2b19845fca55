//! Who may do what on a key or a prefix: principals by id, then groups of issuers, each with what it is by.

use std::collections::BTreeSet;
use std::ops::Bound;

use promptory_domain::access::{Action, Actions, Caller, Token};
use promptory_events::event::Subject;
use promptory_events::{ClaimId, GroupId, IssuerId, KeyId, Prefix, PrincipalId, Timestamp, TokenHash};
use serde_json::{Value, json};

use super::held::{self, LIST_MAX, Then};
use super::{AnswerError, Desk, access, detail, page};
use crate::ask::{AccessItem, AskError, AskWho, WhoAnswer};
use crate::hot::access::Access;
use crate::store::rows::Rows;
use crate::views::catalog::point::Point;
use crate::views::catalog::sight::Sight;

/// Where a page ends.
enum After {
    Nothing,
    Principal(PrincipalId),
    Claim(IssuerId, ClaimId),
}

impl std::str::FromStr for After {
    type Err = AskError;

    fn from_str(text: &str) -> Result<Self, AskError> {
        match text.split_once(' ') {
            None => text.parse().map(Self::Principal).map_err(|_| AskError::ForeignCursor),
            Some((issuer, claim)) => {
                let issuer = issuer.parse().map_err(|_| AskError::ForeignCursor)?;
                Ok(Self::Claim(issuer, claim.parse().map_err(|_| AskError::ForeignCursor)?))
            }
        }
    }
}

/// What is asked, of the state that it is asked of.
struct Asked<'a> {
    ask: &'a AskWho,
    access: &'a Access,
    at: Timestamp,
}

impl<R: Rows> Desk<'_, R> {
    /// One page of whoever may do something there.
    pub(super) fn who(&self, ask: &AskWho, sight: &Sight<'_>) -> Result<(Option<Point>, WhoAnswer), AnswerError> {
        if !sight.may_on(Action::ReadAccess, ask.on.as_str()) {
            return Err(held::hidden(ask.on.as_str()).into());
        }
        let Then { point, past, at } = self.then(&ask.when, sight)?;
        let asked = Asked { ask, access: &past.access, at };
        let after = ask.after.as_deref().map_or(Ok(After::Nothing), str::parse)?;
        let (limit, mut items) = (page(ask.limit), Vec::new());
        let (principals, groups) = asked.candidates();
        if !matches!(after, After::Claim(..)) {
            let from = if let After::Principal(id) = after { Bound::Excluded(id) } else { Bound::Unbounded };
            let found = principals.range((from, Bound::Unbounded)).filter_map(|id| asked.principal(*id, sight));
            items.extend(found.take(limit));
        }
        let from =
            if let After::Claim(issuer, claim) = after { Bound::Excluded((issuer, claim)) } else { Bound::Unbounded };
        let names = sight.may(Action::ReadAccess, &Prefix::tenant());
        for (at, row) in past.access.claims.range((from, Bound::Unbounded)) {
            if items.len() == limit {
                break;
            }
            if row.unmapped.is_none() && groups.contains(&row.group) {
                let value = if names { self.claim_value(row.mapped)? } else { None };
                items.extend(asked.claim(*at, row.group, value));
            }
        }
        Ok((point, WhoAnswer { at, items }))
    }
}

impl Asked<'_> {
    fn concerns(&self, prefix: &Prefix) -> bool {
        let on = self.ask.on.as_str();
        prefix.covers(on) || (self.ask.below && prefix.as_str().starts_with(on))
    }

    /// Whoever has a grant there, and the groups that have one.
    fn candidates(&self) -> (BTreeSet<PrincipalId>, BTreeSet<GroupId>) {
        let (mut principals, mut groups) = (BTreeSet::new(), BTreeSet::new());
        for ((subject, prefix, _), row) in &self.access.grants {
            if row.revoked.is_none() && self.concerns(prefix) {
                match subject {
                    Subject::Principal(id) => drop(principals.insert(*id)),
                    Subject::Group(id) => drop(groups.insert(*id)),
                }
            }
        }
        for group in &groups {
            principals.extend(access::members(self.access, *group));
        }
        (principals, groups)
    }

    /// What somebody may do; nothing if the directory keeps him out, whatever he holds.
    fn principal(&self, id: PrincipalId, sight: &Sight<'_>) -> Option<AccessItem> {
        let rights = &self.access.rights;
        if rights.directory().keeps_out(id) {
            return None;
        }
        let mut json = self.said(&rights.caller(id, None, self.at), id, None)?;
        json["principal"] = json!(id);
        let keys = rights.keys_of(id).filter(|(key, state)| state.opens(self.at) && self.shows(*key, sight));
        let keys = keys.map(|(key, state)| {
            let actions = rights.caller(id, Some(key), self.at).actions(self.ask.on.as_str());
            json!({
                "key": key,
                "scope": state.scope.as_ref().map(detail::scope),
                "expires_at": state.expires_at,
                "actions": names(actions),
            })
        });
        json["keys"] = keys.collect();
        Some(access::item(id.to_string(), &json))
    }

    fn shows(&self, key: KeyId, sight: &Sight<'_>) -> bool {
        self.access.keys.get(&key).is_some_and(|row| access::shows_key(row, sight))
    }

    /// Whoever has a token of an issuer that claims a group.
    fn claim(&self, (issuer, claim): (IssuerId, ClaimId), group: GroupId, value: Option<String>) -> Option<AccessItem> {
        // Of nobody: only what the group brings counts.
        let token = claiming(PrincipalId::SYSTEM, issuer, vec![claim], self.at);
        let caller = self.access.rights.token_caller(&token, self.at);
        let mut json = self.said(&caller, PrincipalId::SYSTEM, Some(issuer))?;
        (json["issuer"], json["claim"]) = (json!(issuer), json!(claim));
        (json["group"], json["value"]) = (json!(group), json!(value));
        Some(access::item(format!("{issuer} {claim}"), &json))
    }

    /// What a caller may do there and by which grants; `None`: nothing of what was asked.
    fn said(&self, caller: &Caller<'_>, principal: PrincipalId, issuer: Option<IssuerId>) -> Option<Value> {
        let allows = |held: &promptory_domain::access::explain::Held<'_>| {
            let actions = caller.gives(held);
            self.concerns(held.prefix) && self.ask.action.map_or(actions != Actions::default(), |a| actions.has(a))
        };
        let mut by: Vec<Value> =
            caller.held().filter(allows).map(|held| held::json(self.access, principal, issuer, &held)).collect();
        let more = by.len() > LIST_MAX;
        by.truncate(LIST_MAX);
        let actions = names(caller.actions(self.ask.on.as_str()));
        (!by.is_empty()).then(|| json!({ "actions": actions, "by": by, "more": more }))
    }
}

/// A token as an issuer would give it out now.
pub(super) fn claiming(principal: PrincipalId, issuer: IssuerId, claims: Vec<ClaimId>, now: Timestamp) -> Token {
    let expires_at = now.plus_ms(promptory_events::limits::TOKEN_AGE_MAX_MS);
    Token { issuer, principal, hash: TokenHash([0; 32]), issued_at: now, expires_at, user: None, claims }
}

pub(super) fn names(actions: Actions) -> Vec<Action> {
    actions.iter().collect()
}
