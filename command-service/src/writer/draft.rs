//! A batch in the making: commands decided one after another against the state in memory.

use bytes::Bytes;
use promptory_domain::{Context, Presented, Tenant, decide};
use promptory_events::event::Attempt;
use promptory_events::{CommandId, Commit, CommitHeader, Event, Timestamp, limits};

use super::{Writer, together};
use crate::cache::Receipt;
use crate::failure::Failure;
use crate::gather::Gathered;
use crate::recent::Found;

/// Room for the batch's own header.
pub const HEADER_ROOM: usize = 1024;

/// A batch in the making.
pub struct Draft {
    /// The state after it.
    pub working: Tenant,
    /// When it will be recorded.
    pub recorded_at: Timestamp,
    /// Its commits.
    pub commits: Vec<Bytes>,
    /// Their receipts.
    pub receipts: Vec<(CommandId, Receipt)>,
    /// What came of each command, in order; fewer than were given if the batch is full.
    pub verdicts: Vec<Verdict>,
    /// How many commands were denied a right.
    pub denied: u64,
    /// Those of them that have no event of their own.
    pub again: Vec<Attempt>,
    pub(super) bytes: usize,
    pub(super) broken: Option<String>,
}

/// What came of a command, once the batch is durable.
pub enum Verdict {
    /// These events, the first with this index.
    Done(u64, Vec<Event>),
    /// Nothing to do.
    Unchanged,
    /// It was done before.
    Repeat(Receipt),
    /// It leads to nothing.
    Refused(Failure),
}

impl Writer {
    /// Decides as many commands as fit into one batch.
    ///
    /// # Errors
    /// Nothing may be written now, by this clock.
    pub fn draft(&self, items: &[Gathered]) -> Result<Draft, Failure> {
        let mut draft = Draft {
            working: self.confirmed.state.clone(),
            recorded_at: self.recorded_at()?,
            commits: Vec::new(),
            receipts: Vec::new(),
            verdicts: Vec::new(),
            denied: 0,
            again: Vec::new(),
            bytes: HEADER_ROOM,
            broken: None,
        };
        let mut rest = items;
        while !rest.is_empty() {
            let (group, others) = rest.split_at(together::leading(rest));
            match self.verdicts(&mut draft, group) {
                Some(verdicts) => draft.verdicts.extend(verdicts),
                None => break, // full
            }
            rest = others;
        }
        match draft.broken.take() {
            Some(error) => Err(Failure::Internal(error)),
            None => Ok(draft),
        }
    }

    /// The writer's clock, never going back within the tenant; a clock that is far behind writes nothing.
    fn recorded_at(&self) -> Result<Timestamp, Failure> {
        let (now, last) = (self.shared.clock.now(), self.confirmed.recorded_at);
        let behind_ms = last.micros().saturating_sub(now.micros()) / 1000;
        if behind_ms > limits::CLOCK_BEHIND_MAX_MS {
            return Err(Failure::ClockBehind { behind_ms });
        }
        Ok(now.max(last))
    }

    /// `None`: the batch is full.
    pub(super) fn verdict(&self, draft: &mut Draft, item: &Gathered) -> Option<Verdict> {
        let done_before = match self.receipt(draft, item) {
            Ok(receipt) => receipt,
            Err(failure) => return Some(Verdict::Refused(failure)),
        };
        if let Some(receipt) = done_before {
            return Some(repeat(draft, item, receipt));
        }
        let context =
            Context { command_id: item.command_id, now: draft.recorded_at, presented: item.presented.clone() };
        let mut decision = match decide(&draft.working, &context, &item.command) {
            Ok(decision) => decision,
            Err(rejection) => return Some(Verdict::Refused(rejection.into())),
        };
        if decision.events.is_empty() {
            if !item.may_repeat {
                return Some(Verdict::Unchanged);
            }
            decision.events.push(Event::CommandUnchanged);
        }
        let header = CommitHeader {
            command_id: item.command_id,
            command_hash: item.command_hash,
            actor: decision.actor,
            evidence: decision.evidence,
            occurred_at: item.command.occurred_at,
            author: item.command.author.clone(),
            message: item.command.message.clone(),
            trace: item.trace,
        };
        draft.add(Commit { header, events: decision.events })
    }

    fn receipt(&self, draft: &Draft, item: &Gathered) -> Result<Option<Receipt>, Failure> {
        if !item.may_repeat {
            let Some(since) = item.since else { return Ok(None) };
            return match self.recent.find(item.command_id, since) {
                Found::At(first_index) => Ok(Some(Receipt { hash: item.command_hash, first_index })),
                Found::Nowhere => Ok(None),
                Found::Unknown => Err(Failure::OutcomeUnknown),
            };
        }
        let in_draft = draft.receipts.iter().find(|(id, _)| *id == item.command_id).map(|(_, receipt)| *receipt);
        if let Some(receipt) = in_draft.or_else(|| self.receipts.get(item.command_id)) {
            return Ok(Some(receipt));
        }
        let stored = self.shared.cache.receipt(self.confirmed.state.id(), item.command_id);
        // Not to know whether a command was done is no licence to do it again.
        stored.map_err(|e| Failure::Unavailable(e.to_string()))
    }
}

fn repeat(draft: &Draft, item: &Gathered, receipt: Receipt) -> Verdict {
    let (rights, at) = (draft.working.rights(), draft.recorded_at);
    let is_in = match &item.presented {
        Presented::ApiKey { key, secret_hash } => rights.authenticate(*key, secret_hash, at).is_some(),
        Presented::Token(token) => rights.authenticate_token(token, at).is_some(),
        Presented::System | Presented::Operator { .. } => true,
    };
    if !is_in {
        return Verdict::Refused(promptory_domain::Rejection::Unauthenticated.into());
    }
    if receipt.hash == item.command_hash {
        Verdict::Repeat(receipt)
    } else {
        Verdict::Refused(Failure::IdempotencyMismatch)
    }
}

impl Draft {
    /// Takes a commit in, if there is room for it.
    pub(super) fn add(&mut self, commit: Commit) -> Option<Verdict> {
        let bytes = match commit.encode() {
            Ok(bytes) => bytes,
            Err(error) => return Some(Verdict::Refused(Failure::Internal(error.to_string()))),
        };
        // One commit always fits: the limits at the door add up to far less than a batch.
        if self.bytes + bytes.len() + 4 > limits::BATCH_MAX_BYTES && !self.commits.is_empty() {
            return None;
        }
        let first = self.working.next_index();
        for (event, index) in commit.events.iter().zip(first..) {
            // What `decide` made fits the state that it was made from; if not, nothing of this draft may be appended.
            if let Err(error) = self.working.evolve(index, commit.header.actor, event) {
                self.broken = Some(error.to_string());
                return None;
            }
        }
        self.bytes += bytes.len() + 4;
        self.commits.push(bytes);
        self.receipts.extend(Receipt::of(&commit.header, first));
        Some(Verdict::Done(first, commit.events))
    }
}
