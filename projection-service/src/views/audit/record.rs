//! The row of a record, made from an event, its commit and its batch. Texts stay sealed.

use promptory_events::event::{AnyRole, Attempt, AttemptDenied, Role};
use promptory_events::{
    Author, CommandId, CommitHeader, Credential, Event, Prefix, PrincipalId, PromptId, PromptKey, Sealed, TenantId,
    Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{Audit, target};
use crate::ask::Outcome;
use crate::views::catalog::answer::detail;
use crate::views::fold::Step;

/// A record, without what its commit says of all its events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordRow {
    /// When it was recorded. First, so that it can be read alone.
    pub recorded_at: Timestamp,
    /// The event's name.
    pub action: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Who did it, or tried.
    pub actor: PrincipalId,
    /// What the actor showed.
    pub credential: Credential,
    /// The roles that allowed it.
    pub roles: Vec<AnyRole>,
    /// What it is about.
    pub targets: Vec<String>,
    /// The prompt that it has to do with.
    pub prompt: Option<PromptId>,
    /// The key of that prompt after it.
    pub key: Option<PromptKey>,
    /// The key that it had before, if that changed.
    pub key_before: Option<PromptKey>,
    /// The prefix that it is about, if it has to do with no prompt.
    pub place: Prefix,
    /// What is special to it, as JSON text.
    pub detail: String,
    /// What its commit says.
    pub said: Said,
}

/// What a commit says of all its events: stored once, for it may hold a long message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// Here, with the commit's first event.
    Here(Box<Words>),
    /// With the event of this index.
    At(u64),
}

/// The parts of a commit's header that records show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// The command.
    pub command_id: CommandId,
    /// Who is claimed to have made it.
    pub author: Option<Author>,
    /// When it is claimed to have happened.
    pub occurred_at: Option<Timestamp>,
    /// The grants that allowed it.
    pub grants: Vec<u64>,
    /// Why, in the actor's words.
    pub message: Option<Sealed>,
}

impl Words {
    fn of(header: &CommitHeader) -> Self {
        Self {
            command_id: header.command_id,
            author: header.author.clone(),
            occurred_at: header.occurred_at,
            grants: header.evidence.grants.clone(),
            message: header.message.clone(),
        }
    }
}

/// The record of an event of a tenant; `audit` is what the names in it meant before it.
pub(super) fn of(audit: &Audit, tenant: &TenantId, step: &Step<'_>) -> RecordRow {
    let (event, commit) = (step.event, step.commit);
    let denied =
        matches!(event, Event::AttemptDenied(_) | Event::AttemptsCounted(_) | Event::UnauthenticatedCounted(_));
    let (actor, credential) = match event {
        // The system writes these, of somebody else.
        Event::AttemptDenied(AttemptDenied { attempt: Attempt { principal, .. }, credential, .. }) => {
            (*principal, credential)
        }
        Event::AuditRead(read) | Event::AuditExported(read) => (read.reading.principal, &read.credential),
        _ => (commit.actor, &commit.evidence.credential),
    };
    let prompt = event.regards();
    let known = prompt.and_then(|prompt| audit.key_of(prompt)).cloned();
    let after = key_after(event).cloned();
    let (key, key_before) = match (after, known) {
        (Some(after), Some(before)) if after != before => (Some(after), Some(before)),
        (after, known) => (after.or(known), None),
    };
    RecordRow {
        recorded_at: step.recorded_at,
        action: event.name().to_owned(),
        outcome: if denied { Outcome::Denied } else { Outcome::Done },
        actor,
        credential: credential.clone(),
        roles: if denied { Vec::new() } else { roles(audit, tenant, commit) },
        targets: target::of(event),
        prompt,
        key,
        key_before,
        place: target::place(event),
        detail: detail::of(event, |key| audit.principal_of(key)).to_string(),
        said: if step.index == step.first { Said::Here(Box::new(Words::of(commit))) } else { Said::At(step.first) },
    }
}

/// The key that a prompt has from this event on, if the event says so.
pub(super) fn key_after(event: &Event) -> Option<&PromptKey> {
    match event {
        Event::PromptCreated(e) => Some(&e.key),
        Event::PromptRenamed(e) => Some(&e.after),
        Event::PromptRestored(e) => Some(&e.key),
        _ => None,
    }
}

/// The roles of the grants that allowed a commit. Those of operators are in `_system`, where there is but one such role.
fn roles(audit: &Audit, tenant: &TenantId, commit: &CommitHeader) -> Vec<AnyRole> {
    let operator = matches!(&commit.evidence.credential, Credential::ApiKey { tenant: of, .. } if of != tenant);
    if operator {
        return vec![Role::Operator.into()];
    }
    let mut roles: Vec<AnyRole> =
        commit.evidence.grants.iter().filter_map(|grant| audit.role_of(*grant)).cloned().collect();
    roles.sort_unstable();
    roles.dedup();
    roles
}
