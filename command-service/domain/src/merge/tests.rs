//! Given, when, then: merges. The contents are made elsewhere; here they are letters.

use promptory_events::event::{Action, Event, Role, Subject, VersionRef};
use promptory_events::{Branch, Prefix, VersionId};

use crate::command::*;
use crate::rejection::Rejection;
use crate::testing::*;

/// `greet` with two versions on `main` and one on `try`, which began at the first.
fn two_lines() -> Story {
    let mut acme = Story::of_acme();
    acme.accept(create("greet", "one"));
    acme.accept(add("greet", "two"));
    acme.accept(branch("greet", "try", 1));
    acme.accept(add_to("try", "greet", "three"));
    acme
}

fn merge(from: Pick, merged: Option<Merged>) -> Change {
    Change::Merge {
        prompt: at("greet"),
        branch: Branch::main(),
        other: None,
        from,
        labels: vec![label("production")],
        if_match: None,
        resolved: Resolved::default(),
        merged: merged.map(Box::new),
    }
}

fn id(acme: &Story, path: &str, number: u32) -> VersionRef {
    let (prompt, state) = acme.tenant.prompt(&at(path)).unwrap();
    VersionRef { prompt, number, version: state.version(number).unwrap().id }
}

fn outcome(ours: VersionId, theirs: VersionId, outcome: MergeOutcome) -> Merged {
    Merged { ours, theirs, outcome }
}

fn clean(text: &str) -> MergeOutcome {
    MergeOutcome::Clean { content: Box::new(material(text)), config: None, template: Box::default() }
}

fn tried() -> Pick {
    Pick::Branch("try".parse().unwrap())
}

#[test]
fn a_merge_wants_both_heads_and_makes_a_version_with_both_as_parents() {
    let mut acme = two_lines();
    let (ours, theirs) = (id(&acme, "greet", 2), id(&acme, "greet", 3));
    let wanted = acme.try_change(merge(tried(), None));
    let Err(Rejection::ContentsWanted(wanted)) = wanted else { panic!("{wanted:?}") };
    assert_eq!(wanted.iter().map(|w| w.version).collect::<Vec<_>>(), [ours, theirs]);
    let events = acme.accept(merge(tried(), Some(outcome(ours.version, theirs.version, clean("four")))));
    assert_eq!(names(&events), ["version.added", "label.set"]);
    let version = added(&events);
    assert_eq!((version.number, version.branch.is_main(), &version.parents[..]), (4, true, &[ours, theirs][..]));
    assert_eq!(version.before, Some(material("two").id), "the content of the branch's head");
    assert_eq!(acme.tenant.prompt(&at("greet")).unwrap().1.main, 4);
}

#[test]
fn when_either_head_has_moved_the_contents_are_wanted_again() {
    let acme = two_lines();
    let (ours, theirs) = (id(&acme, "greet", 2).version, id(&acme, "greet", 3).version);
    let made = || merge(tried(), Some(outcome(ours, theirs, clean("four"))));
    for moved in [add("greet", "x"), add_to("try", "greet", "x")] {
        let mut acme = acme.clone();
        acme.accept(moved);
        assert!(matches!(acme.try_change(made()), Err(Rejection::ContentsWanted(_))));
    }
    assert!(acme.try_change(made()).is_ok());
}

#[test]
fn what_came_of_it_is_what_is_answered() {
    let acme = two_lines();
    let (ours, theirs) = (id(&acme, "greet", 2).version, id(&acme, "greet", 3).version);
    let tell = |what| acme.try_change(merge(tried(), Some(outcome(ours, theirs, what))));
    assert_eq!(tell(MergeOutcome::Nothing), Ok(vec![]));
    assert_eq!(tell(MergeOutcome::Conflict), Err(Rejection::MergeConflict));
    assert_eq!(tell(MergeOutcome::Unrelated), Err(Rejection::UnrelatedVersions));
}

#[test]
fn a_merge_is_refused_before_anything_is_opened_for_it() {
    let mut acme = two_lines();
    acme.accept(Change::CreatePrompt {
        key: key("chat"),
        kind: promptory_events::event::Kind::Chat,
        version: version("[]"),
        tags: vec![],
        metadata: None,
    });
    let gone: Branch = "gone".parse().unwrap();
    let current = Some(id(&acme, "greet", 2).version);
    let with = |change: fn(&mut Change)| {
        let mut merge = merge(tried(), None);
        change(&mut merge);
        acme.try_change(merge).unwrap_err()
    };
    let from = |pick| acme.try_change(merge(pick, None)).unwrap_err();
    assert_eq!(from(Pick::Branch(gone.clone())), Rejection::BranchNotFound(gone));
    assert_eq!(from(Pick::Number(9)), Rejection::VersionNotFound { asked: 9, newest: 3 });
    let stale = with(|merge| {
        if let Change::Merge { if_match, .. } = merge {
            *if_match = Some(VersionId([9; 16]));
        }
    });
    assert_eq!(stale, Rejection::PreconditionFailed { current });
    let of_another_kind = with(|merge| {
        if let Change::Merge { other, from, .. } = merge {
            (*other, *from) = (Some(at("chat")), Pick::Number(1));
        }
    });
    assert!(matches!(of_another_kind, Rejection::KindMismatch { .. }));
}

#[test]
fn an_equal_content_is_stored_once_after_a_merge_too() {
    let mut acme = two_lines();
    let (ours, theirs) = (id(&acme, "greet", 2).version, id(&acme, "greet", 3).version);
    let events = acme.accept(merge(tried(), Some(outcome(ours, theirs, clean("three")))));
    let Event::VersionAdded(version) = &events[0] else { panic!("{events:?}") };
    assert!(matches!(version.content.body, promptory_events::ContentBody::At(_)), "the other branch brought it");
}

#[test]
fn whoever_merges_may_read_the_other_prompt() {
    let mut acme = Story::of_acme();
    acme.accept(create("here/greet", "one"));
    acme.accept(create("there/other", "one"));
    let (editor, principal) = acme.key_on("here/", Role::Editor.into());
    let of_another = || Change::Merge {
        prompt: at("here/greet"),
        branch: Branch::main(),
        other: Some(at("there/other")),
        from: Pick::Number(1),
        labels: vec![],
        if_match: None,
        resolved: Resolved::default(),
        merged: None,
    };
    let by = |acme: &Story| acme.by(editor.clone()).try_change(of_another());
    assert_eq!(by(&acme), Err(Rejection::Forbidden(Action::Read)), "before anything is opened");
    acme.accept(grant_on("there/", Subject::Principal(principal), Role::Viewer, None));
    assert!(matches!(by(&acme), Err(Rejection::ContentsWanted(_))));
}

#[test]
fn a_merge_does_not_move_a_protected_label() {
    let mut acme = two_lines();
    acme.accept(Change::ProtectLabel { prefix: Prefix::tenant(), label: label("production"), approvals: 1 });
    let merged = outcome(id(&acme, "greet", 2).version, id(&acme, "greet", 3).version, clean("four"));
    let refused = Rejection::LabelProtected { label: label("production"), approvals: 1 };
    assert_eq!(acme.try_change(merge(tried(), Some(merged))), Err(refused));
}
