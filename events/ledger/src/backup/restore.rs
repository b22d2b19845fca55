//! File to ledger: every batch through the port's own append and guard, its commits byte by byte as they were.
//!
//! What is restored is a new life. So a batch gets a header that names this life and the sequence of the batch before
//! it here; its id, index, times and commits stay. `_system` comes last: before it is there no server lets anybody in.
//!
//! An interrupted restore goes on where it stopped, if what is there is exactly a beginning of what is in the file.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use promptory_events::{Batch, BatchHeader, CodecError, CommandId, Cursor, Incarnation, TenantId, partition};
use tokio::sync::mpsc;

use super::lineage::Lineages;
use super::{Archive, BackupError, Contents, sweep};
use crate::port::{AppendError, Ledger, ReadError, Recorded};

/// Appends under way at once: in number and in bytes.
const WINDOW: usize = 256;
const WINDOW_BYTES: usize = 16 * 1024 * 1024;
/// Batches that were read and wait to be appended.
const READ_AHEAD: usize = 64;
/// A ledger that takes nothing for so long is given up; the restore can go on later.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);

/// Why a ledger could not be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The file, or reading the ledger.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The file lacks the ledger that says which tenants there are.
    #[error("the backup has no ledger `_system`: it is of a ledger that was never set up")]
    NoSystem,
    /// There is something already.
    #[error("the ledger is not empty: {0} has events; a backup is restored into an empty one")]
    NotEmpty(TenantId),
    /// What is there is no beginning of what is in the file.
    #[error("the restore can't go on: what the ledger has of {0} is not a beginning of what the backup has")]
    OtherContents(TenantId),
    /// Somebody writes to the ledger.
    #[error("somebody else wrote to {0} while it was restored; begin again with a new ledger")]
    SomebodyWrites(TenantId),
    /// A batch was refused.
    #[error("a batch of {tenant} can't be restored: {why}")]
    Refused {
        /// Whose.
        tenant: TenantId,
        /// Why.
        why: String,
    },
    /// It took nothing for a long time.
    #[error("the ledger takes nothing ({0}); the restore can be resumed")]
    Stuck(String),
    /// What was restored is not what is in the file.
    #[error("what was restored is not what the backup has: {0}")]
    Differs(TenantId),
}

impl From<ReadError> for RestoreError {
    fn from(error: ReadError) -> Self {
        Self::Backup(error.into())
    }
}

/// How far a restore has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Batches that are there.
    pub done: u64,
    /// Batches in all.
    pub total: u64,
}

/// The id of the command that says, in `_system`, that a backup was restored; `part` numbers them.
#[must_use]
pub fn record_id(contents: &Contents, into: Incarnation, part: usize) -> CommandId {
    let key = format!("restore/{}/{into}/{part}", contents.header.backup);
    CommandId::from_idempotency_key(&TenantId::system(), promptory_events::PrincipalId::SYSTEM, &key)
}

/// Restores a file, whose `contents` were checked ([`Archive::check`]), into an empty ledger; with `resume` also into one
/// where a restore of it was interrupted. Reads everything back and compares. What was restored is then to be recorded
/// (see [`record_id`]).
///
/// # Errors
/// The ledger is not empty, somebody writes to it, or it can't be written; the file is damaged.
pub async fn restore(
    ledger: &Ledger,
    path: &Path,
    contents: &Contents,
    resume: bool,
    mut progress: impl FnMut(Progress),
) -> Result<(), RestoreError> {
    let records = Records::of(contents, ledger.incarnation())?;
    let there = there(ledger, &records).await?;
    if let Some(first) = there.summaries().next() {
        if !resume {
            return Err(RestoreError::NotEmpty(first.tenant));
        }
        compare(path, &there).await?;
    }
    let mut appender = Appender::new(ledger, &there).await?;
    let mut done = 0;
    for system in [false, true] {
        let mut batches = Reading::start(path.to_owned());
        while let Some((tenant, batch)) = batches.next().await? {
            if tenant.is_system() == system {
                appender.take(&tenant, &batch).await?;
                done += 1;
                progress(Progress { done, total: contents.batches() });
            }
        }
        appender.finish().await?; // all else before `_system`
    }
    let now = self::there(ledger, &records).await?;
    match contents.tenants.iter().find(|said| now.get(&said.tenant).is_none_or(|is| is.digest() != said.digest)) {
        Some(other) => Err(RestoreError::Differs(other.tenant.clone())),
        None => Ok(()),
    }
}

/// The events that say, behind all others of `_system`, that this backup was restored here.
struct Records {
    /// Events of `_system` in the backup.
    behind: u64,
    commands: HashSet<CommandId>,
}

impl Records {
    fn of(contents: &Contents, into: Incarnation) -> Result<Self, RestoreError> {
        let system = contents.tenant(&TenantId::system()).ok_or(RestoreError::NoSystem)?;
        let commands = (0..contents.tenants.len()).map(|part| record_id(contents, into, part)).collect();
        Ok(Self { behind: system.events, commands })
    }

    fn has(&self, bytes: &Bytes) -> bool {
        let Ok(batch) = Batch::parse(bytes.clone()) else { return false };
        let behind = batch.header.tenant.is_system() && batch.header.first_index >= self.behind;
        behind && batch.commits.iter().all(|commit| self.commands.contains(&commit.header.command_id))
    }
}

/// What is in the ledger, without the events that say that it was restored.
async fn there(ledger: &Ledger, records: &Records) -> Result<Lineages, BackupError> {
    let mut said = Lineages::new(ledger.incarnation());
    sweep(ledger, |batch| {
        if !records.has(&batch.bytes) {
            said.take(batch.cursor.sequence, &batch.bytes)?;
        }
        Ok(())
    })
    .await?;
    Ok(said)
}

/// Whether what is there is a beginning of what is in the file, for every tenant, and byte by byte.
async fn compare(path: &Path, there: &Lineages) -> Result<(), RestoreError> {
    let mut open: HashMap<TenantId, (u64, String)> =
        there.summaries().map(|summary| (summary.tenant, (summary.batches, summary.digest))).collect();
    let mut said: Option<Lineages> = None;
    let mut batches = Reading::start(path.to_owned());
    while let Some((tenant, batch)) = batches.next().await? {
        let said = said.get_or_insert_with(|| Lineages::new(batch.cursor.incarnation));
        said.take(batch.cursor.sequence, &batch.bytes).map_err(BackupError::from)?;
        let Some(lineage) = said.get(&tenant) else { continue };
        if open.get(&tenant).is_some_and(|(batches, digest)| *batches == lineage.batches && *digest == lineage.digest())
        {
            open.remove(&tenant);
        }
    }
    match open.into_keys().min() {
        Some(tenant) => Err(RestoreError::OtherContents(tenant)),
        None => Ok(()),
    }
}

/// The batches of a file, read on a thread of their own.
struct Reading(mpsc::Receiver<Result<(TenantId, Recorded), BackupError>>);

impl Reading {
    fn start(path: PathBuf) -> Self {
        let (sender, batches) = mpsc::channel(READ_AHEAD);
        tokio::task::spawn_blocking(move || {
            let mut archive = match Archive::open(&path) {
                Ok(archive) => archive,
                Err(error) => return drop(sender.blocking_send(Err(error))),
            };
            // Until its end, an error, or nobody listens any more.
            while let Some(next) = archive.next().transpose() {
                let failed = next.is_err();
                if sender.blocking_send(next).is_err() || failed {
                    return;
                }
            }
        });
        Self(batches)
    }

    async fn next(&mut self) -> Result<Option<(TenantId, Recorded)>, BackupError> {
        self.0.recv().await.transpose()
    }
}

type Appended = (TenantId, usize, Result<Cursor, RestoreError>);

/// Appends with many under way. A ledger in this process gives sequences in the order in which it is asked, so a
/// batch can follow one that is on its way; on JetStream it waits for it, and only tenants go side by side.
struct Appender<'a> {
    ledger: &'a Ledger,
    /// Each tenant's batches that were there before, and have to be passed over.
    known: HashMap<TenantId, u64>,
    /// Each tenant's last batch, here.
    last: HashMap<TenantId, u64>,
    /// Each partition's last batch, if sequences are foretold.
    ends: Option<Vec<u64>>,
    waited_for: HashSet<TenantId>,
    under_way: FuturesUnordered<BoxFuture<'a, Appended>>,
    bytes: usize,
}

impl<'a> Appender<'a> {
    async fn new(ledger: &'a Ledger, there: &Lineages) -> Result<Self, ReadError> {
        let mut ends = Vec::new();
        for partition in 0..ledger.partitions() {
            ends.push(ledger.end(partition).await?);
        }
        let known = there.summaries().map(|summary| (summary.tenant, summary.batches)).collect();
        let last = there.summaries().filter_map(|s| there.get(&s.tenant).map(|l| (s.tenant, l.sequence))).collect();
        let ends = matches!(ledger, Ledger::Embedded(_)).then_some(ends);
        let (waited_for, under_way) = (HashSet::new(), FuturesUnordered::new());
        Ok(Self { ledger, known, last, ends, waited_for, under_way, bytes: 0 })
    }

    async fn take(&mut self, tenant: &TenantId, batch: &Recorded) -> Result<(), RestoreError> {
        if let Some(known) = self.known.get_mut(tenant).filter(|known| **known > 0) {
            *known -= 1;
            return Ok(());
        }
        while self.waited_for.contains(tenant) || self.under_way.len() >= WINDOW || self.bytes >= WINDOW_BYTES {
            self.one().await?;
        }
        let prev = self.last.get(tenant).copied().unwrap_or(0);
        let (header, bytes) = self.rewritten(&batch.bytes, prev).map_err(|error| refused(tenant, &error))?;
        let len = bytes.len();
        let foretold = self.ends.as_mut().map(|ends| {
            let end = &mut ends[usize::from(partition::of(tenant, self.ledger.partitions()))];
            *end += 1;
            *end
        });
        match foretold {
            Some(sequence) => drop(self.last.insert(tenant.clone(), sequence)),
            None => drop(self.waited_for.insert(tenant.clone())),
        }
        let ledger = self.ledger;
        let mut append = async move {
            let appended = surely(ledger, &header, bytes).await.and_then(|cursor| match foretold {
                Some(sequence) if cursor.sequence != sequence => {
                    Err(RestoreError::SomebodyWrites(header.tenant.clone()))
                }
                _ => Ok(cursor),
            });
            (header.tenant, len, appended)
        }
        .boxed();
        self.bytes += len;
        // Asked now and not when its turn comes: the order of asking is the order of sequences.
        match std::future::poll_fn(|cx| Poll::Ready(append.as_mut().poll(cx))).await {
            Poll::Ready(appended) => self.note(appended),
            Poll::Pending => {
                self.under_way.push(append);
                Ok(())
            }
        }
    }

    /// The batch as this life has it: the same commits under a header that names this life and the batch before.
    fn rewritten(&self, bytes: &Bytes, prev: u64) -> Result<(BatchHeader, Bytes), CodecError> {
        let bytes = Batch::with_header(bytes.clone(), |header| {
            (header.incarnation, header.prev) = (self.ledger.incarnation(), prev);
            // Nobody of the old life is to be asked for anything.
            header.writer.clear();
        })?;
        Ok((Batch::peek(bytes.clone())?, bytes))
    }

    async fn one(&mut self) -> Result<(), RestoreError> {
        match self.under_way.next().await {
            Some(appended) => self.note(appended),
            None => Ok(()),
        }
    }

    fn note(&mut self, (tenant, len, appended): Appended) -> Result<(), RestoreError> {
        let cursor = appended?;
        self.bytes -= len;
        if self.waited_for.remove(&tenant) {
            self.last.insert(tenant, cursor.sequence);
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), RestoreError> {
        while !self.under_way.is_empty() {
            self.one().await?;
        }
        Ok(())
    }
}

fn refused(tenant: &TenantId, error: &impl ToString) -> RestoreError {
    RestoreError::Refused { tenant: tenant.clone(), why: error.to_string() }
}

/// Appends until the outcome is known: the same bytes with the same guard.
async fn surely(ledger: &Ledger, header: &BatchHeader, bytes: Bytes) -> Result<Cursor, RestoreError> {
    let began = Instant::now();
    loop {
        let why = match ledger.append(&header.tenant, header.prev, bytes.clone()).await {
            Ok(cursor) => return Ok(cursor),
            Err(AppendError::Invalid(why)) => return Err(refused(&header.tenant, &why)),
            Err(AppendError::Busy) => "it is busy".to_owned(),
            Err(AppendError::Unknown(why)) => why,
            // Ours, from a try whose outcome was not known?
            Err(AppendError::Conflict) => match ledger.get(&header.tenant, header.first_index).await {
                Ok(Some(found)) if Batch::peek(found.bytes.clone()).is_ok_and(|is| is.batch_id == header.batch_id) => {
                    return Ok(found.cursor);
                }
                Ok(_) => return Err(RestoreError::SomebodyWrites(header.tenant.clone())),
                Err(ReadError::Unavailable(why)) => why,
                Err(error) => return Err(error.into()),
            },
        };
        if began.elapsed() > PATIENCE {
            return Err(RestoreError::Stuck(why));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
