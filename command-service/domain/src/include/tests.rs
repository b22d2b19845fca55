//! Given, when, then: includes and circles.

use promptory_events::event::{Include, Kind, Role};
use promptory_events::{Branch, PromptId};

use super::*;
use crate::command::*;
use crate::testing::*;

fn create_including(path: &str, text: &str, written: &[&str]) -> Change {
    let (tags, metadata) = (vec![], None);
    Change::CreatePrompt { key: key(path), kind: Kind::Text, version: including(text, written), tags, metadata }
}

fn add_including(path: &str, branch: &str, written: &[&str], labels: &[&str]) -> Change {
    let version = NewVersion { labels: labels.iter().map(|text| label(text)).collect(), ..including("x", written) };
    let (kind, branch) = (Kind::Text, branch.parse().unwrap());
    Change::AddVersion { prompt: at(path), kind, version, branch, if_match: None }
}

fn set(path: &str, name: &str, version: u32) -> Change {
    Change::SetLabel { prompt: at(path), label: label(name), version, if_match: None }
}

fn circle(written: &str) -> Result<Vec<Event>, Rejection> {
    Err(Rejection::IncludeCycle(written.parse().unwrap()))
}

fn missing(written: &str) -> Result<Vec<Event>, Rejection> {
    Err(Rejection::IncludeNotFound(written.parse().unwrap()))
}

/// `footer` with the label `production`, and `greet`, which includes it.
fn two() -> (Story, PromptId) {
    let mut acme = Story::of_acme();
    let footer = added(&acme.accept(create("footer", "bye"))).prompt;
    acme.accept(set("footer", "production", 1));
    acme.accept(create_including("greet", "hi", &["footer@production"]));
    (acme, footer)
}

#[test]
fn an_include_is_recorded_as_the_prompt_that_holds_the_key() {
    let (mut acme, footer) = two();
    acme.accept(Change::RenamePrompt { prompt: at("footer"), to: key("end"), version: None, if_match: None });
    let (_, greet) = acme.tenant.prompt(&at("greet")).unwrap();
    let written: Written = "footer@production".parse().unwrap();
    assert_eq!(greet.includes(1), [Include { written, prompt: footer }], "whatever it is called by now");
    assert_eq!(
        acme.try_change(add_including("greet", "main", &["footer@production"], &[])),
        missing("footer@production")
    );
    acme.accept(add_including("greet", "main", &["end@production"], &[]));
}

#[test]
fn what_is_included_is_there_and_is_a_text() {
    let (mut acme, _) = two();
    for written in ["nobody@production", "footer@staging", "footer@2", "footer@0", "greet2@1"] {
        assert_eq!(acme.try_change(add_including("greet", "main", &[written], &[])), missing(written), "{written}");
    }
    acme.accept(Change::CreatePrompt {
        key: key("chat"),
        kind: Kind::Chat,
        version: version("[]"),
        tags: vec![],
        metadata: None,
    });
    let chat = acme.try_change(add_including("greet", "main", &["chat@latest"], &[]));
    assert_eq!(chat, Err(Rejection::IncludeNotText("chat@latest".parse().unwrap())));
    acme.accept(Change::ArchivePrompt { prompt: at("footer"), if_match: None });
    assert_eq!(acme.try_change(create_including("other", "x", &["footer@1"])), missing("footer@1"), "by no key");
}

#[test]
fn a_new_version_can_close_a_circle() {
    let (mut acme, _) = two();
    assert_eq!(acme.try_change(add_including("greet", "main", &["greet@latest"], &[])), circle("greet@latest"));
    // greet@1 includes what `production` of footer is, and that would include greet.
    let with_label = add_including("footer", "main", &["greet@1"], &["production"]);
    assert_eq!(acme.try_change(with_label), circle("greet@1"));
    acme.accept(add_including("footer", "main", &["greet@1"], &[])); // `production` is still the first one
    let third = add_including("greet", "main", &["footer@latest"], &[]);
    acme.accept(third); // footer@2 includes greet@1, which is another version than this one
    assert_eq!(acme.try_change(add_including("footer", "main", &["greet@latest"], &[])), circle("greet@latest"));
}

#[test]
fn a_label_that_moves_can_close_a_circle() {
    let (mut acme, _) = two();
    acme.accept(add_including("footer", "main", &["greet@1"], &[]));
    assert_eq!(acme.try_change(set("footer", "production", 2)), circle("greet@1"));
    acme.accept(set("footer", "staging", 2)); // nobody includes that
    // By three prompts, and by a number in between.
    acme.accept(create_including("a", "a", &["footer@1"]));
    acme.accept(set("a", "production", 1));
    acme.accept(create_including("b", "b", &["a@production"]));
    acme.accept(create_including("c", "c", &["footer@1", "b@1"]));
    acme.accept(add_including("a", "main", &["c@1"], &[]));
    assert_eq!(acme.try_change(set("a", "production", 2)), circle("c@1"));
    acme.accept(Change::RemoveLabel { prompt: at("a"), label: label("production"), if_match: None });
    assert_eq!(acme.try_change(set("a", "production", 2)), circle("c@1"), "b still names the label");
}

#[test]
fn a_branch_is_not_latest_until_it_is_merged() {
    let (mut acme, _) = two();
    acme.accept(branch("greet", "try", 1));
    let events = acme.accept(add_including("greet", "try", &["greet@latest"], &[]));
    let theirs = added(&events).version;
    let merge = |merged| Change::Merge {
        prompt: at("greet"),
        branch: Branch::main(),
        other: None,
        from: Pick::Branch("try".parse().unwrap()),
        labels: vec![],
        if_match: None,
        resolved: Resolved::default(),
        merged,
    };
    let Err(Rejection::ContentsWanted(wanted)) = acme.try_change(merge(None)) else { panic!("not asked for") };
    let NewVersion { content, template, .. } = including("x", &["greet@latest"]);
    let (content, template) = (Box::new(content), Box::new(template));
    let outcome = MergeOutcome::Clean { content, config: None, template };
    let merged = Merged { ours: wanted[0].version.version, theirs, outcome };
    assert_eq!(acme.try_change(merge(Some(Box::new(merged)))), circle("greet@latest"));
}

#[test]
fn an_approved_release_closes_no_circle_either() {
    let (mut acme, _) = two();
    acme.accept(add_including("footer", "main", &["greet@1"], &[]));
    let (prefix, name) = ("".parse().unwrap(), label("production"));
    acme.accept(Change::ProtectLabel { prefix, label: name.clone(), approvals: 1 });
    let (prompt, version) = (at("footer"), Some(2));
    let events = acme.accept(Change::RequestRelease { prompt, label: name, version, split: None, expires_at: None });
    let Some(Event::ReleaseRequested(asked)) = events.first() else { panic!("{events:?}") };
    let (reviewer, _) = acme.key_for(Role::Reviewer);
    let approve = Change::ApproveRelease { request: asked.request };
    assert_eq!(acme.by(reviewer).try_change(approve), circle("greet@1"));
}

#[test]
fn only_what_may_be_read_is_included() {
    let (mut acme, _) = two();
    acme.accept(create("team/a", "a"));
    let (editor, _) = acme.key_on("team/", Role::Editor.into());
    let refused = acme.by(editor.clone()).try_change(add_including("team/a", "main", &["footer@production"], &[]));
    assert_eq!(refused, Err(Rejection::Forbidden(crate::access::Action::Read)));
    let unknown = acme.by(editor.clone()).try_change(add_including("team/a", "main", &["nobody@production"], &[]));
    assert_eq!(unknown, Err(Rejection::Forbidden(crate::access::Action::Read)), "like one that is not there");
    acme.accept_by(&editor, create_including("team/b", "b", &["team/a@1"]));
    // A fork includes what its origin includes, and its author must be able to read that.
    acme.accept(create_including("team/c", "c", &["footer@production"]));
    let fork = Change::ForkPrompt {
        prompt: at("team/c"),
        from: Pick::Number(1),
        key: key("team/d"),
        labels: vec![],
        tags: vec![],
        metadata: None,
        copied: None,
    };
    assert!(matches!(acme.by(editor).try_change(fork.clone()), Err(Rejection::PromptNotFound(_))));
    assert!(matches!(acme.try_change(fork), Err(Rejection::ContentsWanted(_))));
}

#[test]
fn so_many_are_included_at_most() {
    let mut acme = Story::of_acme();
    acme.accept(create("p0", "x"));
    for n in 1..=limits::RENDER_PARTS_MAX {
        acme.accept(create_including(&format!("p{n}"), "x", &[&format!("p{}@latest", n - 1)]));
    }
    let last = format!("p{}@latest", limits::RENDER_PARTS_MAX);
    let over = acme.try_change(create_including("over", "x", &[&last]));
    assert!(matches!(over, Err(Rejection::LimitReached { .. })), "{over:?}");
}
