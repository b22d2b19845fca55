//! Given, when, then: protected labels, requests, freezes, rollbacks, comments; and that there is no side door.

use promptory_events::event::{Action, Event, Kind, Role};
use promptory_events::{Branch, FreezeId, RequestId, limits};

use super::book::Status;
use crate::command::*;
use crate::rejection::Rejection;
use crate::testing::*;

fn protect(prefix: &str, approvals: u16) -> Change {
    Change::ProtectLabel { prefix: prefix.parse().unwrap(), label: label("production"), approvals }
}

fn set(path: &str, version: u32) -> Change {
    Change::SetLabel { prompt: at(path), label: label("production"), version, if_match: None }
}

fn ask(path: &str, version: Option<u32>) -> Change {
    Change::RequestRelease { prompt: at(path), label: label("production"), version, split: None, expires_at: None }
}

fn approve(request: RequestId) -> Change {
    Change::ApproveRelease { request }
}

fn roll_back(path: &str) -> Change {
    Change::RollBackLabel { prompt: at(path), label: label("production"), if_match: None }
}

fn refused() -> Result<Vec<Event>, Rejection> {
    refused_at(1)
}

fn refused_at(approvals: u16) -> Result<Vec<Event>, Rejection> {
    Err(Rejection::LabelProtected { label: label("production"), approvals })
}

fn request_of(events: &[Event]) -> RequestId {
    let [Event::ReleaseRequested(asked)] = events else { panic!("{events:?}") };
    asked.request
}

/// `team/greet` with two versions, `production` on the first, protected since then by `approvals`.
fn protected(approvals: u16) -> Story {
    let mut acme = Story::of_acme();
    acme.accept(create("team/greet", "one"));
    acme.accept(set("team/greet", 1));
    acme.accept(add("team/greet", "two"));
    acme.accept(protect("team/", approvals));
    acme
}

fn points_to(acme: &Story) -> Option<u32> {
    let (_, prompt) = acme.tenant.prompt(&at("team/greet")).unwrap();
    prompt.labels.get(&label("production"))
}

#[test]
fn a_protected_label_moves_by_an_approved_request_and_by_no_hand() {
    let mut acme = protected(1);
    assert_eq!(acme.try_change(set("team/greet", 2)), refused(), "not even an owner's");
    let (reviewer, _) = acme.key_for(Role::Reviewer);
    let request = request_of(&acme.accept(ask("team/greet", Some(2))));
    let events = acme.accept_by(&reviewer, approve(request));
    assert_eq!(names(&events), ["release.approved", "release.executed", "label.set"]);
    assert_eq!(points_to(&acme), Some(2));
    let closed = Err(Rejection::ReleaseClosed(Status::Executed));
    assert_eq!(acme.by(reviewer).try_change(approve(request)), closed);
    assert_eq!(acme.try_change(ask("team/greet", Some(2))), Ok(vec![]), "it points there already");
}

#[test]
fn there_is_no_side_door() {
    let mut acme = protected(1);
    let mut labelled = version("x");
    labelled.labels = vec![label("production")];
    let (tags, metadata) = (vec![], None);
    let created =
        Change::CreatePrompt { key: key("team/b"), kind: Kind::Text, version: labelled.clone(), tags, metadata };
    assert_eq!(acme.try_change(created.clone()), refused(), "with a prompt");
    let (prompt, kind) = (at("team/greet"), Kind::Text);
    let added = Change::AddVersion {
        prompt: prompt.clone(),
        kind,
        version: labelled.clone(),
        branch: Branch::main(),
        if_match: None,
    };
    assert_eq!(acme.try_change(added), refused(), "with a version");
    let renamed =
        |to: &str, version| Change::RenamePrompt { prompt: at("team/greet"), to: key(to), version, if_match: None };
    assert_eq!(acme.try_change(renamed("team/b", Some((kind, labelled)))), refused(), "with a rename");
    assert_eq!(acme.try_change(renamed("free/b", None)), refused(), "out of the protection");
    assert!(acme.try_change(renamed("team/b", None)).is_ok(), "within it");
    let remove = Change::RemoveLabel { prompt: prompt.clone(), label: label("production"), if_match: None };
    assert_eq!(acme.try_change(remove), refused(), "by removing it");
    let archive = Change::ArchivePrompt { prompt, if_match: None };
    assert_eq!(acme.try_change(archive), refused(), "by archiving the prompt");
    let mut import = plain(created);
    import.occurred_at = Some(acme.later_ms(0).plus_ms(-1000));
    assert!(matches!(acme.when(&import), Err(Rejection::LabelProtected { .. })), "by an import");

    // From elsewhere, where it moves freely.
    acme.accept(create("free/c", "one"));
    acme.accept(set("free/c", 1));
    let (id, _) = acme.tenant.prompt(&at("free/c")).unwrap();
    let into = Change::RenamePrompt { prompt: at("free/c"), to: key("team/c"), version: None, if_match: None };
    assert_eq!(acme.try_change(into), refused(), "by a rename into the protection");
    acme.accept(Change::ArchivePrompt { prompt: at("free/c"), if_match: None });
    let restore = |to: &str| Change::RestorePrompt { prompt: id, key: Some(key(to)) };
    assert_eq!(acme.try_change(restore("team/c")), refused(), "by a restore into it");
    assert!(acme.try_change(restore("free/d")).is_ok());
}

#[test]
fn the_strictest_protection_around_a_key_counts() {
    let mut acme = protected(1);
    acme.accept(protect("", 2));
    assert_eq!(acme.try_change(set("team/greet", 2)), refused_at(2));
    acme.accept(create("greet", "one"));
    assert_eq!(acme.try_change(set("greet", 1)), refused_at(2));
    assert_eq!(acme.try_change(protect("", 2)), Ok(vec![]), "already so");
    let unprotect =
        |prefix: &str| Change::UnprotectLabel { prefix: prefix.parse().unwrap(), label: label("production") };
    assert_eq!(names(&acme.accept(unprotect(""))), ["label.unprotected"]);
    assert_eq!(acme.try_change(unprotect("")), Ok(vec![]), "already so");
    assert_eq!(acme.try_change(set("team/greet", 2)), refused());
    assert!(acme.try_change(set("greet", 1)).is_ok());
    let (editor, _) = acme.key_for(Role::Editor);
    for change in [protect("", 1), unprotect("team/")] {
        assert_eq!(acme.by(editor.clone()).try_change(change), Err(Rejection::Forbidden(Action::ManageProtection)));
    }
    let latest = Change::ProtectLabel { prefix: "".parse().unwrap(), label: label("latest"), approvals: 1 };
    assert_eq!(acme.try_change(latest), Err(Rejection::LabelReserved));
}

#[test]
fn approvals_are_of_others_and_each_counts_once() {
    let mut acme = protected(2);
    let (author, _) = acme.key_for(Role::Admin);
    let (first, _) = acme.key_for(Role::Reviewer);
    let (second, _) = acme.key_for(Role::Reviewer);
    let (editor, _) = acme.key_for(Role::Editor);
    let request = request_of(&acme.accept_by(&author, ask("team/greet", Some(2))));
    let by = |acme: &Story, who: &Presented| acme.by(who.clone()).try_change(approve(request));
    assert_eq!(by(&acme, &author), Err(Rejection::OwnRelease), "who asked");
    assert_eq!(acme.try_change(approve(request)), Err(Rejection::OwnRelease), "who made the version");
    assert_eq!(by(&acme, &editor), Err(Rejection::Forbidden(Action::ApproveRelease)));
    assert_eq!(names(&acme.accept_by(&first, approve(request))), ["release.approved"]);
    assert_eq!(by(&acme, &first), Ok(vec![]), "once");
    assert_eq!(points_to(&acme), Some(1));
    // If fewer are enough by now, whoever has approved moves it.
    let lowered = {
        let mut acme = acme.by(acme.caller());
        acme.accept(protect("team/", 1));
        acme
    };
    assert_eq!(names(&by(&lowered, &first).unwrap()), ["release.executed", "label.set"]);
    assert_eq!(
        names(&acme.accept_by(&second, approve(request))),
        ["release.approved", "release.executed", "label.set"]
    );
    assert_eq!(points_to(&acme), Some(2));
}

#[test]
fn a_request_ends_by_a_rejection_a_withdrawal_or_its_time() {
    let mut acme = protected(1);
    let (reviewer, _) = acme.key_for(Role::Reviewer);
    let request = request_of(&acme.accept(ask("team/greet", Some(2))));
    let withdraw = |request| Change::WithdrawRelease { request };
    let (admin, _) = acme.key_for(Role::Admin);
    assert_eq!(acme.by(admin).try_change(withdraw(request)), Err(Rejection::ReleaseNotYours));
    assert_eq!(names(&acme.accept(withdraw(request))), ["release.withdrawn"]);
    assert_eq!(acme.try_change(withdraw(request)), Ok(vec![]), "already so");
    let closed = Err(Rejection::ReleaseClosed(Status::Withdrawn));
    assert_eq!(acme.by(reviewer.clone()).try_change(approve(request)), closed);
    let request = request_of(&acme.accept(ask("team/greet", Some(2))));
    assert_eq!(names(&acme.accept_by(&reviewer, Change::RejectRelease { request })), ["release.rejected"]);
    assert_eq!(acme.try_change(withdraw(request)), Err(Rejection::ReleaseClosed(Status::Rejected)));
    let end = acme.later_ms(0).plus_ms(1000);
    let ending = |expires_at| Change::RequestRelease {
        prompt: at("team/greet"),
        label: label("production"),
        version: Some(2),
        split: None,
        expires_at,
    };
    let request = request_of(&acme.accept(ending(Some(end))));
    acme.later_ms(1000);
    assert_eq!(acme.by(reviewer.clone()).try_change(approve(request)), Err(Rejection::ReleaseExpired));
    assert_eq!(acme.try_change(ending(Some(end))), Err(Rejection::ExpiryInPast));
    let unknown = RequestId([7; 16]);
    assert_eq!(acme.by(reviewer).try_change(approve(unknown)), Err(Rejection::ReleaseNotFound(unknown)));
}

#[test]
fn a_request_whose_label_has_moved_is_stale() {
    let mut acme = protected(1);
    acme.accept(add("team/greet", "three"));
    let (reviewer, _) = acme.key_for(Role::Reviewer);
    let one = request_of(&acme.accept(ask("team/greet", Some(2))));
    let other = request_of(&acme.accept(ask("team/greet", Some(3))));
    acme.accept_by(&reviewer, approve(one));
    assert_eq!(acme.by(reviewer).try_change(approve(other)), Err(Rejection::ReleaseStale));
}

#[test]
fn a_label_is_removed_by_a_request_too_and_what_can_not_be_asked_for_is_refused() {
    let mut acme = protected(1);
    let (reviewer, _) = acme.key_for(Role::Reviewer);
    let request = request_of(&acme.accept(ask("team/greet", None)));
    let events = acme.accept_by(&reviewer, approve(request));
    assert_eq!(names(&events), ["release.approved", "release.executed", "label.removed"]);
    assert_eq!(acme.try_change(ask("team/greet", None)), Err(Rejection::LabelNotFound(label("production"))));
    let far = acme.try_change(ask("team/greet", Some(9)));
    assert_eq!(far, Err(Rejection::VersionNotFound { asked: 9, newest: 2 }));
    acme.accept(create("free/a", "one"));
    assert_eq!(acme.try_change(ask("free/a", Some(1))), Err(Rejection::LabelNotProtected(label("production"))));
    for _ in 0..limits::REQUESTS_MAX {
        acme.accept(ask("team/greet", Some(1)));
    }
    assert!(matches!(acme.try_change(ask("team/greet", Some(1))), Err(Rejection::LimitReached { .. })));
}

#[test]
fn in_a_freeze_window_no_label_moves_unless_somebody_who_may_says_so() {
    let mut acme = Story::of_acme();
    acme.accept(create("team/greet", "one"));
    let now = acme.later_ms(0);
    let (from, until) = (now.plus_ms(1000), now.plus_ms(2000));
    let freeze = |from, until| Change::SetFreeze { prefix: "team/".parse().unwrap(), from, until };
    let events = acme.accept(freeze(from, until));
    let [Event::FreezeSet(window)] = &events[..] else { panic!("{events:?}") };
    assert!(acme.try_change(set("team/greet", 1)).is_ok(), "before it");
    acme.later_ms(1000);
    assert_eq!(acme.try_change(set("team/greet", 1)), Err(Rejection::Frozen { until }));
    let mut forced = plain(set("team/greet", 1));
    forced.override_freeze = true;
    let decision = acme.when(&forced).unwrap();
    assert_eq!(names(&decision.events), ["freeze.overridden", "label.set"]);
    let (admin, _) = acme.key_for(Role::Admin);
    assert_eq!(acme.by(admin).when(&forced), Err(Rejection::Forbidden(Action::OverrideFreeze)));
    assert!(acme.try_change(add("team/greet", "two")).is_ok(), "versions are added");
    assert_eq!(acme.try_change(freeze(until, from)), Err(Rejection::ExpiryInPast));
    assert_eq!(acme.try_change(freeze(until.plus_ms(9), until)), Err(Rejection::EmptyWindow));
    let lift = |freeze| Change::LiftFreeze { prefix: "team/".parse().unwrap(), freeze };
    let unknown = FreezeId([7; 16]);
    assert_eq!(acme.try_change(lift(unknown)), Err(Rejection::FreezeNotFound(unknown)));
    let lifted = {
        let mut acme = acme.by(acme.caller());
        acme.accept(lift(window.freeze));
        acme
    };
    assert!(lifted.try_change(set("team/greet", 1)).is_ok());
    acme.later_ms(1000);
    assert!(acme.try_change(set("team/greet", 1)).is_ok(), "after it");
}

#[test]
fn a_label_goes_back_to_where_it_pointed_before() {
    let mut acme = protected(1);
    let (reviewer, _) = acme.key_for(Role::Reviewer);
    let (editor, _) = acme.key_for(Role::Editor);
    assert_eq!(acme.try_change(roll_back("team/greet")), Err(Rejection::NothingToRollBack));
    let request = request_of(&acme.accept(ask("team/greet", Some(2))));
    acme.accept_by(&reviewer, approve(request));
    let by_editor = acme.by(editor.clone()).try_change(roll_back("team/greet"));
    assert_eq!(by_editor, Err(Rejection::Forbidden(Action::RollBack)), "protected: by its own right");
    assert_eq!(names(&acme.accept(roll_back("team/greet"))), ["label.rolled-back", "label.set"]);
    assert_eq!(points_to(&acme), Some(1));
    // Where it is not protected, whoever may move it may move it back.
    acme.accept(create("free/a", "one"));
    acme.accept(set("free/a", 1));
    acme.accept(add("free/a", "two"));
    acme.accept(set("free/a", 2));
    assert!(acme.by(editor).try_change(roll_back("free/a")).is_ok());
    assert!(matches!(acme.try_change(roll_back("nobody")), Err(Rejection::PromptNotFound(_))));
}

#[test]
fn comments_are_on_versions_and_requests_that_are_there() {
    let mut acme = protected(1);
    let text = material("well done").sealed;
    let on_version = |version| {
        let on = CommentTarget::Version { prompt: at("team/greet"), version };
        Change::AddComment { on, text: text.clone() }
    };
    assert_eq!(names(&acme.accept(on_version(2))), ["comment.added"]);
    assert_eq!(acme.try_change(on_version(3)), Err(Rejection::VersionNotFound { asked: 3, newest: 2 }));
    let request = request_of(&acme.accept(ask("team/greet", Some(2))));
    let on_request = |request| Change::AddComment { on: CommentTarget::Request(request), text: text.clone() };
    assert_eq!(names(&acme.accept(on_request(request))), ["comment.added"]);
    let unknown = RequestId([7; 16]);
    assert_eq!(acme.try_change(on_request(unknown)), Err(Rejection::ReleaseNotFound(unknown)));
    let (viewer, _) = acme.key_for(Role::Viewer);
    assert_eq!(acme.by(viewer).try_change(on_request(request)), Err(Rejection::Forbidden(Action::Comment)));
    let (elsewhere, _) = acme.key_on("else/", Role::Owner.into());
    let hidden = acme.by(elsewhere).try_change(on_request(request));
    assert_eq!(hidden, Err(Rejection::ReleaseNotFound(request)), "of a prompt that he may not see");
}
