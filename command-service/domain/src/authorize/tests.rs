//! Rights that are over, and claims that need no other right.

use promptory_events::event::{Action, Event, Role, Subject};

use crate::command::*;
use crate::rejection::Rejection;
use crate::testing::*;

#[test]
fn a_grant_that_is_over_is_neither_handed_on_nor_taken() {
    let mut acme = Story::of_acme();
    let (admin, _) = acme.key_for(Role::Admin);
    let (_, other) = acme.key_for(Role::Viewer);
    let Event::GroupCreated(created) = acme.accept(Change::CreateGroup { name: None }).remove(0) else { panic!() };
    let (group, end) = (created.group, acme.later_ms(0).plus_ms(1000));
    for to in [Subject::Principal(other), Subject::Group(group)] {
        acme.accept(grant_on("", to, Role::Owner, Some(end)));
    }
    let key = key_of(KeyHolder::Existing(other), [3; 32]);
    let join = Change::AddMember { group, principal: other };
    for change in [&key, &join] {
        assert_eq!(
            acme.by(admin.clone()).try_change(change.clone()),
            Err(Rejection::DelegationExceeds(Action::Import))
        );
    }
    acme.later_ms(1000);
    for change in [key, join] {
        assert!(acme.by(admin.clone()).try_change(change).is_ok(), "what it was gives nothing any more");
    }
}

#[test]
fn who_claims_with_his_own_key_needs_the_right_to_claim() {
    let mut acme = Story::of_acme();
    let (viewer, _) = acme.key_for(Role::Viewer);
    let (importer, _) = acme.key_for(Role::Importer);
    for (caller, refused) in [(viewer, true), (importer, false)] {
        let Presented::ApiKey { key, .. } = caller else { panic!("{caller:?}") };
        for change in
            [Change::RotateKey { key, secret_hash: [4; 32], expires_at: None, overlap_s: 0 }, Change::RevokeKey { key }]
        {
            assert!(acme.by(caller.clone()).try_change(change.clone()).is_ok());
            let claim = Command { author: Some("somebody".parse().unwrap()), ..plain(change) };
            let decided = acme.by(caller.clone()).when(&claim).map(|_| ());
            assert_eq!(decided, if refused { Err(Rejection::Forbidden(Action::Import)) } else { Ok(()) });
        }
    }
}
