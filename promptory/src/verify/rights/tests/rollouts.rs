//! Split labels: what `decide` accepts is lawful, and each side door put into a copy of a ledger is found.

use promptory_domain::rollout::Step;
use promptory_events::event::{RolloutAdvanced, RolloutCompleted, RolloutResumed, RolloutStarted, Split};
use promptory_events::rollout::{Run, Table, Weights};
use promptory_events::{Label, PromptId, RolloutId};

use super::*;

fn label() -> Label {
    "production".parse().unwrap()
}

fn weights(shares: &[(u32, u16)]) -> Weights {
    Weights::new(shares.iter().copied().collect()).unwrap()
}

fn table(runs: &[(u32, u16)]) -> Table {
    Table::new(runs.iter().map(|(version, buckets)| Run { version: *version, buckets: *buckets }).collect()).unwrap()
}

fn step(step: Step) -> Change {
    Change::Rollout { prompt: at("team/greet"), label: label(), rollout: None, step }
}

fn ask(shares: &[(u32, u16)]) -> Change {
    let (prompt, split) = (at("team/greet"), Some((weights(shares), Vec::new())));
    Change::RequestRelease { prompt, label: label(), version: None, split, expires_at: None }
}

fn started(rollout: RolloutId, prompt: PromptId, control: u32, after: Table) -> RolloutStarted {
    let (guards, since) = (Vec::new(), Timestamp::MIN);
    RolloutStarted { rollout, prompt, label: label(), control, after, request: None, guards, since }
}

fn running(acme: &Book) -> (PromptId, RolloutId, Table) {
    let (prompt, state) = acme.tenant.prompt(&at("team/greet")).unwrap();
    let running = &state.rollouts[&label()];
    (prompt, running.id, running.table.clone())
}

/// With a reviewer, and the label split by his approval: 10 % on the second version.
fn split() -> (World, Presented) {
    let mut world = world();
    let (acme, owner) = (&mut world.acme, &world.owner);
    acme.by(owner, protect());
    let (reviewer, _) = acme.key(owner, Role::Reviewer.into(), "", [3; 32]);
    let events = acme.by(&world.editor, ask(&[(1, 9000), (2, 1000)]));
    let [Event::ReleaseRequested(asked)] = &events[..] else { panic!("{events:?}") };
    acme.by(&reviewer, Change::ApproveRelease { request: asked.request });
    (world, reviewer)
}

#[test]
fn what_decide_accepts_of_rollouts_is_lawful() {
    let (World { system, mut acme, owner, editor, .. }, _) = split();
    acme.by(&editor, step(Step::Advance(weights(&[(1, 1000), (2, 9000)]))));
    acme.by(&owner, step(Step::Pause));
    acme.by(&editor, step(Step::Resume));
    acme.by(&editor, step(Step::Complete(2)));
    // By hand where it is not protected, and taken back where it is by then.
    acme.by(&owner, Change::UnprotectLabel { prefix: "team/".parse().unwrap(), label: label() });
    acme.by(&editor, step(Step::Start(weights(&[(1, 5000), (2, 5000)]), Vec::new())));
    acme.by(&owner, protect());
    acme.by(&editor, step(Step::Advance(weights(&[(1, 4000), (2, 6000)]))));
    let window = Change::SetFreeze { prefix: "".parse().unwrap(), from: acme.now, until: acme.now.plus_ms(99_000) };
    acme.by(&owner, window);
    let change = step(Step::RollBack);
    acme.command(&owner, Command { change, occurred_at: None, author: None, message: None, override_freeze: true });
    assert_eq!(violations(&system, &acme), []);
}

#[test]
fn a_split_that_nobody_approved_is_found() {
    let (World { system, acme, editor, editor_id, editor_grant, .. }, _) = split();
    let (prompt, rollout, before) = running(&acme);
    let by_hand = || forged(editor_id, &editor, &[editor_grant]);
    let found_in = |events: Vec<Event>, what: &str| {
        let mut copy = acme.clone();
        let index = copy.write(by_hand(), events);
        found(&system, &copy, index, what);
    };
    let advanced = |before: &Table, after: Table, request| {
        let (label, before) = (label(), before.clone());
        Event::RolloutAdvanced(RolloutAdvanced { rollout, prompt, label, before, after, request })
    };
    let third = table(&[(1, 9000), (3, 1000)]);
    found_in(vec![advanced(&before, third.clone(), None)], "nobody approved version 3");
    found_in(vec![advanced(&third, table(&[(1, 9000), (2, 1000)]), None)], "no such rollout");
    let request = Some(promptory_events::RequestId([7; 16]));
    found_in(vec![advanced(&before, third.clone(), request)], "which it does not execute");
    let completed = RolloutCompleted { rollout, prompt, label: label(), before, version: 3 };
    found_in(vec![Event::RolloutCompleted(completed), set_event(&acme, 3)], "nobody approved version 3");
    found_in(vec![set_event(&acme, 2)], "had a rollout");
    let again = started(RolloutId([7; 16]), prompt, 1, third);
    found_in(vec![Event::RolloutStarted(again)], "has a rollout already");
}

#[test]
fn a_split_by_hand_of_what_is_protected_or_resumed_or_without_right_is_found() {
    let World { system, mut acme, owner, editor, editor_id, editor_grant } = world();
    let (prompt, _) = acme.tenant.prompt(&at("team/greet")).unwrap();
    let started = |control| {
        Event::RolloutStarted(self::started(RolloutId([7; 16]), prompt, control, table(&[(1, 9999), (2, 1)])))
    };
    let mut copy = acme.clone();
    let index = copy.write(forged(editor_id, &editor, &[]), vec![started(1)]);
    found(&system, &copy, index, "`move-labels`");
    let mut copy = acme.clone();
    let index = copy.write(forged(editor_id, &editor, &[editor_grant]), vec![started(2)]);
    found(&system, &copy, index, "points elsewhere");
    let mut copy = acme.clone();
    copy.by(&owner, protect());
    let index = copy.write(forged(editor_id, &editor, &[editor_grant]), vec![started(1)]);
    found(&system, &copy, index, "nobody approved version 2");
    acme.by(&editor, step(Step::Start(weights(&[(1, 5000), (2, 5000)]), Vec::new())));
    acme.by(&editor, step(Step::Pause));
    acme.by(&owner, protect());
    let (prompt, rollout, _) = running(&acme);
    let resumed = Event::RolloutResumed(RolloutResumed { rollout, prompt, label: label() });
    let index = acme.write(forged(editor_id, &editor, &[editor_grant]), vec![resumed]);
    found(&system, &acme, index, "nobody approved version 2");
}

#[test]
fn a_release_that_splits_otherwise_than_was_asked_is_found() {
    let (World { system, mut acme, editor, .. }, reviewer) = split();
    let (prompt, rollout, before) = running(&acme);
    let events = acme.by(&editor, ask(&[(1, 5000), (2, 5000)]));
    let [Event::ReleaseRequested(asked)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(
        asked.split,
        Some(Split { rollout: Some(rollout), weights: weights(&[(1, 5000), (2, 5000)]), guards: vec![] })
    );
    // What `decide` makes of the approval, with another table in it.
    let mut honest = acme.clone();
    honest.by(&reviewer, Change::ApproveRelease { request: asked.request });
    assert_eq!(violations(&system, &honest), []);
    let batch = Batch::parse(honest.batches.last().unwrap().clone()).unwrap();
    let mut events = batch.commits[0].decode_events().unwrap();
    let after = table(&[(1, 4999), (2, 5001)]);
    let request = Some(asked.request);
    *events.last_mut().unwrap() =
        Event::RolloutAdvanced(RolloutAdvanced { rollout, prompt, label: label(), before, after, request });
    let index = acme.write(batch.commits[0].header.clone(), events);
    found(&system, &acme, index + 2, "does not do what was asked for");
}

mod guards;
