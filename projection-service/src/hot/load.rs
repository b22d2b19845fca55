//! Makes the current state again from the rows, while they are read to be verified.

use std::collections::HashMap;

use promptory_events::PromptId;

use super::Hot;
use crate::store::checkpoint::Checkpoint;
use crate::store::key::{Key, family};
use crate::store::rows::RowError;
use crate::views::catalog::row::{self, EventRow, PromptRow};

/// Gathers what the current state needs from rows that come in order.
#[derive(Debug, Default)]
pub struct Loader {
    hot: Hot,
    /// Prompts as they are after the last of their events so far.
    prompts: HashMap<PromptId, PromptRow>,
}

impl Loader {
    /// Takes note of a row.
    ///
    /// # Errors
    /// A row that can't be read.
    pub fn see(&mut self, key: &[u8], value: &[u8]) -> Result<(), RowError> {
        // Most rows are of families that the state does not need: their first byte says so.
        if !matches!(key.first(), Some(&(family::EVENT | family::PRINCIPAL..=family::TENANT))) {
            return Ok(());
        }
        let access = &mut self.hot.access;
        match Key::decode(key).ok_or(RowError::Row("key"))? {
            Key::Event(_) => {
                self.prompts.extend(EventRow::decode_prompt(value)?.map(|prompt| (prompt.id, prompt)));
            }
            Key::Principal(principal) => access.grants.insert_mut(principal, Vec::new()),
            Key::ApiKey(key) => access.keys.insert_mut(key, row::decode("api key", value)?),
            Key::Grant(principal, role) => {
                let mut grants = access.grants.get(&principal).cloned().unwrap_or_default();
                grants.push((role, row::decode("grant", value)?));
                access.grants.insert_mut(principal, grants);
            }
            Key::Tenant(tenant) => access.tenants.insert_mut(tenant, row::decode("tenant", value)?),
            _ => {}
        }
        Ok(())
    }

    /// The state, once all rows were seen.
    #[must_use]
    pub fn finish(mut self, checkpoint: Option<Checkpoint>) -> Hot {
        for prompt in self.prompts.into_values() {
            self.hot.put(prompt, None);
        }
        if let Some(checkpoint) = checkpoint {
            self.hot.index = Some(checkpoint.index);
            self.hot.cursor = Some(checkpoint.cursor);
            self.hot.recorded_at = checkpoint.recorded_at;
            self.hot.sum = checkpoint.sum;
        }
        self.hot
    }
}
