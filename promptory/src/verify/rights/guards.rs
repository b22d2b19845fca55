//! What must hold of what the system does to a rollout: a guard that somebody with the right named was breached by the figures
//! that are told, it acts for the first time, and what follows is what it says and nothing else.

use promptory_events::event::{EPISODE_MS, Event, RolloutBreached, VersionDegraded};
use promptory_events::guard::{Bound, Figures, Guard, MILLION, Measure, Then};
use promptory_events::{CommitHeader, PrincipalId, Timestamp};

use super::facts::{Facts, RolloutFact};

/// Whether a commit is what the system found in usage.
pub(super) fn acts(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::RolloutBreached(_) | Event::VersionDegraded(_)))
}

/// Whether it is as it must be; why not. `facts` are those before it.
pub(super) fn check(facts: &Facts, header: &CommitHeader, events: &[Event], at: Timestamp) -> Result<(), String> {
    if header.actor != PrincipalId::SYSTEM {
        return Err("it says that the system did it".to_owned());
    }
    if let [Event::VersionDegraded(found)] = events {
        return degraded(facts, found, at);
    }
    let (overridden, rest) = match events {
        [Event::FreezeOverridden(e), rest @ ..] => (Some(e), rest),
        rest => (None, rest),
    };
    let [Event::RolloutBreached(breach), follows] = rest else {
        return Err("a guard does one thing".to_owned());
    };
    let prompt = facts.prompts.get(&breach.prompt).ok_or("there is no such prompt")?;
    let running = prompt.rollouts.get(&breach.label).filter(|fact| fact.id == breach.rollout);
    let running = running.ok_or("the label has no such rollout")?;
    let control = prompt.labels.get(&breach.label).map(|(now, _)| *now);
    if control == Some(breach.version) || !running.table.runs().iter().any(|run| run.version == breach.version) {
        return Err(format!("version {} is not of the rollout", breach.version));
    }
    named(running, breach)?;
    if !is_beyond(&breach.guard, &breach.figures) {
        return Err("its figures are of no breach".to_owned());
    }
    let frozen = facts.freezes.values().any(|f| f.prefix.covers(&prompt.key) && f.from <= at && at < f.until);
    if frozen != overridden.is_some_and(|e| e.prompt == breach.prompt) {
        return Err("it does not say whether it overrode a freeze".to_owned());
    }
    as_it_says(running, breach, follows)
}

/// A version that is there is surely worse than it was before, beyond what is no matter, and it was not said this week.
fn degraded(facts: &Facts, found: &VersionDegraded, at: Timestamp) -> Result<(), String> {
    let prompt = facts.prompts.get(&found.prompt).ok_or("there is no such prompt")?;
    if facts.unwatched {
        return Err("the tenant's versions were not watched".to_owned());
    }
    if found.version == 0 || usize::try_from(found.version).map_or(true, |number| number > prompt.authors.len()) {
        return Err(format!("there is no version {}", found.version));
    }
    let last = prompt.degraded.get(&(found.version, found.measure.name()));
    if last.is_some_and(|day| found.day < day.plus_ms(EPISODE_MS)) || found.day > at {
        return Err("it was said in the same week, or is not yet".to_owned());
    }
    let guard = Guard::of_watch(found.measure.clone()).map_err(|error| error.to_string())?;
    let enough = found.figures.control.is_some_and(|past| past.samples >= u64::from(guard.min_samples));
    if enough && is_beyond(&guard, &found.figures) {
        Ok(())
    } else {
        Err("its figures are of no degradation".to_owned())
    }
}

fn named(running: &RolloutFact, breach: &RolloutBreached) -> Result<(), String> {
    if running.guards.get(usize::from(breach.place)) != Some(&breach.guard) {
        return Err("the rollout has no such guard".to_owned());
    }
    if running.breached.contains(&breach.place) {
        return Err("the guard has acted before".to_owned());
    }
    Ok(())
}

/// The version is beyond the limit that follows from the guard and from what is told of the control.
fn is_beyond(guard: &Guard, figures: &Figures) -> bool {
    let (end, told) = (i128::from(figures.version.end), i128::from(figures.limit));
    let limit = match (guard.bound, figures.control.map(|control| i128::from(control.end))) {
        (Bound::Limit(limit), _) => Some(i128::from(limit)),
        (Bound::Control(_), None) => None,
        (Bound::Control(margin), Some(control)) => Some(match guard.measure {
            Measure::ErrorRate => control + i128::from(margin),
            Measure::Latency { .. } => control + control * i128::from(margin) / i128::from(MILLION),
            Measure::Score { .. } => control - i128::from(margin),
        }),
    };
    let worse = if matches!(guard.measure, Measure::Score { .. }) { end < told } else { end > told };
    limit == Some(told) && worse && figures.version.samples >= u64::from(guard.min_samples)
}

fn as_it_says(running: &RolloutFact, breach: &RolloutBreached, follows: &Event) -> Result<(), String> {
    let same = match (breach.guard.then, follows) {
        (Then::Pause, Event::RolloutPaused(e)) => {
            !running.paused && (e.rollout, e.prompt, &e.label) == (breach.rollout, breach.prompt, &breach.label)
        }
        (Then::RollBack, Event::RolloutRolledBack(e)) => {
            e.before == running.table
                && (e.rollout, e.prompt, &e.label) == (breach.rollout, breach.prompt, &breach.label)
        }
        _ => false,
    };
    if same { Ok(()) } else { Err("it does not do what the guard says".to_owned()) }
}
