//! Events of the ledger `_system`: the control plane is audited like everything else.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{BackupId, Incarnation, TenantId};
use crate::sealed::Sealed;
use crate::time::Timestamp;

/// The first event of `_system`: this ledger began its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerOpened {
    /// The life.
    pub incarnation: Incarnation,
}

/// A tenant was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantCreated {
    /// Its name in subjects, keys and paths.
    pub tenant: TenantId,
    /// Its display name.
    pub title: Option<Sealed>,
}

/// A tenant was suspended: its keys open nothing until it is resumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantSuspended {
    /// Which.
    pub tenant: TenantId,
}

/// A tenant was resumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantResumed {
    /// Which.
    pub tenant: TenantId,
}

/// A backup was begun: everything before this may have left the house.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupStarted {
    /// Which.
    pub backup: BackupId,
    /// Which of its two files.
    pub part: BackupPart,
}

/// One of the two files of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupPart {
    /// Every event, texts sealed.
    Ledger,
    /// The keys, encrypted.
    Keys,
}

/// Ledgers were restored from a backup. All events before this one are the backup's; this ledger's own life begins with
/// it. A restore of many tenants writes several, each with other heads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerRestored {
    /// The backup.
    pub backup: BackupId,
    /// When the backup was begun, by the clock of the machine that made it.
    pub taken_at: Timestamp,
    /// The life that was backed up.
    pub from: Incarnation,
    /// The life that it was restored into: this one.
    pub into: Incarnation,
    /// How far the tenants' ledgers were restored, in order of their names.
    pub heads: Vec<RestoredHead>,
}

/// How far one tenant's ledger was restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RestoredHead {
    /// Whose.
    pub tenant: TenantId,
    /// The index of its last event.
    pub index: u64,
}
