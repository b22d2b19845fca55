//! A tenant's store: pages of rows, and what was seen of each id, as of a rollup. Built again from the log if it is lost.
//!
//! It is redb and not sled: a rollup changes hundreds of pages of some KiB at once, with its checkpoint in the same transaction,
//! and sled would make the catalog wait for them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use promptory_events::{PromptId, Timestamp, limits};
use promptory_platform::GiveWay;
use promptory_usage::fold::{Known, Sighting, Stretch, Waiting};
use promptory_usage::page::{Grain, KEY_BYTES, PageKey, Part, spread};
use promptory_usage::query::TooMany;
use promptory_usage::record::IdHash;
use promptory_usage::rows::Written;
use promptory_usage::searches::{self, Searches, Sum};
use promptory_usage::{DecodeError, Dims, Rows, Tally};
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{AnalyticsError, Scope};

/// The folder's name says the format: another one leaves the stores of the release before where they are.
const FOLDER: &str = "analytics-1";
const CACHE_BYTES: usize = 8 * 1024 * 1024;
const PAGES: TableDefinition<&[u8; KEY_BYTES], &[u8]> = TableDefinition::new("pages");
/// id -> when it last came in microseconds, its minute, and by what its dimensions are known; 0 for an outcome.
const SEEN: TableDefinition<&[u8; 16], (i64, u32, u64)> = TableDefinition::new("seen");
const DIMS: TableDefinition<u64, &[u8]> = TableDefinition::new("dims");
const WAITING: TableDefinition<&[u8; 16], &[u8]> = TableDefinition::new("waiting");
/// day from 1970 -> the searches of it that found nothing. Not in rollups: forgotten as ids are.
const SEARCHES: TableDefinition<u32, &[u8]> = TableDefinition::new("searches");
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
/// Ids that are looked at in one transaction to see whether they are to be forgotten.
const FORGOTTEN_AT_ONCE: usize = 20_000;

/// The store can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the store of what is counted: {0}")]
pub(crate) struct ViewError(pub(super) String);

impl<E: Into<redb::Error>> From<E> for ViewError {
    fn from(error: E) -> Self {
        Self(error.into().to_string())
    }
}

fn damaged(error: &DecodeError) -> ViewError {
    ViewError(error.to_string())
}

/// Who is shown rows: the minutes that are read, and the row, of which some may lie beyond them.
pub(super) type Take<'t> = dyn FnMut((u32, u32), (u32, &Dims, &Tally)) -> Result<(), TooMany> + 't;

/// Up to where a store has taken everything in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// Which life of the log the sequences are of.
    pub log: u64,
    /// The last rollup.
    pub rollup: u64,
    /// The last entry that is in a rollup.
    pub through: u64,
    /// The last id that was looked at to see whether it is to be forgotten.
    forgetting: [u8; 16],
}

/// A tenant's store.
pub(super) struct View {
    db: Database,
}

/// A rollup that is in a transaction and not committed.
pub(super) struct Prepared {
    txn: WriteTransaction,
    checkpoint: Checkpoint,
}

impl View {
    /// Opens the store of a tenant whose folder is `dir`, for this life of the log. One that can't be opened, or is of another
    /// life, is removed and begins anew.
    pub fn open(dir: &Path, log: u64) -> Result<(Self, Checkpoint), ViewError> {
        let folder = dir.join(FOLDER);
        match Self::open_as_it_is(&folder, log) {
            Ok(Some(view)) => return Ok(view),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, folder = %folder.display(), "a store of what is counted begins anew"),
        }
        Self::discard(dir)?;
        Self::open_as_it_is(&folder, log)?.ok_or_else(|| ViewError("a new store is of another life".to_owned()))
    }

    /// Removes the store. It must be closed.
    pub fn discard(dir: &Path) -> Result<(), ViewError> {
        match std::fs::remove_dir_all(dir.join(FOLDER)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(ViewError(error.to_string())),
            _ => Ok(()),
        }
    }

    /// `None`: it is of another life of the log.
    fn open_as_it_is(folder: &Path, log: u64) -> Result<Option<(Self, Checkpoint)>, ViewError> {
        std::fs::create_dir_all(folder).map_err(|error| ViewError(error.to_string()))?;
        let db = redb::Builder::new().set_cache_size(CACHE_BYTES).create(folder.join("view.redb"))?;
        let txn = db.begin_write()?;
        let checkpoint: Checkpoint = {
            txn.open_table(PAGES)?;
            txn.open_table(SEEN)?;
            txn.open_table(DIMS)?;
            txn.open_table(WAITING)?;
            txn.open_table(SEARCHES)?;
            let mut meta = txn.open_table(META)?;
            let found = meta.get("checkpoint")?.map(|bytes| bytes.value().to_vec());
            match found {
                Some(bytes) => postcard::from_bytes(&bytes).map_err(|error| ViewError(error.to_string()))?,
                None => {
                    let checkpoint = Checkpoint { log, ..Checkpoint::default() };
                    meta.insert("checkpoint", bytes_of(&checkpoint).as_slice())?;
                    checkpoint
                }
            }
        };
        txn.commit()?;
        Ok((checkpoint.log == log).then_some((Self { db }, checkpoint)))
    }

    /// What is known from before a stretch, for as long as one reads.
    pub fn known(&self) -> Result<KnownHere, ViewError> {
        let txn = self.db.begin_read()?;
        Ok(KnownHere { seen: txn.open_table(SEEN)?, dims: txn.open_table(DIMS)?, waiting: txn.open_table(WAITING)? })
    }

    /// Takes in a rollup with what was seen in its stretch, in one transaction, and forgets some ids that came before a time.
    /// Nobody sees anything of it before it is committed.
    pub fn prepare(
        &self,
        before: Checkpoint,
        rows: &Written,
        stretch: &Stretch,
        (rollup, through): (u64, u64),
        forget: Timestamp,
    ) -> Result<Prepared, ViewError> {
        let mut checkpoint = Checkpoint { rollup, through, ..before };
        let txn = self.db.begin_write()?;
        {
            let (mut pages, mut give_way) = (txn.open_table(PAGES)?, GiveWay::default());
            for (key, rows) in adding(rows, &mut give_way)? {
                add(&mut pages, &key.bytes(), rows)?;
                give_way.now();
            }
            let (mut seen, mut dims) = (txn.open_table(SEEN)?, txn.open_table(DIMS)?);
            let mut written = HashSet::new();
            for (id, sighting) in &stretch.seen {
                let (minute, code) = match &sighting.place {
                    None => (0, 0),
                    Some((minute, place)) => {
                        let (code, bytes) = coded(place);
                        if written.insert(code) {
                            dims.insert(code, bytes.as_slice())?;
                        }
                        (*minute, code)
                    }
                };
                seen.insert(&id.0, (sighting.received_at.micros(), minute, code))?;
                give_way.after_a_piece();
            }
            let mut waiting = txn.open_table(WAITING)?;
            for (execution, outcomes) in &stretch.waiting {
                if outcomes.is_empty() {
                    waiting.remove(&execution.0)?;
                } else {
                    waiting.insert(&execution.0, bytes_of(outcomes).as_slice())?;
                }
            }
            searched(&mut txn.open_table(SEARCHES)?, &stretch.searches, forget)?;
            checkpoint.forgetting = forgotten(&mut seen, &mut waiting, checkpoint.forgetting, forget)?;
            txn.open_table(META)?.insert("checkpoint", bytes_of(&checkpoint).as_slice())?;
        }
        Ok(Prepared { txn, checkpoint })
    }

    /// Shows the rows of a part, with callers or without, each with the minutes that are read of it.
    pub fn read(&self, part: Part, callers: bool, scope: &Scope, take: &mut Take<'_>) -> Result<(), AnalyticsError> {
        let txn = self.db.begin_read().map_err(ViewError::from)?;
        let table = txn.open_table(PAGES).map_err(ViewError::from)?;
        let reading = Reading { table: &table, part, callers };
        match scope {
            Scope::These(prompts) => prompts.iter().try_for_each(|prompt| reading.prompt(*prompt, take)),
            Scope::All => {
                let mut from = reading.first(PromptId([0; 16]), 0);
                while let Some(prompt) = reading.next(&from)? {
                    reading.prompt(prompt, take)?;
                    from = reading.first(prompt, u32::MAX);
                }
                Ok(())
            }
        }
    }

    /// Adds the searches of some days that found nothing.
    pub fn searches(&self, days: RangeInclusive<u32>, sum: &mut Sum) -> Result<(), ViewError> {
        let txn = self.db.begin_read()?;
        for row in txn.open_table(SEARCHES)?.range(days)? {
            let (day, bytes) = row?;
            sum.take(day.value(), &searches_of(bytes.value())?);
        }
        Ok(())
    }

    /// The last minute in which each of some prompts was run, of those that were.
    pub fn last(&self, prompts: &BTreeSet<PromptId>) -> Result<BTreeMap<PromptId, u32>, ViewError> {
        let txn = self.db.begin_read()?;
        let table = txn.open_table(PAGES)?;
        let mut last = BTreeMap::new();
        for prompt in prompts {
            let key = |start| PageKey { grain: Grain::Minute, callers: false, prompt: *prompt, start }.bytes();
            let Some(page) = table.range::<&[u8; KEY_BYTES]>(&key(0)..=&key(u32::MAX))?.next_back() else { continue };
            let rows = Written::decode(page?.1.value()).map_err(|error| damaged(&error))?;
            let took = rows.each(|bucket, _, _| {
                let latest = last.entry(*prompt).or_insert(bucket);
                *latest = bucket.max(*latest);
            });
            took.map_err(|error| damaged(&error))?;
        }
        Ok(last)
    }
}

impl Prepared {
    /// Makes it durable; gives the point up to which the store has taken everything in now.
    pub fn commit(self) -> Result<Checkpoint, ViewError> {
        self.txn.commit()?;
        Ok(self.checkpoint)
    }
}

struct Reading<'a> {
    table: &'a ReadOnlyTable<&'static [u8; KEY_BYTES], &'static [u8]>,
    part: Part,
    callers: bool,
}

impl Reading<'_> {
    fn first(&self, prompt: PromptId, start: u32) -> [u8; KEY_BYTES] {
        PageKey { grain: self.part.grain, callers: self.callers, prompt, start }.bytes()
    }

    /// The next prompt that has pages of this kind, from a key on.
    fn next(&self, from: &[u8; KEY_BYTES]) -> Result<Option<PromptId>, ViewError> {
        let last = self.first(PromptId([0xff; 16]), u32::MAX);
        if *from >= last {
            return Ok(None);
        }
        let found = self.table.range::<&[u8; KEY_BYTES]>(from..=&last)?.next().transpose()?;
        Ok(found.map(|(key, _)| PageKey::prompt_in(key.value())))
    }

    fn prompt(&self, prompt: PromptId, take: &mut Take<'_>) -> Result<(), AnalyticsError> {
        let Part { grain, from, to } = self.part;
        let key = |minute| PageKey::of(grain, self.callers, prompt, minute).bytes();
        let (first, last) = (key(from), key(to - 1));
        for page in self.table.range::<&[u8; KEY_BYTES]>(&first..=&last).map_err(ViewError::from)? {
            let (_, page) = page.map_err(ViewError::from)?;
            let rows = Written::decode(page.value()).map_err(|error| damaged(&error))?;
            let mut refused: Option<TooMany> = None;
            let took = rows.each(|bucket, dims, tally| {
                if refused.is_none() {
                    refused = take((from, to), (bucket, &dims, tally)).err();
                }
            });
            took.map_err(|error| damaged(&error))?;
            if let Some(refused) = refused {
                return Err(refused.into());
            }
        }
        Ok(())
    }
}

/// What a store knows of ids.
pub(super) struct KnownHere {
    seen: ReadOnlyTable<&'static [u8; 16], (i64, u32, u64)>,
    dims: ReadOnlyTable<u64, &'static [u8]>,
    waiting: ReadOnlyTable<&'static [u8; 16], &'static [u8]>,
}

impl Known for KnownHere {
    type Error = ViewError;

    fn seen(&self, id: &IdHash) -> Result<Option<Sighting>, ViewError> {
        let Some(row) = self.seen.get(&id.0)? else { return Ok(None) };
        let (received_at, minute, code) = row.value();
        let place = match code {
            0 => None,
            code => {
                let bytes = self.dims.get(code)?.ok_or_else(|| ViewError("dimensions are lacking".to_owned()))?;
                let dims: Dims = postcard::from_bytes(bytes.value()).map_err(|error| ViewError(error.to_string()))?;
                Some((minute, Arc::new(dims)))
            }
        };
        Ok(Some(Sighting { received_at: Timestamp::from_micros(received_at), place }))
    }

    fn waiting(&self, execution: &IdHash) -> Result<Vec<Waiting>, ViewError> {
        match self.waiting.get(&execution.0)? {
            None => Ok(Vec::new()),
            Some(bytes) => postcard::from_bytes(bytes.value()).map_err(|error| ViewError(error.to_string())),
        }
    }
}

/// What rows add to each page.
fn adding(rows: &Written, give_way: &mut GiveWay) -> Result<BTreeMap<PageKey, Rows>, ViewError> {
    let mut pages = BTreeMap::new();
    let spreading = rows.each(|minute, dims, tally| {
        spread(&mut pages, minute, dims, tally);
        give_way.after_a_piece();
    });
    spreading.map_err(|error| damaged(&error))?;
    Ok(pages)
}

fn add(
    pages: &mut Table<'_, &'static [u8; KEY_BYTES], &'static [u8]>,
    key: &[u8; KEY_BYTES],
    mut rows: Rows,
) -> Result<(), ViewError> {
    if let Some(page) = pages.get(key)? {
        let there = Written::decode(page.value()).map_err(|error| damaged(&error))?;
        there
            .each(|bucket, dims, tally| rows.merge(bucket, &Arc::new(dims), tally))
            .map_err(|error| damaged(&error))?;
    }
    pages.insert(key, rows.encode().as_slice())?;
    Ok(())
}

/// Adds what a stretch says of each day, and forgets days that were over before a time.
fn searched(
    table: &mut Table<'_, u32, &'static [u8]>,
    days: &BTreeMap<u32, Searches>,
    forget: Timestamp,
) -> Result<(), ViewError> {
    for (day, searches) in days {
        let mut whole = match table.get(day)? {
            Some(bytes) => searches_of(bytes.value())?,
            None => Searches::default(),
        };
        whole.merge(searches);
        whole.shorten(limits::EMPTY_SEARCHES_KEPT);
        table.insert(day, bytes_of(&whole).as_slice())?;
    }
    let over: Vec<u32> =
        table.range(..searches::day(forget))?.map(|row| Ok(row?.0.value())).collect::<Result<_, ViewError>>()?;
    for day in over {
        table.remove(day)?;
    }
    Ok(())
}

fn searches_of(bytes: &[u8]) -> Result<Searches, ViewError> {
    postcard::from_bytes(bytes).map_err(|error| ViewError(error.to_string()))
}

/// Looks at the next ids, and forgets those that came before a time; gives the last one that was looked at. So each is looked at
/// every now and then, and no transaction takes long.
fn forgotten(
    seen: &mut Table<'_, &'static [u8; 16], (i64, u32, u64)>,
    waiting: &mut Table<'_, &'static [u8; 16], &'static [u8]>,
    from: [u8; 16],
    before: Timestamp,
) -> Result<[u8; 16], ViewError> {
    let (mut old, mut last) = (Vec::new(), None);
    for (at, row) in seen.range::<&[u8; 16]>(&from..)?.enumerate() {
        let (id, row) = row?;
        if at >= FORGOTTEN_AT_ONCE {
            last = Some(*id.value());
            break;
        }
        if row.value().0 < before.micros() {
            old.push(*id.value());
        }
    }
    for id in old {
        seen.remove(&id)?;
    }
    let is_old = |outcomes: &[u8]| {
        let outcomes: Result<Vec<Waiting>, _> = postcard::from_bytes(outcomes);
        outcomes.is_ok_and(|outcomes| outcomes.iter().all(|one| one.received_at < before))
    };
    let mut gone = BTreeMap::new();
    for row in waiting.range::<&[u8; 16]>(&from..)?.take(FORGOTTEN_AT_ONCE / 8) {
        let (id, outcomes) = row?;
        if is_old(outcomes.value()) {
            gone.insert(*id.value(), ());
        }
    }
    for id in gone.keys() {
        waiting.remove(id)?;
    }
    Ok(last.unwrap_or_default())
}

fn bytes_of<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap_or_default() // plain data into memory always has a form
}

/// Dimensions as bytes, and the number that they are known by: never 0.
fn coded(dims: &Dims) -> (u64, Vec<u8>) {
    let bytes = bytes_of(dims);
    let digest = Sha256::digest(&bytes);
    let mut code = [0; 8];
    code.copy_from_slice(&digest[..8]);
    (u64::from_be_bytes(code).max(1), bytes)
}
