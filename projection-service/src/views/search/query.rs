//! What a query says: words, `"phrases"` and beginnings (`begin*`), all of which a prompt must have.
//!
//! A query that can't be read is refused with the place where it went wrong, never guessed at.

use promptory_events::limits::{QUERY_MAX_BYTES, QUERY_PARTS_MAX};

use super::words::{Lexer, Word};
use crate::ask::search::QueryFault;

/// Something that a prompt must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A word, or a word like it.
    Word {
        /// It, folded.
        folded: String,
        /// The index's terms for its stems.
        stems: Vec<String>,
        /// Whether whoever asks may still be typing it: then it is also looked for as a beginning.
        open: bool,
    },
    /// A word that begins so.
    Beginning(String),
    /// Words one after the other, each as the index has it, with its place in the phrase.
    Phrase(Vec<(u32, String)>),
}

/// Reads a query.
///
/// # Errors
/// It is too long, a phrase does not end, or an asterisk begins no word.
pub fn parse(text: &str, lexer: &Lexer) -> Result<Vec<Part>, QueryFault> {
    if text.len() > QUERY_MAX_BYTES {
        return Err(fault(text, QUERY_MAX_BYTES, format!("must be at most {QUERY_MAX_BYTES} bytes long")));
    }
    let (mut parts, mut at) = (Vec::new(), 0);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let taken = if c.is_whitespace() {
            c.len_utf8()
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').ok_or_else(|| fault(text, at, "the phrase that begins here does not end"))?;
            parts.extend(phrase(&lexer.words(&quoted[..end])));
            end + 2
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len());
            token(text, at, end, lexer, &mut parts)?;
            end
        };
        at += taken;
        if parts.len() > QUERY_PARTS_MAX {
            return Err(fault(text, at, format!("more than {QUERY_PARTS_MAX} words and phrases end before here")));
        }
    }
    Ok(parts)
}

/// The words of a token between spaces.
fn token(text: &str, at: usize, len: usize, lexer: &Lexer, parts: &mut Vec<Part>) -> Result<(), QueryFault> {
    let token = &text[at..at + len];
    let begins = token.ends_with('*');
    let words = lexer.words(token.trim_end_matches('*'));
    if begins && words.is_empty() {
        return Err(fault(text, at, "an asterisk stands at the end of the beginning of a word"));
    }
    let last = words.len().saturating_sub(1);
    let mut run = Vec::new();
    for (n, word) in words.into_iter().enumerate() {
        if word.dense {
            run.push(word);
            continue;
        }
        parts.extend(phrase(&std::mem::take(&mut run)));
        let open = n == last && at + len == text.len();
        parts.push(match begins && n == last {
            true => Part::Beginning(word.folded),
            false => Part::Word { folded: word.folded, stems: word.stems, open },
        });
    }
    parts.extend(phrase(&run));
    Ok(())
}

/// Words one after the other. Of scripts without spaces the pairs are looked for, of which there are fewer than of single
/// characters.
fn phrase(words: &[Word]) -> Option<Part> {
    let first = words.first()?.place;
    let paired = |n: usize| n > 0 && words[n - 1].dense && words[n].dense && words[n - 1].pair.is_some();
    let mut terms = Vec::new();
    for (n, word) in words.iter().enumerate() {
        let place = u32::try_from(word.place - first).unwrap_or(u32::MAX);
        match &word.pair {
            Some(pair) if n + 1 < words.len() => terms.push((place, pair.clone())),
            _ if paired(n) => {} // it is in the pair before
            _ => terms.push((place, word.folded.clone())),
        }
    }
    Some(Part::Phrase(terms))
}

fn fault(text: &str, byte: usize, reason: impl Into<String>) -> QueryFault {
    let end = (0..=byte.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    QueryFault { position: text[..end].chars().count(), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::search::words::STEM;
    use promptory_events::event::Languages;

    fn read(text: &str) -> Result<Vec<Part>, QueryFault> {
        parse(text, &Lexer::new(Languages::default()))
    }

    fn word(folded: &str, stem: &str, open: bool) -> Part {
        Part::Word { folded: folded.to_owned(), stems: vec![format!("{STEM}{stem}")], open }
    }

    fn words(terms: &[(u32, &str)]) -> Part {
        Part::Phrase(terms.iter().map(|(place, term)| (*place, (*term).to_owned())).collect())
    }

    #[test]
    fn words_phrases_and_beginnings_are_told_apart() {
        assert_eq!(read("Code reviews").unwrap(), [word("code", "code", false), word("reviews", "review", true)]);
        assert_eq!(read("git-diff ").unwrap(), [word("git", "git", false), word("diff", "diff", false)]);
        assert_eq!(
            read("a \"Act as a\" whisp*").unwrap(),
            [word("a", "a", false), words(&[(0, "act"), (1, "as"), (2, "a")]), Part::Beginning("whisp".to_owned())]
        );
        assert_eq!(read("").unwrap(), []);
        assert_eq!(read(" \"\" -- ").unwrap(), []);
    }

    #[test]
    fn a_run_without_spaces_is_a_phrase_of_pairs() {
        assert_eq!(read("任何事").unwrap(), [words(&[(0, "任何"), (1, "何事")])]);
        assert_eq!(read("男").unwrap(), [words(&[(0, "男")])]);
        assert_eq!(read("AI輔助").unwrap(), [word("ai", "ai", false), words(&[(0, "輔助")])]);
        assert_eq!(read("\"用 AI 輔助\"").unwrap(), [words(&[(0, "用"), (1, "ai"), (2, "輔助")])]);
    }

    #[test]
    fn what_can_not_be_read_is_refused_with_its_place() {
        let place = |text: &str| read(text).unwrap_err().position;
        assert_eq!(place("ünd \"open"), 4);
        assert_eq!(place("a *"), 2);
        assert_eq!(place(&"x".repeat(QUERY_MAX_BYTES + 1)), QUERY_MAX_BYTES);
        assert!(read(&"x ".repeat(QUERY_PARTS_MAX + 1)).is_err());
    }
}
