//! Edits from a git repository: the first-parent history of a revision, each commit compared with its first parent.
//!
//! The edits are always a valid sequence: what is live is followed here, so a file whose text can't be taken is created
//! when it first can, and nothing is edited, moved or deleted that is not there.

mod author;
mod blobs;
mod log;
mod plan;
mod repo;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use promptory_events::{Author, Timestamp, limits};

use super::edit::{Change, Edit, Found, Origin, Place, Read};
use author::Pseudonyms;
use blobs::{Blob, Blobs};
use log::{Commit, Log};
use plan::{Plan, Put, Rename};
pub(crate) use repo::Repository;

/// The history could not be read.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// git could not be run.
    #[error("git can't be run")]
    Run(#[source] io::Error),
    /// git refused.
    #[error("git: {0}")]
    Refused(String),
    /// A pattern is none.
    #[error(transparent)]
    Glob(#[from] globset::Error),
    /// The salt of the authors' pseudonyms.
    #[error("the salt file {0}")]
    Salt(PathBuf, #[source] io::Error),
}

/// What is to be read.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The repository's folder.
    pub folder: &'a Path,
    /// The revision whose history it is.
    pub revision: &'a str,
    /// Which paths are prompts.
    pub globs: &'a [String],
    /// Where the salt of the authors' pseudonyms lies; in the repository's git folder if not given.
    pub salt_file: Option<&'a Path>,
}

/// A repository's history as edits.
pub struct History {
    log: Log,
    blobs: Blobs,
    globs: GlobSet,
    pseudonyms: Pseudonyms,
    place: Place,
    seq: u64,
    live: BTreeSet<String>,
    ready: VecDeque<Read>,
    ended: bool,
}

impl History {
    /// Opens a repository; gives how many commits there are.
    ///
    /// # Errors
    /// There is no such repository or revision, a pattern is none, the salt can't be read or made.
    pub fn open(wanted: &Wanted<'_>) -> Result<(Self, u64), GitError> {
        let globs = globs(wanted.globs)?;
        let repository = Repository::new(wanted.folder);
        let head = repository.commit(wanted.revision)?;
        let salt_file = match wanted.salt_file {
            Some(file) => file.to_owned(),
            None => repository.git_folder()?.join(author::SALT_FILE),
        };
        let pseudonyms = Pseudonyms::open(&salt_file).map_err(|error| GitError::Salt(salt_file, error))?;
        let commits = repository.count(&head)?;
        let place = Place { file: wanted.folder.to_string_lossy().into(), line: 0 };
        let (log, blobs) = (Log::of(&repository, &head)?, Blobs::of(&repository)?);
        let (live, ready) = (BTreeSet::new(), VecDeque::new());
        Ok((Self { log, blobs, globs, pseudonyms, place, seq: 0, live, ready, ended: false }, commits))
    }

    /// A commit's edits, into `ready`.
    fn take(&mut self, commit: &Commit) {
        let globs = &self.globs;
        let in_scope = |path: &[u8]| globs.is_match(Path::new(std::ffi::OsStr::from_bytes(path)));
        let plan = Plan::of(&commit.changes, in_scope, &self.live);
        let mut told = Told::new(commit, self.pseudonyms.of(&commit.email), self.seq);
        for rename in plan.renames {
            self.rename(rename, &mut told);
        }
        for path in plan.deletes {
            if self.live.remove(&path) {
                told.edit(path, Change::Delete);
            }
        }
        for put in plan.puts {
            self.put(put, &mut told);
        }
        for skipped in plan.skipped {
            told.skipped(&skipped.path, skipped.why);
        }
        for unreadable in plan.unreadable {
            told.bad(&unreadable, "the path is no UTF-8");
        }
        self.seq += 1;
        for found in told.found {
            self.say(found);
        }
    }

    /// A move never gets lost: if the text can't be taken, the prompt moves with the text it has.
    fn rename(&mut self, rename: Rename, told: &mut Told<'_>) {
        let Rename { from, to, blob } = rename;
        let text = self.text(&blob);
        self.live.remove(&from);
        self.live.insert(to.clone());
        let (text, why) = match text {
            Ok(text) => (Some(text), None),
            Err(why) => (None, Some(why)),
        };
        told.edit(to.clone(), Change::Rename { from, text });
        if let Some(why) = why {
            told.bad(&to, &format!("{why}; it was renamed with the text it had"));
        }
    }

    fn put(&mut self, put: Put, told: &mut Told<'_>) {
        match self.text(&put.blob) {
            Ok(text) if self.live.insert(put.path.clone()) => told.edit(put.path, Change::Create { text }),
            Ok(text) => told.edit(put.path, Change::Edit { text }),
            Err(why) => told.bad(&put.path, &why),
        }
    }

    fn text(&mut self, blob: &str) -> Result<String, String> {
        let max = limits::CONTENT_MAX_BYTES;
        match self.blobs.get(blob, max) {
            Ok(Blob::Bytes(bytes)) => String::from_utf8(bytes)
                .map_err(|e| format!("no UTF-8 from byte {} on", e.utf8_error().valid_up_to() + 1)),
            Ok(Blob::TooLarge(bytes)) => Err(format!("it has {bytes} bytes; at most {max} are allowed")),
            Ok(Blob::Missing) => Err(format!("the repository does not hold its content {blob}")),
            Err(error) => Err(format!("its content can't be read: {error}")),
        }
    }

    fn say(&mut self, found: Found) {
        self.place.line += 1;
        self.ready.push_back(Read { place: self.place.clone(), found, progress: self.seq });
    }
}

impl Iterator for History {
    type Item = Read;

    fn next(&mut self) -> Option<Read> {
        while self.ready.is_empty() && !self.ended {
            match self.log.next_commit() {
                Ok(Some(commit)) => self.take(&commit),
                Ok(None) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    self.say(Found::Bad(format!("from here on the history can't be read: {error}")));
                }
            }
        }
        self.ready.pop_front()
    }
}

/// What one commit led to.
struct Told<'a> {
    commit: &'a Commit,
    id: Arc<str>,
    author: Option<Author>,
    message: Option<String>,
    seq: u64,
    found: Vec<Found>,
}

impl<'a> Told<'a> {
    fn new(commit: &'a Commit, author: Option<Author>, seq: u64) -> Self {
        let message = Some(commit.message.trim_end()).filter(|m| !m.is_empty()).map(str::to_owned);
        Self { commit, id: commit.id.as_str().into(), author, message, seq, found: Vec::new() }
    }

    fn edit(&mut self, path: String, change: Change) {
        // A commit's hash stands for its whole history already, wherever the repository lies.
        let origin = Origin { repo: "git".into(), commit: Arc::clone(&self.id), seq: self.seq };
        let time = Timestamp::from_micros(self.commit.seconds.saturating_mul(1_000_000));
        let (author, message) = (self.author.clone(), self.message.clone());
        self.found.push(Found::Edit(Box::new(Edit { path, change, title: None, time, author, message, origin })));
    }

    fn bad(&mut self, path: &str, why: &str) {
        self.found.push(Found::Bad(format!("{path:?} in {}: {why}", self.short())));
    }

    fn skipped(&mut self, path: &str, why: &str) {
        self.found.push(Found::Skipped(format!("{path:?} in {}: {why}", self.short())));
    }

    fn short(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
    }
}

/// `*` stays within a folder, `**` does not.
pub fn globs(patterns: &[String]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(GlobBuilder::new(pattern).literal_separator(true).build()?);
    }
    set.build()
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
