//! The receipts in memory: the latest 100,000, and all that are not on disk yet.

use std::collections::{HashMap, VecDeque};

use promptory_events::CommandId;

use crate::cache::Receipt;

const KEPT: usize = 100_000;
const BYTES_EACH: usize = 100;

#[derive(Debug, Default)]
pub struct Receipts {
    by_command: HashMap<CommandId, Receipt>,
    order: VecDeque<CommandId>,
    unstored: Vec<(CommandId, Receipt)>,
}

impl Receipts {
    /// Of commands whose receipts are not on disk.
    pub fn new(receipts: Vec<(CommandId, Receipt)>) -> Self {
        let mut new = Self::default();
        new.extend(&receipts);
        new
    }

    pub fn get(&self, command: CommandId) -> Option<Receipt> {
        self.by_command.get(&command).copied()
    }

    pub fn extend(&mut self, receipts: &[(CommandId, Receipt)]) {
        for (command, receipt) in receipts {
            self.by_command.insert(*command, *receipt);
            self.order.push_back(*command);
            self.unstored.push((*command, *receipt));
        }
    }

    pub fn unstored(&self) -> &[(CommandId, Receipt)] {
        &self.unstored
    }

    /// The first `count` of those that were not stored are on disk now, so the oldest may go.
    pub fn mark_stored(&mut self, count: usize) {
        self.unstored.drain(..count);
        while self.order.len() > KEPT.max(self.unstored.len()) {
            if let Some(oldest) = self.order.pop_front() {
                self.by_command.remove(&oldest);
            }
        }
    }

    pub fn size_bytes(&self) -> usize {
        self.order.len() * BYTES_EACH
    }
}

#[cfg(test)]
mod tests {
    use promptory_events::CommandHash;

    use super::*;

    fn some(range: std::ops::Range<u32>) -> Vec<(CommandId, Receipt)> {
        let id = |n: u32| {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&n.to_be_bytes());
            CommandId(id)
        };
        range.map(|n| (id(n), Receipt { hash: CommandHash([0; 16]), first_index: u64::from(n) })).collect()
    }

    #[test]
    fn what_is_not_on_disk_is_never_forgotten() {
        let first = some(0..1)[0];
        let mut receipts = Receipts::new(some(0..150_000));
        assert_eq!(receipts.get(first.0), Some(first.1));
        receipts.mark_stored(150_000);
        assert_eq!(receipts.get(first.0), None, "it is on disk");
        let last = some(149_999..150_000)[0];
        assert_eq!(receipts.get(last.0), Some(last.1));
        assert!(receipts.unstored().is_empty());
    }
}
