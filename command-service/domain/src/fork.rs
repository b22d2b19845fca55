//! The rules of forks: a new prompt from any version of any prompt. Its first version names that version as its parent.

use promptory_events::event::{Event, VersionRef};

use crate::branch::pick;
use crate::command::{Change, Context, NewTemplate, NewVersion};
use crate::prompt::{New, any, create};
use crate::rejection::{Rejection, Wanted};
use crate::state::Tenant;

pub(crate) fn decide(state: &Tenant, context: &Context, change: &Change) -> Result<Vec<Event>, Rejection> {
    let Change::ForkPrompt { prompt, from, key, labels, tags, metadata, copied } = change else {
        return Ok(Vec::new()); // not of this family
    };
    let (id, prompt) = any(state, prompt)?;
    let (number, origin) = pick(prompt, from)?;
    let version = VersionRef { prompt: id, number, version: origin.id };
    // A label or a branch may have moved since the content was gathered.
    let copied = copied.as_deref().filter(|copied| copied.of == origin.id);
    let first = copied.map(|copied| NewVersion {
        content: copied.content.clone(),
        config: copied.config.clone(),
        labels: labels.clone(),
        template: NewTemplate {
            syntax: copied.syntax,
            variables: copied.variables.clone(),
            includes: Vec::new(), // they are copied as what they mean
        },
    });
    let Some((first, copied)) = first.zip(copied) else {
        crate::prompt::free(state, key)?; // before anything is opened for it
        return Err(Rejection::ContentsWanted(vec![Wanted { version, index: origin.index }]));
    };
    let (kind, metadata) = (prompt.kind, metadata.as_ref());
    let origin = Some((version, origin.content));
    let includes = copied.includes.clone();
    create(state, context, key, &New { kind, version: &first, includes, tags, metadata, origin })
}

#[cfg(test)]
mod tests;
