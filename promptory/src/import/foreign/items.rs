//! The values of a JSON file: one a line or one after the other, lists of them, or a list in an object (`data`, `items`,
//! `prompts`, `model_versions`). Each has a place, counted from 1.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use serde_json::Value;

use super::{Item, Version};

const LISTS: [&str; 4] = ["data", "items", "prompts", "model_versions"];

/// Reads a file; what is no value ends it.
///
/// # Errors
/// The file can't be opened.
pub fn read(path: &Path, version: impl Fn(&Value) -> Result<Version, String>) -> std::io::Result<Vec<Item>> {
    let mut items: Vec<Item> = Vec::new();
    let values = serde_json::Deserializer::from_reader(BufReader::new(File::open(path)?)).into_iter::<Value>();
    for value in values {
        let next = items.len() as u64 + 1;
        match value {
            Ok(value) => items.extend((next..).zip(each(value)).map(|(place, value)| (place, version(&value)))),
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                items.push((next, Err(format!("from line {line}, column {column} on the file is no JSON"))));
            }
        }
    }
    Ok(items)
}

fn each(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        Value::Object(mut object) => {
            let list = LISTS.into_iter().find(|name| object.get(*name).is_some_and(Value::is_array));
            match list.and_then(|name| object.remove(name)) {
                Some(Value::Array(values)) => values,
                _ => vec![Value::Object(object)],
            }
        }
        value => vec![value],
    }
}
