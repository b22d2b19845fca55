//! A text's words, as the index has them and as a query means them: one lexer for both, and for snippets.
//!
//! A word is folded: lower case, without accents. Beside it, at the same position, stand its stems, so that *prompts*
//! finds *prompting*, and whoever writes a word exactly as it is there finds it first. Scripts without spaces between words
//! (Chinese, Japanese, Korean) are cut into single characters and pairs of neighbours, so that any piece of a text is found,
//! whatever the tenant's languages are.

mod fold;
mod stems;

use promptory_events::event::Languages;
use tantivy::tokenizer::{BoxTokenStream, Token, TokenStream, Tokenizer};
use unicode_normalization::char::is_combining_mark;

use fold::fold;
use stems::Stems;

pub use stems::STEM;

/// Longer words are left out: they are encoded data, not words.
const WORD_MAX_BYTES: usize = 64;

/// A word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// It, folded; one character of a script without spaces.
    pub folded: String,
    /// Its stems, each after [`STEM`]; none if none were asked for.
    pub stems: Vec<String>,
    /// The character with its neighbour.
    pub pair: Option<String>,
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
    stems: Stems,
}

impl Lexer {
    /// For the languages of a tenant.
    #[must_use]
    pub fn new(languages: Languages) -> Self {
        Self { stems: Stems::new(languages) }
    }

    /// The words of a text, in order.
    #[must_use]
    pub fn words(&self, text: &str) -> Vec<Word> {
        cut(text, |word| self.stems.of(word))
    }

    /// The same without stems, which take most of the time.
    #[must_use]
    pub fn unstemmed(&self, text: &str) -> Vec<Word> {
        cut(text, |_| Vec::new())
    }

    /// The stems of a word, as it is written or folded.
    #[must_use]
    pub fn stems(&self) -> &Stems {
        &self.stems
    }
}

fn cut(text: &str, stems: impl Fn(&str) -> Vec<String>) -> Vec<Word> {
    let mut words = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((from, c)) = chars.next() {
        if !c.is_alphanumeric() {
            continue;
        }
        let mut to = from + c.len_utf8();
        let mut word = |folded, stems, pair, dense, to| {
            let place = words.len();
            words.push(Word { folded, stems, pair, dense, from, to, place });
        };
        if is_dense(c) {
            let next = chars.peek().map(|(_, next)| *next).filter(|next| is_dense(*next));
            word(c.to_string(), Vec::new(), next.map(|next| format!("{c}{next}")), true, to);
            continue;
        }
        while let Some((at, next)) = chars.next_if(|(_, next)| continues(*next)) {
            to = at + next.len_utf8();
        }
        let folded = fold(&text[from..to]);
        if !folded.is_empty() && folded.len() <= WORD_MAX_BYTES {
            word(folded, stems(&text[from..to]), None, false, to);
        }
    }
    words
}

fn continues(c: char) -> bool {
    (c.is_alphanumeric() || is_combining_mark(c)) && !is_dense(c)
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
            tokens.extend(word.stems.into_iter().chain(word.pair).map(token));
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

    use promptory_events::event::Language;

    fn words(text: &str) -> Vec<Word> {
        Lexer::new(Languages::default()).words(text)
    }

    fn terms(text: &str) -> Vec<(String, Option<String>)> {
        words(text).into_iter().map(|word| (word.folded, word.stems.into_iter().next().or(word.pair))).collect()
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
    fn scripts_without_spaces_become_characters_and_pairs_in_every_language() {
        let one = |c: &str, pair: Option<&str>| (c.to_owned(), pair.map(str::to_owned));
        assert_eq!(terms("扮演AI。"), [one("扮", Some("扮演")), one("演", None), stemmed("ai", "ai")]);
        assert_eq!(terms("プロ"), [one("プ", Some("プロ")), one("ロ", None)]);
        for languages in [&[][..], &[Language::German], &Language::ALL] {
            let lexer = Lexer::new(Languages::of(languages));
            for text in ["研究方法和報告", "プロンプトを書く", "프롬프트"] {
                assert_eq!(lexer.words(text), words(text), "{languages:?}");
            }
        }
    }

    #[test]
    fn places_and_bytes_are_those_of_the_text() {
        let text = "Ünder 研究 it";
        let said: Vec<_> = words(text).iter().map(|word| (&text[word.from..word.to], word.place)).collect();
        assert_eq!(said, [("Ünder", 0), ("研", 1), ("究", 2), ("it", 3)]);
    }
}
