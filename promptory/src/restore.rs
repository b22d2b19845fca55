//! `restore`: a backup's two files into an empty ledger, of either form.
//!
//! A data folder has its `ledger.redb` only when everything is there: until then the files have `.restoring` behind
//! their names. A ledger on NATS servers gets `_system` last, so no server lets anybody in before. Either way an
//! interrupted restore is begun again with `--resume`.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use promptory_command::Service;
use promptory_events::event::{LedgerRestored, RestoredHead};
use promptory_ledger::backup::keys::KeysFile;
use promptory_ledger::backup::restore::{record_id, restore};
use promptory_ledger::backup::{self, Archive, BackupKey, Contents};
use promptory_ledger::embedded::Embedded;
use promptory_ledger::jetstream::JetStream;
use promptory_ledger::usage::{FileLog, KEEP, StreamLog};
use promptory_ledger::{KeyStore, Ledger, RootKey, UsageLog};
use promptory_platform::Clock;
use serde_json::{Value, json};

use crate::backup::{BackupRunError, LedgerArgs, Place, belong, read_keys, rename};

/// Heads in one event: some hundred KiB of names.
const HEADS_MAX: usize = 10_000;

/// A backup's two files into an empty ledger.
#[derive(Args, Clone, Debug)]
pub struct RestoreArgs {
    /// The ledger's file.
    #[arg(long)]
    pub from: PathBuf,
    /// The keys' file: of the same backup, or of a later one of the same ledger.
    #[arg(long)]
    pub keys: PathBuf,
    /// The key that it was encrypted with.
    #[arg(long)]
    pub backup_key: PathBuf,
    /// An empty data folder, or a ledger that `promptory init` made; with --ledger, --root-key is its key store's.
    #[command(flatten)]
    pub place: LedgerArgs,
    /// Partitions of the new ledger in a data folder.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub partitions: u16,
    /// Goes on with a restore of this backup that was interrupted.
    #[arg(long)]
    pub resume: bool,
}

/// Restores; gives the report.
///
/// # Errors
/// A file is damaged, the files don't belong together, the ledger is not empty or can't be written.
pub async fn run(args: RestoreArgs) -> Result<Value, BackupRunError> {
    let began = Instant::now();
    let place = args.place.place()?;
    let key = BackupKey::read(&args.backup_key)?;
    // Both files to their ends, before anything is made.
    let (from, keys, checked_with) = (args.from.clone(), args.keys.clone(), key.clone());
    let checking = tokio::task::spawn_blocking(move || {
        let (contents, keys) = (Archive::check(&from)?, read_keys(&keys, &checked_with)?);
        belong(&contents, &keys)?;
        Ok::<_, BackupRunError>(contents)
    });
    let contents = checking.await.map_err(|error| BackupRunError::interrupted(&error))??;
    let target = Target::open(&place, &args).await?;
    let (keys, file) = (target.keys.clone(), args.keys.clone());
    // Keys first: an event whose key is missing is one that nobody can read.
    let importing = tokio::task::spawn_blocking(move || KeysFile::import(&file, &key, &keys));
    importing.await.map_err(|error| BackupRunError::interrupted(&error))??;
    let bar =
        if std::io::stderr().is_terminal() { ProgressBar::new(contents.batches()) } else { ProgressBar::hidden() };
    bar.set_style(style());
    // Before `_system`, without which no server lets anybody in.
    backup::usage::restore(&target.usage, &args.from, args.resume).await?;
    restore(&target.ledger, &args.from, &contents, args.resume, |progress| bar.set_position(progress.done)).await?;
    bar.finish_and_clear();
    record(&target, &contents).await?;
    let into = target.ledger.incarnation();
    target.finish().await?;
    Ok(json!({
        "backup": contents.header.backup,
        "taken_at": contents.header.taken_at,
        "from": contents.header.incarnation,
        "into": into,
        "tenants": contents.tenants.len(),
        "batches": contents.batches(),
        "events": contents.events(),
        "rollups": contents.rollups,
        "seconds": began.elapsed().as_secs_f64(),
    }))
}

fn style() -> ProgressStyle {
    let template = "{bar:30} {pos}/{len} batches  {per_sec}  ETA {eta}";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Says in `_system` what was restored, through the command service: nobody else may write there, and a repeat of it
/// writes nothing.
async fn record(target: &Target, contents: &Contents) -> Result<(), BackupRunError> {
    let failed = |error: String| BackupRunError::NotRecorded(error);
    // Its snapshots are of no use to anybody afterwards.
    let folder = tempfile::tempdir()?;
    let cache = folder.path().join("command-cache.redb");
    let config = promptory_command::Config {
        cache,
        hot_bytes: 16 << 20,
        exchange: None,
        identity: promptory_identity::Config::default(),
    };
    let service = Service::open(config, target.ledger.clone(), target.keys.clone(), Clock::System);
    let service = service.map_err(|error| failed(error.to_string()))?;
    let into = target.ledger.incarnation();
    let heads: Vec<_> = contents.tenants.iter().collect();
    for (part, heads) in heads.chunks(HEADS_MAX).enumerate() {
        let heads = heads
            .iter()
            .map(|summary| RestoredHead { tenant: summary.tenant.clone(), index: summary.events.saturating_sub(1) });
        let restored = LedgerRestored {
            backup: contents.header.backup,
            taken_at: contents.header.taken_at,
            from: contents.header.incarnation,
            into,
            heads: heads.collect(),
        };
        let recorded = service.record_restore(record_id(contents, into, part), restored).await;
        recorded.map_err(|error| failed(error.to_string()))?;
    }
    service.close().await;
    Ok(())
}

/// What is restored into.
struct Target {
    ledger: Ledger,
    keys: KeyStore,
    usage: UsageLog,
    /// Files on their way, and the names that they get in this order.
    names: Vec<(PathBuf, PathBuf)>,
}

impl Target {
    async fn open(place: &Place, args: &RestoreArgs) -> Result<Self, BackupRunError> {
        match place {
            Place::Data(data) => Self::folder(data, args),
            Place::Nats(nats, root_key) => {
                let root_key = root_key.as_ref().ok_or(BackupRunError::Usage("--ledger needs --root-key"))?;
                let (options, root_key) = (nats.options()?, RootKey::read(root_key)?);
                let ledger = Ledger::JetStream(JetStream::open(&options).await?);
                let usage = UsageLog::JetStream(StreamLog::open(&options).await?);
                Ok(Self { ledger, keys: KeyStore::on_jetstream(&options, &root_key).await?, usage, names: Vec::new() })
            }
        }
    }

    fn folder(data: &Path, args: &RestoreArgs) -> Result<Self, BackupRunError> {
        fs::create_dir_all(data).map_err(|error| BackupRunError::File(data.to_owned(), error))?;
        for other in ["ledger.redb", "command-cache.redb", "models"] {
            if data.join(other).exists() {
                return Err(BackupRunError::There(data.join(other)));
            }
        }
        let mut names = Vec::new();
        let keys = on_its_way(&data.join("keystore.redb"), args.resume, &mut names)?;
        let usage = on_its_way(&data.join("usage.redb"), args.resume, &mut names)?;
        let usage = FileLog::open(&usage, KEEP).map_err(|e| BackupRunError::Store("the usage log", e))?;
        // Last: a folder with a ledger is a whole one.
        let ledger = on_its_way(&data.join("ledger.redb"), args.resume, &mut names)?;
        let ledger = Embedded::open(&ledger, args.partitions).map_err(|e| BackupRunError::Store("the ledger", e))?;
        let usage = UsageLog::File(usage);
        Ok(Self { ledger: Ledger::Embedded(ledger), keys: key_store(&keys)?, usage, names })
    }

    /// Closes everything and gives the files their names.
    async fn finish(self) -> Result<(), BackupRunError> {
        let Self { ledger, keys, usage, names } = self;
        let finishing = tokio::task::spawn_blocking(move || {
            drop((ledger, keys, usage)); // closes them
            for (from, to) in names {
                let _ = fs::remove_file(from.with_added_extension("lock")); // empty, and there only while a file is made
                rename(&from, &to)?;
            }
            Ok(())
        });
        finishing.await.map_err(|error| BackupRunError::interrupted(&error))?
    }
}

fn key_store(path: &Path) -> Result<KeyStore, BackupRunError> {
    KeyStore::open(path).map_err(|error| BackupRunError::Store("the key store", error))
}

/// The path of a file on its way. The file itself may be there only if an interrupted restore had come so far.
fn on_its_way(path: &Path, resume: bool, names: &mut Vec<(PathBuf, PathBuf)>) -> Result<PathBuf, BackupRunError> {
    let part = path.with_added_extension("restoring");
    if path.exists() {
        return if resume { Ok(path.to_owned()) } else { Err(BackupRunError::There(path.to_owned())) };
    }
    if part.exists() && !resume {
        return Err(BackupRunError::There(part));
    }
    names.push((part.clone(), path.to_owned()));
    Ok(part)
}
