//! Grants as answers show them: what they allow, by what a caller has them, and the events that say so.

use promptory_domain::access::explain::{Held, Through};
use promptory_events::{IssuerId, PrincipalId, Timestamp};
use serde_json::{Value, json};

use super::Desk;
use crate::ask::{AsOf, AskError, When};
use crate::hot::access::Access;
use crate::store::key::{Area, Key};
use crate::store::rows::{RowError, Rows};
use crate::views::catalog::past::Past;
use crate::views::catalog::point::{AnswerError, Point};
use crate::views::catalog::row::{self, PrincipalRow};
use crate::views::catalog::sight::Sight;

/// Grants, prefixes or reasons in one list that has no pages; more are left out, and it says so.
pub(super) const LIST_MAX: usize = 100;

/// Who could do what at a point, and when that is.
pub(super) struct Then {
    pub point: Option<Point>,
    pub past: std::sync::Arc<Past>,
    /// By which clock expiries are judged.
    pub at: Timestamp,
}

impl<R: Rows> Desk<'_, R> {
    /// Access as it was then.
    pub(super) fn then(&self, when: &When, sight: &Sight<'_>) -> Result<Then, AnswerError> {
        let point = self.model.resolve(when.as_of)?;
        let index = point.map(|point| point.index);
        let past = self.model.past(Area::Access, index, self.past)?;
        let at = match (when.at, when.as_of, index) {
            (Some(at), _, _) => at,
            (None, AsOf::Recorded(time) | AsOf::Occurred(time) | AsOf::OccurredAt { time, .. }, _) => time,
            (None, AsOf::Index(_), Some(index)) => self.event(index)?.recorded_at,
            (None, AsOf::Now | AsOf::Index(_), _) => sight.now(),
        };
        Ok(Then { point, past, at })
    }

    /// The event that added a principal, if that was not after `index`.
    pub(super) fn added_by(&self, principal: PrincipalId, index: Option<u64>) -> Result<Option<u64>, RowError> {
        let row = self.model.rows.get(&Key::Principal(principal))?;
        let row: Option<PrincipalRow> = row.map(|bytes| row::decode("principal", &bytes)).transpose()?;
        Ok(row.map(|row| row.added).filter(|added| index.is_some_and(|index| *added <= index)))
    }

    /// A grant with the events that gave it and by which the caller has it: who did that, when.
    pub(super) fn evidence(
        &self,
        access: &Access,
        principal: PrincipalId,
        issuer: Option<IssuerId>,
        held: &Held<'_>,
    ) -> Result<Value, AnswerError> {
        let mut json = self::json(access, principal, issuer, held);
        self.signed(&mut json, "granted", held.grant.index)?;
        for through in ["member", "mapped", "role_defined"] {
            if let Some(index) = json[format!("{through}_index")].as_u64() {
                self.signed(&mut json, through, index)?;
            }
        }
        Ok(json)
    }

    /// Who did what an event says, and when.
    fn signed(&self, json: &mut Value, what: &str, index: u64) -> Result<(), AnswerError> {
        let row = self.event(index)?;
        let actor = self.commit(index, &row, &mut None)?.actor;
        json[format!("{what}_by")] = json!(actor);
        json[format!("{what}_at")] = json!(row.recorded_at);
        Ok(())
    }
}

/// A grant: what, where, until when, what it allows, and by what the caller has it.
pub(super) fn json(access: &Access, principal: PrincipalId, issuer: Option<IssuerId>, held: &Held<'_>) -> Value {
    let role = &held.grant.role;
    let actions = access.rights.actions(role).unwrap_or_default();
    let mut json = json!({
        "granted_index": held.grant.index,
        "role": role.to_string(),
        "prefix": held.prefix,
        "expires_at": held.grant.expires_at,
        "actions": actions.iter().collect::<Vec<_>>(),
    });
    if let promptory_events::event::AnyRole::Custom(name) = role {
        json["role_defined_index"] = json!(access.roles.get(name).map(|row| row.defined));
    }
    match held.through {
        Through::Own => {}
        Through::Group(group) => {
            json["group"] = json!(group);
            json["member_index"] = json!(access.members.get(&(group, principal)).map(|row| row.added));
        }
        Through::Claim(claim, group) => {
            json["group"] = json!(group);
            json["issuer"] = json!(issuer);
            json["claim"] = json!(claim);
            let row = issuer.and_then(|issuer| access.claims.get(&(issuer, claim)));
            json["mapped_index"] = json!(row.map(|row| row.mapped));
        }
    }
    json
}

/// The refusal of who may not see who may do what there.
pub(super) fn hidden(on: &str) -> AskError {
    AskError::AccessHidden(promptory_events::Prefix::of(on))
}
