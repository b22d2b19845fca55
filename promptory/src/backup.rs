//! `backup`: a ledger and its keys as two files, from a running server, a data folder, or NATS servers.
//!
//! The ledger's file first, the keys' after it: then no event in the one lacks its key in the other. A file has its name
//! only when it is whole, synced and was read again; a file that is there is never overwritten.

mod file;
mod place;
mod remote;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use promptory_events::{BackupId, Incarnation, Timestamp};
use promptory_ledger::backup::keys::KeysFile;
use promptory_ledger::backup::{self, Archive, BackupError, BackupKey, BackupKeyError, Contents, RestoreError};
use promptory_ledger::{KeyStore, Ledger, OpenError, RootKeyError, UsageLog, jetstream};
use promptory_platform::Clock;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::init::InitError;
use crate::keys::KeysError;

pub use file::PartFile;
pub(crate) use file::rename;
pub use place::{LedgerArgs, Place};

/// A ledger and its keys as two files.
#[derive(Args, Clone, Debug)]
pub struct BackupArgs {
    /// The file that gets the ledger: every event, texts sealed.
    #[arg(long)]
    pub out: PathBuf,
    /// The file that gets the keys, encrypted. Keep it apart from the other one.
    #[arg(long)]
    pub keys_out: Option<PathBuf>,
    /// The key that keys are encrypted with: a file of 64 hex digits that only its owner reads. A server has its own.
    #[arg(long, conflicts_with = "url")]
    pub backup_key: Option<PathBuf>,
    /// A running server.
    #[arg(long, requires = "key_file", conflicts_with_all = ["data", "servers"])]
    pub url: Option<String>,
    /// The file with an operator's API key.
    #[arg(long, requires = "url")]
    pub key_file: Option<PathBuf>,
    /// Or the ledger itself.
    #[command(flatten)]
    pub place: LedgerArgs,
}

/// A backup, a restore or a check could not be done.
#[derive(Debug, thiserror::Error)]
pub enum BackupRunError {
    /// What was asked for is not enough, or too much.
    #[error("{0}")]
    Usage(&'static str),
    /// There is no data folder there.
    #[error("there is no {0}")]
    Missing(PathBuf),
    /// Something is there already.
    #[error("{0} is there already; nothing is overwritten")]
    There(PathBuf),
    /// A file.
    #[error("the file {0}")]
    File(PathBuf, #[source] io::Error),
    /// The ledger or the key store in a folder.
    #[error("{0}")]
    Store(&'static str, #[source] OpenError),
    /// The ledger on NATS servers.
    #[error(transparent)]
    JetStream(#[from] jetstream::OpenError),
    /// Its address or credentials.
    #[error(transparent)]
    Nats(#[from] InitError),
    /// The backup key.
    #[error(transparent)]
    BackupKey(#[from] BackupKeyError),
    /// The root key.
    #[error(transparent)]
    RootKey(#[from] RootKeyError),
    /// The API key.
    #[error(transparent)]
    ApiKey(#[from] KeysError),
    /// The backup itself.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The restore itself.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The two files don't belong together.
    #[error("the keys are not those of this ledger: {0}")]
    OtherKeys(String),
    /// The server.
    #[error("the server: {0}")]
    Server(String),
    /// The event that says that this was restored.
    #[error("everything is restored, but it could not be recorded; resume the restore: {0}")]
    NotRecorded(String),
    /// Folding.
    #[error(transparent)]
    Replay(#[from] promptory_projection::replay::ReplayError),
    /// No randomness for an id.
    #[error("no randomness: {0}")]
    Random(getrandom::Error),
    /// The terminal.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl BackupRunError {
    pub(crate) fn interrupted(error: &tokio::task::JoinError) -> Self {
        Self::Backup(BackupError::Interrupted(error.to_string()))
    }
}

/// Makes a backup; gives the report.
///
/// # Errors
/// The source can't be read, a file is there already or can't be written.
pub async fn run(args: BackupArgs) -> Result<Value, BackupRunError> {
    let began = Instant::now();
    let (out, keys_out) = (PartFile::create(&args.out)?, args.keys_out.as_deref().map(PartFile::create).transpose()?);
    let (contents, taken) = match (&args.url, &args.key_file) {
        (Some(url), Some(key_file)) => remote::run(url, key_file, out, keys_out).await?,
        _ => local(&args, out, keys_out).await?,
    };
    let bytes = std::fs::metadata(&args.out)?.len();
    Ok(json!({
        "backup": contents.header.backup,
        "incarnation": contents.header.incarnation,
        "taken_at": contents.header.taken_at,
        "tenants": contents.tenants.len(),
        "batches": contents.batches(),
        "events": contents.events(),
        "bytes": bytes,
        "keys": taken,
        "seconds": began.elapsed().as_secs_f64(),
    }))
}

/// From a ledger that this process opens. Gives whether keys were taken too.
async fn local(
    args: &BackupArgs,
    out: PartFile,
    keys_out: Option<PartFile>,
) -> Result<(Contents, bool), BackupRunError> {
    let key = match (&args.backup_key, &keys_out) {
        (Some(file), Some(_)) => Some(BackupKey::read(file)?),
        (None, None) => None,
        _ => return Err(BackupRunError::Usage("--keys-out and --backup-key go together")),
    };
    let place = args.place.place()?;
    let (ledger, keys) = place.open().await?;
    let usage = place.usage().await?;
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(BackupRunError::Random)?;
    let contents = ledger_file(&ledger, usage.as_ref(), BackupId(id), out).await?;
    // After the ledger: see above.
    if let (Some(out), Some(key)) = (keys_out, key) {
        let keys = keys.ok_or(BackupRunError::Usage("--keys-out needs --data or --root-key"))?;
        keys_file(keys, key, (contents.header.backup, contents.header.incarnation, Clock::System.now()), out).await?;
        return Ok((contents, true));
    }
    Ok((contents, false))
}

async fn ledger_file(
    ledger: &Ledger,
    usage: Option<&UsageLog>,
    backup: BackupId,
    out: PartFile,
) -> Result<Contents, BackupRunError> {
    let (sink, stream) = mpsc::channel(4);
    let writing = tokio::task::spawn_blocking(move || out.take(stream));
    let made = backup::write(ledger, usage, backup, Clock::System.now(), &sink).await;
    drop(sink); // the end of the stream
    let out = writing.await.map_err(|error| BackupRunError::interrupted(&error))??;
    made?;
    finished(out).await
}

/// Reads a ledger's file again and gives it its name.
async fn finished(out: PartFile) -> Result<Contents, BackupRunError> {
    let finishing = tokio::task::spawn_blocking(move || {
        out.sync()?;
        let contents = Archive::check(out.part())?;
        out.finish()?;
        Ok(contents)
    });
    finishing.await.map_err(|error| BackupRunError::interrupted(&error))?
}

async fn keys_file(
    keys: KeyStore,
    key: BackupKey,
    about: (BackupId, Incarnation, Timestamp),
    mut out: PartFile,
) -> Result<(), BackupRunError> {
    let writing = tokio::task::spawn_blocking(move || {
        backup::keys::export(&keys, &key, about, |bytes| Ok(out.write(&bytes)?))?;
        out.sync()?;
        read_keys(out.part(), &key)?;
        out.finish()
    });
    writing.await.map_err(|error| BackupRunError::interrupted(&error))?
}

/// Reads a file of keys to its end. Blocks.
pub(crate) fn read_keys(path: &Path, key: &BackupKey) -> Result<backup::keys::KeysHeader, BackupError> {
    let mut file = KeysFile::open(path, key)?;
    while file.next_page()?.is_some() {}
    Ok(file.header().clone())
}

/// Checks that a file of keys has all keys of a ledger's file: of the same life, and not older.
pub(crate) fn belong(contents: &Contents, keys: &backup::keys::KeysHeader) -> Result<(), BackupRunError> {
    if keys.incarnation != contents.header.incarnation {
        let (theirs, ours) = (keys.incarnation, contents.header.incarnation);
        return Err(BackupRunError::OtherKeys(format!("they are of incarnation {theirs}, it is of {ours}")));
    }
    // A later one has these keys too, without those that were destroyed since.
    if keys.taken_at < contents.header.taken_at {
        let (theirs, ours) = (keys.taken_at, contents.header.taken_at);
        return Err(BackupRunError::OtherKeys(format!("they were taken at {theirs}, it was at {ours}")));
    }
    Ok(())
}
