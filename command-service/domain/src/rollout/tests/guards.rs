//! Given, when, then: guards, and what the system's word leads to that one was breached.

use promptory_events::event::RolloutBreached;
use promptory_events::guard::{Bound, Figures, Guard, Measure, Sample, Then};

use super::*;

fn guard(limit: i64, then: Then) -> Guard {
    Guard::new(Measure::ErrorRate, Bound::Limit(limit), 100, 10_000, then).unwrap()
}

fn pauses() -> Guard {
    guard(50_000, Then::Pause)
}

fn rolls_back() -> Guard {
    guard(200_000, Then::RollBack)
}

fn guarded(guards: Vec<Guard>) -> Change {
    step(Step::Start(weights(&[(1, 9000), (2, 1000)]), guards))
}

/// Two guards: the first pauses at 5 % errors, the second rolls back at 20 %.
fn begun() -> Story {
    let mut acme = given();
    acme.accept(guarded(vec![pauses(), rolls_back()]));
    acme
}

fn breach(acme: &Story, place: u16, guard: Guard) -> RolloutBreached {
    let Bound::Limit(limit) = guard.bound else { panic!("{guard:?}") };
    let (prompt, _) = acme.tenant.prompt(&at("team/greet")).unwrap();
    let rollout = running(acme).map_or(RolloutId([7; 16]), |running| running.id);
    let version = Sample { samples: 200, value: 400_000, end: 300_000 };
    let figures = Figures { version, control: None, limit };
    RolloutBreached { rollout, prompt, label: label("production"), place, guard, version: 2, figures }
}

/// By the system, as it sends it: no freeze holds it up.
fn said(acme: &Story, breach: &RolloutBreached) -> Vec<Event> {
    let change = Change::Attest(Attestation::Breached(breach.clone()));
    let command = Command { change, occurred_at: None, author: None, message: None, override_freeze: true };
    acme.by(Presented::System).when(&command).unwrap().events
}

fn take(acme: &mut Story, breach: &RolloutBreached) -> Vec<Event> {
    acme.accept_by(&Presented::System, Change::Attest(Attestation::Breached(breach.clone())))
}

#[test]
fn a_guard_acts_once_as_it_says() {
    let mut acme = begun();
    let since = running(&acme).unwrap().since;
    assert!(since > promptory_events::Timestamp::MIN && running(&acme).unwrap().guards.len() == 2);
    let first = breach(&acme, 0, pauses());
    let events = take(&mut acme, &first);
    assert_eq!(names(&events), ["rollout.breached", "rollout.paused"]);
    assert_eq!(events[0], Event::RolloutBreached(first.clone()), "with its figures");
    assert!(running(&acme).unwrap().paused);
    acme.accept(step(Step::Resume));
    assert_eq!(said(&acme, &first), [], "whoever resumes it has seen it");
    let second = breach(&acme, 1, rolls_back());
    assert_eq!(names(&take(&mut acme, &second)), ["rollout.breached", "rollout.rolled-back"]);
    assert_eq!((running(&acme), points_to(&acme)), (None, Some(1)));
    assert_eq!(said(&acme, &second), [], "it is over");
}

#[test]
fn nothing_follows_from_what_is_not_a_breach() {
    let mut acme = begun();
    let right = breach(&acme, 0, pauses());
    for wrong in [
        RolloutBreached { place: 1, ..right.clone() },
        RolloutBreached { guard: rolls_back(), ..right.clone() },
        RolloutBreached { version: 1, ..right.clone() },
        RolloutBreached { version: 3, ..right.clone() },
        RolloutBreached { rollout: RolloutId([7; 16]), ..right.clone() },
        RolloutBreached { figures: Figures { limit: 40_000, ..right.figures }, ..right.clone() },
        RolloutBreached { label: label("staging"), ..right.clone() },
    ] {
        assert_eq!(said(&acme, &wrong), [], "{wrong:?}");
    }
    acme.accept(step(Step::Pause));
    assert_eq!(said(&acme, &right), [], "it is paused already");
    acme.accept(step(Step::Resume));
    assert_eq!(said(&acme, &right).len(), 2);
    acme.accept(step(Step::RollBack));
    let over = RolloutBreached { rollout: right.rollout, ..right };
    assert_eq!(said(&acme, &over), []);
}

#[test]
fn only_the_system_says_it_and_neither_protection_nor_freeze_holds_it_up() {
    let mut acme = begun();
    let right = breach(&acme, 1, rolls_back());
    let by_owner = acme.try_change(Change::Attest(Attestation::Breached(right.clone())));
    assert_eq!(by_owner, Err(Rejection::Forbidden(Action::ManageAccess)));
    acme.accept(protect());
    let (from, until) = (acme.later_ms(0), acme.later_ms(0).plus_ms(60_000));
    acme.accept(Change::SetFreeze { prefix: "".parse().unwrap(), from, until });
    let events = said(&acme, &right);
    assert_eq!(names(&events), ["freeze.overridden", "rollout.breached", "rollout.rolled-back"]);
}

#[test]
fn a_release_brings_its_guards_and_a_rollout_has_so_many() {
    let mut acme = given();
    acme.accept(protect());
    let guards = vec![guard(50_000, Then::RollBack)];
    let ask = |guards: &[Guard]| {
        let split = Some((weights(&[(1, 9000), (2, 1000)]), guards.to_vec()));
        Change::RequestRelease {
            prompt: at("team/greet"),
            label: label("production"),
            version: None,
            split,
            expires_at: None,
        }
    };
    let many = vec![guard(50_000, Then::Pause); limits::ROLLOUT_GUARDS_MAX + 1];
    let too_many = Rejection::LimitReached { what: "guards of a rollout".into(), max: limits::ROLLOUT_GUARDS_MAX };
    assert_eq!(acme.try_change(ask(&many)), Err(too_many.clone()));
    assert_eq!(acme.try_change(guarded(many)), Err(too_many));
    let asked = request_of(&acme.accept(ask(&guards)));
    let (reviewer, _) = acme.key_for(Role::Reviewer);
    acme.accept_by(&reviewer, Change::ApproveRelease { request: asked });
    assert_eq!(running(&acme).unwrap().guards, guards);
    assert_eq!(acme.try_change(ask(&guards)), runs(&acme), "the guards of a rollout that runs stay what they are");
}
