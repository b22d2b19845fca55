//! Histories in, over the public HTTP API: strictly in order, with idempotency keys that are the same in every run, so an
//! import that was interrupted is resumed by running it again.
//!
//! | module | what it holds |
//! |---|---|
//! | [`args`] | the command line |
//! | `edit` | one edit, whatever it was read from |
//! | `jsonl`, `git` | the two sources of edits |
//! | `ndjson` | the history of another tenant, as it was exported |
//! | `foreign` | what other products keep, and folders of files |
//! | `key`, `command` | edit -> command |
//! | `pack`, `send`, `acks` | commands -> requests -> answers |
//! | `dry` | what would be sent |
//! | `report`, `progress` | what is told about it |

mod acks;
pub mod args;
mod command;
mod dry;
mod edit;
mod foreign;
mod git;
mod jsonl;
mod key;
mod ndjson;
mod pack;
mod progress;
mod report;
mod send;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use promptory_events::{PrincipalId, TenantId};

use crate::asking::{Asking, AskingError};
use crate::server::KeyError;

pub use args::{DirArgs, FileArgs, GitArgs, ImportArgs, JsonlArgs, NdjsonArgs, OtherArgs, Source, Target};
pub use git::GitError;
pub(crate) use git::Repository;
pub use report::Report;
pub use send::{ClientError, SendError};

use acks::AckLog;
use command::Mapper;
use edit::Read;
use pack::{Batch, Bounds, pack};
use progress::{Progress, Unit};
use send::{Client, Sender};

/// Nothing, or not everything, could be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file can't be used.
    #[error("the file {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// There is no API key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The server does not say who asks.
    #[error(transparent)]
    Asking(#[from] AskingError),
    /// The server knows the key and does not list it.
    #[error("the server does not say whose key this is")]
    Whose,
    /// The address.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The repository.
    #[error(transparent)]
    Git(#[from] GitError),
    /// It began and could not go on.
    #[error("the import stopped after {}; run it again to go on", .report.counts())]
    Stopped {
        /// Why.
        #[source]
        why: SendError,
        /// What was done until then.
        report: Box<Report>,
    },
}

/// Bytes of JSON in one request.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Batches that are ready while one is under way.
const READY_BATCHES: usize = 2;

/// Imports a history. Blocks until it is through; lines that failed are in the report.
///
/// # Errors
/// The source, the key or the address can't be used, or the server let it not go on.
pub fn run(args: ImportArgs) -> Result<Report, ImportError> {
    match args.source {
        Source::Jsonl(JsonlArgs { files, to }) => {
            let opened = jsonl::Files::open(files);
            let (source, bytes) = opened.map_err(|(path, error)| ImportError::File { path, error })?;
            import(source, Progress::new(Unit::Bytes, bytes), &to)
        }
        Source::Ndjson(NdjsonArgs { file, claim_recorded, to }) => {
            let into = into(&to, claim_recorded)?;
            let readers = move || {
                let mut lines = ndjson::Lines::new(into.clone());
                Box::new(move |line: &[u8]| lines.read(line)) as jsonl::Reader
            };
            let opened = jsonl::Files::of(vec![file], Box::new(readers));
            let (source, bytes) = opened.map_err(|(path, error)| ImportError::File { path, error })?;
            import(source, Progress::new(Unit::Bytes, bytes), &to)
        }
        Source::Langfuse(args) => other(&args, "langfuse", foreign::langfuse::file, foreign::langfuse::live),
        Source::Mlflow(args) => other(&args, "mlflow", foreign::mlflow::file, foreign::mlflow::live),
        Source::PromptlayerJson(args) => file(&args, "promptlayer", foreign::promptlayer::file),
        Source::Csv(args) => file(&args, "csv", foreign::table::file),
        Source::Dir(args) => folder(args),
        Source::Git(GitArgs { dir, glob, rev, author_salt_file, to }) => {
            let salt_file = author_salt_file.as_deref();
            let wanted = git::Wanted { folder: &dir, revision: &rev, globs: &glob, salt_file };
            let (source, commits) = git::History::open(&wanted)?;
            import(source, Progress::new(Unit::Commits, Some(commits)), &to)
        }
    }
}

fn import(
    source: impl Iterator<Item = Read> + Send + 'static,
    progress: Progress,
    to: &Target,
) -> Result<Report, ImportError> {
    if to.dry_run {
        return Ok(dry::run(source, Mapper::new(&to.prefix), progress));
    }
    let client = Client::new(&to.server.url, &to.server.api_key()?)?;
    let ack_log = to
        .ack_log
        .as_ref()
        .map(|path| AckLog::open(path).map_err(|error| ImportError::File { path: path.clone(), error }));
    let sender = Sender::new(client, ack_log.transpose()?, Duration::from_secs(to.patience));
    let bounds = Bounds { count: usize::from(to.batch), bytes: BATCH_BYTES };
    let mapper = Mapper::new(&to.prefix);
    let (out, batches) = sync_channel(READY_BATCHES);
    // The next batches are read while one is under way.
    let reader = thread::spawn(move || pack(source, mapper, bounds, &out).is_ok());
    // After an error the reader is not waited for: it ends when it next has a batch that nobody takes, which may be
    // never if it reads from a terminal.
    let report = deliver(sender, batches, progress)?;
    match reader.join() {
        Ok(_) => Ok(report),
        // What it had not read yet would be missing without a word.
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn deliver(mut sender: Sender, batches: Receiver<Batch>, mut progress: Progress) -> Result<Report, ImportError> {
    let (mut report, began) = (Report::default(), Instant::now());
    for batch in batches {
        for note in &batch.notes {
            progress.say(&report.note(note));
        }
        let sent = sender.send(batch.commands, &mut report, &progress);
        report.took(began);
        if let Err(why) = sent {
            progress.finish();
            return Err(ImportError::Stopped { why, report: Box::new(report) });
        }
        progress.at(batch.progress, &report);
    }
    report.took(began);
    progress.finish();
    Ok(report)
}

/// What another product keeps, in a file or at its address.
fn other(
    args: &OtherArgs,
    source: &'static str,
    read: impl Fn(&Path) -> io::Result<Vec<foreign::Item>>,
    ask: impl Fn(&Asking, Duration) -> Result<Vec<foreign::Item>, AskingError>,
) -> Result<Report, ImportError> {
    let Some(url) = &args.from else {
        let (file, to) = (args.file.clone().unwrap_or_default(), args.to.clone());
        return self::file(&FileArgs { file, to }, source, read);
    };
    let key = args
        .from_key_file
        .as_ref()
        .map(|path| std::fs::read_to_string(path).map_err(|error| ImportError::File { path: path.clone(), error }));
    let asking = Asking::with_basic(url, key.transpose()?.as_deref());
    versions(source, url, ask(&asking, Duration::from_secs(args.to.patience))?, &args.to)
}

fn file(
    args: &FileArgs,
    source: &'static str,
    read: impl Fn(&Path) -> io::Result<Vec<foreign::Item>>,
) -> Result<Report, ImportError> {
    let items = read(&args.file).map_err(|error| ImportError::File { path: args.file.clone(), error })?;
    versions(source, &args.file.to_string_lossy(), items, &args.to)
}

fn versions(source: &'static str, name: &str, items: Vec<foreign::Item>, to: &Target) -> Result<Report, ImportError> {
    let reads = foreign::reads(source, name, items, &key::of_path(&to.prefix));
    let progress = Progress::new(Unit::Versions, Some(reads.len() as u64));
    import(reads.into_iter(), progress, to)
}

fn folder(args: DirArgs) -> Result<Report, ImportError> {
    let DirArgs { dir, glob, strip_suffix, message, labels, to } = args;
    let globs = git::globs(&glob).map_err(GitError::Glob)?;
    let prefix = key::of_path(&to.prefix).into_owned();
    let wanted = foreign::folder::Wanted { folder: dir, globs, strip_suffix, prefix, message, labels };
    let failed = |error| ImportError::File { path: wanted.folder.clone(), error };
    let paths = foreign::folder::paths(&wanted).map_err(failed)?;
    let asking = Asking::with_key(&to.server.url, &to.server.api_key()?);
    let reads = foreign::folder::reads(&wanted, paths, &asking, Duration::from_secs(to.patience))?;
    let progress = Progress::new(Unit::Versions, Some(reads.len() as u64));
    import(reads.into_iter(), progress, &to)
}

/// Who imports into what: ids that commands will make follow from that. A dry run asks nobody.
fn into(to: &Target, claim_recorded: bool) -> Result<ndjson::Into, ImportError> {
    let prefix = key::of_path(&to.prefix).into_owned();
    if to.dry_run {
        let (tenant, principal) = (TenantId::system(), PrincipalId::SYSTEM);
        return Ok(ndjson::Into { tenant, principal, prefix, claim_recorded });
    }
    let key = to.server.api_key()?;
    let asking = Asking::with_key(&to.server.url, &key);
    let (own, mut cursor) = (key.key.to_string(), String::new());
    loop {
        let page = asking.get_patiently(&format!("/v1/keys?limit=1000{cursor}"), Duration::from_secs(to.patience))?;
        let found = page["keys"].as_array().into_iter().flatten().find(|one| one["key"] == own.as_str());
        if let Some(principal) = found.and_then(|one| one["principal"].as_str()?.parse().ok()) {
            return Ok(ndjson::Into { tenant: key.tenant, principal, prefix, claim_recorded });
        }
        cursor = format!("&cursor={}", page["next_cursor"].as_str().ok_or(ImportError::Whose)?);
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
