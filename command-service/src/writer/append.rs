//! A draft becomes a batch, and its verdicts become answers: append before reply.

use std::time::Duration;

use bytes::Bytes;
use promptory_domain::Change;
use promptory_events::{Batch, BatchHeader, BatchId, Event, RawCommit};
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

/// Conflicts in a row of which the ledger does not show the batch that was first: a leader that is none any more does not
/// know it yet.
const BARREN_TRIES: u32 = 12;

enum Appended {
    /// Durable.
    Done,
    /// Somebody else was first; the state is up to date again.
    Lost,
}

/// What came of some commands.
enum Written {
    /// The answers to the first of them.
    Some(Answers),
    /// Nothing, a race was lost: to be decided again, authorization included. Whether the other's batch is in the state.
    Nothing(bool),
}

impl Writer {
    /// Decides and appends commands, in order, in as many batches as they need. Gives fewer answers than there are
    /// commands if the rest goes to the winner from now on.
    pub(super) async fn write(&mut self, items: &[Gathered]) -> Answers {
        let may_go = items.iter().all(|item| item.since.is_none());
        let mut answers = Answers::with_capacity(items.len());
        let (mut barren, mut fresh) = (0, false);
        while answers.len() < items.len() {
            let rest = &items[answers.len()..];
            let written = self.write_some(rest, fresh).await;
            fresh |= matches!(written, Ok(Written::Some(_) | Written::Nothing(true)));
            let failure = match written {
                Ok(Written::Some(some)) => {
                    barren = 0;
                    answers.extend(some);
                    continue;
                }
                Ok(Written::Nothing(true)) if may_go && self.begins_forwarding() => return answers,
                Ok(Written::Nothing(true)) => {
                    barren = 0;
                    continue;
                }
                Ok(Written::Nothing(false)) if barren < BARREN_TRIES => {
                    barren += 1;
                    pause(FIRST_PAUSE_MS << barren.min(8)).await;
                    continue;
                }
                Ok(Written::Nothing(false)) => {
                    Failure::Unavailable("the ledger has another batch and does not show it".to_owned())
                }
                Err(failure) => failure,
            };
            answers.extend(rest.iter().map(|_| Err(failure.clone())));
        }
        answers
    }

    /// `fresh`: the state has been seen to be the ledger's since the commands came.
    async fn write_some(&mut self, items: &[Gathered], fresh: bool) -> Result<Written, Failure> {
        if self.behind {
            self.reload().await?;
        }
        let mut draft = self.draft(items)?;
        let before = self.confirmed.sequence;
        if draft.commits.is_empty() && !fresh {
            // No append shows whether another replica has written: a refusal may not rest on what was.
            self.reload().await?;
            if self.confirmed.sequence != before {
                return Ok(Written::Nothing(true));
            }
        } else if !draft.commits.is_empty() {
            match self.append(&draft).await? {
                Appended::Done => self.losses = 0,
                Appended::Lost => {
                    self.losses += 1;
                    return Ok(Written::Nothing(self.confirmed.sequence != before));
                }
            }
        }
        self.count_denied(draft.denied, std::mem::take(&mut draft.again));
        let mut answers = Answers::with_capacity(draft.verdicts.len());
        let mut last_read = None;
        for (verdict, item) in draft.verdicts.into_iter().zip(items) {
            answers.push(self.answer(verdict, item, &mut last_read).await);
        }
        Ok(Written::Some(answers))
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
            pause(pause_ms).await;
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
        let ours = is_this_very_one(item, commit);
        *last_read = Some(batch);
        Ok(if ours { Outcome { replayed: false, api_key: item.secret.clone(), ..outcome? } } else { outcome? })
    }
}

/// Whether a commit is of this command itself and not of an earlier one with the same idempotency key: of one that was
/// forwarded and not answered, or whose append was not. A secret is shown if it is the one that was issued.
fn is_this_very_one(item: &Gathered, commit: &RawCommit) -> bool {
    let (Change::IssueKey { secret_hash, .. } | Change::RotateKey { secret_hash, .. }) = &item.command.change else {
        return !item.may_repeat;
    };
    let events = commit.decode_events().unwrap_or_default();
    events.iter().any(|event| matches!(event, Event::KeyIssued(issued) if issued.secret_hash == *secret_hash))
}

/// Waits for a random time up to `longest_ms`, so that replicas that wait for the same thing don't come back together.
async fn pause(longest_ms: u64) {
    let mut random = [0; 2];
    // Without randomness the pause is the longest.
    let part = if getrandom::fill(&mut random).is_ok() { u64::from(u16::from_le_bytes(random)) } else { 0xffff };
    tokio::time::sleep(Duration::from_micros(1 + longest_ms * 1000 * part / 0xffff)).await;
}
