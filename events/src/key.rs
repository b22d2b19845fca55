//! The names that people give: prompt keys, labels, branches, tags.
//!
//! A key is path-like (`team/area/name`), Unicode in NFC, spaces kept, empty segments legal, no control characters.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de};
use unicode_normalization::is_nfc;

use crate::id::PromptId;
use crate::limits;

/// Why a name is refused. The text names the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("must not be empty")]
    Empty,
    /// Over the bound.
    #[error("is {bytes} bytes long; at most {max} are allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// A control character, which no URL, log or terminal carries safely.
    #[error("holds the control character U+{0:04X}; percent-encode it")]
    Control(u32),
    /// Two spellings of one name must not be two names.
    #[error("is not in Unicode normalization form NFC; normalize it first")]
    NotNfc,
    /// It has the form of a prompt id, so a path could not tell which is meant.
    #[error("has the form of a prompt id, which a key may not have")]
    LooksLikeId,
    /// A claimed author that could be a name or an address.
    #[error("may only hold A-Z, a-z, 0-9, '.', '_', ':' and '-': a pseudonym, not a name or an address")]
    AuthorForm,
    /// A label or branch with a character that is not allowed.
    #[error("may only hold a-z, 0-9, '.', '_' and '-', beginning with a letter or digit")]
    LabelForm,
    /// A prefix that would not cover whole segments, or lies too deep.
    #[error("must be empty or end with `/`, with at most {} segments", limits::PREFIX_SEGMENTS_MAX)]
    PrefixForm,
    /// The name of a role that everybody has.
    #[error("is the name of a built-in role; choose another")]
    BuiltInRole,
    /// No address of an issuer.
    #[error("must be `https://`, a host, perhaps a port and a path, as the issuer's tokens have it")]
    IssuerForm,
    /// Blanks or other than ASCII.
    #[error("may only have visible ASCII characters, and no blanks")]
    TermForm,
}

pub(crate) fn check(text: &str, max: usize) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > max {
        return Err(NameError::TooLong { bytes: text.len(), max });
    }
    if let Some(c) = text.chars().find(|c| c.is_control()) {
        return Err(NameError::Control(u32::from(c)));
    }
    if is_nfc(text) { Ok(()) } else { Err(NameError::NotNfc) }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name!(
    /// A prompt's path-like, unique, renameable name.
    PromptKey
);
name!(
    /// A pointer to a version: `production`. `latest` is reserved: it always means the newest version of `main`.
    Label
);
name!(
    /// A named line of versions inside a prompt. Every prompt has `main`; the form is that of a label.
    Branch
);
name!(
    /// A word that groups prompts.
    Tag
);

impl FromStr for PromptKey {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check(text, limits::KEY_MAX_BYTES)?;
        if text.parse::<PromptId>().is_ok() {
            return Err(NameError::LooksLikeId);
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Tag {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check(text, limits::TAG_MAX_BYTES)?;
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Label {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        plain(text).map(Self)
    }
}

impl FromStr for Branch {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        plain(text).map(Self)
    }
}

/// A name in the form of a label.
fn plain(text: &str) -> Result<String, NameError> {
    check(text, limits::LABEL_MAX_BYTES)?;
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    let starts = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if starts && text.bytes().all(legal) { Ok(text.to_owned()) } else { Err(NameError::LabelForm) }
}

impl Branch {
    /// The branch that every prompt has from its first version on.
    pub const MAIN: &'static str = "main";

    /// The branch that every prompt has.
    #[must_use]
    pub fn main() -> Self {
        Self(Self::MAIN.to_owned())
    }

    /// Whether this is the branch that every prompt has.
    #[must_use]
    pub fn is_main(&self) -> bool {
        self.0 == Self::MAIN
    }
}

impl Label {
    /// The reserved label that always means the newest version of `main`.
    pub const LATEST: &'static str = "latest";

    /// Whether this is the reserved label.
    #[must_use]
    pub fn is_latest(&self) -> bool {
        self.0 == Self::LATEST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_what_real_data_has() {
        for good in ["a", "prompts.csv#AI Assisted Doctor", "a//b", " a ", "下棋", "prompts.csv#a%0Ab"] {
            assert_eq!(good.parse::<PromptKey>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn keys_refuse_what_cannot_be_told_apart_or_shown() {
        let id = PromptId([1; 16]).to_string();
        assert_eq!(id.parse::<PromptKey>(), Err(NameError::LooksLikeId));
        assert_eq!("a\nb".parse::<PromptKey>(), Err(NameError::Control(10)));
        assert_eq!("e\u{301}".parse::<PromptKey>(), Err(NameError::NotNfc));
        assert_eq!("".parse::<PromptKey>(), Err(NameError::Empty));
        let long = "a".repeat(limits::KEY_MAX_BYTES + 1);
        assert!(matches!(long.parse::<PromptKey>(), Err(NameError::TooLong { .. })));
    }

    #[test]
    fn labels_are_plain() {
        assert!("production".parse::<Label>().is_ok());
        assert!("v1.2-rc_3".parse::<Label>().is_ok());
        assert!("Production".parse::<Label>().is_err());
        assert!("-x".parse::<Label>().is_err());
        assert!("latest".parse::<Label>().unwrap().is_latest());
        assert!("main".parse::<Branch>().unwrap().is_main());
        assert!("try/it".parse::<Branch>().is_err());
    }
}
