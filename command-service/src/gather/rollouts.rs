//! Commands about rollouts, and how a label is split.

use std::collections::BTreeMap;

use promptory_domain::Change;
use promptory_domain::rollout::Step;
use promptory_events::rollout::Weights;
use promptory_events::{Label, RolloutId};
use promptory_platform::problem::Problem;

use super::{guards as guarding, names};
use crate::failure::Failure;
use crate::wire;

/// A command of this family; another one is given back.
pub(super) fn change(change: wire::Change) -> Result<Result<Change, wire::Change>, Failure> {
    let (of, step) = match change {
        wire::Change::StartRollout { prompt, label, arms, guards } => {
            ((prompt, label, None), Step::Start(weights(&arms)?, guarding::guards(&guards)?))
        }
        wire::Change::AdvanceRollout { prompt, label, rollout, arms } => {
            ((prompt, label, rollout), Step::Advance(weights(&arms)?))
        }
        wire::Change::PauseRollout { prompt, label, rollout } => ((prompt, label, rollout), Step::Pause),
        wire::Change::ResumeRollout { prompt, label, rollout } => ((prompt, label, rollout), Step::Resume),
        wire::Change::RollBackRollout { prompt, label, rollout } => ((prompt, label, rollout), Step::RollBack),
        wire::Change::CompleteRollout { prompt, label, rollout, version } => {
            ((prompt, label, rollout), Step::Complete(version))
        }
        other => return Ok(Err(other)),
    };
    let (prompt, label, rollout) = of;
    let label: Label = names::label("/label", &label)?;
    let rollout: Option<RolloutId> = rollout.map(|id| names::id("/rollout", &id)).transpose()?;
    Ok(Ok(Change::Rollout { prompt: names::prompt(&prompt)?, label, rollout, step }))
}

/// How many buckets each version gets.
pub(super) fn weights(arms: &[wire::Arm]) -> Result<Weights, Problem> {
    let mut weights = BTreeMap::new();
    for arm in arms {
        if weights.insert(arm.version, arm.weight).is_some() {
            return Err(Problem::field("/arms", format!("names version {} twice", arm.version)));
        }
    }
    Weights::new(weights).map_err(|error| Problem::field("/arms", error.to_string()))
}
