//! What writers were told, and whether what is stored agrees: nothing acknowledged lost, nothing twice, nothing there that
//! was refused. Knows nothing of who writes and what: an entry is a line (a tenant) and an id in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An id of something written, never used twice.
pub type Id = u64;

/// Where something lies in its line: an index or a sequence, and the number that it was given besides, if it was given one.
pub type Place = (u64, Option<u32>);

#[derive(Debug, Default)]
struct Line {
    /// In the order of the acknowledgements, with the place that each was given.
    acknowledged: Vec<(Id, Place)>,
    refused: BTreeSet<Id>,
}

#[derive(Debug, Default)]
struct Told {
    lines: BTreeMap<String, Line>,
    /// For each who is served, when it first got something that was begun after the mark.
    served: BTreeMap<String, Option<Instant>>,
    /// What each was told instead, the last time.
    later: BTreeMap<String, String>,
    mark: Option<Instant>,
    /// The longest that anybody waited since the mark, until all were served.
    waited: Duration,
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

    /// A line that will be written to. Service is back when all who are expected are served.
    pub fn expect(&self, line: &str) {
        self.told().lines.entry(line.to_owned()).or_default();
        self.expect_served(line);
    }

    /// Somebody who will be served, and writes nothing.
    pub fn expect_served(&self, who: &str) {
        self.told().served.entry(who.to_owned()).or_default();
    }

    /// Something begun then was acknowledged now, at a place.
    pub fn acknowledged(&self, line: &str, id: Id, place: Place, began: Instant) {
        self.told().lines.entry(line.to_owned()).or_default().acknowledged.push((id, place));
        self.served(line, began);
    }

    /// Something begun then was served now.
    pub fn served(&self, who: &str, began: Instant) {
        let mut told = self.told();
        let Some(mark) = told.mark else { return };
        let now = Instant::now();
        if told.served.values().any(Option::is_none) {
            told.waited = told.waited.max(now - began.max(mark));
        }
        let back = told.served.entry(who.to_owned()).or_default();
        if began >= mark && back.is_none() {
            *back = Some(now);
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

    /// From now on, how long it takes until everybody is served again is looked at.
    pub fn mark(&self, at: Instant) {
        let mut told = self.told();
        told.mark = Some(at);
        told.waited = Duration::ZERO;
        told.served.values_mut().for_each(|back| *back = None);
    }

    /// How long after the mark the last one got something that was begun after it; `None`: not yet.
    #[must_use]
    pub fn back_after(&self) -> Option<Duration> {
        let told = self.told();
        let mark = told.mark?;
        let backs = told.served.values().copied().collect::<Option<Vec<_>>>()?;
        Some(backs.into_iter().max()?.saturating_duration_since(mark))
    }

    /// The longest that anybody waited for what they had asked for, from the mark at the earliest, until all were served: how
    /// long service was away, without the time in which nobody asked.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.told().waited
    }

    /// Somebody was told to come back, or nothing.
    pub fn later(&self, who: &str, what: String) {
        self.told().later.insert(who.to_owned(), what);
    }

    /// Who has not been served since the mark, with what it was told last.
    #[must_use]
    pub fn waiting(&self) -> Vec<String> {
        let told = self.told();
        let waiting = told.served.iter().filter(|(_, back)| back.is_none()).map(|(who, _)| who);
        waiting.map(|who| format!("{who} ({})", told.later.get(who).map_or("nothing", String::as_str))).collect()
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
    pub fn due(&self, line: &str) -> Vec<(Id, Place)> {
        self.told().lines.get(line).map(|line| line.acknowledged.clone()).unwrap_or_default()
    }

    /// Judges what is stored of a line, in order, with the place of each, against what was due before it was read. Empty:
    /// nothing is wrong.
    #[must_use]
    pub fn judge(&self, line: &str, due: &[(Id, Place)], stored: &[(Id, Place)]) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut places = HashMap::new();
        for (id, place) in stored {
            if places.insert(*id, *place).is_some() {
                wrong.push(format!("{line}: {id} is stored twice, the second time at {}", shown(place)));
            }
        }
        for (id, place) in due {
            match places.get(id) {
                Some(found) if found == place => {}
                Some(found) => {
                    wrong.push(format!("{line}: {id} was acknowledged at {} and is at {}", shown(place), shown(found)))
                }
                None => wrong.push(format!("{line}: {id} was acknowledged at {} and is lost", shown(place))),
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

fn shown((at, number): &Place) -> String {
    number.map_or_else(|| at.to_string(), |number| format!("{at} as number {number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oracle_sees_what_is_lost_doubled_moved_or_undead() {
        let oracle = Oracle::default();
        let now = Instant::now();
        for id in 1..=3 {
            oracle.acknowledged("acme", id, (id * 10, None), now);
        }
        oracle.acknowledged("acme", 4, (40, Some(2)), now);
        oracle.refused("acme", 9);
        let due = oracle.due("acme");
        let judge_with = |stored: &[(Id, u64)], number: u32| {
            let places = stored.iter().map(|(id, at)| (*id, (*at, None))).chain([(4, (40, Some(number)))]);
            oracle.judge("acme", &due, &places.collect::<Vec<_>>()).join("; ")
        };
        let judge = |stored: &[(Id, u64)]| judge_with(stored, 2);
        assert_eq!(judge(&[(1, 10), (2, 20), (7, 25), (3, 30)]), "", "what nobody was told may be there");
        assert!(judge(&[(1, 10), (3, 30)]).contains("2 was acknowledged at 20 and is lost"));
        assert!(judge(&[(1, 10), (2, 20), (2, 25), (3, 30)]).contains("2 is stored twice"));
        assert!(judge(&[(1, 10), (2, 21), (3, 30)]).contains("2 was acknowledged at 20 and is at 21"));
        assert!(judge(&[(1, 10), (2, 20), (3, 30), (9, 40)]).contains("9 was refused and is stored"));
        let renumbered = judge_with(&[(1, 10), (2, 20), (3, 30)], 3);
        assert_eq!(renumbered, "acme: 4 was acknowledged at 40 as number 2 and is at 40 as number 3");
    }

    #[test]
    fn service_is_back_when_everybody_is_served() {
        let oracle = Oracle::default();
        let began = Instant::now();
        oracle.expect("b");
        oracle.expect_served("reads");
        oracle.acknowledged("a", 1, (1, None), began);
        let mark = Instant::now();
        oracle.mark(mark);
        std::thread::sleep(Duration::from_millis(5));
        oracle.acknowledged("a", 2, (2, None), began);
        oracle.served("reads", began);
        assert_eq!(oracle.back_after(), None, "it was begun before");
        assert!(oracle.waited() >= Duration::from_millis(5), "whoever had asked before waited from the mark on");
        oracle.acknowledged("a", 3, (3, None), Instant::now());
        oracle.acknowledged("b", 1, (4, None), Instant::now());
        assert_eq!((oracle.back_after(), oracle.waiting()), (None, vec!["reads (nothing)".to_owned()]));
        oracle.served("reads", Instant::now());
        let back = oracle.back_after().expect("all are served");
        let waited = oracle.waited();
        assert!(waited <= back, "not longer than service was away");
        oracle.served("reads", mark);
        assert_eq!(oracle.waited(), waited, "service was back before that");
    }
}
