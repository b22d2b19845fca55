//! Tokens as evidence: what a ledger has said of issuers and of revoked sessions, and what a commit's token must have been.
//!
//! A signature is not kept, so whether a token was made by its issuer at all can't be seen here; but what it claims must be
//! what the tenant believed at that index, and the same token says the same every time.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use promptory_events::event::{Event, Session, UserAttribute};
use promptory_events::{
    ClaimId, GroupId, IssuerId, IssuerUrl, NameId, PrincipalId, Term, Timestamp, TokenEvidence, TokenHash, limits,
};

/// What has been said.
#[derive(Debug, Default)]
pub(super) struct TokenFacts {
    /// Those that are trusted.
    issuers: HashMap<IssuerId, Trust>,
    /// What tokens may name the users of the directory by: `userName` and `externalId`.
    users: HashMap<PrincipalId, (NameId, Option<NameId>)>,
    revoked_before: HashMap<PrincipalId, Timestamp>,
    revoked: HashSet<TokenHash>,
    /// What tokens said that have not ended by their age.
    seen: HashMap<TokenHash, Said>,
}

/// How the tokens of an issuer are read.
#[derive(Debug)]
struct Trust {
    url: IssuerUrl,
    audience: Term,
    /// What its groups mean.
    claims: BTreeMap<ClaimId, GroupId>,
    /// By which claim its tokens name users of the directory, and by what of them, if they do.
    link: Option<(Term, UserAttribute)>,
}

/// What a token said, however it was read.
#[derive(Debug)]
struct Said {
    url: IssuerUrl,
    issued_at: Timestamp,
    expires_at: Timestamp,
    /// Whom it named, by each way in which it was read: an issuer that is linked, or trusted anew, may name another.
    subjects: BTreeMap<Term, PrincipalId>,
    users: BTreeMap<(Term, UserAttribute), NameId>,
}

impl TokenFacts {
    /// What the groups of an issuer mean; nothing if it is not trusted.
    pub fn meaning(&self, issuer: IssuerId) -> impl Iterator<Item = GroupId> + '_ {
        self.issuers.get(&issuer).into_iter().flat_map(|trust| trust.claims.values().copied())
    }

    /// What a group of an issuer means.
    pub fn group(&self, issuer: IssuerId, claim: ClaimId) -> Option<GroupId> {
        self.issuers.get(&issuer)?.claims.get(&claim).copied()
    }

    /// The groups that an actor is in by the word of its token at a time; why it is not to be believed.
    pub fn check(
        &mut self,
        actor: PrincipalId,
        token: &TokenEvidence,
        at: Timestamp,
    ) -> Result<BTreeSet<GroupId>, String> {
        let said = |what: &str| format!("it rests on a token {what}");
        let trust = self.issuers.get(&token.issuer).ok_or_else(|| said("of an issuer that was not trusted"))?;
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
        let named = trust.link.as_ref().map(|(_, attribute)| token.user.map(|user| (*attribute, user)));
        match named {
            None if token.user.is_none() => {}
            Some(Some(named)) if self.is_called(actor, named) => {}
            _ => return Err(said("of another user of the directory, or of none")),
        }
        let meant = |claim| trust.claims.get(claim).copied().ok_or_else(|| said("whose groups meant nothing here"));
        let groups = token.claims.iter().map(meant).collect::<Result<_, _>>()?;
        if self.seen.len() > 10_000 {
            let until = |said: &Said| said.issued_at.plus_ms(limits::TOKEN_AGE_MAX_MS + limits::TOKEN_SKEW_MAX_MS);
            self.seen.retain(|_, said| at < until(said));
        }
        let before = self.seen.entry(token.token).or_insert_with(|| Said::of(trust, token));
        if before.says(trust, actor, token) { Ok(groups) } else { Err(said("that said something else before")) }
    }

    fn is_called(&self, user: PrincipalId, (attribute, name): (UserAttribute, NameId)) -> bool {
        self.users.get(&user).is_some_and(|names| match attribute {
            UserAttribute::UserName => names.0 == name,
            UserAttribute::ExternalId => names.1 == Some(name),
        })
    }

    /// Takes an event in.
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::IssuerTrusted(e) => {
                let (url, audience) = (e.url.clone(), e.audience.clone());
                self.issuers.insert(e.issuer, Trust { url, audience, claims: BTreeMap::new(), link: None });
            }
            Event::IssuerDistrusted(e) => drop(self.issuers.remove(&e.issuer)),
            Event::IssuerLinked(e) => {
                if let Some(trust) = self.issuers.get_mut(&e.issuer) {
                    trust.link = Some((e.claim.clone(), e.attribute));
                }
            }
            Event::UserSet(e) => drop(self.users.insert(e.user, (e.name, e.external))),
            Event::UserRemoved(e) => drop(self.users.remove(&e.user)),
            Event::ClaimMapped(e) => {
                if let Some(trust) = self.issuers.get_mut(&e.issuer) {
                    trust.claims.insert(e.claim, e.after);
                }
            }
            Event::ClaimUnmapped(e) => {
                if let Some(trust) = self.issuers.get_mut(&e.issuer) {
                    trust.claims.remove(&e.claim);
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

impl Said {
    fn of(trust: &Trust, token: &TokenEvidence) -> Self {
        let (issued_at, expires_at) = (token.issued_at, token.expires_at);
        Self { url: trust.url.clone(), issued_at, expires_at, subjects: BTreeMap::new(), users: BTreeMap::new() }
    }

    /// Whether it says the same again. What it says by a way in which it was not read yet is kept.
    fn says(&mut self, trust: &Trust, actor: PrincipalId, token: &TokenEvidence) -> bool {
        let named = match (&trust.link, token.user) {
            (Some(link), Some(user)) => *self.users.entry(link.clone()).or_insert(user) == user,
            _ => *self.subjects.entry(trust.audience.clone()).or_insert(actor) == actor,
        };
        let times = (self.issued_at, self.expires_at) == (token.issued_at, token.expires_at);
        named && times && self.url == trust.url
    }
}
