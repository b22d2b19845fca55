//! The audit view: who did what, when and by which right, and what was denied; by time, actor, action and target.
//!
//! A record is a function of an event, its commit and its batch, and of what the names in it meant then. It holds ids and
//! names; the words of a message stay sealed and are opened when somebody asks.

pub mod answer;
pub mod block;
pub mod chunk;
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
use crate::store::rows::{RowError, Rows};
use crate::views::catalog::row;
use block::Block;
use chunk::{Chunk, Records};
use key::{Key, family, number_of};

/// The shape of the rows.
pub const FORMAT: u32 = 3;

/// What the fold of one tenant's audit view has in memory: what the names mean that events are told with, and what the records
/// of the last block are found by.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    head: Head,
    keys: HashTrieMapSync<PromptId, PromptKey>,
    roles: HashTrieMapSync<u64, AnyRole>,
    api_keys: HashTrieMapSync<KeyId, PrincipalId>,
    block: Block,
    /// The records that are in no row yet.
    recent: Chunk,
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
    fn learn(&mut self, staged: &mut Staged<Chunk>, step: &Step<'_>) {
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

fn replace<T: serde::Serialize>(staged: &mut Staged<Chunk>, sum: &mut Sum, key: &Key, before: Option<&T>, after: &T) {
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
    const GATHER: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(100));
    const GIVES_WAY: bool = true;

    type Kept = Chunk;
    type Loader = Loader;

    fn head(&self) -> Head {
        self.head
    }

    fn set_head(&mut self, head: Head) {
        self.head = head;
    }

    fn kept(&self) -> Chunk {
        self.recent.clone()
    }

    fn sum_of(key: &[u8], value: &[u8], sum: &mut Sum) -> Result<(), RowError> {
        match key.split_first() {
            Some((&family::RECORDS, _)) => Chunk::decode(value)?.sum(numbered(key)?, sum),
            _ => sum.add(key, value),
        }
        Ok(())
    }

    fn sum_of_kept(kept: &Chunk, index: u64, sum: &mut Sum) {
        kept.sum((index + 1) / chunk::LEN, sum);
    }

    fn apply(&mut self, staged: &mut Staged<Chunk>, source: &Source, step: &Step<'_>) -> Result<(), Broken> {
        let (record, index) = (record::of(self, &source.tenant, step), step.index);
        let sum = &mut self.head.sum;
        self.recent.push(index, row::encode(&record).into(), staged, sum);
        self.block.note(index, &record);
        self.block.close_after(index, staged, sum);
        self.learn(staged, step);
        Ok(())
    }
}

/// Makes the state again from the rows that say what names mean, and the records of the last block.
#[derive(Debug, Default)]
pub struct Loader(Audit);

impl Load<Audit> for Loader {
    fn see(&mut self, key: &[u8], value: &[u8]) -> Result<(), RowError> {
        let audit = &mut self.0;
        match key.split_first() {
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

    fn finish(mut self, checkpoint: Option<Checkpoint<Chunk>>, rows: &impl Rows) -> Result<Audit, RowError> {
        let Some(Checkpoint { index, cursor, recorded_at, sum, kept }) = checkpoint else { return Ok(self.0) };
        self.0.head = Head { index: Some(index), cursor: Some(cursor), recorded_at, sum };
        self.0.recent = kept;
        let audit = self.0.clone();
        for record in Records::of(&audit, rows).range(block::start(block::of(index + 1)), index) {
            let (index, record) = record?;
            self.0.block.note(index, &row::decode("record", &record)?);
        }
        Ok(self.0)
    }
}

fn numbered(key: &[u8]) -> Result<u64, RowError> {
    number_of(key).ok_or(RowError::Row("key"))
}

fn bytes<const N: usize>(bytes: &[u8]) -> Result<[u8; N], RowError> {
    bytes.try_into().map_err(|_| RowError::Row("key"))
}

#[cfg(test)]
mod tests;
