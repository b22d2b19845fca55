//! The key store in a neutral form, for backups: page by page, each page whole in itself, so that nothing is held while
//! a page is on its way and every form of the key store can write what another one said.
//!
//! Data keys are in it as they are, not as they are wrapped here: whoever writes a page to a file encrypts it.

use promptory_events::{DataKeyId, TenantId};
use serde::{Deserialize, Serialize};

use super::wrap::counter_of;
use super::{Form, KeyStore, KeyStoreError, patience, tables};

/// Data keys in a page of the file form, at most. On JetStream a page is a block.
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

impl KeyPage {
    /// The content key and the command key, as they are wrapped together.
    pub(super) fn secrets(&self) -> [u8; 64] {
        let mut secrets = [0; 64];
        secrets[..32].copy_from_slice(&self.content_key);
        secrets[32..].copy_from_slice(&self.command_key);
        secrets
    }

    /// The first counter that no data key had: beyond each in the page, whatever the page knew when it was made, because
    /// a counter is never given twice.
    pub(super) fn next_counter(&self) -> u64 {
        let kids = self.data_keys.iter().map(|(kid, _)| kid).chain(self.erased.iter().map(|(kid, _)| kid));
        kids.map(|kid| counter_of(*kid).saturating_add(1)).fold(self.next, u64::max)
    }
}

/// The inverse of [`KeyPage::secrets`].
pub(super) fn halves(secrets: &[u8; 64]) -> ([u8; 32], [u8; 32]) {
    let (mut content_key, mut command_key) = ([0; 32], [0; 32]);
    content_key.copy_from_slice(&secrets[..32]);
    command_key.copy_from_slice(&secrets[32..]);
    (content_key, command_key)
}

/// How far an export has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportCursor {
    /// In a file: behind all of this tenant, or behind `data_key` of it. On JetStream: within this tenant.
    pub(super) tenant: Option<TenantId>,
    pub(super) data_key: Option<DataKeyId>,
    /// On JetStream: the sequences of the last tenant's keys and of its last block.
    pub(super) epoch_at: u64,
    pub(super) block_at: u64,
}

impl KeyStore {
    /// The next page of an export, and where the one after it begins; `None` at the end. Holds nothing between two
    /// pages and delays no writer. Keys that are made meanwhile may be in it or not.
    ///
    /// # Errors
    /// The store can't be read or is damaged. Blocks for a short while.
    pub fn export(&self, after: &ExportCursor) -> Result<Option<(KeyPage, ExportCursor)>, KeyStoreError> {
        match &self.inner.shared.form {
            Form::File(store) => tables::export(&store.db, after),
            Form::JetStream(stream) => stream.export(after, patience()),
        }
    }

    /// Takes in a page of an export, durable on return. Taking the same page in again changes nothing. On JetStream no
    /// other process may make keys of the tenant meanwhile: a page may come after its counters were given.
    ///
    /// # Errors
    /// The tenant has other keys here already; the store can't be written. Blocks for a sync, or for the servers.
    pub fn import(&self, page: &KeyPage) -> Result<(), KeyStoreError> {
        match &self.inner.shared.form {
            Form::File(store) => tables::import(&store.db, page)?,
            Form::JetStream(stream) => stream.import(page)?,
        }
        // What was loaded before may not know the counter that came with the page.
        super::lock(&self.inner.shared.tenants).pop(&page.tenant);
        Ok(())
    }
}
