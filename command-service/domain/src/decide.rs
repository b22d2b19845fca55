//! State, context and command in; events or a rejection out. Authorization comes first, and again on every retry.

use promptory_events::event::{Action, Event};
use promptory_events::{PrincipalId, TenantId};

use crate::access;
use crate::authorize::{action, authorize};
use crate::command::{Change, Command, Context, Decision};
use crate::rejection::Rejection;
use crate::release::gate::gate;
use crate::state::Tenant;
use crate::{attest, branch, fork, include, label, merge, prompt, quota, release, rollout, settings, system, watch};

/// Decides a command.
///
/// # Errors
/// The [`Rejection`]; nothing follows from the command then.
pub fn decide(state: &Tenant, context: &Context, command: &Command) -> Result<Decision, Rejection> {
    let authorized = authorize(state, context, command);
    // Whose key opens nothing is told so, and nothing else; rights are looked at where the command belongs.
    if !matches!(authorized, Err(Rejection::Unauthenticated)) {
        belongs_here(state.id(), &command.change)?;
    }
    let (actor, evidence) = authorized?;
    if command.occurred_at.is_some_and(|claimed| claimed > context.now) {
        return Err(Rejection::OccurredInFuture);
    }
    let events = events(state, context, actor, &command.change)?;
    include::gate(state, &events)?;
    let events = gate(state, context.now, command.override_freeze, events)?;
    quota::gate(state, &context.presented, &events)?;
    Ok(Decision { actor, evidence, events })
}

fn events(state: &Tenant, context: &Context, actor: PrincipalId, change: &Change) -> Result<Vec<Event>, Rejection> {
    match change {
        Change::CreatePrompt { .. }
        | Change::AddVersion { .. }
        | Change::RenamePrompt { .. }
        | Change::SetTags { .. }
        | Change::SetMetadata { .. }
        | Change::ArchivePrompt { .. }
        | Change::RestorePrompt { .. } => prompt::decide(state, context, change),
        Change::SetLabel { .. } | Change::RemoveLabel { .. } => label::decide(state, change),
        Change::Rollout { .. } => rollout::decide(state, context, change),
        Change::CreateBranch { .. } | Change::CloseBranch { .. } => branch::decide(state, change),
        Change::ForkPrompt { .. } => fork::decide(state, context, change),
        Change::Merge { .. } => merge::decide(state, context, change),
        Change::IssueKey { .. }
        | Change::RotateKey { .. }
        | Change::RevokeKey { .. }
        | Change::GrantRole { .. }
        | Change::RevokeRole { .. }
        | Change::DefineRole { .. }
        | Change::CreateGroup { .. }
        | Change::AddMember { .. }
        | Change::RemoveMember { .. } => access::rules::decide(state, context, change),
        Change::TrustIssuer { .. }
        | Change::DistrustIssuer { .. }
        | Change::LinkIssuer { .. }
        | Change::MapClaim { .. }
        | Change::UnmapClaim { .. }
        | Change::AddPrincipal { .. }
        | Change::RevokeSession { .. } => access::identity::decide(state, context, change),
        Change::SetUser(_) | Change::RemoveUser { .. } | Change::SetGroup(_) | Change::RemoveGroup { .. } => {
            access::provisioning::decide(state, context, change)
        }
        Change::ProtectLabel { .. }
        | Change::UnprotectLabel { .. }
        | Change::SetFreeze { .. }
        | Change::LiftFreeze { .. }
        | Change::RequestRelease { .. }
        | Change::ApproveRelease { .. }
        | Change::RejectRelease { .. }
        | Change::WithdrawRelease { .. }
        | Change::RollBackLabel { .. }
        | Change::AddComment { .. } => release::decide(state, context, actor, change),
        Change::SetQuota { .. } => quota::decide(state, change),
        Change::ConfigureSearch { languages } => settings::configure_search(state, *languages),
        Change::ConfigureWatch { enabled } => Ok(watch::configure(state, *enabled)),
        Change::Attest(attestation) => attest::decide(state, context, attestation),
        _ => system::decide(state, context, change),
    }
}

fn belongs_here(tenant: &TenantId, change: &Change) -> Result<(), Rejection> {
    let fits = match action(change) {
        _ if matches!(change, Change::SetQuota { .. }) => !tenant.is_system(),
        Action::ManageTenants => tenant.is_system(),
        Action::ManageAccess => true,
        _ => !tenant.is_system(),
    };
    if fits { Ok(()) } else { Err(Rejection::NotInThisLedger(tenant.clone())) }
}
