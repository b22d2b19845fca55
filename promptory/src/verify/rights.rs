//! The law: no event in a ledger whose actor lacked the right at that index.
//!
//! Each commit says by which grants and by which key it was allowed. This checks that again, event by event, from the
//! events alone and without the code that decided: it shares only the table from role to actions with it. What it knows
//! is in [`facts`], what an event needs in [`needs`], what must hold of a label in [`releases`], of what guards do in
//! [`guards`], and of a token in [`tokens`].
//!
//! Indexes decide within a ledger. An operator's key is of another ledger, so there the recorded times do.

mod facts;
mod guards;
mod needs;
mod releases;
mod rollouts;
mod tokens;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use promptory_domain::access::{Action, Actions};
use promptory_events::event::{AnyRole, Event, Role, Subject};
use promptory_events::{
    Batch, CodecError, CommitHeader, Credential, GroupId, KeyId, Prefix, PrincipalId, TenantId, Timestamp, TokenHash,
};
use promptory_ledger::backup::{Archive, BackupError};
use promptory_ledger::{Ledger, Recorded};

use super::Problem;
use crate::backup::BackupRunError;
use facts::Facts;

/// Violations that are told of one tenant; more are counted.
const TOLD_MAX: usize = 1000;

/// What was checked of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    pub tenant: TenantId,
    pub events: u64,
    pub violations: u64,
    /// The first of them.
    pub told: Vec<Problem>,
}

/// Checks every tenant of a ledger: `_system` first, since operators are there.
pub(super) async fn ledger(ledger: &Ledger, tenants: Vec<TenantId>) -> Result<Vec<Checked>, BackupRunError> {
    let mut checking = Checking::default();
    for tenant in in_order(tenants) {
        let mut law = checking.begin(tenant.clone());
        let mut reader = ledger.read(&tenant, 0).await.map_err(BackupError::Ledger)?;
        loop {
            let page = reader.next().await.map_err(BackupError::Ledger)?;
            if page.is_empty() {
                break;
            }
            page.iter().for_each(|recorded| law.recorded(recorded));
        }
        checking.end(law);
    }
    Ok(checking.done)
}

/// Checks every tenant of a backup's file, which was looked at before; a reading of the file for each.
pub(super) async fn archive(file: &Path, tenants: Vec<TenantId>) -> Result<Vec<Checked>, BackupRunError> {
    let file = file.to_owned();
    let checking = tokio::task::spawn_blocking(move || {
        let mut checking = Checking::default();
        for tenant in in_order(tenants) {
            let mut law = checking.begin(tenant.clone());
            let mut archive = Archive::open(&file)?;
            while let Some((whose, recorded)) = archive.next()? {
                if whose == tenant {
                    law.recorded(&recorded);
                }
            }
            checking.end(law);
        }
        Ok(checking.done)
    });
    checking.await.map_err(|error| BackupRunError::interrupted(&error))?
}

fn in_order(mut tenants: Vec<TenantId>) -> Vec<TenantId> {
    tenants.sort_by_key(|tenant| (!tenant.is_system(), tenant.clone()));
    tenants
}

#[derive(Default)]
struct Checking {
    system: Option<Arc<Facts>>,
    done: Vec<Checked>,
}

impl Checking {
    fn begin(&self, tenant: TenantId) -> Law {
        let checked = Checked { tenant, events: 0, violations: 0, told: Vec::new() };
        Law { facts: Facts::default(), system: self.system.clone(), checked }
    }

    fn end(&mut self, law: Law) {
        if law.checked.tenant.is_system() {
            self.system = Some(Arc::new(law.facts));
        }
        self.done.push(law.checked);
    }
}

/// The law of one tenant, on its way through the ledger.
pub(super) struct Law {
    facts: Facts,
    system: Option<Arc<Facts>>,
    checked: Checked,
}

/// A right that the recorded evidence bears out.
#[derive(Clone, Debug)]
struct Held {
    prefix: Prefix,
    actions: Actions,
    expires_at: Option<Timestamp>,
}

/// What a commit may rest on.
struct Case<'a> {
    header: &'a CommitHeader,
    events: &'a [Event],
    at: Timestamp,
    held: Vec<Held>,
    scope: Option<(Prefix, Actions)>,
    key: Option<KeyId>,
    token: Option<TokenHash>,
}

impl Case<'_> {
    fn actor(&self) -> PrincipalId {
        self.header.actor
    }

    /// Whether an action on a key or prefix is borne out, and until a time if it is handed on until then.
    fn may(&self, action: Action, path: &str, until: Option<Option<Timestamp>>) -> bool {
        let in_scope = self.scope.as_ref().is_none_or(|(prefix, actions)| prefix.covers(path) && actions.has(action));
        let long_enough = |held: &Held| match (until, held.expires_at) {
            (None, _) | (_, None) => true,
            (Some(None), Some(_)) => false,
            (Some(Some(until)), Some(end)) => until <= end,
        };
        let allows = |held: &Held| held.actions.has(action) && held.prefix.covers(path) && long_enough(held);
        in_scope && self.held.iter().any(allows)
    }
}

impl Law {
    fn recorded(&mut self, recorded: &Recorded) {
        // What can't be read was named by the first walk already.
        if let Ok(batch) = Batch::parse(recorded.bytes.clone()) {
            let _ = self.batch(&batch);
        }
    }

    /// Checks a batch, and takes its events in whether they are right or not.
    pub(super) fn batch(&mut self, batch: &Batch) -> Result<(), CodecError> {
        for (first, commit) in batch.indexed() {
            self.commit(batch.header.recorded_at, first, &commit.header, &commit.decode_events()?);
        }
        Ok(())
    }

    fn commit(&mut self, at: Timestamp, first: u64, header: &CommitHeader, events: &[Event]) {
        self.checked.events += events.len() as u64;
        match self.case(at, first, header, events) {
            Ok(Some(case)) => {
                for (index, event) in (first..).zip(events) {
                    if let Err(why) = needs::check(&self.facts, &case, event) {
                        self.violation(index, why);
                    }
                    self.facts.take(index, at, case.actor(), event);
                }
                return;
            }
            Ok(None) => {} // borne out as a whole
            Err(why) => self.violation(first, why),
        }
        for (index, event) in (first..).zip(events) {
            self.facts.take(index, at, header.actor, event);
        }
    }

    /// What the evidence of a commit bears out. `None`: all that is in it, by what it is.
    fn case<'a>(
        &mut self,
        at: Timestamp,
        first: u64,
        header: &'a CommitHeader,
        events: &'a [Event],
    ) -> Result<Option<Case<'a>>, String> {
        if header.occurred_at.is_some_and(|claimed| claimed > at) {
            return Err("it claims to have happened after it was recorded".to_owned());
        }
        if self.facts.kept_out.contains(&header.actor) {
            return Err(format!("{} was a user that is not active", header.actor));
        }
        match &header.evidence.credential {
            Credential::System if guards::acts(events) => guards::check(&self.facts, header, events, at).map(|()| None),
            Credential::System => self.by_system(first, header, events).map(|()| None),
            Credential::ApiKey { tenant, key } if *tenant == self.checked.tenant => {
                let known = self.facts.keys.get(key).ok_or_else(|| format!("there was no API key {key}"))?;
                if known.principal != header.actor {
                    return Err(format!("the API key {key} is not of {}", header.actor));
                }
                if known.revoked.is_some() || known.expires_at.is_some_and(|end| end <= at) {
                    return Err(format!("the API key {key} opened nothing any more"));
                }
                let held = self.all_held(at, first, header, &BTreeSet::new())?;
                let scope = known.scope.as_ref().map(|scope| (scope.prefix.clone(), self.facts.actions(&scope.role)));
                Ok(Some(Case { header, events, at, held, scope, key: Some(*key), token: None }))
            }
            Credential::Token(token) => {
                let claimed = self.facts.tokens.check(header.actor, token, at)?;
                let held = self.all_held(at, first, header, &claimed)?;
                let token = Some(token.token);
                Ok(Some(Case { header, events, at, held, scope: None, key: None, token }))
            }
            Credential::ApiKey { tenant, key } if tenant.is_system() => {
                self.by_operator(at, header, *key, events).map(|()| None)
            }
            Credential::ApiKey { tenant, .. } => Err(format!("an API key of {tenant} opens nothing here")),
        }
    }

    /// All grants that a commit names. Its actor is in the groups that the ledger says and in those that its token claims.
    fn all_held(
        &self,
        at: Timestamp,
        first: u64,
        header: &CommitHeader,
        claimed: &BTreeSet<GroupId>,
    ) -> Result<Vec<Held>, String> {
        let named = header.evidence.grants.iter();
        named.map(|grant| self.held(*grant, (at, first), header.actor, claimed)).collect()
    }

    /// A grant that a commit names: it was there before, had not ended, and was the actor's or of a group of his.
    fn held(
        &self,
        grant: u64,
        (at, first): (Timestamp, u64),
        actor: PrincipalId,
        claimed: &BTreeSet<GroupId>,
    ) -> Result<Held, String> {
        let said = |what: &str| format!("it names the grant {grant}, {what}");
        let fact = self.facts.grants.get(&grant).filter(|_| grant < first);
        let fact = fact.ok_or_else(|| said("which was not there"))?;
        if fact.ended.is_some() {
            return Err(said("which was over"));
        }
        if fact.expires_at.is_some_and(|end| end <= at) {
            return Err(said("which had expired"));
        }
        let his = match fact.to {
            Subject::Principal(principal) => principal == actor,
            Subject::Group(group) => claimed.contains(&group) || self.facts.members.contains(&(group, actor)),
        };
        if !his {
            return Err(said("which is not of the actor or of a group of his"));
        }
        Ok(Held { prefix: fact.prefix.clone(), actions: self.facts.actions(&fact.role), expires_at: fact.expires_at })
    }

    /// The closed list of what only the system writes: how a ledger's life began, with its first operator, that ledgers
    /// were restored, and in any ledger what came of denied attempts and who read the audit.
    fn by_system(&self, first: u64, header: &CommitHeader, events: &[Event]) -> Result<(), String> {
        let begins = first == 0 && matches!(events.first(), Some(Event::LedgerOpened(_)));
        let its_own = |event: &Event| match event {
            Event::LedgerOpened(_) | Event::LedgerRestored(_) => true,
            Event::PrincipalAdded(_) | Event::KeyIssued(_) => begins,
            Event::RoleGranted(e) => begins && e.role == AnyRole::BuiltIn(Role::Operator),
            Event::UnauthenticatedCounted(_) => true,
            _ => attests(event),
        };
        let anywhere = !events.is_empty() && events.iter().all(attests);
        if header.actor != PrincipalId::SYSTEM || !(anywhere || self.checked.tenant.is_system()) {
            return Err("it says that the system did it".to_owned());
        }
        match events.iter().find(|event| !its_own(event)) {
            Some(event) => Err(format!("the system itself writes no {}", event.name())),
            None => Ok(()),
        }
    }

    /// An operator may let an owner in and set quotas, and do nothing else. His right is in `_system`, by the times that are recorded.
    fn by_operator(&self, at: Timestamp, header: &CommitHeader, key: KeyId, events: &[Event]) -> Result<(), String> {
        let lets_in = match events {
            [Event::PrincipalAdded(added), Event::RoleGranted(granted), Event::KeyIssued(issued)] => {
                granted.to == Subject::Principal(added.principal)
                    && granted.role == AnyRole::BuiltIn(Role::Owner)
                    && granted.prefix.is_tenant()
                    && issued.principal == added.principal
            }
            [Event::CommandUnchanged | Event::QuotaSet(_)] => true,
            _ => false,
        };
        if !lets_in {
            return Err("an operator does nothing in a tenant but let an owner in and set quotas".to_owned());
        }
        let system = self.system.as_ref().ok_or("there is no _system to look the operator up in")?;
        if system.operates(header.actor, key, at) { Ok(()) } else { Err(format!("{} was no operator", header.actor)) }
    }

    fn violation(&mut self, index: u64, why: String) {
        self.checked.violations += 1;
        if self.checked.told.len() < TOLD_MAX {
            self.checked.told.push(Problem { tenant: self.checked.tenant.to_string(), index, why });
        }
    }
}

/// What the system writes into the ledger of any tenant.
fn attests(event: &Event) -> bool {
    matches!(event, Event::AttemptDenied(_) | Event::AttemptsCounted(_) | Event::AuditRead(_) | Event::AuditExported(_))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
