//! Users of the directory: what is accepted holds, and whoever acts while he is kept out, or as another user, is found.

use promptory_domain::access::Token;
use promptory_domain::{SetUser, UserSaid};
use promptory_events::event::UserAttribute;
use promptory_events::{IssuerId, NameId, TokenHash};

use super::tokens::trust;
use super::*;

pub(super) const ADA: NameId = NameId([1; 16]);
const BOB: NameId = NameId([2; 16]);

/// acme with an owner, and two users by what the tokens of a linked issuer call them.
struct Directory {
    system: Book,
    acme: Book,
    owner: Presented,
    issuer: IssuerId,
    ada: PrincipalId,
    bob: PrincipalId,
}

pub(super) fn set(user: Option<PrincipalId>, name: NameId, active: bool) -> Change {
    let said = UserSaid { name, external: None, active, profile: material("profile").sealed };
    Change::SetUser(Box::new(SetUser { user, expected: None, said: Some(said) }))
}

fn directory() -> Directory {
    let (system, operator) = Book::system();
    let (mut acme, owner) = Book::acme(&operator);
    let events = acme.by(&owner, trust());
    let [Event::IssuerTrusted(trusted)] = &events[..] else { panic!("{events:?}") };
    let issuer = trusted.issuer;
    let (claim, attribute) = ("sub".parse().unwrap(), UserAttribute::UserName);
    acme.by(&owner, Change::LinkIssuer { issuer, claim, attribute });
    let mut user = |name| {
        let events = acme.by(&owner, set(None, name, true));
        let [Event::PrincipalAdded(added), ..] = &events[..] else { panic!("{events:?}") };
        let (to, role, prefix) = (Subject::Principal(added.principal), Role::Editor.into(), Prefix::tenant());
        acme.by(&owner, Change::GrantRole { to, role, prefix, expires_at: None });
        added.principal
    };
    let (ada, bob) = (user(ADA), user(BOB));
    Directory { system, acme, owner, issuer, ada, bob }
}

impl Directory {
    fn token(&self, user: NameId) -> Presented {
        Presented::Token(Token {
            issuer: self.issuer,
            principal: PrincipalId([77; 16]),
            hash: TokenHash([9; 32]),
            issued_at: self.acme.now,
            expires_at: self.acme.now.plus_ms(300_000),
            user: Some(user),
            claims: vec![],
        })
    }

    /// What somebody with a pen writes by evidence that was right once.
    fn forge(&mut self, actor: PrincipalId, evidence: Evidence) -> u64 {
        let (prompt, _) = self.acme.tenant.prompt(&at("team/greet")).unwrap();
        let event = Event::TagsSet(promptory_events::event::TagsSet { prompt, before: vec![], after: vec![] });
        self.acme.write(header(actor, evidence), vec![event])
    }

    /// The evidence of the last commit.
    fn evidence(&self) -> Evidence {
        let batch = Batch::parse(self.acme.batches.last().unwrap().clone()).unwrap();
        let (_, commit) = batch.indexed().last().unwrap();
        commit.header.evidence.clone()
    }
}

#[test]
fn what_users_were_allowed_holds_until_they_are_kept_out() {
    let mut directory = directory();
    let token = directory.token(ADA);
    directory.acme.by(&token, create("team/greet"));
    let evidence = directory.evidence();
    let Directory { acme, owner, ada, .. } = &mut directory;
    acme.by(owner, set(Some(*ada), ADA, false));
    assert!(violations(&directory.system, &directory.acme).is_empty());
    let forged = directory.forge(directory.ada, evidence);
    found(&directory.system, &directory.acme, forged, "was a user that is not active");
}

#[test]
fn a_token_of_one_user_in_the_hand_of_another_is_found() {
    let mut directory = directory();
    let token = directory.token(ADA);
    directory.acme.by(&token, create("team/greet"));
    let forged = directory.forge(directory.bob, directory.evidence());
    found(&directory.system, &directory.acme, forged, "another user of the directory");
}
