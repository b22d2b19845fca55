//! What a tenant's model says now, in memory: immutable, shared, swapped after each commit.
//!
//! The fold works on it and never reads the store, and questions about now are answered from it alone. Its maps are
//! persistent, so the next state shares everything that did not change with the one that readers hold.

pub mod access;
pub mod load;
pub mod opened;
pub mod past;
pub mod releases;
pub mod shown;

use std::sync::Arc;

use promptory_domain::quota::Quotas;
use promptory_events::event::Languages;
use promptory_events::{Cursor, PromptId, PromptKey, Timestamp};
use rpds::HashTrieMapSync;

use crate::digest::Sum;
use crate::views::catalog::row::PromptRow;
use access::Access;
use releases::Releases;

/// The current state of one tenant's catalog.
#[derive(Clone, Debug)]
pub struct Hot {
    /// The last event that it knows; `None` before the first.
    pub index: Option<u64>,
    /// The batch of that event.
    pub cursor: Option<Cursor>,
    /// When that batch was recorded.
    pub recorded_at: Timestamp,
    /// The sum over all rows.
    pub sum: Sum,
    /// Who may do what.
    pub access: Access,
    /// What stands between them and labels.
    pub releases: Releases,
    /// What the tenant has and may have.
    pub quotas: Quotas,
    /// The languages that its prompts are searched in.
    pub languages: Languages,
    /// Whether its versions are watched.
    pub watch: bool,
    prompts: HashTrieMapSync<PromptId, Arc<PromptRow>>,
    live: HashTrieMapSync<PromptKey, Arc<PromptRow>>,
}

impl Default for Hot {
    fn default() -> Self {
        Self {
            index: None,
            cursor: None,
            recorded_at: Timestamp::MIN,
            sum: Sum::default(),
            access: Access::default(),
            releases: Releases::default(),
            quotas: Quotas::default(),
            languages: Languages::default(),
            watch: true,
            prompts: HashTrieMapSync::new_sync(),
            live: HashTrieMapSync::new_sync(),
        }
    }
}

impl Hot {
    /// The index of the event that comes next.
    #[must_use]
    pub fn next_index(&self) -> u64 {
        self.index.map_or(0, |index| index + 1)
    }

    /// A prompt by identity, archived or not.
    #[must_use]
    pub fn prompt(&self, id: PromptId) -> Option<&Arc<PromptRow>> {
        self.prompts.get(&id)
    }

    /// All prompts, archived or not.
    pub fn prompts(&self) -> impl Iterator<Item = &Arc<PromptRow>> {
        self.prompts.values()
    }

    /// The prompt that holds a key.
    #[must_use]
    pub fn holder(&self, key: &PromptKey) -> Option<&Arc<PromptRow>> {
        self.live.get(key)
    }

    /// How many prompts hold a key.
    #[must_use]
    pub fn live(&self) -> usize {
        self.live.size()
    }

    /// The keys that are held, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &PromptKey> {
        self.live.keys()
    }

    /// Takes over a prompt as it is from now on. `before` is the key that it held until now, if it held one.
    pub fn put(&mut self, row: PromptRow, before: Option<&PromptKey>) {
        if let Some(key) = before.filter(|key| row.archived || **key != row.key) {
            self.live.remove_mut(key);
        }
        let row = Arc::new(row);
        if !row.archived {
            self.live.insert_mut(row.key.clone(), row.clone());
        }
        self.prompts.insert_mut(row.id, row);
    }
}
