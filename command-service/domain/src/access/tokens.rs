//! Callers without an API key: tokens of issuers that the tenant trusts, and tokens that open nothing any more.
//!
//! Whoever checked a token's signature says what it said ([`Token`]). Whether it opens anything is decided here, from the
//! ledger alone, so that a distrust or a revocation binds at its index.

use std::collections::BTreeMap;

use promptory_events::event::{Event, IssuerTrusted, Session, SessionRevoked, UserAttribute};
use promptory_events::{
    ClaimId, GroupId, IssuerId, IssuerUrl, NameId, PrincipalId, Term, Timestamp, TokenEvidence, TokenHash, limits,
};
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};
use serde::{Deserialize, Serialize};

/// What a token said whose signature was checked, with its subject and its groups as pseudonyms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The trust by which it was believed.
    pub issuer: IssuerId,
    /// Its subject.
    pub principal: PrincipalId,
    /// The token.
    pub hash: TokenHash,
    /// Its claim `iat`.
    pub issued_at: Timestamp,
    /// Its claim `exp`.
    pub expires_at: Timestamp,
    /// The user of the directory that it names, if its issuer's tokens are of users.
    pub user: Option<NameId>,
    /// The groups that it claims.
    pub claims: Vec<ClaimId>,
}

impl Token {
    /// Whether it is neither too old nor expired nor of the future, with some room for clocks that differ.
    #[must_use]
    pub fn is_current(&self, now: Timestamp) -> bool {
        let skew = limits::TOKEN_SKEW_MAX_MS;
        self.issued_at <= now.plus_ms(skew) && now < self.expires_at.plus_ms(skew) && now < self.oldest()
    }

    /// What is recorded of it where it was used, with the claimed groups that were.
    #[must_use]
    pub fn evidence(&self, claims: Vec<ClaimId>) -> TokenEvidence {
        let Self { issuer, hash, issued_at, expires_at, user, .. } = *self;
        TokenEvidence { issuer, token: hash, issued_at, expires_at, user, claims }
    }

    /// When its age alone ends it.
    fn oldest(&self) -> Timestamp {
        self.issued_at.plus_ms(limits::TOKEN_AGE_MAX_MS + limits::TOKEN_SKEW_MAX_MS)
    }
}

/// How long a token that is accepted at `now` can be accepted at most: so long a revocation has to be remembered.
#[must_use]
pub fn remembered_until(now: Timestamp) -> Timestamp {
    now.plus_ms(limits::TOKEN_AGE_MAX_MS + 2 * limits::TOKEN_SKEW_MAX_MS)
}

/// An issuer that is trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuer {
    /// Its address.
    pub url: IssuerUrl,
    /// For whom its tokens must be.
    pub audience: Term,
    /// Which claim has the groups.
    pub groups_claim: Term,
    /// What its groups mean here.
    pub claims: BTreeMap<ClaimId, GroupId>,
    /// How its tokens name users of the directory, if they are of users.
    pub users: Option<UserLink>,
}

/// How tokens name users of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserLink {
    /// By which claim.
    pub claim: Term,
    /// What of the user it is.
    pub attribute: UserAttribute,
}

/// Issuers and revoked tokens of one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    issuers: RedBlackTreeMapSync<IssuerId, Issuer>,
    /// Tokens of these that were issued before a time open nothing.
    before: HashTrieMapSync<PrincipalId, Timestamp>,
    /// These open nothing; until when that must be remembered.
    revoked: HashTrieMapSync<TokenHash, Timestamp>,
}

impl Tokens {
    /// The issuers that are trusted.
    #[must_use]
    pub fn issuers(&self) -> &RedBlackTreeMapSync<IssuerId, Issuer> {
        &self.issuers
    }

    /// Whether a token opens anything for a principal at a time.
    #[must_use]
    pub fn opens(&self, token: &Token, principal: PrincipalId, now: Timestamp) -> bool {
        let trusted = self.issuers.contains_key(&token.issuer);
        let before = self.before.get(&principal).is_some_and(|time| token.issued_at < *time);
        trusted && !before && !self.revoked.contains_key(&token.hash) && token.is_current(now)
    }

    /// The groups that a token claims and that mean something, each with the claim.
    pub fn groups<'a>(&'a self, token: &'a Token) -> impl Iterator<Item = (ClaimId, GroupId)> + use<'a> {
        let issuer = self.issuers.get(&token.issuer);
        issuer.into_iter().flat_map(|issuer| {
            token.claims.iter().filter_map(|claim| issuer.claims.get(claim).map(|group| (*claim, *group)))
        })
    }

    /// How many single tokens are revoked that are not too old anyway.
    #[must_use]
    pub fn revoked_count(&self, now: Timestamp) -> usize {
        self.revoked.values().filter(|until| now < **until).count()
    }

    /// Whether tokens of a principal from before a time are revoked already, or this one is.
    #[must_use]
    pub fn is_revoked(&self, session: Session) -> bool {
        match session {
            Session::Before { principal, time } => self.before.get(&principal).is_some_and(|before| time <= *before),
            Session::Token(token) => self.revoked.contains_key(&token),
        }
    }

    /// Tokens of a principal that were issued before this time open nothing; `None`: none was revoked so.
    #[must_use]
    pub fn revoked_before(&self, principal: PrincipalId) -> Option<Timestamp> {
        self.before.get(&principal).copied()
    }

    /// Trusts an issuer, with what its groups mean.
    pub fn trust(&mut self, id: IssuerId, issuer: Issuer) {
        self.issuers.insert_mut(id, issuer);
    }

    /// What a group of an issuer means. False: the issuer is not trusted.
    pub fn map(&mut self, issuer: IssuerId, claim: ClaimId, group: GroupId) -> bool {
        self.change(issuer, |claims| {
            claims.insert(claim, group);
        })
    }

    /// How an issuer's tokens name users. False: the issuer is not trusted.
    pub fn link(&mut self, issuer: IssuerId, link: UserLink) -> bool {
        self.change_issuer(issuer, |issuer| issuer.users = Some(link))
    }

    fn change(&mut self, issuer: IssuerId, change: impl FnOnce(&mut BTreeMap<ClaimId, GroupId>)) -> bool {
        self.change_issuer(issuer, |issuer| change(&mut issuer.claims))
    }

    fn change_issuer(&mut self, issuer: IssuerId, change: impl FnOnce(&mut Issuer)) -> bool {
        let Some(found) = self.issuers.get(&issuer) else { return false };
        let mut changed = found.clone();
        change(&mut changed);
        self.issuers.insert_mut(issuer, changed);
        true
    }

    /// Revokes tokens; those that are too old by now are forgotten.
    pub fn revoke(&mut self, revoked: &SessionRevoked) {
        match revoked.session {
            Session::Before { principal, time } => {
                let before = self.before.get(&principal).map_or(time, |before| time.max(*before));
                self.before.insert_mut(principal, before);
            }
            Session::Token(token) => self.revoked.insert_mut(token, revoked.until),
        }
        // When this was recorded; nobody else needs the clock for it.
        let now = revoked.until.plus_ms(-(limits::TOKEN_AGE_MAX_MS + 2 * limits::TOKEN_SKEW_MAX_MS));
        let over: Vec<TokenHash> =
            self.revoked.iter().filter(|(_, until)| **until <= now).map(|(token, _)| *token).collect();
        for token in over {
            self.revoked.remove_mut(&token);
        }
    }

    /// Takes an event in; `None`: it is not about tokens. False: it contradicts what is there.
    #[must_use]
    pub(super) fn evolve(&mut self, event: &Event) -> Option<bool> {
        Some(match event {
            Event::IssuerTrusted(e) => {
                let new = !self.issuers.contains_key(&e.issuer);
                self.trust(e.issuer, Issuer::new(e));
                new
            }
            Event::IssuerDistrusted(e) => self.issuers.remove_mut(&e.issuer),
            Event::IssuerLinked(e) => self.link(e.issuer, UserLink { claim: e.claim.clone(), attribute: e.attribute }),
            Event::ClaimMapped(e) => self.map(e.issuer, e.claim, e.after),
            Event::ClaimUnmapped(e) => self.change(e.issuer, |claims| {
                claims.remove(&e.claim);
            }),
            Event::SessionRevoked(e) => {
                self.revoke(e);
                true
            }
            _ => return None,
        })
    }
}

impl Issuer {
    /// One whose groups mean nothing yet.
    #[must_use]
    pub fn new(trusted: &IssuerTrusted) -> Self {
        Self {
            url: trusted.url.clone(),
            audience: trusted.audience.clone(),
            groups_claim: trusted.groups_claim.clone(),
            claims: BTreeMap::new(),
            users: None,
        }
    }
}
