//! One transaction with one sync for all that waits.

use promptory_events::{TenantId, Timestamp};
use redb::{Database, Durability, ReadableTable, Table, WriteTransaction};

use super::writer::{Request, Work};
use super::{ENDS, ENTRIES, ROLLUPS};
use crate::port::AppendError;

/// Entries that one transaction removes.
const EXPIRED_AT_ONCE: u64 = 256;

/// What became of a request once the transaction is committed.
type Outcome = Result<u64, AppendError>;

/// Writes a group. Returns after the one sync. An error means that the outcome of all is open.
pub(super) fn commit(db: &Database, group: &[Request]) -> Result<Vec<Outcome>, redb::Error> {
    let mut txn = db.begin_write()?;
    // A transaction's default, said here because everything rests on it.
    txn.set_durability(Durability::Immediate)?;
    let mut tables = Tables::open(&txn)?;
    let outcomes = group.iter().map(|request| tables.done(&request.work)).collect::<Result<Vec<_>, _>>()?;
    drop(tables);
    if outcomes.iter().any(|outcome| !matches!(outcome, Ok(0) | Err(_))) {
        txn.commit()?;
    } else {
        txn.abort()?; // nothing to make durable: spare the sync
    }
    Ok(outcomes)
}

struct Tables<'txn> {
    entries: Table<'txn, (&'static str, u64), (i64, &'static [u8])>,
    ends: Table<'txn, &'static str, u64>,
    rollups: Table<'txn, (&'static str, u64), &'static [u8]>,
}

impl<'txn> Tables<'txn> {
    fn open(txn: &'txn WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self { entries: txn.open_table(ENTRIES)?, ends: txn.open_table(ENDS)?, rollups: txn.open_table(ROLLUPS)? })
    }

    fn done(&mut self, work: &Work) -> Result<Outcome, redb::Error> {
        match work {
            Work::Append { tenant, received_at, bytes } => {
                let tenant = tenant.as_str();
                let sequence = self.ends.get(tenant)?.map_or(0, |end| end.value()) + 1;
                self.entries.insert((tenant, sequence), (received_at.micros(), bytes.as_ref()))?;
                self.ends.insert(tenant, sequence)?;
                Ok(Ok(sequence))
            }
            Work::Rollup { tenant, expected, bytes } => self.rollup(tenant, *expected, bytes),
            Work::Expire { before } => self.expire(*before).map(Ok),
        }
    }

    fn rollup(&mut self, tenant: &TenantId, expected: u64, bytes: &[u8]) -> Result<Outcome, redb::Error> {
        let tenant = tenant.as_str();
        let last = self.rollups.range((tenant, 0)..=(tenant, u64::MAX))?.next_back().transpose()?;
        let last = last.map_or(0, |(key, _)| key.value().1);
        if last != expected {
            return Ok(Err(AppendError::Conflict));
        }
        self.rollups.insert((tenant, last + 1), bytes)?;
        Ok(Ok(last + 1))
    }

    /// Removes some of the entries that came before a time; says how many. A tenant's entries lie as they came.
    fn expire(&mut self, before: Timestamp) -> Result<u64, redb::Error> {
        let tenants = self.ends.iter()?.map(|row| row.map(|(key, _)| key.value().to_owned()));
        let tenants: Vec<String> = tenants.collect::<Result<_, _>>()?;
        let mut gone = 0;
        for tenant in tenants {
            let mut old = Vec::new();
            for row in self.entries.range((tenant.as_str(), 0)..=(tenant.as_str(), u64::MAX))? {
                let (key, value) = row?;
                if value.value().0 >= before.micros() || gone + old.len() as u64 >= EXPIRED_AT_ONCE {
                    break;
                }
                old.push(key.value().1);
            }
            gone += old.len() as u64;
            for sequence in old {
                self.entries.remove((tenant.as_str(), sequence))?;
            }
        }
        Ok(gone)
    }
}
