//! Labels that are split over versions for a while. The label itself points to the control all along: it moves, if at all,
//! by an event of its own when the rollout is completed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::guard::{Figures, Guard};
use crate::id::{PromptId, RequestId, RolloutId};
use crate::key::Label;
use crate::rollout::{Table, Weights};
use crate::time::Timestamp;

/// What a release request asks for instead of a move: that the label is split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Split {
    /// The rollout that ran when it was asked for and that it should change; `None`: none ran, and one should start.
    pub rollout: Option<RolloutId>,
    /// How many buckets each version should get.
    pub weights: Weights,
    /// What no version of the new rollout may do.
    pub guards: Vec<Guard>,
}

/// A label was split. Until now every bucket got the control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RolloutStarted {
    /// Which rollout.
    pub rollout: RolloutId,
    /// Of which prompt.
    pub prompt: PromptId,
    /// Which label.
    pub label: Label,
    /// Where the label points: what is served without a key and while the rollout is paused.
    pub control: u32,
    /// Which version each bucket gets from now on.
    pub after: Table,
    /// The release request that allowed it, executed in the same commit.
    pub request: Option<RequestId>,
    /// What no version of it may do.
    pub guards: Vec<Guard>,
    /// From when on executions count for the guards: when it was recorded.
    pub since: Timestamp,
}

/// The weights changed. No more buckets moved than had to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RolloutAdvanced {
    /// Which rollout.
    pub rollout: RolloutId,
    /// Of which prompt.
    pub prompt: PromptId,
    /// Which label.
    pub label: Label,
    /// Which version each bucket got until now.
    pub before: Table,
    /// Which it gets from now on.
    pub after: Table,
    /// The release request that allowed it, executed in the same commit.
    pub request: Option<RequestId>,
}

/// Everybody gets the control until it is resumed; the table is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RolloutPaused {
    /// Which rollout.
    pub rollout: RolloutId,
    /// Of which prompt.
    pub prompt: PromptId,
    /// Which label.
    pub label: Label,
}

/// Buckets get their versions again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RolloutResumed {
    /// Which rollout.
    pub rollout: RolloutId,
    /// Of which prompt.
    pub prompt: PromptId,
    /// Which label.
    pub label: Label,
}

/// The rollout is over, and the label points where it did all along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RolloutRolledBack {
    /// Which rollout.
    pub rollout: RolloutId,
    /// Of which prompt.
    pub prompt: PromptId,
    /// Which label.
    pub label: Label,
    /// Which version each bucket got.
    pub before: Table,
}

/// The rollout is over, and everybody gets one version. `label.set` follows in the same commit, unless it is the control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RolloutCompleted {
    /// Which rollout.
    pub rollout: RolloutId,
    /// Of which prompt.
    pub prompt: PromptId,
    /// Which label.
    pub label: Label,
    /// Which version each bucket got.
    pub before: Table,
    /// Which version everybody gets.
    pub version: u32,
}

/// A guard of a rollout was breached, as the system found. What the guard says follows in the same commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RolloutBreached {
    /// Which rollout.
    pub rollout: RolloutId,
    /// Of which prompt.
    pub prompt: PromptId,
    /// Which label.
    pub label: Label,
    /// Which of its guards, from 0 on.
    pub place: u16,
    /// That guard.
    pub guard: Guard,
    /// By which version.
    pub version: u32,
    /// By what.
    pub figures: Figures,
}
