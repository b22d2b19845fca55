//! Words of a query that stand one after the other in a prompt, too: that is worth more than the same words apart.

use tantivy::schema::Field;
use tantivy::{DocSet, SegmentReader};

use super::SearchError;
use super::docs::{Docs, Having};
use super::matching::{Group, Matcher, NAMED, times, with_places};
use super::query::Part;
use super::rank::having;
use super::universe::Bits;

/// What it is worth that two words stand together, beside the words.
const NEAR: f32 = 1.0;
/// If more documents have both words nobody looks where they stand: it takes time for each.
const LOOKED_INTO_MAX: u64 = 2048;

impl Matcher<'_> {
    /// Who has neighbours of a query as neighbours, whatever their endings. `found` is what the parts have.
    pub(super) fn near(&self, parts: &[Part], found: &[Vec<Group>]) -> Result<Vec<Group>, SearchError> {
        let mut near = Vec::new();
        for (field, (of, factor)) in [(self.fields.name, NAMED), (self.fields.text, 1.0)].into_iter().enumerate() {
            let having: Vec<Vec<Bits>> = found.iter().map(|groups| self.having(field, groups)).collect();
            for n in 1..parts.len() {
                let (Some(one), Some(other)) = (term(&parts[n - 1]), term(&parts[n])) else { continue };
                let mut both = having[n - 1].clone();
                both.iter_mut().zip(&having[n]).for_each(|(both, other)| both.retain(other));
                let count: u64 = both.iter().map(Bits::count).sum();
                if count == 0 || count > LOOKED_INTO_MAX {
                    continue;
                }
                let terms = [(0, one.to_owned()), (1, other.to_owned())];
                let segments = self.searcher.segment_readers().iter().zip(&both);
                let docs = segments
                    .map(|(segment, both)| Ok(Having::listed(segment.max_doc(), together(segment, of, &terms, both)?)));
                let docs = Docs::of(docs.collect::<Result<_, SearchError>>()?, u32::saturating_add);
                if docs.count() > 0 {
                    near.push(Group { field, weight: NEAR * factor, docs });
                }
            }
        }
        Ok(near)
    }

    /// The documents that have something in a field.
    fn having(&self, field: usize, groups: &[Group]) -> Vec<Bits> {
        let groups = || groups.iter().filter(|group| group.field == field);
        let segments = self.searcher.segment_readers().iter().enumerate();
        segments.map(|(number, segment)| having(segment, groups(), number)).collect()
    }
}

/// What a word is looked for as beside another: its stem in the first of the tenant's languages, or itself.
fn term(part: &Part) -> Option<&str> {
    match part {
        Part::Word { folded, stems, .. } => Some(stems.first().unwrap_or(folded)),
        Part::Beginning(_) | Part::Phrase(_) => None,
    }
}

/// In which of some documents terms are at their places, and how often.
fn together(
    segment: &SegmentReader,
    field: Field,
    terms: &[(u32, String)],
    docs: &Bits,
) -> Result<Vec<(u32, u32)>, SearchError> {
    let Some(mut all) = with_places(segment, field, terms)? else { return Ok(Vec::new()) };
    let (mut found, mut places) = (Vec::new(), Vec::new());
    for doc in docs.iter() {
        let mut there = true;
        for (_, postings) in &mut all {
            let at = if postings.doc() < doc { postings.seek(doc) } else { postings.doc() };
            there &= at == doc;
        }
        let times = if there { times(&mut all, &mut places) } else { 0 };
        found.extend((times > 0).then_some((doc, times)));
    }
    Ok(found)
}
