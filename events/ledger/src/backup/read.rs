//! The file of a ledger again, checked as it is read: sums, each tenant's lineage, and that it is whole.
//!
//! A batch is given as soon as it is read, up to a few MiB before the sum over it. Whoever may not take back what it
//! does with a batch calls [`Archive::check`] first.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use bytes::Bytes;
use promptory_events::{Cursor, TenantId};
use serde::de::DeserializeOwned;

use super::format::{self, BATCH, Frames, HEADER, ROLLUP, ROLLUPS, SUM, TENANT};
use super::lineage::{Lineages, Summary};
use super::{BackupError, Contents, FORMAT, Header};
use crate::port::Recorded;

const BUFFER_BYTES: usize = 1024 * 1024;

/// Something that a file holds.
enum Part {
    Batch(TenantId, Recorded),
    Rollup(TenantId, Bytes),
}

/// A ledger's file that is being read.
pub struct Archive {
    header: Header,
    frames: Frames<BufReader<File>>,
    lineages: Lineages,
    tenants: Vec<Summary>,
    /// Rollups that were read, and that there are.
    rollups: (u64, Option<u64>),
    /// The last frame was a sum: the file may end here.
    summed: bool,
    ended: bool,
}

impl Archive {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// It can't be read, or is no ledger's file of this or an earlier release.
    pub fn open(path: &Path) -> Result<Self, BackupError> {
        let input = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
        let mut frames = Frames::new(input, format::LEDGER)?;
        let header: Header = match frames.next()? {
            Some((HEADER, payload)) => parse(&frames, &payload)?,
            Some(_) => return Err(frames.damaged("it has no header".to_owned())),
            None => return Err(BackupError::Cut(frames.at)),
        };
        if header.format != FORMAT {
            let what = format!("has format {}, this release reads {FORMAT}", header.format);
            return Err(BackupError::NotOurs(what));
        }
        let lineages = Lineages::new(header.incarnation);
        Ok(Self { header, frames, lineages, tenants: Vec::new(), rollups: (0, None), summed: false, ended: false })
    }

    /// Reads a whole file and gives what is in it. Blocks.
    ///
    /// # Errors
    /// Whatever is wrong with it.
    pub fn check(path: &Path) -> Result<Contents, BackupError> {
        let mut archive = Self::open(path)?;
        while archive.next()?.is_some() {}
        Ok(archive.contents())
    }

    /// What it says first.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The lineages of what was read so far.
    #[must_use]
    pub fn lineages(&self) -> &Lineages {
        &self.lineages
    }

    /// What is in it; whole after [`Archive::next`] gave `None`.
    #[must_use]
    pub fn contents(self) -> Contents {
        Contents { header: self.header, tenants: self.tenants, rollups: self.rollups.0 }
    }

    /// The next batch with its tenant, each tenant's in order; `None` at the end, when everything was found as it should
    /// be. Blocks.
    ///
    /// # Errors
    /// The file is damaged or cut off, or a batch in it can't be where it is.
    #[allow(clippy::should_implement_trait, reason = "an iterator would have to be asked again after an error")]
    pub fn next(&mut self) -> Result<Option<(TenantId, Recorded)>, BackupError> {
        loop {
            match self.part()? {
                Some(Part::Batch(tenant, recorded)) => return Ok(Some((tenant, recorded))),
                Some(Part::Rollup(..)) => {}
                None => return Ok(None),
            }
        }
    }

    /// The next rollup of usage with its tenant, each tenant's in order; `None` at the end, as [`Archive::next`]. Blocks.
    ///
    /// # Errors
    /// As there.
    pub fn next_rollup(&mut self) -> Result<Option<(TenantId, Bytes)>, BackupError> {
        loop {
            match self.part()? {
                Some(Part::Rollup(tenant, rollup)) => return Ok(Some((tenant, rollup))),
                Some(Part::Batch(..)) => {}
                None => return Ok(None),
            }
        }
    }

    fn part(&mut self) -> Result<Option<Part>, BackupError> {
        while !self.ended {
            let Some((kind, payload)) = self.frames.next()? else {
                self.end()?;
                self.ended = true;
                break;
            };
            self.summed = kind == SUM;
            match kind {
                BATCH if self.tenants.is_empty() => {
                    return self.batch(payload).map(|(tenant, recorded)| Some(Part::Batch(tenant, recorded)));
                }
                ROLLUP if self.rollups.1.is_none() => return self.rollup(payload).map(Some),
                ROLLUPS => self.rollups.1 = Some(parse(&self.frames, &payload)?),
                TENANT => {
                    let summary = parse(&self.frames, &payload)?;
                    self.tenants.push(summary);
                }
                SUM => {}
                other => return Err(self.frames.damaged(format!("a part of kind {other} where none belongs"))),
            }
        }
        Ok(None)
    }

    fn rollup(&mut self, payload: Vec<u8>) -> Result<Part, BackupError> {
        let mut payload = Bytes::from(payload);
        let place = |payload: &mut Bytes| {
            let end = 1 + usize::from(*payload.first()?);
            let tenant: TenantId = std::str::from_utf8(payload.get(1..end)?).ok()?.parse().ok()?;
            Some((tenant, payload.split_off(end)))
        };
        let place = place(&mut payload);
        let (tenant, rollup) = place.ok_or_else(|| self.frames.damaged("a rollup's place can't be read".to_owned()))?;
        self.rollups.0 += 1;
        Ok(Part::Rollup(tenant, rollup))
    }

    fn batch(&mut self, payload: Vec<u8>) -> Result<(TenantId, Recorded), BackupError> {
        let mut payload = Bytes::from(payload);
        let place = |payload: &mut Bytes| {
            let sequence = u64::from_le_bytes(payload.get(..8)?.try_into().ok()?);
            let end = 9 + usize::from(*payload.get(8)?);
            let tenant: TenantId = std::str::from_utf8(payload.get(9..end)?).ok()?.parse().ok()?;
            Some((sequence, tenant, payload.split_off(end)))
        };
        let place = place(&mut payload);
        let (sequence, tenant, bytes) =
            place.ok_or_else(|| self.frames.damaged("a batch's place can't be read".to_owned()))?;
        if self.lineages.take(sequence, &bytes)?.tenant != tenant {
            return Err(self.frames.damaged(format!("batch {sequence} is not of {tenant}")));
        }
        let cursor = Cursor { incarnation: self.header.incarnation, sequence };
        Ok((tenant, Recorded { cursor, bytes }))
    }

    /// The file ends here: is it whole?
    fn end(&self) -> Result<(), BackupError> {
        if !self.summed || self.tenants.len() < self.lineages.len() || self.rollups.1.is_none() {
            return Err(BackupError::Cut(self.frames.at));
        }
        if !self.tenants.iter().cloned().eq(self.lineages.summaries()) {
            return Err(self.frames.damaged("what it says of its tenants is not what it holds".to_owned()));
        }
        let (read, said) = self.rollups;
        if said != Some(read) {
            return Err(self.frames.damaged(format!("{read} rollups, said were {}", said.unwrap_or_default())));
        }
        let (said, held) = (self.header.ends.iter().sum::<u64>(), self.tenants.iter().map(|t| t.batches).sum::<u64>());
        if said == held { Ok(()) } else { Err(self.frames.damaged(format!("{held} batches, said were {said}"))) }
    }
}

fn parse<T: DeserializeOwned>(frames: &Frames<BufReader<File>>, json: &[u8]) -> Result<T, BackupError> {
    serde_json::from_slice(json).map_err(|error| frames.damaged(error.to_string()))
}
