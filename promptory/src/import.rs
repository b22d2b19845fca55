//! Histories in, over the public HTTP API: strictly in order, with idempotency keys that are the same in every run, so an
//! import that was interrupted is resumed by running it again.
//!
//! | module | what it holds |
//! |---|---|
//! | [`args`] | the command line |
//! | `edit` | one edit, whatever it was read from |
//! | `jsonl`, `git` | the two sources of edits |
//! | `key`, `command` | edit -> command |
//! | `pack`, `send`, `acks` | commands -> requests -> answers |
//! | `report`, `progress` | what is told about it |

mod acks;
pub mod args;
mod command;
mod edit;
mod git;
mod jsonl;
mod key;
mod pack;
mod progress;
mod report;
mod send;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use promptory_platform::ApiKey;

pub use args::{GitArgs, ImportArgs, JsonlArgs, Source, Target};
pub use git::GitError;
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
    /// There is no API key, or it has not the form of one.
    #[error("{0} holds no API key; it has the form pk_<tenant>_<key id>_<secret>")]
    NoKey(String),
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
    let client = Client::new(&to.url, &api_key(to)?)?;
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
        for note in batch.notes {
            if note.failed {
                progress.say(&report.fail(&note.place, &note.why));
            } else {
                report.skip();
                progress.say(&format!("{}: skipped: {}", note.place, note.why));
            }
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

fn api_key(to: &Target) -> Result<ApiKey, ImportError> {
    // A file that is named says more than a variable that is there.
    if let Some(path) = &to.key_file {
        let text = fs::read_to_string(path).map_err(|error| ImportError::File { path: path.clone(), error })?;
        return text.trim().parse().map_err(|_| ImportError::NoKey(format!("the file {}", path.display())));
    }
    let key = to.key.as_ref().and_then(args::KeyText::key);
    key.ok_or_else(|| ImportError::NoKey("PROMPTORY_KEY (or --key)".into()))
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
