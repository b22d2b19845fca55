//! Tokens as evidence: what a ledger has said of issuers and of revoked sessions, and what a commit's token must have been.
//!
//! A signature is not kept, so whether a token was made by its issuer at all can't be seen here; but what it claims must be
//! what the tenant believed at that index, and the same token says the same every time.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use promptory_events::event::{Event, Session, UserAttribute};
use promptory_events::{ClaimId, GroupId, IssuerId, NameId, PrincipalId, Timestamp, TokenEvidence, TokenHash, limits};

/// What has been said.
#[derive(Debug, Default)]
pub(super) struct TokenFacts {
    /// Those that are trusted, and what their groups mean.
    issuers: HashMap<IssuerId, BTreeMap<ClaimId, GroupId>>,
    /// Those whose tokens are of users of the directory, and by what of them.
    linked: HashMap<IssuerId, UserAttribute>,
    /// What tokens may name the users of the directory by: `userName` and `externalId`.
    users: HashMap<PrincipalId, (NameId, Option<NameId>)>,
    revoked_before: HashMap<PrincipalId, Timestamp>,
    revoked: HashSet<TokenHash>,
    /// What tokens said that have not ended by their age: who, by whom, from when, until when.
    seen: HashMap<TokenHash, Said>,
}

type Said = (Who, IssuerId, Timestamp, Timestamp);

/// Whom a token names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Subject(PrincipalId),
    User(NameId),
}

impl TokenFacts {
    /// What the groups of an issuer mean; nothing if it is not trusted.
    pub fn meaning(&self, issuer: IssuerId) -> impl Iterator<Item = GroupId> + '_ {
        self.issuers.get(&issuer).into_iter().flat_map(|claims| claims.values().copied())
    }

    /// What a group of an issuer means.
    pub fn group(&self, issuer: IssuerId, claim: ClaimId) -> Option<GroupId> {
        self.issuers.get(&issuer)?.get(&claim).copied()
    }

    /// The groups that an actor is in by the word of its token at a time; why it is not to be believed.
    pub fn check(
        &mut self,
        actor: PrincipalId,
        token: &TokenEvidence,
        at: Timestamp,
    ) -> Result<BTreeSet<GroupId>, String> {
        let said = |what: &str| format!("it rests on a token {what}");
        let claims = self.issuers.get(&token.issuer).ok_or_else(|| said("of an issuer that was not trusted"))?;
        let (skew, age) = (limits::TOKEN_SKEW_MAX_MS, limits::TOKEN_AGE_MAX_MS);
        if token.issued_at > at.plus_ms(skew) {
            return Err(said("that was not issued yet"));
        }
        if token.expires_at.plus_ms(skew) <= at {
            return Err(said("that had expired"));
        }
        if token.issued_at.plus_ms(age + skew) <= at {
            return Err(said("that was too old"));
        }
        if self.revoked.contains(&token.token) {
            return Err(said("that was revoked"));
        }
        if self.revoked_before.get(&actor).is_some_and(|before| token.issued_at < *before) {
            return Err(said("of a session that was revoked"));
        }
        let named = self.linked.get(&token.issuer).map(|attribute| token.user.map(|user| (*attribute, user)));
        match named {
            None if token.user.is_none() => {}
            Some(Some(named)) if self.is_called(actor, named) => {}
            _ => return Err(said("of another user of the directory, or of none")),
        }
        let meant = |claim| claims.get(claim).copied().ok_or_else(|| said("whose groups meant nothing here"));
        let groups = token.claims.iter().map(meant).collect::<Result<_, _>>()?;
        self.same_as_before(actor, token, at).map(|()| groups)
    }

    fn is_called(&self, user: PrincipalId, (attribute, name): (UserAttribute, NameId)) -> bool {
        self.users.get(&user).is_some_and(|names| match attribute {
            UserAttribute::UserName => names.0 == name,
            UserAttribute::ExternalId => names.1 == Some(name),
        })
    }

    fn same_as_before(&mut self, actor: PrincipalId, token: &TokenEvidence, at: Timestamp) -> Result<(), String> {
        let who = token.user.map_or(Who::Subject(actor), Who::User);
        let now = (who, token.issuer, token.issued_at, token.expires_at);
        if self.seen.len() > 10_000 {
            let until = |said: &Said| said.2.plus_ms(limits::TOKEN_AGE_MAX_MS + limits::TOKEN_SKEW_MAX_MS);
            self.seen.retain(|_, said| at < until(said));
        }
        match self.seen.insert(token.token, now) {
            Some(before) if before != now => Err("it rests on a token that said something else before".to_owned()),
            _ => Ok(()),
        }
    }

    /// Takes an event in.
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::IssuerTrusted(e) => drop(self.issuers.insert(e.issuer, BTreeMap::new())),
            Event::IssuerDistrusted(e) => drop(self.issuers.remove(&e.issuer)),
            Event::IssuerLinked(e) => drop(self.linked.insert(e.issuer, e.attribute)),
            Event::UserSet(e) => drop(self.users.insert(e.user, (e.name, e.external))),
            Event::UserRemoved(e) => drop(self.users.remove(&e.user)),
            Event::ClaimMapped(e) => {
                if let Some(claims) = self.issuers.get_mut(&e.issuer) {
                    claims.insert(e.claim, e.after);
                }
            }
            Event::ClaimUnmapped(e) => {
                if let Some(claims) = self.issuers.get_mut(&e.issuer) {
                    claims.remove(&e.claim);
                }
            }
            Event::SessionRevoked(e) => match e.session {
                Session::Token(token) => drop(self.revoked.insert(token)),
                Session::Before { principal, time } => {
                    let before = self.revoked_before.entry(principal).or_insert(time);
                    *before = time.max(*before);
                }
            },
            _ => {}
        }
    }
}
