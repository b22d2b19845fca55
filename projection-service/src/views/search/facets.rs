//! What was found, counted by what it is.

use std::collections::BTreeMap;

use tantivy::{Searcher, SegmentReader};

use super::SearchError;
use super::rank::Scored;
use super::schema::column;
use crate::ask::search::{Count, Facets};

/// Values of one facet.
const VALUES_MAX: usize = 20;

/// Counts everything that was found. `folder` is the one that was asked for.
///
/// # Errors
/// A damaged index.
pub fn facets(searcher: &Searcher, found: &[Scored], folder: &str) -> Result<Facets, SearchError> {
    let (mut labels, mut tags) = (Counts::default(), Counts::default());
    let (mut models, mut authors, mut folders) = (Counts::default(), Counts::default(), Counts::default());
    for (segment, found) in searcher.segment_readers().iter().zip(found) {
        labels.add(segment, column::LABELLED, found, |label| Some(label.to_owned()))?;
        tags.add(segment, column::TAG, found, |tag| Some(tag.to_owned()))?;
        models.add(segment, column::MODEL, found, |model| Some(model.to_owned()))?;
        authors.add(segment, column::AUTHOR, found, |author| Some(author.to_owned()))?;
        folders.add(segment, column::KEY, found, |key| {
            let below = key.strip_prefix(folder)?;
            below.find('/').map(|at| key[..=folder.len() + at].to_owned())
        })?;
    }
    Ok(Facets {
        labels: labels.most(),
        tags: tags.most(),
        models: models.most(),
        authors: authors.most(),
        folders: folders.most(),
    })
}

#[derive(Default)]
struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Counts the values of a column, each as what `named` makes of it. Their numbers are counted first: few texts are read.
    fn add(
        &mut self,
        segment: &SegmentReader,
        column: &str,
        found: &Scored,
        named: impl Fn(&str) -> Option<String>,
    ) -> Result<(), SearchError> {
        let Some(values) = segment.fast_fields().str(column)? else { return Ok(()) };
        let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
        for (doc, _) in found {
            for ord in values.ords().values_for_doc(*doc) {
                *counts.entry(ord).or_default() += 1;
            }
        }
        // In one walk over the column's texts: there may be as many as documents.
        let (ords, counts): (Vec<u64>, Vec<u64>) = counts.into_iter().unzip();
        let mut counts = counts.into_iter();
        values.dictionary().sorted_ords_to_term_cb(&ords, |text| {
            let count = counts.next().unwrap_or_default();
            if let Some(name) = std::str::from_utf8(text).ok().and_then(&named) {
                *self.0.entry(name).or_default() += count;
            }
        })?;
        Ok(())
    }

    fn most(self) -> Vec<Count> {
        most(self.0, VALUES_MAX)
    }
}

/// The most frequent ones first; of those that are as frequent the first by name.
pub fn most(counts: BTreeMap<String, u64>, max: usize) -> Vec<Count> {
    let mut counts: Vec<_> = counts.into_iter().map(|(value, count)| Count { value, count }).collect();
    counts.sort_by_key(|count| std::cmp::Reverse(count.count)); // stable: equal ones stay in order
    counts.truncate(max);
    counts
}
