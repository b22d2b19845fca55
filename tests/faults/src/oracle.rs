//! What writers were told, and whether what is stored agrees: nothing acknowledged lost, nothing twice, nothing there that
//! was refused. Knows nothing of who writes and what: an entry is a line (a tenant) and an id in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An id of something written, never used twice.
pub type Id = u64;

#[derive(Debug, Default)]
struct Line {
    /// In the order of the acknowledgements, with the place that each was given.
    acknowledged: Vec<(Id, u64)>,
    refused: BTreeSet<Id>,
    /// The first acknowledged of those begun after the mark.
    back: Option<Instant>,
}

#[derive(Debug, Default)]
struct Told {
    lines: BTreeMap<String, Line>,
    mark: Option<Instant>,
    wrong: Vec<String>,
}

/// The memory of everything that was told.
#[derive(Debug, Default)]
pub struct Oracle {
    told: Mutex<Told>,
}

impl Oracle {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line that will be written to. Service is back when all are.
    pub fn expect(&self, line: &str) {
        self.told().lines.entry(line.to_owned()).or_default();
    }

    /// Something begun then was acknowledged now, at a place.
    pub fn acknowledged(&self, line: &str, id: Id, place: u64, began: Instant) {
        let mut told = self.told();
        let mark = told.mark;
        let line = told.lines.entry(line.to_owned()).or_default();
        line.acknowledged.push((id, place));
        if mark.is_some_and(|mark| began >= mark) && line.back.is_none() {
            line.back = Some(Instant::now());
        }
    }

    /// Something was refused: it must not be stored.
    pub fn refused(&self, line: &str, id: Id) {
        self.told().lines.entry(line.to_owned()).or_default().refused.insert(id);
    }

    /// An answer that is wrong whatever is stored.
    pub fn wrong(&self, what: String) {
        self.told().wrong.push(what);
    }

    /// From now on, how long it takes until every line is served again is looked at.
    pub fn mark(&self, at: Instant) {
        let mut told = self.told();
        told.mark = Some(at);
        told.lines.values_mut().for_each(|line| line.back = None);
    }

    /// How long after the mark the last line got something acknowledged that was begun after it; `None`: not yet.
    #[must_use]
    pub fn back_after(&self) -> Option<Duration> {
        let told = self.told();
        let mark = told.mark?;
        let backs = told.lines.values().map(|line| line.back).collect::<Option<Vec<_>>>()?;
        Some(backs.into_iter().max()? - mark)
    }

    /// How many were acknowledged.
    #[must_use]
    pub fn count(&self) -> usize {
        self.told().lines.values().map(|line| line.acknowledged.len()).sum()
    }

    /// The lines.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.told().lines.keys().cloned().collect()
    }

    /// What a line must hold at the least: take it before reading, or what is acknowledged meanwhile seems lost.
    #[must_use]
    pub fn due(&self, line: &str) -> Vec<(Id, u64)> {
        self.told().lines.get(line).map(|line| line.acknowledged.clone()).unwrap_or_default()
    }

    /// Judges what is stored of a line, in order, with the place of each, against what was due before it was read. Empty:
    /// nothing is wrong.
    #[must_use]
    pub fn judge(&self, line: &str, due: &[(Id, u64)], stored: &[(Id, u64)]) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut places = HashMap::new();
        for (id, place) in stored {
            if places.insert(*id, *place).is_some() {
                wrong.push(format!("{line}: {id} is stored twice, the second time at {place}"));
            }
        }
        for (id, place) in due {
            match places.get(id) {
                Some(found) if found == place => {}
                Some(found) => wrong.push(format!("{line}: {id} was acknowledged at {place} and is at {found}")),
                None => wrong.push(format!("{line}: {id} was acknowledged at {place} and is lost")),
            }
        }
        let told = self.told();
        let refused = told.lines.get(line).map(|line| &line.refused);
        for id in refused.into_iter().flatten().filter(|id| places.contains_key(id)) {
            wrong.push(format!("{line}: {id} was refused and is stored"));
        }
        wrong
    }

    /// Wrong answers so far; each is told once.
    #[must_use]
    pub fn take_wrong(&self) -> Vec<String> {
        std::mem::take(&mut self.told().wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oracle_sees_what_is_lost_doubled_moved_or_undead() {
        let oracle = Oracle::default();
        let now = Instant::now();
        for id in 1..=3 {
            oracle.acknowledged("acme", id, id * 10, now);
        }
        oracle.refused("acme", 9);
        let due = oracle.due("acme");
        let judge = |stored: &[(Id, u64)]| oracle.judge("acme", &due, stored).join("; ");
        assert_eq!(judge(&[(1, 10), (2, 20), (7, 25), (3, 30)]), "", "what nobody was told may be there");
        assert!(judge(&[(1, 10), (3, 30)]).contains("2 was acknowledged at 20 and is lost"));
        assert!(judge(&[(1, 10), (2, 20), (2, 25), (3, 30)]).contains("2 is stored twice"));
        assert!(judge(&[(1, 10), (2, 21), (3, 30)]).contains("2 was acknowledged at 20 and is at 21"));
        assert!(judge(&[(1, 10), (2, 20), (3, 30), (9, 40)]).contains("9 was refused and is stored"));
    }

    #[test]
    fn service_is_back_when_every_line_is() {
        let oracle = Oracle::default();
        let began = Instant::now();
        oracle.expect("b");
        oracle.acknowledged("a", 1, 1, began);
        let mark = Instant::now();
        oracle.mark(mark);
        oracle.acknowledged("a", 2, 2, began);
        assert_eq!(oracle.back_after(), None, "it was begun before");
        oracle.acknowledged("a", 3, 3, Instant::now());
        assert_eq!(oracle.back_after(), None, "b is still waiting");
        oracle.acknowledged("b", 1, 4, Instant::now());
        assert!(oracle.back_after().is_some());
    }
}
