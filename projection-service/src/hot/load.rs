//! Makes the current state again from the rows, while they are read to be verified.

use promptory_events::PromptId;

use super::Hot;
use crate::store::checkpoint::Checkpoint;
use crate::store::key::{Key, family};
use crate::store::rows::{RowError, Rows};
use crate::views::catalog::row::{self, EventRow};

/// Gathers what the current state needs from rows that come in order.
#[derive(Debug, Default)]
pub struct Loader {
    hot: Hot,
    last_changes: Vec<(PromptId, u64)>,
}

impl Loader {
    /// Takes note of a row.
    ///
    /// # Errors
    /// A row that can't be read.
    pub fn see(&mut self, key: &[u8], value: &[u8]) -> Result<(), RowError> {
        // Most rows are of families that the state does not need: their first byte says so.
        if !matches!(key.first(), Some(&(family::CHANGE | family::PRINCIPAL..=family::TENANT))) {
            return Ok(());
        }
        let access = &mut self.hot.access;
        match Key::decode(key).ok_or(RowError::Row("key"))? {
            Key::Change(prompt, index) => match self.last_changes.last_mut() {
                Some((last, at)) if *last == prompt => *at = index,
                _ => self.last_changes.push((prompt, index)),
            },
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
    ///
    /// # Errors
    /// An event's row that another row points to is missing or can't be read.
    pub fn finish(mut self, rows: &impl Rows, checkpoint: Option<Checkpoint>) -> Result<Hot, RowError> {
        for (_, index) in self.last_changes {
            let value = rows.get(&Key::Event(index))?.ok_or(RowError::Row("event"))?;
            let prompt = EventRow::decode_prompt(&value)?.ok_or(RowError::Row("prompt"))?;
            self.hot.put(prompt, None);
        }
        if let Some(checkpoint) = checkpoint {
            self.hot.index = Some(checkpoint.index);
            self.hot.cursor = Some(checkpoint.cursor);
            self.hot.recorded_at = checkpoint.recorded_at;
            self.hot.sum = checkpoint.sum;
        }
        Ok(self.hot)
    }
}
