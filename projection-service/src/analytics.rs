//! What is counted of usage, for each tenant in a store of its own: what the rollups say, and in memory the records behind the
//! last one. A question first takes in what has come, so whoever recorded something sees it counted.
//!
//! | module | what it holds |
//! |---|---|
//! | this one | the tenants that are open, and the looking after them |
//! | `desk` | one tenant: takes records in, ends stretches with a rollup, answers |
//! | `view` | its store: pages of rows, the ids that were seen; disposable |

mod desk;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
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
use tokio::sync::watch;

use desk::Desk;
use view::ViewError;

/// How long after a record came at the latest it is in a rollup, unless somebody says otherwise.
pub const ROLLUP: Duration = Duration::from_secs(900);
/// How often it is looked after what has come.
const EVERY: Duration = Duration::from_millis(250);
/// Of so many looks one goes to all tenants, whether they seem to have something new or not.
const ALL_EVERY: u64 = 3600;
/// How often it is tried to answer while stores are closed to make room.
const ANSWER_TRIES: usize = 3;
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
        Self { inner: Arc::new(Inner { dir, log, clock, rollup, open_max, desks: Mutex::default() }) }
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
                _ = shutdown.wait_for(|stop| *stop) => return,
            }
            if tokio::time::timeout(EVERY, shutdown.wait_for(|stop| *stop)).await.is_ok() {
                return;
            }
            round += 1;
        }
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
        for (tenant, mark) in tenants {
            if !whose.contains(&partition::of(&tenant, partitions)) {
                continue;
            }
            let desk = self.desk(&tenant);
            if !all && looked.get(&tenant) == Some(&mark) && !desk.is_due(&self.inner) {
                continue;
            }
            match desk.catch_up(&self.inner).await {
                Ok(()) => drop(looked.insert(tenant, mark)),
                Err(error) => {
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
