//! Searches that found nothing: what was looked for, and how often, by day.
//!
//! What people type has no bound, so what is kept of it has one: of a day the texts that were looked for most, and of the rest how
//! many searches there were. No text's figures are too small by more than those of the rest.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use promptory_events::{Timestamp, limits};
use serde::{Deserialize, Serialize};

const DAY_MICROS: i64 = 24 * 3600 * 1_000_000;

/// How often something was searched for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Count {
    /// All searches.
    pub searches: u64,
    /// Those of them that had a filter: without it something might have been found.
    pub filtered: u64,
}

impl Count {
    /// One search.
    #[must_use]
    pub fn one(filtered: bool) -> Self {
        Self { searches: 1, filtered: u64::from(filtered) }
    }

    fn add(&mut self, other: Self) {
        self.searches = self.searches.saturating_add(other.searches);
        self.filtered = self.filtered.saturating_add(other.filtered);
    }
}

/// Searches of some time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Searches {
    texts: BTreeMap<String, Count>,
    others: Count,
}

impl Searches {
    /// Adds searches for a text, which is as [`plain`] gives it.
    pub fn add(&mut self, text: &str, count: Count) {
        match self.texts.get_mut(text) {
            Some(there) => there.add(count),
            None => drop(self.texts.insert(text.to_owned(), count)),
        }
        // Not at every text: it goes over all of them.
        if self.texts.len() >= 2 * limits::EMPTY_SEARCHES_KEPT {
            self.shorten(limits::EMPTY_SEARCHES_KEPT);
        }
    }

    /// Adds those of some other time.
    pub fn merge(&mut self, other: &Self) {
        other.texts.iter().for_each(|(text, count)| self.add(text, *count));
        self.others.add(other.others);
    }

    /// Keeps the texts that were looked for most, so many at most.
    pub fn shorten(&mut self, kept: usize) {
        let surplus = self.texts.len().saturating_sub(kept);
        if surplus == 0 {
            return;
        }
        let mut all: Vec<_> = std::mem::take(&mut self.texts).into_iter().collect();
        all.sort_by(|(a, of_a), (b, of_b)| (of_a, Reverse(a)).cmp(&(of_b, Reverse(b))));
        for (_, count) in all.drain(..surplus) {
            self.others.add(count);
        }
        self.texts.extend(all);
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.others == Count::default()
    }

    /// How many bytes its texts have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.texts.keys().map(String::len).sum()
    }
}

/// What was searched for, as it is counted: in small letters, with single spaces, the beginning of it. `None`: nothing.
#[must_use]
pub fn plain(query: &str) -> Option<String> {
    let mut plain = String::new();
    for word in
        query.split(|letter: char| letter.is_whitespace() || letter.is_control()).filter(|word| !word.is_empty())
    {
        let space = usize::from(!plain.is_empty());
        let word = word.to_lowercase();
        let room = limits::EMPTY_SEARCH_MAX_BYTES.saturating_sub(plain.len() + space);
        let kept = &word[..word.floor_char_boundary(room)];
        if kept.is_empty() {
            break;
        }
        plain.extend([if space == 1 { " " } else { "" }, kept]);
    }
    (!plain.is_empty()).then_some(plain)
}

/// The day of UTC that a time is in, from 1970.
#[must_use]
pub fn day(time: Timestamp) -> u32 {
    u32::try_from(time.micros().div_euclid(DAY_MICROS)).unwrap_or_default()
}

/// When a day begins.
#[must_use]
pub fn begins(day: u32) -> Timestamp {
    Timestamp::from_micros(i64::from(day) * DAY_MICROS)
}

/// Searches of some days together.
#[derive(Clone, Debug, Default)]
pub struct Sum {
    texts: BTreeMap<String, (Count, u32)>,
    others: Count,
}

/// What was looked for most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// All searches that found nothing.
    pub total: Count,
    /// Those of them that were for texts that were not kept.
    pub others: Count,
    /// How many texts were kept.
    pub of: u64,
    /// The texts that were looked for most, those first.
    pub texts: Vec<Text>,
}

/// A text that was looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// It, as [`plain`] gives it.
    pub text: String,
    /// How often.
    pub count: Count,
    /// The last day of UTC on which it was, from 1970.
    pub last_day: u32,
}

impl Sum {
    /// Adds those of a day.
    pub fn take(&mut self, day: u32, searches: &Searches) {
        for (text, count) in &searches.texts {
            let (there, last) = self.texts.entry(text.clone()).or_default();
            there.add(*count);
            *last = day.max(*last);
        }
        self.others.add(searches.others);
    }

    /// The texts that were looked for most, so many at most.
    #[must_use]
    pub fn tell(self, top: usize) -> Told {
        let (of, mut total) = (self.texts.len() as u64, self.others);
        self.texts.values().for_each(|(count, _)| total.add(*count));
        let mut texts: Vec<_> =
            self.texts.into_iter().map(|(text, (count, last_day))| Text { text, count, last_day }).collect();
        texts.sort_by(|a, b| (b.count, &a.text).cmp(&(a.count, &b.text)));
        texts.truncate(top);
        Told { total, others: self.others, of, texts }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_counted_however_it_was_typed() {
        assert_eq!(plain("  Linux \u{0}\tTERMINAL\n").as_deref(), Some("linux terminal"));
        assert_eq!(plain(" \n\u{7} "), None);
        let long = plain(&format!("{} ü", "ä".repeat(300))).unwrap();
        assert_eq!((long.len(), long.starts_with("ää")), (limits::EMPTY_SEARCH_MAX_BYTES, true));
        assert_eq!(plain(&format!("{} b", "a".repeat(255))).unwrap().len(), 255, "a space needs something behind it");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Whatever comes, in whatever portions: the total is exact, a text is told at most as often as it was looked for, and less
        /// often by at most what was not kept.
        #[test]
        fn what_is_not_kept_is_counted_and_bounds_the_rest(
            looked in prop::collection::vec((0..4_000_u32, any::<bool>()), 0..6_000), portion in 1..900_usize,
        ) {
            let (mut day, mut truth) = (Searches::default(), BTreeMap::<String, Count>::new());
            for portion in looked.chunks(portion) {
                let mut some = Searches::default();
                for (number, filtered) in portion {
                    let text = format!("t{}", number * number / 4_000);
                    some.add(&text, Count::one(*filtered));
                    truth.entry(text).or_default().add(Count::one(*filtered));
                }
                day.merge(&some);
                day.shorten(limits::EMPTY_SEARCHES_KEPT);
            }
            let mut sum = Sum::default();
            sum.take(7, &day);
            let told = sum.tell(usize::MAX);
            prop_assert_eq!(told.total.searches, looked.len() as u64);
            prop_assert_eq!(told.total.filtered, looked.iter().filter(|(_, filtered)| *filtered).count() as u64);
            prop_assert!(told.texts.len() <= limits::EMPTY_SEARCHES_KEPT);
            prop_assert!(told.texts.is_sorted_by(|a, b| a.count >= b.count));
            let kept: BTreeMap<_, _> = told.texts.iter().map(|one| (&one.text, one.count)).collect();
            for (text, real) in &truth {
                let found = kept.get(text).copied().unwrap_or_default();
                prop_assert!(found.searches <= real.searches);
                prop_assert!(real.searches <= found.searches + told.others.searches);
            }
        }
    }
}
