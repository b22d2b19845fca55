//! Query parameters as a serde type, so that every refusal names the parameter: a bad value, an unknown one
//! (`deny_unknown_fields`), one given twice, one missing.

use std::borrow::Cow;
use std::cell::Cell;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use serde::de::value::{CowStrDeserializer, Error, MapDeserializer};
use serde::de::{self, DeserializeOwned, Error as _, IntoDeserializer, Visitor};

use crate::problem::Problem;

/// Query parameters.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

/// Reads a query string.
///
/// # Errors
/// `invalid-field` with the parameter's name.
pub fn query<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let mut pairs = Vec::new();
    for part in text.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let name = decode(name).ok_or_else(|| Problem::field("query", "a parameter's name is no UTF-8"))?;
        let value = decode(value).ok_or_else(|| Problem::field(&name, "the value is no UTF-8"))?;
        pairs.push((name, value));
    }
    // Serde's errors don't say where they happened; the parameter read last is where.
    let at = Cell::new(0);
    let read = pairs.iter().enumerate().map(|(i, (name, value))| {
        at.set(i);
        (name.as_ref(), Value(Cow::Borrowed(value.as_ref())))
    });
    let result = T::deserialize(MapDeserializer::<_, Error>::new(read));
    result.map_err(|error| {
        let name = pairs.get(at.get()).map_or("query", |(name, _)| name.as_ref());
        Problem::field(name, error.to_string())
    })
}

/// `+` is a space in a query, `%` begins an escape.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('+') {
        return percent_decode_str(text).decode_utf8().ok();
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(Cow::Owned(decoded.into_owned()))
}

/// A value as text, read as what the field's type asks for.
struct Value<'a>(Cow<'a, str>);

impl<'de> IntoDeserializer<'de, Error> for Value<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed {
    ($($method:ident => $visit:ident, $type:ty, $form:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let value: $type = self.0.parse().map_err(|_| Error::custom(concat!("must be ", $form)))?;
            visitor.$visit(value)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Value<'de> {
    type Error = Error;

    parsed! {
        deserialize_bool => visit_bool, bool, "true or false";
        deserialize_u16 => visit_u16, u16, "a number from 0 to 65535";
        deserialize_u32 => visit_u32, u32, "a number from 0 to 4294967295";
        deserialize_u64 => visit_u64, u64, "a number from 0 to 18446744073709551615";
        deserialize_i64 => visit_i64, i64, "a number";
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        CowStrDeserializer::new(self.0).deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        CowStrDeserializer::new(self.0).deserialize_enum(name, variants, visitor)
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use promptory_events::Label;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Params {
        label: Option<Label>,
        prefix: String,
        limit: Option<u32>,
        clock: Option<Clock>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Clock {
        Occurred,
        Recorded,
    }

    #[test]
    fn parameters_are_decoded_and_typed() {
        let params: Params = query("label=production&prefix=a+b%2F%C3%A9%2B&limit=3&clock=recorded&").unwrap();
        assert_eq!((params.prefix.as_str(), params.limit), ("a b/é+", Some(3)));
        assert_eq!((params.label.unwrap().as_str(), params.clock), ("production", Some(Clock::Recorded)));
        assert_eq!(query::<Params>("").unwrap(), Params::default());
    }

    #[test]
    fn every_refusal_names_the_parameter() {
        let bad = [
            ("limit=x", "limit"),
            ("prefix=a&limit=-1", "limit"),
            ("limit=1&limit=2", "limit"),
            ("prefix=a&lable=production", "lable"),
            ("label=Production&limit=1", "label"),
            ("label=", "label"),
            ("clock=noon", "clock"),
            ("prefix=%FF", "prefix"),
            ("%FF=1", "query"),
        ];
        for (text, name) in bad {
            let problem = query::<Params>(text).unwrap_err();
            assert_eq!(problem.document()["field"], name, "{text}: {}", problem.detail);
            assert_eq!(problem.kind.code, "invalid-field");
        }
    }
}
