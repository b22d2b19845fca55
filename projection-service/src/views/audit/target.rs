//! What an event is about: ids as they are, and names with what they are names of, as in `label:production`.

use std::fmt::Display;

use promptory_events::event::{AnyRole, Session, Subject};
use promptory_events::{Event, Prefix};

/// What an event is about; the first is what it is about most. Empty: the ledger or the tenant as a whole.
#[must_use]
pub fn of(event: &Event) -> Vec<String> {
    let mut targets: Vec<String> = event.regards().map(|prompt| prompt.to_string()).into_iter().collect();
    let mut also = |target: &dyn Display| targets.push(target.to_string());
    match event {
        Event::TenantCreated(e) => also(&named("tenant", &e.tenant)),
        Event::TenantSuspended(e) => also(&named("tenant", &e.tenant)),
        Event::TenantResumed(e) => also(&named("tenant", &e.tenant)),
        Event::PrincipalAdded(e) => also(&e.principal),
        Event::RoleGranted(e) => grant(e.to, &e.role, &mut also),
        Event::RoleRevoked(e) => grant(e.from, &e.role, &mut also),
        Event::RoleDefined(e) => also(&named("role", &e.role)),
        Event::KeyIssued(e) => {
            also(&e.key);
            also(&e.principal);
            e.replaces.iter().for_each(|key| also(key));
        }
        Event::KeyRevoked(e) => also(&e.key),
        Event::GroupCreated(e) => also(&e.group),
        Event::MemberAdded(e) => {
            also(&e.group);
            also(&e.principal);
        }
        Event::MemberRemoved(e) => {
            also(&e.group);
            also(&e.principal);
        }
        Event::LabelProtected(e) => also(&named("label", &e.label)),
        Event::LabelUnprotected(e) => also(&named("label", &e.label)),
        Event::LabelSet(e) => also(&named("label", &e.label)),
        Event::LabelRemoved(e) => also(&named("label", &e.label)),
        Event::LabelRolledBack(e) => also(&named("label", &e.label)),
        Event::FreezeSet(e) => also(&e.freeze),
        Event::FreezeLifted(e) => also(&e.freeze),
        Event::FreezeOverridden(e) => also(&e.freeze),
        Event::ReleaseRequested(e) => also(&e.request),
        Event::ReleaseApproved(e) => also(&e.request),
        Event::ReleaseRejected(e) => also(&e.request),
        Event::ReleaseWithdrawn(e) => also(&e.request),
        Event::ReleaseExecuted(e) => also(&e.request),
        Event::CommentAdded(e) => also(&e.comment),
        Event::RolloutStarted(e) => also(&e.rollout),
        Event::RolloutAdvanced(e) => also(&e.rollout),
        Event::RolloutPaused(e) => also(&e.rollout),
        Event::RolloutResumed(e) => also(&e.rollout),
        Event::RolloutRolledBack(e) => also(&e.rollout),
        Event::RolloutCompleted(e) => also(&e.rollout),
        Event::RolloutBreached(e) => also(&e.rollout),
        Event::IssuerTrusted(e) => also(&e.issuer),
        Event::IssuerDistrusted(e) => also(&e.issuer),
        Event::IssuerLinked(e) => also(&e.issuer),
        Event::UserSet(e) => also(&e.user),
        Event::UserRemoved(e) => also(&e.user),
        Event::GroupSet(e) => also(&e.group),
        Event::GroupRemoved(e) => also(&e.group),
        Event::ClaimMapped(e) => {
            also(&e.issuer);
            also(&e.after);
        }
        Event::ClaimUnmapped(e) => {
            also(&e.issuer);
            also(&e.before);
        }
        Event::SessionRevoked(e) => match e.session {
            Session::Before { principal, .. } => also(&principal),
            Session::Token(token) => also(&token),
        },
        Event::BackupStarted(e) => also(&e.backup),
        Event::LedgerRestored(e) => also(&e.backup),
        Event::AttemptsCounted(e) => e.again.iter().for_each(|again| also(&again.attempt.principal)),
        Event::SearchConfigured(_) => also(&named("setting", &"search")),
        Event::WatchConfigured(_) => also(&named("setting", &"watch")),
        Event::QuotaSet(e) => also(&named("quota", &e.quota.name())),
        _ => {}
    }
    let mut seen = std::collections::BTreeSet::new();
    targets.retain(|target| seen.insert(target.clone()));
    targets
}

/// The prefix that an event is about which is about no prompt; the whole tenant if it is about none.
#[must_use]
pub fn place(event: &Event) -> Prefix {
    match event {
        Event::RoleGranted(e) => e.prefix.clone(),
        Event::RoleRevoked(e) => e.prefix.clone(),
        Event::LabelProtected(e) => e.prefix.clone(),
        Event::LabelUnprotected(e) => e.prefix.clone(),
        Event::FreezeSet(e) => e.prefix.clone(),
        Event::FreezeLifted(e) => e.prefix.clone(),
        Event::KeyIssued(e) => e.scope.as_ref().map_or_else(Prefix::tenant, |scope| scope.prefix.clone()),
        Event::AttemptDenied(e) => e.attempt.target.clone(),
        _ => Prefix::tenant(),
    }
}

fn named(kind: &str, name: &impl Display) -> String {
    format!("{kind}:{name}")
}

/// Who got or lost a role; and the role, if it is the tenant's own.
fn grant(subject: Subject, role: &AnyRole, also: &mut dyn FnMut(&dyn Display)) {
    match subject {
        Subject::Principal(principal) => also(&principal),
        Subject::Group(group) => also(&group),
    }
    if let AnyRole::Custom(name) = role {
        also(&named("role", name));
    }
}
