//! One prompt with one version's content, and the list of its versions.

use std::sync::Arc;

use promptory_events::event::{Kind, VersionAdded};
use promptory_events::{Event, Label};
use promptory_template::variables::effective;
use promptory_template::{Declared, inspect};

use super::{AnswerError, Desk};
use crate::ask::{AskError, PromptAnswer, VersionSummary, Which};
use crate::hot::opened::{Opened, OpenedKey};
use crate::store::rows::{RowError, Rows};
use crate::views::catalog::row::{EventRow, PromptRow};

/// The number of the version that is asked for.
///
/// # Errors
/// The prompt has no such label, branch or version.
pub fn number(row: &PromptRow, which: &Which) -> Result<u32, AskError> {
    match which {
        Which::Number(number) if (1..=row.versions).contains(number) => Ok(*number),
        Which::Number(number) => Err(AskError::VersionNotFound(*number)),
        Which::Label(label) | Which::Keyed { label, .. } if label.is_latest() => Ok(row.main),
        Which::Label(label) => labelled(row, label),
        Which::Keyed { label, .. } => match which.arm(&row.labels, &row.rollouts) {
            Some(arm) => Ok(arm.version),
            None => labelled(row, label),
        },
        Which::Branch(branch) if branch.is_main() => Ok(row.main),
        Which::Branch(branch) => {
            row.branches.get(branch).copied().ok_or_else(|| AskError::BranchNotFound(branch.clone()))
        }
    }
}

fn labelled(row: &PromptRow, label: &Label) -> Result<u32, AskError> {
    row.labels.get(label).copied().ok_or_else(|| AskError::LabelNotFound(label.clone()))
}

impl<R: Rows> Desk<'_, R> {
    /// A prompt, as it is in `row`, with one of its versions.
    pub(crate) fn opened(&self, row: &Arc<PromptRow>, which: &Which) -> Result<Arc<Opened>, AnswerError> {
        let number = number(row, which)?;
        let Some((cache, tenant)) = self.opened else {
            return Ok(Arc::new(Opened::from(self.prompt(row, number)?)));
        };
        // The prompt's last event fixes everything that the answer says about the prompt, so an answer about the past
        // and one about now can share an entry.
        let key = OpenedKey { tenant, prompt: row.id, changed_index: row.changed_index, number };
        match cache.get(&key) {
            Some(opened) => Ok(opened),
            None => Ok(cache.put(key, self.prompt(row, number)?)),
        }
    }

    fn prompt(&self, row: &Arc<PromptRow>, number: u32) -> Result<PromptAnswer, AnswerError> {
        let (index, event_row, event) = self.added(&*self.model.version(row, number)?)?;
        let metadata = match row.metadata {
            None => None,
            Some(at) => match self.event(at)?.event {
                Event::MetadataSet(set) => Some(self.content(&set.after)?),
                _ => return Err(RowError::Row("metadata").into()),
            },
        };
        let content = self.content(&event.content)?;
        Ok(PromptAnswer {
            prompt: row.summary().ok_or(AskError::PromptNotFound)?,
            variables: self.variables(row.kind, &event, &content)?,
            content,
            config: event.config.as_ref().map(|config| self.content(config)).transpose()?,
            metadata,
            version: self.summary(index, &event_row, event)?,
        })
    }

    /// Versions below a number, newest first.
    pub(super) fn versions(
        &self,
        row: &Arc<PromptRow>,
        below: Option<u32>,
        limit: usize,
    ) -> Result<Vec<VersionSummary>, AnswerError> {
        let newest = below.map_or(row.versions, |below| below.saturating_sub(1).min(row.versions));
        let mut at = row.clone();
        let summary = |number| {
            at = self.model.version(&at, number)?; // it is not far from the one after it
            let (index, event_row, event) = self.added(&at)?;
            self.summary(index, &event_row, event)
        };
        (1..=newest).rev().take(limit).map(summary).collect()
    }

    /// The event that has just added the newest version of `row`: its index, its row and what it says.
    pub(crate) fn added(&self, row: &PromptRow) -> Result<(u64, EventRow, VersionAdded), RowError> {
        let event_row = self.event(row.changed_index)?;
        match &event_row.event {
            Event::VersionAdded(event) if event.number == row.versions => {
                let event = event.clone();
                Ok((row.changed_index, event_row, event))
            }
            _ => Err(RowError::Row("version")),
        }
    }

    /// All variables of a version, as JSON text.
    fn variables(&self, kind: Kind, event: &VersionAdded, content: &str) -> Result<String, AnswerError> {
        // What was taken as a template is one. If not, what is said of its variables is all there is to show.
        let found = inspect(kind, event.syntax, content).unwrap_or_default();
        let json = serde_json::to_string(&effective(&found, &self.declared(event)?));
        Ok(json.map_err(|_| RowError::Row("variables"))?)
    }

    /// The variables that a version declares.
    pub(super) fn declared(&self, event: &VersionAdded) -> Result<Declared, AnswerError> {
        let Some(variables) = &event.variables else { return Ok(Declared::new()) };
        let json = self.content(variables)?;
        Ok(serde_json::from_str(&json).map_err(|_| RowError::Row("variables"))?)
    }

    pub(super) fn summary(
        &self,
        index: u64,
        row: &EventRow,
        event: VersionAdded,
    ) -> Result<VersionSummary, AnswerError> {
        Ok(VersionSummary {
            id: event.version,
            number: event.number,
            branch: event.branch,
            parents: event.parents,
            content_id: event.content.id,
            bytes: event.content.bytes,
            syntax: event.syntax,
            includes: event.includes,
            stamp: self.stamp(index, row, &mut None)?,
        })
    }
}
