//! The documents that count for one question: what one label points to, as far as the asking one may read it.
//!
//! Everything is counted over these alone, also how rare a word is and how long texts are. So no order, count, facet or
//! suggestion depends on what is hidden, or on documents that are deleted and not merged away yet.

use std::ops::Bound;

use promptory_events::Prefix;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, Searcher, SegmentReader, TERMINATED, Term};

use super::SearchError;
use super::schema::{Fields, column};

/// A set of documents of one segment.
#[derive(Clone, Debug)]
pub struct Bits(Vec<u64>);

impl Bits {
    /// None of so many.
    #[must_use]
    pub fn none(docs: u32) -> Self {
        Self(vec![0; docs.div_ceil(64) as usize])
    }

    /// Whether it is there.
    #[must_use]
    pub fn has(&self, doc: u32) -> bool {
        self.0[(doc / 64) as usize] >> (doc % 64) & 1 == 1
    }

    /// Adds one.
    pub fn add(&mut self, doc: u32) {
        self.0[(doc / 64) as usize] |= 1 << (doc % 64);
    }

    /// Adds those of some documents, in order, that are among others; whether there are any.
    pub fn add_among(&mut self, docs: &[u32], among: &Self) -> bool {
        let (mut there, mut at, mut bits) = (0, 0, 0u64);
        // Many documents in a row share one number of bits: it is written once.
        let mut put = |at: usize, bits: u64| {
            let bits = bits & among.0[at];
            self.0[at] |= bits;
            there |= bits;
        };
        for doc in docs {
            let here = (doc / 64) as usize;
            if here != at {
                put(at, std::mem::take(&mut bits));
                at = here;
            }
            bits |= 1 << (doc % 64);
        }
        if bits != 0 {
            put(at, bits);
        }
        there != 0
    }

    /// The first one after a document.
    #[must_use]
    pub fn first_after(&self, doc: u32) -> Option<u32> {
        let from = doc.checked_add(1)?;
        let rest = |at: u32, bits: u64| if at == from / 64 { bits & (u64::MAX << (from % 64)) } else { bits };
        let words = (from / 64..).zip(self.0.get((from / 64) as usize..)?);
        words
            .map(|(at, bits)| (at, rest(at, *bits)))
            .find(|(_, bits)| *bits != 0)
            .map(|(at, bits)| at * 64 + bits.trailing_zeros())
    }

    /// Adds what is in the other.
    pub fn join(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(one, other)| *one |= other);
    }

    /// Leaves only what is in both.
    pub fn retain(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(one, other)| *one &= other);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|bits| u64::from(bits.count_ones())).sum()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0u32..).zip(&self.0).flat_map(|(at, bits)| {
            let mut rest = *bits;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros();
                (bit < 64).then(|| {
                    rest &= rest - 1;
                    at * 64 + bit
                })
            })
        })
    }
}

/// The fields whose words are looked for.
pub const WORD_FIELDS: usize = 2;

/// The documents that count.
#[derive(Clone, Debug)]
pub struct Universe {
    /// By segment.
    pub segments: Vec<Bits>,
    /// How many there are.
    pub docs: u64,
    /// How many words they have in name and text, on average.
    pub average: [f32; WORD_FIELDS],
}

impl Universe {
    /// What a label points to, below prefixes that do not cover each other.
    ///
    /// # Errors
    /// A damaged index.
    pub fn of(searcher: &Searcher, fields: &Fields, label: &str, prefixes: &[Prefix]) -> Result<Self, SearchError> {
        let label = Term::from_field_text(fields.label, label);
        let (mut segments, mut docs, mut words) = (Vec::new(), 0, [0u64; WORD_FIELDS]);
        for segment in searcher.segment_readers() {
            let mut bits = with_term(segment, &label)?;
            if !prefixes.iter().any(Prefix::is_tenant) {
                bits.retain(&below(segment, prefixes)?);
            }
            docs += bits.count();
            for (field, sum) in [fields.name, fields.text].into_iter().zip(&mut words) {
                let norms = segment.get_fieldnorms_reader(field)?;
                *sum += bits.iter().map(|doc| u64::from(norms.fieldnorm(doc))).sum::<u64>();
            }
            segments.push(bits);
        }
        #[allow(clippy::cast_precision_loss, reason = "an average for a score")]
        let average = words.map(|sum| if docs == 0 { 1.0 } else { (sum as f64 / docs as f64).max(1.0) as f32 });
        Ok(Self { segments, docs, average })
    }
}

/// The documents of a segment that have a term and are not deleted.
pub fn with_term(segment: &SegmentReader, term: &Term) -> Result<Bits, SearchError> {
    let mut bits = Bits::none(segment.max_doc());
    let postings = segment.inverted_index(term.field())?.read_postings(term, IndexRecordOption::Basic)?;
    if let Some(mut postings) = postings {
        let alive = segment.alive_bitset();
        while postings.doc() != TERMINATED {
            if alive.is_none_or(|alive| alive.is_alive(postings.doc())) {
                bits.add(postings.doc());
            }
            postings.advance();
        }
    }
    Ok(bits)
}

/// The documents of a segment whose keys lie below one of some prefixes. Keys are numbered in their order in the segment's
/// column, so a prefix is a range of numbers.
pub fn below(segment: &SegmentReader, prefixes: &[Prefix]) -> Result<Bits, SearchError> {
    let mut bits = Bits::none(segment.max_doc());
    let Some(keys) = segment.fast_fields().str(column::KEY)? else { return Ok(bits) };
    let mut ranges = Vec::new();
    for prefix in prefixes {
        let from = prefix.as_str().as_bytes();
        let mut end = from.to_vec();
        end.push(u8::MAX); // no UTF-8 text holds this byte
        let (from, to) = (Bound::Included(from), Bound::Excluded(end.as_slice()));
        let (from, to) = keys.dictionary().term_bounds_to_ord(from, to)?;
        let from = match from {
            Bound::Included(ord) => ord,
            Bound::Excluded(ord) => ord + 1,
            Bound::Unbounded => 0,
        };
        let to = match to {
            Bound::Included(ord) => ord + 1,
            Bound::Excluded(ord) => ord,
            Bound::Unbounded => u64::MAX,
        };
        ranges.push(from..to);
    }
    for doc in 0..segment.max_doc() {
        if keys.ords().values_for_doc(doc).any(|ord| ranges.iter().any(|range| range.contains(&ord))) {
            bits.add(doc);
        }
    }
    Ok(bits)
}
