//! The place of a text that fits best, with what was looked for told apart from what is around it: as data, never as HTML.

use std::collections::HashSet;

use super::words::{Lexer, Word};
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

impl Marks {
    /// Which of the words to mark.
    fn on(&self, text: &str, words: &[Word], lexer: &Lexer) -> Vec<bool> {
        // Endings change, beginnings mostly don't: few words need to be stemmed.
        let begins = |word: &Word| {
            let first = word.folded.chars().next();
            lexer.stems().take_beginnings() || self.stems.iter().any(|stem| stem.chars().nth(1) == first)
        };
        let stemmed = |word: &Word| lexer.stems().of(&text[word.from..word.to]);
        let single = |word: &Word| {
            self.folded.contains(&word.folded)
                || (!word.dense && begins(word) && stemmed(word).iter().any(|stem| self.stems.contains(stem)))
                || self.beginnings.iter().any(|beginning| word.folded.starts_with(beginning.as_str()))
        };
        let mut marked: Vec<_> = words.iter().map(single).collect();
        for phrase in &self.phrases {
            for at in 0..words.len() {
                mark(phrase, words, at, &mut marked);
            }
        }
        marked
    }
}

/// Marks a phrase if it begins at a word.
fn mark(phrase: &[(u32, String)], words: &[Word], at: usize, marked: &mut [bool]) {
    let word = |place: u32| words.get(at + place as usize);
    let paired = |word: &Word, term: &str| word.pair.as_deref() == Some(term);
    let has = |(place, term): &(u32, String)| word(*place).is_some_and(|w| w.folded == *term || paired(w, term));
    if !phrase.iter().all(has) {
        return;
    }
    for (place, term) in phrase {
        let first = at + *place as usize;
        marked[first] = true;
        if paired(&words[first], term)
            && let Some(neighbour) = marked.get_mut(first + 1)
        {
            *neighbour = true;
        }
    }
}

/// The snippet of a text: its beginning if nothing is marked in it.
#[must_use]
pub fn snippet(text: &str, lexer: &Lexer, marks: &Marks) -> Vec<Piece> {
    let text = &text[..text.floor_char_boundary(LOOKED_AT_BYTES)];
    let words = lexer.unstemmed(text);
    let marked = marks.on(text, &words, lexer);
    let hits: Vec<&Word> = words.iter().zip(&marked).filter(|(_, marked)| **marked).map(|(word, _)| word).collect();
    let from = begin(text, &words, &hits);
    let to = text.floor_char_boundary(from + SNIPPET_BYTES);
    pieces(text, from, to, &hits)
}

/// Where the snippet begins: a little before the hit from which on it has most different words.
fn begin(text: &str, words: &[Word], hits: &[&Word]) -> usize {
    let different = |first: usize| {
        let within = hits[first..].iter().take_while(|hit| hit.to <= hits[first].from + SNIPPET_BYTES - BEFORE_BYTES);
        within.map(|hit| hit.folded.as_str()).collect::<HashSet<_>>().len()
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

fn pieces(text: &str, from: usize, to: usize, hits: &[&Word]) -> Vec<Piece> {
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
    use super::*;
    use promptory_events::event::{Language, Languages};

    fn shown(text: &str, marks: &Marks) -> String {
        let pieces = snippet(text, &Lexer::new(Languages::default()), marks);
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
            let hits = snippet(text, &lexer, &marks).into_iter().filter(|piece| piece.hit);
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
}
