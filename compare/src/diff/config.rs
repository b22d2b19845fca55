//! Configurations by key, down to the last object. Lists and other values are whole.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Malformed;
use crate::merge::escaped;

/// A key whose value differs. Values are JSON texts; a side that does not have the key has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyChange {
    /// Which key, as a JSON pointer (RFC 6901).
    pub path: String,
    /// Its value in the first version.
    pub from: Option<String>,
    /// And in the second one.
    pub to: Option<String>,
}

/// Compares configurations; one that is not there has no keys.
pub(super) fn compare(from: Option<&str>, to: Option<&str>) -> Result<Vec<KeyChange>, Malformed> {
    let read = |text: Option<&str>| text.map_or(Ok(Map::new()), serde_json::from_str);
    let (from, to): (Map<String, Value>, Map<String, Value>) = (read(from)?, read(to)?);
    let mut changes = Vec::new();
    objects(&from, &to, "", &mut changes);
    Ok(changes)
}

fn objects(from: &Map<String, Value>, to: &Map<String, Value>, path: &str, changes: &mut Vec<KeyChange>) {
    let keys = from.keys().chain(to.keys().filter(|key| !from.contains_key(*key)));
    for key in keys {
        let path = format!("{path}/{}", escaped(key));
        match (from.get(key), to.get(key)) {
            (from, to) if from == to => {}
            (Some(Value::Object(from)), Some(Value::Object(to))) => objects(from, to, &path, changes),
            (from, to) => {
                let text = |value: Option<&Value>| value.map(ToString::to_string);
                changes.push(KeyChange { path, from: text(from), to: text(to) });
            }
        }
    }
}
