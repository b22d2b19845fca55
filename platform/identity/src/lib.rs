//! Who a bearer token is (OpenID Connect): which of a tenant's issuers made it, whether the signature is that issuer's, and
//! its subject and groups as pseudonyms.
//!
//! What comes out is a [`Token`]: facts. Whether it opens anything is decided from the ledger alone, by
//! `promptory_domain::access`. Only issuers that the tenant trusts are ever asked for keys.
//!
//! | module | what it holds |
//! |---|---|
//! | this one | [`Identity`]: from what was shown to a [`Token`], once for each token |
//! | `claims` | a token's text: its form, its signature, what it says |
//! | `keys` | the issuers' keys: kept, fetched again in the background, never more often than allowed |
//! | `fetch` | discovery and keys over HTTPS, within limits |
//! | `verify` | signatures, by `ring` |

mod claims;
mod fetch;
mod keys;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use promptory_domain::access::{Rights, Token};
use promptory_events::event::UserAttribute;
use promptory_events::{IssuerId, TenantId, Timestamp};
use promptory_ledger::{KeyStore, KeyStoreError, Name};
use promptory_platform::BearerToken;

use claims::Claims;
use keys::KeySets;
use promptory_domain::access::tokens::Issuer;

/// Tokens whose signature was checked and that are remembered.
const SEEN: usize = 10_000;

/// How issuers are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whether an issuer on the machine itself may do without TLS.
    pub loopback_http: bool,
    /// How long an issuer is left in peace after it was asked for its keys.
    pub refetch_after: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { loopback_http: false, refetch_after: Duration::from_secs(10) }
    }
}

/// Why a token is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No signed token.
    #[error("the token is no JSON Web Token that is signed")]
    Malformed,
    /// An algorithm that is not on the list.
    #[error("the token is signed by an algorithm that is not accepted")]
    Algorithm,
    /// A token for something else, or one that asks for more than to be shown.
    #[error("the token is of a kind that is not accepted: {0}")]
    Kind(&'static str),
    /// No issuer that the tenant trusts, or for nobody here.
    #[error("the tenant trusts no such issuer for this audience")]
    NotTrusted,
    /// The issuer has no such key.
    #[error("the token is signed by a key that its issuer does not have")]
    UnknownKey,
    /// The signature is not the issuer's.
    #[error("the signature of the token is wrong")]
    Signature,
    /// A claim that must be there, or of another form.
    #[error("the claim `{0}` of the token is missing or has another form")]
    Claim(&'static str),
    /// It claims more groups than are looked at.
    #[error("the token claims more than {} groups", promptory_events::limits::TOKEN_CLAIMS_MAX)]
    Groups,
    /// Its time has not come, or is over, or it is too old.
    #[error("the token has expired, or is older than 15 minutes, or is of the future")]
    NotCurrent,
    /// Its issuer does not give its keys now, or the tenant's keys can't be had.
    #[error("the issuer's keys can't be had now")]
    Unavailable,
}

impl Refused {
    /// Whether the same token may be believed a little later.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(self, Self::Unavailable)
    }
}

/// Checks tokens. Clones are the same.
#[derive(Clone)]
pub struct Identity {
    inner: Arc<Inner>,
}

struct Inner {
    keys: KeyStore,
    sets: KeySets,
    seen: quick_cache::sync::Cache<(TenantId, [u8; 32]), Arc<Token>>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(…)")
    }
}

impl Identity {
    /// With pseudonyms from these keys.
    #[must_use]
    pub fn new(config: Config, keys: KeyStore) -> Self {
        verify::install();
        let seen = quick_cache::sync::Cache::new(SEEN);
        Self { inner: Arc::new(Inner { keys, sets: KeySets::new(config), seen }) }
    }

    /// A token that was checked before, by a trust that still holds. Never blocks.
    #[must_use]
    pub fn seen(&self, shown: &BearerToken, rights: &Rights) -> Option<Arc<Token>> {
        let token = self.inner.seen.get(&(shown.tenant.clone(), shown.whole))?;
        // Since it was seen its issuer's tokens may have become those of users.
        let issuer = rights.tokens().issuers().get(&token.issuer)?;
        (issuer.users.is_some() == token.user.is_some()).then_some(token)
    }

    /// What a token says, once its signature was checked. May wait for its issuer, within bounds.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn check(&self, shown: &BearerToken, rights: &Rights, now: Timestamp) -> Result<Arc<Token>, Refused> {
        if let Some(token) = self.seen(shown, rights) {
            return if token.is_current(now) { Ok(token) } else { Err(Refused::NotCurrent) };
        }
        let head = claims::Head::of(shown.text())?;
        let issuers = rights.tokens().issuers();
        let trusted = issuers.iter().find(|(_, issuer)| head.is_of(issuer)).ok_or(Refused::NotTrusted)?;
        let (id, issuer) = (*trusted.0, trusted.1.clone());
        let key = self.inner.sets.find(&issuer.url, head.kid(), head.algorithm()).await?;
        let claims = Claims::verified(shown.text(), &key, head.algorithm(), &issuer, now)?;
        let token = self.named(shown, id, issuer, claims).await?;
        if !token.is_current(now) {
            return Err(Refused::NotCurrent);
        }
        let token = Arc::new(token);
        self.inner.seen.insert((shown.tenant.clone(), shown.whole), token.clone());
        Ok(token)
    }

    /// With pseudonyms in the place of names. The keys for that may have to come from a disk or from servers.
    async fn named(&self, shown: &BearerToken, id: IssuerId, issuer: Issuer, claims: Claims) -> Result<Token, Refused> {
        let (keys, tenant, hash) = (self.inner.keys.clone(), shown.tenant.clone(), shown.hash);
        let naming = tokio::task::spawn_blocking(move || {
            let principal = keys.principal(&tenant, &issuer.url, &issuer.audience, &claims.subject)?;
            let groups = claims.groups.iter().map(|group| keys.claim(&tenant, id, group));
            let kind = issuer.users.as_ref().map(|link| match link.attribute {
                UserAttribute::UserName => Name::User,
                UserAttribute::ExternalId => Name::UserExternal,
            });
            let user =
                kind.zip(claims.user.as_deref()).map(|(kind, user)| keys.name(&tenant, kind, user)).transpose()?;
            let (issued_at, expires_at) = (claims.issued_at, claims.expires_at);
            let claims = groups.collect::<Result<_, KeyStoreError>>()?;
            Ok::<_, KeyStoreError>(Token { issuer: id, principal, hash, issued_at, expires_at, user, claims })
        });
        let named = naming.await.map_err(|error| error.to_string()).and_then(|named| named.map_err(|e| e.to_string()));
        named.map_err(|error| {
            tracing::error!(error, "a token's subject could not be named");
            Refused::Unavailable
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
