//! How far a store is: written in the same atomic batch as the rows it speaks of, so that it never lies.

use promptory_events::{Cursor, Timestamp};
use serde::{Deserialize, Serialize};

use crate::digest::Sum;

/// Its key in every store: the smallest there is, so it is read first.
pub const KEY: [u8; 1] = [0];

/// The state of a store after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint<K> {
    /// The last event whose rows are there.
    pub index: u64,
    /// The batch of that event. Its events may not all be there: a large batch is written in parts.
    pub cursor: Cursor,
    /// When that batch was recorded.
    pub recorded_at: Timestamp,
    /// The sum over all that the digest is of, up to this event.
    pub sum: Sum,
    /// What the view keeps with it.
    pub kept: K,
}

/// A checkpoint as it is stored, with what tells whether this release can read the rows at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored<K> {
    /// The shape of the rows: [`FORMAT`](crate::views::View::FORMAT).
    pub format: u32,
    /// The checkpoint.
    pub checkpoint: Checkpoint<K>,
}
