//! A token of an OpenID Connect issuer, as a caller shows it: not checked, and never shown again.

use std::fmt;
use std::sync::Arc;

use promptory_events::{TenantId, TokenHash, limits};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A token and the tenant that it was shown for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BearerToken {
    /// Which tenant its caller named.
    pub tenant: TenantId,
    /// Which token it is: a hash of what its issuer signed. Some signatures can be written in two ways, which makes no other
    /// token of it.
    pub hash: TokenHash,
    /// SHA-256 of all of it, the signature too: what was checked once need not be checked again.
    pub whole: [u8; 32],
    text: Arc<str>,
}

impl BearerToken {
    /// A text of three parts with points between them; `None` for another, or one that is too long.
    #[must_use]
    pub fn new(tenant: TenantId, text: &str) -> Option<Self> {
        let (signed, _) = text.rsplit_once('.')?;
        if text.len() > limits::TOKEN_MAX_BYTES || signed.split('.').count() != 2 {
            return None;
        }
        let hash = TokenHash(Sha256::digest(signed).into());
        Some(Self { tenant, hash, whole: Sha256::digest(text).into(), text: text.into() })
    }

    /// The token: to be checked, and for nothing else.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BearerToken({}, {})", self.tenant, self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_three_parts_and_another_signature_is_no_other_token() {
        let read = |text: &str| BearerToken::new("acme".parse().unwrap(), text);
        let (one, other) = (read("a.b.c").unwrap(), read("a.b.d").unwrap());
        assert_eq!(one.hash, other.hash);
        assert_ne!(one.whole, other.whole);
        assert!(!format!("{one:?}").contains("a.b"));
        let long = format!("a.{}.c", "b".repeat(limits::TOKEN_MAX_BYTES));
        for bad in ["", "a", "a.b", "a.b.c.d", long.as_str()] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }
}
