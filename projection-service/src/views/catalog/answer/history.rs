//! How things came to be: where a label pointed over the years, and the events themselves.

use std::sync::Arc;

use promptory_events::{CommitHeader, Event, Label};
use promptory_ledger::KeyStoreError;
use promptory_ledger::seal::aad;

use super::{AnswerError, Desk, unopened};
use crate::ask::{AskError, EventsAnswer, Fork, LabelMove, Stamp};
use crate::store::key::Key;
use crate::store::rows::{RowError, Rows};
use crate::views::catalog::point::Point;
use crate::views::catalog::row::{CommitRef, EventRow, PromptRow};
use crate::views::catalog::sight::Sight;

/// Events that one question looks at, shown or not.
const EVENTS_LOOKED_AT_MAX: usize = 10_000;

/// The commit header that was read last, with the index of the event that carries it.
pub(crate) type LastHeader = Option<(u64, CommitHeader)>;

/// An event's row if the reader may see it. Most of what is hidden is about prompts, whose event need not be read.
pub(super) fn visible(value: &[u8], sight: &Sight<'_>) -> Result<Option<EventRow>, RowError> {
    if let (_, _, Some(prompt)) = EventRow::decode_head(value)?
        && !sight.prompt(prompt.id)
    {
        return Ok(None);
    }
    let row = EventRow::decode(value)?;
    Ok((row.prompt.is_some() || sight.event(&row.event)).then_some(row))
}

impl<R: Rows> Desk<'_, R> {
    /// Where a label pointed up to `row`, oldest first, after an index.
    pub(super) fn label_history(
        &self,
        row: &Arc<PromptRow>,
        label: &Label,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<LabelMove>, AnswerError> {
        if label.is_latest() {
            return self.newest_history(row, after, limit);
        }
        let end = row.changed_index; // also as of an occurred time: the events of a prompt that count are its first ones
        let span = |from| (Key::Move(row.id, label.clone(), from), Key::Move(row.id, label.clone(), end));
        let (first, to) = span(0);
        if self.model.rows.last(&first, &to)?.is_none() {
            return Err(AskError::LabelNotFound(label.clone()).into());
        }
        let (from, to) = span(after.map_or(0, |after| after.saturating_add(1)));
        let mut moves = Vec::new();
        for found in self.model.rows.range(&from.encode(), &to.encode()).take(limit) {
            let Some(Key::Move(_, _, index)) = Key::decode(&found?.0) else {
                return Err(RowError::Row("label move").into());
            };
            moves.push(self.label_move(index)?);
        }
        Ok(moves)
    }

    fn label_move(&self, index: u64) -> Result<LabelMove, AnswerError> {
        let row = self.event(index)?;
        let (before, after) = match &row.event {
            Event::LabelSet(event) => (event.before, Some(event.after)),
            Event::LabelRemoved(event) => (Some(event.before), None),
            _ => return Err(RowError::Row("label move").into()),
        };
        Ok(LabelMove { before, after, stamp: self.stamp(index, &row, &mut None)? })
    }

    /// `latest` has no events of its own: every version of `main` moves it.
    fn newest_history(
        &self,
        row: &Arc<PromptRow>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<LabelMove>, AnswerError> {
        let known = match after {
            Some(index) => self.model.prompt(row.id, Point { index, time: None })?.map_or(0, |row| row.on_main),
            None => 0,
        };
        let last = row.on_main.min(known.saturating_add(u32::try_from(limit).unwrap_or(u32::MAX)));
        let (mut moves, mut at) = (Vec::<LabelMove>::new(), row.clone());
        // From the last one back; each says what the move after it was made from, and so does the one before the page.
        for place in (known.max(1)..=last).rev() {
            at = self.model.on_main(&at, place)?;
            if let Some(after) = moves.last_mut() {
                after.before = Some(at.main);
            }
            if place > known {
                let index = at.changed_index;
                let stamp = self.stamp(index, &self.event(index)?, &mut None)?;
                moves.push(LabelMove { before: None, after: Some(at.main), stamp });
            }
        }
        moves.reverse();
        Ok(moves)
    }

    /// The prompts that were forked from one and that `sight` reaches, oldest first, after an index.
    pub(super) fn forks(
        &self,
        row: &Arc<PromptRow>,
        after: Option<u64>,
        limit: usize,
        point: Option<Point>,
        sight: &Sight<'_>,
    ) -> Result<Vec<Fork>, AnswerError> {
        let Some(point) = point else { return Ok(Vec::new()) };
        let from = Key::Fork(row.id, after.map_or(0, |after| after.saturating_add(1)));
        let to = Key::Fork(row.id, point.index);
        let mut forks = Vec::new();
        for found in self.model.rows.range(&from.encode(), &to.encode()) {
            if forks.len() == limit {
                break;
            }
            let Some(Key::Fork(_, index)) = Key::decode(&found?.0) else { return Err(RowError::Row("fork").into()) };
            let event = self.event(index)?;
            let fork = event.prompt.as_ref().and_then(|fork| Some((fork.forked_from?, fork.id)));
            let (origin, fork) = fork.ok_or(RowError::Row("fork"))?;
            if !sight.prompt(fork) {
                continue;
            }
            // As of an occurred time it may not have happened yet.
            let Some(fork) = self.model.prompt(fork, point)? else { continue };
            let stamp = self.stamp(index, &event, &mut None)?;
            forks.extend(fork.summary().map(|prompt| Fork { of: origin.number, prompt, stamp }));
        }
        Ok(forks)
    }

    /// Events from an index on that `sight` reaches. Only so many are looked at that a reader who may see few of them
    /// gets an answer soon; `next` says where to go on.
    pub(super) fn events(&self, from: u64, limit: usize, sight: &Sight<'_>) -> Result<EventsAnswer, AnswerError> {
        let mut answer = EventsAnswer { events: Vec::new(), next: from };
        let Some(end) = self.model.hot.index.filter(|end| from <= *end) else { return Ok(answer) };
        let mut last = None;
        let (from, to) = (Key::Event(from).encode(), Key::Event(end).encode());
        for found in self.model.rows.range(&from, &to).take(EVENTS_LOOKED_AT_MAX) {
            let (key, value) = found?;
            let Some(Key::Event(index)) = Key::decode(&key) else { return Err(RowError::Row("event").into()) };
            if let Some(row) = visible(&value, sight)? {
                answer.events.push(self.record(index, row, &mut last)?);
            }
            answer.next = index + 1;
            if answer.events.len() == limit {
                break;
            }
        }
        Ok(answer)
    }

    /// Who did it, when, and why. `last` spares reading a header again for the next event of the same commit.
    pub(super) fn stamp(&self, index: u64, row: &EventRow, last: &mut LastHeader) -> Result<Stamp, AnswerError> {
        let header = self.commit(index, row, last)?;
        Ok(Stamp {
            index,
            command_id: header.command_id,
            actor: header.actor,
            author: header.author.clone(),
            recorded_at: row.recorded_at,
            occurred_at: header.occurred_at,
            message: self.message(header)?,
            grants: header.evidence.grants.clone(),
        })
    }

    /// The commit of an event.
    pub(crate) fn commit<'l>(
        &self,
        index: u64,
        row: &EventRow,
        last: &'l mut LastHeader,
    ) -> Result<&'l CommitHeader, RowError> {
        match &row.commit {
            CommitRef::Here(header) => *last = Some((index, CommitHeader::clone(header))),
            CommitRef::At(first) if last.as_ref().is_some_and(|(known, _)| known == first) => {}
            CommitRef::At(first) => *last = Some((*first, self.header(*first)?)),
        }
        last.as_ref().map(|(_, header)| header).ok_or(RowError::Row("commit"))
    }

    fn header(&self, index: u64) -> Result<CommitHeader, RowError> {
        match self.event(index)?.commit {
            CommitRef::Here(header) => Ok(*header),
            CommitRef::At(_) => Err(RowError::Row("commit")),
        }
    }

    /// A commit's message. An erased one is no reason to hide the rest of what happened.
    fn message(&self, header: &CommitHeader) -> Result<Option<String>, AskError> {
        let Some(sealed) = &header.message else { return Ok(None) };
        match self.keys.open_sealed(self.tenant, &aad::message(self.tenant, header.command_id), sealed) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(KeyStoreError::Erased(_)) => Ok(None),
            Err(error) => Err(unopened(&error)),
        }
    }
}
