//! A new version as Langfuse's clients send it, in our terms. Fields that nobody here knows are ignored, as Langfuse does.

use promptory_events::event::Syntax;
use promptory_events::{Label, PromptKey};
use promptory_platform::Problem;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::tags;

/// A new prompt, or the next version of one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LangfuseCreatePrompt)]
pub struct CreatePrompt {
    /// The prompt's key.
    #[schema(example = "team/greet")]
    name: String,
    /// `text` (if it is not there) or `chat`.
    #[serde(default)]
    r#type: Option<Type>,
    /// A text, or of a chat messages and placeholders.
    #[schema(value_type = Value)]
    prompt: Value,
    /// The version's configuration, an object.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    config: Option<Value>,
    /// Labels that move to it.
    #[serde(default)]
    labels: Option<Vec<String>>,
    /// All tags of the prompt from now on; as they are, if this is not there.
    #[serde(default)]
    tags: Option<Vec<String>>,
    /// Why.
    #[serde(default)]
    commit_message: Option<String>,
}

/// What a prompt holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = LangfusePromptType)]
pub enum Type {
    /// A text.
    Text,
    /// Messages.
    Chat,
}

/// Labels for a version that is there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LangfuseNewLabels)]
pub struct NewLabels {
    /// They move to the version; those that it has stay.
    new_labels: Vec<String>,
}

/// What a client wants to be written.
#[derive(Debug, PartialEq, Eq)]
pub struct Creation {
    /// The prompt's key.
    pub key: PromptKey,
    /// Its text; or its messages, each an object.
    pub content: Said,
    /// How that is read, if it is not as every text is: with prompts in it, it is a template.
    pub template: Option<Syntax>,
    /// The version's configuration.
    pub config: Option<Map<String, Value>>,
    /// Labels that move to it, each once, without `latest`.
    pub labels: Vec<String>,
    /// All tags of the prompt from now on, each once.
    pub tags: Option<Vec<String>>,
    /// Why.
    pub message: Option<String>,
}

/// What a version is to say.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// A text.
    Text(String),
    /// Messages and placeholders.
    Messages(Vec<Value>),
}

impl CreatePrompt {
    /// In our terms.
    ///
    /// # Errors
    /// `invalid-field`: a name that is no key, a prompt of another type than it is said to be, a configuration that is no
    /// object.
    pub fn read(self) -> Result<Creation, Problem> {
        let key = self
            .name
            .parse()
            .map_err(|error| Problem::field("/name", format!("a name is a key here, and it {error}")))?;
        let (content, template) = match (self.r#type.unwrap_or(Type::Text), self.prompt) {
            (Type::Text, Value::String(text)) if tags::has_tag(&text) => {
                (Said::Text(tags::kept(&text, "/prompt")?), Some(Syntax::Jinja))
            }
            (Type::Text, Value::String(text)) => (Said::Text(text), None),
            (Type::Chat, Value::Array(items)) => messages(items)?,
            (Type::Text, _) => {
                return Err(Problem::field("/prompt", "must be a text; say `\"type\": \"chat\"` for messages"));
            }
            (Type::Chat, _) => return Err(Problem::field("/prompt", "must be a list of messages")),
        };
        let config = match self.config {
            None | Some(Value::Null) => None,
            Some(Value::Object(config)) => Some(config).filter(|config| !config.is_empty()),
            Some(_) => return Err(Problem::field("/config", "must be an object here")),
        };
        let labels = once(self.labels.unwrap_or_default()).into_iter();
        // It is where it always is: on the newest version.
        let labels = labels.filter(|label| label != Label::LATEST).collect();
        let (tags, message) = (self.tags.map(once), self.commit_message);
        Ok(Creation { key, content, template, config, labels, tags, message })
    }
}

impl NewLabels {
    /// The labels, each once.
    ///
    /// # Errors
    /// `latest`, which nobody moves.
    pub fn read(self) -> Result<Vec<String>, Problem> {
        if self.new_labels.iter().any(|label| label == Label::LATEST) {
            return Err(Problem::field("/newLabels", "Label 'latest' is always assigned to the latest prompt version"));
        }
        Ok(once(self.new_labels))
    }
}

/// Each once, in their order.
fn once(mut texts: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    texts.retain(|text| seen.insert(text.clone()));
    texts
}

/// The items of a chat, and how they are read. If one has prompts in it, all of them are templates.
fn messages(items: Vec<Value>) -> Result<(Said, Option<Syntax>), Problem> {
    let mut items: Vec<Value> = items.into_iter().map(message).collect();
    if !items.iter().filter_map(|item| item["content"].as_str()).any(tags::has_tag) {
        return Ok((Said::Messages(items), None));
    }
    for (at, item) in items.iter_mut().enumerate() {
        if let Some(Value::String(content)) = item.get_mut("content") {
            *content = tags::kept(content, &format!("/prompt/{at}/content"))?;
        }
    }
    Ok((Said::Messages(items), Some(Syntax::Jinja)))
}

/// An item of a chat. The SDKs say of a message that it is one, which goes without saying here.
fn message(mut item: Value) -> Value {
    if let Value::Object(fields) = &mut item
        && fields.contains_key("role")
        && fields.get("type").is_some_and(|kind| kind.is_null() || kind == "chatmessage" || kind == "message")
    {
        fields.remove("type");
    }
    item
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: Value) -> Result<Creation, Problem> {
        serde_json::from_value::<CreatePrompt>(body).unwrap().read()
    }

    #[test]
    fn what_the_sdks_send_is_a_creation() {
        let chat = read(json!({
            "name": "team/chat", "type": "chat", "config": {"model": "x"}, "labels": ["a", "latest", "a"], "isActive": true,
            "tags": ["t", "t"], "commitMessage": "why",
            "prompt": [{"type": "chatmessage", "role": "user", "content": "hi"}, {"type": "placeholder", "name": "history"}],
        }));
        let chat = chat.unwrap();
        let messages =
            vec![json!({"role": "user", "content": "hi"}), json!({"type": "placeholder", "name": "history"})];
        assert_eq!((chat.key.as_str(), chat.content), ("team/chat", Said::Messages(messages)));
        assert_eq!((chat.labels, chat.tags), (vec!["a".to_owned()], Some(vec!["t".to_owned()])));
        assert_eq!((chat.config.unwrap().len(), chat.message.as_deref()), (1, Some("why")));
        let text = read(json!({"name": "x", "prompt": "hi", "config": {}, "labels": [], "tags": null})).unwrap();
        assert_eq!((text.content, text.template, text.config, text.tags), (Said::Text("hi".into()), None, None, None));
        let tag = "@@@langfusePrompt:name=x|label=y@@@";
        let composed = read(json!({"name": "x", "prompt": format!("{tag}{{{{a}}}}")})).unwrap();
        let kept = Said::Text("{% include \"x@y\" %}{{a}}".into());
        assert_eq!((composed.content, composed.template), (kept, Some(Syntax::Jinja)));
        let items = json!([{"role": "user", "content": "{%"}, {"role": "user", "content": tag}]);
        let composed = read(json!({"name": "x", "type": "chat", "prompt": items})).unwrap();
        let Said::Messages(items) = composed.content else { panic!("no chat") };
        assert_eq!((items[0]["content"].as_str(), composed.template), (Some("{{ '{' }}%"), Some(Syntax::Jinja)));
    }

    #[test]
    fn what_is_none_is_refused_with_its_field() {
        for (body, field) in [
            (json!({"name": "", "prompt": ""}), "/name"),
            (json!({"name": format!("prm_{}", "0".repeat(32)), "prompt": ""}), "/name"),
            (json!({"name": "x", "prompt": []}), "/prompt"),
            (json!({"name": "x", "type": "chat", "prompt": "hi"}), "/prompt"),
            (json!({"name": "x", "prompt": "", "config": [1]}), "/config"),
        ] {
            assert_eq!(read(body).unwrap_err().members["field"], field);
        }
        let labels = |body: Value| serde_json::from_value::<NewLabels>(body).unwrap().read();
        assert_eq!(labels(json!({"newLabels": ["a", "b", "a"]})).unwrap(), ["a", "b"]);
        assert_eq!(labels(json!({"newLabels": ["a", "latest"]})).unwrap_err().members["field"], "/newLabels");
    }
}
