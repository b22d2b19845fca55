//! Records -> what they add to the rows: each id counts once, an outcome counts where its execution is.
//!
//! What was seen of an id is kept for as long as a record lies in the log, so that what is said here is the same however
//! the view came to be: folded as the records came, or anew from rollups and the log behind them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use promptory_events::{PromptId, Timestamp, limits};
use serde::{Deserialize, Serialize};

use crate::record::{Execution, IdHash, OutcomeRecord, Record, Score, SearchesRecord};
use crate::rows::{Dims, Rows};
use crate::searches::{self, Searches};

/// A stretch is full with so many rows, ids, or bytes when it is written: one message of the log holds it.
const ROWS_FULL: usize = 50_000;
const IDS_FULL: usize = 200_000;
const BYTES_FULL: usize = 3 * 1024 * 1024;
/// What a row and a score take at most when they are written, besides their names.
const ROW_BYTES: usize = 80;
const SCORE_BYTES: usize = 32;
const RECORD_BYTES: usize = 8;
const MINUTE_MICROS: i64 = 60_000_000;

/// What was seen of an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// When it last came.
    pub received_at: Timestamp,
    /// Where it is counted, in minutes since 1970; none for an outcome. Of a trace: where the run in it is counted that came last.
    pub place: Option<(u32, Arc<Dims>)>,
}

/// An outcome whose execution has not come yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// When it came.
    pub received_at: Timestamp,
    /// The prompt that must have been run, if it says one.
    pub prompt: Option<PromptId>,
    /// What it says.
    pub scores: Vec<Score>,
}

/// What is known from before this stretch.
pub trait Known {
    /// Why it can't be told.
    type Error;

    /// What was seen of an id.
    ///
    /// # Errors
    /// It can't be told.
    fn seen(&self, id: &IdHash) -> Result<Option<Sighting>, Self::Error>;

    /// The outcomes that wait for an execution.
    ///
    /// # Errors
    /// They can't be told.
    fn waiting(&self, execution: &IdHash) -> Result<Vec<Waiting>, Self::Error>;
}

/// What a stretch of the log says, before it is a rollup.
#[derive(Clone, Debug, Default)]
pub struct Stretch {
    /// What it adds.
    pub rows: Rows,
    /// When its first batch came.
    pub since: Option<Timestamp>,
    /// Records in it, repeats too.
    pub records: u64,
    /// Records that had come before.
    pub repeats: u64,
    /// Outcomes that count nowhere: of another prompt than was run, or too many that wait for one execution.
    pub dropped: u64,
    /// The ids in it.
    pub seen: HashMap<IdHash, Sighting>,
    /// Who waits for an execution now, where that has changed; empty: nobody any more.
    pub waiting: HashMap<IdHash, Vec<Waiting>>,
    /// Searches that found nothing, by day.
    pub searches: BTreeMap<u32, Searches>,
    dims: HashSet<Arc<Dims>>,
    bytes: usize,
}

impl Stretch {
    /// Whether it should end.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.rows.len() >= ROWS_FULL || self.seen.len() >= IDS_FULL || self.bytes >= BYTES_FULL
    }

    /// Takes in the next record, which came at a time. An id that came within `keep_ms` before is a repeat, and counts for
    /// nothing. After an error the stretch is not to be used any more.
    ///
    /// # Errors
    /// What is known from before can't be told.
    pub fn take<K: Known>(
        &mut self,
        received_at: Timestamp,
        record: &Record,
        known: &K,
        keep_ms: i64,
    ) -> Result<(), K::Error> {
        self.since.get_or_insert(received_at);
        self.records += 1;
        let id = IdHash::of(record.id());
        let sighting = if let Some(before) = self.lately(&id, received_at, known, keep_ms)? {
            self.repeats += 1;
            Sighting { received_at: before.received_at.max(received_at), ..before }
        } else {
            let place = match record {
                Record::Execution(execution) => Some(self.execution(&id, execution, received_at, known, keep_ms)?),
                Record::Outcome(outcome) => {
                    self.outcome(outcome, received_at, known, keep_ms)?;
                    None
                }
                Record::Searches(SearchesRecord { occurred_at, searches, .. }) => {
                    self.bytes += searches.bytes();
                    self.searches.entry(searches::day(*occurred_at)).or_default().merge(searches);
                    None
                }
            };
            Sighting { received_at, place }
        };
        self.seen.insert(id, sighting.clone());
        if let Record::Execution(Execution { trace: Some(trace), .. }) = record {
            self.trace(trace, sighting, known, keep_ms)?;
        }
        Ok(())
    }

    fn lately<K: Known>(
        &self,
        id: &IdHash,
        now: Timestamp,
        known: &K,
        keep_ms: i64,
    ) -> Result<Option<Sighting>, K::Error> {
        let seen = match self.seen.get(id) {
            Some(seen) => Some(seen.clone()),
            None => known.seen(id)?,
        };
        Ok(seen.filter(|seen| is_within(seen.received_at, now, keep_ms)))
    }

    fn execution<K: Known>(
        &mut self,
        id: &IdHash,
        execution: &Execution,
        received_at: Timestamp,
        known: &K,
        keep_ms: i64,
    ) -> Result<(u32, Arc<Dims>), K::Error> {
        let minute = u32::try_from(execution.occurred_at.micros() / MINUTE_MICROS).unwrap_or_default();
        let dims = self.interned(Dims::of(execution));
        self.tally(minute, &dims, |tally| {
            tally.add(execution);
            tally.judge(&execution.scores);
        });
        self.weigh(&execution.scores);
        self.waited(id, (minute, &dims), received_at, known, keep_ms)?;
        Ok((minute, dims))
    }

    /// From now on a trace is the run that came last, repeats too: then what is known of it follows from the log of the last
    /// weeks alone, as what is known of ids does.
    fn trace<K: Known>(&mut self, trace: &str, run: Sighting, known: &K, keep_ms: i64) -> Result<(), K::Error> {
        let Some((minute, dims)) = run.place.clone() else { return Ok(()) };
        let (id, dims) = (IdHash::of(trace), self.interned_as(dims));
        self.waited(&id, (minute, &dims), run.received_at, known, keep_ms)?;
        self.seen.insert(id, run);
        Ok(())
    }

    /// Outcomes that have waited for this count now.
    fn waited<K: Known>(
        &mut self,
        id: &IdHash,
        (minute, dims): (u32, &Arc<Dims>),
        now: Timestamp,
        known: &K,
        keep_ms: i64,
    ) -> Result<(), K::Error> {
        let waiting = match self.waiting.get(id) {
            Some(waiting) => waiting.clone(),
            None => known.waiting(id)?,
        };
        if waiting.is_empty() {
            return Ok(());
        }
        for outcome in waiting.iter().filter(|one| is_within(one.received_at, now, keep_ms)) {
            if outcome.prompt.is_some_and(|prompt| prompt != dims.prompt) {
                self.dropped += 1;
                continue;
            }
            self.tally(minute, dims, |tally| tally.judge(&outcome.scores));
            self.weigh(&outcome.scores);
        }
        self.waiting.insert(*id, Vec::new());
        Ok(())
    }

    fn outcome<K: Known>(
        &mut self,
        outcome: &OutcomeRecord,
        received_at: Timestamp,
        known: &K,
        keep_ms: i64,
    ) -> Result<(), K::Error> {
        self.weigh(&outcome.scores);
        let execution = IdHash::of(&outcome.execution);
        if let Some(Sighting { place: Some((minute, dims)), .. }) =
            self.lately(&execution, received_at, known, keep_ms)?
        {
            if outcome.prompt.is_some_and(|prompt| prompt != dims.prompt) {
                self.dropped += 1;
                return Ok(());
            }
            let dims = self.interned_as(dims);
            self.tally(minute, &dims, |tally| tally.judge(&outcome.scores));
            return Ok(());
        }
        let mut waiting = match self.waiting.get(&execution) {
            Some(waiting) => waiting.clone(),
            None => known.waiting(&execution)?,
        };
        waiting.retain(|one| is_within(one.received_at, received_at, keep_ms));
        if waiting.len() < limits::USAGE_WAITING_MAX {
            waiting.push(Waiting { received_at, prompt: outcome.prompt, scores: outcome.scores.clone() });
        } else {
            self.dropped += 1;
        }
        self.waiting.insert(execution, waiting);
        Ok(())
    }

    fn tally(&mut self, minute: u32, dims: &Arc<Dims>, change: impl FnOnce(&mut crate::Tally)) {
        let before = self.rows.len();
        change(self.rows.at(minute, dims));
        if self.rows.len() > before {
            self.bytes += ROW_BYTES;
        }
    }

    fn weigh(&mut self, scores: &[Score]) {
        self.bytes += RECORD_BYTES;
        for score in scores {
            self.bytes += SCORE_BYTES + score.name.len();
            if let crate::ScoreValue::Category(word) = &score.value {
                self.bytes += word.len();
            }
        }
    }

    fn interned(&mut self, dims: Dims) -> Arc<Dims> {
        match self.dims.get(&dims) {
            Some(dims) => dims.clone(),
            None => self.interned_as(Arc::new(dims)),
        }
    }

    fn interned_as(&mut self, dims: Arc<Dims>) -> Arc<Dims> {
        if let Some(dims) = self.dims.get(&dims) {
            return dims.clone();
        }
        let names = [&dims.label, &dims.arm, &dims.model, &dims.caller];
        self.bytes += 16 + names.into_iter().flatten().map(|name| name.len() + 2).sum::<usize>();
        self.dims.insert(dims.clone());
        dims
    }
}

/// Whether what came at one time still counts at another.
#[must_use]
pub fn is_within(before: Timestamp, now: Timestamp, keep_ms: i64) -> bool {
    before.plus_ms(keep_ms) >= now
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
