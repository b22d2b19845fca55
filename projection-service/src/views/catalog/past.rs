//! Who could do what, and what was protected, frozen and asked for, at a point in the past: folded again from the events that
//! changed it, by the code that made today's state of them. If nothing has changed since, it is today's state.

use std::sync::Arc;

use promptory_events::CommitHeader;

use super::apply::Step;
use super::point::Model;
use super::row::{CommitRef, EventRow};
use super::stage::Staged;
use super::{access, releases};
use crate::hot::Hot;
use crate::hot::access::Access;
use crate::hot::past::{Folded, PastCache};
use crate::hot::releases::Releases;
use crate::store::key::{Area, Key};
use crate::store::rows::{RowError, Rows};

/// One area as it was at a point; the other is empty.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Who may do what.
    pub access: Access,
    /// What stands between them and labels.
    pub releases: Releases,
}

impl Past {
    fn of(hot: &Hot) -> Self {
        Self { access: hot.access.clone(), releases: hot.releases.clone() }
    }
}

impl<R: Rows> Model<'_, R> {
    /// An area as it was after the event at `index`; `None`: before the first. What is folded for it is kept in `cache`, under
    /// the tenant's number.
    ///
    /// # Errors
    /// A damaged store.
    pub fn past(
        &self,
        area: Area,
        index: Option<u64>,
        cache: Option<(&PastCache, u64)>,
    ) -> Result<Arc<Past>, RowError> {
        let Some(index) = index else { return Ok(Arc::default()) };
        let Some(last) = self.last_change(area, index)? else { return Ok(Arc::default()) };
        if Some(last) == self.hot.index.map(|end| self.last_change(area, end)).transpose()?.flatten() {
            return Ok(Arc::new(Past::of(self.hot)));
        }
        let begun = cache.and_then(|(cache, tenant)| cache.until(tenant, area, last));
        let folded = match begun {
            Some((known, folded)) if known == last => return Ok(folded.past),
            begun => self.folded(area, begun, last)?,
        };
        let past = folded.past.clone();
        if let Some((cache, tenant)) = cache {
            cache.put(tenant, area, last, folded);
        }
        Ok(past)
    }

    /// The last event up to an index that changed an area.
    fn last_change(&self, area: Area, index: u64) -> Result<Option<u64>, RowError> {
        let row = self.rows.last(&Key::Change(area, 0), &Key::Change(area, index))?;
        row.map(|(key, _)| changed(&key)).transpose()
    }

    /// An area after the event at `last`, from its beginning or from a state that it had earlier.
    fn folded(&self, area: Area, begun: Option<(u64, Folded)>, last: u64) -> Result<Folded, RowError> {
        let (start, before) = begun.map_or((0, Folded::default()), |(known, folded)| (known.saturating_add(1), folded));
        let Past { access, releases } = Past::clone(&before.past);
        let mut hot = Hot::default();
        (hot.access, hot.releases) = (access, releases);
        let (mut staged, mut changes) = (Staged::default(), before.changes);
        let mut header: Option<(u64, CommitHeader)> = None;
        let (from, to) = (Key::Change(area, start).encode(), Key::Change(area, last).encode());
        for row in self.rows.range(&from, &to) {
            let index = changed(&row?.0)?;
            let row = self.change(index)?;
            match row.commit {
                CommitRef::Here(here) => header = Some((index, *here)),
                CommitRef::At(first) if header.as_ref().is_some_and(|(known, _)| *known == first) => {}
                CommitRef::At(first) => match self.change(first)?.commit {
                    CommitRef::Here(there) => header = Some((first, *there)),
                    CommitRef::At(_) => return Err(RowError::Row("commit")),
                },
            }
            let (first, commit) = header.as_ref().ok_or(RowError::Row("commit"))?;
            let bytes = &bytes::Bytes::new(); // of the event's row, which is not made again
            let step = Step { recorded_at: row.recorded_at, commit, first: *first, index, event: &row.event, bytes };
            let fits = match area {
                Area::Access => access::apply(&mut hot, &mut staged, &step),
                Area::Releases => releases::apply(&mut hot, &mut staged, &step),
            };
            fits.map_err(|_| RowError::Row("change"))?;
            drop(staged.drain());
            changes += 1;
        }
        let past = Arc::new(Past { access: hot.access, releases: hot.releases });
        Ok(Folded { past, changes })
    }

    fn change(&self, index: u64) -> Result<EventRow, RowError> {
        EventRow::decode(&self.rows.get(&Key::Event(index))?.ok_or(RowError::Row("event"))?)
    }
}

fn changed(key: &[u8]) -> Result<u64, RowError> {
    match Key::decode(key) {
        Some(Key::Change(_, index)) => Ok(index),
        _ => Err(RowError::Row("change")),
    }
}

#[cfg(test)]
mod tests;
