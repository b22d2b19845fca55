//! What is counted of usage, for each tenant in a store of its own: what the rollups say, and in memory the records behind the
//! last one. A question first takes in what has come, so whoever recorded something sees it counted.
//!
//! | module | what it holds |
//! |---|---|
//! | this one | the tenants that are open, and the looking after them |
//! | `desk` | one tenant: takes records in, ends stretches with a rollup, answers |
//! | `gathered` | searches that found nothing and are not in the log yet |
//! | `view` | its store: pages of rows, the ids that were seen; disposable |

mod desk;
mod gathered;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use promptory_events::{PromptId, TenantId, partition};
use promptory_ledger::{AppendError, ReadError, UsageLog};
use promptory_platform::Clock;
use promptory_usage::Rows;
use promptory_usage::adoption::Adoption;
use promptory_usage::page::Grain;
use promptory_usage::query::{Question, Told, TooMany};
use promptory_usage::searches;
use tokio::sync::watch;

use desk::Desk;
use gathered::Gathered;
use view::ViewError;

/// How long after a record came at the latest it is in a rollup, unless somebody says otherwise.
pub const ROLLUP: Duration = Duration::from_secs(900);
/// How often it is looked after what has come.
const EVERY: Duration = Duration::from_millis(250);
/// Of so many looks one goes to all tenants, whether they seem to have something new or not.
const ALL_EVERY: u64 = 3600;
/// How often it is tried to answer while stores are closed to make room.
const ANSWER_TRIES: usize = 3;
/// How often searches that found nothing are put into the log: of so many looks one.
const SEND_EVERY: u64 = 40;
/// How often old entries are removed.
const EXPIRE_EVERY: u64 = 14_400;

/// What is counted of the usage of some tenants. Clones are the same.
#[derive(Clone)]
pub struct Analytics {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    log: UsageLog,
    clock: Clock,
    rollup: Duration,
    open_max: usize,
    desks: Mutex<HashMap<TenantId, Arc<Desk>>>,
    gathered: Gathered,
    /// Tenants whose usage could not be counted the last time, and why.
    failing: Mutex<BTreeMap<TenantId, String>>,
}

/// Which prompts somebody may be told of.
pub(crate) enum Scope {
    /// All of them.
    All,
    /// These.
    These(BTreeSet<PromptId>),
}

/// Why nothing is told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnalyticsError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("a rollup: {0}")]
    Append(#[from] AppendError),
    #[error(transparent)]
    View(#[from] ViewError),
    #[error(transparent)]
    TooMany(#[from] TooMany),
    #[error("somebody else made the next rollup")]
    Overtaken,
    #[error("it is being closed")]
    Closing,
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
    #[error("a thread failed: {0}")]
    Thread(#[from] std::io::Error),
}

impl fmt::Debug for Analytics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Analytics({})", self.inner.dir.display())
    }
}

impl Analytics {
    /// Counts what this log holds; stores lie in `<dir>/<tenant>/`, about `open_max` of them open at once.
    #[must_use]
    pub fn new(dir: PathBuf, log: UsageLog, clock: Clock, rollup: Duration, open_max: usize) -> Self {
        let (desks, gathered, failing) = (Mutex::default(), Gathered::default(), Mutex::default());
        Self { inner: Arc::new(Inner { dir, log, clock, rollup, open_max, desks, gathered, failing }) }
    }

    /// Answers a question about the prompts in scope, with all that has come so far.
    pub(crate) async fn answer(
        &self,
        tenant: &TenantId,
        scope: Scope,
        question: Question,
    ) -> Result<Told, AnalyticsError> {
        self.tried(tenant, scope, question, |question, groups| Ok(question.tell(&groups)?)).await
    }

    /// What is counted of each group that a question asks for, with its sketches, with all that has come so far.
    pub(crate) async fn groups(
        &self,
        tenant: &TenantId,
        scope: Scope,
        question: Question,
    ) -> Result<Rows, AnalyticsError> {
        self.tried(tenant, scope, question, |_, groups| Ok(groups)).await
    }

    /// The tenants that have records, and of each a mark that changes with what comes.
    pub(crate) async fn tenants(&self) -> Result<Vec<(TenantId, u64)>, AnalyticsError> {
        Ok(self.inner.log.tenants().await?.into_iter().collect())
    }

    async fn tried<T: Send + 'static>(
        &self,
        tenant: &TenantId,
        scope: Scope,
        question: Question,
        tell: fn(&Question, Rows) -> Result<T, AnalyticsError>,
    ) -> Result<T, AnalyticsError> {
        let scope = Arc::new(scope);
        self.read(tenant, |desk| {
            let (scope, question) = (scope.clone(), question.clone());
            async move { desk.answer(scope, question, tell).await }
        })
        .await
    }

    /// Who runs the prompts in scope, and which versions of theirs, from a minute up to and without another.
    pub(crate) async fn adoption(
        &self,
        tenant: &TenantId,
        scope: Scope,
        range: (u32, u32),
        step: Option<Grain>,
    ) -> Result<Adoption, AnalyticsError> {
        let scope = Arc::new(scope);
        self.read(tenant, |desk| {
            let scope = scope.clone();
            async move { desk.adoption(scope, range, step).await }
        })
        .await
    }

    /// The last minute in which each of some prompts was run, of those that were.
    pub(crate) async fn last(
        &self,
        tenant: &TenantId,
        prompts: BTreeSet<PromptId>,
    ) -> Result<BTreeMap<PromptId, u32>, AnalyticsError> {
        let prompts = Arc::new(prompts);
        self.read(tenant, |desk| {
            let prompts = prompts.clone();
            async move { desk.last(prompts).await }
        })
        .await
    }

    /// Counts a search that found nothing. It is in the log some seconds later.
    pub(crate) fn nothing_found(&self, tenant: &TenantId, text: &str, filtered: bool) {
        self.inner.gathered.add(tenant, text, filtered);
    }

    /// The texts that were searched for most on some days and not found, so many at most; the searches of this process are all
    /// in it. Days that begin before what is kept are left out; says which day is the first.
    pub(crate) async fn searches(
        &self,
        tenant: &TenantId,
        days: RangeInclusive<u32>,
        top: usize,
    ) -> Result<(u32, searches::Told), AnalyticsError> {
        let Inner { gathered, log, clock, .. } = &*self.inner;
        gathered.send_of(tenant, log, clock).await?;
        let kept = searches::day(clock.now().plus_ms(log.keep_ms().saturating_neg())) + 1;
        let first = kept.max(*days.start());
        let days = first..=*days.end();
        let told = self.read(tenant, |desk| {
            let days = days.clone();
            async move { if days.is_empty() { Ok(searches::Told::default()) } else { desk.searches(days, top).await } }
        });
        Ok((first, told.await?))
    }

    /// Tenants whose usage can't be counted now, and why.
    pub(crate) fn failing(&self) -> Vec<(TenantId, String)> {
        let failing = self.inner.failing.lock().unwrap_or_else(PoisonError::into_inner);
        failing.iter().map(|(tenant, why)| (tenant.clone(), why.clone())).collect()
    }

    /// Takes in all that has come, and reads then; again if the store was closed between to make room.
    async fn read<T, F: Future<Output = Result<T, AnalyticsError>>>(
        &self,
        tenant: &TenantId,
        read: impl Fn(Arc<Desk>) -> F,
    ) -> Result<T, AnalyticsError> {
        let desk = self.desk(tenant);
        let mut told = Err(AnalyticsError::Closing);
        for _ in 0..ANSWER_TRIES {
            desk.catch_up(&self.inner).await?;
            told = read(desk.clone()).await;
            if !matches!(told, Err(AnalyticsError::Closing)) {
                break;
            }
        }
        told
    }

    /// Takes in what comes for the tenants of some partitions, until `shutdown` turns true or its sender is gone.
    pub(crate) async fn tend(&self, whose: Vec<u16>, partitions: u16, mut shutdown: watch::Receiver<bool>) {
        let (mut looked, mut round) = (HashMap::new(), 0_u64);
        loop {
            if round.is_multiple_of(EXPIRE_EVERY)
                && let Err(error) = self.inner.log.expire(self.inner.clock.now()).await
            {
                tracing::warn!(%error, "old usage records could not be removed");
            }
            tokio::select! {
                () = self.look(&whose, partitions, &mut looked, round.is_multiple_of(ALL_EVERY)) => {}
                _ = shutdown.wait_for(|stop| *stop) => break,
            }
            if tokio::time::timeout(EVERY, shutdown.wait_for(|stop| *stop)).await.is_ok() {
                break;
            }
            round += 1;
            if round.is_multiple_of(SEND_EVERY) {
                self.inner.gathered.send(&self.inner.log, &self.inner.clock).await;
            }
        }
        self.inner.gathered.send(&self.inner.log, &self.inner.clock).await;
    }

    /// Takes in what has come for whoever seems to have something new, or has a stretch that should end.
    async fn look(&self, whose: &[u16], partitions: u16, looked: &mut HashMap<TenantId, u64>, all: bool) {
        let tenants = match self.inner.log.tenants().await {
            Ok(tenants) => tenants,
            Err(error) => {
                tracing::debug!(%error, "the usage log can't be read now");
                return;
            }
        };
        // Nothing is left to be counted of who is not there any more.
        let is_there = |tenant: &TenantId| tenants.iter().any(|(there, _)| there == tenant);
        self.inner.failing.lock().unwrap_or_else(PoisonError::into_inner).retain(|tenant, _| is_there(tenant));
        for (tenant, mark) in tenants {
            if !whose.contains(&partition::of(&tenant, partitions)) {
                continue;
            }
            let desk = self.desk(&tenant);
            if !all && looked.get(&tenant) == Some(&mark) && !desk.is_due(&self.inner) {
                continue;
            }
            match desk.catch_up(&self.inner).await {
                Ok(()) => {
                    self.inner.failing.lock().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
                    looked.insert(tenant, mark);
                }
                Err(error) => {
                    let failing = self.inner.failing.lock();
                    failing.unwrap_or_else(PoisonError::into_inner).insert(tenant.clone(), error.to_string());
                    tracing::warn!(%tenant, %error, "usage can't be counted now");
                    metrics::counter!("promptory_analytics_failures_total").increment(1);
                }
            }
        }
        self.make_room().await;
    }

    /// Closes the stores that were used least lately until there are no more than may be open.
    async fn make_room(&self) {
        let mut open: Vec<Arc<Desk>> = {
            let desks = self.inner.desks.lock().unwrap_or_else(PoisonError::into_inner);
            desks.values().filter(|desk| desk.is_open()).cloned().collect()
        };
        let surplus = open.len().saturating_sub(self.inner.open_max.max(1));
        open.sort_by_key(|desk| desk.used());
        for desk in open.into_iter().take(surplus) {
            if let Err(error) = desk.retire(&self.inner).await {
                tracing::warn!(%error, "a stretch of usage could not be ended");
            }
        }
    }

    fn desk(&self, tenant: &TenantId) -> Arc<Desk> {
        let mut desks = self.inner.desks.lock().unwrap_or_else(PoisonError::into_inner);
        desks.entry(tenant.clone()).or_insert_with(|| Arc::new(Desk::new(tenant))).clone()
    }

    /// Closes all stores. What is in memory is in the log.
    pub(crate) async fn close(&self) {
        let desks: Vec<Arc<Desk>> = {
            let mut desks = self.inner.desks.lock().unwrap_or_else(PoisonError::into_inner);
            desks.drain().map(|(_, desk)| desk).collect()
        };
        for desk in desks {
            desk.close().await;
        }
    }
}
