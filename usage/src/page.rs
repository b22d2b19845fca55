//! How rows lie in a view: by minute, hour and day, with callers and without, a page for each prompt and some time.
//!
//! A long range is read from the pages of days, its ends from those of hours and minutes; and nobody pays for callers who
//! does not ask for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use promptory_events::PromptId;
use serde::{Deserialize, Serialize};

use crate::rows::{Dims, Rows};
use crate::tally::Tally;

/// How long a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Grain {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day of UTC.
    Day,
}

impl Grain {
    const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// How many minutes it has.
    #[must_use]
    pub fn minutes(self) -> u32 {
        match self {
            Self::Minute => 1,
            Self::Hour => 60,
            Self::Day => 1440,
        }
    }

    /// The beginning of the bucket that a minute is in.
    #[must_use]
    pub fn bucket(self, minute: u32) -> u32 {
        minute - minute % self.minutes()
    }

    /// How many minutes a page has: small enough that little is written anew when something is added to it.
    fn page(self, callers: bool) -> u32 {
        match (self, callers) {
            (Self::Minute, _) => 60,
            (Self::Hour, _) | (Self::Day, true) => 1440,
            (Self::Day, false) => 32 * 1440,
        }
    }

    fn finer(self) -> Option<Self> {
        match self {
            Self::Minute => None,
            Self::Hour => Some(Self::Minute),
            Self::Day => Some(Self::Hour),
        }
    }
}

/// Which page. In order: those of one kind, of one prompt, by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageKey {
    /// How long its buckets are.
    pub grain: Grain,
    /// Whether its rows tell callers apart.
    pub callers: bool,
    /// Which prompt.
    pub prompt: PromptId,
    /// Its first minute.
    pub start: u32,
}

/// The length of a page's key.
pub const KEY_BYTES: usize = 21;

impl PageKey {
    /// The page that a minute of a prompt is in.
    #[must_use]
    pub fn of(grain: Grain, callers: bool, prompt: PromptId, minute: u32) -> Self {
        Self { grain, callers, prompt, start: minute - minute % grain.page(callers) }
    }

    /// As bytes, in the same order.
    #[must_use]
    pub fn bytes(&self) -> [u8; KEY_BYTES] {
        let mut bytes = [0; KEY_BYTES];
        bytes[0] = 2 * (self.grain as u8) + u8::from(self.callers);
        bytes[1..17].copy_from_slice(&self.prompt.0);
        bytes[17..].copy_from_slice(&self.start.to_be_bytes());
        bytes
    }

    /// The prompt in such bytes.
    #[must_use]
    pub fn prompt_in(bytes: &[u8; KEY_BYTES]) -> PromptId {
        let mut prompt = [0; 16];
        prompt.copy_from_slice(&bytes[1..17]);
        PromptId(prompt)
    }
}

/// What a row by minute adds to each page.
pub fn spread(pages: &mut BTreeMap<PageKey, Rows>, minute: u32, dims: Dims, tally: &Tally) {
    let all = Arc::new(Dims { caller: None, ..dims.clone() });
    let prompt = dims.prompt;
    let own = Arc::new(dims);
    for grain in Grain::ALL {
        for (callers, dims) in [(false, &all), (true, &own)] {
            let page = pages.entry(PageKey::of(grain, callers, prompt, minute)).or_default();
            page.merge(grain.bucket(minute), dims, tally);
        }
    }
}

/// Minutes from one up to and without another, read from pages of one grain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which pages.
    pub grain: Grain,
    /// The first minute.
    pub from: u32,
    /// The first one beyond.
    pub to: u32,
}

/// How a range is read with buckets no longer than `coarsest`: in order, each minute once.
#[must_use]
pub fn parts(from: u32, to: u32, coarsest: Grain) -> Vec<Part> {
    if from >= to {
        return Vec::new();
    }
    let Some(finer) = coarsest.finer() else { return vec![Part { grain: coarsest, from, to }] };
    let minutes = coarsest.minutes();
    let (first, last) = (from.div_ceil(minutes).saturating_mul(minutes), to - to % minutes);
    if first >= last {
        return parts(from, to, finer);
    }
    let mut all = parts(from, first, finer);
    all.push(Part { grain: coarsest, from: first, to: last });
    all.extend(parts(last, to, finer));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_range_is_read_by_days_and_its_ends_by_less() {
        let part = |grain, from, to| Part { grain, from, to };
        let (hour, day) = (60, 1440);
        assert_eq!(
            parts(day - 61, 3 * day + 2 * hour + 5, Grain::Day),
            [
                part(Grain::Minute, day - 61, day - 60),
                part(Grain::Hour, day - 60, day),
                part(Grain::Day, day, 3 * day),
                part(Grain::Hour, 3 * day, 3 * day + 2 * hour),
                part(Grain::Minute, 3 * day + 2 * hour, 3 * day + 2 * hour + 5),
            ]
        );
        assert_eq!(parts(5, 9, Grain::Day), [part(Grain::Minute, 5, 9)]);
        assert_eq!(parts(60, 120, Grain::Hour), [part(Grain::Hour, 60, 120)]);
        assert_eq!(parts(9, 9, Grain::Day), []);
    }
}
