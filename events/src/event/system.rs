//! Events of the ledger `_system`: the control plane is audited like everything else.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{Incarnation, TenantId};
use crate::sealed::Sealed;

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
