//! How far a store is: written in the same atomic batch as the rows it speaks of, so that it never lies.

use promptory_domain::quota::Quotas;
use promptory_events::{Cursor, Timestamp};
use serde::{Deserialize, Serialize};

use crate::digest::Sum;

/// The state of a store after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The last event whose rows are there.
    pub index: u64,
    /// The batch of that event. Its events may not all be there: a large batch is written in parts.
    pub cursor: Cursor,
    /// When that batch was recorded.
    pub recorded_at: Timestamp,
    /// The sum over all rows but this one.
    pub sum: Sum,
    /// What the tenant has and may have.
    pub quotas: Quotas,
}

/// A checkpoint as it is stored, with what tells whether this release can read the rows at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The shape of the rows: [`crate::views::catalog::FORMAT`].
    pub format: u32,
    /// The checkpoint.
    pub checkpoint: Checkpoint,
}
