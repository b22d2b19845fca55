//! Where in the tree of keys something holds: the whole tenant, or everything below a path.
//!
//! A prefix is empty (the tenant) or ends with `/`, so `team/` covers `team/a` and never `teams/a`: whole segments, by
//! plain comparison of text.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de};

use crate::key::{NameError, check};
use crate::limits;

/// A subtree of keys: empty for the tenant, else segments that each end with `/`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Prefix(String);

impl Prefix {
    /// The whole tenant.
    #[must_use]
    pub fn tenant() -> Self {
        Self::default()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the whole tenant.
    #[must_use]
    pub fn is_tenant(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a key or another prefix, as text, lies within this one.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        path.starts_with(&self.0)
    }

    /// The folder of a key: the narrowest prefix that covers it. A prefix is its own.
    #[must_use]
    pub fn of(path: &str) -> Self {
        Self(Self::around(path).last().unwrap_or_default().to_owned())
    }

    /// Every prefix, as text, that covers a key or a prefix: the tenant first, the narrowest last.
    pub fn around(path: &str) -> impl Iterator<Item = &str> {
        let within = path.match_indices('/').take(limits::PREFIX_SEGMENTS_MAX).map(|(at, _)| &path[..=at]);
        std::iter::once("").chain(within)
    }
}

/// As text, with which a map of prefixes can be asked: the order is that of the text.
impl Borrow<str> for Prefix {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for Prefix {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Ok(Self::tenant());
        }
        check(text, limits::KEY_MAX_BYTES)?;
        if !text.ends_with('/') || text.matches('/').count() > limits::PREFIX_SEGMENTS_MAX {
            return Err(NameError::PrefixForm);
        }
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn a_prefix_covers_by_whole_segments() {
        assert!(prefix("team/").covers("team/a") && prefix("team/").covers("team/area/"));
        assert!(!prefix("team/").covers("teams/a") && !prefix("team/").covers("team"));
        assert!(prefix("").covers("anything") && prefix("").is_tenant());
        for bad in ["team", "a/b", "a\n/", &"a/".repeat(limits::PREFIX_SEGMENTS_MAX + 1)] {
            assert!(bad.parse::<Prefix>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_around_a_key_goes_from_the_tenant_to_its_folder() {
        assert_eq!(Prefix::around("a//b/c").collect::<Vec<_>>(), ["", "a/", "a//", "a//b/"]);
        assert_eq!(Prefix::around("a/b/").collect::<Vec<_>>(), ["", "a/", "a/b/"]);
        assert_eq!(
            (Prefix::of("a/b/c").as_str(), Prefix::of("a/b/").as_str(), Prefix::of("c").as_str()),
            ("a/b/", "a/b/", "")
        );
        assert_eq!(Prefix::around("greet").collect::<Vec<_>>(), [""]);
        let deep = "x/".repeat(limits::PREFIX_SEGMENTS_MAX + 9);
        assert_eq!(Prefix::around(&deep).count(), limits::PREFIX_SEGMENTS_MAX + 1, "bounded, whatever the key");
    }
}
