//! What somebody may want to type: prompts by key, title and tags, and words.

use std::collections::{BTreeMap, BTreeSet};

use promptory_events::limits;

use super::SearchError;
use super::facets::most;
use super::find::Finder;
use super::matching::Matcher;
use super::query::{Part, parse};
use super::rank::{best, scored};
use super::words::Lexer;
use crate::ask::search::{Sort, SuggestedPrompt, Suggestions};

/// Words that are looked at to find the most frequent ones.
const WORDS_MAX: usize = 1024;

impl Finder<'_> {
    /// What begins as the last word of a text does and, for prompts, has the others, at most `limit` of each kind.
    ///
    /// # Errors
    /// The text can't be read as a query; a damaged index.
    pub fn suggest(&self, text: &str, limit: usize, lexer: &Lexer) -> Result<Suggestions, SearchError> {
        let limit = limit.clamp(1, limits::SUGGESTIONS_MAX);
        let mut parts = parse(text, lexer)?;
        let open = match parts.last_mut() {
            None => return Ok(Suggestions::default()),
            Some(Part::Word { folded, .. } | Part::Beginning(folded)) => Some(std::mem::take(folded)),
            Some(Part::Phrase(_)) => None,
        };
        if let (Some(folded), Some(last)) = (&open, parts.last_mut()) {
            *last = Part::Beginning(folded.clone());
        }
        let matcher = Matcher { searcher: self.searcher, fields: self.fields, universe: self.universe };
        let mut matched = matcher.parts(&parts)?.parts;
        // By what it is called, not by what it says.
        matched.iter_mut().for_each(|groups| groups.retain(|group| group.field == 0));
        let found = scored(self.searcher, self.fields, self.universe, &self.universe.segments, &matched, &[])?;
        let (places, _) = best(self.searcher, &found, Sort::Relevance, None, limit)?;
        let prompt = |place: super::rank::Place| {
            let entry = self.entry(place.segment, place.doc)?;
            Ok(SuggestedPrompt { prompt: entry.prompt, key: entry.key, title: entry.title })
        };
        let prompts = places.into_iter().map(prompt).collect::<Result<_, SearchError>>()?;
        let words = open.map(|folded| self.frequent(&matcher, &folded)).transpose()?.unwrap_or_default();
        Ok(Suggestions { prompts, words: most(words, limit) })
    }

    /// Words that begin so, and how many prompts have each.
    fn frequent(&self, matcher: &Matcher<'_>, folded: &str) -> Result<BTreeMap<String, u64>, SearchError> {
        let mut having: BTreeMap<String, BTreeSet<(usize, u32)>> = BTreeMap::new();
        for field in [self.fields.name, self.fields.text] {
            matcher.beginning_so(field, folded, WORDS_MAX, |word, terms| {
                let mut docs = matcher.nobody(u32::saturating_add);
                let there = terms.add_to(&mut docs)?;
                if there {
                    let docs = docs.segments.iter().enumerate();
                    let docs = docs.flat_map(|(segment, having)| having.docs.iter().map(move |doc| (segment, doc)));
                    having.entry(word.to_owned()).or_default().extend(docs);
                }
                Ok(there)
            })?;
        }
        Ok(having.into_iter().map(|(word, docs)| (word, docs.len() as u64)).collect())
    }
}
