//! What must hold of labels: who moves a protected one, and that no request moved one without its approvals.

use promptory_domain::access::Action;
use promptory_events::event::{CommentOn, Event, ReleaseExecuted};
use promptory_events::{Label, Prefix, PromptId, RequestId};

use super::Case;
use super::facts::{Facts, RequestFact};
use super::needs::{need, on_prompt};

pub(super) fn check(facts: &Facts, case: &Case<'_>, event: &Event) -> Result<(), String> {
    match event {
        Event::LabelSet(e) => moves(facts, case, e.prompt, &e.label, Some(e.after)),
        Event::LabelRemoved(e) => moves(facts, case, e.prompt, &e.label, None),
        Event::LabelProtected(e) => need(case, Action::ManageProtection, e.prefix.as_str()),
        Event::LabelUnprotected(e) => need(case, Action::ManageProtection, e.prefix.as_str()),
        Event::FreezeSet(e) => need(case, Action::ManageProtection, e.prefix.as_str()),
        Event::FreezeLifted(e) => {
            let there = facts.freezes.get(&e.freeze).is_some_and(|freeze| freeze.prefix == e.prefix);
            if !there {
                return Err("there is no such freeze window on that prefix".to_owned());
            }
            need(case, Action::ManageProtection, e.prefix.as_str())
        }
        Event::FreezeOverridden(e) => need(case, Action::OverrideFreeze, key_of(facts, case, e.prompt)?),
        Event::ReleaseRequested(e) => on_prompt(facts, case, Action::RequestRelease, e.prompt),
        Event::ReleaseApproved(e) => approves(facts, case, e.request),
        Event::ReleaseRejected(e) => {
            open(facts, e.request)?;
            on_prompt(facts, case, Action::ApproveRelease, e.prompt)
        }
        Event::ReleaseWithdrawn(e) => {
            if open(facts, e.request)?.author != case.actor() {
                return Err("somebody withdrew another's request".to_owned());
            }
            on_prompt(facts, case, Action::RequestRelease, e.prompt)
        }
        Event::ReleaseExecuted(e) => executes(facts, case, e),
        Event::LabelRolledBack(e) => {
            let prompt = facts.prompts.get(&e.prompt).ok_or("there is no such prompt")?;
            if prompt.labels.get(&e.label) != Some(&(e.before, Some(e.after))) {
                return Err("the label did not point there before".to_owned());
            }
            let protected = needed(facts, &prompt.key, &e.label).is_some();
            need(case, if protected { Action::RollBack } else { Action::MoveLabels }, &prompt.key)
        }
        Event::CommentAdded(e) => {
            if let CommentOn::Request(request) = e.on
                && facts.requests.get(&request).is_none_or(|request| request.prompt != e.prompt)
            {
                return Err("there is no such request of that prompt".to_owned());
            }
            on_prompt(facts, case, Action::Comment, e.prompt)
        }
        other => Err(format!("the law does not know {}", other.name())),
    }
}

/// The most approvals that a prefix around a key asks for.
pub(super) fn needed(facts: &Facts, key: &str, label: &Label) -> Option<u16> {
    let on = |prefix: &str| {
        let prefix: Prefix = prefix.parse().ok()?;
        facts.protections.get(&(prefix, label.clone())).copied()
    };
    if facts.protections.is_empty() { None } else { Prefix::around(key).filter_map(on).max() }
}

/// A prompt's key, also of one that this commit creates.
fn key_of<'a>(facts: &'a Facts, case: &'a Case<'_>, prompt: PromptId) -> Result<&'a str, String> {
    let created = case.events.iter().find_map(|event| match event {
        Event::PromptCreated(e) if e.prompt == prompt => Some(e.key.as_str()),
        _ => None,
    });
    let known = facts.prompts.get(&prompt).map(|fact| fact.key.as_str());
    created.or(known).ok_or_else(|| format!("there is no prompt {prompt}"))
}

/// A label moves by a request, by a rollback, or if it is not protected by whoever may; and not while it is frozen.
fn moves(facts: &Facts, case: &Case<'_>, prompt: PromptId, label: &Label, to: Option<u32>) -> Result<(), String> {
    let fact = facts.prompts.get(&prompt).ok_or("there is no such prompt")?;
    let key = &fact.key;
    frozen(facts, case, prompt, key, label)?;
    // The event before it in its commit ended the rollout, and was judged.
    let completes = |event: &Event| matches!(event, Event::RolloutCompleted(e) if e.prompt == prompt && e.label == *label && Some(e.version) == to);
    if case.events.iter().any(completes) {
        return need(case, Action::MoveLabels, key);
    }
    if fact.rollouts.contains_key(label) {
        return Err(format!("the label {label} had a rollout"));
    }
    let by_release = case.events.iter().any(|event| match event {
        Event::ReleaseExecuted(e) => e.prompt == prompt && e.label == *label,
        Event::LabelRolledBack(e) => e.prompt == prompt && e.label == *label,
        _ => false,
    });
    match needed(facts, key, label) {
        _ if by_release => Ok(()), // judged with that event
        Some(_) => Err(format!("the label {label} is protected on `{key}`")),
        None => need(case, Action::MoveLabels, key),
    }
}

/// In a freeze window only what says so goes.
pub(super) fn frozen(facts: &Facts, case: &Case<'_>, prompt: PromptId, key: &str, label: &Label) -> Result<(), String> {
    let mut window = facts.freezes.values().filter(|f| f.prefix.covers(key) && f.from <= case.at && case.at < f.until);
    let overridden = |event: &Event| matches!(event, Event::FreezeOverridden(e) if e.prompt == prompt);
    if window.next().is_some() && !case.events.iter().any(overridden) {
        return Err(format!("the label {label} was frozen"));
    }
    Ok(())
}

/// Labels go along with a prompt only where they are protected alike.
pub(super) fn goes(facts: &Facts, prompt: PromptId, from: Option<&str>, to: Option<&str>) -> Result<(), String> {
    let labels = facts.prompts.get(&prompt).into_iter().flat_map(|prompt| prompt.labels.keys());
    for label in labels {
        let under = |key: Option<&str>| key.and_then(|key| needed(facts, key, label));
        if under(from) != under(to) {
            return Err(format!("it takes the label {label} along, which is protected otherwise there"));
        }
    }
    Ok(())
}

fn open(facts: &Facts, request: RequestId) -> Result<&RequestFact, String> {
    facts
        .requests
        .get(&request)
        .filter(|fact| !fact.closed)
        .ok_or_else(|| format!("there is no open request {request}"))
}

/// Neither the author of the request nor of the version, in time.
fn approves(facts: &Facts, case: &Case<'_>, id: RequestId) -> Result<(), String> {
    let request = open(facts, id)?;
    let prompt = facts.prompts.get(&request.prompt).ok_or("there is no such prompt")?;
    let author_of = |number: u32| prompt.authors.get(usize::try_from(number).ok()?.checked_sub(1)?);
    let split = request.split.iter().flat_map(|split| split.weights.versions());
    let versions = split.filter(|version| Some(*version) != request.before);
    let mut versions = request.after.filter(|_| request.split.is_none()).into_iter().chain(versions);
    if case.actor() == request.author || versions.any(|number| author_of(number) == Some(&case.actor())) {
        return Err("it approves what its own actor made".to_owned());
    }
    if request.expires_at.is_some_and(|end| end <= case.at) {
        return Err("the request had expired".to_owned());
    }
    need(case, Action::ApproveRelease, &prompt.key)
}

/// The label moves as it was asked for, from where it was then, with as many approvals as it needs now.
fn executes(facts: &Facts, case: &Case<'_>, event: &ReleaseExecuted) -> Result<(), String> {
    let request = open(facts, event.request)?;
    let prompt = facts.prompts.get(&request.prompt).ok_or("there is no such prompt")?;
    let asked = |moved: &Event| match moved {
        // That it does what was asked for is judged with these.
        Event::RolloutStarted(e) => e.request == Some(event.request),
        Event::RolloutAdvanced(e) => e.request == Some(event.request),
        _ if request.split.is_some() => false,
        Event::LabelSet(e) => e.prompt == request.prompt && e.label == request.label && Some(e.after) == request.after,
        Event::LabelRemoved(e) => e.prompt == request.prompt && e.label == request.label && request.after.is_none(),
        _ => false,
    };
    if event.prompt != request.prompt || event.label != request.label || !case.events.iter().any(asked) {
        return Err("it does not do what was asked for".to_owned());
    }
    if prompt.labels.get(&request.label).map(|(now, _)| *now) != request.before {
        return Err("the label has moved since the request".to_owned());
    }
    if request.expires_at.is_some_and(|end| end <= case.at) {
        return Err("the request had expired".to_owned());
    }
    let enough = usize::from(needed(facts, &prompt.key, &request.label).unwrap_or(1));
    if request.approvers.len() < enough {
        return Err(format!("it has {} approvals of {enough}", request.approvers.len()));
    }
    need(case, Action::ApproveRelease, &prompt.key)
}
