//! What changed between two points in time, of a prompt, a folder or the whole tenant: for each prompt what it was and is, with
//! the events that led from one to the other; and the events that set something for many.
//!
//! The events between are gone through in order, and each prompt is told of at the first of its events that counts at the second
//! point and not at the first. Which one that is, its row says alone: by its trail it knows the event before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use promptory_events::{Event, Timestamp};

use super::history::visible;
use super::{AnswerError, Desk, detail};
use crate::ask::{AskChanges, AskError, Changed, ChangesAnswer, EventRecord, Of, PromptChange, Step};
use crate::store::key::Key;
use crate::store::rows::{RowError, Rows};
use crate::views::catalog::point::Point;
use crate::views::catalog::row::{EventRow, PromptRow};
use crate::views::catalog::sight::Sight;

/// Events that one page looks at, shown or not.
const LOOKED_AT_MAX: usize = 10_000;
/// Events that are shown of one prompt among many, and of one that was asked for.
const EVENTS_MAX: usize = 100;
const EVENTS_OF_ONE_MAX: usize = 1000;

/// Both points, and what is asked of.
struct Between<'a> {
    from: Option<Point>,
    to: Point,
    of: &'a Of,
    sight: &'a Sight<'a>,
}

impl Between<'_> {
    /// Whether an event counts at the second point and not at the first.
    fn counts(&self, index: u64, effective: Timestamp) -> bool {
        let at = |point: Point| index <= point.index && point.time.is_none_or(|time| effective <= time);
        at(self.to) && !self.from.is_some_and(at)
    }

    fn of_row(&self, row: &PromptRow) -> bool {
        self.counts(row.changed_index, row.effective_at)
    }

    /// Whether what is set by an event concerns what was asked for.
    fn concerns(&self, event: &Event) -> bool {
        let Of::Below(prefix) = self.of else { return false };
        let within = |set: &promptory_events::Prefix| set.as_str().starts_with(prefix.as_str());
        match event {
            Event::RoleGranted(e) => within(&e.prefix),
            Event::RoleRevoked(e) => within(&e.prefix),
            Event::LabelProtected(e) => within(&e.prefix),
            Event::LabelUnprotected(e) => within(&e.prefix),
            Event::FreezeSet(e) => within(&e.prefix),
            Event::FreezeLifted(e) => within(&e.prefix),
            Event::AttemptDenied(_) | Event::AttemptsCounted(_) | Event::UnauthenticatedCounted(_) => false,
            event => prefix.is_empty() && event.regards().is_none() && !matches!(event, Event::CommandUnchanged),
        }
    }
}

impl<R: Rows> Desk<'_, R> {
    /// One page of what changed.
    pub(super) fn changes(
        &self,
        ask: &AskChanges,
        limit: usize,
        sight: &Sight<'_>,
    ) -> Result<(Option<Point>, ChangesAnswer), AnswerError> {
        let (from, to) = (self.model.resolve(ask.from)?, self.model.resolve(ask.to)?);
        let mut answer = ChangesAnswer { from: from.map(|point| point.index), items: Vec::new(), next: None };
        let Some(to) = to else { return Ok((None, answer)) };
        let between = Between { from, to, of: &ask.of, sight };
        match &ask.of {
            Of::Prompt(prompt) => {
                // By the key that it has at the end, or had at the beginning if it lost it between.
                let row = match self.model.find(prompt, Some(to), sight) {
                    Err(AnswerError::Ask(AskError::PromptNotFound)) => self.model.find(prompt, from, sight)?,
                    found => found?,
                };
                let changed = self.prompt_change(&between, row.id, 0, EVENTS_OF_ONE_MAX)?;
                answer.items.extend(changed.map(|changed| Changed::Prompt(Box::new(changed))));
            }
            Of::Below(_) => self.changes_below(&between, ask.after, limit, &mut answer)?,
        }
        Ok((Some(to), answer))
    }

    fn changes_below(
        &self,
        between: &Between<'_>,
        after: Option<u64>,
        limit: usize,
        answer: &mut ChangesAnswer,
    ) -> Result<(), AnswerError> {
        let (mut last, mut looked_at) = (None, 0);
        let start = self.first_between(between.from)?.max(after.map_or(0, |after| after.saturating_add(1)));
        let (first, end) = (Key::Event(start).encode(), Key::Event(between.to.index).encode());
        if first > end {
            return Ok(());
        }
        for found in self.model.rows.range(&first, &end) {
            let (key, value) = found?;
            let Some(Key::Event(index)) = Key::decode(&key) else { return Err(RowError::Row("event").into()) };
            if answer.items.len() == limit || looked_at == LOOKED_AT_MAX {
                answer.next = index.checked_sub(1);
                return Ok(());
            }
            looked_at += 1;
            let (recorded_at, _, prompt) = EventRow::decode_head(&value)?;
            match prompt {
                Some(row) if between.of_row(&row) && between.sight.prompt(row.id) && self.begins(between, &row)? => {
                    let changed = self.prompt_change(between, row.id, index, EVENTS_MAX)?;
                    answer.items.extend(changed.map(|changed| Changed::Prompt(Box::new(changed))));
                }
                Some(_) => {}
                None => {
                    let Some(row) = visible(&value, between.sight)?.filter(|row| between.concerns(&row.event)) else {
                        continue;
                    };
                    let occurred_at = self.commit(index, &row, &mut last)?.occurred_at;
                    if between.counts(index, occurred_at.unwrap_or(recorded_at)) {
                        answer.items.push(Changed::Setting(Box::new(self.record(index, row, &mut last)?)));
                    }
                }
            }
        }
        Ok(())
    }

    /// No event before this one counts between the points: what had happened by a time was recorded by then at the latest
    /// if nobody claims that it happened earlier, so what had not was recorded after it.
    fn first_between(&self, from: Option<Point>) -> Result<u64, AnswerError> {
        let known = match from {
            None => None,
            Some(Point { index, time: None }) => Some(index),
            Some(Point { index, time: Some(time) }) => {
                let recorded = self.model.resolve(crate::ask::AsOf::Recorded(time))?;
                recorded.map(|point| point.index.min(index))
            }
        };
        Ok(known.map_or(0, |known| known.saturating_add(1)))
    }

    /// Whether no earlier event of the prompt counts between the points, if this one does.
    fn begins(&self, between: &Between<'_>, row: &PromptRow) -> Result<bool, RowError> {
        let before = row.trail.before().map(|index| self.model.after(index)).transpose()?;
        Ok(before.is_none_or(|before| !between.of_row(&before)))
    }

    /// What changed of a prompt; `None`: nothing, or it is not below the prefix that was asked for.
    fn prompt_change(
        &self,
        between: &Between<'_>,
        id: promptory_events::PromptId,
        begins: u64,
        events_max: usize,
    ) -> Result<Option<PromptChange>, AnswerError> {
        let there = |row: &Arc<PromptRow>| row.versions > 0;
        let was = between.from.map(|from| self.model.prompt(id, from)).transpose()?.flatten().filter(there);
        let Some(is) = self.model.prompt(id, between.to)?.filter(there) else { return Ok(None) };
        let below = |row: &PromptRow| match between.of {
            Of::Below(prefix) => row.key.as_str().starts_with(prefix.as_str()),
            Of::Prompt(_) => true,
        };
        if !between.of_row(&is) || !(below(&is) || was.as_deref().is_some_and(below)) {
            return Ok(None);
        }
        let events = self.events_between(between, &is, events_max)?;
        Ok(Some(compared(was.as_deref(), &is, begins, events)))
    }

    /// The events of a prompt that count between the points, the last `max` of them, in order.
    fn events_between(
        &self,
        between: &Between<'_>,
        is: &Arc<PromptRow>,
        max: usize,
    ) -> Result<(Vec<EventRecord>, bool), AnswerError> {
        let (mut events, mut at, mut last) = (Vec::new(), Some(is.changed_index), None);
        while let Some(index) = at {
            let event = self.event(index)?;
            let Some(row) = event.prompt.as_ref().filter(|row| between.of_row(row)) else { break };
            if events.len() == max {
                events.reverse();
                return Ok((events, true));
            }
            at = row.trail.before();
            events.push(self.record(index, event, &mut last)?);
        }
        events.reverse();
        Ok((events, false))
    }

    /// An event as it is shown.
    pub(super) fn record(
        &self,
        index: u64,
        row: EventRow,
        last: &mut super::history::LastHeader,
    ) -> Result<EventRecord, AnswerError> {
        let stamp = self.stamp(index, &row, last)?;
        Ok(EventRecord {
            name: row.event.name().to_owned(),
            prompt: row.event.regards(),
            key: row.prompt.map(|prompt| prompt.key),
            detail: detail::of(&row.event, |key| self.model.hot.access.principal_of(key)).to_string(),
            stamp,
        })
    }
}

fn compared(
    was: Option<&PromptRow>,
    is: &PromptRow,
    begins: u64,
    (events, more): (Vec<EventRecord>, bool),
) -> PromptChange {
    let none = BTreeMap::new();
    let labels = steps(was.map_or(&BTreeMap::new(), |was| &was.labels), &is.labels);
    let branches = steps(was.map_or(&BTreeMap::new(), |was| &was.branches), &is.branches);
    let running = |row: &PromptRow| row.rollouts.iter().map(|(label, running)| (label.clone(), running.id)).collect();
    let rollouts = steps(&was.map_or(none, running), &running(is));
    PromptChange {
        prompt: is.id,
        kind: is.kind,
        key: is.key.clone(),
        created: was.is_none(),
        renamed: was.and_then(|was| Step::of(Some(was.key.clone()), Some(is.key.clone()))),
        archived: Step::of(was.map(|was| was.archived), Some(is.archived)).filter(|_| was.is_some() || is.archived),
        versions: Step::of(was.map(|was| was.versions), Some(is.versions)),
        main: Step::of(was.map(|was| was.main), Some(is.main)),
        labels,
        branches,
        rollouts,
        tags: Step::of(was.map(|was| was.tags.clone()), Some(is.tags.clone()))
            .filter(|_| was.is_some() || !is.tags.is_empty()),
        metadata: Step::of(was.and_then(|was| was.metadata), is.metadata),
        begins,
        events,
        more,
    }
}

/// What differs between two maps.
fn steps<K: Ord + Clone, V: PartialEq + Clone>(was: &BTreeMap<K, V>, is: &BTreeMap<K, V>) -> BTreeMap<K, Step<V>> {
    let keys: BTreeSet<&K> = was.keys().chain(is.keys()).collect();
    let step = |key: &K| Step::of(was.get(key).cloned(), is.get(key).cloned());
    keys.into_iter().filter_map(|key| Some((key.clone(), step(key)?))).collect()
}
