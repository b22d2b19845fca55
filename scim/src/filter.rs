//! Filters (RFC 7644, section 3.4.2.2): the whole grammar, read once and judged on resources in their one form.
//!
//! An attribute that there is not and a comparison that makes no sense are refused when the filter is read. Parentheses
//! nest [`DEPTH_MAX`] deep.

mod read;

use serde_json::Value;

use crate::path::At;
use crate::schema::{Attribute, ResourceType, Type};
use crate::{Error, Object};

/// How deep parentheses may nest.
pub const DEPTH_MAX: usize = 32;

/// What a resource must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All of these.
    All(Vec<Filter>),
    /// One of these.
    Any(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
    /// With a value.
    Present(At),
    /// With a value that compares so.
    Is(At, Op, Literal),
    /// With one value of an attribute that is all this.
    Within(At, Box<Filter>),
}

/// How a value compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// The same.
    Eq,
    /// Another.
    Ne,
    /// With this in it.
    Co,
    /// Beginning with this.
    Sw,
    /// Ending with this.
    Ew,
    /// Greater.
    Gt,
    /// Greater or the same.
    Ge,
    /// Less.
    Lt,
    /// Less or the same.
    Le,
}

/// What a value is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// A text.
    Text(String),
    /// Yes or no.
    Boolean(bool),
    /// Nothing.
    Null,
}

/// Reads what is in brackets after an attribute with many values, and gives what comes after them.
pub(crate) fn within<'a>(attribute: &'static Attribute, text: &'a str) -> Result<(Filter, &'a str), Error> {
    read::within(attribute, text)
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// It can't be read, or asks for what there is not.
    pub fn read(kind: &'static ResourceType, text: &str) -> Result<Self, Error> {
        read::whole(kind, text)
    }

    /// Whether a resource is what it must be.
    #[must_use]
    pub fn matches(&self, resource: &Object) -> bool {
        match self {
            Self::All(all) => all.iter().all(|filter| filter.matches(resource)),
            Self::Any(any) => any.iter().any(|filter| filter.matches(resource)),
            Self::Not(filter) => !filter.matches(resource),
            Self::Present(at) => values(*at, resource).next().is_some(),
            Self::Within(at, filter) => {
                values(*at, resource).any(|value| value.as_object().is_some_and(|value| filter.matches(value)))
            }
            Self::Is(at, Op::Ne, literal) => !is(*at, Op::Eq, literal, resource),
            Self::Is(at, op, literal) => is(*at, *op, literal, resource),
        }
    }

    /// The text that an attribute must be the same as, wherever else the filter goes: what an index can be asked for.
    #[must_use]
    pub fn must_be(&self, name: &str) -> Option<&str> {
        match self {
            Self::All(all) => all.iter().find_map(|filter| filter.must_be(name)),
            Self::Is(At { extension: None, attribute, sub: None }, Op::Eq, Literal::Text(text))
                if attribute.name == name =>
            {
                Some(text)
            }
            _ => None,
        }
    }

    /// What a value is that is all this, if it is said attribute by attribute.
    pub(crate) fn example(&self) -> Option<Object> {
        match self {
            Self::All(all) => {
                let mut whole = Object::new();
                for filter in all {
                    whole.extend(filter.example()?);
                }
                Some(whole)
            }
            Self::Is(at, Op::Eq, literal) => {
                let value = match literal {
                    Literal::Text(text) => Value::String(text.clone()),
                    Literal::Boolean(yes) => Value::Bool(*yes),
                    Literal::Null => return None,
                };
                Some(Object::from_iter([(at.attribute.name.to_owned(), value)]))
            }
            _ => None,
        }
    }
}

/// The values of an attribute; those of one with many come one by one.
fn values(at: At, resource: &Object) -> impl Iterator<Item = &Value> {
    let holder = match at.extension {
        Some(schema) => resource.get(schema.id).and_then(Value::as_object),
        None => Some(resource),
    };
    let value = holder.and_then(|holder| holder.get(at.attribute.name));
    let all: &[Value] = match value {
        None | Some(Value::Null) => &[],
        Some(Value::Array(all)) => all,
        Some(one) => std::slice::from_ref(one),
    };
    all.iter().filter_map(move |value| match at.sub {
        Some(sub) => value.get(sub.name),
        None => Some(value),
    })
}

fn is(at: At, op: Op, literal: &Literal, resource: &Object) -> bool {
    let exact = at.sub.unwrap_or(at.attribute).exact;
    let mut all = values(at, resource);
    match literal {
        Literal::Null => op == Op::Eq && all.next().is_none(),
        Literal::Boolean(wanted) => all.any(|value| value.as_bool() == Some(*wanted)),
        Literal::Text(wanted) => all.any(|value| value.as_str().is_some_and(|text| compares(text, op, wanted, exact))),
    }
}

fn compares(text: &str, op: Op, wanted: &str, exact: bool) -> bool {
    if !exact {
        return compares(&text.to_lowercase(), op, &wanted.to_lowercase(), true);
    }
    match op {
        Op::Eq => text == wanted,
        Op::Ne => text != wanted,
        Op::Co => text.contains(wanted),
        Op::Sw => text.starts_with(wanted),
        Op::Ew => text.ends_with(wanted),
        Op::Gt => text > wanted,
        Op::Ge => text >= wanted,
        Op::Lt => text < wanted,
        Op::Le => text <= wanted,
    }
}

/// Whether values of a type can be compared so.
fn comparable(kind: Type, op: Op, literal: &Literal) -> bool {
    let same = matches!(op, Op::Eq | Op::Ne);
    match (kind, literal) {
        (Type::Complex, _) => false,
        (_, Literal::Null) => same,
        (Type::Boolean, Literal::Boolean(_)) => same,
        (Type::Boolean, Literal::Text(_)) | (_, Literal::Boolean(_)) => false,
        (Type::Binary | Type::Reference, Literal::Text(_)) => !matches!(op, Op::Gt | Op::Ge | Op::Lt | Op::Le),
        (Type::Text | Type::DateTime, Literal::Text(_)) => true,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
