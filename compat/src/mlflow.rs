//! MLflow's prompt registry (`/api/2.0/mlflow/registered-models`, `/model-versions`): what its client sends, reads, and takes for
//! an error. There a prompt is a registered model and a version of it a model version; tags say that they are prompts, and what
//! a version says is one of its tags.
//!
//! | module | what it holds |
//! |---|---|
//! | [`content`] | what a version says, in its tags and in our terms |
//! | [`document`] | prompts and versions as its client reads them |
//! | [`errors`] | refusals in its form |
//! | [`filter`] | what is searched for |
//! | [`send`] | what its client writes |
//! | [`tags`] | its tags of a prompt, in ours |

pub mod content;
pub mod document;
pub mod errors;
pub mod filter;
pub mod send;
pub mod tags;

pub use document::{KeyValue, RegisteredModels, Shown};
pub use document::{ModelVersion, ModelVersionAnswer, ModelVersions, RegisteredModel, RegisteredModelAnswer};
pub use errors::{MlflowError, in_its_form};
pub use filter::Filter;

/// The tag that every prompt and every version has, with the value `true`.
pub const IS_PROMPT: &str = "mlflow.prompt.is_prompt";

/// The tag of a prompt in which the client notes in which of its experiments the prompt was used. There are none here.
pub const EXPERIMENTS: &str = "_mlflow_experiment_ids";
