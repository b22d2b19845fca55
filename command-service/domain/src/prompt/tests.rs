//! Given, when, then: prompts and versions.

use promptory_events::event::{Kind, Role, VersionRef};
use promptory_events::{Branch, ContentBody, PromptKey, limits};

use crate::command::*;
use crate::rejection::Rejection;
use crate::testing::*;

#[test]
fn a_prompt_is_created_with_its_first_version_tags_metadata_and_labels() {
    let mut acme = Story::of_acme();
    let mut first = version("hello");
    first.labels = vec![label("production"), label("production")];
    let events = acme.accept(Change::CreatePrompt {
        key: key("team/greet"),
        kind: Kind::Text,
        version: first,
        tags: vec!["b".parse().unwrap(), "a".parse().unwrap(), "b".parse().unwrap()],
        metadata: Some(material("{}")),
    });
    assert_eq!(names(&events), ["prompt.created", "version.added", "tags.set", "metadata.set", "label.set"]);
    let (_, prompt) = acme.tenant.prompt(&at("team/greet")).unwrap();
    assert_eq!((prompt.newest(), prompt.tags.len(), prompt.labels.get(&label("production")).unwrap()), (1, 2, 1));
}

#[test]
fn a_key_is_held_by_one_live_prompt() {
    let mut acme = Story::of_acme();
    acme.accept(create("greet", "hello"));
    assert_eq!(acme.try_change(create("greet", "hi")), Err(Rejection::KeyTaken(key("greet"))));
    acme.accept(Change::ArchivePrompt { prompt: at("greet"), if_match: None });
    let events = acme.accept(create("greet", "hi"));
    assert_eq!(names(&events), ["prompt.created", "version.added"], "an archived prompt releases its key");
}

#[test]
fn versions_count_up_and_name_their_parent_and_both_contents() {
    let mut acme = Story::of_acme();
    let first = acme.accept(create("greet", "one"));
    let second = acme.accept(add("greet", "two"));
    let (first, second) = (added(&first), added(&second));
    assert_eq!((first.number, second.number), (1, 2));
    assert_eq!(second.parents, [VersionRef { prompt: first.prompt, number: 1, version: first.version }]);
    assert_eq!(second.before, Some(first.content.id));
}

#[test]
fn equal_content_inside_a_prompt_is_stored_once() {
    let mut acme = Story::of_acme();
    acme.accept(create("greet", "one"));
    acme.accept(add("greet", "two"));
    let back = acme.accept(add("greet", "one"));
    let ContentBody::At(index) = added(&back).content.body else { panic!("stored twice") };
    assert_eq!(index, acme.tenant.next_index() - 3, "the first version, two versions ago");
    let elsewhere = acme.accept(create("other", "one"));
    assert!(matches!(added(&elsewhere).content.body, ContentBody::Inline(_)), "prompts share nothing");
}

#[test]
fn a_text_prompt_takes_no_messages() {
    let mut acme = Story::of_acme();
    acme.accept(create("greet", "one"));
    let (kind, version, branch) = (Kind::Chat, version("[]"), Branch::main());
    let chat = Change::AddVersion { prompt: at("greet"), kind, version, branch, if_match: None };
    assert_eq!(acme.try_change(chat), Err(Rejection::KindMismatch { expected: Kind::Text }));
}

#[test]
fn if_match_names_the_newest_version_or_the_command_is_refused() {
    let mut acme = Story::of_acme();
    let first = added(&acme.accept(create("greet", "one"))).version;
    let newest = added(&acme.accept(add("greet", "two"))).version;
    let with = |wanted| Change::SetTags {
        prompt: at("greet"),
        tags: vec!["x".parse().unwrap()],
        from: None,
        if_match: Some(wanted),
    };
    let refused = Rejection::PreconditionFailed { current: Some(newest) };
    assert_eq!(acme.try_change(with(first)), Err(refused));
    assert_eq!(names(&acme.accept(with(newest))), ["tags.set"]);
}

#[test]
fn a_rename_moves_the_key_and_may_bring_a_version() {
    let mut acme = Story::of_acme();
    acme.accept(create("old", "one"));
    acme.accept(create("taken", "x"));
    let to = |to: &str, version| Change::RenamePrompt { prompt: at("old"), to: key(to), version, if_match: None };
    assert_eq!(acme.try_change(to("taken", None)), Err(Rejection::KeyTaken(key("taken"))));
    assert_eq!(acme.try_change(to("old", None)), Ok(vec![]), "already so");
    let events = acme.accept(to("new", Some((Kind::Text, version("two")))));
    assert_eq!(names(&events), ["prompt.renamed", "version.added"]);
    assert!(acme.tenant.prompt(&at("old")).is_none());
    assert_eq!(acme.tenant.prompt(&at("new")).unwrap().1.newest(), 2);
}

#[test]
fn an_archived_prompt_takes_nothing_but_a_restore() {
    let mut acme = Story::of_acme();
    acme.accept(create("greet", "one"));
    let (id, _) = acme.tenant.prompt(&at("greet")).unwrap();
    let restore = |key: Option<PromptKey>| Change::RestorePrompt { prompt: id, key };
    assert_eq!(acme.try_change(restore(None)), Err(Rejection::PromptNotArchived));
    acme.accept(Change::ArchivePrompt { prompt: at("greet"), if_match: None });
    let by_id = PromptRef::Id(id);
    let again = Change::ArchivePrompt { prompt: by_id.clone(), if_match: None };
    assert_eq!(acme.try_change(again), Ok(vec![]), "already so");
    let (kind, version, branch) = (Kind::Text, version("x"), Branch::main());
    let add = Change::AddVersion { prompt: by_id, kind, version, branch, if_match: None };
    assert_eq!(acme.try_change(add), Err(Rejection::PromptArchived));
    acme.accept(create("greet", "another"));
    assert_eq!(acme.try_change(restore(None)), Err(Rejection::KeyTaken(key("greet"))));
    assert_eq!(names(&acme.accept(restore(Some(key("greet-2"))))), ["prompt.restored"]);
    assert_eq!(acme.tenant.prompt(&at("greet-2")).unwrap().0, id);
}

#[test]
fn what_is_as_it_was_asked_for_makes_no_event() {
    let mut acme = Story::of_acme();
    acme.accept(create("greet", "one"));
    let tags = |tags: &[&str]| Change::SetTags {
        prompt: at("greet"),
        tags: tags.iter().map(|t| t.parse().unwrap()).collect(),
        from: None,
        if_match: None,
    };
    acme.accept(tags(&["b", "a"]));
    assert_eq!(acme.try_change(tags(&["a", "b", "a"])), Ok(vec![]));
    let metadata = Change::SetMetadata { prompt: at("greet"), metadata: material("{}"), if_match: None };
    assert_eq!(names(&acme.accept(metadata.clone())), ["metadata.set"]);
    assert_eq!(acme.try_change(metadata), Ok(vec![]));
    let many: Vec<String> = (0..=limits::TAGS_MAX).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(
        acme.try_change(tags(&many)),
        Err(Rejection::LimitReached { what: "tags".into(), max: limits::TAGS_MAX })
    );
}

#[test]
fn only_importers_and_owners_may_claim_a_time_and_never_a_future_one() {
    let mut acme = Story::of_acme();
    let (editor, _) = acme.key_for(Role::Editor);
    let (importer, _) = acme.key_for(Role::Importer);
    let mut command = plain(create("greet", "one"));
    command.occurred_at = Some("2023-05-03T14:00:00Z".parse().unwrap());
    assert_eq!(acme.by(editor.clone()).when(&command), Err(Rejection::Forbidden(crate::access::Action::Import)));
    assert_eq!(acme.by(importer.clone()).when(&command).unwrap().evidence.grants.len(), 1, "one grant allows both");
    command.occurred_at = Some("2027-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(acme.by(importer).when(&command), Err(Rejection::OccurredInFuture));
    command.occurred_at = None;
    command.author = Some("0507fc8c4eba".parse().unwrap());
    assert!(acme.by(editor).when(&command).is_err(), "nor another author");
}

#[test]
fn ids_come_from_the_command_so_a_retry_makes_the_same() {
    let acme = Story::of_acme();
    assert_eq!(acme.try_change(create("greet", "one")), acme.try_change(create("greet", "one")));
}

#[test]
fn tags_are_set_only_in_the_place_of_those_that_the_caller_has_seen() {
    let mut acme = Story::of_acme();
    acme.accept(create("greet", "one"));
    let all = |tags: &[&str]| -> Vec<_> { tags.iter().map(|tag| tag.parse().unwrap()).collect() };
    let set = |tags: &[&str], from: &[&str]| {
        let (tags, from) = (all(tags), Some(all(from)));
        Change::SetTags { prompt: at("greet"), tags, from, if_match: None }
    };
    assert_eq!(acme.try_change(set(&["b"], &["a"])), Err(Rejection::TagsMoved));
    acme.accept(set(&["b", "a"], &[]));
    assert_eq!(acme.try_change(set(&["c"], &[])), Err(Rejection::TagsMoved));
    assert_eq!(acme.try_change(set(&["a", "b"], &["a"])), Err(Rejection::TagsMoved), "even if nothing would change");
    assert_eq!(names(&acme.accept(set(&["c"], &["b", "a", "b"]))), ["tags.set"], "in any order");
}
