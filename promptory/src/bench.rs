//! `promptory bench`: a load driver that starts the real thing, drives it over HTTP on loopback, and measures in the same
//! run what the machine and the libraries below could do at most.
//!
//! Client and server share the machine, so ratios are the result and absolute figures only say where they come from. A
//! figure that misses its bar is shown, never an error.
//!
//! | module | what it holds |
//! |---|---|
//! | [`limits`] | bare axum handlers; sled and redb alone with the same bytes |
//! | `commands`, `resolve`, `search`, `tenants`, `visible`, `rebuild`, `cold_start`, `memory`, `isolation`, `usage`, `jetstream` | a scenario each |
//! | [`world`], `server` | the node under test, filled from real histories; the same as a process of its own |
//! | [`client`], [`load`] | the driver: one kept-alive connection a client, closed and open loop |
//! | [`report`], [`machine`] | figures with their bars; the machine they are from |

pub mod client;
mod cold_start;
mod commands;
pub mod history;
mod isolation;
mod jetstream;
pub mod limits;
pub mod load;
pub mod machine;
mod memory;
mod prometheus;
mod rebuild;
pub mod report;
mod resolve;
mod search;
mod server;
mod tenants;
mod usage;
mod visible;
pub mod world;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use clap::{Args, ValueEnum};
use promptory_command::Failure;
use promptory_ledger::ReadError;
use promptory_projection::AskError;
use promptory_projection::rebuild::RebuildError;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::init::{InitError, NatsArgs};
use crate::keys::KeysError;
use crate::node::NodeError;
use crate::stores::StoreError;
use history::History;
use load::Load;
use machine::Machine;
use report::Figure;
pub use report::Report;
use world::Filled;

/// Starts a node of its own, drives it and measures.
#[derive(Args, Clone, Debug)]
pub struct BenchArgs {
    /// How long each single measurement takes; a fifth of it before, to warm up.
    #[arg(long, default_value_t = 3.0, value_parser = positive)]
    pub seconds: f64,
    /// How often each is repeated; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Which keys are asked in which order.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Servers for the scenario `jetstream`, and a user who may do everything in an account that holds nothing.
    #[command(flatten)]
    pub nats: NatsArgs,
    /// Copies of each message in the ledger that the scenario makes there: 3 or 5 on a cluster.
    #[arg(long, default_value_t = 1, requires = "servers")]
    pub replicas: usize,
    /// Only these scenarios.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Scenario>,
    /// The folder of real histories (*.jsonl.gz); ../shared/data if it is there, else the bundled one.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// A file that gets the report as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Print the report as the generated block of docs/performance.md.
    #[arg(long)]
    pub markdown: bool,
    /// A file that gets what the scenario `search` asks for, a line each: for asking others the same.
    #[arg(long)]
    pub search_queries: Option<PathBuf>,
    /// The size of what is filled in, for a quick look; below 1 the bars say nothing.
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    pub scale: f64,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// What axum, sled and redb do alone.
    Limits,
    /// Durable commands.
    Commands,
    /// Resolving a prompt by label.
    Resolve,
    /// Searching a large tenant, and from acknowledged to found.
    Search,
    /// A million prompts in a thousand tenants, searched and resolved.
    Tenants,
    /// From acknowledged to readable.
    Visible,
    /// Rebuilding a read model.
    Rebuild,
    /// A tenant's first command and first read after a start.
    ColdStart,
    /// Peak memory of a serving process.
    Memory,
    /// What one loud tenant does to the others.
    Isolation,
    /// Usage records, and counting a month of them.
    Usage,
    /// Commands, reads and starts on a ledger on NATS JetStream, beside JetStream alone.
    #[value(name = "jetstream")]
    JetStream,
}

/// Something broke. Slowness is not among it.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A file, a folder or a connection.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// There is no history to work with.
    #[error("no history: {0}")]
    History(String),
    /// The node did not start.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A key file of the serving process.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A connection broke.
    #[error("a connection broke: {0}")]
    Connection(#[from] hyper::Error),
    /// A request could not be made.
    #[error("a request could not be made: {0}")]
    Request(#[from] hyper::http::Error),
    /// An answer that says no.
    #[error("{method} was answered with {status} {code}")]
    Refused {
        /// The method of the request.
        method: String,
        /// The status of the answer.
        status: u16,
        /// The code of the problem document, if there was one.
        code: String,
    },
    /// An answer that says something else than was asked.
    #[error("an answer can't be read: {0}")]
    Answer(#[from] serde_json::Error),
    /// The command service refused.
    #[error(transparent)]
    Command(#[from] Failure),
    /// The command service did not open.
    #[error(transparent)]
    Service(#[from] promptory_command::OpenError),
    /// The read side refused.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The ledger can't be read.
    #[error(transparent)]
    Ledger(#[from] ReadError),
    /// The rebuild failed.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// A store that is measured alone.
    #[error("a store that is measured alone: {0}")]
    Store(String),
    /// The scenario `jetstream` was asked for, and no servers were named.
    #[error("the scenario jetstream needs servers: --ledger names them")]
    NoServers,
    /// The account on the servers is not the bench's own.
    #[error(
        "the account on the NATS servers holds the stream {0}: a bench needs one that holds nothing. It touches no ledger \
         but its own; if that is what an interrupted bench left there, remove it"
    )]
    NotEmpty(String),
    /// The servers of the scenario `jetstream`.
    #[error(transparent)]
    Servers(#[from] InitError),
    /// The ledger or the key store on them.
    #[error(transparent)]
    Stores(#[from] StoreError),
    /// What they say no to.
    #[error("the NATS servers: {0}")]
    Nats(String),
    /// Batches can't be encoded or appended.
    #[error("a batch was not appended: {0}")]
    Append(String),
    /// The serving process ended, or never answered.
    #[error("the serving process {0}")]
    Server(String),
    /// A task of the driver failed.
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// What every scenario needs.
pub struct Bench {
    args: BenchArgs,
    load: Load,
    history: History,
    scratch: TempDir,
    filled: OnceCell<Filled>,
    /// What the report says of the servers.
    servers: OnceLock<String>,
}

/// Measures and gives the report: as a table on standard output, and as JSON in a file if one was named.
///
/// # Errors
/// Something broke. Bars that are not met are no error.
pub async fn run(args: BenchArgs) -> Result<Report, BenchError> {
    let (json, markdown) = (args.json.clone(), args.markdown);
    let report = measured(args).await?;
    if let Some(file) = json {
        fs::write(file, serde_json::to_vec_pretty(&report)?)?;
    }
    let text = if markdown { report.markdown() } else { report.to_string() };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(report)
}

async fn measured(args: BenchArgs) -> Result<Report, BenchError> {
    let bench = Bench::new(args)?;
    let mut machine = Machine::look(bench.scratch.path())?;
    let mut figures = Vec::new();
    for scenario in bench.scenarios() {
        say(&format!("{scenario:?} …"))?;
        figures.extend(bench.measure(scenario).await?);
    }
    machine.fsync_after_ms = machine::fsync_probe(bench.scratch.path())?;
    let report = bench.report(machine, figures);
    Box::pin(bench.close()).await;
    Ok(report)
}

impl Bench {
    fn new(args: BenchArgs) -> Result<Self, BenchError> {
        if args.nats.servers.is_none() && args.only.contains(&Scenario::JetStream) {
            return Err(BenchError::NoServers);
        }
        let history = History::find(args.data.as_deref())?;
        let (filled, servers) = (OnceCell::new(), OnceLock::new());
        Ok(Self { args, load: Load::new()?, history, scratch: scratch()?, filled, servers })
    }

    fn scenarios(&self) -> Vec<Scenario> {
        let all = Scenario::value_variants().iter().copied();
        let can = |scenario| scenario != Scenario::JetStream || self.args.nats.servers.is_some();
        all.filter(|scenario| self.is_asked_for(*scenario) && can(*scenario)).collect()
    }

    fn is_asked_for(&self, scenario: Scenario) -> bool {
        self.args.only.is_empty() || self.args.only.contains(&scenario)
    }

    async fn measure(&self, scenario: Scenario) -> Result<Vec<Figure>, BenchError> {
        // Boxed: the scenarios are large futures, and one is alive at a time.
        match scenario {
            Scenario::Limits => Box::pin(limits::run(self)).await,
            Scenario::Commands => Box::pin(commands::run(self)).await,
            Scenario::Resolve => Box::pin(resolve::run(self)).await,
            Scenario::Search => Box::pin(search::run(self)).await,
            Scenario::Tenants => Box::pin(tenants::run(self)).await,
            Scenario::Visible => Box::pin(visible::run(self)).await,
            Scenario::Rebuild => Box::pin(rebuild::run(self)).await,
            Scenario::ColdStart => Box::pin(cold_start::run(self)).await,
            Scenario::Memory => Box::pin(memory::run(self)).await,
            Scenario::Isolation => Box::pin(isolation::run(self)).await,
            Scenario::Usage => Box::pin(usage::run(self)).await,
            Scenario::JetStream => Box::pin(jetstream::run(self)).await,
        }
    }

    /// A large tenant from repeated histories; made when it is first needed.
    async fn filled(&self) -> Result<&Filled, BenchError> {
        self.filled.get_or_try_init(|| Box::pin(Filled::make(self))).await
    }

    fn time(&self) -> Duration {
        Duration::from_secs_f64(self.args.seconds)
    }

    fn warm_up(&self) -> Duration {
        self.time() / 5
    }

    /// A size under `--scale`, at least `least`.
    fn scaled(&self, full: usize, least: usize) -> usize {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "small"
        )]
        let scaled = (full as f64 * self.args.scale) as usize;
        scaled.max(least)
    }

    /// A folder of its own for one store or node.
    fn folder(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn report(&self, machine: Machine, figures: Vec<Figure>) -> Report {
        let BenchArgs { seconds, rounds, seed, scale, .. } = self.args;
        let (release, data) = (!cfg!(debug_assertions), self.history.name.clone());
        let version = env!("CARGO_PKG_VERSION");
        let left_out = || "left out: --ledger names no servers".to_owned();
        let asked = self.is_asked_for(Scenario::JetStream);
        let jetstream = asked.then(|| self.servers.get().cloned().unwrap_or_else(left_out));
        Report { version, release, machine, jetstream, data, seconds, rounds, seed, scale, figures }
    }

    async fn close(self) {
        if let Some(filled) = self.filled.into_inner() {
            filled.world.stop().await;
        }
    }
}

/// On the disk of a checkout if this runs in one: where a machine keeps its temporary folders, a sync may cost nothing.
fn scratch() -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("promptory-bench-");
    let target = ["target", "../target"].map(Path::new).into_iter().find(|folder| folder.is_dir());
    target.map_or_else(|| builder.tempdir(), |folder| builder.tempdir_in(folder))
}

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stderr().lock(), "bench: {text}")
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    // A day is more than anybody waits for; without a bound a duration could overflow.
    if number > 0.0 && number <= 86_400.0 { Ok(number) } else { Err("must be above 0 and at most 86,400".to_owned()) }
}

#[cfg(test)]
mod tests;
