//! Events about who may do what, and (in `_system`) about tenants.

use promptory_events::event::{
    Event, KeyIssued, KeyRevoked, MemberAdded, RoleDefined, RoleGranted, RoleRevoked, TenantCreated,
};
use promptory_events::{GroupId, PrincipalId, TenantId};

use super::apply::Step;
use super::row::{ApiKeyRow, GrantRow, GroupRow, MemberRow, PrincipalRow, RoleRow, TenantRow, encode};
use super::stage::Staged;
use super::{Broken, directory, identity};
use crate::hot::Hot;
use crate::store::key::{Area, Key};

pub(super) fn apply(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>) -> Result<(), Broken> {
    match step.event {
        Event::TenantCreated(event) => return created(hot, staged, step, event),
        Event::TenantSuspended(event) => return suspend(hot, staged, step, &event.tenant, Some(step.index)),
        Event::TenantResumed(event) => return suspend(hot, staged, step, &event.tenant, None),
        Event::PrincipalAdded(event) => {
            let row = PrincipalRow { added: step.index };
            staged.put(&mut hot.sum, &Key::Principal(event.principal), encode(&row));
        }
        Event::GroupCreated(event) => group_created(hot, staged, step, event.group),
        Event::RoleDefined(event) => defined(hot, staged, step, event),
        Event::MemberAdded(event) => joined(hot, staged, step, event),
        Event::MemberRemoved(event) => left(hot, staged, step, event.group, event.principal)?,
        Event::RoleGranted(event) => granted(hot, staged, step, event),
        Event::RoleRevoked(event) => revoked(hot, staged, step, event)?,
        Event::KeyIssued(event) => issued(hot, staged, step, event),
        Event::KeyRevoked(event) => key_revoked(hot, staged, step, event)?,
        Event::IssuerTrusted(_)
        | Event::IssuerDistrusted(_)
        | Event::IssuerLinked(_)
        | Event::ClaimMapped(_)
        | Event::ClaimUnmapped(_)
        | Event::SessionRevoked(_) => identity::apply(hot, staged, step)?,
        Event::UserSet(_) | Event::UserRemoved(_) | Event::GroupSet(_) | Event::GroupRemoved(_) => {
            directory::apply(hot, staged, step)?;
        }
        _ => return Ok(()), // the events of ledgers and backups have nothing but their own rows
    }
    staged.put(&mut hot.sum, &Key::Change(Area::Access, step.index), Vec::new());
    // Last, so that the rows were made from what was there before. It is the judge of what can follow.
    if hot.access.rights.evolve(step.index, step.event) {
        Ok(())
    } else {
        Err(step.broken("it contradicts who is there and what they hold"))
    }
}

/// Writes a row that may be there already.
pub(super) fn write<R: serde::Serialize>(hot: &mut Hot, staged: &mut Staged, key: &Key, before: Option<&R>, after: &R) {
    match before {
        Some(before) => staged.replace(&mut hot.sum, key, &encode(before), encode(after)),
        None => staged.put(&mut hot.sum, key, encode(after)),
    }
}

fn group_created(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, group: GroupId) {
    let row = GroupRow { created: step.index };
    staged.put(&mut hot.sum, &Key::Group(group), encode(&row));
    hot.access.groups.insert_mut(group, row);
}

fn defined(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, event: &RoleDefined) {
    let row = RoleRow { defined: step.index, actions: event.after.clone() };
    let before = hot.access.roles.get(&event.role).cloned();
    write(hot, staged, &Key::Role(event.role.clone()), before.as_ref(), &row);
    hot.access.roles.insert_mut(event.role.clone(), row);
}

fn joined(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, event: &MemberAdded) {
    let at = (event.group, event.principal);
    let row = MemberRow { added: step.index, removed: None };
    let before = hot.access.members.get(&at).cloned();
    write(hot, staged, &Key::Member(at.0, at.1), before.as_ref(), &row);
    hot.access.members.insert_mut(at, row);
}

fn left(
    hot: &mut Hot,
    staged: &mut Staged,
    step: &Step<'_>,
    group: GroupId,
    principal: PrincipalId,
) -> Result<(), Broken> {
    let before = hot.access.members.get(&(group, principal)).cloned();
    let before = before.ok_or_else(|| step.broken("it was never a member"))?;
    let row = MemberRow { removed: Some(step.index), ..before.clone() };
    write(hot, staged, &Key::Member(group, principal), Some(&before), &row);
    hot.access.members.insert_mut((group, principal), row);
    Ok(())
}

fn granted(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, event: &RoleGranted) {
    let at = (event.to, event.prefix.clone(), event.role.clone());
    let before = hot.access.grants.get(&at).cloned();
    let row = GrantRow { granted: step.index, expires_at: event.expires_at, revoked: None };
    write(hot, staged, &Key::Grant(at.0, at.1.clone(), at.2.clone()), before.as_ref(), &row);
    hot.access.grants.insert_mut(at, row);
}

fn revoked(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, event: &RoleRevoked) -> Result<(), Broken> {
    let at = (event.from, event.prefix.clone(), event.role.clone());
    let before = hot.access.grants.get(&at).cloned().ok_or_else(|| step.broken("the role was never granted"))?;
    let row = GrantRow { revoked: Some(step.index), ..before.clone() };
    write(hot, staged, &Key::Grant(at.0, at.1.clone(), at.2.clone()), Some(&before), &row);
    hot.access.grants.insert_mut(at, row);
    Ok(())
}

fn issued(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, event: &KeyIssued) {
    let row = ApiKeyRow {
        principal: event.principal,
        secret_hash: event.secret_hash,
        scope: event.scope.clone(),
        expires_at: event.expires_at,
        replaces: event.replaces,
        issued: step.index,
        revoked: None,
    };
    staged.put(&mut hot.sum, &Key::ApiKey(event.key), encode(&row));
    hot.access.keys.insert_mut(event.key, row);
}

/// Revoked at once, or from a time on: then it ends as one that expires.
fn key_revoked(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>, event: &KeyRevoked) -> Result<(), Broken> {
    let key = event.key;
    let before = hot.access.keys.get(&key).cloned().ok_or_else(|| step.broken("there is no such API key"))?;
    let row = match event.from {
        None => ApiKeyRow { revoked: Some(step.index), ..before.clone() },
        Some(from) => {
            ApiKeyRow { expires_at: Some(before.expires_at.map_or(from, |end| end.min(from))), ..before.clone() }
        }
    };
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
