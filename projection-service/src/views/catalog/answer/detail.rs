//! What is special to an event, as JSON: ids, numbers and names; never prompt text, never a secret or its hash.
//! `principal_of` says whose an API key is.

use promptory_events::event::{
    Attempt, AuditRead, CommentOn, Include, KeyScope, Selector, Session, Split, Subject, VersionAdded,
};
use promptory_events::{Credential, Event, KeyId, PrincipalId};
use serde_json::{Value, json};

use crate::guard;

pub(crate) fn of(event: &Event, principal_of: impl Fn(KeyId) -> Option<PrincipalId>) -> Value {
    match event {
        Event::CommandUnchanged => json!({}),
        Event::LedgerOpened(e) => json!({ "incarnation": e.incarnation }),
        Event::BackupStarted(e) => json!({ "backup": e.backup, "part": e.part }),
        Event::LedgerRestored(e) => json!({
            "backup": e.backup,
            "taken_at": e.taken_at,
            "from": e.from,
            "into": e.into,
            "heads": e.heads,
        }),
        Event::TenantCreated(e) => json!({ "tenant": e.tenant }),
        Event::TenantSuspended(e) => json!({ "tenant": e.tenant }),
        Event::TenantResumed(e) => json!({ "tenant": e.tenant }),
        Event::PrincipalAdded(e) => json!({ "principal": e.principal }),
        Event::RoleGranted(e) => {
            with_subject(e.to, json!({ "role": e.role.to_string(), "prefix": e.prefix, "expires_at": e.expires_at }))
        }
        Event::RoleRevoked(e) => {
            with_subject(e.from, json!({ "role": e.role.to_string(), "prefix": e.prefix, "grant": e.grant }))
        }
        Event::RoleDefined(e) => json!({ "role": e.role, "before": e.before, "after": e.after }),
        Event::GroupCreated(e) => json!({ "group": e.group }),
        Event::LabelProtected(e) => {
            json!({ "prefix": e.prefix, "label": e.label, "before": e.before, "after": e.after })
        }
        Event::LabelUnprotected(e) => json!({ "prefix": e.prefix, "label": e.label, "before": e.before }),
        Event::FreezeSet(e) => json!({ "freeze": e.freeze, "prefix": e.prefix, "from": e.from, "until": e.until }),
        Event::FreezeLifted(e) => json!({ "freeze": e.freeze, "prefix": e.prefix }),
        Event::FreezeOverridden(e) => json!({ "freeze": e.freeze }),
        Event::ReleaseRequested(e) => json!({
            "release": e.request,
            "label": e.label,
            "before": e.before,
            "after": e.after,
            "split": e.split.as_ref().map(split),
            "expires_at": e.expires_at,
        }),
        Event::ReleaseApproved(e) => {
            json!({ "release": e.request, "approvals": e.approvals, "needed": e.needed })
        }
        Event::ReleaseRejected(e) => json!({ "release": e.request }),
        Event::ReleaseWithdrawn(e) => json!({ "release": e.request }),
        Event::ReleaseExecuted(e) => json!({ "release": e.request, "label": e.label }),
        Event::LabelRolledBack(e) => json!({ "label": e.label, "before": e.before, "after": e.after }),
        Event::CommentAdded(e) => {
            let mut detail = json!({ "comment": e.comment });
            on(&mut detail, e.on);
            detail
        }
        Event::RolloutStarted(e) => json!({
            "rollout": e.rollout,
            "label": e.label,
            "control": e.control,
            "after": e.after,
            "release": e.request,
            "guards": e.guards.iter().map(guard::told).collect::<Vec<_>>(),
        }),
        Event::RolloutAdvanced(e) => json!({
            "rollout": e.rollout,
            "label": e.label,
            "before": e.before,
            "after": e.after,
            "release": e.request,
        }),
        Event::RolloutPaused(e) => json!({ "rollout": e.rollout, "label": e.label }),
        Event::RolloutResumed(e) => json!({ "rollout": e.rollout, "label": e.label }),
        Event::RolloutRolledBack(e) => json!({ "rollout": e.rollout, "label": e.label, "before": e.before }),
        Event::RolloutBreached(e) => json!({
            "rollout": e.rollout,
            "label": e.label,
            "place": e.place,
            "guard": guard::told(&e.guard),
            "version": e.version,
            "figures": guard::figures(&e.guard.measure, &e.figures),
        }),
        Event::RolloutCompleted(e) => {
            json!({ "rollout": e.rollout, "label": e.label, "before": e.before, "version": e.version })
        }
        Event::MemberAdded(e) => json!({ "group": e.group, "principal": e.principal }),
        Event::MemberRemoved(e) => json!({ "group": e.group, "principal": e.principal }),
        Event::IssuerTrusted(e) => json!({
            "issuer": e.issuer,
            "url": e.url,
            "audience": e.audience,
            "groups_claim": e.groups_claim,
        }),
        Event::IssuerDistrusted(e) => json!({ "issuer": e.issuer }),
        Event::IssuerLinked(e) => json!({ "issuer": e.issuer, "claim": e.claim, "attribute": e.attribute }),
        Event::ClaimMapped(e) => {
            json!({ "issuer": e.issuer, "claim": e.claim, "before": e.before, "after": e.after })
        }
        Event::ClaimUnmapped(e) => json!({ "issuer": e.issuer, "claim": e.claim, "before": e.before }),
        Event::SessionRevoked(e) => match e.session {
            Session::Before { principal, time } => json!({ "principal": principal, "before": time }),
            Session::Token(token) => json!({ "token": token }),
        },
        Event::KeyIssued(e) => json!({
            "key": e.key,
            "principal": e.principal,
            "scope": e.scope.as_ref().map(scope),
            "expires_at": e.expires_at,
            "replaces": e.replaces,
        }),
        Event::KeyRevoked(e) => {
            json!({ "key": e.key, "principal": principal_of(e.key), "from": e.from })
        }
        Event::PromptCreated(e) => json!({ "kind": e.kind }),
        Event::VersionAdded(e) => version(e),
        Event::PromptRenamed(e) => json!({ "before": e.before, "after": e.after }),
        Event::TagsSet(e) => json!({ "before": e.before, "after": e.after }),
        Event::MetadataSet(e) => json!({ "before": e.before, "after": e.after.id, "bytes": e.after.bytes }),
        Event::PromptArchived(e) => json!({ "key": e.key }),
        Event::PromptRestored(e) => json!({ "key": e.key }),
        Event::BranchCreated(e) => json!({ "branch": e.branch, "head": e.head }),
        Event::BranchClosed(e) => json!({ "branch": e.branch, "head": e.head }),
        Event::LabelSet(e) => json!({ "label": e.label, "before": e.before, "after": e.after }),
        Event::LabelRemoved(e) => json!({ "label": e.label, "before": e.before }),
        Event::AttemptDenied(e) => {
            let mut detail = attempt(&e.attempt);
            (detail["door"], detail["minute"]) = (json!(e.door), json!(e.minute));
            credential(&mut detail, &e.credential);
            detail
        }
        Event::AttemptsCounted(e) => {
            let again = e.again.iter().map(|again| {
                let mut detail = attempt(&again.attempt);
                detail["times"] = json!(again.times);
                detail
            });
            json!({ "minute": e.minute, "again": again.collect::<Vec<_>>(), "others": e.others })
        }
        Event::AuditRead(e) | Event::AuditExported(e) => audit_read(e),
        Event::WatchConfigured(e) => json!({ "before": e.before, "after": e.after }),
        Event::VersionDegraded(e) => json!({
            "version": e.version,
            "day": e.day,
            "measure": guard::measure(&e.measure),
            "figures": guard::beside_past(&e.measure, &e.figures),
        }),
        Event::SearchConfigured(e) => json!({ "before": e.before, "after": e.after }),
        Event::QuotaSet(e) => json!({ "quota": e.quota, "before": e.before, "after": e.after }),
        Event::UserSet(e) => json!({ "principal": e.user, "active": e.active }),
        Event::UserRemoved(e) => json!({ "principal": e.user }),
        Event::GroupSet(e) => json!({ "group": e.group }),
        Event::GroupRemoved(e) => json!({ "group": e.group }),
        Event::UnauthenticatedCounted(e) => json!({ "minute": e.minute, "times": e.times }),
    }
}

/// Who read what: `filter` as an object, null for any.
fn audit_read(read: &AuditRead) -> Value {
    let filter = read.reading.filter.as_deref().and_then(|filter| serde_json::from_str::<Value>(filter).ok());
    let mut detail = json!({ "principal": read.reading.principal, "form": read.reading.form, "filter": filter, "minute": read.minute });
    credential(&mut detail, &read.credential);
    detail
}

/// What was shown: `key` or `token`.
fn credential(detail: &mut Value, credential: &Credential) {
    match credential {
        Credential::ApiKey { key, .. } => detail["key"] = json!(key),
        Credential::Token(token) => detail["token"] = json!(token.token),
        Credential::System => {}
    }
}

fn attempt(attempt: &Attempt) -> Value {
    json!({ "principal": attempt.principal, "action": attempt.action, "target": attempt.target })
}

/// Whom a grant is for: `principal` or `group`, beside what else there is to say.
pub(super) fn with_subject(subject: Subject, mut rest: Value) -> Value {
    match subject {
        Subject::Principal(id) => rest["principal"] = json!(id),
        Subject::Group(id) => rest["group"] = json!(id),
    }
    rest
}

/// What a request asks a label to be split over.
pub(super) fn split(split: &Split) -> Value {
    let arm = |(version, weight): (&u32, &u16)| json!({ "version": version, "weight": weight });
    let mut said =
        json!({ "rollout": split.rollout, "arms": split.weights.as_map().iter().map(arm).collect::<Vec<_>>() });
    if !split.guards.is_empty() {
        said["guards"] = split.guards.iter().map(guard::told).collect();
    }
    said
}

/// What a comment is on: `version` or `release`.
pub(super) fn on(value: &mut Value, on: CommentOn) {
    match on {
        CommentOn::Version(number) => value["version"] = json!(number),
        CommentOn::Request(id) => value["release"] = json!(id),
    }
}

pub(super) fn scope(scope: &KeyScope) -> Value {
    json!({ "role": scope.role.to_string(), "prefix": scope.prefix })
}

/// What is included: the prompt by id and by the key that the content has, with `version` or `label`.
fn include(include: &Include) -> Value {
    let (prompt, key) = (include.prompt, &include.written.key);
    match &include.written.at {
        Selector::Number(number) => json!({ "prompt": prompt, "key": key, "version": number }),
        Selector::Label(label) => json!({ "prompt": prompt, "key": key, "label": label }),
    }
}

fn version(event: &VersionAdded) -> Value {
    json!({
        "version": event.version,
        "number": event.number,
        "branch": event.branch,
        "parents": event.parents,
        "content_id": event.content.id,
        "before": event.before,
        "bytes": event.content.bytes,
        "content_changed": event.before != Some(event.content.id),
        "template": event.syntax,
        "variables": event.variables.as_ref().map(|variables| variables.id),
        "includes": event.includes.iter().map(include).collect::<Vec<_>>(),
    })
}
