//! Events about who may do what, and (in `_system`) about tenants.

use promptory_events::event::{Event, KeyIssued, RoleGranted, RoleRevoked, TenantCreated};
use promptory_events::{KeyId, PrincipalId, TenantId};

use super::Broken;
use super::apply::Step;
use super::row::{ApiKeyRow, GrantRow, PrincipalRow, TenantRow, encode};
use super::stage::Staged;
use crate::hot::Hot;
use crate::store::key::Key;

pub(super) fn apply(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>) -> Result<(), Broken> {
    match step.event {
        Event::PrincipalAdded(event) => added(hot, staged, step, event.principal),
        Event::RoleGranted(event) => granted(hot, staged, step, event),
        Event::RoleRevoked(event) => revoked(hot, staged, step, event),
        Event::KeyIssued(event) => issued(hot, staged, step, event),
        Event::KeyRevoked(event) => key_revoked(hot, staged, step, event.key),
        Event::TenantCreated(event) => created(hot, staged, step, event),
        Event::TenantSuspended(event) => suspend(hot, staged, step, &event.tenant, Some(step.index)),
        Event::TenantResumed(event) => suspend(hot, staged, step, &event.tenant, None),
        _ => Ok(()), // the events of ledgers and backups have nothing but their own rows
    }
}

/// Writes a row that may be there already.
fn write<R: serde::Serialize>(hot: &mut Hot, staged: &mut Staged, key: &Key, before: Option<&R>, after: &R) {
    match before {
        Some(before) => staged.replace(&mut hot.sum, key, &encode(before), encode(after)),
        None => staged.put(&mut hot.sum, key, encode(after)),
    }
}

fn added(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, principal: PrincipalId) -> Result<(), Broken> {
    if hot.access.grants.contains_key(&principal) {
        return Err(step.broken("the principal is there already"));
    }
    write(hot, staged, &Key::Principal(principal), None, &PrincipalRow { added: step.index });
    hot.access.grants.insert_mut(principal, Vec::new());
    Ok(())
}

fn granted(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, event: &RoleGranted) -> Result<(), Broken> {
    let mut grants = hot.access.grants.get(&event.principal).cloned().unwrap_or_default();
    let before = grants.iter().position(|(role, _)| *role == event.role).map(|at| grants.remove(at).1);
    let row = GrantRow { granted: step.index, revoked: None };
    write(hot, staged, &Key::Grant(event.principal, event.role), before.as_ref(), &row);
    grants.push((event.role, row));
    grants.sort_unstable_by_key(|(role, _)| *role);
    hot.access.grants.insert_mut(event.principal, grants);
    Ok(())
}

fn revoked(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, event: &RoleRevoked) -> Result<(), Broken> {
    let mut grants = hot.access.grants.get(&event.principal).cloned().unwrap_or_default();
    let grant = grants.iter_mut().find(|(role, _)| *role == event.role);
    let (_, row) = grant.ok_or_else(|| step.broken("the role was never granted"))?;
    let before = row.clone();
    row.revoked = Some(step.index);
    write(hot, staged, &Key::Grant(event.principal, event.role), Some(&before), &*row);
    hot.access.grants.insert_mut(event.principal, grants);
    Ok(())
}

fn issued(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, event: &KeyIssued) -> Result<(), Broken> {
    if hot.access.keys.contains_key(&event.key) {
        return Err(step.broken("the API key is there already"));
    }
    let (principal, secret_hash) = (event.principal, event.secret_hash);
    let row = ApiKeyRow { principal, secret_hash, issued: step.index, revoked: None };
    write(hot, staged, &Key::ApiKey(event.key), None, &row);
    hot.access.keys.insert_mut(event.key, row);
    Ok(())
}

fn key_revoked(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, key: KeyId) -> Result<(), Broken> {
    let before = hot.access.keys.get(&key).cloned().ok_or_else(|| step.broken("there is no such API key"))?;
    let row = ApiKeyRow { revoked: Some(step.index), ..before.clone() };
    write(hot, staged, &Key::ApiKey(key), Some(&before), &row);
    hot.access.keys.insert_mut(key, row);
    Ok(())
}

fn created(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, event: &TenantCreated) -> Result<(), Broken> {
    if hot.access.tenants.contains_key(&event.tenant) {
        return Err(step.broken("the tenant is there already"));
    }
    let row = TenantRow { created: step.index, suspended: None };
    write(hot, staged, &Key::Tenant(event.tenant.clone()), None, &row);
    hot.access.tenants.insert_mut(event.tenant.clone(), row);
    Ok(())
}

fn suspend(
    hot: &mut Hot,
    staged: &mut Staged,
    step: &Step<'_>,
    tenant: &TenantId,
    suspended: Option<u64>,
) -> Result<(), Broken> {
    let before = hot.access.tenants.get(tenant).cloned().ok_or_else(|| step.broken("there is no such tenant"))?;
    let row = TenantRow { suspended, ..before.clone() };
    write(hot, staged, &Key::Tenant(tenant.clone()), Some(&before), &row);
    hot.access.tenants.insert_mut(tenant.clone(), row);
    Ok(())
}
