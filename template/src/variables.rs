//! Variables that a version declares, and whether values fit.

use std::collections::{BTreeMap, BTreeSet};

use promptory_events::limits;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::chat;
use crate::inspect::Inspected;

/// The variables that a version declares, by name.
pub type Declared = BTreeMap<String, Variable>;

/// What is said of a variable. In the order of the letters, as everything that is stored as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Variable {
    /// Its value if none is given; it has the variable's type.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub default: Option<Value>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether a value must be given. If nothing is said: unless there is a default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// What its values are; anything, if nothing is said.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<VariableType>,
}

/// `null` is a value that is given, and of no type.
fn given<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

/// What a variable's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VariableType {
    /// Text.
    String,
    /// A number, whole or not.
    Number,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A list of anything.
    List,
    /// An object.
    Object,
    /// A list of messages, for a placeholder.
    Messages,
}

impl VariableType {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::List => "list",
            Self::Object => "object",
            Self::Messages => "messages",
        }
    }

    /// Whether a value is of this type.
    #[must_use]
    pub fn fits(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Boolean => value.is_boolean(),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
            Self::Messages => chat::said(value).is_ok(),
        }
    }
}

impl Variable {
    /// Whether a value must be given.
    #[must_use]
    pub fn required(&self) -> bool {
        self.required.unwrap_or(self.default.is_none())
    }
}

/// What is wrong with a declaration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct BadVariable {
    /// Which variable; `None`: all of them together.
    pub name: Option<String>,
    /// Why.
    pub reason: String,
}

/// Reads declarations.
///
/// # Errors
/// A name, a type or a default is not allowed, or there are too many.
pub fn declared(object: Map<String, Value>) -> Result<Declared, BadVariable> {
    if object.len() > limits::VARIABLES_MAX {
        let reason = format!("at most {} variables are allowed", limits::VARIABLES_MAX);
        return Err(BadVariable { name: None, reason });
    }
    object.into_iter().map(|(name, said)| one(&name, said).map(|variable| (name, variable))).collect()
}

fn one(name: &str, said: Value) -> Result<Variable, BadVariable> {
    let bad = |reason: String| BadVariable { name: Some(name.to_owned()), reason };
    if !is_name(name) {
        let reason = "a name is 1 to 64 of A-Z a-z 0-9 _, begins with no digit and is no word of the syntax";
        return Err(bad(reason.into()));
    }
    let variable: Variable = serde_json::from_value(said).map_err(|error| bad(error.to_string()))?;
    if let (Some(default), Some(kind)) = (&variable.default, variable.kind)
        && !kind.fits(default)
    {
        return Err(bad(format!("its default is not of the type {}", kind.name())));
    }
    if variable.required == Some(true) && variable.default.is_some() {
        return Err(bad("one that is required has no use for a default; leave one of them out".into()));
    }
    Ok(variable)
}

/// All variables of a content as it is shown: what is said of them, or what its syntax says of those that nothing is said of.
#[must_use]
pub fn effective(found: &Inspected, declared: &Declared) -> Map<String, Value> {
    let names: BTreeSet<&String> = found.variables.keys().chain(declared.keys()).collect();
    let one = |name: &&String| {
        let need = found.variables.get(*name).copied().unwrap_or_default();
        let said = declared.get(*name);
        let mut all = Map::new();
        all.insert("declared".into(), said.is_some().into());
        all.insert("used".into(), found.variables.contains_key(*name).into());
        all.insert("required".into(), said.map_or(need.required, Variable::required).into());
        let kind = if need.messages { Some(VariableType::Messages) } else { said.and_then(|said| said.kind) };
        all.extend(kind.map(|kind| ("type".to_owned(), kind.name().into())));
        all.extend(said.and_then(|said| said.default.clone()).map(|default| ("default".to_owned(), default)));
        let description = said.and_then(|said| said.description.clone());
        all.extend(description.map(|text| ("description".to_owned(), text.into())));
        ((*name).clone(), Value::Object(all))
    };
    names.iter().map(one).collect()
}

/// Words that mean something else to a template.
const WORDS: [&str; 26] = [
    "and",
    "or",
    "not",
    "in",
    "is",
    "if",
    "else",
    "elif",
    "endif",
    "for",
    "endfor",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
    "loop",
    "self",
    "super",
    "caller",
    "recursive",
    "range",
    "dict",
    "with",
    "include",
];

/// Whether a variable may be called so.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    let begins = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    begins
        && text.len() <= limits::VARIABLE_NAME_MAX_BYTES
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !WORDS.contains(&text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(json: Value) -> Result<Declared, BadVariable> {
        let Value::Object(object) = json else { panic!("no object") };
        declared(object)
    }

    #[test]
    fn a_declaration_says_type_default_and_whether_it_is_required() {
        let all = read(json!({
            "name": {"type": "string", "description": "who is greeted"},
            "count": {"type": "integer", "default": 3},
            "tone": {},
            "history": {"type": "messages", "required": false},
        }));
        let all = all.unwrap();
        let required: Vec<_> = all.iter().filter(|(_, v)| v.required()).map(|(name, _)| name.as_str()).collect();
        assert_eq!(required, ["name", "tone"], "what has no default must be given");
        let kept = serde_json::to_string(&all["name"]).unwrap();
        assert_eq!(kept, r#"{"description":"who is greeted","type":"string"}"#, "nothing is added");
    }

    #[test]
    fn a_default_has_the_declared_type() {
        let types = ["string", "number", "integer", "boolean", "list", "object", "messages"];
        let values = [json!("a"), json!(1.5), json!(1), json!(true), json!([1]), json!({}), json!([])];
        for (at, kind) in types.iter().enumerate() {
            for (other, value) in values.iter().enumerate() {
                let fits = at == other || (at, other) == (1, 2) || (at, other) == (4, 6);
                let declared = read(json!({"x": {"type": kind, "default": value}}));
                assert_eq!(declared.is_ok(), fits, "{kind}: {value}");
            }
        }
        assert!(read(json!({"x": {"type": "string", "default": null}})).is_err(), "null is of no type");
        assert!(read(json!({"x": {"default": null}})).is_ok());
    }

    #[test]
    fn what_is_shown_is_what_is_said_and_what_is_used() {
        use promptory_events::event::{Kind, Syntax};
        let found = crate::inspect(Kind::Text, Syntax::Jinja, "{{ a }}{{ b|default(1) }}{{ c }}").unwrap();
        let said = read(json!({"c": {"type": "string", "default": "x"}, "d": {"description": "not used"}})).unwrap();
        assert_eq!(
            Value::Object(effective(&found, &said)),
            json!({
                "a": {"declared": false, "used": true, "required": true},
                "b": {"declared": false, "used": true, "required": false},
                "c": {"declared": true, "used": true, "required": false, "type": "string", "default": "x"},
                "d": {"declared": true, "used": false, "required": true, "description": "not used"},
            })
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, name, reason) in [
            (json!({"a b": {}}), "a b", "begins with no digit"),
            (json!({"1a": {}}), "1a", "begins with no digit"),
            (json!({"loop": {}}), "loop", "no word of the syntax"),
            (json!({"": {}}), "", "1 to 64"),
            (json!({"a": {"type": "text"}}), "a", "text"),
            (json!({"a": {"colour": 1}}), "a", "colour"),
            (json!({"a": 1}), "a", "invalid type"),
            (json!({"a": {"required": true, "default": 1}}), "a", "leave one of them out"),
        ] {
            let bad = read(json).unwrap_err();
            assert_eq!(bad.name.as_deref(), Some(name));
            assert!(bad.reason.contains(reason), "{}", bad.reason);
        }
        let many = (0..=limits::VARIABLES_MAX).map(|n| (format!("v{n}"), json!({}))).collect();
        assert_eq!(declared(many).unwrap_err().name, None);
    }
}
