//! Which field of a JSON text has another shape than it should, as a JSON pointer (RFC 6901). It is looked for only once the
//! text was refused: a reader that keeps account of where it is would cost every good one.

use serde::Deserialize;
use serde_path_to_error::{Path, Segment};

/// A field, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Which; empty: the whole.
    pub field: String,
    /// What.
    pub why: String,
}

/// Reads a text again that was refused as a `T`, and says where and why.
#[must_use]
pub fn misfit<'b, T: Deserialize<'b>>(text: &'b [u8], refused: &serde_json::Error) -> Misfit {
    let mut reader = serde_json::Deserializer::from_slice(text);
    match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Ok(_) => Misfit { field: String::new(), why: refused.to_string() },
        Err(error) => {
            let why = error.inner().to_string();
            let missing = missing(&why).map(member).unwrap_or_default();
            Misfit { field: pointer(error.path()) + &missing, why }
        }
    }
}

/// The field that is missing, if that is what serde says. It knows nothing of where a field would be that is not there.
#[must_use]
pub fn missing(why: &str) -> Option<&str> {
    why.strip_prefix("missing field `")?.split('`').next()
}

fn pointer(path: &Path) -> String {
    let segments = path.iter().map(|segment| match segment {
        Segment::Map { key } => member(key),
        Segment::Seq { index } => format!("/{index}"),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    });
    segments.collect()
}

/// The pointer to a field of an object.
#[must_use]
pub fn member(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[serde(rename = "items")]
        _items: Vec<Item>,
        #[serde(default, rename = "more")]
        _more: BTreeMap<String, u8>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Item {
        #[serde(rename = "name")]
        _name: String,
    }

    #[test]
    fn the_field_is_named_by_its_place() {
        for (text, field) in [
            (r#"{"items":[{"name":"a"},{"name":7}]}"#, "/items/1/name"),
            (r#"{"items":[{"name":"a"},{}]}"#, "/items/1/name"),
            (r#"{"items":[{"name":"a","colour":1}]}"#, "/items/0/colour"),
            (r#"{"items":[],"more":{"a/b~c":-1}}"#, "/more/a~1b~0c"),
            (r#"{"items":{}}"#, "/items"),
            (r#"{"more":{}}"#, "/items"),
            (r#"[7]"#, "/0"),
            ("7", ""),
        ] {
            let refused = serde_json::from_str::<Body>(text).unwrap_err();
            assert_eq!(misfit::<Body>(text.as_bytes(), &refused).field, field, "{text}: {refused}");
        }
    }
}
