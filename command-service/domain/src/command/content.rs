//! Contents of versions, as a command has them: gathered, keyed, measured, sealed.

use promptory_events::event::{Include, Kind, Syntax, Written};
use promptory_events::{ContentId, Label, Sealed, VersionId};
use serde::{Deserialize, Serialize};

/// The content of a version, sealed again for another prompt: contents belong to their prompt and are erased with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// The version that it is the content of.
    pub of: VersionId,
    /// Its content.
    pub content: Material,
    /// Its model configuration.
    pub config: Option<Material>,
    /// How its content is read.
    pub syntax: Syntax,
    /// The variables that it declares.
    pub variables: Option<Material>,
    /// What it includes: the same prompts, whatever they are called by now.
    pub includes: Vec<Include>,
}

/// What a caller puts in place of what a merge would make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// The content, and of what kind it is.
    pub content: Option<(Kind, Material)>,
    /// The model configuration.
    pub config: Option<Material>,
    /// How the content is read.
    pub syntax: Option<Syntax>,
    /// The variables that are declared.
    pub variables: Option<Material>,
}

/// What two versions make together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// The head of the branch that it was merged into.
    pub ours: VersionId,
    /// The version that was merged.
    pub theirs: VersionId,
    /// What came of it.
    pub outcome: MergeOutcome,
}

/// What comes of a merge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MergeOutcome {
    /// The branch has it all already.
    Nothing,
    /// The two have no version in common that both come from.
    Unrelated,
    /// Both changed the same, and the caller did not say what is to stand there.
    Conflict,
    /// The new version.
    Clean {
        /// Its content.
        content: Box<Material>,
        /// Its model configuration.
        config: Option<Box<Material>>,
        /// What else makes it a template.
        template: Box<NewTemplate>,
    },
}

/// A version to be added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewVersion {
    /// Its content.
    pub content: Material,
    /// Its model configuration.
    pub config: Option<Material>,
    /// Labels that move to it.
    pub labels: Vec<Label>,
    /// What makes it a template.
    pub template: NewTemplate,
}

/// How a version's content is read, and what it needs besides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTemplate {
    /// How it is read.
    pub syntax: Syntax,
    /// The variables that it declares.
    pub variables: Option<Material>,
    /// What it includes, as it is written there.
    pub includes: Vec<Written>,
}

/// A content that was gathered: its keyed id, its length, and its sealed bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Material {
    /// Keyed id of the bytes.
    pub id: ContentId,
    /// Length of the bytes.
    pub bytes: u32,
    /// The bytes, sealed. Dropped if the prompt holds the same content already.
    pub sealed: Sealed,
}
