//! The rules of tenants, operators and backups, in `_system`.

use promptory_events::event::{
    BackupStarted, Event, LedgerOpened, Role, TenantCreated, TenantResumed, TenantSuspended,
};
use promptory_events::{Prefix, TenantId};

use crate::access::rules::issue_key;
use crate::command::{Change, Context, KeyHolder};
use crate::rejection::Rejection;
use crate::state::{Tenant, TenantStatus};

pub(crate) fn decide(state: &Tenant, context: &Context, change: &Change) -> Result<Vec<Event>, Rejection> {
    match change {
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
            let (role, prefix) = (Role::Operator.into(), Prefix::tenant());
            let holder = KeyHolder::New { role, prefix, until: None, name: None };
            events.extend(issue_key(state, context, &holder, *secret_hash, (None, None))?);
            Ok(events)
        }
        _ => Ok(Vec::new()), // not of this family
    }
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
