//! A text's words, as the index has them and as a query means them: one lexer for both, and for snippets.
//!
//! A word is folded: lower case, without accents. Beside it, at the same position, stands its stem, so that *prompts*
//! finds *prompting*, and whoever writes a word exactly as it is there finds it first. Scripts without spaces between words
//! (Chinese, Japanese, Korean) are cut into single characters and pairs of neighbours, so that any piece of a text is found.

use frostem::{Algorithm, Stemmer};
use serde::{Deserialize, Serialize};
use tantivy::tokenizer::{BoxTokenStream, Token, TokenStream, Tokenizer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Begins the index's term for a stem. No folded word holds it.
pub const STEM: char = '\u{1}';
/// Longer words are left out: they are encoded data, not words.
const WORD_MAX_BYTES: usize = 64;

/// Whose endings a tenant's stems are without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Language {
    /// English.
    #[default]
    English,
}

/// A word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// It, folded; one character of a script without spaces.
    pub folded: String,
    /// What else the index has of it: its stem after [`STEM`], or the character with its neighbour. No stem if none was
    /// asked for.
    pub second: Option<String>,
    /// Whether it is a character of a script without spaces.
    pub dense: bool,
    /// Where it is in the text, in bytes.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
    /// Its place among the words.
    pub place: usize,
}

/// Cuts texts into words.
#[derive(Clone)]
pub struct Lexer {
    language: Language,
}

impl Lexer {
    /// For a language.
    #[must_use]
    pub fn new(language: Language) -> Self {
        Self { language }
    }

    /// The words of a text, in order.
    #[must_use]
    pub fn words(&self, text: &str) -> Vec<Word> {
        self.cut(text, true)
    }

    /// The same without stems, which take most of the time.
    #[must_use]
    pub fn unstemmed(&self, text: &str) -> Vec<Word> {
        self.cut(text, false)
    }

    /// The index's term for the stem of a folded word.
    #[must_use]
    pub fn stem(&self, folded: &str) -> String {
        let stemmer = Stemmer::new(match self.language {
            Language::English => Algorithm::English,
        });
        format!("{STEM}{}", stemmer.stem(folded))
    }

    fn cut(&self, text: &str, stems: bool) -> Vec<Word> {
        let mut words = Vec::new();
        let mut chars = text.char_indices().peekable();
        while let Some((from, c)) = chars.next() {
            if !c.is_alphanumeric() {
                continue;
            }
            let mut to = from + c.len_utf8();
            if is_dense(c) {
                let next = chars.peek().map(|(_, next)| *next).filter(|next| is_dense(*next));
                let second = next.map(|next| format!("{c}{next}"));
                words.push(Word { folded: c.to_string(), second, dense: true, from, to, place: words.len() });
                continue;
            }
            while let Some((at, next)) = chars.next_if(|(_, next)| continues(*next)) {
                to = at + next.len_utf8();
            }
            let folded = fold(&text[from..to]);
            if folded.is_empty() || folded.len() > WORD_MAX_BYTES {
                continue;
            }
            let second = stems.then(|| self.stem(&folded));
            words.push(Word { folded, second, dense: false, from, to, place: words.len() });
        }
        words
    }
}

fn continues(c: char) -> bool {
    (c.is_alphanumeric() || is_combining_mark(c)) && !is_dense(c)
}

/// Lower case without accents.
fn fold(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    let folded = word.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    folded.filter(|c| !is_combining_mark(*c)).collect()
}

/// Whether a character is of a script that is written without spaces, or whose words are too long to be looked for whole.
fn is_dense(c: char) -> bool {
    matches!(u32::from(c),
        0x3005..=0x3007 | 0x3041..=0x30ff | 0x31f0..=0x31ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xac00..=0xd7a3
        | 0xf900..=0xfaff | 0xff66..=0xff9f | 0x20000..=0x3ffff)
}

impl Tokenizer for Lexer {
    type TokenStream<'a> = BoxTokenStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        let mut tokens = Vec::new();
        for word in self.words(text) {
            let token = |text| Token {
                offset_from: word.from,
                offset_to: word.to,
                position: word.place,
                text,
                position_length: 1,
            };
            tokens.push(token(word.folded));
            tokens.extend(word.second.map(token));
        }
        BoxTokenStream::new(Tokens { tokens, at: 0 })
    }
}

/// Tokens that are there already.
struct Tokens {
    tokens: Vec<Token>,
    /// How many were given out; the last of them is the current one.
    at: usize,
}

impl TokenStream for Tokens {
    fn advance(&mut self) -> bool {
        let there = self.at < self.tokens.len();
        self.at += usize::from(there);
        there
    }

    fn token(&self) -> &Token {
        &self.tokens[self.at - 1] // by its contract only asked after `advance` said true
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.tokens[self.at - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str) -> Vec<(String, Option<String>)> {
        Lexer::new(Language::English).words(text).into_iter().map(|word| (word.folded, word.second)).collect()
    }

    fn stemmed(folded: &str, stem: &str) -> (String, Option<String>) {
        (folded.to_owned(), Some(format!("{STEM}{stem}")))
    }

    #[test]
    fn words_are_folded_and_stemmed() {
        assert_eq!(
            terms("Énergétique, RUNNING_prompts!"),
            [stemmed("energetique", "energetiqu"), stemmed("running", "run"), stemmed("prompts", "prompt")]
        );
        assert_eq!(terms("İstanbul"), [stemmed("istanbul", "istanbul")]);
        assert_eq!(terms("… -- \"\""), []);
        assert_eq!(terms(&"x".repeat(65)), []);
    }

    #[test]
    fn scripts_without_spaces_become_characters_and_pairs() {
        let one = |c: &str, pair: Option<&str>| (c.to_owned(), pair.map(str::to_owned));
        assert_eq!(terms("扮演AI。"), [one("扮", Some("扮演")), one("演", None), stemmed("ai", "ai")]);
        assert_eq!(terms("プロ"), [one("プ", Some("プロ")), one("ロ", None)]);
    }

    #[test]
    fn places_and_bytes_are_those_of_the_text() {
        let text = "Ünder 研究 it";
        let words = Lexer::new(Language::English).words(text);
        let said: Vec<_> = words.iter().map(|word| (&text[word.from..word.to], word.place)).collect();
        assert_eq!(said, [("Ünder", 0), ("研", 1), ("究", 2), ("it", 3)]);
    }
}
