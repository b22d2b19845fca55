//! What every form checks of batches that it reads: each is whole and its tenant's, and each follows the one before.

use promptory_events::{Batch, BatchHeader, TenantId};

use crate::port::{ReadError, Recorded};

/// How much a page holds at most; always at least one batch.
#[derive(Clone, Copy)]
pub(crate) struct Page {
    pub(crate) batches: usize,
    pub(crate) bytes: usize,
}

pub(crate) const PAGE: Page = Page { batches: 1024, bytes: 4 * 1024 * 1024 };

/// The header of a batch that was read, if it is what its place says.
pub(crate) fn header_of(batch: &Recorded, tenant: &TenantId) -> Result<BatchHeader, ReadError> {
    let corrupt = |why: String| ReadError::Corrupt(format!("batch {} of {tenant} {why}", batch.cursor.sequence));
    let header = Batch::peek(batch.bytes.clone()).map_err(|e| corrupt(e.to_string()))?;
    if header.tenant != *tenant || header.incarnation != batch.cursor.incarnation {
        return Err(corrupt(format!("says it is of {} in {}", header.tenant, header.incarnation)));
    }
    // Sums of what is read must not overflow, whatever it says.
    if header.events == 0 || header.first_index.checked_add(header.events.into()).is_none() {
        return Err(corrupt("has an impossible number of events".to_owned()));
    }
    Ok(header)
}

/// How far a reading has come.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// Nothing yet: the first batch is the one that holds this event.
    First(u64),
    /// The next batch begins at `index` and follows the batch `prev`.
    Then { index: u64, prev: u64 },
}

impl Step {
    /// Checks that a batch is the next one, and says what comes after it.
    pub(crate) fn after(self, header: &BatchHeader, sequence: u64) -> Result<Self, ReadError> {
        let holds = match self {
            Self::First(from) => {
                let has_prev = header.prev != 0;
                (header.first_index..=header.last_index()).contains(&from) && has_prev == (header.first_index != 0)
            }
            Self::Then { index, prev } => header.first_index == index && header.prev == prev,
        };
        if !holds || header.prev >= sequence {
            let place = format!("batch {sequence} of {} begins at event {}", header.tenant, header.first_index);
            return Err(ReadError::Corrupt(format!("the chain is broken: {place} and follows batch {}", header.prev)));
        }
        Ok(Self::Then { index: header.last_index() + 1, prev: sequence })
    }
}
