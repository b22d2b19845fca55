//! Backups: a ledger as one file, its keys as another, and both back into an empty ledger of either form.
//!
//! Works at the port, so there is one code for both forms. What is in the file was followed from the beginning of each
//! partition to its end as it was at the start; what is appended meanwhile is not in it. No byte of a commit is ever
//! encoded again: a restored batch has another header around the same commits.
//!
//! | module | what it holds |
//! |---|---|
//! | [`lineage`] | what a tenant's batches must be, one after another; their digest |
//! | `format` | the frames of both files, and their running hash |
//! | [`mod@write`] | ledger to file, while it is written to |
//! | [`read`] | the file again, checked as it is read |
//! | [`restore`](mod@restore) | file to ledger |
//! | [`usage`] | the rollups in it to a usage log |
//! | [`keys`] | the key store as an encrypted file, and back |

mod format;
pub mod keys;
pub mod lineage;
pub mod read;
pub mod restore;
pub mod usage;
pub mod write;

use std::io;

use promptory_events::{BackupId, Incarnation, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::keystore::KeyStoreError;
use crate::port::{Ledger, ReadError, Recorded};
use lineage::Broken;

pub use keys::{BackupKey, BackupKeyError};
pub use lineage::Summary;
pub use read::Archive;
pub use restore::{Progress, RestoreError, restore};
pub use write::write;

/// The files' format; another number is another format.
pub const FORMAT: u16 = 1;

/// What the file of a ledger says first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u16,
    /// Which backup.
    pub backup: BackupId,
    /// The life of the ledger.
    pub incarnation: Incarnation,
    /// When the backup was begun, by the clock of the machine that made it.
    pub taken_at: Timestamp,
    /// The last sequence of each partition when it was begun: what is in the file.
    pub ends: Vec<u64>,
}

/// A whole file, as it says itself and as was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// Its header.
    pub header: Header,
    /// The tenants in it, in order of their names.
    pub tenants: Vec<Summary>,
    /// Rollups of usage in it.
    pub rollups: u64,
}

impl Contents {
    /// Batches in all.
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.tenants.iter().map(|tenant| tenant.batches).sum()
    }

    /// Events in all.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.tenants.iter().map(|tenant| tenant.events).sum()
    }

    /// What there is of a tenant.
    #[must_use]
    pub fn tenant(&self, tenant: &TenantId) -> Option<&Summary> {
        self.tenants.binary_search_by(|summary| summary.tenant.cmp(tenant)).ok().map(|at| &self.tenants[at])
    }
}

/// Why a backup could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The ledger can't be read.
    #[error(transparent)]
    Ledger(#[from] ReadError),
    /// What is in it can't be so.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The file can't be read or written.
    #[error("the file of the backup")]
    Io(#[from] io::Error),
    /// The file is not of the format, or not of one that this release reads.
    #[error("this is no such file of a backup: {0}")]
    NotOurs(String),
    /// The file ends too early.
    #[error("the file is cut off after {0} bytes: it is not whole")]
    Cut(u64),
    /// The file is not what was written.
    #[error("the file is damaged before byte {at}: {why}")]
    Damaged {
        /// How far it was read.
        at: u64,
        /// What is wrong.
        why: String,
    },
    /// Another key than the one that the file was encrypted with.
    #[error("the file was encrypted with another backup key")]
    WrongKey,
    /// The key store can't be read or written.
    #[error(transparent)]
    Keys(#[from] KeyStoreError),
    /// Whoever took the bytes has gone.
    #[error("nobody takes the backup any more")]
    Gone,
    /// A task was lost.
    #[error("the work was interrupted: {0}")]
    Interrupted(String),
}

/// Gives every batch that is in a ledger now, partition by partition, each in order.
///
/// # Errors
/// The ledger can't be read, or `each` does not go on.
pub async fn sweep(
    ledger: &Ledger,
    mut each: impl FnMut(&Recorded) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let mut sweep = write::Sweep::begin(ledger).await?;
    while let Some(page) = sweep.next(ledger).await? {
        page.iter().try_for_each(&mut each)?;
    }
    Ok(())
}
