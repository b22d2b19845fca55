//! The command line of the export.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::git::Suffix;
use crate::server::Server;

/// A tenant out, over HTTP.
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// What it becomes.
    #[command(subcommand)]
    pub form: Form,
}

/// What a tenant becomes.
#[derive(Subcommand, Clone, Debug)]
pub enum Form {
    /// Its whole history, one JSON object a line: every event with the texts that it brought.
    ///
    /// `promptory import ndjson` makes an equal history of it in an empty tenant.
    Ndjson(NdjsonArgs),
    /// A bare git repository: a commit for what one person did at one time, a file for each prompt, a branch for each label.
    ///
    /// A run after another one adds what has come since.
    Git(GitArgs),
    /// A list of versions as Langfuse's public API has them, with the labels that point to them now.
    LangfuseJson(LangfuseArgs),
}

/// A history as lines of JSON.
#[derive(Args, Clone, Debug)]
pub struct NdjsonArgs {
    /// The file; `-` is standard output. One of an earlier run is gone on with.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What is exported.
    #[command(flatten)]
    pub from: From,
}

/// Prompts as Langfuse has them.
#[derive(Args, Clone, Debug)]
pub struct LangfuseArgs {
    /// The file; one that is there is written anew.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What is exported.
    #[command(flatten)]
    pub from: From,
}

/// A git repository.
#[derive(Args, Clone, Debug)]
pub struct GitArgs {
    /// The repository's folder: an empty one, none, or that of an earlier run.
    pub dir: PathBuf,
    /// What the file of a text ends with; that of a chat ends with `.json`.
    #[arg(long, default_value_t)]
    pub suffix: Suffix,
    /// What is exported.
    #[command(flatten)]
    pub from: From,
}

/// What is exported: the tenant of the key.
#[derive(Args, Clone, Debug)]
pub struct From {
    /// The server that it is on.
    #[command(flatten)]
    pub server: Server,
    /// For how many seconds a server that is away or busy is tried again.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub patience: u64,
    /// Says what would be exported, and reads no text and writes nothing.
    #[arg(long)]
    pub dry_run: bool,
}

impl ExportArgs {
    /// The tenant whose key is in a file as lines of JSON.
    #[must_use]
    pub fn ndjson(file: &Path, url: &str, key_file: &Path) -> Self {
        let from = From::new(url, key_file);
        Self { form: Form::Ndjson(NdjsonArgs { file: file.to_owned(), from }) }
    }

    /// The tenant whose key is in a file as Langfuse has prompts.
    #[must_use]
    pub fn langfuse(file: &Path, url: &str, key_file: &Path) -> Self {
        let (file, from) = (file.to_owned(), From::new(url, key_file));
        Self { form: Form::LangfuseJson(LangfuseArgs { file, from }) }
    }

    /// The tenant whose key is in a file as a git repository.
    #[must_use]
    pub fn git(dir: &Path, url: &str, key_file: &Path) -> Self {
        let (dir, from) = (dir.to_owned(), From::new(url, key_file));
        Self { form: Form::Git(GitArgs { dir, suffix: Suffix::default(), from }) }
    }

    /// What is exported.
    #[must_use]
    pub fn from(&mut self) -> &mut From {
        match &mut self.form {
            Form::Ndjson(args) => &mut args.from,
            Form::Git(args) => &mut args.from,
            Form::LangfuseJson(args) => &mut args.from,
        }
    }
}

impl From {
    fn new(url: &str, key_file: &Path) -> Self {
        Self { server: Server::new(url, key_file), patience: 120, dry_run: false }
    }
}
