//! The roles of a process: each is started on the stores, and stopped whole.

use std::{io, thread};

use async_nats::Client;
use promptory_command::{Exchange, Service};
use promptory_ledger::{KeyStore, Ledger, UsageLog};
use promptory_platform::between::Answering;
use promptory_platform::{ApiKey, Attestor};
use promptory_projection::shelf::Watch;
use promptory_projection::shelf::search::indexer;
use promptory_projection::worker::{self, Scope};
use promptory_projection::{Shelf, There, serve};
use promptory_query::ReadSide;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Config, NodeError};
use crate::keys;
use crate::roles::Role;

/// How the read models of a data folder are opened.
#[must_use]
pub fn models(config: &Config) -> promptory_projection::Config {
    promptory_projection::Config {
        dir: config.data.join("models"),
        open_max: config.open_max,
        cache_bytes: config.cache_bytes,
        clock: config.clock.clone(),
        identity: config.identity,
        search: config.search,
        keep: config.keep_models,
    }
}

/// The role `command`.
#[derive(Debug)]
pub(super) struct Command {
    service: Service,
    operator: Option<ApiKey>,
    /// What other replicas forward.
    forwarded: Option<Answering>,
    /// What they write to `_system`.
    following: Option<JoinHandle<()>>,
}

impl Command {
    pub(super) async fn start(
        config: &Config,
        ledger: &Ledger,
        keys: &KeyStore,
        usage: &UsageLog,
        nats: Option<&Client>,
        attestor: &Attestor,
    ) -> Result<Self, NodeError> {
        let exchange = nats.map(|client| Exchange::new(client.clone())).transpose().map_err(NodeError::Random)?;
        let commands = promptory_command::Config {
            cache: config.data.join("command-cache.redb"),
            hot_bytes: config.hot_bytes,
            exchange: exchange.clone(),
            identity: config.identity,
        };
        let service = Service::open(commands, ledger.clone(), keys.clone(), config.clock.clone())?;
        let service = service.with_backup_key(config.backup_key.clone()).with_attestor(attestor.clone());
        let service = service.with_usage(usage.clone());
        let operator = keys::bootstrap(&config.data, &service).await?;
        let (mut forwarded, mut following) = (None, None);
        if let Some(exchange) = exchange {
            forwarded = Some(exchange.listen(service.clone()).await?);
            let service = service.clone();
            following = Some(tokio::spawn(async move { service.follow_system().await }));
        }
        Ok(Self { service, operator, forwarded, following })
    }

    pub(super) fn service(&self) -> &Service {
        &self.service
    }

    pub(super) fn operator(&self) -> Option<&ApiKey> {
        self.operator.as_ref()
    }

    pub(super) async fn stop(self) {
        if let Some(following) = self.following {
            following.abort();
        }
        if let Some(forwarded) = self.forwarded {
            forwarded.stop().await;
        }
        self.service.close().await;
    }
}

/// The role `projection`.
#[derive(Debug)]
pub(super) struct Projection {
    shelf: Shelf,
    /// Whether all partitions are here.
    whole: bool,
    no_more_batches: watch::Sender<bool>,
    workers: Vec<thread::JoinHandle<()>>,
    indexing: JoinHandle<()>,
    counting: JoinHandle<()>,
    serving: Option<serve::Serving>,
    /// The partitions that are here.
    projected: Vec<u16>,
}

impl Projection {
    pub(super) async fn start(
        config: &Config,
        ledger: &Ledger,
        keys: &KeyStore,
        usage: UsageLog,
        nats: Option<&Client>,
        projected: Vec<u16>,
        attestor: &Attestor,
    ) -> Result<Self, NodeError> {
        let shelf = Shelf::new(models(config), ledger.clone(), keys.clone());
        shelf.attest_to(attestor.clone());
        shelf.count_usage(usage, config.usage.rollup);
        let whole = projected.len() == usize::from(ledger.partitions());
        let (no_more_batches, told) = watch::channel(false);
        let workers = Scope::of_process(&projected, ledger.partitions())
            .into_iter()
            .map(|scope| worker::start(&shelf, scope, &told))
            .collect::<io::Result<Vec<_>>>()
            .map_err(NodeError::Thread)?;
        let workers = workers.into_iter().flatten().collect();
        let (checking, until) = (shelf.clone(), told.clone());
        tokio::spawn(async move { checking.check_now_and_then(until).await });
        let (tidying, until) = (shelf.clone(), told.clone());
        tokio::spawn(async move { tidying.tidy_now_and_then(until).await });
        let (counting, until, whose) = (shelf.clone(), told.clone(), projected.clone());
        let counting = tokio::spawn(async move { counting.count_now_and_then(whose, until).await });
        let indexing = tokio::spawn(indexer::run(shelf.clone(), told));
        let serving = match nats {
            Some(client) => Some(serve::start(client.clone(), shelf.clone(), projected.clone()).await?),
            None => None,
        };
        Ok(Self { shelf, whole, no_more_batches, workers, indexing, counting, serving, projected })
    }

    /// What is looked at, of its partitions.
    pub(super) fn watch(&self) -> Watch {
        Watch::new(self.shelf.clone(), self.projected.clone())
    }

    pub(super) fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    pub(super) async fn stop(self) {
        if let Some(serving) = self.serving {
            serving.stop().await;
        }
        let _ = self.no_more_batches.send(true);
        for worker in self.workers {
            if !matches!(tokio::task::spawn_blocking(|| worker.join()).await, Ok(Ok(()))) {
                tracing::error!("a projection worker ended badly");
            }
        }
        if let Err(error) = self.indexing.await {
            tracing::error!(%error, "the indexer ended badly");
        }
        if let Err(error) = self.counting.await {
            tracing::error!(%error, "the counting of usage ended badly");
        }
        self.shelf.close().await;
    }
}

/// Whom this process asks: itself if it has all read models, else the others.
pub(super) fn read_side(projection: Option<&Projection>, nats: Option<Client>, ledger: &Ledger) -> Option<ReadSide> {
    match (projection, nats) {
        (Some(projection), _) if projection.whole => Some(ReadSide::Here(projection.shelf.clone())),
        (_, Some(client)) => Some(ReadSide::There(There::new(client, ledger.partitions()))),
        (_, None) => None,
    }
}

/// What this process looks at to say whether it is ready: what its roles need.
pub(super) fn watched(
    config: &Config,
    ledger: &Ledger,
    projection: Option<&Projection>,
    keys: Option<&KeyStore>,
    read_side: Option<&ReadSide>,
) -> Vec<ReadSide> {
    let mut watched = Vec::new();
    match (projection, keys) {
        (Some(projection), _) => watched.push(ReadSide::Here(projection.shelf.clone())),
        // A process that takes commands needs the ledger, which a shelf without workers looks at.
        (None, Some(keys)) => watched.push(ReadSide::Here(Shelf::new(models(config), ledger.clone(), keys.clone()))),
        (None, None) => {}
    }
    let asked = read_side.filter(|read_side| config.roles.has(Role::Query) && matches!(read_side, ReadSide::There(_)));
    watched.extend(asked.cloned());
    watched
}
