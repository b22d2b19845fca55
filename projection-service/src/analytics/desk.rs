//! One tenant's usage: what has come is taken in, a stretch ends with a rollup, questions are answered.
//!
//! The order that everything leans on: a rollup is durable before the store has it, and the store has it before the stretch in
//! memory is gone. Whoever dies between reads the rollup again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use promptory_events::{PromptId, TenantId, Timestamp};
use promptory_ledger::AppendError;
use promptory_ledger::usage::Entry;
use promptory_platform::GiveWay;
use promptory_usage::adoption::Adoption;
use promptory_usage::fold::Stretch;
use promptory_usage::page::{Grain, parts};
use promptory_usage::query::Question;
use promptory_usage::searches::{self, Sum};
use promptory_usage::{Batch, Rollup, Rows};
use tokio::sync::Mutex;

use super::view::{Checkpoint, KnownHere, Take, View};
use super::{AnalyticsError, Inner, Scope};
use crate::behind::behind;

/// How far ahead the clock of another process may be that took records.
const AHEAD_MS: i64 = 2_000;
/// How often it is begun anew because somebody else made the next rollup.
const OVERTAKEN_MAX: usize = 8;

/// One tenant.
pub(super) struct Desk {
    tenant: TenantId,
    /// When it was last used, in uses of all of them.
    used: AtomicU64,
    /// Who takes in what has come; questions don't wait for it but while a page is folded.
    turn: Mutex<()>,
    state: Arc<RwLock<Option<State>>>,
}

struct State {
    view: Arc<View>,
    /// What it has.
    checkpoint: Checkpoint,
    /// The records behind the last rollup.
    open: Arc<Stretch>,
    /// The last entry in it.
    through: u64,
}

impl Desk {
    pub fn new(tenant: &TenantId) -> Self {
        Self { tenant: tenant.clone(), used: AtomicU64::new(0), turn: Mutex::default(), state: Arc::default() }
    }

    /// Whether its store is open.
    pub fn is_open(&self) -> bool {
        self.with(Option::is_some)
    }

    /// When it was last used: later is more.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Ends the stretch, if it has something, and closes the store: nothing of it is read again before something comes.
    pub async fn retire(&self, shared: &Inner) -> Result<(), AnalyticsError> {
        let _turn = self.turn.lock().await;
        let has_some = self.with(|state| state.as_ref().is_some_and(|state| state.open.since.is_some()));
        let ended = if has_some { self.end(shared).await } else { Ok(()) };
        self.forget().await;
        ended
    }

    /// Whether a stretch has been open for as long as it may.
    pub fn is_due(&self, shared: &Inner) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.as_ref().is_some_and(|state| state.is_due(shared))
    }

    /// Takes in all that has come so far. Ends a stretch that is full or old with a rollup.
    pub async fn catch_up(&self, shared: &Inner) -> Result<(), AnalyticsError> {
        static USES: AtomicU64 = AtomicU64::new(0);
        self.used.store(USES.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        let _turn = self.turn.lock().await;
        let mut caught_up = self.caught_up(shared).await;
        for _ in 0..OVERTAKEN_MAX {
            if !matches!(caught_up, Err(AnalyticsError::Overtaken)) {
                break;
            }
            caught_up = self.caught_up(shared).await;
        }
        if let Err(AnalyticsError::View(error)) = &caught_up {
            // Built again by whoever comes next.
            tracing::warn!(tenant = %self.tenant, %error, "a store of what is counted is discarded");
            self.forget().await;
            let dir = self.dir(shared);
            tokio::task::spawn_blocking(move || View::discard(&dir)).await??;
        }
        caught_up
    }

    async fn caught_up(&self, shared: &Inner) -> Result<(), AnalyticsError> {
        // If somebody else has ended a stretch meanwhile, what is in memory here says the same.
        if self.with(Option::is_none) {
            let (dir, life) = (self.dir(shared), shared.log.life());
            let (view, checkpoint) = tokio::task::spawn_blocking(move || View::open(&dir, life)).await??;
            let (view, through) = (Arc::new(view), checkpoint.through);
            self.put(Some(State { view, checkpoint, open: Arc::default(), through }));
            if let Err(error) = self.adopt(shared).await {
                self.forget().await; // without all rollups it would say too little
                return Err(error);
            }
        }
        // What comes while this goes on is for the next one.
        let enough = shared.clock.now().plus_ms(AHEAD_MS);
        loop {
            let after = self.with(|state| state.as_ref().map_or(0, |state| state.through));
            let page = shared.log.read(&self.tenant, after).await?;
            let empty = page.is_empty();
            let (full, last) = self.fold(shared, page).await?;
            let end = empty || last.is_some_and(|last| last > enough);
            if full || (end && self.is_due(shared)) {
                self.end(shared).await?;
            }
            if end {
                return Ok(());
            }
        }
    }

    /// Takes a page of entries in; says whether the stretch should end, and when the last entry came. Entries beyond the end are
    /// read again.
    async fn fold(&self, shared: &Inner, page: Vec<Entry>) -> Result<(bool, Option<Timestamp>), AnalyticsError> {
        let (keep_ms, state) = (shared.log.keep_ms(), self.state.clone());
        let folding = behind(move || {
            let view = read(&state).as_ref().map(|state| state.view.clone()).ok_or_else(closing)?;
            let (known, mut last) = (view.known()?, None);
            for entry in page {
                let batch = decoded(&entry)?;
                last = Some(batch.received_at);
                // Questions come between.
                if take(&state, &batch, entry.sequence, &known, keep_ms)? {
                    return Ok((true, last));
                }
            }
            Ok((false, last))
        });
        folding.await?
    }

    /// Ends the stretch with a rollup; if somebody else has ended it first, with theirs.
    async fn end(&self, shared: &Inner) -> Result<(), AnalyticsError> {
        let (log, state) = (shared.log.life(), self.state.clone());
        let making = behind(move || {
            let state = read(&state);
            let State { checkpoint, open, through, .. } = state.as_ref()?;
            let rollup = Rollup {
                log,
                after: checkpoint.through,
                through: *through,
                records: open.records,
                repeats: open.repeats,
                rows: open.rows.written(),
            };
            Some((checkpoint.rollup, rollup.encode(), rollup))
        });
        let Some((expected, bytes, rollup)) = making.await? else { return Ok(()) };
        match shared.log.append_rollup(&self.tenant, expected, bytes.into()).await {
            Ok(sequence) => self.commit(shared, rollup, sequence).await,
            // There, or somebody else's is, or nothing: what is there says.
            Err(AppendError::Conflict | AppendError::Unknown(_)) => {
                self.forget().await;
                Err(AnalyticsError::Overtaken)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Puts a rollup into the store in place of the stretch in memory. Questions wait only while it is made durable.
    async fn commit(&self, shared: &Inner, rollup: Rollup, sequence: u64) -> Result<(), AnalyticsError> {
        let (state, life, forget) = (self.state.clone(), shared.log.life(), forget_before(shared));
        let committing = behind(move || {
            let parts = read(&state).as_ref().map(|now| (now.view.clone(), now.checkpoint, now.open.clone()));
            let (view, before, open) = parts.ok_or_else(closing)?;
            let through = if rollup.log == life { rollup.through } else { before.through };
            let prepared = view.prepare(before, &rollup.rows, &open, (sequence, through), forget)?;
            drop(open);
            let mut state = state.write().unwrap_or_else(PoisonError::into_inner);
            let state = state.as_mut().ok_or_else(closing)?;
            state.checkpoint = prepared.commit()?;
            (state.open, state.through) = (Arc::default(), through);
            Ok(())
        });
        committing.await?
    }

    /// Takes in the rollups that are there. The entries that they are of, as far as they are still there, are read once more for
    /// the ids in them.
    async fn adopt(&self, shared: &Inner) -> Result<(), AnalyticsError> {
        loop {
            let last = self.with(|state| state.as_ref().map_or(0, |state| state.checkpoint.rollup));
            let page = shared.log.rollups(&self.tenant, last).await?;
            if page.is_empty() {
                return Ok(());
            }
            for entry in page {
                let rollup = Rollup::decode(&entry.bytes).map_err(|error| corrupt(&error.to_string()))?;
                if rollup.log == shared.log.life() {
                    self.read_again(shared, rollup.through).await?;
                }
                self.commit(shared, rollup, entry.sequence).await?;
            }
        }
    }

    /// Takes a page in, however full the stretch is: its rollup is there already.
    async fn fold_all(&self, shared: &Inner, page: Vec<Entry>) -> Result<(), AnalyticsError> {
        let (keep_ms, state) = (shared.log.keep_ms(), self.state.clone());
        let folding = behind(move || {
            let view = read(&state).as_ref().map(|state| state.view.clone()).ok_or_else(closing)?;
            let known = view.known()?;
            page.iter().try_for_each(|entry| take(&state, &decoded(entry)?, entry.sequence, &known, keep_ms).map(drop))
        });
        folding.await?
    }

    /// Folds the entries up to one, for what was seen in them.
    async fn read_again(&self, shared: &Inner, through: u64) -> Result<(), AnalyticsError> {
        loop {
            let after = self.with(|state| state.as_ref().map_or(0, |state| state.through));
            let mut page = shared.log.read(&self.tenant, after).await?;
            let whole = page.len();
            page.retain(|entry| entry.sequence <= through);
            if page.is_empty() {
                return Ok(());
            }
            let more = page.len() == whole;
            self.fold_all(shared, page).await?;
            if !more {
                return Ok(());
            }
        }
    }

    /// Answers from what was taken in: what is to be told of the groups that are asked for.
    pub async fn answer<T: Send + 'static>(
        &self,
        scope: Arc<Scope>,
        question: Question,
        tell: fn(&Question, Rows) -> Result<T, AnalyticsError>,
    ) -> Result<T, AnalyticsError> {
        let answering = self.reading(move |state| {
            let (mut groups, range) = (Rows::default(), (question.from, question.to));
            let callers = question.needs_callers();
            state.rows(range, question.coarsest(), callers, &scope, &mut |read, row| {
                question.take(&mut groups, read, row)
            })?;
            tell(&question, groups)
        });
        answering.await
    }

    /// Who runs the prompts in scope, and which versions of theirs, from a minute up to and without another.
    pub async fn adoption(
        &self,
        scope: Arc<Scope>,
        range: (u32, u32),
        step: Option<Grain>,
    ) -> Result<Adoption, AnalyticsError> {
        let answering = self.reading(move |state| {
            let mut adoption = Adoption::new(range, step);
            let coarsest = step.unwrap_or(Grain::Day);
            state.rows(range, coarsest, true, &scope, &mut |read, row| adoption.take(read, row))?;
            Ok(adoption)
        });
        answering.await
    }

    /// The last minute in which each of some prompts was run, of those that were.
    pub async fn last(&self, prompts: Arc<BTreeSet<PromptId>>) -> Result<BTreeMap<PromptId, u32>, AnalyticsError> {
        let answering = self.reading(move |state| {
            let mut last = state.view.last(&prompts)?;
            for (minute, dims, _) in state.open.rows.iter().filter(|(_, dims, _)| prompts.contains(&dims.prompt)) {
                let latest = last.entry(dims.prompt).or_insert(minute);
                *latest = minute.max(*latest);
            }
            Ok(last)
        });
        answering.await
    }

    /// The texts that were searched for most on some days and not found, so many at most.
    pub async fn searches(&self, days: RangeInclusive<u32>, top: usize) -> Result<searches::Told, AnalyticsError> {
        let answering = self.reading(move |state| {
            let mut sum = Sum::default();
            state.view.searches(days.clone(), &mut sum)?;
            state.open.searches.range(days).for_each(|(day, searches)| sum.take(*day, searches));
            Ok(sum.tell(top))
        });
        answering.await
    }

    /// Reads on a thread that may block.
    async fn reading<T: Send + 'static>(
        &self,
        read_from: impl FnOnce(&State) -> Result<T, AnalyticsError> + Send + 'static,
    ) -> Result<T, AnalyticsError> {
        let state = self.state.clone();
        tokio::task::spawn_blocking(move || match read(&state).as_ref() {
            Some(state) => read_from(state),
            None => Err(closing()),
        })
        .await?
    }

    /// Closes the store.
    pub async fn close(&self) {
        let _turn = self.turn.lock().await;
        self.forget().await;
    }

    async fn forget(&self) {
        let state = self.state.clone();
        let closing = tokio::task::spawn_blocking(move || {
            drop(state.write().unwrap_or_else(PoisonError::into_inner).take());
        });
        if let Err(error) = closing.await {
            tracing::error!(%error, "a store of what is counted ended badly");
        }
    }

    fn with<T>(&self, look: impl FnOnce(&Option<State>) -> T) -> T {
        look(&read(&self.state))
    }

    fn put(&self, state: Option<State>) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn dir(&self, shared: &Inner) -> PathBuf {
        shared.dir.join(self.tenant.as_str())
    }
}

impl State {
    /// Shows the rows of the prompts in scope from a minute up to and without another, in buckets no longer than `coarsest`:
    /// what the store has, then what came behind the last rollup.
    fn rows(
        &self,
        range: (u32, u32),
        coarsest: Grain,
        callers: bool,
        scope: &Scope,
        take: &mut Take<'_>,
    ) -> Result<(), AnalyticsError> {
        for part in parts(range.0, range.1, coarsest) {
            self.view.read(part, callers, scope, take)?;
        }
        for (minute, dims, tally) in self.open.rows.iter() {
            let seen = match scope {
                Scope::All => true,
                Scope::These(prompts) => prompts.contains(&dims.prompt),
            };
            if seen {
                take(range, (minute, dims, tally))?;
            }
        }
        Ok(())
    }

    fn is_due(&self, shared: &Inner) -> bool {
        let rollup = i64::try_from(shared.rollup.as_millis()).unwrap_or(i64::MAX);
        self.open.since.is_some_and(|since| since.plus_ms(rollup) <= shared.clock.now())
    }
}

fn read(state: &RwLock<Option<State>>) -> RwLockReadGuard<'_, Option<State>> {
    state.read().unwrap_or_else(PoisonError::into_inner)
}

/// Takes a batch in; says whether the stretch should end.
fn take(
    state: &RwLock<Option<State>>,
    batch: &Batch,
    sequence: u64,
    known: &KnownHere,
    keep_ms: i64,
) -> Result<bool, AnalyticsError> {
    let mut state = state.write().unwrap_or_else(PoisonError::into_inner);
    let state = state.as_mut().ok_or_else(closing)?;
    let open = Arc::make_mut(&mut state.open); // nobody else has it: who prepares a rollup has the turn
    let mut give_way = GiveWay::default();
    for record in &batch.records {
        open.take(batch.received_at, record, known, keep_ms)?;
        give_way.after_a_piece();
    }
    state.through = sequence;
    Ok(open.is_full())
}

fn decoded(entry: &Entry) -> Result<Batch, AnalyticsError> {
    Batch::decode(&entry.bytes).map_err(|error| corrupt(&format!("entry {}: {error}", entry.sequence)))
}

fn closing() -> AnalyticsError {
    AnalyticsError::Closing
}

fn corrupt(why: &str) -> AnalyticsError {
    promptory_ledger::ReadError::Corrupt(format!("the usage log: {why}")).into()
}

/// Ids that came before this can't make anything a repeat any more.
fn forget_before(shared: &Inner) -> Timestamp {
    let day_ms = 24 * 3_600_000;
    shared.clock.now().plus_ms(shared.log.keep_ms().saturating_add(day_ms).saturating_neg())
}
