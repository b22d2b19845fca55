//! What is taken for a word that nobody has: words like it, it as two words, and two words of a query as one.
//!
//! What is nearer is meant: one mistake (a letter more, less or another, two in the other order, a space that is missing)
//! before two. Only words that somebody may read are looked at.

use std::collections::BTreeSet;

use tantivy::Term;
use tantivy::query::FuzzyTermQuery;
use tantivy::schema::Field;

use super::SearchError;
use super::matching::{Group, LIKE, Matched, Matcher, NAMED};
use super::query::Part;
use super::words::STEM;
use crate::ask::search::Respelt;

/// Words that are taken for one.
const LIKE_MAX: usize = 64;
/// The fewest letters of each half of a word that is taken for two.
const HALF_MIN_CHARS: usize = 2;

/// What is like a word.
#[derive(Debug, Default)]
pub(super) struct Like {
    /// Who has it.
    pub groups: Vec<Group>,
    /// The words; two of them with a space between.
    pub words: Vec<String>,
}

impl Matcher<'_> {
    /// What is like a word, each worth `factor` of what it would be alone, and marked where it stands.
    pub(super) fn like(&self, folded: &str, factor: f32, matched: &mut Matched) -> Result<Like, SearchError> {
        let most = match folded.chars().count() {
            0..=2 => return Ok(Like::default()),
            3..=5 => 1,
            _ => 2,
        };
        let mut like = self.misspelt(folded, 1, factor * LIKE[0])?;
        if like.words.is_empty() {
            like = self.parted(folded, factor * LIKE[0], matched)?;
        }
        if like.words.is_empty() && most > 1 {
            like = self.misspelt(folded, 2, factor * LIKE[1])?;
        }
        matched.marks.folded.extend(like.words.iter().cloned());
        Ok(like)
    }

    /// Words with so many letters more, less, others or in the other order.
    fn misspelt(&self, folded: &str, mistakes: u8, weight: f32) -> Result<Like, SearchError> {
        let mut these = BTreeSet::new();
        for field in [self.fields.name, self.fields.text] {
            self.within(field, folded, mistakes, &mut these)?;
        }
        let (mut like, mut docs) = (Like::default(), [(); 2].map(|()| self.nobody(u32::saturating_add)));
        for word in these {
            let (name, text) = (self.term(self.fields.name, &word)?, self.term(self.fields.text, &word)?);
            if name.count() + text.count() > 0 && like.words.len() < LIKE_MAX {
                like.words.push(word);
                docs[0].join(name);
                docs[1].join(text);
            }
        }
        for (field, (docs, factor)) in docs.into_iter().zip([NAMED, 1.0]).enumerate() {
            if docs.count() > 0 {
                like.groups.push(Group { field, weight: weight * factor, docs });
            }
        }
        Ok(like)
    }

    fn within(
        &self,
        field: Field,
        folded: &str,
        mistakes: u8,
        words: &mut BTreeSet<String>,
    ) -> Result<(), SearchError> {
        let automaton = || FuzzyTermQuery::new(Term::from_field_text(field, folded), mistakes, true).automaton();
        for segment in self.searcher.segment_readers() {
            let index = segment.inverted_index(field)?;
            let mut stream = index.terms().search(automaton()?).into_stream()?;
            while stream.advance() {
                let word = String::from_utf8(stream.key().to_vec()).ok();
                words.extend(word.filter(|word| !word.starts_with(STEM)));
            }
        }
        Ok(())
    }

    /// A word as two that stand one after the other somewhere: the space between them was left out.
    fn parted(&self, folded: &str, weight: f32, matched: &mut Matched) -> Result<Like, SearchError> {
        let mut like = Like::default();
        let chars = folded.chars().count();
        for (n, (at, _)) in folded.char_indices().enumerate() {
            if n < HALF_MIN_CHARS || n + HALF_MIN_CHARS > chars {
                continue;
            }
            let (one, other) = folded.split_at(at);
            let terms = vec![(0, one.to_owned()), (1, other.to_owned())];
            let groups = self.both(weight, |field| self.phrase(field, &terms))?;
            if !groups.is_empty() {
                like.groups.extend(groups);
                like.words.push(format!("{one} {other}"));
                matched.marks.phrases.push(terms);
            }
        }
        Ok(like)
    }

    /// Two words of the query as one, if somebody has that and nobody one of the two: then it is both of them.
    pub(super) fn joined(&self, parts: &[Part], matched: &mut Matched) -> Result<(), SearchError> {
        for n in 1..parts.len() {
            let (Part::Word { folded: one, .. }, Part::Word { folded: other, .. }) = (&parts[n - 1], &parts[n]) else {
                continue;
            };
            if !matched.respelt.iter().any(|respelt| respelt.word == *one || respelt.word == *other) {
                continue;
            }
            let joined = format!("{one}{other}");
            let groups = self.both(LIKE[0], |field| self.term(field, &joined))?;
            if !groups.is_empty() {
                matched.parts[n - 1].extend(groups.iter().cloned());
                matched.parts[n].extend(groups);
                matched.marks.folded.insert(joined.clone());
                matched.respelt.push(Respelt { word: format!("{one} {other}"), as_words: vec![joined] });
            }
        }
        Ok(())
    }
}
