//! The rules of releases: protected labels, release requests, freeze windows, rollbacks, comments.
//!
//! [`book`] is what the ledger says about them, `gate` what no command gets around, and this the commands.

pub mod book;
pub(crate) mod gate;

use promptory_events::event::{
    CommentAdded, CommentOn, Event, FreezeLifted, FreezeSet, LabelProtected, LabelRemoved, LabelRolledBack, LabelSet,
    LabelUnprotected, ReleaseApproved, ReleaseExecuted, ReleaseRejected, ReleaseRequested, ReleaseWithdrawn,
};
use promptory_events::guard::Guard;
use promptory_events::rollout::Weights;
use promptory_events::{FreezeId, Label, Prefix, PrincipalId, PromptId, RequestId, Timestamp, VersionId, limits};

use crate::command::{Change, CommentTarget, Context, PromptRef};
use crate::label::pointed_to;
use crate::prompt::{check_match, live};
use crate::rejection::Rejection;
use crate::rollout;
use crate::state::{Prompt, Tenant};
use book::{Request, Status};

pub(crate) fn decide(
    state: &Tenant,
    context: &Context,
    actor: PrincipalId,
    change: &Change,
) -> Result<Vec<Event>, Rejection> {
    match change {
        Change::ProtectLabel { prefix, label, approvals } => protect(state, prefix, label, *approvals),
        Change::UnprotectLabel { prefix, label } => Ok(unprotect(state, prefix, label)),
        Change::SetFreeze { prefix, from, until } => set_freeze(state, context, prefix, *from, *until),
        Change::LiftFreeze { prefix, freeze } => lift(state, prefix, *freeze),
        Change::RequestRelease { prompt, label, version, split, expires_at } => {
            let asked =
                Asked { version: *version, split: split.as_ref().map(|(weights, guards)| (weights, &guards[..])) };
            request(state, context, prompt, label, asked, *expires_at)
        }
        Change::ApproveRelease { request } => approve(state, context, actor, *request),
        Change::RejectRelease { request } => {
            let open = open(state, context.now, *request)?;
            Ok(vec![Event::ReleaseRejected(ReleaseRejected { request: *request, prompt: open.prompt })])
        }
        Change::WithdrawRelease { request } => withdraw(state, actor, *request),
        Change::RollBackLabel { prompt, label, if_match } => roll_back(state, prompt, label, *if_match),
        Change::AddComment { on, text } => {
            let (prompt, on) = commented(state, on)?;
            let (comment, text) = (context.command_id.comment(), text.clone());
            Ok(vec![Event::CommentAdded(CommentAdded { comment, prompt, on, text })])
        }
        _ => Ok(Vec::new()), // not of this family
    }
}

fn protect(state: &Tenant, prefix: &Prefix, label: &Label, approvals: u16) -> Result<Vec<Event>, Rejection> {
    if label.is_latest() {
        return Err(Rejection::LabelReserved);
    }
    let (before, after) = (state.book().protection(prefix, label), approvals);
    if before == Some(after) {
        return Ok(Vec::new());
    }
    if before.is_none() {
        room(state)?;
    }
    Ok(vec![Event::LabelProtected(LabelProtected { prefix: prefix.clone(), label: label.clone(), before, after })])
}

fn unprotect(state: &Tenant, prefix: &Prefix, label: &Label) -> Vec<Event> {
    let before = state.book().protection(prefix, label);
    let gone = before.map(|before| LabelUnprotected { prefix: prefix.clone(), label: label.clone(), before });
    gone.map(Event::LabelUnprotected).into_iter().collect()
}

fn room(state: &Tenant) -> Result<(), Rejection> {
    if state.book().rules() < limits::PROTECTIONS_MAX {
        return Ok(());
    }
    Err(Rejection::LimitReached { what: "protected labels and freeze windows".into(), max: limits::PROTECTIONS_MAX })
}

fn set_freeze(
    state: &Tenant,
    context: &Context,
    prefix: &Prefix,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<Event>, Rejection> {
    if until <= context.now {
        return Err(Rejection::ExpiryInPast);
    }
    if until <= from {
        return Err(Rejection::EmptyWindow);
    }
    room(state)?;
    let freeze = context.command_id.freeze();
    Ok(vec![Event::FreezeSet(FreezeSet { freeze, prefix: prefix.clone(), from, until })])
}

fn lift(state: &Tenant, prefix: &Prefix, freeze: FreezeId) -> Result<Vec<Event>, Rejection> {
    state.book().freeze(prefix, freeze).ok_or(Rejection::FreezeNotFound(freeze))?;
    Ok(vec![Event::FreezeLifted(FreezeLifted { freeze, prefix: prefix.clone() })])
}

/// What a label should be: at a version, split, or gone.
#[derive(Clone, Copy)]
struct Asked<'a> {
    version: Option<u32>,
    split: Option<(&'a Weights, &'a [Guard])>,
}

fn request(
    state: &Tenant,
    context: &Context,
    prompt: &PromptRef,
    label: &Label,
    asked: Asked<'_>,
    expires_at: Option<Timestamp>,
) -> Result<Vec<Event>, Rejection> {
    let (id, prompt) = live(state, prompt)?;
    if state.book().needed(prompt.key.as_str(), label).is_none() {
        return Err(Rejection::LabelNotProtected(label.clone()));
    }
    if expires_at.is_some_and(|end| end <= context.now) {
        return Err(Rejection::ExpiryInPast);
    }
    let before = prompt.labels.get(label);
    let split = asked.split.map(|(weights, guards)| rollout::asked(prompt, label, weights, guards)).transpose()?;
    let version = if split.is_some() { before } else { asked.version };
    match version {
        _ if split.is_some() => {}
        Some(asked) if prompt.version(asked).is_none() => {
            return Err(Rejection::VersionNotFound { asked, newest: prompt.newest() });
        }
        None if before.is_none() => return Err(Rejection::LabelNotFound(label.clone())),
        _ if before == version => return Ok(Vec::new()),
        _ => {}
    }
    if state.book().open(id).len() >= limits::REQUESTS_MAX {
        return Err(Rejection::LimitReached { what: "open release requests".into(), max: limits::REQUESTS_MAX });
    }
    let (request, label) = (context.command_id.request(), label.clone());
    let asked = ReleaseRequested { request, prompt: id, label, before, after: version, split, expires_at };
    Ok(vec![Event::ReleaseRequested(asked)])
}

/// A request that may be approved or rejected now.
fn open(state: &Tenant, now: Timestamp, id: RequestId) -> Result<&Request, Rejection> {
    let request = state.book().request(id).ok_or(Rejection::ReleaseNotFound(id))?;
    if request.status != Status::Open {
        return Err(Rejection::ReleaseClosed(request.status));
    }
    if request.expired(now) { Err(Rejection::ReleaseExpired) } else { Ok(request) }
}

/// One more approval; with the last one the label moves, in the same commit. Whoever has approved already adds nothing, but
/// moves the label if fewer approvals are enough by now.
fn approve(state: &Tenant, context: &Context, actor: PrincipalId, id: RequestId) -> Result<Vec<Event>, Rejection> {
    let request = open(state, context.now, id)?;
    let (_, prompt) = live(state, &PromptRef::Id(request.prompt))?;
    let rollout = prompt.rollouts.get(&request.label).map(|running| running.id);
    if request.is_stale(prompt.labels.get(&request.label), rollout) {
        return Err(Rejection::ReleaseStale);
    }
    if actor == request.author || versions(request).any(|number| prompt.author(number) == Some(actor)) {
        return Err(Rejection::OwnRelease);
    }
    let needed = state.book().needed(prompt.key.as_str(), &request.label).unwrap_or(1);
    let known = request.approvers.contains(&actor);
    let approvals = u16::try_from(request.approvers.len() + usize::from(!known)).unwrap_or(u16::MAX);
    let mut events = Vec::new();
    if !known {
        let approved = ReleaseApproved { request: id, prompt: request.prompt, approvals, needed };
        events.push(Event::ReleaseApproved(approved));
    }
    if approvals >= needed {
        events.extend(executed(context, prompt, id, request)?);
    }
    Ok(events)
}

/// The versions that a request is about: the one that the label should point to, or those that it should be split over,
/// but for the control.
fn versions(request: &Request) -> impl Iterator<Item = u32> {
    let split = request.split.iter().flat_map(|split| split.weights.versions());
    let split = split.filter(|version| Some(*version) != request.before);
    request.after.filter(|_| request.split.is_none()).into_iter().chain(split)
}

fn executed(context: &Context, of: &Prompt, id: RequestId, request: &Request) -> Result<Vec<Event>, Rejection> {
    let (prompt, label) = (request.prompt, request.label.clone());
    let moved = match (request.before, request.after) {
        _ if let Some(split) = &request.split => rollout::released(context, prompt, of, &label, split, id)?,
        (before, Some(after)) => Event::LabelSet(LabelSet { prompt, label, before, after }),
        (before, None) => Event::LabelRemoved(LabelRemoved { prompt, label, before: before.unwrap_or_default() }),
    };
    let label = request.label.clone();
    Ok(vec![Event::ReleaseExecuted(ReleaseExecuted { request: id, prompt, label }), moved])
}

fn withdraw(state: &Tenant, actor: PrincipalId, id: RequestId) -> Result<Vec<Event>, Rejection> {
    let request = state.book().request(id).ok_or(Rejection::ReleaseNotFound(id))?;
    if request.author != actor {
        return Err(Rejection::ReleaseNotYours);
    }
    match request.status {
        Status::Withdrawn => Ok(Vec::new()),
        Status::Open => Ok(vec![Event::ReleaseWithdrawn(ReleaseWithdrawn { request: id, prompt: request.prompt })]),
        status => Err(Rejection::ReleaseClosed(status)),
    }
}

/// Back to where the label pointed before it moved last.
fn roll_back(
    state: &Tenant,
    prompt: &PromptRef,
    label: &Label,
    if_match: Option<VersionId>,
) -> Result<Vec<Event>, Rejection> {
    let (id, prompt) = live(state, prompt)?;
    check_match(pointed_to(prompt, label), if_match)?;
    let before = prompt.labels.get(label).ok_or_else(|| Rejection::LabelNotFound(label.clone()))?;
    let after = prompt.labels.before(label).ok_or(Rejection::NothingToRollBack)?;
    let label = label.clone();
    Ok(vec![
        Event::LabelRolledBack(LabelRolledBack { prompt: id, label: label.clone(), before, after }),
        Event::LabelSet(LabelSet { prompt: id, label, before: Some(before), after }),
    ])
}

fn commented(state: &Tenant, on: &CommentTarget) -> Result<(PromptId, CommentOn), Rejection> {
    match on {
        CommentTarget::Version { prompt, version } => {
            let (id, prompt): (PromptId, &Prompt) = live(state, prompt)?;
            match prompt.version(*version) {
                Some(_) => Ok((id, CommentOn::Version(*version))),
                None => Err(Rejection::VersionNotFound { asked: *version, newest: prompt.newest() }),
            }
        }
        CommentTarget::Request(id) => {
            let request = state.book().request(*id).ok_or(Rejection::ReleaseNotFound(*id))?;
            Ok((request.prompt, CommentOn::Request(*id)))
        }
    }
}

#[cfg(test)]
mod tests;
