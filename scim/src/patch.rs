//! Patches (RFC 7644, section 3.5.2), with the habits of the great identity providers: names of operations in capitals, no
//! path and paths as names of an object's members (Entra ID, Okta), "True" for true, members taken out by value.
//!
//! What comes out is checked as a whole, so that no patch makes a resource that nobody could have sent.

use serde_json::Value;

use crate::path::{At, Path};
use crate::resource::{read, value_of};
use crate::schema::{Attribute, Mutability, ResourceType, Type};
use crate::{Error, Filter, Kind, Object};

/// The URN of a patch.
pub const SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// Operations of one patch.
pub const OPERATIONS_MAX: usize = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Add,
    Replace,
    Remove,
}

/// Applies a patch to a resource: all of it or, if something in it is wrong, nothing.
///
/// # Errors
/// The patch is of another shape, leads nowhere, or makes what a resource can't be.
pub fn apply(kind: &'static ResourceType, resource: &Object, patch: &Object) -> Result<Object, Error> {
    let syntax = |detail: &str| Error::new(Kind::InvalidSyntax, detail);
    let is_patch = |urn: &Value| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(SCHEMA));
    if !member(patch, "schemas").and_then(Value::as_array).is_some_and(|urns| urns.iter().any(is_patch)) {
        return Err(syntax("`schemas` must name the URN of a patch"));
    }
    let operations = member(patch, "Operations").and_then(Value::as_array);
    let operations = operations.ok_or_else(|| syntax("`Operations` must be a list"))?;
    if !(1..=OPERATIONS_MAX).contains(&operations.len()) {
        return Err(syntax(&format!("a patch has 1 to {OPERATIONS_MAX} operations")));
    }
    let mut patched = resource.clone();
    for operation in operations {
        let operation = operation.as_object().ok_or_else(|| syntax("an operation is an object"))?;
        let op = match member(operation, "op").and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
            Some("add") => Op::Add,
            Some("replace") => Op::Replace,
            Some("remove") => Op::Remove,
            _ => return Err(syntax("`op` is add, replace or remove")),
        };
        let value = member(operation, "value").filter(|value| !value.is_null());
        match member(operation, "path") {
            None | Some(Value::Null) => without_path(kind, &mut patched, op, value)?,
            Some(Value::String(path)) => change(kind, &mut patched, op, &Path::read(kind, path)?, value)?,
            Some(_) => return Err(syntax("`path` is a text")),
        }
    }
    read(kind, &patched)
}

fn member<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The members of an object are paths with their values. What the server sets and what nobody knows is left out, as it is
/// of a whole resource.
fn without_path(
    kind: &'static ResourceType,
    resource: &mut Object,
    op: Op,
    value: Option<&Value>,
) -> Result<(), Error> {
    if op == Op::Remove {
        return Err(Error::new(Kind::NoTarget, "to remove needs a path"));
    }
    let Some(Value::Object(all)) = value else {
        return Err(Error::new(Kind::InvalidValue, "without a path the value is an object"));
    };
    for (path, value) in all {
        let path = match Path::read(kind, path) {
            Ok(Path::Attribute(at, _)) if is_servers(at) => continue,
            Err(_) if !path.contains('[') => continue,
            path => path?,
        };
        let value = Some(value).filter(|value| !value.is_null());
        change(kind, resource, if value.is_none() { Op::Remove } else { op }, &path, value)?;
    }
    Ok(())
}

fn is_servers(at: At) -> bool {
    [Some(at.attribute), at.sub].into_iter().flatten().any(|a| a.mutability == Mutability::ReadOnly)
}

fn change(
    kind: &'static ResourceType,
    resource: &mut Object,
    op: Op,
    path: &Path,
    value: Option<&Value>,
) -> Result<(), Error> {
    let op = if value.is_none() && op == Op::Replace { Op::Remove } else { op }; // by nothing
    if op == Op::Add && value.is_none() {
        return Err(Error::new(Kind::InvalidValue, "to add needs a value"));
    }
    let (at, filter) = match path {
        Path::Attribute(at, filter) => (*at, filter.as_ref()),
        Path::Extension(schema) => {
            let Some(value) = value else {
                resource.remove(schema.id);
                return Ok(());
            };
            let value = value.as_object().ok_or_else(|| Error::value(schema.id, "must be an object"))?;
            if op == Op::Replace {
                resource.remove(schema.id);
            }
            let qualified = value.iter().map(|(name, value)| (format!("{}:{name}", schema.id), value.clone()));
            return without_path(kind, resource, op, Some(&Value::Object(qualified.collect())));
        }
    };
    if is_servers(at) || (at.sub.is_some_and(|sub| sub.mutability == Mutability::Immutable)) {
        return Err(Error::new(Kind::Mutability, format!("`{}` can't be set so", at.attribute.name)));
    }
    match at.extension {
        None => place(resource, op, at, filter, value),
        Some(schema) => {
            let inner = resource.entry(schema.id).or_insert_with(|| Value::Object(Object::new()));
            inner.as_object_mut().map_or(Ok(()), |inner| place(inner, op, at, filter, value))
        }
    }
}

/// An attribute of a resource or of an extension.
fn place(holder: &mut Object, op: Op, at: At, filter: Option<&Filter>, value: Option<&Value>) -> Result<(), Error> {
    let attribute = at.attribute;
    if !attribute.many {
        return single(holder, op, at, value);
    }
    let mut all = match holder.remove(attribute.name) {
        Some(Value::Array(all)) => all,
        _ => Vec::new(),
    };
    match (filter, at.sub) {
        (Some(filter), sub) => filtered(&mut all, op, attribute, filter, sub, value)?,
        (None, Some(sub)) => {
            if all.is_empty() && op != Op::Remove {
                all.push(Value::Object(Object::new()));
            }
            all.iter_mut().for_each(|one| set(one, sub, value));
        }
        (None, None) => whole(&mut all, op, attribute, value)?,
    }
    if !all.is_empty() {
        holder.insert(attribute.name.to_owned(), Value::Array(all));
    }
    Ok(())
}

/// An attribute with one value. Of one with attributes of its own those that are named change.
fn single(holder: &mut Object, op: Op, at: At, value: Option<&Value>) -> Result<(), Error> {
    let attribute = at.attribute;
    match (at.sub, value) {
        (Some(sub), _) => {
            set(holder.entry(attribute.name).or_insert_with(|| Value::Object(Object::new())), sub, value);
        }
        (None, Some(value)) if op != Op::Remove => {
            let value = value_of(attribute, value)?;
            match (attribute.kind, holder.get_mut(attribute.name), value) {
                (Type::Complex, Some(Value::Object(before)), Some(Value::Object(after))) => before.extend(after),
                (_, _, Some(value)) => drop(holder.insert(attribute.name.to_owned(), value)),
                (_, _, None) => drop(holder.remove(attribute.name)),
            }
        }
        (None, _) => drop(holder.remove(attribute.name)),
    }
    Ok(())
}

fn set(one: &mut Value, sub: &Attribute, value: Option<&Value>) {
    if let Value::Object(one) = one {
        match value {
            Some(value) => drop(one.insert(sub.name.to_owned(), value.clone())),
            None => drop(one.remove(sub.name)),
        }
    }
}

/// All values of an attribute with many.
fn whole(all: &mut Vec<Value>, op: Op, attribute: &Attribute, value: Option<&Value>) -> Result<(), Error> {
    let given = match value.map(|value| value_of(attribute, value)).transpose()?.flatten() {
        Some(Value::Array(given)) => given,
        _ => Vec::new(),
    };
    match op {
        // Entra ID takes members out like that.
        Op::Remove if value.is_some() => {
            let named: std::collections::HashSet<&str> = given.iter().filter_map(|one| one["value"].as_str()).collect();
            all.retain(|one| !one["value"].as_str().is_some_and(|value| named.contains(value)));
        }
        Op::Remove => all.clear(),
        Op::Replace => *all = given,
        Op::Add => {
            if given.iter().any(|one| one["primary"] == true) {
                all.iter_mut().for_each(not_primary);
            }
            let is_member = attribute.subs.iter().any(|sub| sub.mutability == Mutability::Immutable);
            let mut there: std::collections::HashSet<String> = all.iter().map(|one| identity(one, is_member)).collect();
            all.extend(given.into_iter().filter(|one| there.insert(identity(one, is_member))));
        }
    }
    Ok(())
}

/// What tells a value from others: a member is who it is, whatever else is said of it.
fn identity(one: &Value, is_member: bool) -> String {
    match one["value"].as_str().filter(|_| is_member) {
        Some(value) => value.to_owned(),
        None => one.to_string(),
    }
}

/// Some values of an attribute with many.
fn filtered(
    all: &mut Vec<Value>,
    op: Op,
    attribute: &'static Attribute,
    filter: &Filter,
    sub: Option<&Attribute>,
    value: Option<&Value>,
) -> Result<(), Error> {
    let is_meant = |one: &Value| one.as_object().is_some_and(|one| filter.matches(one));
    if op == Op::Remove {
        match sub {
            Some(sub) => all.iter_mut().filter(|one| is_meant(one)).for_each(|one| set(one, sub, None)),
            None => all.retain(|one| !is_meant(one)),
        }
        return Ok(());
    }
    let mut meant: Vec<usize> = (0..all.len()).filter(|at| is_meant(&all[*at])).collect();
    if meant.is_empty() {
        let example = filter.example().filter(|_| op == Op::Add);
        let example = example.ok_or_else(|| Error::new(Kind::NoTarget, "no value is what the path asks for"))?;
        meant.push(all.len());
        all.push(Value::Object(example));
    }
    let given = match (sub, value) {
        (None, Some(Value::Array(only))) if only.len() == 1 => only.first(), // a value in a list of its own
        (_, value) => value,
    };
    for at in &meant {
        match (sub, given) {
            (Some(sub), value) => set(&mut all[*at], sub, value),
            (None, Some(Value::Object(value))) => {
                let one = &mut all[*at];
                for (name, value) in value {
                    if let Some(sub) = crate::schema::named(attribute.subs, name) {
                        set(one, sub, Some(value));
                    }
                }
            }
            (None, _) => return Err(Error::value(attribute.name, "must be an object")),
        }
    }
    // Who is the preferred one takes that from the others.
    let primary = meant.iter().copied().find(|at| all[*at]["primary"] == true || all[*at]["primary"] == "True");
    if let Some(primary) = primary {
        let others = all.iter_mut().enumerate().filter(|(at, _)| *at != primary);
        others.for_each(|(_, one)| not_primary(one));
    }
    Ok(())
}

fn not_primary(one: &mut Value) {
    if let Value::Object(one) = one
        && one.contains_key("primary")
    {
        one.insert("primary".to_owned(), Value::Bool(false));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
