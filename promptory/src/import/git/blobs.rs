//! Contents of files, from one running `git cat-file --batch`.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::GitError;
use super::repo::Repository;

/// A running `git cat-file`.
pub struct Blobs {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// What is known of a content.
#[derive(Debug, PartialEq, Eq)]
pub enum Blob {
    /// All of it.
    Bytes(Vec<u8>),
    /// Its length: it is over the bound and was not kept.
    TooLarge(u64),
    /// The repository does not hold it.
    Missing,
}

impl Blobs {
    /// Starts git.
    ///
    /// # Errors
    /// It can't be run.
    pub fn of(repository: &Repository) -> Result<Self, GitError> {
        let mut child = repository.start(&["cat-file", "--batch"], Stdio::piped())?;
        let pipe = || GitError::Run(io::Error::other("no pipe"));
        let questions = child.stdin.take().ok_or_else(pipe)?;
        let answers = BufReader::with_capacity(64 * 1024, child.stdout.take().ok_or_else(pipe)?);
        Ok(Self { child, questions: Some(questions), answers })
    }

    /// A content of at most `max` bytes.
    ///
    /// # Errors
    /// git has ended, or says something else than was asked for.
    pub fn get(&mut self, id: &str, max: usize) -> io::Result<Blob> {
        let questions = self.questions.as_mut().ok_or_else(|| unexpected("the end"))?;
        // One question at a time: neither side can wait for the other's full pipe.
        questions.write_all(format!("{id}\n").as_bytes())?;
        questions.flush()?;
        let mut head = String::new();
        (&mut self.answers).take(256).read_line(&mut head)?;
        let parts: Vec<&str> = head.trim_end().split(' ').collect();
        match parts.as_slice() {
            [_, "missing"] => Ok(Blob::Missing),
            [_, "blob", size] => {
                let size = size.parse().map_err(|_| unexpected("no length"))?;
                self.content(size, max)
            }
            _ => Err(unexpected("no content")),
        }
    }

    fn content(&mut self, size: u64, max: usize) -> io::Result<Blob> {
        let mut content = (&mut self.answers).take(size);
        let blob = if size > max as u64 {
            io::copy(&mut content, &mut io::sink())?;
            Blob::TooLarge(size)
        } else {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            Blob::Bytes(bytes)
        };
        let mut end = [0];
        self.answers.read_exact(&mut end)?; // a line end after each content
        if end == *b"\n" { Ok(blob) } else { Err(unexpected("a longer content")) }
    }
}

impl Drop for Blobs {
    fn drop(&mut self) {
        drop(self.questions.take()); // it ends when nobody can ask any more
        let _ = self.child.wait();
    }
}

fn unexpected(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("git cat-file said something unexpected: {what}"))
}
