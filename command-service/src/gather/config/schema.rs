//! Whether something is a JSON Schema: by the meta-schema of its draft, and all that it refers to is in it.
//!
//! Nothing is ever fetched, and no schema is compiled: what it costs grows with its size alone, and that is bounded.

use std::borrow::Cow;

use promptory_events::limits;
use promptory_platform::problem::{Problem, ProblemType};
use serde_json::Value;

/// Members of a schema that hold a schema, a list of them, or some by name, in any draft.
const ONE: [&str; 12] = [
    "additionalItems",
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
const LISTS: [&str; 5] = ["allOf", "anyOf", "items", "oneOf", "prefixItems"];
const BY_NAME: [&str; 6] =
    ["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"];

/// The schemas of one configuration: how many there are, all together.
#[derive(Debug, Default)]
pub(super) struct Schemas(usize);

/// One schema, walked once.
#[derive(Default)]
struct Found<'a> {
    /// Names that it gives places in itself.
    anchors: Vec<&'a str>,
    /// What it refers to, and where it does.
    references: Vec<(String, &'a str)>,
}

impl Schemas {
    /// Checks a schema at a place of the configuration, which the problem names.
    pub(super) fn check(&mut self, at: &str, schema: &Value) -> Result<(), Problem> {
        if depth(schema) > limits::SCHEMA_DEPTH_MAX {
            let detail =
                format!("is nested deeper than {} levels; put parts of it into `$defs`", limits::SCHEMA_DEPTH_MAX);
            return Err(limit(at, detail, limits::SCHEMA_DEPTH_MAX));
        }
        let mut found = Found::default();
        self.walk(at, schema, &mut found, true)?;
        by_its_draft(at, schema)?;
        let all = &found.anchors;
        let lost = |(_, to): &&(String, &str)| !resolves(schema, to, all);
        match found.references.iter().find(lost) {
            Some((at, to)) if to.starts_with('#') => {
                Err(Problem::field(at, "refers to nothing in this schema; define it in `$defs`"))
            }
            Some((at, _)) => {
                let detail =
                    "refers to another document, and nothing is fetched: copy it into `$defs` and refer to that";
                Err(Problem::field(at, detail))
            }
            None => Ok(()),
        }
    }

    fn walk<'a>(&mut self, at: &str, schema: &'a Value, found: &mut Found<'a>, root: bool) -> Result<(), Problem> {
        self.0 += 1;
        if self.0 > limits::SCHEMAS_MAX {
            let detail =
                format!("the schemas of a configuration have more than {} parts together", limits::SCHEMAS_MAX);
            return Err(limit(at, detail, limits::SCHEMAS_MAX));
        }
        let Value::Object(members) = schema else { return Ok(()) };
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        found.anchors.extend(["$anchor", "$dynamicAnchor"].into_iter().filter_map(text));
        for name in ["$ref", "$dynamicRef", "$recursiveRef"] {
            found.references.extend(text(name).map(|to| (format!("{at}/{name}"), to)));
        }
        for name in ["$id", "id"] {
            match text(name).map(|id| id.strip_prefix('#')) {
                Some(Some(anchor)) => found.anchors.push(anchor), // as drafts before 2019-09 name a place
                Some(None) if !root && name == "$id" => {
                    let detail = "only the whole schema may have an `$id`: refer to its parts by `$defs`";
                    return Err(Problem::field(&format!("{at}/$id"), detail));
                }
                _ => {}
            }
        }
        for (name, value) in members {
            let at = || format!("{at}/{}", escaped(name));
            match value {
                Value::Object(parts) if BY_NAME.contains(&name.as_str()) => {
                    for (part, schema) in parts {
                        self.walk(&format!("{}/{}", at(), escaped(part)), schema, found, false)?;
                    }
                }
                Value::Array(parts) if LISTS.contains(&name.as_str()) => {
                    for (number, schema) in parts.iter().enumerate() {
                        self.walk(&format!("{}/{number}", at()), schema, found, false)?;
                    }
                }
                Value::Object(_) if ONE.contains(&name.as_str()) => self.walk(&at(), value, found, false)?,
                _ => {}
            }
        }
        Ok(())
    }
}

fn limit(at: &str, detail: String, max: usize) -> Problem {
    Problem::new(ProblemType::LIMIT_REACHED, detail).with("field", at).with("limit", max)
}

/// How deep the brackets are. The parser has bounded it, so this may recurse.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// By the meta-schema of the draft that `$schema` names; 2020-12 if it names none.
fn by_its_draft(at: &str, schema: &Value) -> Result<(), Problem> {
    let named = schema.get("$schema").map(|named| named.as_str().unwrap_or_default());
    let named = named.map(|named| named.trim_end_matches('#').replacen("http://", "https://", 1));
    let (draft, result) = match named.as_deref() {
        None | Some("https://json-schema.org/draft/2020-12/schema") => {
            ("2020-12", jsonschema::draft202012::meta::validate(schema))
        }
        Some("https://json-schema.org/draft/2019-09/schema") => {
            ("2019-09", jsonschema::draft201909::meta::validate(schema))
        }
        Some("https://json-schema.org/draft-07/schema") => ("7", jsonschema::draft7::meta::validate(schema)),
        Some("https://json-schema.org/draft-06/schema") => ("6", jsonschema::draft6::meta::validate(schema)),
        Some("https://json-schema.org/draft-04/schema") => ("4", jsonschema::draft4::meta::validate(schema)),
        Some(_) => {
            let detail = "must name draft 4, 6, 7, 2019-09 or 2020-12 of JSON Schema; leave it out for 2020-12";
            return Err(Problem::field(&format!("{at}/$schema"), detail));
        }
    };
    result.map_err(|error| {
        let place = format!("{at}{}", error.instance_path());
        let hint = match place.rsplit('/').next() {
            Some("type") => "; it is one of array, boolean, integer, null, number, object, string, or a list of those",
            Some("required") => "; it is a list of names, each once, beside `properties`",
            Some("properties") => "; it is an object of schemas by name",
            Some("enum") => "; it is a list of values",
            _ => "",
        };
        // Without the value: it is the caller's text, and may be long.
        let said = error.masked_with("this");
        Problem::field(&place, format!("is no JSON Schema of draft {draft}: {said}{hint}"))
    })
}

/// Whether what a schema refers to is in it.
fn resolves(schema: &Value, to: &str, anchors: &[&str]) -> bool {
    match to.strip_prefix('#') {
        Some("") => true,
        Some(pointer) if pointer.starts_with('/') => {
            let decoded = percent_encoding::percent_decode_str(pointer).decode_utf8();
            decoded.is_ok_and(|pointer: Cow<'_, str>| schema.pointer(&pointer).is_some())
        }
        Some(anchor) => anchors.contains(&anchor),
        None => false,
    }
}

/// A name as a step of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
