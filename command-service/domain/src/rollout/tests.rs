//! Given, when, then: rollouts; and that there is no side door to a protected label.

use promptory_events::event::{Action, Event, Role};
use promptory_events::rollout::Weights;
use promptory_events::{RequestId, RolloutId, limits};

use super::Step;
use super::running::Rollout;
use crate::command::*;
use crate::rejection::Rejection;
use crate::testing::*;

fn weights(shares: &[(u32, u16)]) -> Weights {
    Weights::new(shares.iter().copied().collect()).unwrap()
}

fn step(step: Step) -> Change {
    step_of("team/greet", "production", step)
}

fn step_of(path: &str, name: &str, step: Step) -> Change {
    Change::Rollout { prompt: at(path), label: label(name), rollout: None, step }
}

fn start(shares: &[(u32, u16)]) -> Change {
    step(Step::Start(weights(shares), Vec::new()))
}

fn advance(shares: &[(u32, u16)]) -> Change {
    step(Step::Advance(weights(shares)))
}

fn set(version: u32) -> Change {
    Change::SetLabel { prompt: at("team/greet"), label: label("production"), version, if_match: None }
}

fn ask(shares: &[(u32, u16)]) -> Change {
    let (prompt, split) = (at("team/greet"), Some((weights(shares), Vec::new())));
    Change::RequestRelease { prompt, label: label("production"), version: None, split, expires_at: None }
}

fn request_of(events: &[Event]) -> RequestId {
    let [Event::ReleaseRequested(asked)] = events else { panic!("{events:?}") };
    asked.request
}

fn protect() -> Change {
    Change::ProtectLabel { prefix: "team/".parse().unwrap(), label: label("production"), approvals: 1 }
}

/// `team/greet` with three versions, `production` on the first.
fn given() -> Story {
    let mut acme = Story::of_acme();
    acme.accept(create("team/greet", "one"));
    acme.accept(add("team/greet", "two"));
    acme.accept(add("team/greet", "three"));
    acme.accept(set(1));
    acme
}

fn running(acme: &Story) -> Option<Rollout> {
    let (_, prompt) = acme.tenant.prompt(&at("team/greet")).unwrap();
    prompt.rollouts.get(&label("production")).cloned()
}

fn points_to(acme: &Story) -> Option<u32> {
    let (_, prompt) = acme.tenant.prompt(&at("team/greet")).unwrap();
    prompt.labels.get(&label("production"))
}

fn refused() -> Result<Vec<Event>, Rejection> {
    Err(Rejection::LabelProtected { label: label("production"), approvals: 1 })
}

fn runs(acme: &Story) -> Result<Vec<Event>, Rejection> {
    Err(Rejection::RolloutRuns { label: label("production"), rollout: running(acme).unwrap().id })
}

#[test]
fn a_label_is_split_split_otherwise_and_moves_to_one_version() {
    let mut acme = given();
    let events = acme.accept(start(&[(1, 9000), (2, 1000)]));
    let [Event::RolloutStarted(started)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((started.control, started.request), (1, None));
    let events = acme.accept(advance(&[(1, 5000), (2, 4000), (3, 1000)]));
    let [Event::RolloutAdvanced(advanced)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&advanced.before, advanced.rollout), (&started.after, started.rollout));
    assert_eq!(acme.try_change(advance(&[(1, 5000), (2, 4000), (3, 1000)])), Ok(vec![]), "already so");
    assert_eq!(points_to(&acme), Some(1), "the label is the control all along");
    assert_eq!(acme.try_change(step(Step::Complete(4))), Err(Rejection::NotAnArm { version: 4 }));
    let events = acme.accept(step(Step::Complete(2)));
    assert_eq!(names(&events), ["rollout.completed", "label.set"]);
    assert_eq!((points_to(&acme), running(&acme)), (Some(2), None));
    let back = Change::RollBackLabel { prompt: at("team/greet"), label: label("production"), if_match: None };
    acme.accept(back);
    assert_eq!(points_to(&acme), Some(1), "as after any other move");
}

#[test]
fn who_gets_what_follows_the_key_and_nobody_else_moves() {
    let mut acme = given();
    acme.accept(start(&[(1, 8000), (2, 2000)]));
    let before = running(&acme).unwrap();
    acme.accept(advance(&[(1, 7000), (2, 3000)]));
    let after = running(&acme).unwrap();
    let (mut moved, mut of_two) = (0, 0);
    for n in 0..2000 {
        let key = format!("user-{n}");
        let (was, is) = (before.arm(1, Some(&key)), after.arm(1, Some(&key)));
        assert_eq!((was.rollout, was.bucket), (is.rollout, is.bucket), "a key keeps its bucket");
        moved += u32::from(was.version != is.version);
        of_two += u32::from(was.version == 2);
        assert!(was.version == 1 || is.version == 2, "who had it keeps it");
    }
    assert!((100..300).contains(&moved) && (300..500).contains(&of_two), "{moved} of {of_two}");
    assert_eq!((after.arm(1, None).version, after.arm(1, None).bucket), (1, None), "who has no key gets the control");
}

#[test]
fn while_it_is_paused_everybody_gets_the_control_and_then_what_he_had() {
    let mut acme = given();
    acme.accept(start(&[(2, 5000), (3, 5000)]));
    let before = running(&acme).unwrap();
    assert_eq!(names(&acme.accept(step(Step::Pause))), ["rollout.paused"]);
    assert_eq!(acme.try_change(step(Step::Pause)), Ok(vec![]));
    let paused = running(&acme).unwrap();
    assert_eq!(
        (paused.arm(1, Some("a")).version, paused.arm(1, Some("a")).bucket),
        (1, before.arm(1, Some("a")).bucket)
    );
    assert_eq!(paused.table, before.table, "kept");
    acme.accept(advance(&[(2, 5001), (3, 4999)]));
    let advanced = running(&acme).unwrap();
    assert!(advanced.paused, "other weights do not resume it");
    assert_eq!(names(&acme.accept(step(Step::Resume))), ["rollout.resumed"]);
    assert_eq!(acme.try_change(step(Step::Resume)), Ok(vec![]));
    assert_eq!(running(&acme), Some(Rollout { paused: false, ..advanced }));
    let [Event::RolloutRolledBack(back)] = &acme.accept(step(Step::RollBack))[..] else { panic!() };
    assert_eq!(back.before.weights(), [(2, 5001), (3, 4999)].into());
    assert_eq!((points_to(&acme), running(&acme)), (Some(1), None));
}

#[test]
fn a_label_has_one_rollout_and_does_not_move_under_it() {
    let mut acme = given();
    let none = Err(Rejection::RolloutNotFound(label("production")));
    for step_ in [Step::Advance(weights(&[(1, 10_000)])), Step::Pause, Step::Resume, Step::RollBack, Step::Complete(1)]
    {
        assert_eq!(acme.try_change(step(step_)), none, "none runs");
    }
    acme.accept(start(&[(1, 9000), (2, 1000)]));
    assert_eq!(acme.try_change(start(&[(1, 9000), (2, 1000)])), runs(&acme));
    assert_eq!(acme.try_change(set(2)), runs(&acme));
    let remove = Change::RemoveLabel { prompt: at("team/greet"), label: label("production"), if_match: None };
    assert_eq!(acme.try_change(remove), runs(&acme));
    let mut labelled = version("four");
    labelled.labels = vec![label("production")];
    let (prompt, kind, branch) = (at("team/greet"), promptory_events::event::Kind::Text, "main".parse().unwrap());
    let added = Change::AddVersion { prompt, kind, version: labelled, branch, if_match: None };
    assert_eq!(acme.try_change(added), runs(&acme));
    let other = Change::Rollout {
        prompt: at("team/greet"),
        label: label("production"),
        rollout: Some(RolloutId([7; 16])),
        step: Step::RollBack,
    };
    assert_eq!(acme.try_change(other), none, "another one is meant");
    assert!(acme.try_change(add("team/greet", "four")).is_ok(), "versions are added");
    acme.accept(step(Step::Complete(1)));
    assert_eq!(points_to(&acme), Some(1), "the control may win");
}

#[test]
fn what_can_not_be_split_is_refused() {
    let mut acme = given();
    let begin =
        |name: &str, shares: &[(u32, u16)]| step_of("team/greet", name, Step::Start(weights(shares), Vec::new()));
    assert_eq!(acme.try_change(begin("latest", &[(1, 10_000)])), Err(Rejection::LabelReserved));
    assert_eq!(acme.try_change(begin("staging", &[(1, 10_000)])), Err(Rejection::LabelNotFound(label("staging"))));
    let unknown = Err(Rejection::VersionNotFound { asked: 4, newest: 3 });
    assert_eq!(acme.try_change(start(&[(1, 1), (4, 9999)])), unknown);
    for n in 0..=limits::ROLLOUTS_MAX {
        let name = format!("l{n}");
        let (prompt, label) = (at("team/greet"), label(&name));
        acme.accept(Change::SetLabel { prompt, label, version: 1, if_match: None });
    }
    for n in 0..limits::ROLLOUTS_MAX {
        acme.accept(begin(&format!("l{n}"), &[(1, 1), (2, 9999)]));
    }
    let more = acme.try_change(begin(&format!("l{}", limits::ROLLOUTS_MAX), &[(2, 10_000)]));
    assert!(matches!(more, Err(Rejection::LimitReached { .. })), "{more:?}");
    assert_eq!(acme.try_change(step_of("team/greet", "l1", Step::Advance(weights(&[(4, 10_000)])))), unknown);
    let (viewer, _) = acme.key_for(Role::Viewer);
    let by_viewer = acme.by(viewer).try_change(step_of("team/greet", "l1", Step::RollBack));
    assert_eq!(by_viewer, Err(Rejection::Forbidden(Action::MoveLabels)));
}

#[test]
fn a_protected_label_is_split_by_an_approved_request_and_then_goes_to_and_fro_among_its_versions() {
    let mut acme = given();
    acme.accept(protect());
    let (reviewer, _) = acme.key_for(Role::Reviewer);
    assert_eq!(acme.try_change(start(&[(1, 9999), (2, 1)])), refused(), "not even an owner");
    let request = request_of(&acme.accept(ask(&[(1, 9000), (2, 1000)])));
    let own = acme.try_change(Change::ApproveRelease { request });
    assert_eq!(own, Err(Rejection::OwnRelease), "who made its versions");
    let events = acme.accept_by(&reviewer, Change::ApproveRelease { request });
    assert_eq!(names(&events), ["release.approved", "release.executed", "rollout.started"]);
    assert_eq!(names(&acme.accept(advance(&[(1, 1), (2, 9999)]))), ["rollout.advanced"], "the version was approved");
    assert_eq!(acme.try_change(advance(&[(1, 1), (2, 9998), (3, 1)])), refused(), "and this one was not");
    assert_eq!(acme.try_change(step(Step::Complete(3))), Err(Rejection::NotAnArm { version: 3 }));
    let request = request_of(&acme.accept(ask(&[(2, 5000), (3, 5000)])));
    let events = acme.accept_by(&reviewer, Change::ApproveRelease { request });
    assert_eq!(names(&events), ["release.approved", "release.executed", "rollout.advanced"]);
    acme.accept(step(Step::Pause));
    acme.accept(step(Step::Resume));
    assert_eq!(names(&acme.accept(step(Step::Complete(3)))), ["rollout.completed", "label.set"]);
    assert_eq!(points_to(&acme), Some(3));
}

#[test]
fn what_was_split_before_it_was_protected_grows_no_more_but_shrinks_and_goes_back() {
    let mut acme = given();
    acme.accept(start(&[(1, 5000), (2, 5000)]));
    acme.accept(protect());
    let (editor, _) = acme.key_for(Role::Editor);
    assert_eq!(acme.try_change(advance(&[(1, 4999), (2, 5001)])), refused());
    assert_eq!(acme.try_change(step(Step::Complete(2))), refused());
    acme.accept(advance(&[(1, 9000), (2, 1000)]));
    acme.accept(step(Step::Pause));
    assert_eq!(acme.try_change(step(Step::Resume)), refused());
    acme.accept(advance(&[(1, 10_000)]));
    acme.accept(step(Step::Resume));
    for back in [Step::Pause, Step::RollBack] {
        let by_editor = acme.by(editor.clone()).try_change(step(back));
        assert_eq!(by_editor, Err(Rejection::Forbidden(Action::RollBack)), "by a right of its own");
    }
    assert!(acme.by(editor).try_change(step(Step::Complete(1))).is_ok(), "the control was there before");
    assert_eq!(names(&acme.accept(step(Step::RollBack))), ["rollout.rolled-back"]);
}

#[test]
fn a_request_for_a_rollout_is_stale_once_another_runs_or_the_label_moved_and_waits_while_one_runs() {
    let mut acme = given();
    acme.accept(protect());
    let (reviewer, _) = acme.key_for(Role::Reviewer);
    let approve = |request| Change::ApproveRelease { request };
    let one = request_of(&acme.accept(ask(&[(1, 9000), (2, 1000)])));
    let other = request_of(&acme.accept(ask(&[(1, 9000), (3, 1000)])));
    let plain = Change::RequestRelease {
        prompt: at("team/greet"),
        label: label("production"),
        version: Some(3),
        split: None,
        expires_at: None,
    };
    let moves = request_of(&acme.accept(plain));
    acme.accept_by(&reviewer, approve(one));
    assert_eq!(acme.by(reviewer.clone()).try_change(approve(other)), Err(Rejection::ReleaseStale));
    assert_eq!(acme.by(reviewer.clone()).try_change(approve(moves)), runs(&acme));
    acme.accept(step(Step::RollBack));
    assert!(acme.by(reviewer.clone()).try_change(approve(other)).is_ok(), "as when it was asked for");
    acme.accept_by(&reviewer, approve(moves));
    assert_eq!(acme.by(reviewer).try_change(approve(other)), Err(Rejection::ReleaseStale));
    let unset = Change::RequestRelease {
        prompt: at("team/greet"),
        label: label("production"),
        version: None,
        split: Some((weights(&[(4, 10_000)]), Vec::new())),
        expires_at: None,
    };
    assert_eq!(acme.try_change(unset), Err(Rejection::VersionNotFound { asked: 4, newest: 3 }));
}

#[test]
fn in_a_freeze_window_nothing_is_split_otherwise() {
    let mut acme = given();
    acme.accept(start(&[(1, 9000), (2, 1000)]));
    let now = acme.later_ms(0);
    let until = now.plus_ms(1000);
    acme.accept(Change::SetFreeze { prefix: "team/".parse().unwrap(), from: now, until });
    let all =
        [Step::Advance(weights(&[(1, 10_000)])), Step::Pause, Step::RollBack, Step::Complete(1), Step::Complete(2)];
    for frozen in all {
        assert_eq!(acme.try_change(step(frozen.clone())), Err(Rejection::Frozen { until }));
        let mut forced = plain(step(frozen));
        forced.override_freeze = true;
        assert_eq!(names(&acme.when(&forced).unwrap().events)[0], "freeze.overridden");
    }
    acme.later_ms(1000);
    assert!(acme.try_change(step(Step::Pause)).is_ok());
}

mod guards;
