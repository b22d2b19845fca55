//! What differs between two versions, of one prompt or of two.

use std::sync::Arc;

use promptory_compare::{Version, diff};
use promptory_events::event::{Kind, Syntax, VersionRef};

use super::prompt::number;
use super::{AnswerError, Desk};
use crate::ask::{Against, AskError, DiffAnswer, Which};
use crate::store::rows::{RowError, Rows};
use crate::views::catalog::point::Point;
use crate::views::catalog::row::PromptRow;
use crate::views::catalog::sight::Sight;

/// A version with its content opened.
struct Opened {
    of: VersionRef,
    kind: Kind,
    parent: Option<VersionRef>,
    content: String,
    config: Option<String>,
    syntax: Syntax,
    variables: Option<String>,
}

impl<R: Rows> Desk<'_, R> {
    /// A version compared with another, both of prompts that `sight` reaches.
    pub(super) fn diff(
        &self,
        row: &Arc<PromptRow>,
        which: &Which,
        against: &Against,
        point: Option<Point>,
        sight: &Sight<'_>,
    ) -> Result<DiffAnswer, AnswerError> {
        let to = self.open_version(row, number(row, which)?)?;
        let from = match against {
            Against::Version(None, which) => Some(self.open_version(row, number(row, which)?)?),
            Against::Version(Some(prompt), which) => {
                let row = self.model.find(prompt, point, sight)?;
                Some(self.open_version(&row, number(&row, which)?)?)
            }
            Against::Parent => match to.parent {
                Some(parent) if !sight.prompt(parent.prompt) => return Err(AskError::PromptNotFound.into()),
                Some(parent) => Some(self.open_version(&self.known(parent)?, parent.number)?),
                None => None,
            },
        };
        if from.as_ref().is_some_and(|from| from.kind != to.kind) {
            return Err(AskError::KindMismatch.into());
        }
        let comparison = diff::compare(from.as_ref().map(Opened::said), to.said());
        let comparison = comparison.map_err(|error| AskError::Unavailable(error.to_string()))?;
        Ok(DiffAnswer { from: from.map(|from| from.of), to: to.of, comparison })
    }

    /// The prompt of a parent. It is there: an event names it.
    fn known(&self, parent: VersionRef) -> Result<Arc<PromptRow>, RowError> {
        self.model.hot.prompt(parent.prompt).cloned().ok_or(RowError::Row("parent"))
    }

    fn open_version(&self, row: &Arc<PromptRow>, number: u32) -> Result<Opened, AnswerError> {
        let (_, _, event) = self.added(&*self.model.version(row, number)?)?;
        Ok(Opened {
            of: VersionRef { prompt: row.id, number, version: event.version },
            kind: row.kind,
            parent: event.parents.first().copied(),
            content: self.content(&event.content)?,
            config: event.config.as_ref().map(|config| self.content(config)).transpose()?,
            syntax: event.syntax,
            variables: event.variables.as_ref().map(|variables| self.content(variables)).transpose()?,
        })
    }
}

impl Opened {
    /// What it says.
    fn said(&self) -> Version<'_> {
        let (config, variables) = (self.config.as_deref(), self.variables.as_deref());
        Version { kind: self.kind, content: &self.content, config, syntax: self.syntax, variables }
    }
}
