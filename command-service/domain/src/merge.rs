//! The rules of merges: what a version has that a branch has not becomes a new version of the branch, with both as parents.
//! What conflicts is decided by the caller's content or not at all.

use promptory_events::PromptId;
use promptory_events::event::{Event, VersionRef};

use crate::branch::{head, pick};
use crate::command::{Change, Context, Material, MergeOutcome, NewTemplate, NewVersion};
use crate::prompt::{add_merged_version, any, check_match, live};
use crate::rejection::{Rejection, Wanted};
use crate::state::{Tenant, Version};

pub(crate) fn decide(state: &Tenant, context: &Context, change: &Change) -> Result<Vec<Event>, Rejection> {
    let Change::Merge { prompt, branch, other, from, labels, if_match, resolved, merged } = change else {
        return Ok(Vec::new()); // not of this family
    };
    let (id, prompt) = live(state, prompt)?;
    let (our_number, ours) = head(prompt, branch)?;
    check_match(Some(ours.id), *if_match)?;
    let (other_id, other) = match other {
        Some(other) => any(state, other)?,
        None => (id, prompt),
    };
    let (their_number, theirs) = pick(other, from)?;
    let kind = resolved.content.as_ref().map_or(other.kind, |(kind, _)| *kind);
    if other.kind != prompt.kind || kind != prompt.kind {
        return Err(Rejection::KindMismatch { expected: prompt.kind });
    }
    // Either may have moved since the contents were gathered. Where they come from is fixed with them.
    let merged = merged.as_deref().filter(|merged| merged.ours == ours.id && merged.theirs == theirs.id);
    let theirs_wanted = wanted(other_id, their_number, theirs);
    let Some(merged) = merged else {
        return Err(Rejection::ContentsWanted(vec![wanted(id, our_number, ours), theirs_wanted]));
    };
    match &merged.outcome {
        MergeOutcome::Nothing => Ok(Vec::new()),
        MergeOutcome::Unrelated => Err(Rejection::UnrelatedVersions),
        MergeOutcome::Conflict => Err(Rejection::MergeConflict),
        MergeOutcome::Clean { content, config, template } => {
            let version = NewVersion {
                content: Material::clone(content),
                config: config.as_deref().cloned(),
                labels: labels.clone(),
                template: NewTemplate::clone(template),
            };
            add_merged_version(state, context, (id, prompt), branch, kind, &version, Some(theirs_wanted.version))
        }
    }
}

fn wanted(prompt: PromptId, number: u32, version: &Version) -> Wanted {
    Wanted { version: VersionRef { prompt, number, version: version.id }, index: version.index }
}

#[cfg(test)]
mod tests;
