//! Keys out of the stream and into it, as the pages that every form of the key store knows.
//!
//! A data key keeps its id, and an id says by its counter in which block it lies, so imported keys are put into the blocks
//! of their counters. Pages know nothing of blocks: a block that is there already is written anew with what a page adds,
//! guarded with the message that it replaces. Before any of it the subject `imported` says how far imported counters go:
//! blocks that are made here begin beyond.

use std::collections::BTreeMap;
use std::time::Instant;

use promptory_events::{DataKeyId, TenantId};

use super::super::export::{ExportCursor, KeyPage, halves};
use super::super::tenant::TenantKeys;
use super::super::wrap::{WRAPPED_BYTES, wrap_data_key};
use super::super::{DataKey, KeyStoreError, patience};
use super::record::{self, DESTROYED, Opened};
use super::{Put, Stream};

/// What a page has for one block.
type Entries = BTreeMap<DataKeyId, [u8; WRAPPED_BYTES]>;

impl Stream {
    /// The next page: a block, or a tenant that has none.
    pub(in super::super) fn export(
        &self,
        after: &ExportCursor,
        until: Instant,
    ) -> Result<Option<(KeyPage, ExportCursor)>, KeyStoreError> {
        let mut at = after.clone();
        loop {
            let (tenant, is_new) = match at.tenant.take() {
                Some(tenant) => (tenant, false),
                None => match self.tenant_after(&mut at, until)? {
                    Some(tenant) => (tenant, true),
                    None => return Ok(None),
                },
            };
            let (pattern, from) = (record::blocks_subject(&tenant), at.block_at + 1);
            let block = self.door.ask(until, move |client| async move { client.next(&pattern, from).await })?;
            if block.is_none() && !is_new {
                continue; // all of this tenant is out
            }
            let opened = self.opened(&tenant, until)?;
            let opened = opened.ok_or_else(|| KeyStoreError::Damaged(format!("the keys of {tenant} are gone")))?;
            let keys = opened.keys(&tenant);
            let mut page = self.empty_page(&opened, &keys, until)?;
            if let Some(block) = block {
                let number = record::block_number(&block.subject);
                let number =
                    number.ok_or_else(|| KeyStoreError::Damaged(format!("a block lies under {}", block.subject)))?;
                // When the key was destroyed the block was written anew: the stream keeps no other time.
                let written = i64::try_from(block.time.unix_timestamp_nanos() / 1000).unwrap_or(0);
                for entry in record::entries(&keys, number, &block.payload)? {
                    match record::data_key(&keys, &entry) {
                        Ok(key) => page.data_keys.push((key.kid, *key.bytes())),
                        Err(KeyStoreError::Erased(kid)) => page.erased.push((kid, written)),
                        Err(error) => return Err(error),
                    }
                }
                at.block_at = block.sequence;
            }
            at.tenant = Some(tenant);
            return Ok(Some((page, at)));
        }
    }

    fn tenant_after(&self, at: &mut ExportCursor, until: Instant) -> Result<Option<TenantId>, KeyStoreError> {
        let from = at.epoch_at + 1;
        let found = self.door.ask(until, move |client| async move { client.next(record::TENANTS, from).await })?;
        let Some(found) = found else { return Ok(None) };
        (at.epoch_at, at.block_at) = (found.sequence, 0);
        let tenant = record::tenant_of(&found.subject);
        tenant.map(Some).ok_or_else(|| KeyStoreError::Damaged(format!("keys lie under {}", found.subject)))
    }

    fn empty_page(&self, opened: &Opened, keys: &TenantKeys, until: Instant) -> Result<KeyPage, KeyStoreError> {
        let (content_key, command_key) = halves(&opened.secrets);
        Ok(KeyPage {
            tenant: keys.tenant.clone(),
            epoch: opened.epoch,
            epoch_key: opened.epoch_key,
            content_key,
            command_key,
            next: record::first_counter(self.free_number(keys, until)?),
            data_keys: Vec::new(),
            erased: Vec::new(),
        })
    }

    fn opened(&self, tenant: &TenantId, until: Instant) -> Result<Option<Opened>, KeyStoreError> {
        let subject = record::epoch_subject(tenant);
        let found = self.door.ask(until, |client| async move { client.surely_last(&subject).await })?;
        found.map(|message| record::tenant(&self.root, tenant, &message.payload)).transpose()
    }

    /// Takes a page in. Each message has a patience of its own; what was taken before an error is found when the page is
    /// taken again.
    pub(in super::super) fn import(&self, page: &KeyPage) -> Result<(), KeyStoreError> {
        let keys = self.import_tenant(page)?;
        self.begin_beyond(&page.tenant, record::block_beyond(page.next_counter()))?;
        let mut blocks: BTreeMap<u64, Entries> = BTreeMap::new();
        for (kid, key) in &page.data_keys {
            let wrapped = wrap_data_key(&keys, &DataKey::new(*kid, *key))?;
            blocks.entry(record::block_of(*kid)).or_default().insert(*kid, wrapped);
        }
        for (kid, _) in &page.erased {
            blocks.entry(record::block_of(*kid)).or_default().insert(*kid, DESTROYED);
        }
        blocks.into_iter().try_for_each(|(number, entries)| self.import_block(&keys, number, &entries))
    }

    fn import_tenant(&self, page: &KeyPage) -> Result<TenantKeys, KeyStoreError> {
        let (tenant, until) = (&page.tenant, patience());
        let ours = Opened { epoch: page.epoch, epoch_key: page.epoch_key, secrets: page.secrets() };
        let there = match self.opened(tenant, until)? {
            Some(there) => Some(there),
            None => {
                let mut nonce = [0; 12];
                getrandom::fill(&mut nonce).map_err(KeyStoreError::Random)?;
                let message = record::put_tenant(&self.root, tenant, &ours, nonce)?;
                let subject = record::epoch_subject(tenant);
                match self.door.ask(until, |client| async move { client.put_first(&subject, message).await })? {
                    Put::Ours => None,
                    Put::Other(message) => Some(record::tenant(&self.root, tenant, &message)?),
                }
            }
        };
        match there {
            Some(there) if there != ours => Err(KeyStoreError::OtherKeys(tenant.clone())),
            _ => Ok(ours.keys(tenant)),
        }
    }

    /// From now on the tenant's own blocks begin with this number, or later.
    fn begin_beyond(&self, tenant: &TenantId, number: u64) -> Result<(), KeyStoreError> {
        let until = patience();
        loop {
            let (there, guard) = self.imported(tenant, until)?;
            if number <= there {
                return Ok(());
            }
            let (subject, message) = (record::imported_subject(tenant), record::imported(number));
            self.door.ask(until, move |client| async move { client.put_after(&subject, message, guard).await })?;
        }
    }

    /// Adds keys to a block; makes it if it is not there. Looked at again after each try: what is there counts.
    fn import_block(&self, keys: &TenantKeys, number: u64, page: &Entries) -> Result<(), KeyStoreError> {
        let until = patience();
        loop {
            let subject = record::block_subject(&keys.tenant, number);
            let asked = subject.clone();
            let found = self.door.ask(until, |client| async move { client.surely_last(&asked).await })?;
            let (guard, there) = match &found {
                Some(found) => (found.sequence, record::entries(keys, number, &found.payload)?),
                None => (0, Vec::new()),
            };
            let there: Entries = there.into_iter().collect();
            let merged = merged(keys, &there, page)?;
            if merged == there {
                return Ok(());
            }
            if merged.len() > record::ENTRIES_MAX {
                return Err(KeyStoreError::Damaged(format!("block {number} of {} gets too many keys", keys.tenant)));
            }
            let entries: Vec<_> = merged.into_iter().collect();
            let message = record::put_block(keys, &entries);
            self.door.ask(until, move |client| async move { client.put_after(&subject, message, guard).await })?;
        }
    }
}

/// What is there, and what a page adds. A key that was destroyed, here or there, stays so.
fn merged(keys: &TenantKeys, there: &Entries, page: &Entries) -> Result<Entries, KeyStoreError> {
    let mut merged = there.clone();
    for (kid, wrapped) in page {
        let entry = merged.entry(*kid).or_insert(*wrapped);
        if *wrapped == DESTROYED {
            *entry = DESTROYED;
        } else if *entry != DESTROYED && entry != wrapped {
            // Wrapping is the same each time, so this is another key of the same name.
            return Err(KeyStoreError::OtherKeys(keys.tenant.clone()));
        }
    }
    Ok(merged)
}
