//! Langfuse: versions as its public API has them, from a file or from the API itself (`GET /api/public/v2/prompts`).

use std::path::Path;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::{Item, Version, author, items, messages, text, texts};
use crate::asking::{Asking, AskingError};

/// The versions in a file.
///
/// # Errors
/// The file can't be opened.
pub fn file(path: &Path) -> std::io::Result<Vec<Item>> {
    items::read(path, version)
}

/// All versions of the project of a key.
///
/// # Errors
/// The server can't be asked, or answers something else.
pub fn live(asking: &Asking, patience: Duration) -> Result<Vec<Item>, AskingError> {
    let (mut found, mut page) = (Vec::new(), 1);
    loop {
        let list = asking.get_patiently(&format!("/api/public/v2/prompts?page={page}&limit=100"), patience)?;
        for prompt in list["data"].as_array().into_iter().flatten() {
            let name = prompt["name"].as_str().unwrap_or_default();
            let path = format!("/api/public/v2/prompts/{}", utf8_percent_encode(name, NON_ALPHANUMERIC));
            for number in prompt["versions"].as_array().into_iter().flatten() {
                // Not resolved: what includes another prompt should still do so.
                let answer = asking.get_patiently(&format!("{path}?version={number}&resolve=false"), patience)?;
                found.push((found.len() as u64 + 1, version(&answer)));
            }
        }
        if page >= list["meta"]["totalPages"].as_u64().unwrap_or_default() {
            return Ok(found);
        }
        page += 1;
    }
}

fn version(value: &Value) -> Result<Version, String> {
    let number = value["version"].as_u64().ok_or("`version` is no number")?;
    let chat = value["type"] == "chat" || value["prompt"].is_array();
    let (text, messages) =
        if chat { (None, Some(messages(&value["prompt"])?)) } else { (Some(text(value, "prompt")?), None) };
    let mut lost = Vec::new();
    if text.as_ref().is_some_and(|text| text.contains("@@@langfusePrompt:")) {
        lost.push("it includes another prompt in Langfuse's way, which is plain text here");
    }
    let config = match &value["config"] {
        Value::Object(config) => config.clone(),
        Value::Null => Map::new(),
        other => Map::from_iter([("value".into(), other.clone())]),
    };
    Ok(Version {
        name: super::text(value, "name")?,
        number,
        text,
        messages,
        config,
        labels: texts(&value["labels"]),
        tags: texts(&value["tags"]),
        message: value["commitMessage"].as_str().map(str::to_owned),
        time: value["createdAt"].as_str().and_then(|time| time.parse().ok()),
        author: author(&value["createdBy"]),
        lost,
        ..Version::default()
    })
}
