//! The documents that have something, and how often.
//!
//! Which they are is a set of bits, which is put together and counted many documents at once. How often is read from the postings
//! only where it is asked for: most documents that have one word of a query lack another.

use std::io;

use tantivy::InvertedIndexReader;
use tantivy::postings::TermInfo;
use tantivy::schema::IndexRecordOption;

use super::universe::Bits;

/// How often a document has something that it has so often in one way and so often in another; that of one if the other is 0.
pub type Times = fn(u32, u32) -> u32;

/// The documents that have something, by segment.
#[derive(Clone, Debug)]
pub struct Docs {
    /// By number.
    pub segments: Vec<Having>,
    times: Times,
}

/// Those of one segment.
#[derive(Clone, Debug)]
pub struct Having {
    /// Which they are.
    pub docs: Bits,
    /// Where it is said how often.
    sources: Vec<Source>,
}

#[derive(Clone, Debug)]
enum Source {
    /// Postings of a term.
    Postings(TermInfo),
    /// Here, in the order of documents.
    List(Vec<(u32, u32)>),
}

impl Docs {
    /// Those of each segment.
    pub fn of(segments: Vec<Having>, times: Times) -> Self {
        Self { segments, times }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.segments.iter().map(|having| having.docs.count()).sum()
    }

    /// Those that have the one or the other.
    pub fn join(&mut self, other: Self) {
        for (one, other) in self.segments.iter_mut().zip(other.segments) {
            one.docs.join(&other.docs);
            one.sources.extend(other.sources);
        }
    }

    /// Gives those of a segment that are among some, with how often, in order. `table` has a zero for each document of the
    /// segment, and has them again afterwards.
    ///
    /// # Errors
    /// A damaged index.
    pub fn among(
        &self,
        number: usize,
        index: &InvertedIndexReader,
        among: &Bits,
        table: &mut [u32],
        mut each: impl FnMut(u32, u32),
    ) -> io::Result<()> {
        let Some(Having { docs, sources }) = self.segments.get(number) else { return Ok(()) };
        if let [source] = &sources[..] {
            return source.among(index, among, each);
        }
        for source in sources {
            source.among(index, among, |doc, more| {
                let before = &mut table[doc as usize];
                *before = (self.times)(*before, more);
            })?;
        }
        let mut both = docs.clone();
        both.retain(among);
        both.iter().for_each(|doc| each(doc, std::mem::take(&mut table[doc as usize])));
        Ok(())
    }
}

impl Having {
    /// None of so many documents.
    #[must_use]
    pub fn none(docs: u32) -> Self {
        Self { docs: Bits::none(docs), sources: Vec::new() }
    }

    /// These, in order, of so many documents.
    #[must_use]
    pub fn listed(docs: u32, list: Vec<(u32, u32)>) -> Self {
        let mut having = Self::none(docs);
        list.iter().for_each(|(doc, _)| having.docs.add(*doc));
        having.sources.push(Source::List(list));
        having
    }

    /// Adds who has a term and is among some; whether there is anybody.
    ///
    /// # Errors
    /// A damaged index.
    pub fn add(&mut self, index: &InvertedIndexReader, term: TermInfo, among: &Bits) -> io::Result<bool> {
        let mut postings = index.read_block_postings_from_terminfo(&term, IndexRecordOption::Basic)?;
        let mut there = false;
        while postings.block_len() > 0 {
            there |= self.docs.add_among(postings.docs(), among);
            postings.advance();
        }
        if there {
            self.sources.push(Source::Postings(term));
        }
        Ok(there)
    }
}

impl Source {
    fn among(&self, index: &InvertedIndexReader, among: &Bits, mut each: impl FnMut(u32, u32)) -> io::Result<()> {
        let term = match self {
            Self::List(list) => {
                list.iter().filter(|(doc, _)| among.has(*doc)).for_each(|(doc, times)| each(*doc, *times));
                return Ok(());
            }
            Self::Postings(term) => term,
        };
        let mut postings = index.read_block_postings_from_terminfo(term, IndexRecordOption::WithFreqs)?;
        while let Some(last) = postings.docs().last().copied() {
            let docs = postings.docs().iter().zip(postings.freqs());
            docs.filter(|(doc, _)| among.has(**doc)).for_each(|(doc, times)| each(*doc, *times));
            let Some(next) = among.first_after(last) else { break };
            postings.seek(next); // behind blocks that have none of them
            if postings.docs().last().is_none_or(|now| *now <= last) {
                break; // the last block stays where it is
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;
    use tantivy::schema::{Schema, TEXT};
    use tantivy::{Index, IndexWriter, TantivyDocument, Term};

    use super::*;

    /// How often each document of one segment has the words `a` and `b`.
    fn texts() -> impl Strategy<Value = Vec<[usize; 2]>> {
        let often = prop::array::uniform2(prop_oneof![3 => Just(0usize), 2 => 1..4usize]);
        prop::collection::vec(often, 1..700)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn who_has_one_word_or_another_among_some_is_as_a_look_at_every_text_says(
            texts in texts(),
            one_in in 1..200usize,
            from in 0..700u32,
            most in any::<bool>(),
        ) {
            let mut schema = Schema::builder();
            let field = schema.add_text_field("text", TEXT);
            let made = Index::create_in_ram(schema.build());
            let mut writer: IndexWriter = made.writer_with_num_threads(1, 15_000_000).unwrap();
            for [a, b] in &texts {
                let mut document = TantivyDocument::default();
                document.add_text(field, format!("{}{}", "a ".repeat(*a), "b ".repeat(*b)));
                writer.add_document(document).unwrap();
            }
            writer.commit().unwrap();
            let searcher = made.reader().unwrap().searcher();
            let index = searcher.segment_reader(0).inverted_index(field).unwrap();

            let room = u32::try_from(texts.len()).unwrap();
            let among: BTreeSet<u32> = (from..room).step_by(one_in).collect();
            let (mut some, mut all) = (Bits::none(room), Bits::none(room));
            among.iter().for_each(|doc| some.add(*doc));
            (0..room).for_each(|doc| all.add(doc));
            let times: Times = if most { Ord::max } else { u32::saturating_add };
            let mut having = Having::none(room);
            for word in ["a", "b"] {
                if let Some(term) = index.get_term_info(&Term::from_field_text(field, word)).unwrap() {
                    prop_assert!(having.add(&index, term, &all).unwrap());
                }
            }
            let (mut found, mut table) = (Vec::new(), vec![0; texts.len()]);
            let docs = Docs::of(vec![having], times);
            docs.among(0, &index, &some, &mut table, |doc, times| found.push((doc, times))).unwrap();

            let plainly: BTreeMap<u32, u32> = (0..room)
                .filter(|doc| among.contains(doc))
                .map(|doc| (doc, texts[doc as usize].map(|often| u32::try_from(often).unwrap())))
                .map(|(doc, [a, b])| (doc, times(a, b)))
                .filter(|(_, times)| *times > 0)
                .collect();
            prop_assert_eq!(found, plainly.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(docs.count(), texts.iter().filter(|often| often.iter().any(|n| *n > 0)).count() as u64);
            prop_assert!(table.iter().all(|times| *times == 0));
        }
    }
}
