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

use fold::fold_into;
use stems::Stems;

pub use fold::fold;
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
        let mut words = Vec::new();
        each(text, |Span { from, to, dense }, folded| {
            let next = text[to..].chars().next().filter(|next| dense && is_dense(*next));
            words.push(Word {
                folded: folded.to_owned(),
                stems: if dense { Vec::new() } else { self.stems.of(&text[from..to]) },
                pair: next.map(|next| format!("{folded}{next}")),
                dense,
                from,
                to,
                place: words.len(),
            });
        });
        words
    }

    /// The stems of a word, as it is written or folded.
    #[must_use]
    pub fn stems(&self) -> &Stems {
        &self.stems
    }
}

/// Where a word of a text is.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Where it begins, in bytes.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
    /// Whether it is a character of a script without spaces.
    pub dense: bool,
}

/// Gives each word of a text, in order, folded: what there is to know without stems, which take most of the time.
pub fn each(text: &str, mut each: impl FnMut(Span, &str)) {
    let (mut at, mut folded) = (0, String::new());
    let in_a_row =
        |from: usize, is: fn(&u8) -> bool| text.as_bytes()[from..].iter().take_while(|byte| is(byte)).count();
    loop {
        // Most of most texts is ASCII, of which bytes say enough.
        at += in_a_row(at, |byte| byte.is_ascii() && !byte.is_ascii_alphanumeric());
        let Some(c) = text[at..].chars().next() else { return };
        let from = at;
        at += c.len_utf8();
        if !c.is_alphanumeric() {
            continue;
        }
        folded.clear();
        let dense = is_dense(c);
        if dense {
            folded.push(c);
        } else {
            at += in_a_row(at, u8::is_ascii_alphanumeric);
            at += text[at..].find(|next| !continues(next)).unwrap_or(text.len() - at);
            fold_into(&text[from..at], &mut folded);
        }
        if !folded.is_empty() && folded.len() <= WORD_MAX_BYTES {
            each(Span { from, to: at, dense }, &folded);
        }
    }
}

fn continues(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric();
    }
    (c.is_alphanumeric() || is_combining_mark(c)) && !is_dense(c)
}

/// Whether a character is of a script that is written without spaces, or whose words are too long to be looked for whole.
fn is_dense(c: char) -> bool {
    !c.is_ascii()
        && matches!(u32::from(c),
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
