//! MLflow's prompt registry: model versions that are prompts, from a file or by its REST API (2.0).

use std::path::Path;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use promptory_compat::mlflow::IS_PROMPT;
use promptory_compat::mlflow::content::{self, Content, Said};
use promptory_events::Timestamp;
use serde_json::Value;

use super::{Item, Version, author, items, messages, text as text_of, texts};
use crate::asking::{Asking, AskingError};

/// The versions in a file, each as the REST API has a model version.
///
/// # Errors
/// The file can't be opened.
pub fn file(path: &Path) -> std::io::Result<Vec<Item>> {
    items::read(path, version)
}

/// All versions of all prompts of a server.
///
/// # Errors
/// The server can't be asked, or answers something else.
pub fn live(asking: &Asking, patience: Duration) -> Result<Vec<Item>, AskingError> {
    let is_prompt = format!("tags.`{IS_PROMPT}` = 'true'");
    let prompts = pages(asking, patience, "registered-models", &is_prompt)?;
    let mut found = Vec::new();
    for prompt in prompts {
        let name = prompt["name"].as_str().unwrap_or_default();
        // Names of prompts have no quotes; whoever made one otherwise finds it with the other kind.
        let quote = if name.contains('\'') { '"' } else { '\'' };
        let filter = format!("name = {quote}{name}{quote} AND {is_prompt}");
        for one in pages(asking, patience, "model-versions", &filter)? {
            found.push((found.len() as u64 + 1, version(&one)));
        }
    }
    Ok(found)
}

fn pages(asking: &Asking, patience: Duration, of: &str, filter: &str) -> Result<Vec<Value>, AskingError> {
    let encoded = utf8_percent_encode(filter, NON_ALPHANUMERIC);
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/2.0/mlflow/{of}/search?filter={encoded}&max_results=100{token}");
        let mut page = asking.get_patiently(&path, patience)?;
        // `registered_models`, `model_versions`; an empty list is left out.
        found.extend(page[of.replace('-', "_")].as_array_mut().map(std::mem::take).unwrap_or_default());
        match page["next_page_token"].as_str().filter(|next| !next.is_empty()) {
            Some(next) => token = format!("&page_token={}", utf8_percent_encode(next, NON_ALPHANUMERIC)),
            None => return Ok(found),
        }
    }
}

fn version(value: &Value) -> Result<Version, String> {
    let said = |tag: &Value| Some((tag["key"].as_str()?.to_owned(), tag["value"].as_str()?.to_owned()));
    let tags = value["tags"].as_array().into_iter().flatten().filter_map(said);
    let Content { said, template, config, .. } = content::read(tags).map_err(|problem| problem.detail)?;
    let number = value["version"].as_str().and_then(|text| text.parse().ok()).or(value["version"].as_u64());
    let (text, list) = match said {
        Said::Text(text) => (Some(text), None),
        Said::Messages(items) => (None, Some(messages(&Value::Array(items))?)),
    };
    let time = value["creation_timestamp"].as_i64().or_else(|| value["creation_timestamp"].as_str()?.parse().ok());
    Ok(Version {
        name: text_of(value, "name")?,
        number: number.ok_or("`version` is no number")?,
        text,
        messages: list,
        config,
        template,
        labels: texts(&value["aliases"]),
        message: value["description"].as_str().filter(|text| !text.is_empty()).map(str::to_owned),
        time: time.map(|ms| Timestamp::from_micros(ms.saturating_mul(1000))),
        author: author(&value["user_id"]),
        ..Version::default()
    })
}
