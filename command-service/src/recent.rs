//! The commands that other replicas wrote lately: a command that was forwarded and not answered is looked for here, so
//! that it is not done again.
//!
//! Together with the append's guard this needs no clock: a state that holds all commits up to its end either shows the
//! command, or the append on it fails because the other replica's came first.

use std::collections::{HashMap, VecDeque};

use promptory_events::CommandId;

use crate::load::CaughtUp;

/// Commits that are remembered: several seconds of a busy tenant, longer than a forwarded command is waited for.
pub const RECENT_MAX: usize = 32 * 1024;
const BYTES_EACH: usize = 80;

/// The latest commits of others, from an index on.
#[derive(Debug, Default)]
pub struct Recent {
    by_command: HashMap<CommandId, u64>,
    order: VecDeque<(CommandId, u64)>,
    from: u64,
}

/// What is known of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Its first event has this index.
    At(u64),
    /// Nobody else has written it.
    Nowhere,
    /// It would lie further back than what is remembered.
    Unknown,
}

impl Recent {
    /// What a catch-up found: everything from where the state began.
    #[must_use]
    pub fn new(caught_up: &CaughtUp) -> Self {
        let mut new = Self { from: caught_up.commits_from, ..Self::default() };
        new.extend(caught_up);
        new
    }

    /// Takes in what another catch-up found.
    pub fn extend(&mut self, caught_up: &CaughtUp) {
        if caught_up.commits_from > caught_up.from {
            *self = Self { from: caught_up.commits_from, ..Self::default() };
        }
        for (command, index) in &caught_up.commits {
            self.by_command.insert(*command, *index);
            self.order.push_back((*command, *index));
        }
        while self.order.len() > RECENT_MAX {
            if let Some((oldest, index)) = self.order.pop_front() {
                self.by_command.remove(&oldest);
                self.from = self.from.max(index + 1);
            }
        }
    }

    /// Looks for a command that can't have been written before the index `since`.
    #[must_use]
    pub fn find(&self, command: CommandId, since: u64) -> Found {
        match self.by_command.get(&command) {
            Some(index) => Found::At(*index),
            None if self.from <= since => Found::Nowhere,
            None => Found::Unknown,
        }
    }

    /// Roughly what it takes in memory.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.order.len() * BYTES_EACH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> CommandId {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&n.to_be_bytes());
        CommandId(id)
    }

    fn caught_up(range: std::ops::Range<u64>) -> CaughtUp {
        let (from, commits_from) = (range.start, range.start);
        CaughtUp { from, commits_from, commits: range.map(|n| (id(n), n)).collect(), ..CaughtUp::default() }
    }

    #[test]
    fn what_is_not_remembered_is_not_taken_for_absent() {
        let mut recent = Recent::new(&caught_up(10..20));
        assert_eq!(recent.find(id(12), 0), Found::At(12));
        assert_eq!(recent.find(id(9_999_999), 10), Found::Nowhere);
        assert_eq!(recent.find(id(9_999_999), 9), Found::Unknown, "before the state began");
        // Own commits lie between: they are known otherwise.
        recent.extend(&caught_up(30..30 + RECENT_MAX as u64));
        assert_eq!(recent.find(id(12), 10), Found::Unknown, "forgotten");
        assert_eq!(recent.find(id(9_999_999), 30), Found::Nowhere);
        assert!(recent.size_bytes() <= RECENT_MAX * BYTES_EACH);
        let skipped = CaughtUp { commits_from: 200_000, ..caught_up(100_000..100_000) };
        recent.extend(&skipped);
        assert_eq!(recent.find(id(30), 30), Found::Unknown, "more came than is remembered");
        assert_eq!(recent.find(id(30), 200_000), Found::Nowhere);
    }
}
