//! Reading a tenant: its head, one batch, or its chain page by page, checked as it is read.

use std::sync::Arc;

use bytes::Bytes;
use promptory_events::{Cursor, Position, TenantId, Timestamp};
use redb::{ReadTransaction, ReadableDatabase};

use super::Shared;
use super::tables::{BATCHES, CHAIN, HEADS, HeadRow, read_error};
use crate::chain::{PAGE, Step, header_of};
use crate::port::{Head, ReadError, Recorded};

impl Shared {
    pub(super) fn begin(&self) -> Result<ReadTransaction, ReadError> {
        self.store.db.begin_read().map_err(read_error)
    }

    pub(super) fn recorded(&self, sequence: u64, bytes: &[u8]) -> Recorded {
        let cursor = Cursor { incarnation: self.incarnation, sequence };
        Recorded { cursor, bytes: Bytes::copy_from_slice(bytes) }
    }

    pub(super) fn head(&self, tenant: &TenantId) -> Result<Option<Head>, ReadError> {
        let row = head_row(&self.begin()?, tenant)?;
        Ok(row.map(|(index, sequence, recorded_at)| Head {
            position: Position { incarnation: self.incarnation, index },
            cursor: Cursor { incarnation: self.incarnation, sequence },
            recorded_at: Timestamp::from_micros(recorded_at),
        }))
    }

    pub(super) fn get(&self, tenant: &TenantId, index: u64) -> Result<Option<Recorded>, ReadError> {
        let txn = self.begin()?;
        if head_row(&txn, tenant)?.is_none_or(|(last, ..)| index > last) {
            return Ok(None);
        }
        let chain = txn.open_table(CHAIN).map_err(read_error)?;
        let mut upto = chain.range((tenant.as_str(), 0)..=(tenant.as_str(), index)).map_err(read_error)?;
        let (_, sequence) = upto
            .next_back()
            .transpose()
            .map_err(read_error)?
            .ok_or_else(|| ReadError::Corrupt(format!("no batch of {tenant} begins at or before event {index}")))?;
        let found = self.batch(&txn, tenant, sequence.value())?;
        let header = header_of(&found, tenant)?;
        if (header.first_index..=header.last_index()).contains(&index) {
            Ok(Some(found))
        } else {
            Err(ReadError::Corrupt(format!("event {index} of {tenant} is in no batch")))
        }
    }

    fn batch(&self, txn: &ReadTransaction, tenant: &TenantId, sequence: u64) -> Result<Recorded, ReadError> {
        let batches = txn.open_table(BATCHES).map_err(read_error)?;
        let value = batches.get((self.partition_of(tenant), sequence)).map_err(read_error)?;
        let value = value.ok_or_else(|| ReadError::Corrupt(format!("batch {sequence} of {tenant} is missing")))?;
        Ok(self.recorded(sequence, value.value()))
    }

    fn partition_of(&self, tenant: &TenantId) -> u16 {
        let count = u16::try_from(self.partitions.len()).unwrap_or(u16::MAX); // made from a u16
        promptory_events::partition::of(tenant, count)
    }
}

fn head_row(txn: &ReadTransaction, tenant: &TenantId) -> Result<Option<HeadRow>, ReadError> {
    let heads = txn.open_table(HEADS).map_err(read_error)?;
    Ok(heads.get(tenant.as_str()).map_err(read_error)?.map(|row| row.value()))
}

/// A tenant's batches in order, up to the head as it was when the reading began.
pub struct EmbeddedReader {
    shared: Arc<Shared>,
    tenant: TenantId,
    /// The last event that will be given; `None`: the tenant has none.
    end: Option<u64>,
    step: Step,
}

impl EmbeddedReader {
    pub(super) fn new(shared: Arc<Shared>, tenant: TenantId, from: u64) -> Result<Self, ReadError> {
        let end = head_row(&shared.begin()?, &tenant)?.map(|(last, ..)| last);
        Ok(Self { shared, tenant, end, step: Step::First(from) })
    }

    /// See [`crate::Reader::next`].
    ///
    /// # Errors
    /// The file can't be read or contradicts itself.
    pub async fn next(&mut self) -> Result<Vec<Recorded>, ReadError> {
        let (Step::First(next) | Step::Then { index: next, .. }) = self.step;
        let Some(end) = self.end.filter(|end| next <= *end) else { return Ok(Vec::new()) };
        let (shared, tenant, step) = (self.shared.clone(), self.tenant.clone(), self.step);
        let task = tokio::task::spawn_blocking(move || shared.page(&tenant, step, end));
        let (page, step) = task.await.map_err(|e| ReadError::Unavailable(e.to_string()))??;
        self.step = step;
        Ok(page)
    }
}

impl Shared {
    /// The next page of a reading that ends with event `end`; at least one batch.
    fn page(&self, tenant: &TenantId, mut step: Step, end: u64) -> Result<(Vec<Recorded>, Step), ReadError> {
        let txn = self.begin()?;
        let (chain, batches) =
            (txn.open_table(CHAIN).map_err(read_error)?, txn.open_table(BATCHES).map_err(read_error)?);
        let (partition, name) = (self.partition_of(tenant), tenant.as_str());
        let start = match step {
            Step::First(from) => {
                let mut upto = chain.range((name, 0)..=(name, from)).map_err(read_error)?;
                upto.next_back().transpose().map_err(read_error)?.map_or(from, |(key, _)| key.value().1)
            }
            Step::Then { index, .. } => index,
        };
        let (mut page, mut bytes) = (Vec::new(), 0);
        for entry in chain.range((name, start)..=(name, end)).map_err(read_error)? {
            let sequence = entry.map_err(read_error)?.1.value();
            let value = batches.get((partition, sequence)).map_err(read_error)?;
            let value = value.ok_or_else(|| ReadError::Corrupt(format!("batch {sequence} of {tenant} is missing")))?;
            if !page.is_empty() && (page.len() >= PAGE.batches || bytes + value.value().len() > PAGE.bytes) {
                return Ok((page, step));
            }
            let batch = self.recorded(sequence, value.value());
            step = step.after(&header_of(&batch, tenant)?, sequence)?;
            bytes += batch.bytes.len();
            page.push(batch);
        }
        match step {
            Step::Then { index, .. } if index > end => Ok((page, step)),
            _ => Err(ReadError::Corrupt(format!("the chain of {tenant} ends before event {end}"))),
        }
    }
}
