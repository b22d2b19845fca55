//! What guards do: what `decide` lets the system do is lawful, and what it must not do is found.

use promptory_events::event::{RolloutBreached, RolloutPaused, RolloutRolledBack};
use promptory_events::guard::{Bound, Figures, Guard, Measure, Sample, Then};

use super::*;

fn guard(then: Then) -> Guard {
    Guard::new(Measure::ErrorRate, Bound::Control(10_000), 100, 10_000, then).unwrap()
}

/// A rollout with a guard that pauses and one that rolls back.
fn guarded() -> (World, RolloutBreached) {
    let mut world = world();
    let start = Step::Start(weights(&[(1, 9000), (2, 1000)]), vec![guard(Then::Pause), guard(Then::RollBack)]);
    world.acme.by(&world.editor, step(start));
    let (prompt, rollout, _) = running(&world.acme);
    let figures = Figures {
        version: Sample { samples: 100, value: 300_000, end: 60_001 },
        control: Some(Sample { samples: 900, value: 20_000, end: 50_000 }),
        limit: 60_000,
    };
    let (label, guard) = (label(), guard(Then::RollBack));
    (world, RolloutBreached { rollout, prompt, label, place: 1, guard, version: 2, figures })
}

fn system_says(acme: &mut Book, breach: &RolloutBreached) -> Vec<Event> {
    let change = Change::Attest(Attestation::Breached(breach.clone()));
    let by_system = Command { change, occurred_at: None, author: None, message: None, override_freeze: true };
    acme.command(&Presented::System, by_system)
}

#[test]
fn what_decide_lets_guards_do_is_lawful() {
    let (World { system, mut acme, owner, editor, .. }, breach) = guarded();
    let pauses = RolloutBreached { place: 0, guard: guard(Then::Pause), ..breach.clone() };
    assert_eq!(system_says(&mut acme, &pauses).len(), 2);
    acme.by(&editor, step(Step::Resume));
    acme.by(&owner, protect());
    let window = Change::SetFreeze { prefix: "".parse().unwrap(), from: acme.now, until: acme.now.plus_ms(99_000) };
    acme.by(&owner, window);
    assert_eq!(system_says(&mut acme, &breach).len(), 3, "with the word that it overrode the freeze");
    assert_eq!(violations(&system, &acme), []);
}

#[test]
fn what_the_system_does_to_a_rollout_without_a_guard_s_breach_is_found() {
    let (World { system, acme, editor, editor_id, editor_grant, .. }, breach) = guarded();
    let (prompt, rollout, before) = running(&acme);
    let back = Event::RolloutRolledBack(RolloutRolledBack { rollout, prompt, label: label(), before });
    let by_system = || header(PrincipalId::SYSTEM, Evidence { credential: Credential::System, grants: vec![] });
    let found_in = |acme: &Book, events: Vec<Event>, what: &str| {
        let mut copy = acme.clone();
        let index = copy.write(by_system(), events);
        found(&system, &copy, index, what);
    };
    let of = |breach: RolloutBreached| vec![Event::RolloutBreached(breach), back.clone()];
    found_in(&acme, vec![back.clone()], "the system did it");
    found_in(&acme, vec![Event::RolloutBreached(breach.clone())], "does one thing");
    found_in(&acme, of(RolloutBreached { place: 0, ..breach.clone() }), "no such guard");
    found_in(&acme, of(RolloutBreached { version: 1, ..breach.clone() }), "not of the rollout");
    found_in(&acme, of(RolloutBreached { rollout: RolloutId([7; 16]), ..breach.clone() }), "no such rollout");
    let looser = Figures { limit: 50_000, ..breach.figures };
    found_in(&acme, of(RolloutBreached { figures: looser, ..breach.clone() }), "of no breach");
    let paused = Event::RolloutPaused(RolloutPaused { rollout, prompt, label: label() });
    found_in(&acme, vec![Event::RolloutBreached(breach.clone()), paused], "what the guard says");
    let mut copy = acme.clone();
    let index = copy.write(forged(editor_id, &editor, &[editor_grant]), of(breach.clone()));
    found(&system, &copy, index, "only the system writes this");
    // Twice by the same guard.
    let pauses = RolloutBreached { place: 0, guard: guard(Then::Pause), ..breach };
    let mut copy = acme;
    system_says(&mut copy, &pauses);
    copy.by(&editor, step(Step::Resume));
    let paused = Event::RolloutPaused(RolloutPaused { rollout, prompt, label: label() });
    found_in(&copy, vec![Event::RolloutBreached(pauses), paused], "has acted before");
}
