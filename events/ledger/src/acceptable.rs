//! What a batch must be before any form of the ledger takes it: the checks that need no look at the ledger.
//!
//! One place for the rule, so that no form is laxer than another.

use bytes::Bytes;
use promptory_events::{Batch, BatchHeader, Incarnation, TenantId, limits};

use crate::port::AppendError;

/// Checks a batch that is to be appended to `tenant` under the guard `expected`, and reads its header.
pub(crate) fn acceptable(
    incarnation: Incarnation,
    tenant: &TenantId,
    expected: u64,
    bytes: &Bytes,
) -> Result<BatchHeader, AppendError> {
    let invalid = |why: String| Err(AppendError::Invalid(why));
    if bytes.len() > limits::BATCH_MAX_BYTES {
        return invalid(format!("{} bytes; at most {} are allowed", bytes.len(), limits::BATCH_MAX_BYTES));
    }
    // The whole frame, not only the header: what is appended stays for ever and must be readable.
    let header = match Batch::parse(bytes.clone()) {
        Ok(batch) => batch.header,
        Err(error) => return invalid(error.to_string()),
    };
    if header.tenant != *tenant {
        return invalid("its header names another tenant".to_owned());
    }
    if header.incarnation != incarnation {
        return invalid(format!("of incarnation {}, the ledger is {incarnation}", header.incarnation));
    }
    if header.prev != expected {
        return invalid(format!("its header says prev {}, the guard {expected}", header.prev));
    }
    // Whatever is computed from it later must not overflow.
    if header.events == 0 || header.first_index.checked_add(header.events.into()).is_none() {
        return invalid(format!("{} events from index {}", header.events, header.first_index));
    }
    Ok(header)
}

/// The end of a tenant's ledger as an append finds it: (index of the last event, when it was recorded).
pub(crate) type End = (u64, i64);

/// Checks that a batch, whose guard holds, continues the tenant's ledger: dense indexes, times that never go back.
pub(crate) fn continues(end: Option<End>, header: &BatchHeader) -> Result<(), AppendError> {
    let (next_index, recorded_at) = match end {
        Some((last, recorded_at)) => (last.checked_add(1), recorded_at),
        None => (Some(0), i64::MIN),
    };
    if next_index != Some(header.first_index) {
        return Err(AppendError::Invalid(format!("begins at event {}, next is {next_index:?}", header.first_index)));
    }
    if header.recorded_at.micros() < recorded_at {
        return Err(AppendError::Invalid(format!("recorded at {}, before the last batch", header.recorded_at)));
    }
    Ok(())
}
