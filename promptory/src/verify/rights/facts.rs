//! What a ledger has said up to an index, as far as rights depend on it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use promptory_domain::access::{Action, Actions, allowed};
use promptory_events::event::{AnyRole, Event, KeyScope, RoleName, Split, Subject};
use promptory_events::guard::Guard;
use promptory_events::rollout::Table;
use promptory_events::{
    FreezeId, GroupId, KeyId, Label, Prefix, PrincipalId, PromptId, RequestId, RolloutId, Timestamp,
};

use super::tokens::TokenFacts;

/// What has been said.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// By the index that granted them, the ended ones too.
    pub grants: BTreeMap<u64, GrantFact>,
    /// Those that have not ended by an event.
    live: HashMap<(Subject, Prefix, AnyRole), u64>,
    pub members: HashSet<(GroupId, PrincipalId)>,
    /// Every membership there was, with its times.
    memberships: Vec<Membership>,
    pub roles: HashMap<RoleName, Vec<Action>>,
    pub keys: HashMap<KeyId, KeyFact>,
    pub prompts: HashMap<PromptId, PromptFact>,
    pub protections: BTreeMap<(Prefix, Label), u16>,
    pub freezes: HashMap<FreezeId, FreezeFact>,
    pub requests: HashMap<RequestId, RequestFact>,
    pub tokens: TokenFacts,
    /// Users of the directory who are not active, or that there are no more.
    pub kept_out: HashSet<PrincipalId>,
    /// Whether the tenant said that its versions are not to be watched.
    pub unwatched: bool,
}

#[derive(Debug)]
pub(super) struct GrantFact {
    pub to: Subject,
    pub role: AnyRole,
    pub prefix: Prefix,
    pub expires_at: Option<Timestamp>,
    pub at: Timestamp,
    /// When it was revoked or another took its place.
    pub ended: Option<Timestamp>,
}

#[derive(Debug)]
struct Membership {
    who: (GroupId, PrincipalId),
    began: Timestamp,
    ended: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct KeyFact {
    pub principal: PrincipalId,
    pub scope: Option<KeyScope>,
    pub expires_at: Option<Timestamp>,
    pub issued: Timestamp,
    pub revoked: Option<Timestamp>,
}

#[derive(Debug, Default)]
pub(super) struct PromptFact {
    pub key: String,
    /// Who added each version, in order.
    pub authors: Vec<PrincipalId>,
    /// Where each label points, and where it pointed before.
    pub labels: BTreeMap<Label, (u32, Option<u32>)>,
    /// What labels are split over.
    pub rollouts: BTreeMap<Label, RolloutFact>,
    /// On which day it was last said of a version that it became worse in something.
    pub degraded: HashMap<(u32, String), Timestamp>,
}

#[derive(Debug)]
pub(super) struct RolloutFact {
    pub id: RolloutId,
    pub table: Table,
    /// Versions that a request has allowed in it.
    pub approved: BTreeSet<u32>,
    pub guards: Vec<Guard>,
    /// Those that have acted, by their places.
    pub breached: BTreeSet<u16>,
    pub paused: bool,
}

#[derive(Debug)]
pub(super) struct FreezeFact {
    pub prefix: Prefix,
    pub from: Timestamp,
    pub until: Timestamp,
}

#[derive(Debug)]
pub(super) struct RequestFact {
    pub prompt: PromptId,
    pub label: Label,
    pub before: Option<u32>,
    pub after: Option<u32>,
    pub split: Option<Split>,
    pub expires_at: Option<Timestamp>,
    pub author: PrincipalId,
    pub approvers: HashSet<PrincipalId>,
    pub closed: bool,
}

impl GrantFact {
    fn holds(&self, at: Timestamp) -> bool {
        self.ended.is_none() && self.expires_at.is_none_or(|end| at < end)
    }
}

fn by_request(request: Option<RequestId>, table: &Table) -> BTreeSet<u32> {
    request.into_iter().flat_map(|_| table.runs()).map(|run| run.version).collect()
}

impl Facts {
    /// What a role allows now.
    pub fn actions(&self, role: &AnyRole) -> Actions {
        match role {
            AnyRole::BuiltIn(role) => allowed(*role),
            AnyRole::Custom(name) => self.roles.get(name).map(|actions| Actions::of(actions)).unwrap_or_default(),
        }
    }

    /// All that a subject holds at a time: what, where, until when.
    pub fn holdings(&self, subject: Subject, at: Timestamp) -> impl Iterator<Item = &GrantFact> {
        self.grants.values().filter(move |grant| grant.to == subject && grant.holds(at))
    }

    /// All that a principal holds at a time, by itself and by its groups.
    pub fn everything_of(&self, principal: PrincipalId, at: Timestamp) -> impl Iterator<Item = &GrantFact> {
        self.grants.values().filter(move |grant| {
            grant.holds(at)
                && match grant.to {
                    Subject::Principal(holder) => holder == principal,
                    Subject::Group(group) => self.members.contains(&(group, principal)),
                }
        })
    }

    /// Whether a principal could manage tenants at a time, with a key (asked of `_system`). Times are those of batches, so
    /// what began or ended in the same microsecond counts for it.
    pub fn operates(&self, principal: PrincipalId, key: KeyId, at: Timestamp) -> bool {
        let open = |begin: Timestamp, end: Option<Timestamp>| begin <= at && end.is_none_or(|end| at <= end);
        let shown = self.keys.get(&key).is_some_and(|fact| {
            fact.principal == principal
                && open(fact.issued, fact.revoked)
                && fact.expires_at.is_none_or(|end| at < end)
                && fact
                    .scope
                    .as_ref()
                    .is_none_or(|s| s.prefix.is_tenant() && self.actions(&s.role).has(Action::ManageTenants))
        });
        let holds = |subject| match subject {
            Subject::Principal(holder) => holder == principal,
            Subject::Group(group) => {
                let mut his = self.memberships.iter().filter(|m| m.who == (group, principal));
                his.any(|m| open(m.began, m.ended))
            }
        };
        let may = |grant: &GrantFact| {
            holds(grant.to)
                && self.actions(&grant.role).has(Action::ManageTenants)
                && open(grant.at, grant.ended)
                && grant.expires_at.is_none_or(|end| at < end)
        };
        shown && self.grants.values().any(may)
    }

    /// Takes an event in, right or not: the next ones are judged by what is there.
    pub fn take(&mut self, index: u64, at: Timestamp, actor: PrincipalId, event: &Event) {
        match event {
            Event::RoleGranted(e) => {
                let key = (e.to, e.prefix.clone(), e.role.clone());
                self.end(&key, at);
                self.live.insert(key, index);
                let (to, role, prefix) = (e.to, e.role.clone(), e.prefix.clone());
                self.grants.insert(index, GrantFact { to, role, prefix, expires_at: e.expires_at, at, ended: None });
            }
            Event::RoleRevoked(e) => self.end(&(e.from, e.prefix.clone(), e.role.clone()), at),
            Event::RoleDefined(e) => drop(self.roles.insert(e.role.clone(), e.after.clone())),
            Event::MemberAdded(e) => {
                self.members.insert((e.group, e.principal));
                self.memberships.push(Membership { who: (e.group, e.principal), began: at, ended: None });
            }
            Event::MemberRemoved(e) => {
                let who = (e.group, e.principal);
                self.members.remove(&who);
                let open = self.memberships.iter_mut().filter(|m| m.who == who && m.ended.is_none());
                open.for_each(|m| m.ended = Some(at));
            }
            Event::KeyIssued(e) => {
                let (principal, scope, expires_at) = (e.principal, e.scope.clone(), e.expires_at);
                self.keys.insert(e.key, KeyFact { principal, scope, expires_at, issued: at, revoked: None });
            }
            Event::KeyRevoked(e) => {
                if let Some(key) = self.keys.get_mut(&e.key) {
                    match e.from {
                        None => key.revoked = key.revoked.or(Some(at)),
                        Some(from) => key.expires_at = Some(key.expires_at.map_or(from, |end| end.min(from))),
                    }
                }
            }
            Event::IssuerTrusted(_)
            | Event::IssuerDistrusted(_)
            | Event::IssuerLinked(_)
            | Event::ClaimMapped(_)
            | Event::ClaimUnmapped(_)
            | Event::SessionRevoked(_) => self.tokens.take(event),
            Event::UserSet(e) => {
                self.tokens.take(event);
                if e.active {
                    self.kept_out.remove(&e.user);
                } else {
                    self.kept_out.insert(e.user);
                }
            }
            Event::UserRemoved(e) => {
                self.tokens.take(event);
                self.kept_out.insert(e.user);
            }
            Event::WatchConfigured(e) => self.unwatched = !e.after,
            Event::VersionDegraded(e) => {
                let degraded = &mut self.prompts.entry(e.prompt).or_default().degraded;
                degraded.insert((e.version, e.measure.name()), e.day);
            }
            _ => self.take_prompt(actor, event),
        }
    }

    fn end(&mut self, key: &(Subject, Prefix, AnyRole), at: Timestamp) {
        if let Some(grant) = self.live.remove(key).and_then(|index| self.grants.get_mut(&index)) {
            grant.ended = Some(at);
        }
    }

    fn take_prompt(&mut self, actor: PrincipalId, event: &Event) {
        let Some(id) = event.prompt() else { return self.take_release(actor, event) };
        let prompt = self.prompts.entry(id).or_default();
        match event {
            Event::PromptCreated(e) => prompt.key = e.key.to_string(),
            Event::PromptRenamed(e) => prompt.key = e.after.to_string(),
            Event::PromptRestored(e) => prompt.key = e.key.to_string(),
            Event::VersionAdded(_) => prompt.authors.push(actor),
            Event::LabelSet(e) => {
                let before = prompt.labels.get(&e.label).map(|(now, _)| *now);
                prompt.labels.insert(e.label.clone(), (e.after, before));
            }
            Event::LabelRemoved(e) => drop(prompt.labels.remove(&e.label)),
            Event::RolloutStarted(e) => {
                let approved = by_request(e.request, &e.after);
                let (id, table, guards) = (e.rollout, e.after.clone(), e.guards.clone());
                let fact = RolloutFact { id, table, approved, guards, breached: BTreeSet::new(), paused: false };
                prompt.rollouts.insert(e.label.clone(), fact);
            }
            Event::RolloutAdvanced(e) => {
                if let Some(fact) = prompt.rollouts.get_mut(&e.label) {
                    fact.approved.extend(by_request(e.request, &e.after));
                    fact.table = e.after.clone();
                }
            }
            Event::RolloutPaused(e) => {
                if let Some(fact) = prompt.rollouts.get_mut(&e.label) {
                    fact.paused = true;
                }
            }
            Event::RolloutResumed(e) => {
                if let Some(fact) = prompt.rollouts.get_mut(&e.label) {
                    fact.paused = false;
                }
            }
            Event::RolloutBreached(e) => {
                if let Some(fact) = prompt.rollouts.get_mut(&e.label) {
                    fact.breached.insert(e.place);
                }
            }
            Event::RolloutRolledBack(e) => drop(prompt.rollouts.remove(&e.label)),
            Event::RolloutCompleted(e) => drop(prompt.rollouts.remove(&e.label)),
            _ => {}
        }
    }

    fn take_release(&mut self, actor: PrincipalId, event: &Event) {
        match event {
            Event::LabelProtected(e) => drop(self.protections.insert((e.prefix.clone(), e.label.clone()), e.after)),
            Event::LabelUnprotected(e) => drop(self.protections.remove(&(e.prefix.clone(), e.label.clone()))),
            Event::FreezeSet(e) => {
                let fact = FreezeFact { prefix: e.prefix.clone(), from: e.from, until: e.until };
                self.freezes.insert(e.freeze, fact);
            }
            Event::FreezeLifted(e) => drop(self.freezes.remove(&e.freeze)),
            Event::ReleaseRequested(e) => {
                let fact = RequestFact {
                    prompt: e.prompt,
                    label: e.label.clone(),
                    before: e.before,
                    after: e.after,
                    split: e.split.clone(),
                    expires_at: e.expires_at,
                    author: actor,
                    approvers: HashSet::new(),
                    closed: false,
                };
                self.requests.insert(e.request, fact);
            }
            Event::ReleaseApproved(e) => {
                if let Some(request) = self.requests.get_mut(&e.request) {
                    request.approvers.insert(actor);
                }
            }
            Event::ReleaseRejected(e) => self.close(e.request),
            Event::ReleaseWithdrawn(e) => self.close(e.request),
            Event::ReleaseExecuted(e) => self.close(e.request),
            _ => {}
        }
    }

    fn close(&mut self, request: RequestId) {
        if let Some(request) = self.requests.get_mut(&request) {
            request.closed = true;
        }
    }
}
