//! One transaction: every request checked against the ledger and against the requests before it, then one commit.

use redb::{Database, Durability, ReadableTable, Table, WriteTransaction};

use super::Request;
use crate::acceptable::continues;
use crate::embedded::tables::{BATCHES, CHAIN, HEADS, HeadRow};
use crate::port::AppendError;

/// A request's outcome, once the transaction is committed: its sequence, or why it was left out.
type Outcome = Result<u64, AppendError>;

/// Writes a group; `ends` are the partitions' last sequences. Returns after the one sync. A refused request leaves the
/// others alone; an error means that the outcome of all is open.
pub(super) fn commit(db: &Database, group: &[Request], mut ends: Vec<u64>) -> Result<Vec<Outcome>, redb::Error> {
    let mut txn = db.begin_write()?;
    // A transaction's default, said here because everything rests on it.
    txn.set_durability(Durability::Immediate)?;
    let outcomes = Tables::open(&txn)?.add_all(group, &mut ends)?;
    if outcomes.iter().any(Result::is_ok) {
        txn.commit()?;
    } else {
        txn.abort()?; // nothing to make durable: spare the sync
    }
    Ok(outcomes)
}

struct Tables<'txn> {
    batches: Table<'txn, (u16, u64), &'static [u8]>,
    heads: Table<'txn, &'static str, HeadRow>,
    chain: Table<'txn, (&'static str, u64), u64>,
}

impl<'txn> Tables<'txn> {
    fn open(txn: &'txn WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self { batches: txn.open_table(BATCHES)?, heads: txn.open_table(HEADS)?, chain: txn.open_table(CHAIN)? })
    }

    fn add_all(mut self, group: &[Request], ends: &mut [u64]) -> Result<Vec<Outcome>, redb::Error> {
        group.iter().map(|request| self.add(request, &mut ends[usize::from(request.partition)])).collect()
    }

    fn add(&mut self, request: &Request, end: &mut u64) -> Result<Outcome, redb::Error> {
        let tenant = request.header.tenant.as_str();
        let head = self.heads.get(tenant)?.map(|row| row.value());
        if let Err(refused) = check(head, request) {
            return Ok(Err(refused));
        }
        let (header, sequence) = (&request.header, *end + 1);
        self.batches.insert((request.partition, sequence), request.bytes.as_ref())?;
        self.chain.insert((tenant, header.first_index), sequence)?;
        self.heads.insert(tenant, (header.last_index(), sequence, header.recorded_at.micros()))?;
        *end = sequence;
        Ok(Ok(sequence))
    }
}

/// The guard first: a batch that lost the race is a conflict, whatever else would be wrong with it by now.
fn check(head: Option<HeadRow>, request: &Request) -> Result<(), AppendError> {
    if request.header.prev != head.map_or(0, |(_, sequence, _)| sequence) {
        return Err(AppendError::Conflict);
    }
    continues(head.map(|(last, _, recorded_at)| (last, recorded_at)), &request.header)
}
