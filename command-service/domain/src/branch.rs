//! The rules of branches: named lines of versions inside a prompt. `main` is always there.

use promptory_events::event::{BranchClosed, BranchCreated, Event};
use promptory_events::{Branch, PromptId, limits};

use crate::command::{Change, Pick};
use crate::prompt::{check_match, live};
use crate::rejection::Rejection;
use crate::state::{Prompt, Tenant, Version};

pub(crate) fn decide(state: &Tenant, change: &Change) -> Result<Vec<Event>, Rejection> {
    match change {
        Change::CreateBranch { prompt, branch, from } => {
            let (id, prompt) = live(state, prompt)?;
            create(id, prompt, branch, from)
        }
        Change::CloseBranch { prompt, branch, if_match } => {
            let (id, prompt) = live(state, prompt)?;
            if branch.is_main() {
                return Err(Rejection::BranchReserved);
            }
            let (number, head) = head(prompt, branch)?;
            check_match(Some(head.id), *if_match)?;
            Ok(vec![Event::BranchClosed(BranchClosed { prompt: id, branch: branch.clone(), head: number })])
        }
        _ => Ok(Vec::new()), // not of this family
    }
}

/// An open branch's head, by number and as it is.
pub(crate) fn head<'a>(prompt: &'a Prompt, branch: &Branch) -> Result<(u32, &'a Version), Rejection> {
    let found = prompt.head(branch).and_then(|number| Some((number, prompt.version(number)?)));
    found.ok_or_else(|| Rejection::BranchNotFound(branch.clone()))
}

/// The version that a command means.
pub(crate) fn pick<'a>(prompt: &'a Prompt, pick: &Pick) -> Result<(u32, &'a Version), Rejection> {
    let number = match pick {
        Pick::Branch(branch) => return head(prompt, branch),
        Pick::Label(label) if label.is_latest() => prompt.main,
        Pick::Label(label) => prompt.labels.get(label).ok_or_else(|| Rejection::LabelNotFound(label.clone()))?,
        Pick::Number(number) => *number,
    };
    let version = prompt.version(number);
    let version = version.ok_or(Rejection::VersionNotFound { asked: number, newest: prompt.newest() })?;
    Ok((number, version))
}

fn create(id: PromptId, prompt: &Prompt, branch: &Branch, from: &Pick) -> Result<Vec<Event>, Rejection> {
    let (number, _) = pick(prompt, from)?;
    match prompt.head(branch) {
        Some(head) if head == number => return Ok(Vec::new()),
        Some(_) => return Err(Rejection::BranchExists(branch.clone())),
        None => {}
    }
    if prompt.branches.len() >= limits::BRANCHES_MAX {
        return Err(Rejection::LimitReached { what: "branches".into(), max: limits::BRANCHES_MAX });
    }
    Ok(vec![Event::BranchCreated(BranchCreated { prompt: id, branch: branch.clone(), head: number })])
}

#[cfg(test)]
mod tests;
