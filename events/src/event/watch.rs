//! What the system finds in usage by itself: versions that became worse than they were.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::guard::{Figures, Measure};
use crate::id::PromptId;
use crate::time::Timestamp;

/// How long nothing more is said of a version and a measure once it was said that it became worse: a week.
pub const EPISODE_MS: i64 = 7 * 24 * 3600 * 1000;

/// Whether versions are watched was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchConfigured {
    /// Whether they were until now.
    pub before: bool,
    /// Whether they are from now on.
    pub after: bool,
}

/// A version became worse than it was, as the system found; once for each episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionDegraded {
    /// Of which prompt.
    pub prompt: PromptId,
    /// Which version.
    pub version: u32,
    /// In what.
    pub measure: Measure,
    /// When the day began that was compared with the days before it.
    pub day: Timestamp,
    /// By what: the version on that day, and beside it what it was before.
    pub figures: Figures,
}
