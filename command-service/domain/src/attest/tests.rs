//! Given denied attempts, when another one is reported, then an event or nothing.

use promptory_events::event::{Action, AttemptsCounted, AuditForm, Door, Role, UnauthenticatedCounted};
use promptory_events::{Credential, KeyId, Prefix, PrincipalId};

use super::*;
use crate::command::{Change, Presented};
use crate::testing::*;
use crate::{Rejection, denied};

fn attempt(n: u8, target: &str) -> AttemptDenied {
    AttemptDenied {
        attempt: Attempt { principal: PrincipalId([n; 16]), action: Action::Read, target: target.parse().unwrap() },
        credential: Credential::ApiKey { tenant: "acme".parse().unwrap(), key: KeyId([n; 8]) },
        door: Door::Question,
        minute: Timestamp::MIN,
    }
}

fn report(story: &mut Story, denied: AttemptDenied) -> usize {
    story.accept_by(&Presented::System, Change::Attest(Attestation::Denied(denied))).len()
}

#[test]
fn the_first_of_its_kind_in_a_minute_gets_an_event_and_the_next_minute_begins_anew() {
    let mut story = Story::of_acme();
    assert_eq!(report(&mut story, attempt(1, "a/")), 1);
    assert_eq!(report(&mut story, attempt(1, "a/")), 0);
    assert_eq!((report(&mut story, attempt(1, "b/")), report(&mut story, attempt(2, "a/"))), (1, 1));
    story.later_ms(60_000);
    assert_eq!((report(&mut story, attempt(1, "a/")), report(&mut story, attempt(1, "a/"))), (1, 0));
}

#[test]
fn so_many_kinds_a_minute_and_no_more() {
    let mut story = Story::of_acme();
    let events: usize = (0..200u8).map(|n| report(&mut story, attempt(n, "a/"))).sum();
    assert_eq!(events, limits::ATTEMPTS_PER_MINUTE_MAX);
    story.later_ms(60_000);
    assert_eq!(report(&mut story, attempt(200, "a/")), 1);
}

fn reading(n: u8, form: AuditForm, filter: &str) -> AuditRead {
    let reading = Reading { principal: PrincipalId([n; 16]), form, filter: Some(filter.to_owned()) };
    AuditRead { reading, credential: Credential::System, minute: Timestamp::MIN }
}

/// What is recorded of a reading.
fn read(story: &mut Story, read: AuditRead) -> Vec<Event> {
    story.accept_by(&Presented::System, Change::Attest(Attestation::Read(read)))
}

#[test]
fn a_reading_of_the_audit_is_recorded_once_a_minute_and_exports_by_another_name() {
    let mut story = Story::of_acme();
    let recorded = read(&mut story, reading(1, AuditForm::List, "{}"));
    assert!(matches!(&recorded[..], [Event::AuditRead(read)] if read.reading.filter.as_deref() == Some("{}")));
    assert!(read(&mut story, reading(1, AuditForm::List, "{}")).is_empty());
    assert_eq!(read(&mut story, reading(2, AuditForm::List, "{}")).len(), 1, "somebody else");
    assert_eq!(read(&mut story, reading(1, AuditForm::Count, "{}")).len(), 1, "in another form");
    let exported = read(&mut story, reading(1, AuditForm::Csv, "{}"));
    assert!(matches!(&exported[..], [Event::AuditExported(_)]));
    story.later_ms(60_000);
    assert_eq!(read(&mut story, reading(1, AuditForm::List, "{}")).len(), 1, "another minute");
}

#[test]
fn readings_by_more_filters_than_are_told_apart_are_recorded_as_readings_by_any() {
    let mut story = Story::of_acme();
    let mut recorded = Vec::new();
    for n in 0..200 {
        recorded.extend(read(&mut story, reading(1, AuditForm::List, &n.to_string())));
    }
    let filters: Vec<_> = recorded
        .iter()
        .map(|event| match event {
            Event::AuditRead(read) => read.reading.filter.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(filters.len(), limits::READINGS_PER_MINUTE_MAX + 1);
    assert_eq!(filters.last(), Some(&None), "it covers all that follow");
    assert_eq!(read(&mut story, reading(2, AuditForm::List, "x")).len(), 1, "of somebody else there is one, too");
    assert!(read(&mut story, reading(2, AuditForm::List, "y")).is_empty());
}

#[test]
fn only_the_system_attests() {
    let story = Story::of_acme();
    let change = Change::Attest(Attestation::Denied(attempt(1, "a/")));
    assert_eq!(story.try_change(change.clone()), Err(Rejection::Forbidden(Action::ManageAccess)));
    let operator = Presented::Operator { principal: PrincipalId([9; 16]), key: KeyId([9; 8]) };
    assert_eq!(story.by(operator).try_change(change), Err(Rejection::Forbidden(Action::ManageAccess)));
    let times = UnauthenticatedCounted { minute: Timestamp::MIN, times: 3 };
    let unauthenticated = Change::Attest(Attestation::Unauthenticated(times));
    let by_system = story.by(Presented::System);
    assert!(matches!(by_system.try_change(unauthenticated.clone()), Err(Rejection::NotInThisLedger(_))));
    assert_eq!(Story::of_system().by(Presented::System).try_change(unauthenticated).unwrap().len(), 1);
    let nothing = AttemptsCounted { minute: Timestamp::MIN, again: Vec::new(), others: 0 };
    assert_eq!(by_system.try_change(Change::Attest(Attestation::Counted(nothing))), Ok(Vec::new()));
}

#[test]
fn what_was_lacking_and_where_is_known_also_when_the_refusal_hides_it() {
    let mut story = Story::of_acme();
    story.accept(create("secret/area/a", "x"));
    let prompt = story.tenant.holder(&key("secret/area/a")).unwrap();
    let (editor, principal) = story.key_on("team/", Role::Editor.into());
    let story = story.by(editor);
    let lacking = |change: Change| {
        let command = plain(change);
        assert!(story.when(&command).is_err());
        let context = Context {
            command_id: promptory_events::CommandId([0; 16]),
            now: Timestamp::MIN,
            presented: story.caller(),
        };
        denied(&story.tenant, &context, &command).map(|denied| denied.attempt)
    };
    let at = |target: &str, action| Some(Attempt { principal, action, target: target.parse::<Prefix>().unwrap() });
    assert_eq!(lacking(create("secret/area/b", "x")), at("secret/area/", Action::WritePrompts));
    assert_eq!(lacking(create("top", "x")), at("", Action::WritePrompts));
    let by_id = Change::ArchivePrompt { prompt: crate::PromptRef::Id(prompt), if_match: None };
    assert_eq!(story.try_change(by_id.clone()), Err(Rejection::PromptNotFound(prompt.to_string())));
    assert_eq!(lacking(by_id), at("secret/area/", Action::WritePrompts));
    assert_eq!(lacking(key_of(new(Role::Owner), [7; 32])), at("", Action::ManageAccess));
    // A rule that is not a right's.
    assert_eq!(lacking(add("team/nobody", "x")), None);
}
