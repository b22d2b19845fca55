//! Why a request is refused, in the words that RFC 7644 (section 3.12) has for it.

/// What is wrong: the RFC's `scimType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A filter that can't be read or that nothing here can answer.
    InvalidFilter,
    /// A body of another shape.
    InvalidSyntax,
    /// A path that leads nowhere.
    InvalidPath,
    /// A patch that found nothing to change.
    NoTarget,
    /// A value of another type or form, or one that is missing.
    InvalidValue,
    /// An attribute that nobody but the server sets.
    Mutability,
    /// More than are looked through.
    TooMany,
    /// A name that somebody else has.
    Uniqueness,
}

impl Kind {
    /// The word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::Mutability => "mutability",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
        }
    }
}

/// Why a request is refused. Never says a value: those are names of people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Error {
    /// What is wrong.
    pub kind: Kind,
    /// The same for a reader.
    pub detail: String,
}

impl Error {
    /// Of a kind.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    pub(crate) fn value(attribute: &str, must: &str) -> Self {
        Self::new(Kind::InvalidValue, format!("`{attribute}` {must}"))
    }
}
