//! Which of the documents that count have what a query asks for, and how often.

use std::sync::Arc;

use tantivy::postings::{Postings, SegmentPostings, TermInfo};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::termdict::TermMerger;
use tantivy::{InvertedIndexReader, Searcher, SegmentReader, TERMINATED, Term};

use super::SearchError;
use super::docs::{Docs, Having, Times};
use super::like::Like;
use super::query::Part;
use super::schema::Fields;
use super::snippet::Marks;
use super::universe::{Bits, Universe};
use crate::ask::search::Respelt;

/// Words that a beginning stands for, of those that count.
const BEGINNINGS_MAX: usize = 4096;
/// The same for a word that may not be typed to its end yet.
const OPEN_MAX: usize = 256;
/// The fewest letters of a word that is looked for as a beginning, too.
const OPEN_MIN_CHARS: usize = 3;
/// How many of them are told.
const TOLD_MAX: usize = 10;

/// What a document is worth that has: the word itself, its stem, a word that begins so, one with one letter wrong, two.
const EXACT: f32 = 1.0;
const STEMMED: f32 = 0.6;
const OPEN: f32 = 0.6;
pub(super) const LIKE: [f32; 2] = [0.6, 0.3];
/// What is like a word is worth that much less if others begin as it does.
const BESIDE_OPEN: f32 = 0.02;
/// A word of key, title or tags tells more of what a prompt is for than one of its text.
pub(super) const NAMED: f32 = 2.5;

/// Something that is scored as one word: documents that have it in one field.
#[derive(Clone, Debug)]
pub struct Group {
    /// In which field: 0 the name, 1 the text.
    pub field: usize,
    /// What it is worth beside others.
    pub weight: f32,
    /// Who has it.
    pub docs: Docs,
}

/// What the parts of a query have found.
#[derive(Debug, Default)]
pub struct Matched {
    /// The groups of each part. A document has a part if it is in one of them.
    pub parts: Vec<Vec<Group>>,
    /// What a document has besides that has all parts: words of the query that stand together in it.
    pub near: Vec<Group>,
    /// What to mark in texts.
    pub marks: Marks,
    /// Words that no document has.
    pub respelt: Vec<Respelt>,
}

/// Looks into an index, at the documents that count.
#[derive(Debug)]
pub struct Matcher<'a> {
    /// The index.
    pub searcher: &'a Searcher,
    /// Its fields.
    pub fields: &'a Fields,
    /// What counts.
    pub universe: &'a Universe,
}

impl Matcher<'_> {
    /// What each part of a query has.
    ///
    /// # Errors
    /// A damaged index.
    pub fn parts(&self, parts: &[Part]) -> Result<Matched, SearchError> {
        let mut matched = Matched::default();
        for part in parts {
            let groups = match part {
                Part::Word { folded, stems, open } => self.word(folded, stems, *open, &mut matched)?,
                Part::Beginning(folded) => {
                    matched.marks.beginnings.push(folded.clone());
                    self.beginning(folded, BEGINNINGS_MAX, EXACT)?
                }
                Part::Phrase(terms) => {
                    matched.marks.phrases.push(terms.clone());
                    self.both(EXACT, |field| self.phrase(field, terms))?
                }
            };
            matched.parts.push(groups);
        }
        self.joined(parts, &mut matched)?;
        matched.near = self.near(parts, &matched.parts)?;
        Ok(matched)
    }

    fn word(
        &self,
        folded: &str,
        stems: &[String],
        open: bool,
        matched: &mut Matched,
    ) -> Result<Vec<Group>, SearchError> {
        let mut groups = self.both(EXACT, |field| self.term(field, folded))?;
        groups.extend(self.both(STEMMED, |field| self.stemmed(field, stems))?);
        matched.marks.folded.insert(folded.to_owned());
        matched.marks.stems.extend(stems.iter().cloned());
        let there = !groups.is_empty();
        if open && folded.chars().count() >= OPEN_MIN_CHARS {
            matched.marks.beginnings.push(folded.to_owned());
            groups.extend(self.beginning(folded, OPEN_MAX, OPEN)?);
        }
        if !there {
            // Who is still typing means a word that begins so before one that is like what is there by now.
            let typed = !groups.is_empty();
            let Like { groups: like, words } = self.like(folded, if typed { BESIDE_OPEN } else { 1.0 }, matched)?;
            groups.extend(like);
            if !typed {
                let as_words = words.into_iter().take(TOLD_MAX).collect();
                matched.respelt.push(Respelt { word: folded.to_owned(), as_words });
            }
        }
        Ok(groups)
    }

    /// Who has any of a word's stems. A word that has two of them is there once.
    fn stemmed(&self, field: Field, stems: &[String]) -> Result<Docs, SearchError> {
        let mut docs = self.nobody(Ord::max);
        for stem in stems {
            docs.join(self.term(field, stem)?);
        }
        Ok(docs)
    }

    /// A group for each of the fields in which anybody has it.
    pub(super) fn both(
        &self,
        weight: f32,
        docs: impl Fn(Field) -> Result<Docs, SearchError>,
    ) -> Result<Vec<Group>, SearchError> {
        let mut groups = Vec::new();
        for (field, (of, factor)) in [(self.fields.name, NAMED), (self.fields.text, 1.0)].into_iter().enumerate() {
            let docs = docs(of)?;
            if docs.count() > 0 {
                groups.push(Group { field, weight: weight * factor, docs });
            }
        }
        Ok(groups)
    }

    fn beginning(&self, folded: &str, max: usize, weight: f32) -> Result<Vec<Group>, SearchError> {
        self.both(weight, |field| {
            let mut docs = self.nobody(u32::saturating_add);
            self.beginning_so(field, folded, max, |_, terms| terms.add_to(&mut docs))?;
            Ok(docs)
        })
    }

    /// Takes the words of a field that begin so, in order; of those that count the first `max`. `take` adds who has one to what it has,
    /// and says whether there is anybody.
    ///
    /// # Errors
    /// A damaged index.
    pub fn beginning_so(
        &self,
        field: Field,
        folded: &str,
        max: usize,
        mut take: impl FnMut(&str, Terms<'_>) -> Result<bool, SearchError>,
    ) -> Result<(), SearchError> {
        let mut end = folded.as_bytes().to_vec();
        end.push(u8::MAX); // no UTF-8 text holds this byte
        let indexes = self.indexes(field)?;
        let words = indexes.iter().map(|index| index.terms().range().ge(folded).lt(&end).into_stream());
        let mut words = TermMerger::new(words.collect::<Result<_, _>>()?);
        let mut taken = 0;
        while taken < max && words.advance() {
            let Ok(word) = std::str::from_utf8(words.key()) else { continue };
            let terms = words.current_segment_ords_and_term_infos().collect();
            taken += usize::from(take(word, Terms { indexes: &indexes, universe: self.universe, terms })?);
        }
        Ok(())
    }

    fn indexes(&self, field: Field) -> Result<Vec<Arc<InvertedIndexReader>>, SearchError> {
        let segments = self.searcher.segment_readers().iter();
        Ok(segments.map(|segment| segment.inverted_index(field)).collect::<Result<_, _>>()?)
    }

    /// Nobody yet.
    pub(super) fn nobody(&self, times: Times) -> Docs {
        let segments = self.searcher.segment_readers().iter();
        Docs::of(segments.map(|segment| Having::none(segment.max_doc())).collect(), times)
    }

    /// Who has a term.
    ///
    /// # Errors
    /// A damaged index.
    pub fn term(&self, field: Field, term: &str) -> Result<Docs, SearchError> {
        let term = Term::from_field_text(field, term);
        let (indexes, mut terms, mut docs) = (self.indexes(field)?, Vec::new(), self.nobody(u32::saturating_add));
        for (number, index) in indexes.iter().enumerate() {
            terms.extend(index.get_term_info(&term)?.map(|info| (number, info)));
        }
        Terms { indexes: &indexes, universe: self.universe, terms }.add_to(&mut docs)?;
        Ok(docs)
    }

    /// Who has terms at these distances from each other.
    pub(super) fn phrase(&self, field: Field, terms: &[(u32, String)]) -> Result<Docs, SearchError> {
        if let [(_, term)] = terms {
            return self.term(field, term);
        }
        let segments = self.searcher.segment_readers().iter().zip(&self.universe.segments);
        let having = segments.map(|(segment, bits)| {
            let all = with_places(segment, field, terms)?;
            let list = all.map(|mut all| in_a_row(&mut all, bits)).unwrap_or_default();
            Ok(Having::listed(segment.max_doc(), list))
        });
        Ok(Docs::of(having.collect::<Result<_, SearchError>>()?, u32::saturating_add))
    }
}

/// One term, in each segment that has it.
#[allow(missing_debug_implementations, reason = "tantivy's reader has none")]
pub struct Terms<'a> {
    indexes: &'a [Arc<InvertedIndexReader>],
    universe: &'a Universe,
    terms: Vec<(usize, TermInfo)>,
}

impl Terms<'_> {
    /// Adds who has it, of those that count; whether there is anybody.
    ///
    /// # Errors
    /// A damaged index.
    pub fn add_to(self, docs: &mut Docs) -> Result<bool, SearchError> {
        let mut there = false;
        for (number, term) in self.terms {
            there |= docs.segments[number].add(&self.indexes[number], term, &self.universe.segments[number])?;
        }
        Ok(there)
    }
}

/// The postings of terms with their places; none if one of the terms is nowhere.
pub(super) fn with_places(
    segment: &SegmentReader,
    field: Field,
    terms: &[(u32, String)],
) -> Result<Option<Vec<(u32, SegmentPostings)>>, SearchError> {
    let index = segment.inverted_index(field)?;
    let mut all = Vec::with_capacity(terms.len());
    for (place, term) in terms {
        let term = Term::from_field_text(field, term);
        match index.read_postings(&term, IndexRecordOption::WithFreqsAndPositions)? {
            Some(postings) => all.push((*place, postings)),
            None => return Ok(None),
        }
    }
    Ok(Some(all))
}

/// The documents that all postings have, at their places relative to each other, and how often.
fn in_a_row<P: Postings>(all: &mut [(u32, P)], bits: &Bits) -> Vec<(u32, u32)> {
    let (mut found, mut places, mut at) = (Vec::new(), Vec::new(), 0);
    'documents: while at != TERMINATED {
        for (_, postings) in &mut *all {
            let doc = if postings.doc() < at { postings.seek(at) } else { postings.doc() };
            if doc != at {
                at = doc;
                continue 'documents;
            }
        }
        if bits.has(at) {
            let times = times(all, &mut places);
            found.extend((times > 0).then_some((at, times)));
        }
        at += 1;
    }
    found
}

/// How often postings that stand at one document are at their places relative to each other there. `places` is room.
pub(super) fn times<P: Postings>(all: &mut [(u32, P)], places: &mut Vec<u32>) -> u32 {
    let mut begins: Option<Vec<u32>> = None;
    for (place, postings) in all {
        postings.positions(places);
        let mut here = places.iter().filter_map(|at| at.checked_sub(*place)).peekable();
        begins = Some(match begins {
            None => here.collect(),
            Some(mut begins) => {
                // Both are in order.
                begins.retain(|begin| {
                    while here.next_if(|other| other < begin).is_some() {}
                    here.peek() == Some(begin)
                });
                begins
            }
        });
    }
    begins.map_or(0, |begins| u32::try_from(begins.len()).unwrap_or(u32::MAX))
}
