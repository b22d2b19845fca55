//! What a tenant says of an issuer of tokens: its address, an audience, the name of a claim. No secret and no name of a
//! person, so they are plain.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de};

use crate::key::NameError;
use crate::limits;

/// An issuer's address: `https://`, a host, perhaps a port and a path; no user, query or fragment. On the machine itself
/// `http://` is a form, too, which a server has to allow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct IssuerUrl(String);

impl IssuerUrl {
    /// The text, as tokens have it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is reached without TLS, on the machine itself.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }
}

/// Whether an address begins with `http://` and a name of the machine itself.
#[must_use]
pub fn is_loopback(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let host = host.map_or(authority, |(host, _)| host);
    matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

impl FromStr for IssuerUrl {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        visible(text)?;
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://").filter(|_| is_loopback(text)));
        let host = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let host_is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
        let plain = !host.is_empty() && host.bytes().all(host_is_plain) && !text.contains(['?', '#', '\\']);
        if plain { Ok(Self(text.to_owned())) } else { Err(NameError::IssuerForm) }
    }
}

impl<'de> Deserialize<'de> for IssuerUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An audience or the name of a claim: visible ASCII without blanks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Term(String);

impl Term {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Term {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        visible(text).map(|()| Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Term {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn visible(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > limits::ISSUER_MAX_BYTES {
        return Err(NameError::TooLong { bytes: text.len(), max: limits::ISSUER_MAX_BYTES });
    }
    if text.bytes().all(|b| b.is_ascii_graphic()) { Ok(()) } else { Err(NameError::TermForm) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_reached_by_tls_or_on_the_machine_itself() {
        for good in ["https://id.example", "https://id.example:8443/realms/a", "http://127.0.0.1:9", "http://[::1]:9/x"]
        {
            assert_eq!(good.parse::<IssuerUrl>().unwrap().is_loopback(), good.starts_with("http:"), "{good}");
        }
        for bad in [
            "",
            "id.example",
            "http://id.example",
            "http://127.0.0.1.evil.example",
            "http://localhost@evil.example",
            "https://user@id.example",
            "https://id.example?x",
            "https://id.example/#x",
            "https://",
            "https:///path",
            "https://id.example/a b",
            "ftp://id.example",
        ] {
            assert!(bad.parse::<IssuerUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_term_is_visible() {
        assert!("api://3f2a/groups".parse::<Term>().is_ok());
        for bad in ["", "a b", "é", "a\n"] {
            assert!(bad.parse::<Term>().is_err(), "{bad}");
        }
    }
}
