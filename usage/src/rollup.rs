//! What a stretch of a tenant's log adds to the rows. Rollups are kept for ever: everything that is counted is what they say,
//! in order, and then the records behind the last one.

use serde::{Deserialize, Serialize};

use crate::rows::Written;
use crate::{DecodeError, decode, encode};

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollup {
    /// Which life of the usage log the sequences are of: after a restore they begin anew.
    pub log: u64,
    /// The sequence of the last batch before the stretch.
    pub after: u64,
    /// The sequence of its last batch.
    pub through: u64,
    /// Records in the stretch, repeats too.
    pub records: u64,
    /// Records in it that had come before.
    pub repeats: u64,
    /// What it adds, by minute.
    pub rows: Written,
}

/// The bytes begin with the number of their form.
#[derive(Serialize, Deserialize)]
enum Form<R> {
    V1(R),
}

impl Rollup {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(&Form::V1(self))
    }

    /// From its bytes.
    ///
    /// # Errors
    /// They are no rollup.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let Form::V1(rollup) = decode("rollup", bytes)?;
        Ok(rollup)
    }
}
