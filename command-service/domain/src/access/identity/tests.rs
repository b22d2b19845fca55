//! Given, when, then: who is believed, what a token's groups give, and when it opens nothing any more.

use promptory_events::event::{Action, Event, Role, Session, Subject};
use promptory_events::*;

use crate::access::Token;
use crate::command::*;
use crate::rejection::Rejection;
use crate::testing::*;

const CLAIM: ClaimId = ClaimId([7; 16]);
const SUBJECT: PrincipalId = PrincipalId([77; 16]);

fn trust(audience: &str) -> Change {
    Change::TrustIssuer {
        url: "https://id.example".parse().unwrap(),
        audience: audience.parse().unwrap(),
        groups_claim: "groups".parse().unwrap(),
    }
}

fn map(issuer: IssuerId, claim: ClaimId, group: GroupId) -> Change {
    Change::MapClaim { issuer, claim, value: material("editors").sealed, group }
}

fn group_of(story: &mut Story) -> GroupId {
    let events = story.accept(Change::CreateGroup { name: None });
    let [Event::GroupCreated(created)] = &events[..] else { panic!("{events:?}") };
    created.group
}

/// acme, which trusts an issuer whose group of editors is a group with that role below `team/`.
struct World {
    acme: Story,
    issuer: IssuerId,
    group: GroupId,
}

fn world() -> World {
    let mut acme = Story::of_acme();
    let events = acme.accept(trust("promptory"));
    let [Event::IssuerTrusted(trusted)] = &events[..] else { panic!("{events:?}") };
    let issuer = trusted.issuer;
    let group = group_of(&mut acme);
    acme.accept(map(issuer, CLAIM, group));
    acme.accept(grant_on("team/", Subject::Group(group), Role::Editor, None));
    World { acme, issuer, group }
}

impl World {
    /// A token that was issued now.
    fn token(&mut self, claims: &[ClaimId]) -> Token {
        let now = self.acme.later_ms(0);
        Token {
            issuer: self.issuer,
            principal: SUBJECT,
            hash: TokenHash([5; 32]),
            issued_at: now,
            expires_at: now.plus_ms(300_000),
            user: None,
            claims: claims.to_vec(),
        }
    }

    fn try_by(&self, token: &Token, change: Change) -> Result<Vec<Event>, Rejection> {
        self.acme.by(Presented::Token(token.clone())).try_change(change)
    }
}

#[test]
fn the_groups_that_a_token_claims_give_what_they_mean_and_are_the_evidence() {
    let mut world = world();
    let token = world.token(&[ClaimId([1; 16]), CLAIM]);
    let decision = world.acme.by(Presented::Token(token.clone())).when(&plain(create("team/a", "x"))).unwrap();
    assert_eq!(decision.actor, SUBJECT);
    let Credential::Token(evidence) = &decision.evidence.credential else { panic!("{decision:?}") };
    assert_eq!((evidence.token, evidence.issued_at), (token.hash, token.issued_at));
    assert_eq!(evidence.claims, [CLAIM], "of the groups those that were used");
    assert_eq!(decision.evidence.grants, [world.acme.tenant.next_index() - 1]);
    assert_eq!(world.try_by(&token, create("b", "x")), Err(Rejection::Forbidden(Action::WritePrompts)));
    let without = world.token(&[]);
    assert_eq!(world.try_by(&without, create("team/a", "x")), Err(Rejection::Forbidden(Action::WritePrompts)));
    world.acme.accept(Change::UnmapClaim { issuer: world.issuer, claim: CLAIM });
    assert_eq!(world.try_by(&token, create("team/a", "x")), Err(Rejection::Forbidden(Action::WritePrompts)));
}

#[test]
fn a_subject_that_is_known_before_it_comes_has_grants_of_its_own() {
    let mut world = world();
    let add = Change::AddPrincipal { principal: SUBJECT, name: None };
    assert_eq!(names(&world.acme.accept(add.clone())), ["principal.added"]);
    assert_eq!(world.acme.try_change(add), Ok(vec![]), "already there");
    world.acme.accept(grant_on("own/", Subject::Principal(SUBJECT), Role::Editor, None));
    let token = world.token(&[]);
    let decision = world.acme.by(Presented::Token(token)).when(&plain(create("own/a", "x"))).unwrap();
    let Credential::Token(evidence) = decision.evidence.credential else { panic!() };
    assert!(evidence.claims.is_empty());
}

#[test]
fn a_token_opens_nothing_before_its_time_after_it_or_when_it_is_too_old() {
    let mut world = world();
    let (skew, age) = (limits::TOKEN_SKEW_MAX_MS, limits::TOKEN_AGE_MAX_MS);
    let now = world.acme.later_ms(0);
    let token = world.token(&[CLAIM]);
    let write = || create("team/a", "x");
    let refused = Err(Rejection::Unauthenticated);
    let with = |issued_at, expires_at| Token { issued_at, expires_at, ..token.clone() };
    let soon = with(now.plus_ms(skew), now.plus_ms(age));
    assert!(world.try_by(&soon, write()).is_ok(), "the issuer's clock may be ahead a little");
    assert_eq!(world.try_by(&with(now.plus_ms(skew + 1), now.plus_ms(age)), write()), refused);
    assert!(world.try_by(&with(now.plus_ms(-1000), now.plus_ms(1 - skew)), write()).is_ok());
    assert_eq!(world.try_by(&with(now.plus_ms(-1000), now.plus_ms(-skew)), write()), refused);
    let long = |issued_ms: i64| with(now.plus_ms(issued_ms), now.plus_ms(1_000_000_000));
    assert!(world.try_by(&long(1 - age - skew), write()).is_ok());
    assert_eq!(world.try_by(&long(-age - skew), write()), refused, "whatever it says about its end");
}

#[test]
fn what_is_revoked_or_distrusted_opens_nothing_from_its_index_on() {
    let mut world = world();
    let token = world.token(&[CLAIM]);
    let other = Token { hash: TokenHash([6; 32]), ..token.clone() };
    let one = Change::RevokeSession { session: Session::Token(token.hash) };
    assert_eq!(names(&world.acme.accept(one.clone())), ["session.revoked"]);
    assert_eq!(world.acme.try_change(one), Ok(vec![]), "already so");
    let write = || create("team/a", "x");
    assert_eq!(world.try_by(&token, write()), Err(Rejection::Unauthenticated));
    assert!(world.try_by(&other, write()).is_ok());
    world.acme.later_ms(1);
    let far = world.acme.later_ms(0).plus_ms(1_000_000);
    let all = Change::RevokeSession { session: Session::Before { principal: SUBJECT, time: far } };
    world.acme.accept(all);
    assert_eq!(world.try_by(&other, write()), Err(Rejection::Unauthenticated));
    world.acme.later_ms(1);
    let fresh = Token { hash: TokenHash([8; 32]), ..world.token(&[CLAIM]) };
    assert!(world.try_by(&fresh, write()).is_ok(), "whoever logs in again is let in: `before` ends now");
    world.acme.accept(Change::DistrustIssuer { issuer: world.issuer });
    assert_eq!(world.try_by(&fresh, write()), Err(Rejection::Unauthenticated));
    assert!(world.acme.try_change(trust("promptory")).is_ok(), "it may be trusted again, under another id");
}

#[test]
fn revoked_tokens_are_forgotten_once_their_age_ends_them() {
    let mut world = world();
    let revoke = |byte: u8| Change::RevokeSession { session: Session::Token(TokenHash([byte; 32])) };
    world.acme.accept(revoke(1));
    let now = world.acme.later_ms(limits::TOKEN_AGE_MAX_MS + 2 * limits::TOKEN_SKEW_MAX_MS);
    assert_eq!(world.acme.tenant.rights().tokens().revoked_count(now), 0);
    world.acme.accept(revoke(2));
    let tokens = world.acme.tenant.rights().tokens();
    assert!(!tokens.is_revoked(Session::Token(TokenHash([1; 32]))));
    assert!(tokens.is_revoked(Session::Token(TokenHash([2; 32]))));
}

#[test]
fn everybody_may_end_his_own_sessions_and_nobody_those_of_somebody_with_more_rights() {
    let mut world = world();
    let token = world.token(&[]);
    let own = |session| Change::RevokeSession { session };
    assert!(world.try_by(&token, own(Session::Token(token.hash))).is_ok());
    let now = world.acme.later_ms(0);
    assert!(world.try_by(&token, own(Session::Before { principal: SUBJECT, time: now })).is_ok());
    let other = own(Session::Token(TokenHash([9; 32])));
    assert_eq!(world.try_by(&token, other.clone()), Err(Rejection::Forbidden(Action::ManageAccess)));
    world.acme.accept(Change::AddPrincipal { principal: SUBJECT, name: None });
    world.acme.accept(grant_on("", Subject::Principal(SUBJECT), Role::Owner, None));
    let (admin, _) = world.acme.key_for(Role::Admin);
    let admin = world.acme.by(admin);
    assert!(admin.try_change(other).is_ok());
    let his = own(Session::Before { principal: SUBJECT, time: now });
    assert!(matches!(admin.try_change(his), Err(Rejection::DelegationExceeds(_))));
}

#[test]
fn an_issuer_is_trusted_once_for_an_audience_and_an_admin_maps_no_group_that_has_more_than_he() {
    let mut world = world();
    assert_eq!(world.acme.try_change(trust("promptory")), Ok(vec![]));
    let mut other_claim = trust("promptory");
    if let Change::TrustIssuer { groups_claim, .. } = &mut other_claim {
        *groups_claim = "roles".parse().unwrap();
    }
    assert_eq!(world.acme.try_change(other_claim), Err(Rejection::IssuerExists(world.issuer)));
    assert!(world.acme.try_change(trust("another")).is_ok());
    let owners = group_of(&mut world.acme);
    world.acme.accept(grant_on("", Subject::Group(owners), Role::Owner, None));
    let (admin, _) = world.acme.key_for(Role::Admin);
    let admin = world.acme.by(admin);
    assert!(matches!(admin.try_change(map(world.issuer, CLAIM, owners)), Err(Rejection::DelegationExceeds(_))));
    assert!(admin.try_change(map(world.issuer, ClaimId([8; 16]), world.group)).is_ok());
    assert_eq!(admin.try_change(map(world.issuer, CLAIM, world.group)), Ok(vec![]), "already so");
    let nowhere = IssuerId([1; 16]);
    assert_eq!(admin.try_change(map(nowhere, CLAIM, world.group)), Err(Rejection::IssuerNotFound(nowhere)));
    let nobody = GroupId([1; 16]);
    assert_eq!(admin.try_change(map(world.issuer, CLAIM, nobody)), Err(Rejection::GroupNotFound(nobody)));
    let (editor, _) = world.acme.key_for(Role::Editor);
    assert_eq!(world.acme.by(editor).try_change(trust("x")), Err(Rejection::Forbidden(Action::ManageAccess)));
    world.acme.accept(map(world.issuer, CLAIM, owners));
    let admin = world.acme.by(admin.caller());
    let distrust = Change::DistrustIssuer { issuer: world.issuer };
    assert!(matches!(admin.try_change(distrust), Err(Rejection::DelegationExceeds(_))));
    let system = Story::of_system();
    assert!(matches!(system.try_change(trust("x")), Err(Rejection::NotInThisLedger(_))));
}
