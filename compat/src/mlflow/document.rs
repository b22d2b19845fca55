//! Prompts and versions as MLflow's client reads them: registered models and model versions.

use std::collections::BTreeMap;

use promptory_events::event::Kind;
use promptory_events::{Label, PromptKey, Tag, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::{content, tags};

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MlflowTag)]
pub struct KeyValue {
    /// Its name.
    pub key: String,
    /// What it says.
    pub value: String,
}

impl KeyValue {
    /// A tag.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

/// A prompt.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MlflowRegisteredModel)]
pub struct RegisteredModel<'a> {
    /// Its key.
    #[schema(value_type = String, example = "greet")]
    pub name: &'a PromptKey,
    /// When its first version was written, as it is claimed or else recorded, in milliseconds of Unix time. Not there as long as
    /// it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<i64>,
    /// When it last changed, in milliseconds of Unix time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_updated_timestamp: Option<i64>,
    /// Its tags: `mlflow.prompt.is_prompt`, and its own.
    pub tags: Vec<KeyValue>,
    /// Its labels.
    pub aliases: Vec<Alias>,
}

/// A label.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MlflowAlias)]
pub struct Alias {
    /// The label.
    pub alias: String,
    /// The number of the version that it points to.
    pub version: String,
}

impl<'a> RegisteredModel<'a> {
    /// One that is to come: its first version makes it.
    #[must_use]
    pub fn to_come(name: &'a PromptKey) -> Self {
        let (creation_timestamp, last_updated_timestamp) = (None, None);
        Self { name, creation_timestamp, last_updated_timestamp, tags: tags::shown(&[]), aliases: Vec::new() }
    }

    /// One that is there.
    #[must_use]
    pub fn there(
        name: &'a PromptKey,
        own: &[Tag],
        labels: &BTreeMap<Label, u32>,
        [created, changed]: [Timestamp; 2],
    ) -> Self {
        let alias = |(label, number): (&Label, &u32)| Alias { alias: label.to_string(), version: number.to_string() };
        Self {
            name,
            creation_timestamp: Some(millis(created)),
            last_updated_timestamp: Some(millis(changed)),
            tags: tags::shown(own),
            aliases: labels.iter().map(alias).collect(),
        }
    }
}

/// A version of a prompt.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MlflowModelVersion)]
pub struct ModelVersion {
    /// The prompt's key.
    #[schema(example = "greet")]
    pub name: String,
    /// The version's number.
    #[schema(example = "1")]
    pub version: String,
    /// When it was written, as it is claimed or else recorded, in milliseconds of Unix time.
    pub creation_timestamp: i64,
    /// The same: a version does not change.
    pub last_updated_timestamp: i64,
    /// Who wrote it: the author who is claimed, or else the principal.
    pub user_id: String,
    /// `None`: labels say what a version is for.
    pub current_stage: String,
    /// Why, in the words of who wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `READY`.
    pub status: String,
    /// What it says and its configuration.
    pub tags: Vec<KeyValue>,
    /// The labels that point to it.
    pub aliases: Vec<String>,
}

/// What of a version is shown.
#[derive(Debug)]
pub struct Shown<'a> {
    /// The prompt's key.
    pub key: &'a PromptKey,
    /// The prompt's labels.
    pub labels: &'a BTreeMap<Label, u32>,
    /// What the content is.
    pub kind: Kind,
    /// The version's number.
    pub number: u32,
    /// Its content as it is stored.
    pub content: &'a str,
    /// Its configuration as it is stored.
    pub config: Option<&'a str>,
    /// Why.
    pub message: Option<&'a str>,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
}

impl Shown<'_> {
    /// As MLflow's client reads it.
    ///
    /// # Errors
    /// A configuration that is no JSON object.
    pub fn version(self) -> Result<ModelVersion, serde_json::Error> {
        let at = millis(self.at);
        let pointing = self.labels.iter().filter(|(_, number)| **number == self.number);
        Ok(ModelVersion {
            name: self.key.to_string(),
            version: self.number.to_string(),
            creation_timestamp: at,
            last_updated_timestamp: at,
            user_id: self.by,
            current_stage: "None".to_owned(),
            description: self.message.map(str::to_owned),
            status: "READY".to_owned(),
            tags: content::tags(self.kind, self.content, self.config)?,
            aliases: pointing.map(|(label, _)| label.to_string()).collect(),
        })
    }
}

fn millis(at: Timestamp) -> i64 {
    at.micros().div_euclid(1000)
}

/// The answer about one prompt.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MlflowRegisteredModelAnswer)]
pub struct RegisteredModelAnswer<'a> {
    /// The prompt.
    pub registered_model: RegisteredModel<'a>,
}

/// A page of prompts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MlflowRegisteredModels)]
pub struct RegisteredModels<'a> {
    /// By name.
    pub registered_models: Vec<RegisteredModel<'a>>,
    /// Where the next page begins. Not there on the last one. A page may have fewer prompts than were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// The answer about one version.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MlflowModelVersionAnswer)]
pub struct ModelVersionAnswer {
    /// The version.
    pub model_version: ModelVersion,
}

/// A page of versions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MlflowModelVersions)]
pub struct ModelVersions {
    /// The newest first.
    pub model_versions: Vec<ModelVersion>,
    /// Where the next page begins. Not there on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}
