//! All that a principal may do: its grants, groups and keys, and where that lets it act. Whoever may see who may do what only in a
//! part of the tenant sees what is granted there.

use promptory_domain::access::explain::Held;
use promptory_domain::access::{Action, Caller};
use promptory_events::Prefix;
use serde_json::{Value, json};

use super::held::{self, LIST_MAX, Then};
use super::{AnswerError, Desk, access, detail, page};
use crate::ask::{AskError, AskHoldings, HoldingsAnswer};
use crate::store::rows::Rows;
use crate::views::catalog::point::Point;
use crate::views::catalog::sight::Sight;

impl<R: Rows> Desk<'_, R> {
    /// What a principal holds, and one page of its grants: its own first, then those of its groups.
    pub(super) fn holdings(
        &self,
        ask: &AskHoldings,
        sight: &Sight<'_>,
    ) -> Result<(Option<Point>, HoldingsAnswer), AnswerError> {
        let Then { point, past, at } = self.then(&ask.when, sight)?;
        let (access, rights, who) = (&past.access, &past.access.rights, ask.principal);
        let complete = sight.is(who) || sight.may(Action::ReadAccess, &Prefix::tenant());
        let caller = rights.caller(who, None, at);
        let seen = |held: &Held<'_>| complete || sight.may(Action::ReadAccess, held.prefix);
        let keys = rights
            .keys_of(who)
            .filter(|(id, _)| complete || access.keys.get(id).is_some_and(|row| access::shows_key(row, sight)));
        let keys: Vec<Value> = keys
            .map(|(id, state)| {
                json!({
                    "key": id,
                    "scope": state.scope.as_ref().map(detail::scope),
                    "expires_at": state.expires_at,
                    "opens": state.opens(at),
                    "issued_index": access.keys.get(&id).map(|row| row.issued),
                })
            })
            .collect();
        let added = self.added_by(who, point.map(|point| point.index))?;
        let shown = complete || !keys.is_empty() || caller.held().any(|held| seen(&held));
        let Some(added) = added.filter(|_| shown) else { return Err(AskError::PrincipalNotFound.into()) };
        let grants = caller.held().filter(seen).skip(ask.after as usize).take(page(ask.limit));
        let grants = grants.zip(ask.after.saturating_add(1)..).map(|(held, number)| {
            let mut json = held::json(access, who, None, &held);
            json["expired"] = json!(caller.is_over(&held));
            access::item(number.to_string(), &json)
        });
        let groups = rights.groups_of(who).map(
            |group| json!({ "group": group, "member_index": access.members.get(&(group, who)).map(|row| row.added) }),
        );
        let mut about = json!({
            "principal": who,
            "added_index": added,
            "complete": complete,
            "keys": keys,
            "tokens_revoked_before": rights.tokens().revoked_before(who),
        });
        if complete {
            about["can"] = reach(&caller);
            about["groups"] = groups.collect();
        }
        let grants = grants.collect();
        Ok((point, HoldingsAnswer { at, about: about.to_string(), grants }))
    }
}

/// Where each action is allowed.
fn reach(caller: &Caller<'_>) -> Value {
    let each = Action::ALL.into_iter().filter_map(|action| {
        let mut prefixes = caller.prefixes(action);
        let more = prefixes.len() > LIST_MAX;
        prefixes.truncate(LIST_MAX);
        (!prefixes.is_empty()).then(|| json!({ "action": action, "prefixes": prefixes, "more": more }))
    });
    each.collect()
}
