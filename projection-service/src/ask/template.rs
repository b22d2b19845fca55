//! Questions and answers about templates: what a version says, and which versions include it.

use promptory_events::event::{Selector, VersionRef};
use promptory_events::{Branch, Label, PromptKey};
use promptory_template::Refusal;
use serde::{Deserialize, Serialize};

use super::{PromptSummary, Stamp, VersionSummary};

/// What a version says with values for its variables.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RenderedAnswer {
    /// The prompt, as it was at the point asked about.
    pub prompt: PromptSummary,
    /// The version.
    pub version: VersionSummary,
    /// What it says: a text, or a chat's messages as JSON text.
    pub said: String,
    /// The versions that it includes, directly or by others.
    pub included: Vec<RenderedPart>,
}

/// A version that was rendered with others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderedPart {
    /// The key that its prompt had at that point.
    pub key: PromptKey,
    /// Which.
    pub version: VersionRef,
}

/// What a version says with all that it includes filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpandedAnswer {
    /// A text, or a chat's items as JSON text. Variables and placeholders are as they are written.
    pub said: String,
    /// The versions that it is made of; the first is the one that was asked for.
    pub parts: Vec<ExpandedPart>,
}

/// A version, and those that it includes itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpandedPart {
    /// Which.
    pub named: RenderedPart,
    /// Their places among the parts.
    pub includes: Vec<usize>,
}

/// Why a version says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}", self.detail())]
pub struct NotRendered {
    /// Why.
    pub refusal: Refusal,
    /// The version that it is because of, if it is one that is included.
    pub included: Option<RenderedPart>,
}

impl NotRendered {
    fn detail(&self) -> String {
        match &self.refusal {
            Refusal::Variables(faults) => {
                let named: Vec<String> =
                    faults.iter().map(|fault| format!("`{}` {}", fault.name, fault.detail)).collect();
                named.join("; ")
            }
            Refusal::Failed { reason, .. } => reason.clone(),
            Refusal::NotIncluded { written, .. } => format!("`{written}` is included, and is not there at that point"),
            Refusal::Limit { what, max } => format!("{what}: at most {max} are allowed"),
        }
    }
}

/// Versions that include a prompt, and where to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DependentsAnswer {
    /// The versions, oldest first.
    pub items: Vec<Dependent>,
    /// The index to go on after, if there may be more.
    pub next: Option<u64>,
}

/// A version that includes a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependent {
    /// Its prompt, as it was at the point asked about.
    pub prompt: PromptSummary,
    /// Which.
    pub version: VersionRef,
    /// Which versions of the prompt that was asked about it includes.
    pub at: Vec<Selector>,
    /// The labels that lead to it.
    pub labels: Vec<Label>,
    /// The branches whose head it is.
    pub branches: Vec<Branch>,
    /// How it came to be.
    pub stamp: Stamp,
}
