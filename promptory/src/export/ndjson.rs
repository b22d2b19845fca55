//! A history as lines of JSON in a file. A run that was cut short is gone on with: whole lines stay, the torn one goes.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::ExportError;
use super::args::NdjsonArgs;
use super::report::Report;
use super::source::Source;
use crate::history::{End, Head, Line};

pub(super) fn run(args: &NdjsonArgs) -> Result<Report, ExportError> {
    let source = Source::open(&args.from)?;
    let failed = |error| ExportError::File { path: args.file.clone(), error };
    if args.file == Path::new("-") {
        let mut lines = Lines::new(BufWriter::new(io::stdout().lock()));
        lines.write(&Line::Head(source.head().clone())).map_err(failed)?;
        return export(source, lines, 0, failed).map(|(report, _)| report);
    }
    let mut options = OpenOptions::new();
    let mut file = options.read(true).write(true).create(true).truncate(false).open(&args.file).map_err(failed)?;
    let kept = match kept(&file, source.head()).map_err(failed)? {
        Ok(kept) => kept,
        Err(why) => return Err(ExportError::There(args.file.clone(), why)),
    };
    let keep = |file: &mut File| {
        file.set_len(kept.bytes)?;
        file.seek(SeekFrom::End(0)).map(drop)
    };
    keep(&mut file).map_err(failed)?;
    let mut lines = Lines { out: BufWriter::new(file), hash: kept.hash, commits: kept.commits };
    if kept.bytes == 0 {
        lines.write(&Line::Head(source.head().clone())).map_err(failed)?;
    }
    let (report, out) = export(source.starting_at(kept.next), lines, kept.commits, failed)?;
    let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    Ok(report)
}

fn export<W: Write>(
    mut source: Source,
    mut lines: Lines<W>,
    already_there: u64,
    failed: impl Fn(io::Error) -> ExportError,
) -> Result<(Report, W), ExportError> {
    let until = source.until();
    let mut report = Report { already_there, until, ..Report::default() };
    while let Some(commit) = source.next_commit()? {
        report.add(&commit);
        lines.write(&Line::Commit(Box::new(commit))).map_err(&failed)?;
    }
    let out = lines.end(until).map_err(&failed)?;
    Ok((report, out))
}

/// Lines that are written.
struct Lines<W> {
    out: W,
    hash: Sha256,
    commits: u64,
}

impl<W: Write> Lines<W> {
    fn new(out: W) -> Self {
        Self { out, hash: Sha256::new(), commits: 0 }
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.hash.update(&bytes);
        self.commits += u64::from(matches!(line, Line::Commit(_)));
        self.out.write_all(&bytes)
    }

    fn end(mut self, until: u64) -> io::Result<W> {
        let sha256 = data_encoding::HEXLOWER.encode(&self.hash.clone().finalize());
        self.write(&Line::End(End { until, commits: self.commits, sha256 }))?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// How an exported history begins.
const BEGINS: &[u8] = b"{\"line\":\"head\"";

/// What stays of a file that is there.
struct Kept {
    bytes: u64,
    hash: Sha256,
    commits: u64,
    /// The index to go on from.
    next: u64,
}

/// What stays of a file, or why it is not to be touched.
fn kept(file: &File, head: &Head) -> io::Result<Result<Kept, String>> {
    let mut kept = Kept { bytes: 0, hash: Sha256::new(), commits: 0, next: 0 };
    let (mut reader, mut bytes) = (BufReader::new(file), Vec::new());
    while {
        bytes.clear();
        reader.read_until(b'\n', &mut bytes)?
    } > 0
        && bytes.ends_with(b"\n")
    {
        match serde_json::from_slice(&bytes) {
            Ok(Line::Head(there)) if kept.bytes == 0 && there == *head => {}
            Ok(Line::Head(there)) if kept.bytes == 0 => {
                return Ok(Err(format!("holds the history of {} {}", there.tenant, there.incarnation)));
            }
            Ok(Line::Commit(commit)) if kept.bytes > 0 => {
                kept.commits += 1;
                kept.next = commit.last_index().saturating_add(1);
            }
            Ok(Line::End(end)) if kept.bytes > 0 => {
                kept.next = kept.next.max(end.until.saturating_add(1));
                break; // it is written anew, behind what is new
            }
            _ => return Ok(Err("is there and is no exported history".into())),
        }
        kept.hash.update(&bytes);
        kept.bytes += bytes.len() as u64;
    }
    // A first line that is torn must at least begin as ours do.
    let common = bytes.len().min(BEGINS.len());
    if kept.bytes == 0 && bytes.get(..common) != BEGINS.get(..common) {
        return Ok(Err("is there and is no exported history".into()));
    }
    Ok(Ok(kept))
}
