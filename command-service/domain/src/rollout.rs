//! The rules of rollouts: a label that is split over versions, sticky by a key that the client gives.
//!
//! [`running`] is what the ledger says about them, the same for deciding and for reading; `moves` changes weights with the
//! fewest buckets; `gate` is what stands before protected labels; and this is the commands. The label points to the control
//! all along, so that whatever knows nothing of rollouts means the control.

pub(crate) mod gate;
mod moves;
pub mod running;

use promptory_events::event::{
    Event, LabelSet, RolloutAdvanced, RolloutBreached, RolloutCompleted, RolloutPaused, RolloutResumed,
    RolloutRolledBack, RolloutStarted, Split,
};
use promptory_events::guard::{Guard, Then};
use promptory_events::rollout::{SplitError, Table, Weights};
use promptory_events::{Label, PromptId, RequestId, RolloutId, limits};
use serde::{Deserialize, Serialize};

use crate::command::{Change, Context, PromptRef};
use crate::prompt::live;
use crate::rejection::Rejection;
use crate::state::{Prompt, Tenant};
use running::Rollout;

/// What happens to a label's rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// It begins, with these weights, and with what no version of it may do.
    Start(Weights, Vec<Guard>),
    /// Other weights.
    Advance(Weights),
    /// Everybody gets the control for a while.
    Pause,
    /// Buckets get their versions again.
    Resume,
    /// It is over, and the label stays where it is.
    RollBack,
    /// It is over, and the label moves to one of its versions, or stays at the control.
    Complete(u32),
}

impl Step {
    /// Whether it only takes back what others than the control get: on a protected label that is a rollback.
    #[must_use]
    pub fn is_back(&self) -> bool {
        matches!(self, Self::Pause | Self::RollBack)
    }
}

pub(crate) fn decide(state: &Tenant, context: &Context, change: &Change) -> Result<Vec<Event>, Rejection> {
    let Change::Rollout { prompt, label, rollout, step } = change else { return Ok(Vec::new()) };
    let (id, prompt) = live(state, prompt)?;
    if let Step::Start(weights, guards) = step {
        return start(context, id, prompt, label, (weights, guards), None).map(|event| vec![event]);
    }
    let running = prompt.rollouts.get(label).filter(|running| rollout.is_none_or(|rollout| rollout == running.id));
    let running = running.ok_or_else(|| Rejection::RolloutNotFound(label.clone()))?;
    let (rollout, label) = (running.id, label.clone());
    Ok(match step {
        Step::Start(..) => Vec::new(), // above
        Step::Advance(weights) => {
            let advanced = advance(id, prompt, &label, running, weights, None)?;
            if advanced.before == advanced.after { Vec::new() } else { vec![Event::RolloutAdvanced(advanced)] }
        }
        Step::Pause if running.paused => Vec::new(),
        Step::Pause => vec![Event::RolloutPaused(RolloutPaused { rollout, prompt: id, label })],
        Step::Resume if !running.paused => Vec::new(),
        Step::Resume => vec![Event::RolloutResumed(RolloutResumed { rollout, prompt: id, label })],
        Step::RollBack => {
            let before = running.table.clone();
            vec![Event::RolloutRolledBack(RolloutRolledBack { rollout, prompt: id, label, before })]
        }
        Step::Complete(version) => complete(id, prompt, label, running, *version)?,
    })
}

/// What a release request that is approved leads to: a rollout begins, or the one that it was asked for changes.
pub(crate) fn released(
    context: &Context,
    id: PromptId,
    prompt: &Prompt,
    label: &Label,
    split: &Split,
    request: RequestId,
) -> Result<Event, Rejection> {
    match (prompt.rollouts.get(label), split.rollout) {
        (None, None) => start(context, id, prompt, label, (&split.weights, &split.guards), Some(request)),
        (Some(running), Some(rollout)) if running.id == rollout => {
            advance(id, prompt, label, running, &split.weights, Some(request)).map(Event::RolloutAdvanced)
        }
        _ => Err(Rejection::ReleaseStale),
    }
}

/// What a release request asks for: a rollout, or other weights for the one that runs now, whose guards stay what they are.
pub(crate) fn asked(prompt: &Prompt, label: &Label, weights: &Weights, guards: &[Guard]) -> Result<Split, Rejection> {
    control(prompt, label)?;
    there(prompt, weights)?;
    let rollout = prompt.rollouts.get(label).map(|running| running.id);
    match rollout {
        Some(rollout) if !guards.is_empty() => Err(Rejection::RolloutRuns { label: label.clone(), rollout }),
        _ => Ok(Split { rollout, weights: weights.clone(), guards: guards_of(guards)? }),
    }
}

fn guards_of(guards: &[Guard]) -> Result<Vec<Guard>, Rejection> {
    if guards.len() > limits::ROLLOUT_GUARDS_MAX {
        return Err(Rejection::LimitReached { what: "guards of a rollout".into(), max: limits::ROLLOUT_GUARDS_MAX });
    }
    Ok(guards.to_vec())
}

/// What the system's word leads to that a guard was breached: once for each guard, and only while the rollout runs and gives
/// the version to somebody. Nothing follows from what is not so any more, or never was.
pub(crate) fn breached(state: &Tenant, breach: &RolloutBreached) -> Vec<Event> {
    let RolloutBreached { rollout, prompt, label, place, guard, version, figures } = breach;
    let Ok((_, of)) = live(state, &PromptRef::Id(*prompt)) else { return Vec::new() };
    let Some(running) = of.rollouts.get(label).filter(|running| running.id == *rollout) else { return Vec::new() };
    let is_arm =
        of.labels.get(label) != Some(*version) && running.table.runs().iter().any(|run| run.version == *version);
    let is_guard = running.guards.get(usize::from(*place)) == Some(guard) && !running.breached.contains(place);
    if !is_guard || !is_arm || !guard.is_breached_by(figures) {
        return Vec::new();
    }
    let (rollout, prompt, label) = (*rollout, *prompt, label.clone());
    let then = match guard.then {
        Then::Pause if running.paused => return Vec::new(),
        Then::Pause => Event::RolloutPaused(RolloutPaused { rollout, prompt, label }),
        Then::RollBack => {
            let before = running.table.clone();
            Event::RolloutRolledBack(RolloutRolledBack { rollout, prompt, label, before })
        }
    };
    vec![Event::RolloutBreached(breach.clone()), then]
}

fn control(prompt: &Prompt, label: &Label) -> Result<u32, Rejection> {
    if label.is_latest() {
        return Err(Rejection::LabelReserved);
    }
    prompt.labels.get(label).ok_or_else(|| Rejection::LabelNotFound(label.clone()))
}

fn there(prompt: &Prompt, weights: &Weights) -> Result<(), Rejection> {
    match weights.versions().find(|version| !prompt.has_version(*version)) {
        Some(asked) => Err(Rejection::VersionNotFound { asked, newest: prompt.newest() }),
        None => Ok(()),
    }
}

fn start(
    context: &Context,
    id: PromptId,
    prompt: &Prompt,
    label: &Label,
    (weights, guards): (&Weights, &[Guard]),
    request: Option<RequestId>,
) -> Result<Event, Rejection> {
    let control = control(prompt, label)?;
    if let Some(running) = prompt.rollouts.get(label) {
        return Err(Rejection::RolloutRuns { label: label.clone(), rollout: running.id });
    }
    if prompt.rollouts.len() >= limits::ROLLOUTS_MAX {
        return Err(Rejection::LimitReached { what: "rollouts at once".into(), max: limits::ROLLOUTS_MAX });
    }
    there(prompt, weights)?;
    let guards = guards_of(guards)?;
    let (rollout, label, since) = (context.command_id.rollout(), label.clone(), context.now);
    let after = moves::fewest(&Table::all(control), control, weights).map_err(|error| cut_up(&error))?;
    Ok(Event::RolloutStarted(RolloutStarted { rollout, prompt: id, label, control, after, request, guards, since }))
}

fn advance(
    id: PromptId,
    prompt: &Prompt,
    label: &Label,
    running: &Rollout,
    weights: &Weights,
    request: Option<RequestId>,
) -> Result<RolloutAdvanced, Rejection> {
    there(prompt, weights)?;
    let before = running.table.clone();
    let after = moves::fewest(&before, control(prompt, label)?, weights).map_err(|error| cut_up(&error))?;
    Ok(RolloutAdvanced { rollout: running.id, prompt: id, label: label.clone(), before, after, request })
}

/// Weights and a table are what they are, so only the number of runs can be in the way.
fn cut_up(_: &SplitError) -> Rejection {
    Rejection::LimitReached { what: "runs of a rollout's table".into(), max: limits::ROLLOUT_RUNS_MAX }
}

fn complete(
    id: PromptId,
    prompt: &Prompt,
    label: Label,
    running: &Rollout,
    version: u32,
) -> Result<Vec<Event>, Rejection> {
    let control = control(prompt, &label)?;
    if version != control && !running.table.runs().iter().any(|run| run.version == version) {
        return Err(Rejection::NotAnArm { version });
    }
    let (rollout, before) = (running.id, running.table.clone());
    let done = RolloutCompleted { rollout, prompt: id, label: label.clone(), before, version };
    let moved = LabelSet { prompt: id, label, before: Some(control), after: version };
    let moved = (version != control).then_some(Event::LabelSet(moved));
    Ok(std::iter::once(Event::RolloutCompleted(done)).chain(moved).collect())
}

/// The rollout that an event is about, with its prompt and label.
#[must_use]
pub fn about(event: &Event) -> Option<(PromptId, &Label, RolloutId)> {
    Some(match event {
        Event::RolloutStarted(e) => (e.prompt, &e.label, e.rollout),
        Event::RolloutAdvanced(e) => (e.prompt, &e.label, e.rollout),
        Event::RolloutPaused(e) => (e.prompt, &e.label, e.rollout),
        Event::RolloutResumed(e) => (e.prompt, &e.label, e.rollout),
        Event::RolloutRolledBack(e) => (e.prompt, &e.label, e.rollout),
        Event::RolloutCompleted(e) => (e.prompt, &e.label, e.rollout),
        Event::RolloutBreached(e) => (e.prompt, &e.label, e.rollout),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
