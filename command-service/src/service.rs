//! The command service: authenticate, gather, hand over to the tenant's writer, wait for the answer.

mod admit;
mod backup;
mod directory;
mod execute;
mod stored;
mod together;
mod usage;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use promptory_domain::state::TenantStatus;
use promptory_domain::{Presented, Rejection};
use promptory_events::event::Quota;
use promptory_events::{CommandId, PrincipalId, TenantId};
use promptory_identity::Identity;
use promptory_ledger::{KeyStore, Ledger, UsageLog};
use promptory_platform::apikey::{ApiKey, Presented as Shown, Secret};
use promptory_platform::{Attestor, Clock, Problem};
use tokio::sync::{Mutex, oneshot};

use crate::cache::Cache;
use crate::failure::Failure;
use crate::forward::Exchange;
use crate::gather::{Gathered, gather, gather_as};
use crate::hot::Hot;
use crate::outcome::Outcome;
use crate::rates::Rates;
use crate::threads::Threads;
use crate::wire;
use crate::writer::{Answers, Handle, Job, Message, Shared};

pub use backup::Stream;
pub use directory::{Look, Who};
pub use stored::Stored;
pub use usage::{Bad, Take, Taken, Unplaced};

/// How the command service is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where snapshots and receipts lie.
    pub cache: PathBuf,
    /// How much memory the states of tenants in use may take together.
    pub hot_bytes: usize,
    /// The way to other replicas; none when it is alone.
    pub exchange: Option<Exchange>,
    /// How issuers of tokens are reached.
    pub identity: promptory_identity::Config,
}

/// The command service could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file for snapshots and receipts.
    #[error(transparent)]
    Cache(#[from] crate::cache::CacheError),
    /// The writers' threads.
    #[error("threads for the writers")]
    Threads(#[source] io::Error),
}

/// The command service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Service {
    hot: Hot,
    keys: KeyStore,
    ledger: Ledger,
    clock: Clock,
    identity: Identity,
    system: SystemLook,
    backups: backup::Backups,
    rates: Arc<Rates>,
    usage: Option<UsageLog>,
}

/// How often it is seen what other replicas have written to `_system`.
const SYSTEM_EVERY: Duration = Duration::from_millis(250);

impl Service {
    /// Sets the service up over a ledger and a key store.
    ///
    /// # Errors
    /// The cache can be neither read nor made; the system has no threads left.
    pub fn open(config: Config, ledger: Ledger, keys: KeyStore, clock: Clock) -> Result<Self, OpenError> {
        let cache = Cache::open(&config.cache, ledger.incarnation())?;
        let address = config.exchange.as_ref().map(Exchange::address).unwrap_or_default();
        let system = SystemLook::new(matches!(ledger, Ledger::JetStream(_)));
        let backups = backup::Backups::new(clock.clone());
        let (clock_there, exchange, attestor) = (clock.clone(), config.exchange, Attestor::default());
        let shared = Shared { ledger: ledger.clone(), cache, clock: clock_there, address, exchange, attestor };
        let threads = Threads::start().map_err(OpenError::Threads)?;
        let identity = Identity::new(config.identity, keys.clone());
        let rates = Arc::default();
        let hot = Hot::new(shared, threads, config.hot_bytes);
        Ok(Self { hot, keys, ledger, clock, identity, system, backups, rates, usage: None })
    }

    /// Sets the system up if nobody has, and gives the first operator's key, once. `keep` gets the key before it is
    /// appended: a key that was appended and then lost would lock everybody out.
    ///
    /// # Errors
    /// The ledger or the key store is not available, or the key could not be kept.
    pub async fn bootstrap(&self, keep: impl FnOnce(&ApiKey) -> io::Result<()>) -> Result<Option<ApiKey>, Failure> {
        let system = TenantId::system();
        self.keys.ensure_tenant(&system)?;
        if self.ledger.head(&system).await?.is_some() {
            return Ok(None);
        }
        let command_id = CommandId::from_idempotency_key(&system, PrincipalId::SYSTEM, "bootstrap");
        let secret = Secret::random().map_err(|e| Failure::Internal(e.to_string()))?;
        let key = ApiKey::new(system.clone(), command_id.api_key(), secret);
        keep(&key).map_err(|e| Failure::Internal(format!("the operator's key could not be kept: {e}")))?;
        let change = promptory_domain::Change::Bootstrap {
            incarnation: self.ledger.incarnation(),
            secret_hash: key.secret_hash(),
        };
        let command = promptory_domain::Command {
            change,
            occurred_at: None,
            author: None,
            message: None,
            override_freeze: false,
        };
        let command_hash = self.keys.command_hash(&system, b"bootstrap")?;
        let item = Gathered {
            command_id,
            command_hash,
            may_repeat: false,
            presented: Presented::System,
            command,
            trace: None,
            since: None,
            tied: false,
            secret: Some(key),
            bytes: 0,
        };
        match self.submit(&system, vec![item]).await?.pop() {
            Some(Ok(outcome)) => Ok(outcome.api_key),
            Some(Err(Failure::Rejected(Rejection::AlreadyBootstrapped))) => Ok(None),
            Some(Err(failure)) => Err(failure),
            None => Err(Failure::Internal("no answer".into())),
        }
    }

    /// Makes a tenant's keys if it has none. What may wait for servers leaves the async threads.
    async fn ensure_keys(&self, tenant: &TenantId) -> Result<(), Failure> {
        if self.keys.is_at_hand(tenant, 0) {
            return Ok(self.keys.ensure_tenant(tenant)?);
        }
        let (keys, tenant) = (self.keys.clone(), tenant.clone());
        let ensured = tokio::task::spawn_blocking(move || keys.ensure_tenant(&tenant)).await;
        Ok(ensured.map_err(|error| Failure::Internal(error.to_string()))??)
    }

    /// Creates a tenant and lets its first owner in.
    ///
    /// # Errors
    /// As [`Service::execute`], and what stops either of the two commands.
    pub async fn create_tenant(&self, shown: &Shown, request: wire::Request) -> Result<(Outcome, Outcome), Failure> {
        let wire::Change::CreateTenant { tenant, .. } = &request.change else {
            return Err(Failure::Internal("not a command for this door".into()));
        };
        let tenant: TenantId = parse_tenant(tenant)?;
        let mut answers = self.execute(shown, vec![request]).await?;
        let created = answers.pop().ok_or_else(|| Failure::Internal("no answer".into()))??;
        let owner = owner_request(None);
        let owner = self.issue_owner(shown, &tenant, created.command_id.followed_by("owner"), owner, true).await?;
        Ok((created, owner))
    }

    /// Lets another owner into a tenant, on behalf of an operator.
    ///
    /// # Errors
    /// As [`Service::execute`]; `TenantNotFound` if there is no such tenant.
    pub async fn add_owner(
        &self,
        shown: &Shown,
        tenant: &str,
        name: Option<String>,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, Failure> {
        let tenant = parse_tenant(tenant)?;
        let principal = self.admit(shown).await?.principal;
        let id = idempotency_key.as_deref();
        let command_id = id.map(|key| CommandId::from_idempotency_key(&tenant, principal, key));
        let mut request = owner_request(name);
        request.claims.idempotency_key = idempotency_key;
        let origin = self.operator_origin(shown, &tenant).await?;
        let item = match command_id {
            Some(command_id) => gather_as(&origin, &self.keys, command_id, request)?,
            None => gather(&origin, &self.keys, request)?,
        };
        self.submit_one(&tenant, item).await
    }

    /// Sets or lifts a quota of a tenant, on behalf of an operator.
    ///
    /// # Errors
    /// As [`Service::execute`]; `TenantNotFound` if there is no such tenant.
    pub async fn set_quota(&self, shown: &Shown, tenant: &str, request: wire::Request) -> Result<Outcome, Failure> {
        let tenant = parse_tenant(tenant)?;
        let origin = self.operator_origin(shown, &tenant).await?;
        let item = gather(&origin, &self.keys, request)?;
        self.submit_one(&tenant, item).await
    }

    /// Lets some commands of a tenant in, if it may send as many a minute.
    fn in_time(&self, writer: &Handle, commands: usize) -> Result<(), Failure> {
        let confirmed = writer.published.load();
        let limit = confirmed.state.quotas().limit(Quota::CommandsPerMinute);
        let admitted = self.rates.admit(confirmed.state.id(), limit, commands, self.clock.now());
        admitted.map_err(|retry_after_s| Failure::RateLimited { limit: limit.unwrap_or_default(), retry_after_s })
    }

    async fn issue_owner(
        &self,
        shown: &Shown,
        tenant: &TenantId,
        command_id: CommandId,
        mut request: wire::Request,
        may_repeat: bool,
    ) -> Result<Outcome, Failure> {
        request.claims.idempotency_key = may_repeat.then(String::new);
        let origin = self.operator_origin(shown, tenant).await?;
        let item = gather_as(&origin, &self.keys, command_id, request)?;
        self.submit_one(tenant, item).await
    }

    pub(crate) fn attest_to(&mut self, attestor: Attestor) {
        self.hot.attest_to(attestor);
    }

    pub(crate) fn attestor(&self) -> &Attestor {
        self.hot.attestor()
    }

    pub(crate) async fn submit_one(&self, tenant: &TenantId, item: Gathered) -> Result<Outcome, Failure> {
        self.submit(tenant, vec![item]).await?.pop().ok_or_else(|| Failure::Internal("no answer".into()))?
    }

    async fn submit(&self, tenant: &TenantId, items: Vec<Gathered>) -> Result<Answers, Failure> {
        let writer = self.writer(tenant).await?;
        send(&writer, items).await
    }

    async fn writer(&self, tenant: &TenantId) -> Result<Handle, Failure> {
        match self.hot.writer(tenant).await {
            // It was being closed that moment; the second try starts a new one.
            Err(Failure::Overloaded) => self.hot.writer(tenant).await,
            result => result,
        }
    }

    /// How a tenant stands; `None` if there is none of that name.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub async fn tenant_status(&self, tenant: &TenantId) -> Result<Option<TenantStatus>, Failure> {
        let system = self.writer(&TenantId::system()).await?;
        let known = || system.published.load().state.tenant_status(tenant);
        if known().is_none() {
            // Another replica may have made the tenant a moment ago.
            self.system.look(&system).await;
        }
        Ok(known())
    }

    /// Takes in what other replicas write to `_system`, until the service is dropped or this is aborted: a tenant that is
    /// suspended there is refused here soon after.
    pub async fn follow_system(&self) {
        loop {
            tokio::time::sleep(SYSTEM_EVERY).await;
            if let Ok(system) = self.writer(&TenantId::system()).await {
                self.system.look(&system).await;
            }
        }
    }

    /// Commands that another replica has gathered and let in: they are decided here as if they had come here.
    ///
    /// # Errors
    /// None of them was looked at.
    pub(crate) async fn take_forwarded(
        &self,
        tenant: &TenantId,
        from: &str,
        items: Vec<Gathered>,
    ) -> Result<Answers, Failure> {
        let writer = self.writer(tenant).await?;
        let (reply, answers) = oneshot::channel();
        let job = Job { from: Some(from.into()), ..Job::new(items, reply) };
        writer.queue.try_send(Message::Job(job)).map_err(|_| Failure::Overloaded)?;
        answers.await.map_err(|_| Failure::OutcomeUnknown)
    }

    /// Stores all snapshots and ends the writers.
    pub async fn close(&self) {
        self.hot.close().await;
    }
}

/// When `_system` was last looked at, for all who want to know at once.
#[derive(Clone, Debug)]
struct SystemLook {
    /// Whether other processes write it.
    shared: bool,
    looked: Arc<Mutex<Option<Instant>>>,
}

impl SystemLook {
    fn new(shared: bool) -> Self {
        Self { shared, looked: Arc::default() }
    }

    /// Brings the writer of `_system` to the end of the ledger as it was when this was called. Many who call at once share
    /// a look.
    async fn look(&self, system: &Handle) {
        if !self.shared {
            return;
        }
        let called = Instant::now();
        let mut looked = self.looked.lock().await;
        if looked.is_none_or(|at| at < called) {
            let begun = Instant::now();
            refresh(system).await;
            *looked = Some(begun);
        }
    }
}

async fn refresh(writer: &Handle) {
    let (done, refreshed) = oneshot::channel();
    if writer.queue.send(Message::Refresh(done)).await.is_ok() {
        let _ = refreshed.await;
    }
}

async fn send(writer: &Handle, items: Vec<Gathered>) -> Result<Answers, Failure> {
    let (reply, answers) = oneshot::channel();
    writer.queue.try_send(Message::Job(Job::new(items, reply))).map_err(|_| Failure::Overloaded)?;
    // A writer that ends between taking a job and answering it has a defect: the outcome is open.
    answers.await.map_err(|_| Failure::OutcomeUnknown)
}

fn parse_tenant(text: &str) -> Result<TenantId, Failure> {
    text.parse().map_err(|e: promptory_events::id::IdError| Problem::field("/tenant", e.to_string()).into())
}

fn owner_request(name: Option<String>) -> wire::Request {
    let change = wire::Change::IssueKey {
        role: Some("owner".into()),
        prefix: None,
        role_expires_at: None,
        name,
        principal: None,
        scope: None,
        expires_at: None,
    };
    wire::Request { claims: wire::Claims::default(), change }
}
