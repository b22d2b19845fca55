//! Given, when, then: people and groups of a company's directory, and who comes in no more.

use promptory_events::event::{Action, Event, Role, Subject, UserAttribute};
use promptory_events::*;

use crate::access::Token;
use crate::command::*;
use crate::rejection::Rejection;
use crate::testing::*;

fn named(name: u8) -> UserSaid {
    UserSaid { name: NameId([name; 16]), external: None, active: true, profile: material("profile").sealed }
}

fn set_user(user: Option<PrincipalId>, said: UserSaid) -> Change {
    Change::SetUser(Box::new(SetUser { user, expected: None, said: Some(said) }))
}

fn user(story: &mut Story, name: u8) -> PrincipalId {
    let events = story.accept(set_user(None, named(name)));
    let [Event::PrincipalAdded(added), Event::UserSet(set)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((added.principal, set.created_at), (set.user, set.changed_at));
    added.principal
}

fn set_group(group: Option<GroupId>, said: Option<u8>, add: &[PrincipalId], remove: &[PrincipalId]) -> Change {
    let profile = || material("group").sealed;
    let said = said.map(|name| GroupSaid { name: NameId([name; 16]), external: None, profile: profile() });
    Change::SetGroup(Box::new(SetGroup { group, expected: None, said, add: add.to_vec(), remove: remove.to_vec() }))
}

fn group(story: &mut Story, members: &[PrincipalId]) -> GroupId {
    let events = story.accept(set_group(None, Some(100), members, &[]));
    let [Event::GroupCreated(created), Event::GroupSet(_), ..] = &events[..] else { panic!("{events:?}") };
    created.group
}

/// A key of a user, who is an editor.
fn key_of_user(story: &mut Story, user: PrincipalId) -> Presented {
    story.accept(grant_on("", Subject::Principal(user), Role::Editor, None));
    let events = story.accept(key_of(KeyHolder::Existing(user), [7; 32]));
    let [Event::KeyIssued(issued)] = &events[..] else { panic!("{events:?}") };
    Presented::ApiKey { key: issued.key, secret_hash: [7; 32] }
}

#[test]
fn two_users_never_have_one_name_and_a_name_is_free_again_when_its_user_gives_it_up() {
    let mut acme = Story::of_acme();
    let ada = user(&mut acme, 1);
    assert_eq!(acme.try_change(set_user(None, named(1))), Err(Rejection::NameTaken("userName".into())));
    let external = Some(NameId([9; 16]));
    acme.accept(set_user(Some(ada), UserSaid { external, ..named(2) }));
    let bob = user(&mut acme, 1);
    let same = UserSaid { external, ..named(3) };
    assert_eq!(acme.try_change(set_user(Some(bob), same)), Err(Rejection::NameTaken("externalId".into())));
    acme.accept(Change::RemoveUser { user: ada, expected: None });
    acme.accept(set_user(Some(bob), UserSaid { external, ..named(2) }));
    assert_eq!(acme.try_change(set_user(Some(ada), named(5))), Err(Rejection::PrincipalNotFound(ada)));
}

#[test]
fn whoever_is_not_active_comes_in_by_no_key_until_he_is_again() {
    let mut acme = Story::of_acme();
    let ada = user(&mut acme, 1);
    let key = key_of_user(&mut acme, ada);
    assert!(acme.by(key.clone()).try_change(create("a", "x")).is_ok());
    let off = acme.accept(set_user(Some(ada), UserSaid { active: false, ..named(1) }));
    assert_eq!(names(&off), ["user.set", "session.revoked"]);
    assert_eq!(acme.by(key.clone()).try_change(create("a", "x")), Err(Rejection::Unauthenticated));
    assert_eq!(names(&acme.accept(set_user(Some(ada), named(1)))), ["user.set"]);
    assert!(acme.by(key).try_change(create("a", "x")).is_ok());
}

#[test]
fn whoever_is_removed_loses_keys_and_groups_and_comes_in_by_no_other_key() {
    let mut acme = Story::of_acme();
    let ada = user(&mut acme, 1);
    let poets = group(&mut acme, &[ada]);
    let key = key_of_user(&mut acme, ada);
    let events = acme.accept(Change::RemoveUser { user: ada, expected: None });
    assert_eq!(names(&events), ["key.revoked", "member.removed", "session.revoked", "user.removed"]);
    assert_eq!(acme.by(key).try_change(create("a", "x")), Err(Rejection::Unauthenticated));
    assert_eq!(acme.tenant.rights().members(poets).count(), 0);
    let events = acme.accept(key_of(KeyHolder::Existing(ada), [8; 32]));
    let [Event::KeyIssued(issued)] = &events[..] else { panic!("{events:?}") };
    let another = Presented::ApiKey { key: issued.key, secret_hash: [8; 32] };
    assert_eq!(acme.by(another).try_change(create("a", "x")), Err(Rejection::Unauthenticated));
}

#[test]
fn nobody_keeps_out_or_renames_who_may_more_than_he_may_himself() {
    let mut acme = Story::of_acme();
    let ada = user(&mut acme, 1);
    acme.accept(grant_on("", Subject::Principal(ada), Role::Owner, None));
    let (admin, _) = acme.key_for(Role::Admin);
    let (editor, _) = acme.key_for(Role::Editor);
    let off = || set_user(Some(ada), UserSaid { active: false, ..named(1) });
    let exceeds = |result| matches!(result, Err(Rejection::DelegationExceeds(_)));
    assert!(exceeds(acme.by(admin.clone()).try_change(off())));
    // Under another name he would be whoever logs in by that name.
    assert!(exceeds(acme.by(admin.clone()).try_change(set_user(Some(ada), named(2)))));
    assert!(exceeds(acme.by(admin.clone()).try_change(Change::RemoveUser { user: ada, expected: None })));
    assert!(acme.by(admin).try_change(set_user(None, named(2))).is_ok());
    let forbidden = Err(Rejection::Forbidden(Action::ManageAccess));
    assert_eq!(acme.by(editor.clone()).try_change(set_user(None, named(2))), forbidden);
    let unchanged = Change::SetUser(Box::new(SetUser { user: Some(ada), expected: None, said: None }));
    assert_eq!(acme.by(editor).try_change(unchanged.clone()), forbidden, "also if it would change nothing");
    assert_eq!(acme.try_change(unchanged), Ok(vec![]));
}

#[test]
fn the_last_owner_is_not_kept_out() {
    let mut acme = Story::of_acme();
    let ada = user(&mut acme, 1);
    acme.accept(grant_on("", Subject::Principal(ada), Role::Owner, None));
    acme.accept(key_of(KeyHolder::Existing(ada), [7; 32]));
    let Presented::ApiKey { key, .. } = acme.caller() else { panic!() };
    let first = acme.principal(key);
    acme.accept(Change::RevokeKey { key });
    let by_ada = acme.tenant.rights().keys_of(ada).next().unwrap().0;
    let ada_key = Presented::ApiKey { key: by_ada, secret_hash: [7; 32] };
    let off = set_user(Some(ada), UserSaid { active: false, ..named(1) });
    assert_eq!(acme.by(ada_key.clone()).try_change(off.clone()), Err(Rejection::LastOwner));
    let remove = Change::RemoveUser { user: ada, expected: None };
    assert_eq!(acme.by(ada_key.clone()).try_change(remove), Err(Rejection::LastOwner));
    acme.accept_by(&ada_key, key_of(KeyHolder::Existing(first), [6; 32]));
    assert!(acme.by(ada_key).try_change(off).is_ok());
}

#[test]
fn a_group_gets_and_loses_the_users_that_are_named_and_nobody_else() {
    let mut acme = Story::of_acme();
    let (ada, bob) = (user(&mut acme, 1), user(&mut acme, 2));
    let (_, robot) = acme.key_for(Role::Viewer);
    let poets = group(&mut acme, &[ada, ada]);
    acme.accept(Change::AddMember { group: poets, principal: robot });
    let version = |story: &Story| story.tenant.rights().directory().groups().get(&poets).unwrap().version;
    let before = version(&acme);
    let events = acme.accept(set_group(Some(poets), None, &[bob, ada, bob], &[ada]));
    assert_eq!(names(&events), ["member.added", "member.removed"]);
    assert!(version(&acme) > before, "whoever has seen it before has seen another one");
    let stranger = set_group(Some(poets), None, &[robot], &[]);
    assert_eq!(acme.try_change(stranger), Err(Rejection::PrincipalNotFound(robot)));
    let events = acme.accept(Change::RemoveGroup { group: poets, expected: None });
    assert_eq!(names(&events), ["member.removed", "group.removed"]);
    assert!(acme.tenant.rights().is_member(poets, robot), "the directory did not put it there");
    let gone = set_group(Some(poets), None, &[], &[]);
    assert_eq!(acme.try_change(gone), Err(Rejection::GroupNotFound(poets)));
}

#[test]
fn a_member_gets_what_the_group_has_so_only_who_has_it_lets_him_in() {
    let mut acme = Story::of_acme();
    let ada = user(&mut acme, 1);
    let owners = group(&mut acme, &[]);
    acme.accept(grant_on("", Subject::Group(owners), Role::Owner, None));
    let (admin, _) = acme.key_for(Role::Admin);
    let join = set_group(Some(owners), None, &[ada], &[]);
    let refused = acme.by(admin.clone()).try_change(join.clone());
    assert!(matches!(refused, Err(Rejection::DelegationExceeds(_))), "{refused:?}");
    acme.accept(join);
    let gone = acme.by(admin).try_change(Change::RemoveGroup { group: owners, expected: None });
    assert!(matches!(gone, Err(Rejection::DelegationExceeds(_))), "{gone:?}");
}

#[test]
fn who_expects_another_version_is_told_which_one_it_is() {
    let mut acme = Story::of_acme();
    let ada = user(&mut acme, 1);
    let current = acme.tenant.rights().directory().users().get(&ada).unwrap().version;
    let set = |expected| Change::SetUser(Box::new(SetUser { user: Some(ada), expected, said: Some(named(2)) }));
    assert_eq!(acme.try_change(set(Some(current + 1))), Err(Rejection::DirectoryMoved { current }));
    acme.accept(set(Some(current)));
    assert_eq!(acme.try_change(set(Some(current))), Err(Rejection::DirectoryMoved { current: current + 1 }));
    let remove = Change::RemoveUser { user: ada, expected: Some(current) };
    assert_eq!(acme.try_change(remove), Err(Rejection::DirectoryMoved { current: current + 1 }));
}

/// A story that trusts an issuer whose tokens are of users by their `externalId`.
fn linked(story: &mut Story) -> IssuerId {
    let events = story.accept(Change::TrustIssuer {
        url: "https://id.example".parse().unwrap(),
        audience: "promptory".parse().unwrap(),
        groups_claim: "groups".parse().unwrap(),
    });
    let [Event::IssuerTrusted(trusted)] = &events[..] else { panic!("{events:?}") };
    let issuer = trusted.issuer;
    assert_eq!(names(&story.accept(link(issuer, "oid"))), ["issuer.linked"]);
    issuer
}

fn link(issuer: IssuerId, claim: &str) -> Change {
    Change::LinkIssuer { issuer, claim: claim.parse().unwrap(), attribute: UserAttribute::ExternalId }
}

/// A token that was issued now to somebody of whom the directory may know by this name.
fn token(story: &mut Story, issuer: IssuerId, user: Option<NameId>) -> Presented {
    let now = story.later_ms(1);
    Presented::Token(Token {
        issuer,
        principal: PrincipalId([77; 16]),
        hash: TokenHash([5; 32]),
        issued_at: now,
        expires_at: now.plus_ms(300_000),
        user,
        claims: vec![],
    })
}

#[test]
fn a_token_is_the_user_that_it_names_and_opens_nothing_when_he_is_kept_out_or_gone() {
    let mut acme = Story::of_acme();
    let issuer = linked(&mut acme);
    let ada = user(&mut acme, 1);
    acme.accept(grant_on("", Subject::Principal(ada), Role::Editor, None));
    let name = NameId([9; 16]);
    let unauthenticated = Err(Rejection::Unauthenticated);
    let early = token(&mut acme, issuer, Some(name));
    assert_eq!(acme.by(early.clone()).try_change(create("a", "x")), unauthenticated, "he has another name");
    acme.accept(set_user(Some(ada), UserSaid { external: Some(name), ..named(1) }));
    let decision = acme.by(early.clone()).when(&plain(create("a", "x"))).unwrap();
    assert_eq!(decision.actor, ada);
    let Credential::Token(evidence) = decision.evidence.credential else { panic!() };
    assert_eq!(evidence.user, Some(name));
    let nameless = token(&mut acme, issuer, None);
    assert_eq!(acme.by(nameless).try_change(create("a", "x")), unauthenticated, "seen before the issuer was linked");
    acme.later_ms(1);
    acme.accept(set_user(Some(ada), UserSaid { external: Some(name), active: false, ..named(1) }));
    assert_eq!(acme.by(early.clone()).try_change(create("a", "x")), unauthenticated);
    acme.accept(set_user(Some(ada), UserSaid { external: Some(name), ..named(1) }));
    assert_eq!(acme.by(early).try_change(create("a", "x")), unauthenticated, "what he had before stays closed");
    let late = token(&mut acme, issuer, Some(name));
    assert!(acme.by(late.clone()).try_change(create("a", "x")).is_ok());
    acme.accept(Change::RemoveUser { user: ada, expected: None });
    assert_eq!(acme.by(late).try_change(create("a", "x")), unauthenticated);
}

#[test]
fn only_who_may_everything_lets_an_issuer_speak_for_users_and_it_does_so_in_one_way() {
    let mut acme = Story::of_acme();
    let issuer = linked(&mut acme);
    assert_eq!(acme.try_change(link(issuer, "oid")), Ok(vec![]));
    assert_eq!(acme.try_change(link(issuer, "sub")), Err(Rejection::IssuerExists(issuer)));
    let (admin, _) = acme.key_for(Role::Admin);
    let refused = acme.by(admin).try_change(link(issuer, "oid"));
    assert!(matches!(refused, Err(Rejection::DelegationExceeds(_))), "{refused:?}");
    let nobody = IssuerId([1; 16]);
    assert_eq!(acme.try_change(link(nobody, "oid")), Err(Rejection::IssuerNotFound(nobody)));
}
