//! The history as `git log` streams it: commits with the paths that they changed.
//!
//! With `-z` everything ends with a NUL. A commit is its id, committer time, author e-mail, message and an empty field;
//! then come its changes, each beginning with a colon (the first one after a line end), then the next commit.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};

use super::GitError;
use super::repo::Repository;

/// A commit and what it did to its first parent's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its full id.
    pub id: String,
    /// The committer's time, seconds since 1970 UTC.
    pub seconds: i64,
    /// The author's e-mail address. Only its pseudonym may leave this machine.
    pub email: String,
    /// Its message.
    pub message: String,
    /// What it changed.
    pub changes: Vec<Change>,
}

/// What a commit did to a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What was there before.
    pub before: Side,
    /// What is there afterwards; after a rename at another path.
    pub after: Side,
}

impl Change {
    /// Whether it is about two paths.
    pub fn moved(&self) -> bool {
        self.before.path != self.after.path
    }
}

/// One side of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// Where.
    pub path: Vec<u8>,
    /// What kind of thing.
    pub kind: Kind,
    /// Its content's id.
    pub blob: String,
}

/// What can be at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Absent,
    /// A file.
    File,
    /// A symbolic link.
    Symlink,
    /// Another repository.
    Submodule,
}

/// A running `git log`.
pub struct Log {
    child: Child,
    fields: Fields<BufReader<ChildStdout>>,
}

/// Everything that a user's configuration could change is said.
const ARGS: [&str; 21] = [
    "-c",
    "log.showRoot=true",
    "-c",
    "core.quotePath=false",
    "log",
    "--first-parent",
    "--reverse",
    "--diff-merges=first-parent",
    "--raw",
    "-z",
    "-M",
    "-l1000",
    "--no-abbrev",
    "--no-color",
    "--no-ext-diff",
    "--no-show-signature",
    "--no-notes",
    "--no-mailmap",
    "--ignore-submodules=none",
    "--encoding=UTF-8",
    "--format=tformat:%H%x00%ct%x00%ae%x00%B%x00",
];

impl Log {
    /// The first-parent history of `head`, oldest first.
    ///
    /// # Errors
    /// git can't be run.
    pub fn of(repository: &Repository, head: &str) -> Result<Self, GitError> {
        let args: Vec<&str> = ARGS.into_iter().chain([head, "--"]).collect();
        let mut child = repository.start(&args, Stdio::null())?;
        let stdout = child.stdout.take().ok_or_else(|| GitError::Run(io::Error::other("no output")))?;
        Ok(Self { child, fields: Fields::new(BufReader::with_capacity(64 * 1024, stdout)) })
    }

    /// The next commit.
    ///
    /// # Errors
    /// git says something else than was asked for, or ends badly.
    pub fn next_commit(&mut self) -> io::Result<Option<Commit>> {
        let commit = self.fields.commit()?;
        if commit.is_none() {
            let status = self.child.wait()?;
            if !status.success() {
                return Err(io::Error::other(format!("git log ended with {status}")));
            }
        }
        Ok(commit)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // It may still run when the import stops early.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Fields that end with a NUL.
struct Fields<R> {
    reader: R,
    /// The field that told where the changes of the commit before it end.
    ahead: Option<Vec<u8>>,
}

/// The longest field, a commit message, is cut off by nothing in git.
const FIELD_MAX_BYTES: u64 = 16 * 1024 * 1024;

impl<R: BufRead> Fields<R> {
    fn new(reader: R) -> Self {
        Self { reader, ahead: None }
    }

    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        if let Some(field) = self.ahead.take() {
            return Ok(Some(field));
        }
        let mut field = Vec::new();
        self.reader.by_ref().take(FIELD_MAX_BYTES).read_until(0, &mut field)?;
        match field.pop() {
            None => Ok(None),
            Some(0) => Ok(Some(field)),
            Some(_) => Err(unexpected("a field without an end")),
        }
    }

    fn bytes(&mut self) -> io::Result<Vec<u8>> {
        self.next()?.ok_or_else(|| unexpected("the end"))
    }

    fn text(&mut self) -> io::Result<String> {
        let bytes = self.bytes()?;
        Ok(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }

    fn commit(&mut self) -> io::Result<Option<Commit>> {
        let Some(id) = self.next()? else { return Ok(None) };
        let id = String::from_utf8(id).ok().filter(|id| is_object_id(id)).ok_or_else(|| unexpected("no commit id"))?;
        let seconds = self.text()?.parse().map_err(|_| unexpected("no time"))?;
        let (email, message) = (self.text()?, self.text()?);
        if !self.bytes()?.is_empty() {
            return Err(unexpected("more fields than asked for"));
        }
        let mut changes = Vec::new();
        while let Some(field) = self.next()? {
            let begin = field.strip_prefix(b"\n").unwrap_or(&field);
            let Some(entry) = begin.strip_prefix(b":") else {
                self.ahead = Some(field);
                break;
            };
            changes.push(self.change(entry)?);
        }
        Ok(Some(Commit { id, seconds, email, message, changes }))
    }

    /// `:100644 100644 <blob> <blob> R100`, then one path, or two if it was renamed.
    fn change(&mut self, entry: &[u8]) -> io::Result<Change> {
        let entry = std::str::from_utf8(entry).map_err(|_| unexpected("no change"))?;
        let parts: Vec<&str> = entry.split(' ').collect();
        let &[mode_before, mode_after, blob_before, blob_after, status] = parts.as_slice() else {
            return Err(unexpected("no change"));
        };
        if !is_object_id(blob_before) || !is_object_id(blob_after) {
            return Err(unexpected("no content id"));
        }
        let path = self.bytes()?;
        let path_after = if status.starts_with(['R', 'C']) { self.bytes()? } else { path.clone() };
        // A copy leaves its source alone.
        let kind_before = if status.starts_with('C') { Kind::Absent } else { kind(mode_before)? };
        let before = Side { path, kind: kind_before, blob: blob_before.to_owned() };
        let after = Side { path: path_after, kind: kind(mode_after)?, blob: blob_after.to_owned() };
        Ok(Change { before, after })
    }
}

fn kind(mode: &str) -> io::Result<Kind> {
    match mode.get(..2) {
        Some("00") => Ok(Kind::Absent),
        Some("10") => Ok(Kind::File),
        Some("12") => Ok(Kind::Symlink),
        Some("16") => Ok(Kind::Submodule),
        _ => Err(unexpected("an unknown file mode")),
    }
}

fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn unexpected(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("git log said something unexpected: {what}"))
}

#[cfg(test)]
mod tests;
