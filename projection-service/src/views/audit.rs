//! The audit view: who did what, when and by which right, and what was denied; by time, actor, action and target.
//!
//! A record is a function of an event, its commit and its batch, and of what the names in it meant then. It holds ids and
//! names; the words of a message stay sealed and are opened when somebody asks.

pub mod answer;
pub mod block;
pub mod filter;
pub mod key;
pub mod record;
mod target;

use std::time::Duration;

use promptory_events::event::AnyRole;
use promptory_events::{Event, KeyId, PrincipalId, PromptId, PromptKey};
use rpds::HashTrieMapSync;

use super::fold::{Broken, Source, Step};
use super::stage::Staged;
use super::{Head, Load, View};
use crate::digest::Sum;
use crate::store::checkpoint::Checkpoint;
use crate::store::rows::{RowError, RowKey};
use crate::views::catalog::row;
use block::Block;
use key::{Key, family, number_of};

/// The shape of the rows.
pub const FORMAT: u32 = 2;

/// What the fold of one tenant's audit view has in memory: what the names mean that events are told with, and what the records
/// of the last block are found by.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    head: Head,
    keys: HashTrieMapSync<PromptId, PromptKey>,
    roles: HashTrieMapSync<u64, AnyRole>,
    api_keys: HashTrieMapSync<KeyId, PrincipalId>,
    block: Block,
}

impl Audit {
    /// The key of a prompt, or the last one it had.
    fn key_of(&self, prompt: PromptId) -> Option<&PromptKey> {
        self.keys.get(&prompt)
    }

    /// The role that was granted at an index.
    fn role_of(&self, grant: u64) -> Option<&AnyRole> {
        self.roles.get(&grant)
    }

    fn principal_of(&self, key: KeyId) -> Option<PrincipalId> {
        self.api_keys.get(&key).copied()
    }

    /// What names mean from this event on.
    fn learn(&mut self, staged: &mut Staged<()>, step: &Step<'_>) {
        let sum = &mut self.head.sum;
        match step.event {
            Event::RoleGranted(event) => {
                staged.put(sum, &Key::Grant(step.index), row::encode(&event.role));
                self.roles.insert_mut(step.index, event.role.clone());
            }
            Event::KeyIssued(event) => {
                replace(staged, sum, &Key::ApiKey(event.key), self.api_keys.get(&event.key), &event.principal);
                self.api_keys.insert_mut(event.key, event.principal);
            }
            event => {
                if let Some((prompt, after)) = event.prompt().zip(record::key_after(event)) {
                    replace(staged, sum, &Key::Name(prompt), self.keys.get(&prompt), after);
                    self.keys.insert_mut(prompt, after.clone());
                }
            }
        }
    }
}

fn replace<T: serde::Serialize>(staged: &mut Staged<()>, sum: &mut Sum, key: &Key, before: Option<&T>, after: &T) {
    match before {
        Some(before) => staged.replace(sum, key, &row::encode(before), row::encode(after)),
        None => staged.put(sum, key, row::encode(after)),
    }
}

impl View for Audit {
    const NAME: &'static str = "audit";
    const DIGEST_OF: &'static str = "audit-1";
    const FORMAT: u32 = FORMAT;
    // Nobody waits for it as for the catalog.
    const GATHER: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(20));
    const GIVES_WAY: bool = true;

    type Kept = ();
    type Loader = Loader;

    fn head(&self) -> Head {
        self.head
    }

    fn set_head(&mut self, head: Head) {
        self.head = head;
    }

    fn kept(&self) {}

    fn row_of(index: u64) -> Vec<u8> {
        Key::Record(index).bytes()
    }

    fn apply(&mut self, staged: &mut Staged<()>, source: &Source, step: &Step<'_>) -> Result<(), Broken> {
        let (record, index) = (record::of(self, &source.tenant, step), step.index);
        let sum = &mut self.head.sum;
        staged.put(sum, &Key::Record(index), row::encode(&record));
        self.block.note(index, &record);
        self.block.close_after(index, staged, sum);
        self.learn(staged, step);
        Ok(())
    }
}

/// Makes the state again from the rows that say what names mean, and from the records of the last block.
#[derive(Debug, Default)]
pub struct Loader {
    audit: Audit,
    unfinished: Vec<(u64, Vec<u8>)>,
}

impl Load<Audit> for Loader {
    fn see(&mut self, key: &[u8], value: &[u8]) -> Result<(), RowError> {
        let audit = &mut self.audit;
        match key.split_first() {
            Some((&family::RECORD, _)) => {
                let index = number_of(key).ok_or(RowError::Row("record"))?;
                self.unfinished.push((index, value.to_owned()));
                if block::of(index + 1) > block::of(index) {
                    self.unfinished.clear();
                }
            }
            Some((&family::NAME, id)) => {
                audit.keys.insert_mut(PromptId(bytes(id)?), row::decode("name", value)?);
            }
            Some((&family::GRANT, index)) => {
                audit.roles.insert_mut(u64::from_be_bytes(bytes(index)?), row::decode("grant", value)?);
            }
            Some((&family::API_KEY, id)) => {
                audit.api_keys.insert_mut(KeyId(bytes(id)?), row::decode("api key", value)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(mut self, checkpoint: Option<Checkpoint<()>>) -> Result<Audit, RowError> {
        self.audit.block = Block::again(&self.unfinished)?;
        if let Some(Checkpoint { index, cursor, recorded_at, sum, kept: () }) = checkpoint {
            self.audit.head = Head { index: Some(index), cursor: Some(cursor), recorded_at, sum };
        }
        Ok(self.audit)
    }
}

fn bytes<const N: usize>(bytes: &[u8]) -> Result<[u8; N], RowError> {
    bytes.try_into().map_err(|_| RowError::Row("key"))
}

#[cfg(test)]
mod tests;
