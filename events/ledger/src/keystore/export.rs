//! The key store in a neutral form, for backups: page by page, each page whole in itself, so that nothing is held while
//! a page is on its way and every form of the key store can write what another one said.
//!
//! Data keys are in it as they are, not as they are wrapped here: whoever writes a page to a file encrypts it.

use promptory_events::{DataKeyId, TenantId};
use serde::{Deserialize, Serialize};

use super::{KeyStore, KeyStoreError, tables};

/// Data keys in a page, at most.
pub(super) const PAGE_KEYS: usize = 1000;

/// Some of a tenant's keys, with all that goes with them. Secret: it has no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPage {
    /// Whose.
    pub tenant: TenantId,
    /// The number of its epoch key.
    pub epoch: u32,
    /// Its epoch key, which wraps its data keys at rest.
    pub epoch_key: [u8; 32],
    /// What its contents are named with.
    pub content_key: [u8; 32],
    /// What its commands' bodies are hashed with.
    pub command_key: [u8; 32],
    /// The counter of its next data key.
    pub next: u64,
    /// Data keys by id, in order.
    pub data_keys: Vec<(DataKeyId, [u8; 32])>,
    /// Data keys that were destroyed, and when, in microseconds: told apart from such as never were.
    pub erased: Vec<(DataKeyId, i64)>,
}

/// How far an export has come: behind a tenant's data key, or behind all of a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportCursor {
    pub(super) tenant: Option<TenantId>,
    pub(super) data_key: Option<DataKeyId>,
}

impl KeyStore {
    /// The next page of an export, and where the one after it begins; `None` at the end. Holds nothing between two
    /// pages and delays no writer. Keys that are made meanwhile may be in it or not.
    ///
    /// # Errors
    /// The file can't be read or is damaged. Blocks for a short while.
    pub fn export(&self, after: &ExportCursor) -> Result<Option<(KeyPage, ExportCursor)>, KeyStoreError> {
        tables::export(&self.inner.shared.store.db, after)
    }

    /// Takes in a page of an export, durable on return. Taking the same page in again changes nothing.
    ///
    /// # Errors
    /// The tenant has other keys here already; the file can't be written. Blocks for a sync.
    pub fn import(&self, page: &KeyPage) -> Result<(), KeyStoreError> {
        tables::import(&self.inner.shared.store.db, page)?;
        // What was loaded before may not know the counter that came with the page.
        super::lock(&self.inner.shared.tenants).pop(&page.tenant);
        Ok(())
    }
}
