//! Commands about protected labels, release requests, freeze windows and comments.

use promptory_domain::Change;
use promptory_domain::command::CommentTarget;
use promptory_events::{Timestamp, VersionId, limits};
use promptory_platform::problem::Problem;

use super::contents::Sealer;
use super::{guards as guarding, names, rollouts};
use crate::failure::Failure;
use crate::wire;

/// A command of this family; another one is given back.
pub(super) fn change(
    sealer: &mut Sealer<'_>,
    change: wire::Change,
    if_match: Option<VersionId>,
) -> Result<Result<Change, wire::Change>, Failure> {
    Ok(Ok(match change {
        wire::Change::ProtectLabel { prefix, label, approvals } => {
            if !(1..=limits::APPROVALS_MAX).contains(&approvals) {
                let detail = format!("must be from 1 to {}", limits::APPROVALS_MAX);
                return Err(Problem::field("/approvals", detail).into());
            }
            let prefix = names::prefix("/prefix", prefix.as_deref())?;
            Change::ProtectLabel { prefix, label: names::label("/label", &label)?, approvals }
        }
        wire::Change::UnprotectLabel { prefix, label } => {
            let prefix = names::prefix("/prefix", prefix.as_deref())?;
            Change::UnprotectLabel { prefix, label: names::label("/label", &label)? }
        }
        wire::Change::SetFreeze { prefix, from, until } => Change::SetFreeze {
            prefix: names::prefix("/prefix", prefix.as_deref())?,
            from: time("/from", &from)?,
            until: time("/until", &until)?,
        },
        wire::Change::LiftFreeze { prefix, freeze } => {
            let prefix = names::prefix("/prefix", prefix.as_deref())?;
            Change::LiftFreeze { prefix, freeze: names::id("/freeze", &freeze)? }
        }
        wire::Change::RequestRelease { prompt, label, version, remove, arms, guards, expires_at } => {
            let given = [version.is_some(), remove, !arms.is_empty()];
            if given.into_iter().filter(|given| *given).count() != 1 {
                let detail = "give exactly one of `version`, `arms` and `\"remove\": true`";
                return Err(Problem::field("/version", detail).into());
            }
            if arms.is_empty() && !guards.is_empty() {
                return Err(Problem::field("/guards", "are of a rollout, which has `arms`").into());
            }
            let guards = guarding::guards(&guards)?;
            let split = if arms.is_empty() { None } else { Some((rollouts::weights(&arms)?, guards)) };
            let (prompt, label) = (names::prompt(&prompt)?, names::label("/label", &label)?);
            let expires_at = names::time("/expires_at", expires_at.as_deref())?;
            Change::RequestRelease { prompt, label, version, split, expires_at }
        }
        wire::Change::ApproveRelease { release } => {
            Change::ApproveRelease { request: names::id("/release", &release)? }
        }
        wire::Change::RejectRelease { release } => Change::RejectRelease { request: names::id("/release", &release)? },
        wire::Change::WithdrawRelease { release } => {
            Change::WithdrawRelease { request: names::id("/release", &release)? }
        }
        wire::Change::RollBackLabel { prompt, label } => {
            let (prompt, label) = (names::prompt(&prompt)?, names::label("/label", &label)?);
            Change::RollBackLabel { prompt, label, if_match }
        }
        wire::Change::AddComment { prompt, version, release, text } => {
            let on = match (prompt, version, release) {
                (Some(prompt), Some(version), None) => {
                    CommentTarget::Version { prompt: names::prompt(&prompt)?, version }
                }
                (None, None, Some(release)) => CommentTarget::Request(names::id("/release", &release)?),
                _ => return Err(Problem::field("/version", "give `prompt` and `version`, or `release`").into()),
            };
            Change::AddComment { on, text: sealer.comment(&text)? }
        }
        other => return Ok(Err(other)),
    }))
}

fn time(field: &str, text: &str) -> Result<Timestamp, Failure> {
    Ok(names::id(field, text)?)
}
