//! How well what was found fits, and in which order it stands.
//!
//! BM25 over the documents that count, added up in the order of the query, so that equal documents score equally in every
//! layout of the index; what fits equally well is told apart by time and key, and no two prompts have the same key.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use tantivy::fieldnorm::FieldNormReader;
use tantivy::{Searcher, SegmentReader};

use super::SearchError;
use super::matching::Group;
use super::schema::{Fields, column};
use super::universe::{Bits, Universe};
use crate::ask::search::{Rank, Sort};

/// BM25's constants: how soon more of a word counts less, and how much the length of a name and of a text counts. Prompts differ
/// in length more than pages do, so that of a text counts for more than is usual.
const K1: f32 = 1.2;
const B: [f32; 2] = [0.75, 0.85];

/// What was found in one segment, and how well it fits.
pub type Scored = Vec<(u32, f32)>;

/// The documents among `allowed` that have all parts, by segment.
///
/// # Errors
/// A damaged index.
pub fn scored(
    searcher: &Searcher,
    fields: &Fields,
    universe: &Universe,
    allowed: &[Bits],
    parts: &[Vec<Group>],
    near: &[Group],
) -> Result<Vec<Scored>, SearchError> {
    let segments = searcher.segment_readers().iter().zip(allowed).enumerate();
    segments.map(|(n, (segment, allowed))| of_segment(segment, n, fields, universe, allowed, (parts, near))).collect()
}

fn of_segment(
    segment: &SegmentReader,
    number: usize,
    fields: &Fields,
    universe: &Universe,
    allowed: &Bits,
    (parts, near): (&[Vec<Group>], &[Group]),
) -> Result<Scored, SearchError> {
    if parts.is_empty() {
        return Ok(allowed.iter().map(|doc| (doc, 0.0)).collect());
    }
    let mut all = allowed.clone();
    parts.iter().for_each(|groups| all.retain(&having(segment, groups.iter(), number)));
    let (mut scores, mut table) = (vec![0f32; segment.max_doc() as usize], vec![0; segment.max_doc() as usize]);
    let shares: [_; 2] = std::array::from_fn(|field| shares(B[field], universe.average[field]));
    for group in parts.iter().flatten().chain(near) {
        let (weight, shares) = (group.weight * idf(group.docs.count(), universe.docs), &shares[group.field]);
        let field = if group.field == 0 { fields.name } else { fields.text };
        let (index, norms) = (segment.inverted_index(field)?, segment.get_fieldnorms_reader(field)?);
        group.docs.among(number, &index, &all, &mut table, |doc, times| {
            scores[doc as usize] += worth(weight, times, shares[usize::from(norms.fieldnorm_id(doc))]);
        })?;
    }
    Ok(all.iter().map(|doc| (doc, scores[doc as usize])).collect())
}

/// The documents of a segment that are in one of some groups.
pub(super) fn having<'g>(segment: &SegmentReader, groups: impl Iterator<Item = &'g Group>, number: usize) -> Bits {
    let mut having = Bits::none(segment.max_doc());
    groups.filter_map(|group| group.docs.segments.get(number)).for_each(|these| having.join(&these.docs));
    having
}

/// What the length of a text takes from how often it has a word, for each length that an index tells apart.
#[allow(clippy::cast_precision_loss, reason = "counts in a score")]
fn shares(b: f32, average: f32) -> [f32; 256] {
    let length = |id: usize| FieldNormReader::id_to_fieldnorm(u8::try_from(id).unwrap_or(u8::MAX)) as f32;
    std::array::from_fn(|id| K1 * (1.0 - b + b * length(id) / average))
}

#[allow(clippy::cast_precision_loss, reason = "counts in a score")]
fn idf(having: u64, all: u64) -> f32 {
    let (having, all) = (having as f32, all as f32);
    (1.0 + (all - having + 0.5) / (having + 0.5)).ln()
}

#[allow(clippy::cast_precision_loss, reason = "counts in a score")]
fn worth(weight: f32, times: u32, share: f32) -> f32 {
    let times = times as f32;
    weight * times * (K1 + 1.0) / (times + share)
}

/// A document at its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Its place.
    pub rank: Rank,
    /// Its segment.
    pub segment: u32,
    /// Its number there.
    pub doc: u32,
}

/// The first `limit` of what was found after a place, in order; and whether there is more.
///
/// # Errors
/// A damaged index.
pub fn best(
    searcher: &Searcher,
    found: &[Scored],
    sort: Sort,
    after: Option<&Rank>,
    limit: usize,
) -> Result<(Vec<Place>, bool), SearchError> {
    let mut places = Vec::new();
    for (number, (segment, scored)) in (0..).zip(searcher.segment_readers().iter().zip(found)) {
        places.extend(best_of(segment, number, scored, sort, after, limit)?);
    }
    places.sort_unstable_by(|one, other| order(sort, &one.rank, &other.rank));
    let more = places.len() > limit;
    places.truncate(limit);
    Ok((places, more))
}

/// The first of one segment, one more than asked for. Keys are numbered in their order, so few of them need to be read.
fn best_of(
    segment: &SegmentReader,
    number: u32,
    scored: &Scored,
    sort: Sort,
    after: Option<&Rank>,
    limit: usize,
) -> Result<Vec<Place>, SearchError> {
    let columns = segment.fast_fields();
    let (Some(keys), updated) = (columns.str(column::KEY)?, columns.i64(column::UPDATED)?) else {
        return Ok(Vec::new()); // a segment without documents
    };
    let mut places = Vec::new();
    let least = if sort == Sort::Relevance { least(scored, after, limit) } else { 0 };
    for (doc, score) in scored.iter().filter(|(_, score)| score.to_bits() >= least) {
        let key = keys.ords().first(*doc).ok_or_else(|| SearchError::Index("a document has no key".to_owned()))?;
        places.push((score.to_bits(), updated.first(*doc).unwrap_or_default(), key, *doc));
    }
    if let Some(after) = after {
        // The numbers of the keys before and behind the last one's.
        let (mut low, mut high) = (0, keys.num_terms() as u64);
        let mut key = String::new();
        while low < high {
            let middle = low + (high - low) / 2;
            key.clear();
            keys.ord_to_str(middle, &mut key)?;
            if key.as_str() <= after.key.as_str() { low = middle + 1 } else { high = middle }
        }
        places.retain(|(score, updated, key, _)| {
            let unequal = unequal(sort, (*score, *updated), (after.score, after.updated));
            unequal.then_with(|| if *key >= low { Ordering::Greater } else { Ordering::Less }).is_gt()
        });
    }
    let by = |one: &(u32, i64, u64, u32), other: &(u32, i64, u64, u32)| {
        unequal(sort, (one.0, one.1), (other.0, other.1)).then(one.2.cmp(&other.2))
    };
    if places.len() > limit + 1 {
        places.select_nth_unstable_by(limit, by);
        places.truncate(limit + 1);
    }
    let place = |(score, updated, ord, doc)| {
        let mut key = String::new();
        keys.ord_to_str(ord, &mut key)?;
        Ok(Place { rank: Rank { score, updated, key }, segment: number, doc })
    };
    places.into_iter().map(place).collect()
}

/// A score below which nothing is among the first `limit` after a place, and the one after them: what scores less needs no look at
/// its columns.
fn least(scored: &Scored, after: Option<&Rank>, limit: usize) -> u32 {
    let mut first = BinaryHeap::with_capacity(limit + 2);
    for score in scored.iter().map(|(_, score)| score.to_bits()).filter(|s| after.is_none_or(|after| *s < after.score))
    {
        if first.len() <= limit {
            first.push(Reverse(score));
        } else if first.peek().is_some_and(|Reverse(least)| score > *least) {
            first.pop();
            first.push(Reverse(score));
        }
    }
    if first.len() > limit { first.peek().map_or(0, |Reverse(least)| *least) } else { 0 }
}

fn order(sort: Sort, one: &Rank, other: &Rank) -> Ordering {
    unequal(sort, (one.score, one.updated), (other.score, other.updated)).then_with(|| one.key.cmp(&other.key))
}

/// The order of two without their keys. The bits of numbers that are not negative are in the order of the numbers.
fn unequal(sort: Sort, one: (u32, i64), other: (u32, i64)) -> Ordering {
    match sort {
        Sort::Relevance => other.cmp(&one),
        Sort::Updated => other.1.cmp(&one.1),
        Sort::Key => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_scores_less_than_the_least_is_not_on_the_page(
            scores in prop::collection::vec(0..6u8, 0..40),
            after in prop::option::of(0..6u8),
            limit in 1..8usize,
        ) {
            let scored: Scored = (0..).zip(scores.iter().map(|score| f32::from(*score))).collect();
            let after = after.map(|score| Rank { score: f32::from(score).to_bits(), updated: 0, key: String::new() });
            let least = least(&scored, after.as_ref(), limit);
            // None of those that score as much as the last one need be behind it.
            let mut behind: Vec<u32> = scored.iter().map(|(_, score)| score.to_bits()).collect();
            behind.retain(|score| after.as_ref().is_none_or(|after| *score < after.score));
            behind.sort_unstable_by_key(|score| Reverse(*score));
            let page = &behind[..behind.len().min(limit + 1)];
            prop_assert!(page.iter().all(|score| *score >= least), "{page:?} {least}");
            prop_assert_eq!(least, behind.get(limit).copied().unwrap_or(0), "and no look more than needed");
        }
    }
}
