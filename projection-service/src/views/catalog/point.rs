//! A point in a tenant's history, and what was there: by index, by recorded time, by occurred time.
//!
//! Everything is answered at a fixed index, also "now": rows of later events may be there already and are not seen.

use std::sync::Arc;

use promptory_events::{PromptId, PromptKey, Timestamp};

use super::row::{self, ChangeRow, EventRow, HolderRow, PromptRow};
use crate::ask::{AsOf, AskError, PromptRef};
use crate::hot::Hot;
use crate::store::key::Key;
use crate::store::rows::{Row, RowError, Rows};

/// The events up to an index; of each prompt only those that had happened by a time, if one is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The last event that counts.
    pub index: u64,
    /// The latest effective time that counts.
    pub time: Option<Timestamp>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The question has none.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The store is damaged.
    #[error(transparent)]
    Row(#[from] RowError),
}

/// The model at hand: the state that is announced and the rows under it, which may be ahead.
#[derive(Debug)]
pub struct Model<'a, R> {
    /// The rows.
    pub rows: &'a R,
    /// The state.
    pub hot: &'a Hot,
}

impl<R: Rows> Model<'_, R> {
    /// The point that is asked about; `None` if it lies before the first event.
    ///
    /// # Errors
    /// An index that the model has not reached; a damaged store.
    pub fn resolve(&self, as_of: AsOf) -> Result<Option<Point>, AnswerError> {
        let index = match as_of {
            AsOf::Now | AsOf::Occurred(_) => self.hot.index,
            AsOf::Index(index) | AsOf::OccurredAt { index, .. } => match self.hot.index {
                Some(known) if index <= known => Some(index),
                _ => return Err(AskError::IndexBeyondEnd(index).into()),
            },
            AsOf::Recorded(time) => self.recorded_by(time)?,
        };
        let time = match as_of {
            AsOf::Occurred(time) | AsOf::OccurredAt { time, .. } => Some(time),
            _ => None,
        };
        Ok(index.map(|index| Point { index, time }))
    }

    fn recorded_by(&self, time: Timestamp) -> Result<Option<u64>, RowError> {
        let last = self.rows.last(&Key::Recorded(Timestamp::MIN, 0), &Key::Recorded(time, u64::MAX))?;
        let Some((key, _)) = last else { return Ok(None) };
        match Key::decode(&key) {
            Some(Key::Recorded(_, index)) => Ok(self.hot.index.map(|known| index.min(known))),
            _ => Err(RowError::Row("recorded")),
        }
    }

    /// The prompt that is asked for, as it was at a point.
    ///
    /// # Errors
    /// There was none; a damaged store.
    pub fn find(&self, prompt: &PromptRef, point: Option<Point>) -> Result<Arc<PromptRow>, AnswerError> {
        let Some(point) = point else { return Err(AskError::PromptNotFound.into()) };
        let row = match prompt {
            PromptRef::Id(id) => self.prompt(*id, point)?,
            PromptRef::Key(key) => self.holder(key, point)?,
        };
        Ok(row.filter(|row| there(row)).ok_or(AskError::PromptNotFound)?)
    }

    /// A prompt by identity as it was at a point.
    ///
    /// # Errors
    /// A damaged store.
    pub fn prompt(&self, id: PromptId, point: Point) -> Result<Option<Arc<PromptRow>>, RowError> {
        let in_time = |row: &PromptRow| point.time.is_none_or(|time| row.effective_at <= time);
        match self.hot.prompt(id) {
            Some(row) if row.changed_index <= point.index && in_time(row) => return Ok(Some(row.clone())),
            _ => {}
        }
        let Some(index) = self.last_change(id, point)? else { return Ok(None) };
        let value = self.rows.get(&Key::Event(index))?.ok_or(RowError::Row("event"))?;
        let row = EventRow::decode_prompt(&value)?.ok_or(RowError::Row("prompt"))?;
        Ok(Some(Arc::new(row)))
    }

    /// The last event of a prompt that counts at a point.
    fn last_change(&self, id: PromptId, point: Point) -> Result<Option<u64>, RowError> {
        let Some((last, change)) = self.change(id, 0, point.index)? else { return Ok(None) };
        let Some(time) = point.time else { return Ok(Some(last)) };
        let too_late = |change: ChangeRow| change.effective_at > time;
        if !too_late(change) {
            return Ok(Some(last));
        }
        match self.first_change(id, last, too_late)?.checked_sub(1) {
            Some(before) => Ok(self.change(id, 0, before)?.map(|(index, _)| index)),
            None => Ok(None),
        }
    }

    /// The event that added a version to a prompt, which has it.
    ///
    /// # Errors
    /// A damaged store.
    pub fn version(&self, row: &PromptRow, number: u32) -> Result<u64, RowError> {
        self.first_change(row.id, row.changed_index, |change| change.versions >= number)
    }

    /// The first change of a prompt that `passes`, if `last` does and every one after the first does: by halving, since
    /// neither effective time nor the count of versions goes back along a prompt's changes.
    fn first_change(&self, id: PromptId, last: u64, passes: impl Fn(ChangeRow) -> bool) -> Result<u64, RowError> {
        // `first` passes, everything below `low` does not; the indexes between them are not known yet.
        let (mut low, mut first) = (0, last);
        while low < first {
            let middle = low + (first - low) / 2;
            match self.change(id, low, middle)? {
                Some((index, change)) if passes(change) => first = index,
                _ => low = middle + 1,
            }
        }
        Ok(first)
    }

    /// The last change of a prompt in a range of indexes.
    fn change(&self, id: PromptId, from: u64, to: u64) -> Result<Option<(u64, ChangeRow)>, RowError> {
        self.rows.last(&Key::Change(id, from), &Key::Change(id, to))?.map(|row| changed(&row)).transpose()
    }

    /// The versions that a prompt got from an index on, oldest first: each number with the index of its event.
    ///
    /// # Errors
    /// A damaged store.
    pub fn versions_from(
        &self,
        row: &PromptRow,
        from: u64,
    ) -> Result<impl Iterator<Item = Result<(u32, u64), RowError>>, RowError> {
        let mut known = match from.checked_sub(1) {
            Some(before) => self.change(row.id, 0, before)?.map_or(0, |(_, change)| change.versions),
            None => 0,
        };
        let (from, to) = (Key::Change(row.id, from).encode(), Key::Change(row.id, row.changed_index).encode());
        let added = self.rows.range(&from, &to).filter_map(move |found| {
            let (index, change) = match found.and_then(|row| changed(&row)) {
                Ok(change) => change,
                Err(error) => return Some(Err(error)),
            };
            let added = change.versions > known;
            known = change.versions;
            added.then_some(Ok((known, index)))
        });
        Ok(added)
    }

    /// The prompt that held a key at a point; of two that did, the one that got it later.
    fn holder(&self, key: &PromptKey, point: Point) -> Result<Option<Arc<PromptRow>>, RowError> {
        if point.time.is_none() && Some(point.index) == self.hot.index {
            return Ok(self.hot.holder(key).cloned());
        }
        let (from, to) = (Key::Holder(key.clone(), 0), Key::Holder(key.clone(), point.index));
        for row in self.rows.range(&from.encode(), &to.encode()).rev() {
            let holder: HolderRow = row::decode("holder", &row?.1)?;
            if !holds(&holder, point) {
                continue;
            }
            if let Some(row) = self.prompt(holder.prompt, point)?.filter(|row| there(row)) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Up to `limit` keys that were held at a point, in order, with their prompts.
    ///
    /// # Errors
    /// A damaged store.
    pub fn holders(
        &self,
        prefix: &str,
        after: Option<&PromptKey>,
        limit: usize,
        point: Point,
    ) -> Result<Vec<Arc<PromptRow>>, RowError> {
        let from = after.map(Key::past_holders_of).unwrap_or_default().max(Key::holders(prefix));
        let mut to = Key::holders(prefix);
        to.push(u8::MAX); // no UTF-8 text holds this byte
        let (mut found, mut at): (Vec<Arc<PromptRow>>, Option<PromptKey>) = (Vec::new(), None);
        for row in self.rows.range(&from, &to) {
            let (key, value) = row?;
            let Some(Key::Holder(key, index)) = Key::decode(&key) else { return Err(RowError::Row("holder")) };
            if at.as_ref() != Some(&key) && found.len() == limit {
                break;
            }
            let holder: HolderRow = row::decode("holder", &value)?;
            if index <= point.index
                && holds(&holder, point)
                && let Some(row) = self.prompt(holder.prompt, point)?.filter(|row| there(row))
            {
                found.pop_if(|last| last.key == key); // the later acquisition counts
                found.push(row);
            }
            at = Some(key);
        }
        Ok(found)
    }
}

/// Between the events of the commit that creates it a prompt has no version yet: it is not there.
fn there(row: &PromptRow) -> bool {
    row.versions > 0
}

/// Whether an acquisition that counts by its index still holds at a point.
fn holds(holder: &HolderRow, point: Point) -> bool {
    let counts = |effective| point.time.is_none_or(|time| effective <= time);
    let released = holder.released.is_some_and(|(index, effective)| index <= point.index && counts(effective));
    counts(holder.effective_at) && !released
}

fn changed((key, value): &Row) -> Result<(u64, ChangeRow), RowError> {
    match Key::decode(key) {
        Some(Key::Change(_, index)) => Ok((index, ChangeRow::decode(value)?)),
        _ => Err(RowError::Row("change")),
    }
}
