//! A point in a tenant's history, and what was there: by index, by recorded time, by occurred time.
//!
//! Everything is answered at a fixed index, also "now": rows of later events may be there already and are not seen.

use std::sync::Arc;

use promptory_events::{PromptId, PromptKey, Timestamp};

use super::row::{self, EventRow, HolderRow, PromptRow};
use crate::ask::{AsOf, AskError, PromptRef};
use crate::hot::Hot;
use crate::store::key::Key;
use crate::store::rows::{RowError, Rows};

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

    /// The last event of a prompt that counts at a point. Effective time never goes back along a prompt's events, so the
    /// border is found by halving.
    fn last_change(&self, id: PromptId, point: Point) -> Result<Option<u64>, RowError> {
        let Some((last, effective)) = self.change(id, 0, point.index)? else { return Ok(None) };
        let Some(time) = point.time else { return Ok(Some(last)) };
        if effective <= time {
            return Ok(Some(last));
        }
        // `within` counts (once found), `beyond` does not; the indexes between them are not known yet.
        let (mut within, mut low, mut beyond) = (None, 0, last);
        while low < beyond {
            let middle = low + (beyond - low) / 2;
            match self.change(id, low, middle)? {
                Some((index, effective)) if effective > time => beyond = index,
                found => {
                    within = found.map(|(index, _)| index).or(within);
                    low = middle + 1;
                }
            }
        }
        Ok(within)
    }

    /// The last change of a prompt in a range of indexes, and its effective time.
    fn change(&self, id: PromptId, from: u64, to: u64) -> Result<Option<(u64, Timestamp)>, RowError> {
        let Some((key, value)) = self.rows.last(&Key::Change(id, from), &Key::Change(id, to))? else {
            return Ok(None);
        };
        let Some(Key::Change(_, index)) = Key::decode(&key) else { return Err(RowError::Row("change")) };
        let micros: [u8; 8] = value.try_into().map_err(|_| RowError::Row("change"))?;
        Ok(Some((index, Timestamp::from_micros(i64::from_be_bytes(micros)))))
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
