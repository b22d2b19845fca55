//! Whether a principal may do something, and why: the grants that allow it and the events behind them, or what is missing. The
//! answer is what `decide` would be told by the same state, because it asks the same code.

use promptory_domain::access::explain::{Held, Narrowed, Verdict};
use promptory_domain::access::{Action, Caller, Rights, Token};
use promptory_events::event::{AnyRole, Role, Subject};
use promptory_events::{Prefix, PrincipalId, Timestamp};
use serde_json::{Value, json};

use super::held::{self, LIST_MAX, Then};
use super::who::claiming;
use super::{AnswerError, Desk};
use crate::ask::{AskWhy, Showing};
use crate::hot::access::Access;
use crate::store::rows::Rows;
use crate::views::catalog::point::Point;
use crate::views::catalog::sight::Sight;

impl<R: Rows> Desk<'_, R> {
    /// The answer, as JSON.
    pub(super) fn why(&self, ask: &AskWhy, sight: &Sight<'_>) -> Result<(Option<Point>, String), AnswerError> {
        let (on, who) = (ask.on.as_str(), ask.principal);
        let own = sight.is(who);
        if !own && !sight.may_on(Action::ReadAccess, on) {
            return Err(held::hidden(on).into());
        }
        let Then { point, past, at } = self.then(&ask.when, sight)?;
        let access = &past.access;
        let token = match &ask.showing {
            Showing::Token { issuer, claims } => Some(claiming(who, *issuer, claims.clone(), at)),
            Showing::Anything | Showing::Key(_) => None,
        };
        let issuer = token.as_ref().map(|token| token.issuer);
        let (caller, shut) = let_in(&access.rights, access, ask, token.as_ref(), at);
        let grant = caller.grant(ask.action, on).filter(|_| shut.is_none());
        let allowing = caller.held().filter(|held| caller.verdict(held, ask.action, on) == Verdict::Allows);
        let mut grants = Vec::new();
        for held in allowing.take(LIST_MAX) {
            let mut json = self.evidence(access, who, issuer, &held)?;
            json["decides"] = json!(grant == Some(held.grant.index));
            grants.push(json);
        }
        let mut missing: Vec<Value> = shut.into_iter().collect();
        if let Some(narrowed) = caller.narrowed(ask.action, on) {
            let kept = if narrowed == Narrowed::Role { "action" } else { "prefix" };
            missing.push(json!({ "reason": "key-scope", "kept": kept }));
        }
        if grants.is_empty() {
            missing.push(json!({ "reason": "no-grant" }));
            let seen = |prefix: &Prefix| own || prefix.covers(on) || sight.may(Action::ReadAccess, prefix);
            for held in caller.held().filter(|held| seen(held.prefix)) {
                if let Some(reason) = nearly(&caller, &held, ask.action, on)
                    && missing.len() < LIST_MAX
                {
                    let mut json = self.evidence(access, who, issuer, &held)?;
                    json["reason"] = json!(reason);
                    missing.push(json);
                }
            }
            ended(access, who, ask.action, on, &mut missing);
        }
        let answer = json!({
            "allowed": grant.is_some(),
            "principal": who,
            "action": ask.action,
            "on": on,
            "at": at,
            "grants": grants,
            "missing": if grant.is_some() { Vec::new() } else { missing },
        });
        Ok((point, answer.to_string()))
    }
}

/// What a principal may do with what it shows, and why that opens nothing.
fn let_in<'a>(
    rights: &'a Rights,
    access: &Access,
    ask: &AskWhy,
    token: Option<&'a Token>,
    at: Timestamp,
) -> (Caller<'a>, Option<Value>) {
    let who = ask.principal;
    let out = rights.directory().keeps_out(who).then(|| json!({ "reason": "kept-out" }));
    match (&ask.showing, token) {
        (_, Some(token)) => {
            let shut = rights.authenticate_token(token, at).is_none();
            (rights.token_caller(token, at), out.or_else(|| shut.then(|| json!({ "reason": "issuer-unknown" }))))
        }
        (Showing::Key(key), _) => {
            let row = access.keys.get(key).filter(|row| row.principal == who);
            let shut = match (rights.key(*key), row) {
                (Some(state), Some(_)) if state.opens(at) => None,
                (Some(state), Some(row)) if state.revoked => {
                    Some(json!({ "reason": "key-revoked", "revoked_index": row.revoked }))
                }
                (Some(state), Some(_)) => Some(json!({ "reason": "key-expired", "expires_at": state.expires_at })),
                _ => Some(json!({ "reason": "key-unknown" })),
            };
            (rights.caller(who, row.map(|_| *key), at), shut.or(out))
        }
        _ => {
            let shut = !rights.has_principal(who);
            (rights.caller(who, None, at), shut.then(|| json!({ "reason": "principal-unknown" })).or(out))
        }
    }
}

/// Why a grant that could matter does not allow it; `None`: it has nothing to do with it.
fn nearly(caller: &Caller<'_>, held: &Held<'_>, action: Action, on: &str) -> Option<&'static str> {
    match caller.verdict(held, action, on) {
        Verdict::Allows => None,
        Verdict::Expired => Some("grant-expired"),
        Verdict::Lacks => Some("grant-lacks-action"),
        Verdict::Elsewhere => caller.gives(held).has(action).then_some("grant-elsewhere"),
    }
}

/// What would have allowed it but was taken away: grants of the principal and its groups, memberships.
fn ended(access: &Access, who: PrincipalId, action: Action, on: &str, missing: &mut Vec<Value>) {
    let has = |role: &AnyRole| access.rights.actions(role).is_some_and(|actions| actions.has(action));
    let groups = access.rights.groups_of(who).map(Subject::Group);
    for subject in std::iter::once(Subject::Principal(who)).chain(groups) {
        let first = (subject, Prefix::tenant(), AnyRole::BuiltIn(Role::Owner));
        let of_subject = access.grants.range(first..).take_while(|((whose, _, _), _)| *whose == subject);
        for ((_, prefix, role), row) in of_subject {
            if let Some(revoked) = row.revoked.filter(|_| prefix.covers(on) && has(role))
                && missing.len() < LIST_MAX
            {
                let group = if let Subject::Group(group) = subject { Some(group) } else { None };
                missing.push(json!({
                    "reason": "grant-revoked", "role": role.to_string(), "prefix": prefix, "group": group,
                    "granted_index": row.granted, "revoked_index": revoked,
                }));
            }
        }
    }
    for ((group, _), row) in access.members.iter().filter(|((_, member), _)| *member == who) {
        let gave = access.rights.grants(Subject::Group(*group)).into_iter().flat_map(|grants| grants.iter());
        let gave = gave.into_iter().any(|(prefix, grant)| prefix.covers(on) && has(&grant.role));
        if let Some(removed) = row.removed.filter(|_| gave)
            && missing.len() < LIST_MAX
        {
            missing.push(json!({
                "reason": "membership-ended", "group": group, "member_index": row.added, "removed_index": removed,
            }));
        }
    }
}
