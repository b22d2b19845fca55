//! Langfuse's public routes for prompts (`/api/public/v2/prompts`) and scores (`/api/public/scores`, `/api/public/ingestion`): what
//! its SDKs send, read, and take for an error. Traces come by OTLP ([`crate::otlp`]).
//!
//! | module | what it holds |
//! |---|---|
//! | [`document`] | a version as its clients read it |
//! | [`create`] | a new version as they send it |
//! | [`list`] | prompts with their versions and labels, by page number |
//! | [`errors`] | refusals in its form |
//! | [`scores`] | judgements of runs |
//! | [`tags`] | prompts inside others, in its form and in ours |

pub mod create;
pub mod document;
pub mod errors;
pub mod list;
pub mod scores;
pub mod tags;

pub use create::{CreatePrompt, Creation, NewLabels};
pub use document::{Content, Prompt, labels};
pub use errors::{LangfuseError, in_its_form};
pub use list::{ListParams, Meta, Page, PromptMeta};

/// The label that is meant if a client names neither label nor version.
pub const PRODUCTION: &str = "production";
