//! A search in one state of an index: what is found, page by page.

use promptory_events::{Label, limits};
use tantivy::schema::{Field, Value};
use tantivy::{DocAddress, Searcher, TantivyDocument, Term};

use super::SearchError;
use super::facets::facets;
use super::matching::Matcher;
use super::query::parse;
use super::rank::{Scored, best, scored};
use super::schema::{Fields, column};
use super::snippet::Marks;
use super::universe::{Bits, Universe, below, with_term};
use super::words::Lexer;
use crate::ask::search::{Entry, Facets, Filters, Rank, Respelt, Search};

/// A state of an index, and what of it counts for one question.
#[derive(Debug)]
pub struct Finder<'a> {
    /// The state.
    pub searcher: &'a Searcher,
    /// The index's fields.
    pub fields: &'a Fields,
    /// What counts.
    pub universe: &'a Universe,
}

/// What was found, before its texts are opened.
#[derive(Debug)]
pub struct Outcome {
    /// How many there are, on all pages.
    pub total: u64,
    /// One page of them, in order.
    pub page: Vec<(Entry, Rank)>,
    /// Whether there are more behind it.
    pub more: bool,
    /// Counts, if they were asked for.
    pub facets: Option<Facets>,
    /// Words that no prompt has.
    pub respelt: Vec<Respelt>,
    /// What to mark in texts.
    pub marks: Marks,
}

impl Finder<'_> {
    /// Finds.
    ///
    /// # Errors
    /// The query can't be read; a damaged index.
    pub fn find(&self, search: &Search, lexer: &Lexer) -> Result<Outcome, SearchError> {
        let parts = parse(&search.query, lexer)?;
        let matcher = Matcher { searcher: self.searcher, fields: self.fields, universe: self.universe };
        let matched = matcher.parts(&parts)?;
        // A query of signs alone asks for something, and nothing has it.
        let found = if parts.is_empty() && !search.query.trim().is_empty() {
            vec![Scored::new(); self.universe.segments.len()]
        } else {
            let allowed = self.allowed(&search.filters)?;
            scored(self.searcher, self.fields, self.universe, &allowed, &matched.parts, &matched.near)?
        };
        let folder = search.filters.folder.as_ref().map_or("", |folder| folder.as_str());
        let after = search.after.as_ref().map(|after| &after.last);
        let limit = search.limit.clamp(1, limits::SEARCH_PAGE_MAX);
        let (places, more) = best(self.searcher, &found, search.sort, after, limit)?;
        let entry = |place: super::rank::Place| Ok((self.entry(place.segment, place.doc)?, place.rank));
        Ok(Outcome {
            total: found.iter().map(|found| found.len() as u64).sum(),
            page: places.into_iter().map(entry).collect::<Result<_, SearchError>>()?,
            more,
            facets: search.facets.then(|| facets(self.searcher, &found, folder)).transpose()?,
            respelt: matched.respelt,
            marks: matched.marks,
        })
    }

    /// The documents that count and are what the filters say.
    fn allowed(&self, filters: &Filters) -> Result<Vec<Bits>, SearchError> {
        let mut terms: Vec<(Field, &str)> = Vec::new();
        let fields = self.fields;
        terms.extend(filters.tag.as_ref().map(|tag| (fields.tag, tag.as_str())));
        terms.extend(filters.labelled.as_ref().map(|label: &Label| (fields.labelled, label.as_str())));
        terms.extend(filters.model.as_deref().map(|model| (fields.model, model)));
        terms.extend(filters.author.as_deref().map(|author| (fields.author, author)));
        let mut allowed = self.universe.segments.clone();
        for (segment, bits) in self.searcher.segment_readers().iter().zip(&mut allowed) {
            for (field, text) in &terms {
                bits.retain(&with_term(segment, &Term::from_field_text(*field, text))?);
            }
            if let Some(folder) = filters.folder.as_ref().filter(|folder| !folder.is_tenant()) {
                bits.retain(&below(segment, std::slice::from_ref(folder))?);
            }
            let (from, before) = (filters.updated_from, filters.updated_before);
            if from.is_some() || before.is_some() {
                let updated = segment.fast_fields().i64(column::UPDATED)?;
                let within = |at: i64| {
                    from.is_none_or(|from| at >= from.micros()) && before.is_none_or(|before| at < before.micros())
                };
                let mut these = Bits::none(segment.max_doc());
                bits.iter().filter(|doc| updated.first(*doc).is_some_and(within)).for_each(|doc| these.add(doc));
                *bits = these;
            }
        }
        Ok(allowed)
    }

    /// What the index keeps of a document.
    pub(super) fn entry(&self, segment: u32, doc: u32) -> Result<Entry, SearchError> {
        let document: TantivyDocument = self.searcher.doc(DocAddress::new(segment, doc))?;
        let bytes = document.get_first(self.fields.entry).and_then(|value| value.as_bytes());
        let entry = bytes.and_then(|bytes| postcard::from_bytes(bytes).ok());
        entry.ok_or_else(|| SearchError::Index("a document has no entry".to_owned()))
    }
}
