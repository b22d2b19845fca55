//! Given, when, then: labels.

use promptory_events::event::Event;
use promptory_events::{Branch, limits};

use crate::command::*;
use crate::rejection::Rejection;
use crate::testing::*;

fn set(path: &str, name: &str, version: u32) -> Change {
    Change::SetLabel { prompt: at(path), label: label(name), version, if_match: None }
}

fn with_two_versions() -> Story {
    let mut acme = Story::of_acme();
    acme.accept(create("greet", "one"));
    acme.accept(add("greet", "two"));
    acme
}

#[test]
fn a_label_is_set_moved_and_removed_and_says_from_where() {
    let mut acme = with_two_versions();
    acme.accept(set("greet", "production", 1));
    let moved = acme.accept(set("greet", "production", 2));
    let Event::LabelSet(moved) = &moved[0] else { panic!("{moved:?}") };
    assert_eq!((moved.before, moved.after), (Some(1), 2));
    assert_eq!(acme.try_change(set("greet", "production", 2)), Ok(vec![]), "already there");
    let remove = Change::RemoveLabel { prompt: at("greet"), label: label("production"), if_match: None };
    assert_eq!(names(&acme.accept(remove.clone())), ["label.removed"]);
    assert_eq!(acme.try_change(remove), Err(Rejection::LabelNotFound(label("production"))));
}

#[test]
fn a_label_points_to_a_version_that_is_there() {
    let acme = with_two_versions();
    for asked in [0, 3, u32::MAX] {
        assert_eq!(acme.try_change(set("greet", "x", asked)), Err(Rejection::VersionNotFound { asked, newest: 2 }));
    }
}

#[test]
fn latest_is_reserved_everywhere() {
    let acme = with_two_versions();
    assert_eq!(acme.try_change(set("greet", "latest", 1)), Err(Rejection::LabelReserved));
    let remove = Change::RemoveLabel { prompt: at("greet"), label: label("latest"), if_match: None };
    assert_eq!(acme.try_change(remove), Err(Rejection::LabelReserved));
    let mut labelled = version("three");
    labelled.labels = vec![label("latest")];
    let kind = promptory_events::event::Kind::Text;
    let add =
        Change::AddVersion { prompt: at("greet"), kind, version: labelled, branch: Branch::main(), if_match: None };
    assert_eq!(acme.try_change(add), Err(Rejection::LabelReserved));
}

#[test]
fn if_match_names_the_version_that_the_label_points_to() {
    let mut acme = with_two_versions();
    let (_, prompt) = acme.tenant.prompt(&at("greet")).unwrap();
    let [one, two] = [1, 2].map(|number| prompt.version(number).map(|version| version.id));
    let with = |if_match| Change::SetLabel { prompt: at("greet"), label: label("x"), version: 2, if_match };
    assert_eq!(acme.try_change(with(one)), Err(Rejection::PreconditionFailed { current: None }));
    acme.accept(set("greet", "x", 1));
    assert_eq!(acme.try_change(with(two)), Err(Rejection::PreconditionFailed { current: one }));
    assert_eq!(names(&acme.accept(with(one))), ["label.set"]);
}

#[test]
fn a_prompt_has_a_bounded_number_of_labels() {
    let mut acme = with_two_versions();
    for n in 0..limits::LABELS_MAX {
        acme.accept(set("greet", &format!("l{n}"), 1));
    }
    let one_more = acme.try_change(set("greet", "more", 1));
    assert_eq!(one_more, Err(Rejection::LimitReached { what: "labels".into(), max: limits::LABELS_MAX }));
    assert!(acme.try_change(set("greet", "l0", 2)).is_ok(), "moving one needs no room");
}
