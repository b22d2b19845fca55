//! What is special to an event, as JSON: ids, numbers and names; never prompt text, never a secret or its hash.

use promptory_events::Event;
use promptory_events::event::VersionAdded;
use serde_json::{Value, json};

use crate::hot::access::Access;

pub(super) fn of(event: &Event, access: &Access) -> Value {
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
        Event::RoleGranted(e) => json!({ "principal": e.principal, "role": e.role }),
        Event::RoleRevoked(e) => json!({ "principal": e.principal, "role": e.role }),
        Event::KeyIssued(e) => json!({ "key": e.key, "principal": e.principal }),
        Event::KeyRevoked(e) => json!({ "key": e.key, "principal": access.principal_of(e.key) }),
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
    })
}
