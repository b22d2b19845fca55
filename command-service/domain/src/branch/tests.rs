//! Given, when, then: branches.

use promptory_events::event::VersionRef;
use promptory_events::{Branch, limits};

use crate::command::*;
use crate::rejection::Rejection;
use crate::testing::*;

fn main_and_try() -> Story {
    let mut acme = Story::of_acme();
    acme.accept(create("greet", "one"));
    acme.accept(add("greet", "two"));
    acme.accept(branch("greet", "try", 1));
    acme
}

fn close(name: &str) -> Change {
    Change::CloseBranch { prompt: at("greet"), branch: name.parse().unwrap(), if_match: None }
}

#[test]
fn numbers_count_over_all_branches_and_each_version_follows_its_own_branch() {
    let mut acme = main_and_try();
    let third = acme.accept(add_to("try", "greet", "three"));
    let third = added(&third);
    let (id, prompt) = acme.tenant.prompt(&at("greet")).unwrap();
    let first = VersionRef { prompt: id, number: 1, version: prompt.version(1).unwrap().id };
    assert_eq!((third.number, third.branch.as_str(), &third.parents[..]), (3, "try", &[first][..]));
    assert_eq!(third.before, Some(material("one").id), "the content of the version that the branch began at");
    assert_eq!((prompt.main, prompt.newest()), (2, 3), "main stays where it is");
    let fourth = acme.accept(add("greet", "four"));
    assert_eq!((added(&fourth).number, added(&fourth).parents[0].number), (4, 2));
    let fifth = acme.accept(add_to("try", "greet", "five"));
    assert_eq!((added(&fifth).number, added(&fifth).parents[0].number), (5, 3));
    assert_eq!(added(&fifth).before, Some(material("three").id));
}

#[test]
fn if_match_names_the_head_of_the_branch_that_is_added_to() {
    let mut acme = main_and_try();
    let (_, prompt) = acme.tenant.prompt(&at("greet")).unwrap();
    let id = |number| prompt.version(number).unwrap().id;
    let (first, second) = (id(1), id(2));
    let with = |wanted| match add_to("try", "greet", "x") {
        Change::AddVersion { prompt, kind, version, branch, .. } => {
            Change::AddVersion { prompt, kind, version, branch, if_match: Some(wanted) }
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(acme.try_change(with(second)), Err(Rejection::PreconditionFailed { current: Some(first) }));
    assert_eq!(names(&acme.accept(with(first))), ["version.added"]);
}

#[test]
fn a_branch_is_made_once_and_main_is_always_there() {
    let mut acme = main_and_try();
    let exists = |name: &str| Err(Rejection::BranchExists(name.parse().unwrap()));
    assert_eq!(acme.try_change(branch("greet", "try", 1)), Ok(vec![]), "already so");
    assert_eq!(acme.try_change(branch("greet", "try", 2)), exists("try"));
    assert_eq!(acme.try_change(branch("greet", "main", 1)), exists("main"));
    assert_eq!(acme.try_change(branch("greet", "main", 2)), Ok(vec![]), "already so");
    assert_eq!(acme.try_change(close("main")), Err(Rejection::BranchReserved));
    assert_eq!(acme.try_change(branch("greet", "other", 3)), Err(Rejection::VersionNotFound { asked: 3, newest: 2 }));
    acme.accept(add_to("try", "greet", "three"));
    assert_eq!(acme.try_change(branch("greet", "try", 1)), exists("try"), "it has moved on");
}

#[test]
fn a_closed_branch_takes_nothing_and_its_name_and_versions_stay_useful() {
    let mut acme = main_and_try();
    acme.accept(add_to("try", "greet", "three"));
    assert_eq!(names(&acme.accept(close("try"))), ["branch.closed"]);
    let gone = Rejection::BranchNotFound("try".parse().unwrap());
    assert_eq!(acme.try_change(close("try")), Err(gone.clone()));
    assert_eq!(acme.try_change(add_to("try", "greet", "x")), Err(gone));
    acme.accept(branch("greet", "try", 3));
    assert_eq!(added(&acme.accept(add_to("try", "greet", "four"))).parents[0].number, 3, "from the closed one's head");
}

#[test]
fn a_branch_begins_at_a_number_a_label_or_another_branch() {
    let mut acme = main_and_try();
    acme.accept(add_to("try", "greet", "three"));
    let set = Change::SetLabel { prompt: at("greet"), label: label("production"), version: 1, if_match: None };
    acme.accept(set);
    let picks = [
        ("b", Pick::Label(label("latest")), 2),
        ("c", Pick::Label(label("production")), 1),
        ("d", Pick::Branch("try".parse().unwrap()), 3),
        ("e", Pick::Branch(Branch::main()), 2),
    ];
    for (name, from, head) in picks {
        acme.accept(Change::CreateBranch { prompt: at("greet"), branch: name.parse().unwrap(), from });
        assert_eq!(acme.tenant.prompt(&at("greet")).unwrap().1.branches[&name.parse().unwrap()], head);
    }
}

#[test]
fn a_prompt_has_so_many_open_branches_at_most() {
    let mut acme = main_and_try();
    for n in 1..limits::BRANCHES_MAX {
        acme.accept(branch("greet", &format!("b{n}"), 1));
    }
    let limit = Rejection::LimitReached { what: "branches".into(), max: limits::BRANCHES_MAX };
    assert_eq!(acme.try_change(branch("greet", "more", 1)), Err(limit));
    acme.accept(close("try"));
    acme.accept(branch("greet", "more", 1));
}
