//! What operators do: tenants made, suspended and resumed in the ledger of the system, and quotas in the tenant's own.

use serde_json::Value;

use super::{Caller, Code, Model, text};

/// What an operator shows.
pub const OPERATOR: &str = "operator";

/// What a tenant may have so many of.
pub const QUOTAS: [&str; 4] = ["prompts", "versions", "principals", "api-keys"];

impl Model {
    /// What an operator does in the ledger of the system: the event that comes of it, if one does.
    pub fn operate(&mut self, body: &Value) -> Result<Option<&'static str>, Code> {
        let tenant = text(body, "tenant");
        let suspended = self.tenants.get(tenant).copied();
        let (before, after, event) = match (text(body, "type"), suspended) {
            ("create_tenant", Some(_)) => return Err("tenant-exists"),
            ("create_tenant", None) => (true, false, "tenant.created"),
            (_, None) => return Err("tenant-not-found"),
            ("suspend_tenant", Some(before)) => (before, true, "tenant.suspended"),
            (_, Some(before)) => (before, false, "tenant.resumed"),
        };
        self.tenants.insert(tenant.into(), after);
        Ok((before != after).then_some(event))
    }

    /// Whether nobody of the tenant does anything now.
    pub fn suspended(&self) -> bool {
        self.tenants["acme"]
    }

    /// An operator has no grants in the tenant, and only he may.
    pub(super) fn set_quota(&mut self, caller: Caller<'_>, body: &Value) -> Result<(), Code> {
        if caller.key != OPERATOR {
            return Err("forbidden");
        }
        if caller.claims {
            return Err("forbidden");
        }
        let (quota, limit) = (text(body, "quota"), body["limit"].as_u64());
        if self.limits.get(quota).copied() != limit {
            match limit {
                Some(limit) => self.limits.insert(quota.into(), limit),
                None => self.limits.remove(quota),
            };
            self.say("quota.set");
        }
        Ok(())
    }

    /// Counts what a command has made, and refuses what goes beyond a quota. Operators go beyond it.
    pub(super) fn counts(&mut self, caller: Caller<'_>) -> Result<(), Code> {
        let said = |name: &str| self.said.iter().filter(|said| **said == name).count() as i64;
        let more = [
            ("prompts", said("prompt.created") + said("prompt.restored") - said("prompt.archived")),
            ("versions", said("version.added")),
            ("principals", said("principal.added")),
            ("api-keys", said("key.issued") - self.keys_gone),
        ];
        for (quota, more) in more {
            let used = self.used.entry(quota).or_default();
            *used += more;
            let over = self.limits.get(quota).is_some_and(|limit| *used > i64::try_from(*limit).unwrap());
            if over && more > 0 && caller.key != OPERATOR {
                return Err("quota-exceeded");
            }
        }
        Ok(())
    }
}
