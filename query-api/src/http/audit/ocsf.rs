//! Records as events of the Open Cybersecurity Schema Framework 1.8.0: class Entity Management (3004), one JSON object a line.
//!
//! That class is about who did what to which entity and needs no network address, which the ledger does not know. What it has
//! no place for is in `unmapped`.

use promptory_events::{Position, PrincipalId, TenantId};
use promptory_platform::Problem;
use promptory_projection::ask::{AuditRecord, Outcome};
use serde_json::{Value, json};

use super::wire;

/// The version of the schema.
pub const VERSION: &str = "1.8.0";
const CATEGORY: u32 = 3;
const CLASS: u32 = 3004;

/// A line for each record of a tenant, as of a position.
///
/// # Errors
/// `internal` if a detail is no JSON.
pub fn rows(tenant: &TenantId, at: Option<Position>, records: &[AuditRecord]) -> Result<Vec<u8>, Problem> {
    let mut out = Vec::with_capacity(records.len() * 1024);
    for record in records {
        let event = event(tenant, at, &wire::record(record)?);
        serde_json::to_writer(&mut out, &event).map_err(|_| Problem::internal())?;
        out.push(b'\n');
    }
    Ok(out)
}

fn event(tenant: &TenantId, at: Option<Position>, record: &wire::Record<'_>) -> Value {
    let (activity, name) = activity(record.action);
    // An id that no other event has, over all lives of the ledger.
    let uid = at.map(|at| Position { index: record.index, ..at }.to_string());
    let (status, status_name, severity) = match record.outcome {
        Outcome::Done => (1, "Success", 1),
        Outcome::Denied => (2, "Failure", 2),
    };
    let severity_name = if severity == 1 { "Informational" } else { "Low" };
    let mut user = json!({ "uid": record.actor });
    if record.actor == PrincipalId::SYSTEM {
        (user["type_id"], user["type"]) = (json!(3), json!("System"));
    }
    if let Some(id) = &record.credential_id {
        user["credential_uid"] = json!(id);
    }
    let target = record.targets.first().map_or_else(|| format!("tenant:{tenant}"), Clone::clone);
    let mut entity = json!({ "uid": target, "type": kind(&target), "data": record.detail });
    if let Some(key) = record.key {
        entity["name"] = json!(key);
    }
    let mut event = json!({
        "activity_id": activity,
        "activity_name": name,
        "category_uid": CATEGORY,
        "category_name": "Identity & Access Management",
        "class_uid": CLASS,
        "class_name": "Entity Management",
        "type_uid": CLASS * 100 + activity,
        "type_name": format!("Entity Management: {name}"),
        "severity_id": severity,
        "severity": severity_name,
        "status_id": status,
        "status": status_name,
        "time": record.recorded_at.micros() / 1000,
        "metadata": {
            "version": VERSION,
            "product": { "name": "Promptory", "vendor_name": "Promptory", "version": env!("CARGO_PKG_VERSION") },
            "uid": uid,
            "event_code": record.action,
            "correlation_uid": record.command_id,
            "original_time": record.recorded_at,
            "sequence": record.index,
            "tenant_uid": tenant,
        },
        "actor": { "user": user },
        "entity": entity,
        "unmapped": {
            "targets": record.targets,
            "roles": record.roles,
            "grants": record.grants,
            "credential": record.credential,
            "author": record.author,
            "occurred_at": record.occurred_at,
            "key_before": record.key_before,
            "prefix": record.prefix,
        },
    });
    if let Some(message) = record.message {
        event["comment"] = json!(message);
    }
    event
}

/// The class's activity that an event is, by the second half of its name.
fn activity(action: &str) -> (u32, &'static str) {
    match action.rsplit('.').next().unwrap_or_default() {
        "created" | "added" | "issued" | "defined" | "granted" | "opened" | "requested" => (1, "Create"),
        "read" | "exported" | "denied" | "counted" => (2, "Read"),
        "removed" | "revoked" | "archived" | "closed" | "lifted" | "unprotected" | "unmapped" => (4, "Delete"),
        "suspended" => (12, "Suspend"),
        "resumed" => (13, "Resume"),
        _ => (3, "Update"),
    }
}

/// What kind of thing a target is: what its id begins with, or the word before its name. Ids of API keys and tokens are bare
/// hex digits.
fn kind(target: &str) -> &str {
    match target.split(['_', ':']).next().unwrap_or_default() {
        "prm" => "prompt",
        "pri" => "principal",
        "grp" => "group",
        "iss" => "issuer",
        "rel" => "release",
        "rol" => "rollout",
        "frz" => "freeze",
        "cmt" => "comment",
        "bkp" => "backup",
        bare if bare == target && bare.len() == 64 => "token",
        bare if bare == target => "api-key",
        named => named,
    }
}
