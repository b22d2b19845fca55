//! Given, when, then: forks.

use promptory_events::event::{Action, Role, Subject, Syntax, VersionRef};
use promptory_events::{ContentBody, Prefix};

use crate::command::*;
use crate::rejection::{Rejection, Wanted};
use crate::testing::*;

fn fork(from: Pick, copied: Option<Copied>) -> Change {
    let (labels, tags, metadata, copied) = (vec![label("production")], vec![], None, copied.map(Box::new));
    Change::ForkPrompt { prompt: at("greet"), from, key: key("mine"), labels, tags, metadata, copied }
}

fn two_versions() -> (Story, [Wanted; 2]) {
    let mut acme = Story::of_acme();
    acme.accept(create("greet", "one"));
    acme.accept(add("greet", "two"));
    let (id, prompt) = acme.tenant.prompt(&at("greet")).unwrap();
    let wanted = [1, 2].map(|number| {
        let version = prompt.version(number).unwrap();
        Wanted { version: VersionRef { prompt: id, number, version: version.id }, index: version.index }
    });
    (acme, wanted)
}

fn copied(of: &Wanted, text: &str) -> Copied {
    Copied {
        of: of.version.version,
        content: material(text),
        config: Some(material("{}")),
        syntax: Syntax::Jinja,
        variables: None,
        includes: vec![],
    }
}

#[test]
fn a_fork_names_the_version_that_it_comes_from_and_holds_its_content_itself() {
    let (mut acme, [first, _]) = two_versions();
    assert_eq!(acme.try_change(fork(Pick::Number(1), None)), Err(Rejection::ContentsWanted(vec![first])));
    let events = acme.accept(fork(Pick::Number(1), Some(copied(&first, "one"))));
    assert_eq!(names(&events), ["prompt.created", "version.added", "label.set"]);
    let version = added(&events);
    assert_eq!((version.number, &version.parents[..]), (1, &[first.version][..]));
    assert_eq!(version.before, Some(version.content.id), "nothing differs from its parent");
    assert!(matches!(version.content.body, ContentBody::Inline(_)), "prompts share nothing");
    assert_eq!(acme.tenant.prompt(&at("mine")).unwrap().1.version(1).unwrap().parents(version.prompt).count(), 1);
}

#[test]
fn what_was_gathered_before_the_origin_moved_is_gathered_again() {
    let (mut acme, [_, second]) = two_versions();
    let latest = || Pick::Label(label("latest"));
    acme.accept(add("greet", "three"));
    let again = acme.try_change(fork(latest(), Some(copied(&second, "two"))));
    let Err(Rejection::ContentsWanted(wanted)) = again else { panic!("{again:?}") };
    assert_eq!(wanted[0].version.number, 3);
}

#[test]
fn a_fork_of_nothing_or_under_a_taken_key_is_refused_before_anything_is_opened() {
    let (mut acme, [first, _]) = two_versions();
    let missing = Rejection::VersionNotFound { asked: 3, newest: 2 };
    assert_eq!(acme.try_change(fork(Pick::Number(3), None)), Err(missing));
    let unset = Rejection::LabelNotFound(label("x"));
    assert_eq!(acme.try_change(fork(Pick::Label(label("x")), None)), Err(unset));
    acme.accept(create("mine", "x"));
    for copied in [None, Some(copied(&first, "one"))] {
        assert_eq!(acme.try_change(fork(Pick::Number(1), copied)), Err(Rejection::KeyTaken(key("mine"))));
    }
}

#[test]
fn an_archived_prompt_can_be_forked_by_its_id() {
    let (mut acme, [first, _]) = two_versions();
    let (id, _) = acme.tenant.prompt(&at("greet")).unwrap();
    acme.accept(Change::ArchivePrompt { prompt: at("greet"), if_match: None });
    let Change::ForkPrompt { from, key, labels, tags, metadata, copied, .. } =
        fork(Pick::Number(1), Some(copied(&first, "one")))
    else {
        panic!("no fork")
    };
    let by_id = Change::ForkPrompt { prompt: PromptRef::Id(id), from, key, labels, tags, metadata, copied };
    assert_eq!(names(&acme.accept(by_id))[..2], ["prompt.created", "version.added"]);
}

#[test]
fn whoever_forks_may_read_the_origin_and_write_the_fork() {
    let mut acme = Story::of_acme();
    acme.accept(create("from/greet", "one"));
    let fork = || Change::ForkPrompt {
        prompt: at("from/greet"),
        from: Pick::Number(1),
        key: key("to/mine"),
        labels: vec![],
        tags: vec![],
        metadata: None,
        copied: None,
    };
    let (editor, principal) = acme.key_on("to/", Role::Editor.into());
    let by = |acme: &Story| acme.by(editor.clone()).try_change(fork());
    assert_eq!(by(&acme), Err(Rejection::Forbidden(Action::Read)), "before anything is opened");
    acme.accept(grant_on("from/", Subject::Principal(principal), Role::Viewer, None));
    assert!(matches!(by(&acme), Err(Rejection::ContentsWanted(_))));
    let (viewer, _) = acme.key_for(Role::Viewer);
    assert_eq!(acme.by(viewer).try_change(fork()), Err(Rejection::Forbidden(Action::WritePrompts)));
}

#[test]
fn a_fork_does_not_bring_a_protected_label() {
    let (mut acme, [first, _]) = two_versions();
    acme.accept(Change::ProtectLabel { prefix: Prefix::tenant(), label: label("production"), approvals: 1 });
    let refused = Rejection::LabelProtected { label: label("production"), approvals: 1 };
    assert_eq!(acme.try_change(fork(Pick::Number(1), Some(copied(&first, "one")))), Err(refused));
}
