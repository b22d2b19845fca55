//! How well what was found fits, and in which order it stands.
//!
//! BM25 over the documents that count, added up in the order of the query, so that equal documents score equally in every
//! layout of the index; what fits equally well is told apart by time and key, and no two prompts have the same key.

use std::cmp::Ordering;

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
    let norms = [segment.get_fieldnorms_reader(fields.name)?, segment.get_fieldnorms_reader(fields.text)?];
    let mut scores = vec![(0u8, 0f32); segment.max_doc() as usize]; // how many parts it has, and the score so far
    for (n, groups) in (0u8..).zip(parts) {
        for group in groups {
            let idf = idf(group.docs.count(), universe.docs);
            let worth = |doc, times| worth(group, idf, times, norms[group.field].fieldnorm(doc), universe);
            for (doc, times) in group.docs.0.get(number).into_iter().flatten() {
                let (has, score) = &mut scores[*doc as usize];
                // What lacks an earlier part is out; what is in the part by another group already counts once.
                if *has == n || *has == n + 1 {
                    *has = n + 1;
                    *score += worth(*doc, *times);
                }
            }
        }
    }
    let all = u8::try_from(parts.len()).unwrap_or(u8::MAX);
    for group in near {
        let idf = idf(group.docs.count(), universe.docs);
        for (doc, times) in group.docs.0.get(number).into_iter().flatten() {
            let (has, score) = &mut scores[*doc as usize];
            if *has == all {
                *score += worth(group, idf, *times, norms[group.field].fieldnorm(*doc), universe);
            }
        }
    }
    let found = allowed.iter().filter_map(|doc| {
        let (has, score) = scores[doc as usize];
        (has == all).then_some((doc, score))
    });
    Ok(found.collect())
}

#[allow(clippy::cast_precision_loss, reason = "counts in a score")]
fn idf(having: u64, all: u64) -> f32 {
    let (having, all) = (having as f32, all as f32);
    (1.0 + (all - having + 0.5) / (having + 0.5)).ln()
}

#[allow(clippy::cast_precision_loss, reason = "counts in a score")]
fn worth(group: &Group, idf: f32, times: u32, length: u32, universe: &Universe) -> f32 {
    let (times, b, average) = (times as f32, B[group.field], universe.average[group.field]);
    group.weight * idf * times * (K1 + 1.0) / (times + K1 * (1.0 - b + b * length as f32 / average))
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
    let mut places = Vec::with_capacity(scored.len());
    for (doc, score) in scored {
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
