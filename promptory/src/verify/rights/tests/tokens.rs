//! Tokens as evidence: what is accepted holds, and what somebody with a pen makes of it is found.

use promptory_domain::access::Token;
use promptory_events::event::{Session, UserAttribute};
use promptory_events::{ClaimId, IssuerId, TokenEvidence, TokenHash, limits};

use super::directory::{ADA, set};
use super::*;

const EDITORS: ClaimId = ClaimId([7; 16]);
const SUBJECT: PrincipalId = PrincipalId([77; 16]);

/// acme, which trusts an issuer whose `EDITORS` are a group with that role, and has a group of owners besides.
struct Identity {
    system: Book,
    acme: Book,
    owner: Presented,
    issuer: IssuerId,
    editors: u64,
    owners: u64,
}

pub(super) fn trust() -> Change {
    Change::TrustIssuer {
        url: "https://id.example".parse().unwrap(),
        audience: "promptory".parse().unwrap(),
        groups_claim: "groups".parse().unwrap(),
    }
}

fn identity() -> Identity {
    let (system, operator) = Book::system();
    let (mut acme, owner) = Book::acme(&operator);
    let events = acme.by(&owner, trust());
    let [Event::IssuerTrusted(trusted)] = &events[..] else { panic!("{events:?}") };
    let issuer = trusted.issuer;
    let mut group = |role: Role| {
        let events = acme.by(&owner, Change::CreateGroup { name: None });
        let [Event::GroupCreated(created)] = &events[..] else { panic!("{events:?}") };
        let (to, prefix) = (Subject::Group(created.group), Prefix::tenant());
        acme.by(&owner, Change::GrantRole { to, role: role.into(), prefix, expires_at: None });
        (created.group, acme.next() - 1)
    };
    let (editors_group, editors) = group(Role::Editor);
    let (_, owners) = group(Role::Owner);
    let value = material("editors").sealed;
    acme.by(&owner, Change::MapClaim { issuer, claim: EDITORS, value, group: editors_group });
    Identity { system, acme, owner, issuer, editors, owners }
}

impl Identity {
    fn token(&self, byte: u8) -> Token {
        Token {
            issuer: self.issuer,
            principal: SUBJECT,
            hash: TokenHash([byte; 32]),
            issued_at: self.acme.now,
            expires_at: self.acme.now.plus_ms(300_000),
            user: None,
            claims: vec![EDITORS],
        }
    }

    /// Writes a change of tags that rests on a token, whatever `decide` thinks of it.
    fn forge(&mut self, token: &Token, claims: &[ClaimId], grants: &[u64]) -> u64 {
        let credential = Credential::Token(TokenEvidence {
            issuer: token.issuer,
            token: token.hash,
            issued_at: token.issued_at,
            expires_at: token.expires_at,
            user: None,
            claims: claims.to_vec(),
        });
        let header = header(token.principal, Evidence { credential, grants: grants.to_vec() });
        let (prompt, _) = self.acme.tenant.prompt(&at("team/greet")).unwrap();
        let event = Event::TagsSet(promptory_events::event::TagsSet { prompt, before: vec![], after: vec![] });
        self.acme.write(header, vec![event])
    }

    fn found(&self, index: u64, what: &str) {
        found(&self.system, &self.acme, index, what);
    }
}

/// With a prompt that a token has written.
fn written() -> (Identity, Token) {
    let mut identity = identity();
    let token = identity.token(1);
    identity.acme.by(&Presented::Token(token.clone()), create("team/greet"));
    (identity, token)
}

#[test]
fn what_tokens_were_allowed_holds() {
    let (mut identity, token) = written();
    let Identity { system, acme, owner, issuer, .. } = &mut identity;
    acme.by(&Presented::Token(token.clone()), add("team/greet"));
    acme.by(owner, Change::AddPrincipal { principal: SUBJECT, name: None });
    acme.by(&Presented::Token(token.clone()), Change::RevokeSession { session: Session::Token(token.hash) });
    acme.by(owner, Change::RevokeSession { session: Session::Before { principal: SUBJECT, time: acme.now } });
    acme.by(owner, Change::UnmapClaim { issuer: *issuer, claim: EDITORS });
    acme.by(owner, Change::DistrustIssuer { issuer: *issuer });
    assert_eq!(violations(system, acme), []);
}

#[test]
fn the_same_token_may_name_another_once_its_issuer_is_linked_or_trusted_anew() {
    let (mut identity, token) = written();
    let Identity { acme, owner, issuer, .. } = &mut identity;
    let (claim, attribute) = ("login".parse().unwrap(), UserAttribute::UserName);
    acme.by(owner, Change::LinkIssuer { issuer: *issuer, claim, attribute });
    acme.by(owner, set(None, ADA, true));
    acme.by(&Presented::Token(Token { user: Some(ADA), ..token.clone() }), add("team/greet"));

    acme.by(owner, Change::DistrustIssuer { issuer: *issuer });
    let events = acme.by(owner, trust());
    let [Event::IssuerTrusted(again)] = &events[..] else { panic!("{events:?}") };
    acme.by(owner, Change::AddPrincipal { principal: SUBJECT, name: None });
    let (to, prefix) = (Subject::Principal(SUBJECT), Prefix::tenant());
    acme.by(owner, Change::GrantRole { to, role: Role::Editor.into(), prefix, expires_at: None });
    let token = Token { issuer: again.issuer, claims: vec![], ..token };
    acme.by(&Presented::Token(token.clone()), add("team/greet"));
    assert_eq!(violations(&identity.system, &identity.acme), []);

    // By each way in which it was read it names one, and its times are the same by all of them.
    let other = identity.forge(&Token { principal: PrincipalId([78; 16]), ..token.clone() }, &[], &[]);
    identity.found(other, "that said something else before");
    let longer = identity.forge(&Token { expires_at: token.expires_at.plus_ms(1), ..token }, &[], &[]);
    identity.found(longer, "that said something else before");
}

#[test]
fn a_token_that_had_expired_was_too_old_or_not_yet_issued_is_found() {
    let (mut identity, token) = written();
    let editors = identity.editors;
    identity.acme.now = identity.acme.now.plus_ms(299_000);
    let still = identity.forge(&token, &[EDITORS], &[editors]);
    assert!(violations(&identity.system, &identity.acme).is_empty(), "{still} is within its time");
    identity.acme.now = token.expires_at.plus_ms(limits::TOKEN_SKEW_MAX_MS);
    let expired = identity.forge(&token, &[EDITORS], &[editors]);
    identity.found(expired, "a token that had expired");
    let long = Token { hash: TokenHash([2; 32]), expires_at: token.expires_at.plus_ms(10_000_000), ..token.clone() };
    identity.acme.now = token.issued_at.plus_ms(limits::TOKEN_AGE_MAX_MS + limits::TOKEN_SKEW_MAX_MS);
    let old = identity.forge(&long, &[EDITORS], &[editors]);
    identity.found(old, "a token that was too old");
    let issued_at = identity.acme.now.plus_ms(limits::TOKEN_SKEW_MAX_MS + 1);
    let future = Token { hash: TokenHash([3; 32]), issued_at, expires_at: issued_at.plus_ms(1000), ..token };
    let future = identity.forge(&future, &[EDITORS], &[editors]);
    identity.found(future, "a token that was not issued yet");
}

#[test]
fn a_forged_group_claim_is_found() {
    let (mut identity, token) = written();
    let (editors, owners) = (identity.editors, identity.owners);
    // By the grant of a group that he does not claim, by a claim that means nothing, and without a claim.
    let by_grant = identity.forge(&token, &[EDITORS], &[owners]);
    identity.found(by_grant, "which is not of the actor or of a group of his");
    let by_claim = identity.forge(&token, &[ClaimId([9; 16])], &[owners]);
    identity.found(by_claim, "whose groups meant nothing here");
    let without = identity.forge(&token, &[], &[editors]);
    identity.found(without, "which is not of the actor or of a group of his");
    // The claims of another issuer's token, and of one that is not trusted at all.
    let other = Token { issuer: IssuerId([9; 16]), hash: TokenHash([2; 32]), ..token.clone() };
    let other = identity.forge(&other, &[EDITORS], &[editors]);
    identity.found(other, "of an issuer that was not trusted");
    // Somebody else by the same token, or the same with more time.
    let else_ = identity.forge(&Token { principal: PrincipalId([78; 16]), ..token.clone() }, &[EDITORS], &[editors]);
    identity.found(else_, "that said something else before");
    let longer = Token { expires_at: token.expires_at.plus_ms(1), ..token };
    let longer = identity.forge(&longer, &[EDITORS], &[editors]);
    identity.found(longer, "that said something else before");
}

#[test]
fn a_revoked_session_a_distrusted_issuer_and_a_claim_that_was_unmapped_are_found() {
    let (mut identity, token) = written();
    let editors = identity.editors;
    let owner = identity.owner.clone();
    let one = Change::RevokeSession { session: Session::Token(token.hash) };
    identity.acme.by(&owner, one);
    let revoked = identity.forge(&token, &[EDITORS], &[editors]);
    identity.found(revoked, "a token that was revoked");

    let (mut identity, token) = written();
    let all = Session::Before { principal: SUBJECT, time: identity.acme.now.plus_ms(1000) };
    identity.acme.by(&owner, Change::RevokeSession { session: all });
    let revoked = identity.forge(&token, &[EDITORS], &[editors]);
    identity.found(revoked, "a token of a session that was revoked");

    let (mut identity, token) = written();
    let unmap = Change::UnmapClaim { issuer: identity.issuer, claim: EDITORS };
    identity.acme.by(&owner, unmap);
    let unmapped = identity.forge(&token, &[EDITORS], &[editors]);
    identity.found(unmapped, "whose groups meant nothing here");

    let (mut identity, token) = written();
    let distrust = Change::DistrustIssuer { issuer: identity.issuer };
    identity.acme.by(&owner, distrust);
    let distrusted = identity.forge(&token, &[EDITORS], &[editors]);
    identity.found(distrusted, "of an issuer that was not trusted");
}
