//! The rules of access (in every ledger) and of tenants and operators (in `_system`).

use promptory_events::event::{
    BackupStarted, Event, KeyIssued, KeyRevoked, LedgerOpened, PrincipalAdded, Role, RoleGranted, RoleRevoked,
    TenantCreated, TenantResumed, TenantSuspended,
};
use promptory_events::{KeyId, PrincipalId, TenantId};

use crate::access;
use crate::command::{Change, Context, KeyHolder};
use crate::rejection::Rejection;
use crate::state::{Tenant, TenantStatus};

pub(crate) fn decide(state: &Tenant, context: &Context, change: &Change) -> Result<Vec<Event>, Rejection> {
    match change {
        Change::IssueKey { holder, secret_hash } => issue_key(state, context, holder, *secret_hash),
        Change::RevokeKey { key } => revoke_key(state, *key),
        Change::GrantRole { principal, role } => grant(state, *principal, *role),
        Change::RevokeRole { principal, role } => revoke(state, *principal, *role),
        Change::CreateTenant { tenant, title } => {
            if tenant.is_system() || state.tenant_status(tenant).is_some() {
                return Err(Rejection::TenantExists(tenant.clone()));
            }
            Ok(vec![Event::TenantCreated(TenantCreated { tenant: tenant.clone(), title: title.clone() })])
        }
        Change::SuspendTenant { tenant } => switch(state, tenant, TenantStatus::Suspended),
        Change::ResumeTenant { tenant } => switch(state, tenant, TenantStatus::Active),
        Change::RecordBackup { backup, part } => {
            Ok(vec![Event::BackupStarted(BackupStarted { backup: *backup, part: *part })])
        }
        Change::RecordRestore(restored) => Ok(vec![Event::LedgerRestored(restored.clone())]),
        Change::Bootstrap { incarnation, secret_hash } => {
            if state.next_index() > 0 {
                return Err(Rejection::AlreadyBootstrapped);
            }
            let mut events = vec![Event::LedgerOpened(LedgerOpened { incarnation: *incarnation })];
            let holder = KeyHolder::New { role: Role::Operator, name: None };
            events.extend(issue_key(state, context, &holder, *secret_hash)?);
            Ok(events)
        }
        _ => Ok(Vec::new()), // not of this family
    }
}

fn issue_key(
    state: &Tenant,
    context: &Context,
    holder: &KeyHolder,
    secret_hash: [u8; 32],
) -> Result<Vec<Event>, Rejection> {
    let mut events = Vec::new();
    let principal = match holder {
        KeyHolder::Existing(principal) => known(state, *principal)?,
        KeyHolder::New { role, name } => {
            here(state, *role)?;
            let principal = context.command_id.principal();
            events.push(Event::PrincipalAdded(PrincipalAdded { principal, name: name.clone() }));
            events.push(Event::RoleGranted(RoleGranted { principal, role: *role }));
            principal
        }
    };
    let key = context.command_id.api_key();
    events.push(Event::KeyIssued(KeyIssued { key, principal, secret_hash }));
    Ok(events)
}

fn known(state: &Tenant, principal: PrincipalId) -> Result<PrincipalId, Rejection> {
    if state.has_principal(principal) { Ok(principal) } else { Err(Rejection::PrincipalNotFound(principal)) }
}

fn here(state: &Tenant, role: Role) -> Result<(), Rejection> {
    if access::exists_in(role, state.id()) { Ok(()) } else { Err(Rejection::RoleNotHere(role)) }
}

fn revoke_key(state: &Tenant, key: KeyId) -> Result<Vec<Event>, Rejection> {
    let current = state.api_key(key).ok_or(Rejection::ApiKeyNotFound(key))?;
    if current.revoked {
        return Ok(Vec::new());
    }
    somebody_left(state, |other, _| other != key)?;
    Ok(vec![Event::KeyRevoked(KeyRevoked { key })])
}

fn grant(state: &Tenant, principal: PrincipalId, role: Role) -> Result<Vec<Event>, Rejection> {
    known(state, principal)?;
    here(state, role)?;
    if state.roles(principal).any(|(held, _)| held == role) {
        return Ok(Vec::new());
    }
    Ok(vec![Event::RoleGranted(RoleGranted { principal, role })])
}

fn revoke(state: &Tenant, principal: PrincipalId, role: Role) -> Result<Vec<Event>, Rejection> {
    known(state, principal)?;
    if !state.roles(principal).any(|(held, _)| held == role) {
        return Ok(Vec::new());
    }
    if role == access::top_role(state.id()) {
        somebody_left(state, |_, holder| holder != principal)?;
    }
    Ok(vec![Event::RoleRevoked(RoleRevoked { principal, role })])
}

/// Somebody who can hand out rights, with a key that works, must remain.
fn somebody_left(state: &Tenant, remains: impl Fn(KeyId, PrincipalId) -> bool) -> Result<(), Rejection> {
    let mut top = state.live_keys_with(access::top_role(state.id()));
    if top.any(|(key, holder)| remains(key, holder)) { Ok(()) } else { Err(Rejection::LastOwner) }
}

fn switch(state: &Tenant, tenant: &TenantId, to: TenantStatus) -> Result<Vec<Event>, Rejection> {
    let now = state.tenant_status(tenant).ok_or_else(|| Rejection::TenantNotFound(tenant.clone()))?;
    let tenant = tenant.clone();
    Ok(match to {
        _ if now == to => Vec::new(),
        TenantStatus::Suspended => vec![Event::TenantSuspended(TenantSuspended { tenant })],
        TenantStatus::Active => vec![Event::TenantResumed(TenantResumed { tenant })],
    })
}

#[cfg(test)]
mod tests;
