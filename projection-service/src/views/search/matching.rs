//! Which of the documents that count have what a query asks for, and how often.

use std::collections::BTreeSet;

use tantivy::postings::Postings;
use tantivy::query::FuzzyTermQuery;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Searcher, SegmentReader, TERMINATED, Term};

use super::SearchError;
use super::query::Part;
use super::schema::Fields;
use super::snippet::Marks;
use super::universe::{Bits, Universe, counting};
use super::words::STEM;
use crate::ask::search::Respelt;

/// Words that a beginning stands for, of those that count.
const BEGINNINGS_MAX: usize = 4096;
/// The same for a word that may not be typed to its end yet.
const OPEN_MAX: usize = 256;
/// The fewest letters of a word that is looked for as a beginning, too.
const OPEN_MIN_CHARS: usize = 3;
/// Words that are taken for a word that no document has.
const LIKE_MAX: usize = 64;
/// How many of them are told.
const TOLD_MAX: usize = 10;

/// What a document is worth that has: the word itself, its stem, a word that begins so, one with one letter wrong, two.
const EXACT: f32 = 1.0;
const STEMMED: f32 = 0.6;
const OPEN: f32 = 0.3;
const LIKE: [f32; 2] = [0.6, 0.3];
/// A word of key, title or tags tells more of what a prompt is for than one of its text.
const NAMED: f32 = 2.5;

/// The documents that have something, and how often, by segment and in order.
#[derive(Clone, Debug, Default)]
pub struct Docs(pub Vec<Vec<(u32, u32)>>);

impl Docs {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|docs| docs.len() as u64).sum()
    }

    /// Those that have one or another, each with its times put together.
    fn together(all: Vec<Self>, segments: usize, times: fn(u32, u32) -> u32) -> Self {
        let mut together = vec![Vec::new(); segments];
        for docs in all {
            for (one, more) in together.iter_mut().zip(docs.0) {
                one.extend(more);
            }
        }
        for docs in &mut together {
            docs.sort_unstable_by_key(|(doc, _)| *doc);
            docs.dedup_by(|later, first| {
                let same = later.0 == first.0;
                if same {
                    first.1 = times(first.1, later.1);
                }
                same
            });
        }
        Self(together)
    }
}

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
            let typed = !groups.is_empty();
            let (like, words) = self.like(folded)?;
            groups.extend(like);
            if !typed {
                let as_words = words.iter().take(TOLD_MAX).cloned().collect();
                matched.respelt.push(Respelt { word: folded.to_owned(), as_words });
            }
            matched.marks.folded.extend(words);
        }
        Ok(groups)
    }

    /// Who has any of a word's stems. A word that has two of them is there once.
    fn stemmed(&self, field: Field, stems: &[String]) -> Result<Docs, SearchError> {
        let docs: Vec<_> = stems.iter().map(|stem| self.term(field, stem)).collect::<Result<_, _>>()?;
        Ok(Docs::together(docs, self.universe.segments.len(), Ord::max))
    }

    /// A group for each of the fields in which anybody has it.
    fn both(&self, weight: f32, docs: impl Fn(Field) -> Result<Docs, SearchError>) -> Result<Vec<Group>, SearchError> {
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
            let words = self.beginning_so(field, folded, max)?;
            Ok(self.union(words.into_iter().map(|(_, docs)| docs).collect()))
        })
    }

    /// The words of a field that begin so, in order, with who has them; of those that count the first `max`.
    ///
    /// # Errors
    /// A damaged index.
    pub fn beginning_so(&self, field: Field, folded: &str, max: usize) -> Result<Vec<(String, Docs)>, SearchError> {
        let mut end = folded.as_bytes().to_vec();
        end.push(u8::MAX); // no UTF-8 text holds this byte
        let mut words = BTreeSet::new();
        for segment in self.searcher.segment_readers() {
            let index = segment.inverted_index(field)?;
            let mut stream = index.terms().range().ge(folded).lt(&end).into_stream()?;
            while stream.advance() {
                words.extend(String::from_utf8(stream.key().to_vec()));
            }
        }
        let mut there = Vec::new();
        for word in words {
            let docs = self.term(field, &word)?;
            if docs.count() > 0 {
                there.push((word, docs));
            }
            if there.len() == max {
                break;
            }
        }
        Ok(there)
    }

    /// Words like one that nobody has: with one letter more, less, another or two in the other order, or with two such
    /// mistakes if it is long. Also who has them.
    fn like(&self, folded: &str) -> Result<(Vec<Group>, Vec<String>), SearchError> {
        let most = match folded.chars().count() {
            0..=2 => 0,
            3..=5 => 1,
            _ => 2,
        };
        let (mut groups, mut words, mut known) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (mistakes, weight) in (1..=most).zip(LIKE) {
            if !words.is_empty() {
                break; // what is nearer is meant
            }
            let mut these = BTreeSet::new();
            for field in [self.fields.name, self.fields.text] {
                self.within(field, folded, mistakes, &mut these)?;
            }
            let mut docs: [Vec<Docs>; 2] = [Vec::new(), Vec::new()];
            for word in these.into_iter().filter(|word| !known.contains(word)).collect::<Vec<_>>() {
                let (name, text) = (self.term(self.fields.name, &word)?, self.term(self.fields.text, &word)?);
                if name.count() + text.count() > 0 && words.len() < LIKE_MAX {
                    words.push(word.clone());
                    docs[0].push(name);
                    docs[1].push(text);
                }
                known.insert(word);
            }
            for (field, (docs, factor)) in docs.into_iter().zip([NAMED, 1.0]).enumerate() {
                let docs = self.union(docs);
                if docs.count() > 0 {
                    groups.push(Group { field, weight: weight * factor, docs });
                }
            }
        }
        Ok((groups, words))
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

    fn union(&self, docs: Vec<Docs>) -> Docs {
        Docs::together(docs, self.universe.segments.len(), u32::saturating_add)
    }

    /// Who has a term.
    ///
    /// # Errors
    /// A damaged index.
    pub fn term(&self, field: Field, term: &str) -> Result<Docs, SearchError> {
        let term = Term::from_field_text(field, term);
        self.by_segment(|segment, bits| {
            let postings = segment.inverted_index(field)?.read_postings(&term, IndexRecordOption::WithFreqs)?;
            Ok(postings.map(|mut postings| counting(&mut postings, bits)).unwrap_or_default())
        })
    }

    /// Who has terms at these distances from each other.
    fn phrase(&self, field: Field, terms: &[(u32, String)]) -> Result<Docs, SearchError> {
        if let [(_, term)] = terms {
            return self.term(field, term);
        }
        self.by_segment(|segment, bits| {
            let index = segment.inverted_index(field)?;
            let mut all = Vec::new();
            for (place, term) in terms {
                let term = Term::from_field_text(field, term);
                match index.read_postings(&term, IndexRecordOption::WithFreqsAndPositions)? {
                    Some(postings) => all.push((*place, postings)),
                    None => return Ok(Vec::new()),
                }
            }
            Ok(in_a_row(&mut all, bits))
        })
    }

    fn by_segment(
        &self,
        docs: impl Fn(&SegmentReader, &Bits) -> Result<Vec<(u32, u32)>, SearchError>,
    ) -> Result<Docs, SearchError> {
        let segments = self.searcher.segment_readers().iter().zip(&self.universe.segments);
        segments.map(|(segment, bits)| docs(segment, bits)).collect::<Result<_, _>>().map(Docs)
    }
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
            let mut begins: Option<BTreeSet<u32>> = None;
            for (place, postings) in &mut *all {
                postings.positions(&mut places);
                let here: BTreeSet<u32> = places.iter().filter_map(|at| at.checked_sub(*place)).collect();
                begins = Some(begins.map_or(here.clone(), |begins| &begins & &here));
            }
            let times = begins.map_or(0, |begins| begins.len());
            found.extend((times > 0).then(|| (at, u32::try_from(times).unwrap_or(u32::MAX))));
        }
        at += 1;
    }
    found
}
