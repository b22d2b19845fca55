//! The stream that `git fast-import` reads. It is ended with `done`: a stream that breaks off moves no ref.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufWriter, Write};
use std::process::{Child, ChildStdin, Stdio};

use super::Deed;
use super::tree::{Change, Mark};
use crate::export::GitError;
use crate::import::Repository;

/// A running fast-import.
pub struct Stream {
    child: Child,
    out: BufWriter<ChildStdin>,
    /// Refs that were there before, until this run has begun to write to them.
    waiting: HashSet<String>,
    last: i64,
}

impl Stream {
    /// Starts git on a repository.
    ///
    /// # Errors
    /// It can't be run.
    pub fn start(repository: &Repository) -> Result<Self, GitError> {
        let refs = repository.ask(&["for-each-ref", "--format=%(refname)"])?;
        let marks = repository.git_folder()?.join("promptory-marks");
        let marks = marks.to_str().ok_or_else(|| GitError::Refused("the folder's name is no UTF-8".into()))?;
        let (read, write) = (format!("--import-marks-if-exists={marks}"), format!("--export-marks={marks}"));
        let mut child = repository.start(&["fast-import", "--quiet", "--done", &read, &write], Stdio::piped())?;
        let Some(stdin) = child.stdin.take() else {
            return Err(GitError::Refused("fast-import takes no input".into()));
        };
        let waiting = refs.lines().map(str::to_owned).collect();
        Ok(Self { child, out: BufWriter::with_capacity(256 * 1024, stdin), waiting, last: 0 })
    }

    /// A blob, to be named by its mark.
    ///
    /// # Errors
    /// git has ended.
    pub fn blob(&mut self, mark: Mark, bytes: &[u8]) -> Result<(), GitError> {
        self.write(format!("blob\nmark :{mark}\n").as_bytes())?;
        self.data(bytes)
    }

    /// A commit on each ref that changes; gives how many those are.
    ///
    /// # Errors
    /// git has ended.
    pub fn commit(&mut self, deed: &Deed, message: &str, changes: Vec<Change>) -> Result<u64, GitError> {
        let mut views: BTreeMap<String, Vec<(String, Option<Mark>)>> = BTreeMap::new();
        for Change { view, path, blob } in changes {
            views.entry(view).or_default().push((path, blob));
        }
        let count = views.len() as u64;
        for (view, mut paths) in views {
            paths.sort_by_key(|(_, blob)| blob.is_some()); // what goes makes room for what comes
            self.begin(&format!("refs/heads/{view}"), deed, message)?;
            for (path, blob) in paths {
                let path = quoted(&path);
                let line = match blob {
                    Some(mark) => format!("M 100644 :{mark} {path}\n"),
                    None => format!("D {path}\n"),
                };
                self.write(line.as_bytes())?;
            }
            self.write(b"\n")?;
        }
        self.last = deed.counts_from;
        Ok(count)
    }

    fn begin(&mut self, name: &str, deed: &Deed, message: &str) -> Result<(), GitError> {
        let Deed { author, actor, happened, counts_from, .. } = deed;
        let (author, actor) = (person(author), person(actor));
        let head = format!("commit {name}\nauthor {author} {happened} +0000\ncommitter {actor} {counts_from} +0000\n");
        self.write(head.as_bytes())?;
        self.data(message.as_bytes())?;
        if self.waiting.remove(name) { self.write(format!("from {name}^0\n").as_bytes()) } else { Ok(()) }
    }

    /// A file on a ref of its own, in the place of the one before.
    ///
    /// # Errors
    /// git has ended.
    pub fn state(&mut self, name: &str, file: &str, bytes: &[u8]) -> Result<(), GitError> {
        let (author, actor) = ("promptory".to_owned(), "promptory".to_owned());
        let (happened, counts_from) = (self.last, self.last);
        let deed = Deed { author, actor, message: None, happened, counts_from, batch: None };
        self.begin(name, &deed, "Where the export ended\n")?;
        self.write(format!("M 100644 inline {file}\n").as_bytes())?;
        self.data(bytes)?;
        self.write(b"\n")
    }

    /// Everything was said: git moves the refs.
    ///
    /// # Errors
    /// git refuses.
    pub fn end(mut self) -> Result<(), GitError> {
        self.write(b"done\n")?;
        self.out.flush().map_err(GitError::Run)?;
        drop(self.out);
        let status = self.child.wait().map_err(GitError::Run)?;
        if status.success() { Ok(()) } else { Err(GitError::Refused(format!("fast-import ended with {status}"))) }
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), GitError> {
        self.write(format!("data {}\n", bytes.len()).as_bytes())?;
        self.write(bytes)?;
        self.write(b"\n")
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), GitError> {
        self.out.write_all(bytes).map_err(GitError::Run)
    }
}

/// A pseudonym as git wants people. Pseudonyms have no sign that means something there.
fn person(pseudonym: &str) -> String {
    format!("{pseudonym} <{pseudonym}@promptory.invalid>")
}

/// A path in quotes, as git reads them.
fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
}
