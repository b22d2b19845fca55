//! Edits from `.jsonl` and `.jsonl.gz` files, or from standard input: one a line, read as a stream.
//!
//! Every line that is not blank gives exactly one [`Read`] if it is an edit or should be one; a line that is none says why
//! and is never left out. Lines of other forms are read by whoever brings a [`Reader`].

mod line;
mod parse;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::edit::{Found, Place, Read};
use line::Line;

/// What reads the lines of one file, in order: what a line says, without its end. Blank lines are left out; nothing at all
/// stands for the end of the file.
pub type Reader = Box<dyn FnMut(&[u8]) -> Vec<Found> + Send>;

/// Makes a reader for each file.
pub type Readers = Box<dyn Fn() -> Reader + Send>;

/// Several files, one after the other.
pub struct Files {
    waiting: std::vec::IntoIter<PathBuf>,
    readers: Readers,
    open: Option<Lines>,
    bytes_read: Arc<AtomicU64>,
}

impl Files {
    /// Looks whether all files are there, so that nothing is sent when one is not. Gives their bytes together, if they
    /// are known.
    ///
    /// # Errors
    /// The file that can't be opened.
    pub fn open(paths: Vec<PathBuf>) -> Result<(Self, Option<u64>), (PathBuf, io::Error)> {
        Self::of(paths, Box::new(edits))
    }

    /// The same of files whose lines are something else.
    ///
    /// # Errors
    /// The file that can't be opened.
    pub fn of(paths: Vec<PathBuf>, readers: Readers) -> Result<(Self, Option<u64>), (PathBuf, io::Error)> {
        let mut total = Some(0);
        for path in &paths {
            if is_stdin(path) {
                total = None;
                continue;
            }
            let metadata = File::open(path).and_then(|file| file.metadata()).map_err(|e| (path.clone(), e))?;
            total = total.filter(|_| metadata.is_file()).map(|sum| sum + metadata.len());
        }
        Ok((Self { waiting: paths.into_iter(), readers, open: None, bytes_read: Arc::default() }, total))
    }
}

impl Iterator for Files {
    type Item = Read;

    fn next(&mut self) -> Option<Read> {
        loop {
            if let Some(read) = self.open.as_mut().and_then(Iterator::next) {
                return Some(read);
            }
            self.open = Some(Lines::open(&self.waiting.next()?, &self.bytes_read, (self.readers)()));
        }
    }
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Each line an edit.
fn edits() -> Reader {
    Box::new(|line| match parse::edit(line) {
        _ if line.is_empty() => vec![],
        Ok(edit) => vec![Found::Edit(Box::new(edit))],
        Err(why) => vec![Found::Bad(why)],
    })
}

/// The lines of one file.
pub struct Lines {
    reader: Option<Box<dyn BufRead + Send>>,
    read_line: Reader,
    ready: VecDeque<Found>,
    bytes_read: Arc<AtomicU64>,
    place: Place,
    failed: Option<io::Error>,
    buffer: Vec<u8>,
}

impl Lines {
    fn open(path: &Path, bytes_read: &Arc<AtomicU64>, read_line: Reader) -> Self {
        let file = path.to_string_lossy();
        let input: io::Result<Box<dyn io::Read + Send>> =
            if is_stdin(path) { Ok(Box::new(io::stdin())) } else { File::open(path).map(|file| Box::new(file) as _) };
        match input {
            Ok(input) => Self::new(&file, input, bytes_read, read_line),
            Err(error) => {
                Self { failed: Some(error), ..Self::new(&file, Box::new(io::empty()), bytes_read, read_line) }
            }
        }
    }

    /// The lines of anything that can be read, compressed with gzip or not.
    pub fn new(file: &str, input: Box<dyn io::Read + Send>, bytes_read: &Arc<AtomicU64>, read_line: Reader) -> Self {
        let counted = Counted { input, bytes: Arc::clone(bytes_read) };
        let (reader, failed) = match unpacked(counted) {
            Ok(reader) => (Some(reader), None),
            Err(error) => (None, Some(error)),
        };
        let place = Place { file: file.into(), line: 0 };
        let (bytes_read, ready, buffer) = (Arc::clone(bytes_read), VecDeque::new(), Vec::new());
        Self { reader, read_line, ready, bytes_read, place, failed, buffer }
    }

    fn read(&self, found: Found) -> Read {
        Read { place: self.place.clone(), found, progress: self.bytes_read.load(Ordering::Relaxed) }
    }

    /// What the line in the buffer says, into `ready`.
    fn take(&mut self) {
        let line = self.buffer.trim_ascii();
        let line = if self.place.line == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        if !line.trim_ascii().is_empty() {
            self.ready.extend((self.read_line)(line));
        }
    }
}

impl Iterator for Lines {
    type Item = Read;

    fn next(&mut self) -> Option<Read> {
        loop {
            if let Some(found) = self.ready.pop_front() {
                return Some(self.read(found));
            }
            let line = match (&mut self.reader, self.failed.take()) {
                (_, Some(error)) => Err(error),
                (Some(reader), None) => line::read(reader, &mut self.buffer),
                (None, None) => return None,
            };
            if !matches!(line, Ok(Line::End)) {
                self.place.line += 1;
            }
            match line {
                Ok(Line::Whole) => self.take(),
                Ok(Line::TooLong) => {
                    return Some(self.read(Found::Bad(format!("the line is longer than {} bytes", line::MAX_BYTES))));
                }
                Ok(Line::End) => {
                    self.reader = None;
                    self.ready.extend((self.read_line)(b""));
                }
                Err(error) => {
                    // What follows is lost: the file as a whole has failed here, not this line alone.
                    self.reader = None;
                    return Some(self.read(Found::Bad(format!("from here on the file can't be read: {error}"))));
                }
            }
        }
    }
}

/// Unpacks gzip, told by its first two bytes: standard input has no name to tell it by.
fn unpacked(mut input: Counted) -> io::Result<Box<dyn BufRead + Send>> {
    let mut magic = Vec::with_capacity(2);
    input.by_ref().take(2).read_to_end(&mut magic)?;
    let packed = magic == [0x1f, 0x8b];
    let whole = BufReader::with_capacity(64 * 1024, Cursor::new(magic).chain(input));
    Ok(if packed { Box::new(BufReader::with_capacity(64 * 1024, MultiGzDecoder::new(whole))) } else { Box::new(whole) })
}

/// Counts what is read, before it is unpacked.
struct Counted {
    input: Box<dyn io::Read + Send>,
    bytes: Arc<AtomicU64>,
}

impl io::Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
