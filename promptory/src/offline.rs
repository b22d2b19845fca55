//! What is done on a data folder that no server holds: its stores, and `replay`, which prints a JSON report.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use promptory_events::{TenantId, Timestamp};
use promptory_projection::ask::AsOf;
use promptory_projection::replay::{ReplayError, replay as fold};
use serde_json::{Value, json};

use crate::init::{InitError, NatsArgs};
use crate::node::{self, Config, NodeError};
use crate::stores::{StoreError, Stores};

/// What a tenant's ledger says, folded from the ledger alone: no read model is opened.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// The data folder. No server may hold it.
    #[arg(long, default_value = "promptory-data")]
    pub data: PathBuf,
    /// The servers of a ledger on NATS JetStream; without them it is in the data folder.
    #[command(flatten)]
    pub nats: NatsArgs,
    /// The file with the root key of the key store on JetStream.
    #[arg(long, requires = "servers")]
    pub root_key: Option<PathBuf>,
    /// Whose ledger.
    #[arg(long)]
    pub tenant: TenantId,
    /// The point: an index, or an RFC 3339 time; everything if not given.
    #[arg(long)]
    pub as_of: Option<String>,
    /// Which clock a time is read on.
    #[arg(long, value_enum, default_value_t = ReplayClock::Occurred)]
    pub clock: ReplayClock,
    /// Every live key with its newest version and the SHA-256 of its content, too.
    #[arg(long)]
    pub contents: bool,
}

/// Which clock a time is read on.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ReplayClock {
    /// When it happened, claimed times included.
    Occurred,
    /// When it was recorded.
    Recorded,
}

/// An offline command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The data folder.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The ledger or the key store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The servers.
    #[error(transparent)]
    Nats(#[from] InitError),
    /// There is no data folder there.
    #[error("there is no ledger in {0}")]
    NoLedger(PathBuf),
    /// The point is neither an index nor a time.
    #[error("--as-of is an index or an RFC 3339 time such as 2024-05-03T14:00:00Z")]
    AsOf,
    /// The replay.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The report.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl ReplayArgs {
    fn point(&self) -> Result<AsOf, OfflineError> {
        let Some(text) = &self.as_of else { return Ok(AsOf::Now) };
        if let Ok(index) = text.parse() {
            return Ok(AsOf::Index(index));
        }
        let time: Timestamp = text.parse().map_err(|_| OfflineError::AsOf)?;
        Ok(match self.clock {
            ReplayClock::Occurred => AsOf::Occurred(time),
            ReplayClock::Recorded => AsOf::Recorded(time),
        })
    }
}

pub(crate) async fn stores(
    data: &PathBuf,
    nats: &NatsArgs,
    root_key: Option<PathBuf>,
) -> Result<(Config, Stores), OfflineError> {
    let config = Config { nats: nats.given()?, root_key, ..Config::new(data) };
    if config.nats.is_none() && !data.join("ledger.redb").is_file() {
        return Err(OfflineError::NoLedger(data.clone()));
    }
    let stores = Stores::open(&config).await?;
    Ok((config, stores))
}

/// Folds a tenant's ledger up to a point and prints what it says there.
///
/// # Errors
/// The folder is held or damaged, the ledger contradicts itself or ends before the point.
pub async fn replay(args: ReplayArgs) -> Result<(), OfflineError> {
    let point = args.point()?;
    let (_, stores) = stores(&args.data, &args.nats, args.root_key).await?;
    let said = fold(&stores.ledger, &stores.keys, &args.tenant, point).await?;
    let mut report = json!({
        "tenant": args.tenant,
        "position": said.position,
        "model_digest": said.model_digest,
        "history_digest": said.history_digest,
        "events": said.events,
        "prompts": said.prompts,
        "versions": said.versions,
    });
    if args.contents {
        report["contents"] = json!(said.contents);
    }
    print(&report)
}

/// Writes the OpenAPI document of the whole HTTP API.
///
/// # Errors
/// The file can't be written.
pub fn openapi(out: Option<PathBuf>) -> Result<(), OfflineError> {
    let mut text = serde_json::to_string_pretty(&node::openapi()).map_err(io::Error::other)?;
    text.push('\n');
    match out {
        Some(path) => fs::write(path, text)?,
        None => io::stdout().lock().write_all(text.as_bytes())?,
    }
    Ok(())
}

pub(crate) fn print(report: &Value) -> Result<(), OfflineError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{report:#}")?;
    Ok(())
}
