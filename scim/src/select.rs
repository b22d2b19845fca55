//! `attributes` and `excludedAttributes` (RFC 7644, section 3.9): what of a resource is returned. Its `id` and its `schemas`
//! always are.

use serde_json::Value;

use crate::Object;
use crate::path::{At, Scope};
use crate::schema::{ResourceType, Schema};

/// What is returned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Select {
    only: Option<Vec<Part>>,
    without: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Extension(&'static Schema),
    Attribute(At),
}

impl Part {
    fn of(kind: &'static ResourceType, word: &str) -> Option<Self> {
        let extension = kind.extension(word).map(Self::Extension);
        extension.or_else(|| Scope::Resource(kind).find(word).map(Self::Attribute))
    }

    /// The names on the way to it.
    fn names(&self) -> impl Iterator<Item = &'static str> {
        let (extension, attribute, sub) = match self {
            Self::Extension(schema) => (Some(schema.id), None, None),
            Self::Attribute(at) => (at.extension.map(|e| e.id), Some(at.attribute.name), at.sub.map(|sub| sub.name)),
        };
        [extension, attribute, sub].into_iter().flatten()
    }
}

impl Select {
    /// Reads both parameters: names with commas between them. A name that means nothing selects nothing.
    #[must_use]
    pub fn read(kind: &'static ResourceType, attributes: Option<&str>, excluded: Option<&str>) -> Self {
        let parts = |list: &str| list.split(',').filter_map(|word| Part::of(kind, word.trim())).collect::<Vec<_>>();
        Self {
            only: attributes.filter(|list| !list.trim().is_empty()).map(parts),
            without: excluded.map(parts).unwrap_or_default(),
        }
    }

    /// Whether anything of an attribute is returned: what is not need not be made.
    #[must_use]
    pub fn shows(&self, attribute: &str) -> bool {
        let is_it = |part: &Part| matches!(part, Part::Attribute(at) if at.attribute.name == attribute);
        let whole = |part: &Part| matches!(part, Part::Attribute(At { sub: None, .. })) && is_it(part);
        self.only.as_ref().is_none_or(|only| only.iter().any(is_it)) && !self.without.iter().any(whole)
    }

    /// What is returned of a resource.
    #[must_use]
    pub fn of(&self, resource: Object) -> Object {
        let mut out = match &self.only {
            None => resource,
            Some(only) => {
                let mut out = Object::new();
                for always in ["schemas", "id"] {
                    out.extend(resource.get(always).map(|value| (always.to_owned(), value.clone())));
                }
                for part in only {
                    copy(&resource, &mut out, &part.names().collect::<Vec<_>>());
                }
                out
            }
        };
        for part in &self.without {
            let names: Vec<&str> = part.names().collect();
            if !matches!(names.as_slice(), ["id" | "schemas"]) {
                remove(&mut out, &names);
            }
        }
        out
    }
}

fn copy(from: &Object, to: &mut Object, names: &[&str]) {
    let [name, rest @ ..] = names else { return };
    let Some(value) = from.get(*name) else { return };
    if rest.is_empty() {
        to.insert((*name).to_owned(), value.clone());
        return;
    }
    match value {
        Value::Object(inner) => {
            let place = to.entry(*name).or_insert_with(|| Value::Object(Object::new()));
            if let Value::Object(place) = place {
                copy(inner, place, rest);
            }
        }
        Value::Array(all) => {
            let place = to.entry(*name).or_insert_with(|| Value::Array(vec![Value::Object(Object::new()); all.len()]));
            let Value::Array(places) = place else { return };
            for (inner, place) in all.iter().zip(places) {
                if let (Value::Object(inner), Value::Object(place)) = (inner, place) {
                    copy(inner, place, rest);
                }
            }
        }
        _ => {}
    }
}

fn remove(from: &mut Object, names: &[&str]) {
    let [name, rest @ ..] = names else { return };
    if rest.is_empty() {
        from.remove(*name);
        return;
    }
    match from.get_mut(*name) {
        Some(Value::Object(inner)) => remove(inner, rest),
        Some(Value::Array(all)) => all.iter_mut().filter_map(Value::as_object_mut).for_each(|one| remove(one, rest)),
        _ => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{GROUP, USER};

    #[test]
    fn only_what_is_asked_for_is_returned_and_the_id_always() {
        let ada = json!({
            "schemas": ["urn"], "id": "1", "userName": "ada", "title": "Poet", "meta": {"version": "1"},
            "name": {"givenName": "Ada", "familyName": "L"}, "emails": [{"value": "a", "type": "work"}, {"value": "b"}],
        });
        let of = |only: Option<&str>, without: Option<&str>| {
            Value::Object(Select::read(&USER, only, without).of(ada.as_object().unwrap().clone()))
        };
        let some = json!({
            "schemas": ["urn"], "id": "1", "userName": "ada", "name": {"givenName": "Ada"},
            "emails": [{"value": "a"}, {"value": "b"}],
        });
        assert_eq!(of(Some("USERNAME, name.givenName,emails.value,colour"), None), some);
        let rest = json!({"schemas": ["urn"], "id": "1", "userName": "ada", "name": {"givenName": "Ada"}, "emails": [{"type": "work"}, {}]});
        assert_eq!(of(None, Some("id,schemas,title,meta,name.familyName,emails.value")), rest);
        assert_eq!(of(Some(" "), None), ada);
        let show = |only, without| Select::read(&GROUP, only, without).shows("members");
        assert!(show(None, None) && show(Some("members.value"), None) && show(None, Some("members.display")));
        assert!(!show(Some("displayName"), None) && !show(None, Some("members")));
    }
}
