//! A resource as a client sends it, checked against its schema and brought into one form: names as the schema writes them,
//! what only the server sets and what nobody knows left out, nothing empty.

use serde_json::Value;

use crate::schema::{Attribute, Mutability, ResourceType, Type};
use crate::{Error, Kind, Object};

/// Reads a resource.
///
/// # Errors
/// A value of another type, or a required one that is missing; schemas that are not this resource's.
pub fn read(kind: &ResourceType, given: &Object) -> Result<Object, Error> {
    fits(kind, given)?;
    let mut out = Object::new();
    for (name, value) in given {
        let (name, value) = if let Some(schema) = kind.extension(name) {
            let attributes = match value {
                Value::Null => continue,
                Value::Object(given) => attributes(schema.attributes, given)?,
                _ => return Err(Error::value(schema.id, "must be an object")),
            };
            (schema.id, (!attributes.is_empty()).then_some(Value::Object(attributes)))
        } else if let Some(attribute) = kind.attribute(name).filter(|a| a.mutability != Mutability::ReadOnly) {
            (attribute.name, value_of(attribute, value)?)
        } else {
            continue;
        };
        put(&mut out, name, value)?;
    }
    // What is yes or no has a value when nobody says one.
    let must = |attribute: &&Attribute| attribute.required && attribute.kind != Type::Boolean;
    let missing = kind.core.attributes.iter().filter(must).find(|attribute| !out.contains_key(attribute.name));
    missing.map_or(Ok(out), |attribute| Err(Error::value(attribute.name, "must be there")))
}

/// Whether the resource says that it is of this type, if it says anything of that.
fn fits(kind: &ResourceType, given: &Object) -> Result<(), Error> {
    let schemas = given.iter().find(|(name, _)| name.eq_ignore_ascii_case("schemas")).map(|(_, value)| value);
    let is_core = |urn: &Value| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(kind.core.id));
    match schemas {
        None => Ok(()),
        Some(Value::Array(urns)) if urns.iter().any(is_core) => Ok(()),
        Some(_) => Err(Error::new(Kind::InvalidSyntax, format!("`schemas` must name {}", kind.core.id))),
    }
}

fn attributes(all: &'static [Attribute], given: &Object) -> Result<Object, Error> {
    let mut out = Object::new();
    for (name, value) in given {
        let known = all.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name));
        if let Some(attribute) = known.filter(|attribute| attribute.mutability != Mutability::ReadOnly) {
            put(&mut out, attribute.name, value_of(attribute, value)?)?;
        }
    }
    Ok(out)
}

fn put(out: &mut Object, name: &'static str, value: Option<Value>) -> Result<(), Error> {
    match value.and_then(|value| out.insert(name.to_owned(), value)) {
        None => Ok(()),
        Some(_) => Err(Error::new(Kind::InvalidSyntax, format!("`{name}` is there twice"))),
    }
}

/// The value of an attribute in its one form; none for what is as good as not there.
pub(crate) fn value_of(attribute: &Attribute, given: &Value) -> Result<Option<Value>, Error> {
    if !attribute.many {
        return one(attribute, given);
    }
    let all = match given {
        Value::Array(all) => all.iter().map(|given| one(attribute, given)).collect::<Result<Vec<_>, _>>()?,
        single => vec![one(attribute, single)?],
    };
    let all: Vec<Value> = all.into_iter().flatten().collect();
    if all.iter().filter(|value| value["primary"] == true).count() > 1 {
        return Err(Error::value(attribute.name, "may have one primary value"));
    }
    Ok((!all.is_empty()).then_some(Value::Array(all)))
}

fn one(attribute: &Attribute, given: &Value) -> Result<Option<Value>, Error> {
    let value = match (attribute.kind, given) {
        (_, Value::Null) => return Ok(None),
        (Type::Boolean, Value::Bool(_)) => given.clone(),
        // Entra ID writes them so.
        (Type::Boolean, Value::String(word)) if word.eq_ignore_ascii_case("true") => Value::Bool(true),
        (Type::Boolean, Value::String(word)) if word.eq_ignore_ascii_case("false") => Value::Bool(false),
        (Type::Boolean, _) => return Err(Error::value(attribute.name, "must be true or false")),
        (Type::Complex, Value::Object(given)) => return object(attribute, given),
        // A manager, an e-mail address, as its value alone.
        (Type::Complex, Value::String(_)) if attribute.subs.iter().any(|sub| sub.name == "value") => {
            return object(attribute, &Object::from_iter([("value".to_owned(), given.clone())]));
        }
        (Type::Complex, _) => return Err(Error::value(attribute.name, "must be an object")),
        (_, Value::String(text)) if attribute.required && text.trim().is_empty() => {
            return Err(Error::value(attribute.name, "must not be empty"));
        }
        (_, Value::String(_)) => given.clone(),
        _ => return Err(Error::value(attribute.name, "must be a text")),
    };
    Ok(Some(value))
}

fn object(attribute: &Attribute, given: &Object) -> Result<Option<Value>, Error> {
    let out = attributes(attribute.subs, given)?;
    let missing = attribute.subs.iter().find(|sub| sub.required && !out.contains_key(sub.name));
    if let Some(sub) = missing {
        return Err(Error::value(&format!("{}.{}", attribute.name, sub.name), "must be there"));
    }
    Ok((!out.is_empty()).then_some(Value::Object(out)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{GROUP, USER};

    fn user(given: &Value) -> Result<Value, Error> {
        read(&USER, given.as_object().unwrap()).map(Value::Object)
    }

    #[test]
    fn names_are_as_the_schema_writes_them_and_what_nobody_may_set_is_left_out() {
        let given = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "x", "meta": {"version": "1"},
            "USERNAME": "ada", "emails": [{"VALUE": "ada@acme.example", "primary": "True", "colour": 1}, {}],
            "active": "False", "nickName": null, "phoneNumbers": [], "groups": [{"value": "g"}], "password": "secret",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user": {"department": "Poetry", "manager": "bob"},
        });
        let read = json!({
            "userName": "ada", "emails": [{"value": "ada@acme.example", "primary": true}], "active": false,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":
                {"department": "Poetry", "manager": {"value": "bob"}},
        });
        assert_eq!(user(&given).unwrap(), read);
        assert_eq!(user(&read).unwrap(), read, "which is its one form");
    }

    #[test]
    fn values_of_another_type_are_refused_by_their_names() {
        let primary = |value: &str| json!({"primary": true, "value": value});
        for (given, name) in [
            (json!({}), "userName"),
            (json!({"userName": " "}), "userName"),
            (json!({"userName": 1}), "userName"),
            (json!({"userName": "a", "active": "yes"}), "active"),
            (json!({"userName": "a", "name": "Ada"}), "name"),
            (json!({"userName": "a", "emails": [1]}), "emails"),
            (json!({"userName": "a", "emails": [primary("x"), primary("y")]}), "emails"),
            (json!({"userName": "a", "UserName": "b"}), "userName"),
            (json!({"userName": "a", "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"]}), "schemas"),
        ] {
            let error = user(&given).unwrap_err();
            assert!(error.detail.contains(&format!("`{name}`")), "{given}: {error}");
        }
        let group = json!({"displayName": "Poets", "members": [{"display": "Ada"}]});
        let error = read(&GROUP, group.as_object().unwrap()).unwrap_err();
        assert!(error.detail.contains("members.value"), "{error}");
    }
}
