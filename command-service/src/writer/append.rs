//! A draft becomes a batch, and its verdicts become answers: append before reply.

use std::time::Duration;

use bytes::Bytes;
use promptory_events::{Batch, BatchHeader, BatchId};
use promptory_ledger::AppendError;

use super::draft::{Draft, Verdict};
use super::{Answers, Writer};
use crate::cache::Receipt;
use crate::failure::Failure;
use crate::gather::Gathered;
use crate::outcome::Outcome;

/// How long an outcome is looked for before the callers are told that it is not known.
const OUTCOME_TRIES: u32 = 60;
const FIRST_PAUSE_MS: u64 = 2;
const LONGEST_PAUSE_MS: u64 = 500;

enum Appended {
    /// Durable.
    Done,
    /// Somebody else was first; the state is up to date again.
    Lost,
}

impl Writer {
    /// Decides and appends commands, in order, in as many batches as they need.
    pub(super) async fn write(&mut self, items: &[Gathered]) -> Answers {
        let mut answers = Answers::with_capacity(items.len());
        while answers.len() < items.len() {
            let rest = &items[answers.len()..];
            match self.write_some(rest).await {
                Ok(Some(some)) => answers.extend(some),
                Ok(None) => {} // decide again, authorization included
                Err(failure) => answers.extend(rest.iter().map(|_| Err(failure.clone()))),
            }
        }
        answers
    }

    async fn write_some(&mut self, items: &[Gathered]) -> Result<Option<Answers>, Failure> {
        if self.behind {
            self.reload().await?;
        }
        let draft = self.draft(items)?;
        if !draft.commits.is_empty() {
            match self.append(&draft).await? {
                Appended::Done => {}
                Appended::Lost => return Ok(None),
            }
        }
        let mut answers = Answers::with_capacity(draft.verdicts.len());
        let mut last_read = None;
        for (verdict, item) in draft.verdicts.into_iter().zip(items) {
            answers.push(self.answer(verdict, item, &mut last_read).await);
        }
        Ok(Some(answers))
    }

    async fn append(&mut self, draft: &Draft) -> Result<Appended, Failure> {
        let (batch_id, bytes) = self.encode(draft)?;
        metrics::counter!("promptory_batches_total").increment(1);
        metrics::histogram!("promptory_batch_commits").record(draft.commits.len() as f64);
        let mut pause_ms = FIRST_PAUSE_MS;
        let mut outcome_open = false;
        for _ in 0..OUTCOME_TRIES {
            let tenant = self.confirmed.state.id().clone();
            match self.shared.ledger.append(&tenant, self.confirmed.sequence, bytes.clone()).await {
                Ok(cursor) => {
                    self.confirm(draft, cursor.sequence);
                    return Ok(Appended::Done);
                }
                // The batch that was first may be our own, from a try whose answer was lost.
                Err(AppendError::Conflict) => return self.after_conflict(batch_id).await,
                Err(AppendError::Busy) => {}
                Err(AppendError::Unknown(error)) => {
                    outcome_open = true;
                    tracing::warn!(%tenant, %error, "the outcome of an append is not known; trying again");
                }
                Err(AppendError::Invalid(error)) => {
                    tracing::error!(%tenant, %error, "a batch was not acceptable");
                    self.reload().await?;
                    return Err(Failure::Internal(error));
                }
            }
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            pause_ms = (pause_ms * 2).min(LONGEST_PAUSE_MS);
        }
        self.behind = outcome_open;
        Err(if outcome_open { Failure::OutcomeUnknown } else { Failure::Unavailable("the ledger is busy".into()) })
    }

    fn encode(&self, draft: &Draft) -> Result<(BatchId, Bytes), Failure> {
        let internal = |error: String| Failure::Internal(error);
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|e| internal(e.to_string()))?;
        let first_index = self.confirmed.state.next_index();
        let header = BatchHeader {
            batch_id: BatchId(id),
            tenant: self.confirmed.state.id().clone(),
            incarnation: self.shared.ledger.incarnation(),
            first_index,
            events: u32::try_from(draft.working.next_index() - first_index).map_err(|e| internal(e.to_string()))?,
            recorded_at: draft.recorded_at,
            prev: self.confirmed.sequence,
            writer: self.shared.address.to_string(),
        };
        let bytes = Batch::encode(&header, &draft.commits).map_err(|e| internal(e.to_string()))?;
        Ok((header.batch_id, bytes))
    }

    fn confirm(&mut self, draft: &Draft, sequence: u64) {
        self.confirmed.state = draft.working.clone();
        self.confirmed.sequence = sequence;
        self.batches_since += 1;
        self.confirmed.recorded_at = draft.recorded_at;
        self.receipts.extend(&draft.receipts);
        self.publish();
    }

    async fn after_conflict(&mut self, batch_id: BatchId) -> Result<Appended, Failure> {
        metrics::counter!("promptory_append_conflicts_total").increment(1);
        let batches = self.reload().await?;
        Ok(if batches.iter().any(|(_, id)| *id == batch_id) { Appended::Done } else { Appended::Lost })
    }

    async fn answer(
        &self,
        verdict: Verdict,
        item: &Gathered,
        last_read: &mut Option<Batch>,
    ) -> Result<Outcome, Failure> {
        let incarnation = self.shared.ledger.incarnation();
        match verdict {
            Verdict::Done(first, events) => {
                let outcome = Outcome::of_events(item.command_id, incarnation, first, &events);
                Ok(Outcome { api_key: item.secret.clone(), ..outcome })
            }
            Verdict::Unchanged => Ok(Outcome::unchanged(item.command_id, self.confirmed.position(&self.shared.ledger))),
            Verdict::Repeat(receipt) => self.answer_again(receipt, item, last_read).await,
            Verdict::Refused(failure) => Err(failure),
        }
    }

    /// The answer of then, from the commit. An import that is repeated asks for the commits of one batch in a row, so the
    /// last batch that was read is kept for the next.
    async fn answer_again(
        &self,
        receipt: Receipt,
        item: &Gathered,
        last_read: &mut Option<Batch>,
    ) -> Result<Outcome, Failure> {
        let missing = || Failure::Unavailable("the command was done before, but its commit can't be found".into());
        let holds =
            |batch: &Batch| (batch.header.first_index..=batch.header.last_index()).contains(&receipt.first_index);
        let batch = match last_read.take().filter(holds) {
            Some(batch) => batch,
            None => {
                let found = self.shared.ledger.get(self.confirmed.state.id(), receipt.first_index).await?;
                Batch::parse(found.ok_or_else(missing)?.bytes).map_err(|e| Failure::Unavailable(e.to_string()))?
            }
        };
        let found = batch.indexed().find(|(first, _)| *first == receipt.first_index);
        let (first, commit) = found.filter(|(_, c)| c.header.command_id == item.command_id).ok_or_else(missing)?;
        let outcome = Outcome::of_commit(self.shared.ledger.incarnation(), first, commit);
        *last_read = Some(batch);
        outcome
    }
}
