//! Three-way merge of configurations: JSON objects, by key, down to the last object. Lists and other values are whole.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::Malformed;

/// A configuration with conflicts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigConflict {
    /// What is no conflict.
    pub merged: Map<String, Value>,
    /// The keys that are missing in it.
    pub conflicts: Vec<KeyConflict>,
}

/// A key that both sides changed, to something else each. A side that does not have it is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyConflict {
    /// Which, as a JSON pointer (RFC 6901).
    pub path: String,
    /// As it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Value>,
    /// As the version that is merged into has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ours: Option<Value>,
    /// As the version that is merged has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theirs: Option<Value>,
}

/// Merges configurations. One that is not there has no keys; if none of the merged versions has one and nothing is left,
/// there is none afterwards either.
pub(super) fn merge(
    base: Option<&str>,
    ours: Option<&str>,
    theirs: Option<&str>,
) -> Result<Result<Option<String>, ConfigConflict>, Malformed> {
    let read = |text: Option<&str>| text.map_or(Ok(Map::new()), serde_json::from_str);
    let (base, our, their): (Map<_, _>, Map<_, _>, Map<_, _>) = (read(base)?, read(ours)?, read(theirs)?);
    let mut conflicts = Vec::new();
    let merged = objects(Some(&base), &our, &their, "", &mut conflicts);
    if !conflicts.is_empty() {
        return Ok(Err(ConfigConflict { merged, conflicts }));
    }
    if merged.is_empty() && (ours.is_none() || theirs.is_none()) {
        return Ok(Ok(None));
    }
    Ok(Ok(Some(serde_json::to_string(&merged)?)))
}

fn objects(
    base: Option<&Map<String, Value>>,
    ours: &Map<String, Value>,
    theirs: &Map<String, Value>,
    path: &str,
    conflicts: &mut Vec<KeyConflict>,
) -> Map<String, Value> {
    let mut merged = Map::new();
    let keys = ours.keys().chain(theirs.keys().filter(|key| !ours.contains_key(*key)));
    for key in keys {
        let (base, our, their) = (base.and_then(|base| base.get(key)), ours.get(key), theirs.get(key));
        let path = format!("{path}/{}", escaped(key));
        let value = match (base, our, their) {
            _ if our == their || base == their => our.cloned(),
            _ if base == our => their.cloned(),
            (base, Some(Value::Object(our)), Some(Value::Object(their))) => {
                let base = base.and_then(Value::as_object);
                Some(Value::Object(objects(base, our, their, &path, conflicts)))
            }
            _ => {
                let (base, ours, theirs) = (base.cloned(), our.cloned(), their.cloned());
                conflicts.push(KeyConflict { path, base, ours, theirs });
                None
            }
        };
        merged.extend(value.map(|value| (key.clone(), value)));
    }
    merged
}

/// A key as a step of a JSON pointer.
pub(crate) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
