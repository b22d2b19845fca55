//! The tables, and how a file becomes a ledger.

use promptory_events::Incarnation;
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTableMetadata, TableDefinition};

use crate::port::ReadError;
use crate::storage::OpenError;

/// (partition, sequence) -> the batch. Sequences of a partition are 1, 2, 3, …
pub(super) const BATCHES: TableDefinition<(u16, u64), &[u8]> = TableDefinition::new("batches");
/// tenant -> (index of its last event, sequence of its last batch, when that was recorded in microseconds).
pub(super) const HEADS: TableDefinition<&str, HeadRow> = TableDefinition::new("heads");
/// (tenant, index of a batch's first event) -> the batch's sequence.
pub(super) const CHAIN: TableDefinition<(&str, u64), u64> = TableDefinition::new("chain");
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

pub(super) type HeadRow = (u64, u64, i64);

const FORMAT: u16 = 1;

/// What a file says about itself.
pub(super) struct Found {
    pub(super) incarnation: Incarnation,
    /// Each partition's last sequence; 0 for none.
    pub(super) ends: Vec<u64>,
}

/// Makes a new file a ledger, or reads what an existing one is.
pub(super) fn prepare(db: &Database, partitions: u16) -> Result<Found, OpenError> {
    let txn = db.begin_read().map_err(redb::Error::from)?;
    let is_new = txn.list_tables()?.next().is_none();
    drop(txn);
    if is_new {
        create(db, partitions)?;
    }
    let txn = db.begin_read().map_err(redb::Error::from)?;
    let incarnation = Incarnation(meta(&txn, "incarnation")?);
    let format = u16::from_le_bytes(meta(&txn, "format")?);
    if format != FORMAT {
        return Err(OpenError::Damaged(format!("has format {format}, this release reads {FORMAT}")));
    }
    let partitions = u16::from_le_bytes(meta(&txn, "partitions")?);
    Ok(Found { incarnation, ends: ends(&txn, partitions)? })
}

/// All in one transaction: a power loss leaves no file at all or a whole ledger.
fn create(db: &Database, partitions: u16) -> Result<(), OpenError> {
    let mut incarnation = [0; 8];
    getrandom::fill(&mut incarnation).map_err(OpenError::Random)?;
    fill_new(db, partitions, incarnation).map_err(OpenError::from)
}

fn fill_new(db: &Database, partitions: u16, incarnation: [u8; 8]) -> Result<(), redb::Error> {
    let txn = db.begin_write()?;
    {
        let mut meta = txn.open_table(META)?;
        meta.insert("format", FORMAT.to_le_bytes().as_slice())?;
        meta.insert("incarnation", incarnation.as_slice())?;
        meta.insert("partitions", partitions.to_le_bytes().as_slice())?;
        txn.open_table(BATCHES)?;
        txn.open_table(HEADS)?;
        txn.open_table(CHAIN)?;
    }
    txn.commit()?;
    Ok(())
}

fn meta<const N: usize>(txn: &ReadTransaction, name: &str) -> Result<[u8; N], OpenError> {
    let table = txn.open_table(META).map_err(redb::Error::from)?;
    let value = table.get(name)?;
    let bytes = value.as_ref().and_then(|value| value.value().try_into().ok());
    bytes.ok_or_else(|| OpenError::Damaged(format!("says nothing readable about its {name}")))
}

/// The last sequence of each partition. As sequences are dense, their sum is the number of batches: a cheap check.
fn ends(txn: &ReadTransaction, partitions: u16) -> Result<Vec<u64>, OpenError> {
    let batches = txn.open_table(BATCHES).map_err(redb::Error::from)?;
    let mut ends = Vec::with_capacity(partitions.into());
    for partition in 0..partitions {
        let mut range = batches.range((partition, 0)..=(partition, u64::MAX))?;
        ends.push(range.next_back().transpose()?.map_or(0, |(key, _)| key.value().1));
    }
    let (said, held) = (ends.iter().sum::<u64>(), batches.len()?);
    if said == held { Ok(ends) } else { Err(OpenError::Damaged(format!("ends at {said} batches and holds {held}"))) }
}

/// What a reader is told when redb fails.
pub(crate) fn read_error(error: impl Into<redb::Error>) -> ReadError {
    match error.into() {
        redb::Error::Corrupted(why) => ReadError::Corrupt(why),
        other => ReadError::Unavailable(other.to_string()),
    }
}
