//! What a version says. MLflow keeps it in tags of the version: the text or the messages, the model's configuration, the schema of
//! the answer; other tags are the caller's. Here all but the text is the version's configuration, which does not change either.

use promptory_events::event::{Kind, Syntax};
use promptory_platform::Problem;
use serde_json::{Map, Value};

use super::{IS_PROMPT, KeyValue};

const TEXT: &str = "mlflow.prompt.text";
const TYPE: &str = "_mlflow_prompt_type";
const MODEL_CONFIG: &str = "_mlflow_prompt_model_config";
const RESPONSE_FORMAT: &str = "_mlflow_prompt_response_format";

/// The member of a configuration that has the caller's tags of the version.
const TAGS: &str = "mlflow_tags";
/// The member of a configuration that is the schema of the answer.
const OUTPUT_SCHEMA: &str = "output_schema";

/// What a version says, in our terms.
#[derive(Debug, PartialEq)]
pub struct Content {
    /// Its text; or its messages, each a value.
    pub said: Said,
    /// How it is read, if it is not as every text is.
    pub template: Option<Syntax>,
    /// Its configuration.
    pub config: Map<String, Value>,
    /// The caller's own tags, which are in the configuration, too.
    pub tags: Vec<(String, String)>,
}

/// What a version is to say.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// A text.
    Text(String),
    /// Messages.
    Messages(Vec<Value>),
}

/// What the tags of a version say. Of those with the same name the last one counts.
///
/// # Errors
/// `invalid-field`: there is no text, or what should be JSON is none of its kind.
pub fn read(tags: impl IntoIterator<Item = (String, String)>) -> Result<Content, Problem> {
    let mut tags: std::collections::BTreeMap<String, String> = tags.into_iter().collect();
    let none = || Problem::field("/tags", format!("it has no tag `{TEXT}`: it is no prompt"));
    let text = tags.remove(TEXT).ok_or_else(none)?;
    let kind = tags.remove(TYPE);
    let said = if kind.as_deref() == Some("chat") {
        let list = serde_json::from_str(&text);
        Said::Messages(list.map_err(|_| Problem::field("/tags", "its messages are no JSON list"))?)
    } else {
        Said::Text(text)
    };
    let mut json = |name: &str| -> Result<Option<Value>, Problem> {
        let value = tags.remove(name).map(|text| serde_json::from_str(&text)).transpose();
        value.map_err(|_| Problem::field("/tags", format!("its tag `{name}` is no JSON")))
    };
    let (model, schema) = (json(MODEL_CONFIG)?, json(RESPONSE_FORMAT)?);
    let mut config = Map::new();
    match model {
        None | Some(Value::Null) => {}
        Some(Value::Object(model)) => config.extend(renamed(model, "model_name", "model")),
        Some(_) => return Err(Problem::field("/tags", format!("its tag `{MODEL_CONFIG}` is no JSON object"))),
    }
    if let Some(schema) = schema {
        config.insert(OUTPUT_SCHEMA.into(), schema);
    }
    tags.remove(IS_PROMPT);
    if !tags.is_empty() {
        let all = tags.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
        config.insert(TAGS.into(), Value::Object(all.collect()));
    }
    let template = (kind.as_deref() == Some("jinja2")).then_some(Syntax::Jinja);
    Ok(Content { said, template, config, tags: tags.into_iter().collect() })
}

/// The tags of a version with this content and this configuration, each as it is stored.
///
/// # Errors
/// A configuration that is no JSON object.
pub fn tags(kind: Kind, stored: &str, config: Option<&str>) -> Result<Vec<KeyValue>, serde_json::Error> {
    let mut config: Map<String, Value> = serde_json::from_str(config.unwrap_or("{}"))?;
    let of_kind = match kind {
        Kind::Text => "text",
        Kind::Chat => "chat",
    };
    let mut all = vec![KeyValue::new(IS_PROMPT, "true"), KeyValue::new(TYPE, of_kind), KeyValue::new(TEXT, stored)];
    if let Some(schema) = config.remove(OUTPUT_SCHEMA) {
        all.push(KeyValue::new(RESPONSE_FORMAT, schema.to_string()));
    }
    // What is no object of texts was not written by this client, and stays where it is.
    if let Some(own) = config.get(TAGS).and_then(texts) {
        config.remove(TAGS);
        all.extend(own);
    }
    if !config.is_empty() {
        let model: Map<String, Value> = renamed(config, "model", "model_name").collect();
        all.push(KeyValue::new(MODEL_CONFIG, Value::Object(model).to_string()));
    }
    Ok(all)
}

fn texts(value: &Value) -> Option<Vec<KeyValue>> {
    value.as_object()?.iter().map(|(key, value)| Some(KeyValue::new(key, value.as_str()?))).collect()
}

/// A configuration with another name for one of its members; everything else stays what it was called.
fn renamed(config: Map<String, Value>, from: &str, to: &str) -> impl Iterator<Item = (String, Value)> {
    let free = !config.contains_key(to);
    config.into_iter().map(move |(name, value)| (if free && name == from { to.to_owned() } else { name }, value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent(tags: &[(&str, &str)]) -> Result<Content, Problem> {
        read(tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())))
    }

    fn again(kind: Kind, stored: &str, config: &Map<String, Value>) -> Content {
        let config = Value::Object(config.clone()).to_string();
        read(tags(kind, stored, Some(&config)).unwrap().into_iter().map(|tag| (tag.key, tag.value))).unwrap()
    }

    #[test]
    fn what_the_client_sends_is_a_text_with_a_configuration_and_comes_back_as_it_was() {
        let content = sent(&[
            (IS_PROMPT, "true"),
            (TYPE, "text"),
            (TEXT, "Hi, {{ name }}."),
            (MODEL_CONFIG, r#"{"model_name": "m", "temperature": 0.5}"#),
            (RESPONSE_FORMAT, r#"{"type": "object"}"#),
            ("author", "ada"),
        ]);
        let content = content.unwrap();
        let config = json!({"model": "m", "temperature": 0.5, "output_schema": {"type": "object"}, "mlflow_tags": {"author": "ada"}});
        assert_eq!(Value::Object(content.config.clone()), config);
        assert_eq!((&content.said, content.template), (&Said::Text("Hi, {{ name }}.".into()), None));
        assert_eq!(content.tags, [("author".to_owned(), "ada".to_owned())]);
        assert_eq!(again(Kind::Text, "Hi, {{ name }}.", &content.config), content);
    }

    #[test]
    fn a_chat_is_a_list_and_a_configuration_of_ours_is_shown_whole() {
        let list = r#"[{"role":"user","content":"hi"}]"#;
        let chat = sent(&[(TYPE, "chat"), (TEXT, list)]).unwrap();
        assert_eq!(chat.said, Said::Messages(vec![json!({"role": "user", "content": "hi"})]));
        assert!(chat.config.is_empty() && chat.tags.is_empty());
        assert_eq!(again(Kind::Chat, list, &chat.config), chat);
        let Value::Object(ours) = json!({"model": "a", "model_name": "b", "mlflow_tags": {"n": 1}, "tools": []}) else {
            panic!("no object")
        };
        assert_eq!(again(Kind::Text, "x", &ours).config, ours);
        assert_eq!(sent(&[(TYPE, "jinja2"), (TEXT, "x")]).unwrap().template, Some(Syntax::Jinja));
    }

    #[test]
    fn what_is_no_prompt_is_refused() {
        for (bad, why) in [
            (vec![(TYPE, "text")], "no tag `mlflow.prompt.text`"),
            (vec![(TYPE, "chat"), (TEXT, "hi")], "no JSON list"),
            (vec![(TYPE, "chat"), (TEXT, "{}")], "no JSON list"),
            (vec![(TEXT, "hi"), (MODEL_CONFIG, "{")], "is no JSON"),
            (vec![(TEXT, "hi"), (MODEL_CONFIG, "[]")], "is no JSON object"),
        ] {
            let refused = sent(&bad).unwrap_err();
            assert!(refused.detail.contains(why), "{bad:?}: {}", refused.detail);
        }
    }
}
