//! MLflow's prompt registry: model versions that are prompts, from a file or by its REST API (2.0).

use std::path::Path;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use promptory_events::Timestamp;
use promptory_events::event::Syntax;
use serde_json::{Map, Value};

use super::{Item, Version, author, items, messages, text, texts};
use crate::asking::{Asking, AskingError};

const IS_PROMPT: &str = "tags.`mlflow.prompt.is_prompt` = 'true'";

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
    let prompts = pages(asking, patience, "registered-models", IS_PROMPT)?;
    let mut found = Vec::new();
    for prompt in prompts {
        let name = prompt["name"].as_str().unwrap_or_default();
        // Names of prompts have no quotes; whoever made one otherwise finds it with the other kind.
        let quote = if name.contains('\'') { '"' } else { '\'' };
        let filter = format!("name = {quote}{name}{quote} AND {IS_PROMPT}");
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
    let mut tags = Map::new();
    for tag in value["tags"].as_array().into_iter().flatten() {
        if let (Some(name), Some(said)) = (tag["key"].as_str(), tag["value"].as_str()) {
            tags.insert(name.to_owned(), said.into());
        }
    }
    let said = |name: &str| tags.get(name).and_then(Value::as_str);
    let content = said("mlflow.prompt.text").ok_or("it has no tag `mlflow.prompt.text`: it is no prompt")?;
    let number = value["version"].as_str().and_then(|text| text.parse().ok()).or(value["version"].as_u64());
    let object = |name: &str| {
        let object = said(name).map(serde_json::from_str::<Value>).transpose();
        object.map_err(|_| format!("its tag `{name}` is no JSON"))
    };
    let kind = said("_mlflow_prompt_type").unwrap_or("text");
    let chat =
        (kind == "chat").then(|| serde_json::from_str(content).map_err(|_| "its messages are no JSON".to_owned()));
    let messages = chat.transpose()?.map(|list| messages(&list)).transpose()?;
    let mut config = Map::new();
    if let Some(Value::Object(model)) = object("_mlflow_prompt_model_config")? {
        config.extend(renamed(model));
    }
    if let Some(schema) = object("_mlflow_prompt_response_format")? {
        config.insert("output_schema".into(), schema);
    }
    let time = value["creation_timestamp"].as_i64().or_else(|| value["creation_timestamp"].as_str()?.parse().ok());
    Ok(Version {
        name: text(value, "name")?,
        number: number.ok_or("`version` is no number")?,
        text: messages.is_none().then(|| content.to_owned()),
        messages,
        config,
        template: (kind == "jinja2").then_some(Syntax::Jinja),
        labels: texts(&value["aliases"]),
        message: value["description"].as_str().filter(|text| !text.is_empty()).map(str::to_owned),
        time: time.map(|ms| Timestamp::from_micros(ms.saturating_mul(1000))),
        author: author(&value["user_id"]),
        ..Version::default()
    })
}

/// The model's name is `model` here; everything else stays what it was called.
fn renamed(model: Map<String, Value>) -> impl Iterator<Item = (String, Value)> {
    model.into_iter().map(|(name, value)| (if name == "model_name" { "model".to_owned() } else { name }, value))
}
