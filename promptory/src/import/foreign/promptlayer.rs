//! PromptLayer: versions as its API gives them (`GET /prompt-templates`, or what publishing one answers), from a file.

use std::path::Path;

use promptory_command::wire::Message;
use promptory_events::event::Syntax;
use serde_json::{Map, Value};

use super::{Item, Version, items, text, texts};

/// The versions in a file.
///
/// # Errors
/// The file can't be opened.
pub fn file(path: &Path) -> std::io::Result<Vec<Item>> {
    items::read(path, version)
}

fn version(value: &Value) -> Result<Version, String> {
    let template = &value["prompt_template"];
    let number = value["version"].as_u64().or(value["version_number"].as_u64()).ok_or("`version` is no number")?;
    let (content, messages) = match template["type"].as_str() {
        Some("completion") => (Some(said(&template["content"])?), None),
        Some("chat") => (None, Some(chat(&template["messages"])?)),
        _ => return Err("`prompt_template.type` is none of completion, chat".into()),
    };
    let formats = template["messages"].as_array().into_iter().flatten().chain([template]);
    let format = formats.filter_map(|part| part["template_format"].as_str()).next();
    let (syntax, lost) = match format {
        Some("jinja2") => (Some(Syntax::Jinja), vec![]),
        // `{name}` is nothing here; it is kept as it is.
        Some("f-string") => {
            (Some(Syntax::None), vec!["its variables are those of an f-string, which is plain text here"])
        }
        _ => (None, vec![]),
    };
    Ok(Version {
        name: text(value, "prompt_name")?,
        number,
        text: content,
        messages,
        config: config(&value["metadata"]),
        template: syntax,
        labels: texts(if value["release_labels"].is_array() { &value["release_labels"] } else { &value["labels"] }),
        tags: texts(&value["tags"]),
        message: value["commit_message"].as_str().map(str::to_owned),
        time: value["created_at"].as_str().and_then(|time| time.parse().ok()),
        lost,
        ..Version::default()
    })
}

/// A text, or a list of pieces of text.
fn said(content: &Value) -> Result<String, String> {
    if let Some(text) = content.as_str() {
        return Ok(text.to_owned());
    }
    let pieces = content.as_array().ok_or("its content is no list")?;
    let piece = |piece: &Value| match piece["type"].as_str() {
        Some("text") => text(piece, "text"),
        _ => Err("its content is more than text".to_owned()),
    };
    pieces.iter().map(piece).collect()
}

fn chat(messages: &Value) -> Result<Vec<Message>, String> {
    let messages = messages.as_array().ok_or("`prompt_template.messages` is no list")?;
    let message = |message: &Value| match message["role"].as_str() {
        Some("placeholder") => Ok(Message::Placeholder { r#type: "placeholder".into(), name: text(message, "name")? }),
        Some(role) => Ok(Message::Said { role: role.to_owned(), content: said(&message["content"])? }),
        None => Err("a message has no role".to_owned()),
    };
    messages.iter().map(message).collect()
}

/// The model's name, provider and parameters, and what else there is, under `metadata`.
fn config(metadata: &Value) -> Map<String, Value> {
    let (mut config, mut rest) = (Map::new(), metadata.as_object().cloned().unwrap_or_default());
    if let Some(Value::Object(mut model)) = rest.remove("model") {
        config.extend(model.remove("name").map(|name| ("model".to_owned(), name)));
        config.extend(model);
    }
    if !rest.is_empty() {
        config.insert("metadata".into(), rest.into());
    }
    config
}
