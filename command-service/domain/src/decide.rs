//! State, context and command in; events or a rejection out. Authorization comes first, and again on every retry.

use promptory_events::event::{Event, Role};
use promptory_events::{Credential, Evidence, PrincipalId, TenantId};

use crate::access::{self, Action};
use crate::command::{Change, Command, Context, Decision, KeyHolder, Presented};
use crate::rejection::Rejection;
use crate::state::Tenant;
use crate::{branch, fork, label, merge, prompt, system};

/// Decides a command.
///
/// # Errors
/// The [`Rejection`]; nothing follows from the command then.
pub fn decide(state: &Tenant, context: &Context, command: &Command) -> Result<Decision, Rejection> {
    belongs_here(state.id(), &command.change)?;
    let (actor, evidence) = authorize(state, context, command)?;
    if command.occurred_at.is_some_and(|claimed| claimed > context.now) {
        return Err(Rejection::OccurredInFuture);
    }
    let events = events(state, context, &command.change)?;
    Ok(Decision { actor, evidence, events })
}

fn events(state: &Tenant, context: &Context, change: &Change) -> Result<Vec<Event>, Rejection> {
    match change {
        Change::CreatePrompt { .. }
        | Change::AddVersion { .. }
        | Change::RenamePrompt { .. }
        | Change::SetTags { .. }
        | Change::SetMetadata { .. }
        | Change::ArchivePrompt { .. }
        | Change::RestorePrompt { .. } => prompt::decide(state, context, change),
        Change::SetLabel { .. } | Change::RemoveLabel { .. } => label::decide(state, change),
        Change::CreateBranch { .. } | Change::CloseBranch { .. } => branch::decide(state, change),
        Change::ForkPrompt { .. } => fork::decide(state, context, change),
        Change::Merge { .. } => merge::decide(state, context, change),
        _ => system::decide(state, context, change),
    }
}

/// What a change needs.
fn action(change: &Change) -> Action {
    match change {
        Change::SetLabel { .. } | Change::RemoveLabel { .. } => Action::MoveLabels,
        Change::IssueKey { .. } | Change::RevokeKey { .. } | Change::GrantRole { .. } | Change::RevokeRole { .. } => {
            Action::ManageAccess
        }
        Change::CreateTenant { .. }
        | Change::SuspendTenant { .. }
        | Change::ResumeTenant { .. }
        | Change::RecordBackup { .. }
        | Change::RecordRestore(_)
        | Change::Bootstrap { .. } => Action::ManageTenants,
        _ => Action::WritePrompts,
    }
}

fn belongs_here(tenant: &TenantId, change: &Change) -> Result<(), Rejection> {
    let fits = match action(change) {
        Action::ManageTenants => tenant.is_system(),
        Action::ManageAccess => true,
        _ => !tenant.is_system(),
    };
    if fits { Ok(()) } else { Err(Rejection::NotInThisLedger(tenant.clone())) }
}

fn authorize(state: &Tenant, context: &Context, command: &Command) -> Result<(PrincipalId, Evidence), Rejection> {
    match &context.presented {
        Presented::System => by_system(command),
        Presented::Operator { principal, key } => {
            by_operator(command)?;
            let credential = Credential::ApiKey { tenant: TenantId::system(), key: *key };
            Ok((*principal, Evidence { credential, grants: Vec::new() }))
        }
        Presented::ApiKey { key, secret_hash } => {
            let actor = state.authenticate(*key, secret_hash).ok_or(Rejection::Unauthenticated)?;
            if only_the_system_may(&command.change) {
                return Err(Rejection::Forbidden(action(&command.change)));
            }
            let credential = Credential::ApiKey { tenant: state.id().clone(), key: *key };
            Ok((actor, Evidence { credential, grants: grants(state, actor, command)? }))
        }
    }
}

/// The closed list of what no key of anybody allows: how a ledger's life began.
fn only_the_system_may(change: &Change) -> bool {
    matches!(change, Change::Bootstrap { .. } | Change::RecordRestore(_))
}

/// The system itself does that, and nothing else.
fn by_system(command: &Command) -> Result<(PrincipalId, Evidence), Rejection> {
    if only_the_system_may(&command.change) {
        Ok((PrincipalId::SYSTEM, Evidence { credential: Credential::System, grants: Vec::new() }))
    } else {
        Err(Rejection::Forbidden(action(&command.change)))
    }
}

/// An operator may let an owner into a tenant and do nothing else there.
fn by_operator(command: &Command) -> Result<(), Rejection> {
    match &command.change {
        Change::IssueKey { holder: KeyHolder::New { role: Role::Owner, .. }, .. }
            if command.occurred_at.is_none() && command.author.is_none() =>
        {
            Ok(())
        }
        change => Err(Rejection::Forbidden(action(change))),
    }
}

/// The grants that allow the command: one for the action, and one for the claim if it makes one.
fn grants(state: &Tenant, actor: PrincipalId, command: &Command) -> Result<Vec<u64>, Rejection> {
    let claims = command.occurred_at.is_some() || command.author.is_some();
    let mut used = vec![grant_for(state, actor, action(&command.change))?];
    if claims {
        used.push(grant_for(state, actor, Action::Import)?);
    }
    used.dedup();
    Ok(used)
}

fn grant_for(state: &Tenant, actor: PrincipalId, action: Action) -> Result<u64, Rejection> {
    let allowing = state.roles(actor).find(|(role, _)| access::allows(*role, action));
    allowing.map(|(_, index)| index).ok_or(Rejection::Forbidden(action))
}
