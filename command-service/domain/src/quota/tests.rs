//! Given what a tenant has and may have, when a command would take more, then a rejection that says so.

use promptory_events::event::Role;
use promptory_events::{KeyId, PrincipalId};

use super::*;
use crate::PromptRef;
use crate::testing::*;

fn operator() -> Presented {
    Presented::Operator { principal: PrincipalId([9; 16]), key: KeyId([9; 8]) }
}

fn limited(story: &mut Story, quota: Quota, limit: u64) {
    let events = story.accept_by(&operator(), Change::SetQuota { quota, limit: Some(limit) });
    assert_eq!(names(&events), ["quota.set"]);
}

fn exceeded(quota: Quota, limit: u64, used: u64, more: u64) -> Result<Vec<Event>, Rejection> {
    Err(Rejection::QuotaExceeded { quota, limit, used, more })
}

#[test]
fn prompts_that_are_not_archived_are_counted_whichever_command_makes_them() {
    let mut story = Story::of_acme();
    limited(&mut story, Quota::Prompts, 2);
    story.accept(create("a", "x"));
    story.accept(create("b", "x"));
    assert_eq!(story.try_change(create("c", "x")), exceeded(Quota::Prompts, 2, 2, 1));
    let b = story.tenant.holder(&key("b")).unwrap();
    story.accept(Change::ArchivePrompt { prompt: at("b"), if_match: None });
    story.accept(create("c", "x"));
    let restore = Change::RestorePrompt { prompt: b, key: None };
    assert_eq!(story.try_change(restore), exceeded(Quota::Prompts, 2, 2, 1));
    assert!(story.try_change(add("a", "more")).is_ok(), "what takes no prompt passes");
}

#[test]
fn versions_and_bytes_are_counted_and_what_a_prompt_has_already_takes_no_bytes() {
    let mut story = Story::of_acme();
    story.accept(create("a", "12345"));
    limited(&mut story, Quota::StoredBytes, 8);
    assert_eq!(story.tenant.quotas().used(Quota::StoredBytes), Some(5));
    assert_eq!(story.try_change(add("a", "6789")), exceeded(Quota::StoredBytes, 8, 5, 4));
    story.accept(add("a", "12345"));
    story.accept(add("a", "678"));
    assert_eq!(story.tenant.quotas().used(Quota::StoredBytes), Some(8));
    limited(&mut story, Quota::Versions, 3);
    assert_eq!(story.try_change(add("a", "12345")), exceeded(Quota::Versions, 3, 3, 1));
}

#[test]
fn keys_and_principals_are_counted_and_a_rotated_key_takes_the_place_of_one() {
    let mut story = Story::of_acme();
    limited(&mut story, Quota::ApiKeys, 2);
    let (viewer, _) = story.key_for(Role::Viewer);
    assert_eq!(story.try_change(key_of(new(Role::Viewer), [7; 32])), exceeded(Quota::ApiKeys, 2, 2, 1));
    let Presented::ApiKey { key, .. } = viewer else { panic!("no key") };
    let rotate = |overlap_s| Change::RotateKey { key, secret_hash: [8; 32], expires_at: None, overlap_s };
    assert!(story.try_change(rotate(0)).is_ok());
    assert_eq!(story.try_change(rotate(60)), exceeded(Quota::ApiKeys, 2, 2, 1), "for a while there are two");
    limited(&mut story, Quota::ApiKeys, 3);
    story.accept(rotate(60));
    story.accept(Change::RevokeKey { key });
    assert_eq!(story.tenant.quotas().used(Quota::ApiKeys), Some(2));
    limited(&mut story, Quota::Principals, 2);
    let more = key_of(new(Role::Viewer), [7; 32]);
    assert_eq!(story.try_change(more), exceeded(Quota::Principals, 2, 2, 1));
    assert!(story.by(operator()).try_change(key_of(new(Role::Owner), [7; 32])).is_ok(), "an operator lets an owner in");
}

#[test]
fn a_quota_that_was_lowered_lets_less_pass_and_not_more_and_a_lifted_one_everything() {
    let mut story = Story::of_acme();
    for name in ["a", "b", "c"] {
        story.accept(create(name, "x"));
    }
    limited(&mut story, Quota::Prompts, 1);
    assert_eq!(story.try_change(create("d", "x")), exceeded(Quota::Prompts, 1, 3, 1));
    assert!(story.try_change(Change::ArchivePrompt { prompt: at("c"), if_match: None }).is_ok());
    let lift = Change::SetQuota { quota: Quota::Prompts, limit: None };
    story.accept_by(&operator(), lift.clone());
    assert!(story.by(operator()).try_change(lift).unwrap().is_empty(), "there is none");
    assert!(story.try_change(create("d", "x")).is_ok());
}

#[test]
fn only_an_operator_sets_one_and_not_for_the_system() {
    let story = Story::of_acme();
    let set = Change::SetQuota { quota: Quota::Prompts, limit: Some(1) };
    let action = crate::access::Action::ManageTenants;
    assert_eq!(story.try_change(set.clone()), Err(Rejection::Forbidden(action)));
    assert!(matches!(Story::of_system().try_change(set), Err(Rejection::NotInThisLedger(_))));
}

#[test]
fn the_counts_are_what_a_fold_over_all_events_says() {
    let mut story = Story::of_acme();
    let mut counted = Quotas::default();
    // The owner, who was let in before.
    (counted.used[Quota::Principals as usize], counted.used[Quota::ApiKeys as usize]) = (1, 1);
    let changes =
        [create("a", "x"), add("a", "yy"), create("b", "x"), Change::ArchivePrompt { prompt: at("a"), if_match: None }];
    for change in changes {
        story.accept(change).iter().for_each(|event| counted.take(event));
    }
    assert_eq!(*story.tenant.quotas(), counted);
    assert_eq!(Quota::ALL.map(|quota| counted.used(quota)), [Some(1), Some(3), Some(4), Some(1), Some(1), None]);
    assert!(story.tenant.prompt(&PromptRef::Key(key("b"))).is_some());
}
