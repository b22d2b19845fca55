//! What the catalog knows of how prompts are taken up: who uses them again, and how they got to where a label points.

use std::collections::BTreeSet;
use std::sync::Arc;

use promptory_events::{Event, Label, PromptId, PromptKey, Timestamp};

use super::Desk;
use super::render::led;
use crate::ask::insight::{Lead, Named, Reuse};
use crate::store::key::Key;
use crate::store::rows::{RowError, Rows};
use crate::views::catalog::point::Point;
use crate::views::catalog::row::{self, CommitRef, EventRow, PromptRow, RequestRow};
use crate::views::catalog::sight::Sight;

/// Forks, and versions that include it, that are looked at of one prompt.
const REUSE_LOOKED_AT_MAX: usize = 10_000;

impl Named {
    /// A prompt as it is called in a row.
    pub(crate) fn of(row: &PromptRow) -> Self {
        Self { id: row.id, key: row.key.clone() }
    }
}

impl<R: Rows> Desk<'_, R> {
    /// Up to `limit` live prompts that `sight` reaches, by key.
    pub(crate) fn live(
        &self,
        prefix: &str,
        after: Option<&PromptKey>,
        limit: usize,
        sight: &Sight<'_>,
    ) -> Result<Vec<Arc<PromptRow>>, RowError> {
        match self.model.hot.index {
            Some(index) => self.model.holders(prefix, after, limit, Point { index, time: None }, sight),
            None => Ok(Vec::new()),
        }
    }

    /// How often a prompt is used again by prompts that `sight` reaches; and how many rows were looked at for that.
    pub(crate) fn reuse(&self, of: PromptId, sight: &Sight<'_>) -> Result<(Reuse, usize), RowError> {
        let (forks, forks_looked_at) =
            self.derived(Key::Fork(of, 0), Key::Fork(of, u64::MAX), |fork| sight.prompt(fork.id))?;
        let uses = |dependent: &PromptRow| {
            let now = self.model.hot.prompt(dependent.id).filter(|_| sight.prompt(dependent.id));
            now.is_some_and(|now| {
                let (labels, branches) = led(now, dependent.versions);
                !now.archived && (!labels.is_empty() || !branches.is_empty())
            })
        };
        let (dependents, looked_at) = self.derived(Key::Dependent(of, 0), Key::Dependent(of, u64::MAX), uses)?;
        Ok((Reuse { forks, dependents }, forks_looked_at + looked_at))
    }

    /// The distinct prompts that rows of a family point to and that count, each as it was after the event; and how many rows
    /// were looked at.
    fn derived(&self, from: Key, to: Key, counts: impl Fn(&PromptRow) -> bool) -> Result<(u64, usize), RowError> {
        let (mut found, mut looked_at) = (BTreeSet::new(), 0);
        let now = self.model.hot.index.unwrap_or_default();
        for row in self.model.rows.range(&from.encode(), &to.encode()).take(REUSE_LOOKED_AT_MAX) {
            let Some(Key::Fork(_, index) | Key::Dependent(_, index)) = Key::decode(&row?.0) else {
                return Err(RowError::Row("fork or dependent"));
            };
            if index > now {
                break; // rows of later events may be there already
            }
            looked_at += 1;
            let derived = self.model.after(index)?;
            if !found.contains(&derived.id) && counts(&derived) {
                found.insert(derived.id);
            }
        }
        Ok((found.len() as u64, looked_at))
    }

    /// When the first version of a prompt was recorded.
    pub(crate) fn created(&self, row: &Arc<PromptRow>) -> Result<Timestamp, RowError> {
        Ok(self.model.version(row, 1)?.changed_at)
    }

    /// How a prompt got to where a label first pointed; `None` if it never did.
    pub(crate) fn lead(&self, row: &Arc<PromptRow>, label: &Label) -> Result<Option<Lead>, RowError> {
        let key = |index| Key::Move(row.id, label.clone(), index).encode();
        let Some(found) = self.model.rows.range(&key(0), &key(row.changed_index)).next() else { return Ok(None) };
        let Some(Key::Move(_, _, index)) = Key::decode(&found?.0) else { return Err(RowError::Row("label move")) };
        let moved = self.event(index)?;
        let (Event::LabelSet(set), Some(then)) = (&moved.event, &moved.prompt) else {
            return Err(RowError::Row("label move"));
        };
        let version = self.model.version(row, set.after)?;
        Ok(Some(Lead {
            prompt: Named::of(row),
            created_at: self.model.version(row, 1)?.effective_at,
            version: set.after,
            version_at: version.effective_at,
            approved_at: self.approved(index, &moved)?,
            moved_at: then.effective_at,
        }))
    }

    /// When the release was approved that an event moved a label by: with the last of the approvals.
    fn approved(&self, index: u64, moved: &EventRow) -> Result<Option<Timestamp>, RowError> {
        // The event just before it, of the same command, says which release it is.
        let CommitRef::At(first) = moved.commit else { return Ok(None) };
        let Some(before) = index.checked_sub(1).filter(|before| *before >= first) else { return Ok(None) };
        let Event::ReleaseExecuted(executed) = self.event(before)?.event else { return Ok(None) };
        let request = self.model.rows.get(&Key::Request(executed.request))?.ok_or(RowError::Row("request"))?;
        let request: RequestRow = row::decode("request", &request)?;
        match request.approvals.iter().max() {
            Some(last) => Ok(Some(self.event(*last)?.recorded_at)),
            None => Ok(None),
        }
    }
}
