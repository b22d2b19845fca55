//! A tenant out, over the public HTTP API: with any key that reads the whole tenant, while the server runs. What is
//! written is as of the point where it began; running it again goes on from where it ended.
//!
//! | module | what it holds |
//! |---|---|
//! | [`args`] | the command line |
//! | `source` | the commits of the tenant with their texts |
//! | `ndjson` | the whole history as lines of JSON |
//! | `git` | a git repository |
//! | `langfuse` | the prompts as Langfuse has them |
//! | `report` | what is told about it |

pub mod args;
mod git;
mod langfuse;
mod ndjson;
mod report;
mod source;

use std::io;
use std::path::PathBuf;

pub use args::{ExportArgs, Form, From, GitArgs, LangfuseArgs, NdjsonArgs};
pub use git::Suffix;
pub use report::Report;

use crate::asking::AskingError;
pub use crate::import::GitError;
use crate::server::KeyError;
use source::Source;

/// Nothing, or not everything, could be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no API key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The server.
    #[error(transparent)]
    Asking(#[from] AskingError),
    /// It answers, and not as this API does.
    #[error("the server's answer makes no sense: {0}")]
    Answer(String),
    /// The key does not read everything, and half a history is none.
    #[error("the key reads only below {0:?}; an export needs one that reads the whole tenant")]
    Part(Vec<String>),
    /// A file can't be used.
    #[error("the file {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// What is there already is something else.
    #[error("{0} {1}; nothing was changed")]
    There(PathBuf, String),
}

/// Exports a tenant. Blocks until it is through.
///
/// # Errors
/// The key, the server or what is written to.
pub fn run(args: &ExportArgs) -> Result<Report, ExportError> {
    match &args.form {
        Form::Ndjson(NdjsonArgs { from, .. }) | Form::Git(GitArgs { from, .. }) if from.dry_run => planned(from),
        Form::Ndjson(args) => ndjson::run(args),
        Form::Git(args) => git::run(args),
        Form::LangfuseJson(args) => langfuse::run(args),
    }
}

/// What there is to be exported; no text is read and nothing is written.
fn planned(from: &From) -> Result<Report, ExportError> {
    let mut source = Source::open(from)?.without_texts();
    let mut report = Report { dry_run: true, until: source.until(), ..Report::default() };
    while let Some(commit) = source.next_commit()? {
        report.add(&commit);
    }
    Ok(report)
}
