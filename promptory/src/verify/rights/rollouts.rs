//! What must hold of split labels: who splits one otherwise, and that no version that nobody approved got more of a
//! protected one.

use promptory_domain::access::Action;
use promptory_events::event::Event;
use promptory_events::rollout::Table;
use promptory_events::{Label, PromptId, RequestId, RolloutId};

use super::Case;
use super::facts::{Facts, PromptFact, RolloutFact};
use super::needs::need;
use super::releases::{frozen, needed};

/// What an event says of a rollout.
struct Said<'a> {
    prompt: PromptId,
    label: &'a Label,
    rollout: RolloutId,
    request: Option<RequestId>,
    /// Which version each bucket got before, and gets after, as far as it says so.
    tables: (Option<&'a Table>, Option<&'a Table>),
    /// Whether it only takes back what others than the control got.
    back: bool,
}

fn said(event: &Event) -> Option<Said<'_>> {
    let said =
        |prompt, label, rollout| Said { prompt, label, rollout, request: None, tables: (None, None), back: false };
    Some(match event {
        Event::RolloutStarted(e) => {
            let tables = (None, Some(&e.after));
            Said { request: e.request, tables, ..said(e.prompt, &e.label, e.rollout) }
        }
        Event::RolloutAdvanced(e) => {
            let tables = (Some(&e.before), Some(&e.after));
            Said { request: e.request, tables, ..said(e.prompt, &e.label, e.rollout) }
        }
        Event::RolloutPaused(e) => Said { back: true, ..said(e.prompt, &e.label, e.rollout) },
        Event::RolloutResumed(e) => said(e.prompt, &e.label, e.rollout),
        Event::RolloutRolledBack(e) => {
            Said { back: true, tables: (Some(&e.before), None), ..said(e.prompt, &e.label, e.rollout) }
        }
        Event::RolloutCompleted(e) => Said { tables: (Some(&e.before), None), ..said(e.prompt, &e.label, e.rollout) },
        _ => return None,
    })
}

/// `None`: the event is of another family.
pub(super) fn check(facts: &Facts, case: &Case<'_>, event: &Event) -> Option<Result<(), String>> {
    said(event).map(|said| judged(facts, case, event, &said))
}

fn judged(facts: &Facts, case: &Case<'_>, event: &Event, said: &Said<'_>) -> Result<(), String> {
    let prompt = facts.prompts.get(&said.prompt).ok_or("there is no such prompt")?;
    let running = fits(prompt, event, said)?;
    frozen(facts, case, said.prompt, &prompt.key, said.label)?;
    if let Some(request) = said.request {
        return by_request(facts, case, said, request); // judged with the event that executes it
    }
    let protected = needed(facts, &prompt.key, said.label).is_some();
    if protected && let Some(version) = unapproved(prompt, running, event, said) {
        return Err(format!("nobody approved version {version} for the label {}, which is protected", said.label));
    }
    let action = if protected && said.back { Action::RollBack } else { Action::MoveLabels };
    need(case, action, &prompt.key)
}

/// The rollout that runs, if the event goes on from it.
fn fits<'a>(prompt: &'a PromptFact, event: &Event, said: &Said<'_>) -> Result<Option<&'a RolloutFact>, String> {
    let control = prompt.labels.get(said.label).map(|(now, _)| *now).ok_or("the label is not set")?;
    let running = prompt.rollouts.get(said.label);
    match (event, running) {
        (Event::RolloutStarted(_), Some(_)) => Err("the label has a rollout already".to_owned()),
        (Event::RolloutStarted(e), None) if e.control != control => Err("the label points elsewhere".to_owned()),
        (Event::RolloutStarted(_), None) => Ok(None),
        (_, Some(fact)) if fact.id == said.rollout && said.tables.0.is_none_or(|before| *before == fact.table) => {
            Ok(Some(fact))
        }
        _ => Err("the label has no such rollout".to_owned()),
    }
}

/// A version that gets more than it had by an event, and that no request has allowed.
fn unapproved(prompt: &PromptFact, running: Option<&RolloutFact>, event: &Event, said: &Said<'_>) -> Option<u32> {
    let control = prompt.labels.get(said.label).map(|(now, _)| *now);
    let may = |version| Some(version) == control || running.is_some_and(|fact| fact.approved.contains(&version));
    match event {
        Event::RolloutCompleted(e) => (!may(e.version)).then_some(e.version),
        Event::RolloutResumed(_) => {
            running.into_iter().flat_map(|fact| fact.table.runs()).map(|run| run.version).find(|version| !may(*version))
        }
        _ => {
            let weights = |table: Option<&Table>| table.map(Table::weights).unwrap_or_default();
            let (before, after) = (weights(said.tables.0), weights(said.tables.1));
            let more = |(version, count): &(u32, u16)| !may(*version) && before.get(version) < Some(count);
            after.into_iter().find(more).map(|(version, _)| version)
        }
    }
}

/// The commit executes the request, and the label is split as that asked.
fn by_request(facts: &Facts, case: &Case<'_>, said: &Said<'_>, id: RequestId) -> Result<(), String> {
    let executes = |event: &Event| matches!(event, Event::ReleaseExecuted(e) if e.request == id);
    let request = facts.requests.get(&id).filter(|_| case.events.iter().any(executes));
    let request = request.ok_or_else(|| format!("it names the request {id}, which it does not execute"))?;
    let split = request.split.as_ref().ok_or("the request asks for no rollout")?;
    let as_asked = said.tables.1.is_some_and(|after| after.weights() == *split.weights.as_map());
    let started = said.tables.0.is_none();
    let of_that = if started { split.rollout.is_none() } else { split.rollout == Some(said.rollout) };
    if request.prompt == said.prompt && request.label == *said.label && as_asked && of_that {
        Ok(())
    } else {
        Err("it does not do what was asked for".to_owned())
    }
}
