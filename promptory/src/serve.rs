//! `serve`: some roles or all of them, on a data folder that lasts. `demo`: the same on a fresh folder, with a real history in it.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use promptory_events::TenantId;
use promptory_ledger::backup::{BackupKey, BackupKeyError};
use promptory_platform::shutdown;

use crate::import;
use crate::init::{InitError, NatsArgs};
use crate::keys;
use crate::node::{Config, Node, NodeError, Usage};
use crate::roles::{Partitions, Roles};

/// A server: every role in one process on a data folder, or roles apart on a ledger on NATS JetStream.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// The data folder.
    #[arg(long, default_value = "promptory-data")]
    pub data: PathBuf,
    /// The servers of a ledger on NATS JetStream; without them it is in the data folder.
    #[command(flatten)]
    pub nats: NatsArgs,
    /// The file with the root key of the key store on JetStream; not needed with the role query alone.
    #[arg(long, requires = "servers")]
    pub root_key: Option<PathBuf>,
    /// Which parts of the system this process is: command, projection, query.
    #[arg(long, default_value_t = Roles::all())]
    pub roles: Roles,
    /// The partitions that this process has read models of, such as 0,2,5-7; all if not given.
    #[arg(long)]
    pub partitions: Option<Partitions>,
    /// The address that HTTP is answered on.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// A tenant that is created on the first start; its owner's key is written to DATA/keys/TENANT-owner.key.
    #[arg(long, default_value = "main")]
    pub tenant: TenantId,
    /// A file that gets the address once it is answered on.
    #[arg(long)]
    pub address_file: Option<PathBuf>,
    /// Memory for the states of tenants that are written to, in MiB.
    #[arg(long, default_value_t = 64)]
    pub hot_mib: usize,
    /// Memory for opened answers, in MiB.
    #[arg(long, default_value_t = 16)]
    pub cache_mib: u64,
    /// Read models open at once.
    #[arg(long, default_value_t = 64)]
    pub open_max: usize,
    /// Search indexes written at once, 1 to 4.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=4))]
    pub search_writers: u8,
    /// Memory of each of these writers, in MiB, at least 15.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(15..=2048))]
    pub search_writer_mib: u16,
    /// How long stores of read models are kept that are not read any more, in days: those that a rebuild replaced, and those
    /// of releases with another format.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(0..=3650))]
    pub keep_models_days: u16,
    /// Issuers of tokens on this machine may do without TLS. For tests.
    #[arg(long)]
    pub oidc_loopback_http: bool,
    /// How long the id of a usage record is known in a data folder, in days; on JetStream `init` says it. The records stay two
    /// days longer, what is counted of them for ever.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub usage_days: u16,
    /// How long after a usage record came at the latest it is in what is kept for ever, in seconds.
    #[arg(long, default_value_t = 900, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub usage_rollup_s: u32,
    /// How often guards of rollouts are looked at, in seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub guards_period_s: u32,
    /// How often it is looked whether versions became worse than they were, in seconds.
    #[arg(long, default_value_t = 900, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub watch_period_s: u32,
    /// What keys are encrypted with in a backup: a file of 64 hex digits that only its owner reads.
    #[arg(long)]
    pub backup_key: Option<PathBuf>,
}

/// A server with a real history in it: prints its address, a key and five questions, and stays up.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// The data folder; a fresh one under target/ if not given.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// The address that HTTP is answered on; a free port if not given.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
}

/// The server could not be run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It could not be started.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The servers of the ledger.
    #[error(transparent)]
    Nats(#[from] InitError),
    /// A file or the terminal.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The history could not be imported.
    #[error(transparent)]
    Import(#[from] import::ImportError),
    /// The backup key.
    #[error(transparent)]
    BackupKey(#[from] BackupKeyError),
    /// A task failed.
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl ServeArgs {
    fn config(&self) -> Result<Config, ServeError> {
        Ok(Config {
            nats: self.nats.given()?,
            root_key: self.root_key.clone(),
            roles: self.roles.clone(),
            projected: self.partitions.clone(),
            backup_key: self.backup_key.as_deref().map(BackupKey::read).transpose()?,
            listen: self.listen,
            hot_bytes: self.hot_mib << 20,
            cache_bytes: self.cache_mib << 20,
            open_max: self.open_max,
            keep_models: Duration::from_secs(u64::from(self.keep_models_days) * 24 * 3600),
            search: promptory_projection::shelf::search::Config {
                writers: usize::from(self.search_writers),
                writer_bytes: usize::from(self.search_writer_mib) << 20,
            },
            identity: promptory_identity::Config {
                loopback_http: self.oidc_loopback_http,
                ..promptory_identity::Config::default()
            },
            usage: Usage {
                keep: Duration::from_secs(u64::from(self.usage_days) * 24 * 3600),
                rollup: Duration::from_secs(self.usage_rollup_s.into()),
                guards: Duration::from_secs(self.guards_period_s.into()),
                versions: Duration::from_secs(self.watch_period_s.into()),
            },
            ..Config::new(&self.data)
        })
    }
}

/// Runs a server until it is told to stop.
///
/// # Errors
/// It could not be started.
pub async fn serve(args: ServeArgs) -> Result<(), ServeError> {
    let stop = shutdown::on_signal()?;
    let node = Node::start(args.config()?).await?;
    let owner = match node.service() {
        // Another process has set the system up and holds the operator's key: then this one makes no tenant.
        Some(service) if args.nats.servers.is_none() || keys::operator_file(&args.data).exists() => {
            keys::ensure_tenant(&args.data, service, &args.tenant).await.map_err(NodeError::from)?
        }
        _ => None,
    };
    let mut out = io::stdout().lock();
    writeln!(out, "Promptory ({}) at {}", args.roles, node.url())?;
    if node.operator().is_some() {
        writeln!(out, "the operator's key is in {}", keys::operator_file(&args.data).display())?;
    }
    if owner.is_some() {
        let file = keys::owner_file(&args.data, &args.tenant);
        writeln!(out, "the key of {}'s owner is in {}", args.tenant, file.display())?;
    }
    drop(out);
    if let Some(file) = &args.address_file {
        // Written whole: whoever waits for it never reads half an address.
        let part = file.with_extension("part");
        fs::write(&part, node.url())?;
        fs::rename(part, file)?;
    }
    node.run_until(stop).await;
    Ok(())
}

/// The bundled history: a slice of a real one (CC0), see promptory/demo.
const HISTORY: &[u8] = include_bytes!("../demo/awesome-slice.jsonl.gz");

/// Runs the demo until it is told to stop.
///
/// # Errors
/// The server could not be started or the history not imported.
pub async fn demo(args: DemoArgs) -> Result<(), ServeError> {
    let stop = shutdown::on_signal()?;
    let fresh = if args.data.is_none() { Some(fresh_folder()?) } else { None };
    let data = args.data.clone().or_else(|| fresh.as_ref().map(|f| f.path().to_owned())).unwrap_or_default();
    let node = Node::start(Config { listen: args.listen, ..Config::new(&data) }).await?;
    let tenant: TenantId = "demo".parse().map_err(io::Error::other)?;
    let key = node.tenant(&tenant).await?;
    let history = data.join("history.jsonl.gz");
    fs::write(&history, HISTORY)?;
    let importing = import_args(&history, &node.url(), &keys::owner_file(&data, &tenant));
    let report = tokio::task::spawn_blocking(move || import::run(importing)).await??;
    print_questions(&node.url(), &key.reveal(), &report)?;
    node.run_until(stop).await;
    Ok(())
}

/// Under target/ if it is there (a checkout), else among the machine's temporary folders; gone after the demo.
fn fresh_folder() -> io::Result<tempfile::TempDir> {
    let builder = tempfile::Builder::new().prefix("promptory-demo-").to_owned();
    let target = Path::new("target");
    if target.is_dir() { builder.tempdir_in(target) } else { builder.tempdir() }
}

fn import_args(history: &Path, url: &str, key_file: &Path) -> import::ImportArgs {
    import::ImportArgs::jsonl(vec![history.to_owned()], url, key_file)
}

/// What a newcomer may ask, and what there is to see.
const QUESTIONS: [(&str, &str); 5] = [
    (
        "What did the list's best-known prompt say on 1 May 2024?",
        "prompts/prompts.csv%23Linux%20Terminal?as_of=2024-05-01T00:00:00Z",
    ),
    (
        "What did the game master say while a commit called \"improve ui\" had cut it off? (236 bytes; 991 a minute before)",
        "prompts/prompts.csv%23Guessing%20Game%20Master?as_of=2025-02-04T22:46:00Z",
    ),
    ("Who changed it, when and why? (newest first)", "prompts/prompts.csv%23Guessing%20Game%20Master/versions?limit=3"),
    (
        "What was \"GitHub Expert\" called on the evening of 5 January 2025? (same id, renamed twice since)",
        "prompts/prompts.csv%23Act%20as%20Github%20Expert?as_of=2025-01-05T23:00:00Z",
    ),
    ("Which prompts were there on New Year's Eve 2022?", "prompts?as_of=2022-12-31T00:00:00Z&limit=5"),
];

fn print_questions(url: &str, key: &str, report: &import::Report) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "\n{report}\n\naddress  {url}\nAPI key  {key}\n")?;
    writeln!(out, "KEY={key}")?;
    for (question, path) in QUESTIONS {
        writeln!(out, "\n# {question}")?;
        writeln!(out, "curl -s -H \"Authorization: Bearer $KEY\" '{url}/v1/{path}'")?;
    }
    writeln!(out, "\nCtrl-C ends the demo.")?;
    out.flush()
}
