//! What MLflow's client writes. Fields that nobody here knows are ignored, as MLflow does.

use promptory_events::PromptKey;
use promptory_platform::Problem;
use serde::Deserialize;
use utoipa::ToSchema;

use super::content::{self, Content};
use super::{IS_PROMPT, tags};

/// A tag.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = MlflowNewTag)]
pub struct NewTag {
    /// Its name.
    pub key: String,
    /// What it says.
    #[serde(default)]
    pub value: String,
}

/// A prompt that is to come.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = MlflowCreateRegisteredModel)]
pub struct CreateRegisteredModel {
    /// The prompt's key.
    #[schema(example = "greet")]
    name: String,
    /// `mlflow.prompt.is_prompt` must be among them. None of them is kept: the client sends them again with the first version.
    #[serde(default)]
    tags: Vec<NewTag>,
}

impl CreateRegisteredModel {
    /// The prompt's key.
    ///
    /// # Errors
    /// `invalid-field`: the name is no key, or it is not to be a prompt.
    pub fn read(self) -> Result<PromptKey, Problem> {
        if !self.tags.iter().any(|tag| tag.key == IS_PROMPT && tag.value == "true") {
            return Err(Problem::field(
                "/tags",
                format!("only prompts are kept here, and they have the tag `{IS_PROMPT}`"),
            ));
        }
        key("/name", &self.name)
    }
}

/// A new version.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = MlflowCreateModelVersion)]
pub struct CreateModelVersion {
    /// The prompt's key.
    #[schema(example = "greet")]
    name: String,
    /// Why.
    #[serde(default)]
    description: Option<String>,
    /// What the client puts in the place of a model: `dummy-source` if the caller's tags are also those of a new prompt.
    #[serde(default)]
    source: Option<String>,
    /// What it says (`mlflow.prompt.text`), its configuration, and tags of the caller.
    tags: Vec<NewTag>,
}

/// A version that is to be written.
#[derive(Debug, PartialEq)]
pub struct Creation {
    /// The prompt's key.
    pub key: PromptKey,
    /// What it says.
    pub content: Content,
    /// Tags of the prompt, if this is its first version.
    pub tags: Vec<String>,
    /// Why.
    pub message: Option<String>,
}

/// What `register_prompt` says is the source of a version. It means its tags for the version and for the prompt.
const OF_BOTH: &str = "dummy-source";

impl CreateModelVersion {
    /// In our terms.
    ///
    /// # Errors
    /// `invalid-field`: the name is no key, or the version no prompt; a tag of the prompt is no tag here.
    pub fn read(self) -> Result<Creation, Problem> {
        let key = key("/name", &self.name)?;
        let content = content::read(self.tags.into_iter().map(|tag| (tag.key, tag.value)))?;
        let of_both = self.source.as_deref() == Some(OF_BOTH);
        let own = content.tags.iter().filter(|_| of_both);
        let tags = own.map(|(key, value)| tags::word(key, value)).collect::<Result<_, _>>()?;
        Ok(Creation { key, content, tags, message: self.description.filter(|text| !text.is_empty()) })
    }
}

/// A tag of a prompt.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = MlflowSetTag)]
pub struct SetTag {
    /// The prompt's key.
    #[schema(example = "greet")]
    pub name: String,
    /// The tag's name.
    pub key: String,
    /// What it says.
    #[serde(default)]
    pub value: String,
}

/// A tag of a prompt that is to go.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = MlflowDeleteTag)]
pub struct DeleteTag {
    /// The prompt's key.
    #[schema(example = "greet")]
    pub name: String,
    /// The tag's name.
    pub key: String,
}

/// A label on a version.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = MlflowSetAlias)]
pub struct SetAlias {
    /// The prompt's key.
    #[schema(example = "greet")]
    pub name: String,
    /// The label.
    #[schema(example = "production")]
    pub alias: String,
    /// The number of the version.
    #[schema(example = "1")]
    version: String,
}

impl SetAlias {
    /// The number of the version.
    ///
    /// # Errors
    /// `invalid-field`: it is none.
    pub fn version(&self) -> Result<u32, Problem> {
        number("/version", &self.version)
    }
}

/// A label that is to go.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = MlflowDeleteAlias)]
pub struct DeleteAlias {
    /// The prompt's key.
    #[schema(example = "greet")]
    pub name: String,
    /// The label.
    #[schema(example = "production")]
    pub alias: String,
}

/// Which prompt.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = MlflowName)]
pub struct Name {
    /// Its key.
    #[schema(example = "greet")]
    pub name: String,
}

/// A name is a key.
///
/// # Errors
/// `invalid-field`: it is none.
pub fn key(field: &str, name: &str) -> Result<PromptKey, Problem> {
    name.parse().map_err(|error| Problem::field(field, format!("a name is a key here, and it {error}")))
}

/// The number of a version.
///
/// # Errors
/// `invalid-field`: it is none.
pub fn number(field: &str, text: &str) -> Result<u32, Problem> {
    text.parse().map_err(|_| Problem::field(field, "must be the number of a version"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn version(body: Value) -> Result<Creation, Problem> {
        serde_json::from_value::<CreateModelVersion>(body).unwrap().read()
    }

    #[test]
    fn the_tags_of_a_registration_are_of_the_version_and_of_a_new_prompt() {
        let body = |source: &str| {
            let tags =
                json!([{"key": "mlflow.prompt.text", "value": "hi"}, {"key": "team", "value": "a"}, {"key": "x"}]);
            json!({"name": "greet", "source": source, "description": "why", "run_id": "r", "tags": tags})
        };
        let both = version(body("dummy-source")).unwrap();
        assert_eq!((both.key.as_str(), both.message.as_deref()), ("greet", Some("why")));
        assert_eq!(both.tags, ["team=a", "x"]);
        assert_eq!(both.content.config["mlflow_tags"], json!({"team": "a", "x": ""}));
        let alone = version(body("prompt-template")).unwrap();
        assert_eq!((alone.tags.len(), &alone.content), (0, &both.content));
    }

    #[test]
    fn what_is_none_is_refused_with_its_field() {
        let tags = json!([{"key": "mlflow.prompt.text", "value": "hi"}]);
        for (body, field) in [
            (json!({"name": "", "tags": tags}), "/name"),
            (json!({"name": "x", "tags": []}), "/tags"),
            (
                json!({"name": "x", "source": "dummy-source", "tags": [{"key": "mlflow.prompt.text"}, {"key": "a=b"}]}),
                "/key",
            ),
        ] {
            assert_eq!(version(body).unwrap_err().members["field"], field);
        }
        let model = |body: Value| serde_json::from_value::<CreateRegisteredModel>(body).unwrap().read();
        assert_eq!(model(json!({"name": "x"})).unwrap_err().members["field"], "/tags");
        let tag = json!([{"key": IS_PROMPT, "value": "true"}]);
        assert_eq!(model(json!({"name": "\n", "tags": tag})).unwrap_err().members["field"], "/name");
        assert_eq!(model(json!({"name": "x", "description": "d", "tags": tag})).unwrap().as_str(), "x");
        assert!(number("version", "-1").is_err() && number("version", "1.0").is_err());
    }
}
