//! The place of a text that fits best, with what was looked for told apart from what is around it: as data, never as HTML.

use std::collections::{HashMap, HashSet};

use super::words::{Lexer, Span, each, fold};
use crate::ask::search::Piece;

/// How much of a text is looked at: lexing takes its time.
const LOOKED_AT_BYTES: usize = 64 * 1024;
/// How long a snippet is, and how much of it comes before the first hit, in bytes.
const SNIPPET_BYTES: usize = 240;
const BEFORE_BYTES: usize = 60;

/// What to mark.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// Words.
    pub folded: HashSet<String>,
    /// Terms of stems.
    pub stems: HashSet<String>,
    /// Beginnings of words.
    pub beginnings: Vec<String>,
    /// Words one after the other.
    pub phrases: Vec<Vec<(u32, String)>>,
}

/// Makes the snippets of one search. What it has found out of a word it keeps for the next text: texts are long, and most of their
/// words come again.
pub struct Snippets<'a> {
    marks: &'a Marks,
    lexer: &'a Lexer,
    /// With which bytes a folded word that is marked for itself can begin.
    first: [bool; 256],
    /// Whether words, as they are written, are.
    known: HashMap<String, bool>,
    words: Vec<Span>,
    marked: Vec<bool>,
}

/// A word that is marked.
struct Hit {
    from: usize,
    to: usize,
    folded: String,
}

impl<'a> Snippets<'a> {
    /// Of texts in which this is to be marked.
    #[must_use]
    pub fn new(marks: &'a Marks, lexer: &'a Lexer) -> Self {
        // Endings change, beginnings mostly don't: few words need to be stemmed.
        let any = lexer.stems().take_beginnings() && !marks.stems.is_empty();
        let mut first = [any; 256];
        let stems = marks.stems.iter().filter_map(|term| term.as_bytes().get(1));
        let whole = marks.folded.iter().chain(&marks.beginnings).filter_map(|word| word.as_bytes().first());
        stems.chain(whole).for_each(|byte| first[usize::from(*byte)] = true);
        Self { marks, lexer, first, known: HashMap::new(), words: Vec::new(), marked: Vec::new() }
    }

    /// The snippet of a text: its beginning if nothing is marked in it.
    pub fn of(&mut self, text: &str) -> Vec<Piece> {
        let text = &text[..text.floor_char_boundary(LOOKED_AT_BYTES)];
        self.look(text);
        let words = self.words.iter().zip(&self.marked).filter(|(_, marked)| **marked);
        let hits: Vec<Hit> = words
            .map(|(Span { from, to, .. }, _)| Hit { from: *from, to: *to, folded: fold(&text[*from..*to]) })
            .collect();
        let from = begin(text, &self.words, &hits);
        let to = text.floor_char_boundary(from + SNIPPET_BYTES);
        pieces(text, from, to, &hits)
    }

    /// Finds the words of a text, and which of them to mark.
    fn look(&mut self, text: &str) {
        let Self { marks, lexer, first, known, words, marked } = self;
        words.clear();
        marked.clear();
        each(text, |word, folded| {
            let single = first[usize::from(folded.as_bytes()[0])] && {
                let written = &text[word.from..word.to];
                known.get(written).copied().unwrap_or_else(|| {
                    let is = marks.have(written, folded, word.dense, lexer);
                    known.insert(written.to_owned(), is);
                    is
                })
            };
            words.push(word);
            marked.push(single);
        });
        for phrase in &marks.phrases {
            for at in 0..words.len() {
                mark(phrase, text, &words[at..], &mut marked[at..]);
            }
        }
    }
}

impl Marks {
    /// Whether a word is marked for itself.
    fn have(&self, written: &str, folded: &str, dense: bool, lexer: &Lexer) -> bool {
        self.folded.contains(folded)
            || (!dense && lexer.stems().of(written).iter().any(|stem| self.stems.contains(stem)))
            || self.beginnings.iter().any(|beginning| folded.starts_with(beginning.as_str()))
    }
}

/// Marks a phrase if some words begin with it.
fn mark(phrase: &[(u32, String)], text: &str, words: &[Span], marked: &mut [bool]) {
    let is = |(place, term): &(u32, String)| match words.get(*place as usize) {
        Some(Span { from, dense: true, .. }) => text[*from..].starts_with(term.as_str()), // it, or it and its neighbour
        Some(Span { from, to, .. }) => {
            let written = &text[*from..*to];
            if written.is_ascii() { written.eq_ignore_ascii_case(term) } else { fold(written) == *term }
        }
        None => false,
    };
    if !phrase.iter().all(is) {
        return;
    }
    for (place, term) in phrase {
        let at = *place as usize;
        marked[at] = true;
        if words[at].dense
            && term.len() > words[at].to - words[at].from
            && let Some(neighbour) = marked.get_mut(at + 1)
        {
            *neighbour = true;
        }
    }
}

/// Where the snippet begins: a little before the hit from which on it has most different words.
fn begin(text: &str, words: &[Span], hits: &[Hit]) -> usize {
    let different = |first: usize| {
        let mut different: Vec<&str> = Vec::new();
        let within = |hit: &&Hit| hit.to <= hits[first].from + SNIPPET_BYTES - BEFORE_BYTES;
        for hit in hits[first..].iter().take_while(within) {
            if !different.contains(&hit.folded.as_str()) {
                different.push(&hit.folded);
            }
        }
        different.len()
    };
    let mut best = (0, 0);
    for first in 0..hits.len() {
        let count = different(first);
        if count > best.0 {
            best = (count, first);
        }
    }
    let Some(hit) = hits.get(best.1) else { return 0 };
    let earliest = text.floor_char_boundary(hit.from.saturating_sub(BEFORE_BYTES));
    // Not in the middle of a word.
    let next = words.partition_point(|word| word.from < earliest);
    if earliest == 0 { 0 } else { words.get(next).map_or(earliest, |word| word.from.min(hit.from)) }
}

fn pieces(text: &str, from: usize, to: usize, hits: &[Hit]) -> Vec<Piece> {
    let (mut pieces, mut at) = (Vec::<Piece>::new(), from);
    let mut push = |from: usize, to: usize, hit: bool| {
        if from < to {
            match pieces.last_mut() {
                Some(last) if last.hit == hit => last.text.push_str(&text[from..to]),
                _ => pieces.push(Piece { text: text[from..to].to_owned(), hit }),
            }
        }
    };
    for hit in hits.iter().filter(|hit| hit.from >= from && hit.to <= to) {
        push(at, hit.from, false);
        push(hit.from, hit.to, true);
        at = hit.to;
    }
    push(at, to, false);
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::views::search::query::{Part, parse};
    use promptory_events::event::{Language, Languages};

    fn shown(text: &str, marks: &Marks) -> String {
        let pieces = Snippets::new(marks, &Lexer::new(Languages::default())).of(text);
        pieces.iter().map(|piece| if piece.hit { format!("[{}]", piece.text) } else { piece.text.clone() }).collect()
    }

    fn words(words: &[&str]) -> Marks {
        Marks { folded: words.iter().map(|word| (*word).to_owned()).collect(), ..Marks::default() }
    }

    #[test]
    fn hits_are_marked_where_they_stand_and_the_text_is_as_it_is() {
        assert_eq!(shown("Act as a <b>Linux</b> terminal", &words(&["linux"])), "Act as a <b>[Linux]</b> terminal");
        assert_eq!(shown("nothing here", &words(&["linux"])), "nothing here");
        assert_eq!(shown("", &words(&["linux"])), "");
        let beginning = Marks { beginnings: vec!["term".to_owned()], ..Marks::default() };
        assert_eq!(shown("a Terminal, in terms", &beginning), "a [Terminal], in [terms]");
    }

    #[test]
    fn what_another_ending_has_found_is_marked_in_the_language_that_it_is_in() {
        let marked = |language, query: &str, text: &str| {
            let lexer = Lexer::new(Languages::of(&[language]));
            let marks = Marks { stems: lexer.stems().of(query).into_iter().collect(), ..Marks::default() };
            let hits = Snippets::new(&marks, &lexer).of(text).into_iter().filter(|piece| piece.hit);
            hits.map(|piece| piece.text).collect::<Vec<_>>()
        };
        assert_eq!(marked(Language::German, "haus", "Die Häuser am Hang"), ["Häuser"]);
        assert_eq!(marked(Language::English, "haus", "Die Häuser am Hang"), Vec::<String>::new());
        assert_eq!(marked(Language::Dutch, "lopen", "hij heeft gelopen"), ["gelopen"]);
        assert_eq!(marked(Language::Russian, "переводчик", "работа с Переводчиками"), ["Переводчиками"]);
    }

    #[test]
    fn phrases_are_marked_only_where_they_stand_together() {
        let phrase = |terms: &[(u32, &str)]| Marks {
            phrases: vec![terms.iter().map(|(place, term)| (*place, (*term).to_owned())).collect()],
            ..Marks::default()
        };
        let act_as = phrase(&[(0, "act"), (1, "as")]);
        assert_eq!(shown("as an act: Act as if", &act_as), "as an act: [Act] [as] if");
        assert_eq!(shown("做任何事情", &phrase(&[(0, "任何"), (1, "何事")])), "做[任何事]情");
    }

    #[test]
    fn a_long_text_is_shown_from_where_most_words_are() {
        let text = format!("one {}one two three {}", "filler ".repeat(100), "é".repeat(200));
        let shown = shown(&text, &words(&["one", "two", "three"]));
        assert!(shown.contains("[one] [two] [three]"), "{shown}");
        assert!(shown.starts_with("filler") && shown.len() < 300, "{shown}");
    }

    /// What to mark for a query whose words are all there.
    fn marks(query: &str, lexer: &Lexer) -> Marks {
        let mut marks = Marks::default();
        for part in parse(query, lexer).unwrap() {
            match part {
                Part::Word { folded, stems, .. } => {
                    marks.folded.insert(folded);
                    marks.stems.extend(stems);
                }
                Part::Beginning(folded) => marks.beginnings.push(folded),
                Part::Phrase(terms) => marks.phrases.push(terms),
            }
        }
        marks
    }

    /// For each byte of a text whether a word that it is of is to be marked, by a look at everything that a word is.
    fn expected(text: &str, lexer: &Lexer, marks: &Marks) -> Vec<bool> {
        let words = lexer.words(text);
        let mut bytes = vec![false; text.len()];
        for word in &words {
            let begins = marks.beginnings.iter().any(|beginning| word.folded.starts_with(beginning));
            let stem = word.stems.iter().any(|stem| marks.stems.contains(stem));
            if begins || stem || marks.folded.contains(&word.folded) {
                bytes[word.from..word.to].fill(true);
            }
        }
        for (phrase, at) in marks.phrases.iter().flat_map(|phrase| (0..words.len()).map(move |at| (phrase, at))) {
            let place = |place: &u32| words.get(at + *place as usize);
            let has = |(n, term): &(u32, String)| {
                place(n).is_some_and(|w| w.folded == *term || w.pair.as_ref() == Some(term))
            };
            if phrase.iter().all(has) {
                for (n, term) in phrase {
                    let word = place(n).unwrap();
                    bytes[word.from..word.from + (word.to - word.from).max(if word.dense { term.len() } else { 0 })]
                        .fill(true);
                }
            }
        }
        bytes
    }

    fn texts(most: usize) -> impl Strategy<Value = String> {
        let words =
            vec!["act", "Acts", "acting", "as", "Über", "uber", "naïve", "x", "Aß", "做", "任何事", "任", "gelopen"];
        let word = (prop::sample::select(words), prop::sample::select(vec![" ", ", ", "", "-"]));
        prop::collection::vec(word, 0..most)
            .prop_map(|words| words.iter().map(|(word, sign)| format!("{word}{sign}")).collect())
    }

    proptest! {
        #[test]
        fn what_is_marked_is_what_a_look_at_every_word_says(
            texts in prop::collection::vec(texts(6), 1..4),
            (query, phrase) in (texts(3), texts(3)),
            begins in prop::option::of(prop::sample::select(vec!["a", "ub", "nai"])),
            language in prop::sample::select(vec![Language::English, Language::German, Language::Dutch]),
        ) {
            let lexer = Lexer::new(Languages::of(&[language]));
            let begins = begins.map(|begins| format!(" {begins}*")).unwrap_or_default();
            let marks = marks(&format!("{query} \"{phrase}\"{begins}"), &lexer);
            let mut snippets = Snippets::new(&marks, &lexer);
            for text in texts {
                let pieces = snippets.of(&text);
                prop_assert_eq!(pieces.iter().map(|piece| piece.text.as_str()).collect::<String>(), text.clone());
                let marked: Vec<bool> = pieces.iter().flat_map(|piece| vec![piece.hit; piece.text.len()]).collect();
                prop_assert_eq!(marked, expected(&text, &lexer, &marks), "{}: {:?}", text, marks);
            }
        }
    }
}
