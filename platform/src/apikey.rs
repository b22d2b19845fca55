//! API keys: `pk_<tenant>_<key id>_<secret>`. Only a hash of the secret is ever stored.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use promptory_events::{KeyId, TenantId};
use sha2::{Digest, Sha256};

use crate::token::BearerToken;

/// A whole API key. Its `Debug` and logs never show the secret; [`ApiKey::reveal`] does, once, to its owner.
#[derive(Clone)]
pub struct ApiKey {
    /// The tenant it belongs to.
    pub tenant: TenantId,
    /// Its public part.
    pub key: KeyId,
    secret: Secret,
}

/// The secret part: 32 random bytes.
#[derive(Clone)]
pub struct Secret([u8; 32]);

/// What a caller showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presented {
    /// An API key, safe to pass on: the secret is hashed already.
    ApiKey {
        /// The tenant that the key names.
        tenant: TenantId,
        /// Its public part.
        key: KeyId,
        /// SHA-256 of its secret.
        secret_hash: [u8; 32],
    },
    /// A token of an issuer. Nobody has checked it yet.
    Token(BearerToken),
}

impl Presented {
    /// The tenant that it is for.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        match self {
            Self::ApiKey { tenant, .. } => tenant,
            Self::Token(token) => &token.tenant,
        }
    }
}

/// The text has not the form of an API key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an API key has the form pk_<tenant>_<key id>_<secret>")]
pub struct ApiKeyError;

impl Secret {
    /// A new random secret.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// SHA-256 of the secret: with 256 random bits behind it, a fast hash is enough.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

impl ApiKey {
    /// A key from its parts.
    #[must_use]
    pub fn new(tenant: TenantId, key: KeyId, secret: Secret) -> Self {
        Self { tenant, key, secret }
    }

    /// The whole key as text, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> String {
        let secret = BASE32_NOPAD.encode(&self.secret.0).to_ascii_lowercase();
        format!("pk_{}_{}_{secret}", self.tenant, self.key)
    }

    /// What is passed on of it.
    #[must_use]
    pub fn presented(&self) -> Presented {
        Presented::ApiKey { tenant: self.tenant.clone(), key: self.key, secret_hash: self.secret_hash() }
    }

    /// SHA-256 of its secret.
    #[must_use]
    pub fn secret_hash(&self) -> [u8; 32] {
        self.secret.hash()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pk_{}_{}_…", self.tenant, self.key)
    }
}

impl FromStr for ApiKey {
    type Err = ApiKeyError;

    fn from_str(text: &str) -> Result<Self, ApiKeyError> {
        // From the right: `_system` holds an underscore itself.
        let mut parts = text.strip_prefix("pk_").ok_or(ApiKeyError)?.rsplitn(3, '_');
        let (secret, key, tenant) = (parts.next(), parts.next(), parts.next());
        let secret = secret.and_then(decode_secret).ok_or(ApiKeyError)?;
        let key = key.and_then(|k| k.parse().ok()).ok_or(ApiKeyError)?;
        let tenant = tenant.and_then(|t| t.parse().ok()).ok_or(ApiKeyError)?;
        Ok(Self { tenant, key, secret: Secret(secret) })
    }
}

/// Without an allocation: every request comes through here.
fn decode_secret(text: &str) -> Option<[u8; 32]> {
    let mut upper: [u8; 52] = text.as_bytes().try_into().ok()?; // 256 bits, 5 in each character
    upper.make_ascii_uppercase();
    let mut secret = [0; 32];
    BASE32_NOPAD.decode_mut(&upper, &mut secret).ok().map(|_| secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_hides_its_secret() {
        for tenant in ["acme", "_system", "a-b"] {
            let key = ApiKey::new(tenant.parse().unwrap(), KeyId([3; 8]), Secret::random().unwrap());
            let again: ApiKey = key.reveal().parse().unwrap();
            assert_eq!(again.presented(), key.presented());
            assert!(!format!("{key:?}").contains(&key.reveal()[30..]));
        }
        for bad in ["", "pk_", "pk_acme_x_y", "pk_acme_0303030303030303_", "sk_acme_0303030303030303_aa"] {
            assert!(bad.parse::<ApiKey>().is_err(), "{bad}");
        }
    }
}
