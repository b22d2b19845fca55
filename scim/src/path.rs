//! Paths of attributes (RFC 7644, sections 3.5.2 and 3.10): `userName`, `name.givenName`, with or without the schema's URN
//! before them, and in patches `emails[type eq "work"].value`.

use crate::filter::{self, Filter};
use crate::schema::{Attribute, ResourceType, Schema, named};
use crate::{Error, Kind};

/// An attribute of a resource, or of a value of one of its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The extension that it is of.
    pub extension: Option<&'static Schema>,
    /// Which.
    pub attribute: &'static Attribute,
    /// Which of its own attributes.
    pub sub: Option<&'static Attribute>,
}

/// Where attributes are looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope {
    /// In a resource.
    Resource(&'static ResourceType),
    /// In one value of an attribute.
    Value(&'static Attribute),
}

impl Scope {
    /// What a word means; none if nothing.
    pub(crate) fn find(self, word: &str) -> Option<At> {
        let kind = match self {
            Self::Value(of) => return Some(At { extension: None, attribute: named(of.subs, word)?, sub: None }),
            Self::Resource(kind) => kind,
        };
        let after = |urn: &str| {
            let (head, rest) = word.split_at_checked(urn.len())?;
            rest.strip_prefix(':').filter(|_| head.eq_ignore_ascii_case(urn))
        };
        let extended = kind.extensions.iter().find_map(|schema| Some((schema, after(schema.id)?)));
        let (extension, rest) = match extended {
            Some((schema, rest)) => (Some(schema), rest),
            None => (None, after(kind.core.id).unwrap_or(word)),
        };
        let (name, sub) = rest.split_once('.').map_or((rest, None), |(name, sub)| (name, Some(sub)));
        let attribute = match extension {
            Some(schema) => named(schema.attributes, name)?,
            None => kind.attribute(name)?,
        };
        let sub = match sub {
            Some(sub) => Some(named(attribute.subs, sub)?),
            None => None,
        };
        Some(At { extension, attribute, sub })
    }
}

/// What a patch changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// All of an extension.
    Extension(&'static Schema),
    /// An attribute, or some of its values.
    Attribute(At, Option<Filter>),
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// It leads nowhere, or its filter can't be read.
    pub fn read(kind: &'static ResourceType, text: &str) -> Result<Self, Error> {
        let nowhere = || Error::new(Kind::InvalidPath, "the path leads to no attribute");
        let text = text.trim();
        if let Some(schema) = kind.extension(text) {
            return Ok(Self::Extension(schema));
        }
        let Some((word, rest)) = text.split_once('[') else {
            return Scope::Resource(kind).find(text).map(|at| Self::Attribute(at, None)).ok_or_else(nowhere);
        };
        let at = Scope::Resource(kind).find(word.trim_end()).filter(|at| at.sub.is_none()).ok_or_else(nowhere)?;
        if !at.attribute.many {
            return Err(Error::new(Kind::InvalidPath, "only an attribute with many values takes a filter"));
        }
        let (filter, rest) = filter::within(at.attribute, rest)?;
        let sub = match rest.strip_prefix('.') {
            Some(sub) => Some(named(at.attribute.subs, sub).ok_or_else(nowhere)?),
            None if rest.is_empty() => None,
            None => return Err(nowhere()),
        };
        Ok(Self::Attribute(At { sub, ..at }, Some(filter)))
    }
}
