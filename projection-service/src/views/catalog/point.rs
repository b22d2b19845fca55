//! A point in a tenant's history, and what was there: by index, by recorded time, by occurred time.
//!
//! Everything is answered at a fixed index, also "now": rows of later events may be there already and are not seen.

use std::sync::Arc;

use promptory_events::{PromptId, PromptKey, Timestamp};

use super::row::{self, EventRow, HolderRow, PromptRow};
use super::sight::Sight;
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

    /// The last event that was recorded by a time: by halving, since the time never goes back along the events.
    fn recorded_by(&self, time: Timestamp) -> Result<Option<u64>, RowError> {
        let Some(last) = self.hot.index else { return Ok(None) };
        if self.hot.recorded_at <= time {
            return Ok(Some(last));
        }
        // Everything below `low` was recorded by then, nothing from `high` on.
        let (mut low, mut high) = (0, last);
        while low < high {
            let middle = low + (high - low) / 2;
            if EventRow::decode_recorded(&self.event(middle)?)? <= time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low.checked_sub(1))
    }

    fn event(&self, index: u64) -> Result<Vec<u8>, RowError> {
        self.rows.get(&Key::Event(index))?.ok_or(RowError::Row("event"))
    }

    /// The prompt that is asked for, as it was at a point.
    ///
    /// # Errors
    /// There was none, or `sight` does not reach it, which is not told apart; a damaged store.
    pub fn find(
        &self,
        prompt: &PromptRef,
        point: Option<Point>,
        sight: &Sight<'_>,
    ) -> Result<Arc<PromptRow>, AnswerError> {
        let Some(point) = point else { return Err(AskError::PromptNotFound.into()) };
        let row = match prompt {
            PromptRef::Id(id) => self.prompt(*id, point)?,
            PromptRef::Key(key) => self.holder(key, point)?,
        };
        Ok(row.filter(|row| there(row) && sight.prompt(row.id)).ok_or(AskError::PromptNotFound)?)
    }

    /// A prompt by identity as it was at a point.
    ///
    /// # Errors
    /// A damaged store.
    pub fn prompt(&self, id: PromptId, point: Point) -> Result<Option<Arc<PromptRow>>, RowError> {
        let too_late =
            |row: &PromptRow| row.changed_index > point.index || point.time.is_some_and(|time| row.effective_at > time);
        match self.hot.prompt(id) {
            Some(row) if too_late(row) => {
                let first_too_late = self.first(row, too_late)?;
                first_too_late.trail.before().map(|index| self.after(index)).transpose()
            }
            now => Ok(now.cloned()),
        }
    }

    /// A prompt as it was after the event that added a version to it, which `row` has.
    ///
    /// # Errors
    /// A damaged store.
    pub fn version(&self, row: &Arc<PromptRow>, number: u32) -> Result<Arc<PromptRow>, RowError> {
        self.first(row, |row| row.versions >= number)
    }

    /// A prompt as it was after the event that added to `main` its version in this place, 1 the first, which `row` has.
    ///
    /// # Errors
    /// A damaged store.
    pub fn on_main(&self, row: &Arc<PromptRow>, place: u32) -> Result<Arc<PromptRow>, RowError> {
        self.first(row, |row| row.on_main >= place)
    }

    /// A prompt after its first change that `passes`, if it does in `row` and after every change since that first one:
    /// neither the index nor effective time nor any count of versions goes back along a prompt's changes.
    fn first(&self, row: &Arc<PromptRow>, passes: impl Fn(&PromptRow) -> bool) -> Result<Arc<PromptRow>, RowError> {
        let mut first = row.clone();
        loop {
            let mut earlier = None;
            for index in first.trail.changes() {
                let row = self.after(index)?;
                if !passes(&row) {
                    break;
                }
                earlier = Some(row);
            }
            match earlier {
                Some(row) if row.changed_index < first.changed_index => first = row,
                Some(_) => return Err(RowError::Row("prompt")), // a trail that leads nowhere must not be walked for ever
                None => return Ok(first),
            }
        }
    }

    /// The prompt that an event is about, after it.
    ///
    /// # Errors
    /// A damaged store.
    pub fn after(&self, index: u64) -> Result<Arc<PromptRow>, RowError> {
        EventRow::decode_prompt(&self.event(index)?)?.map(Arc::new).ok_or(RowError::Row("prompt"))
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

    /// Up to `limit` keys that were held at a point and that `sight` may read, in order, with their prompts.
    ///
    /// # Errors
    /// A damaged store.
    pub fn holders(
        &self,
        prefix: &str,
        after: Option<&PromptKey>,
        limit: usize,
        point: Point,
        sight: &Sight<'_>,
    ) -> Result<Vec<Arc<PromptRow>>, RowError> {
        let now = point.time.is_none() && Some(point.index) == self.hot.index;
        // Now a prompt's key decides, so only the parts that may be read are gone through. In the past it may have had
        // another key than the one that decides.
        let parts = if now { sight.below(prefix) } else { vec![prefix] };
        let mut found = Vec::new();
        for part in parts {
            self.holders_below(part, after, limit, point, sight, &mut found)?;
        }
        Ok(found)
    }

    fn holders_below(
        &self,
        prefix: &str,
        after: Option<&PromptKey>,
        limit: usize,
        point: Point,
        sight: &Sight<'_>,
        found: &mut Vec<Arc<PromptRow>>,
    ) -> Result<(), RowError> {
        let from = after.map(Key::past_holders_of).unwrap_or_default().max(Key::holders(prefix));
        let mut to = Key::holders(prefix);
        to.push(u8::MAX); // no UTF-8 text holds this byte
        if from > to {
            return Ok(()); // the page before ended behind this part
        }
        let seen = |held: &mut Option<Arc<PromptRow>>| held.take().filter(|row| sight.prompt(row.id));
        let (mut at, mut held) = (None, None);
        for row in self.rows.range(&from, &to) {
            let (key, value) = row?;
            let Some(Key::Holder(key, index)) = Key::decode(&key) else { return Err(RowError::Row("holder")) };
            if at.as_ref() != Some(&key) {
                found.extend(seen(&mut held));
                if found.len() == limit {
                    return Ok(());
                }
            }
            let holder: HolderRow = row::decode("holder", &value)?;
            if index <= point.index && holds(&holder, point) {
                // The later acquisition counts, also one that is hidden.
                held = self.prompt(holder.prompt, point)?.filter(|row| there(row)).or(held);
            }
            at = Some(key);
        }
        found.extend(seen(&mut held));
        Ok(())
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
