//! Sequences cut into parts (lines, messages, words), and where two of them differ.
//!
//! The differences are those that git finds: Myers' algorithm with git's shortcuts, so that a merge on them is git's too.
//! The shortcuts also keep the time from growing with the square of the length.

use std::ops::Range;

use gix_imara_diff::{Algorithm, Diff, Interner, NoSliderHeuristic, Token};

/// Sequences that are longer are compared from both ends only: what lies between is one change. The shortcuts bound the time
/// to some microseconds a part, and a text of nothing but line ends would have half a million.
const PARTS_MAX: usize = 20_000;

/// Where two sequences differ: these parts of one stand in place of those of the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Of the first sequence.
    pub from: Range<usize>,
    /// Of the second one.
    pub to: Range<usize>,
}

/// Parts of texts as numbers: equal parts have equal numbers.
pub struct Parts<'a> {
    interner: Interner<&'a str>,
}

/// A sequence of parts.
#[derive(Clone, Debug)]
pub struct Sequence<'a> {
    parts: Vec<&'a str>,
    tokens: Vec<Token>,
}

impl<'a> Parts<'a> {
    /// For some sequences that are to be compared.
    #[must_use]
    pub fn new() -> Self {
        Self { interner: Interner::new(256) }
    }

    /// A sequence of parts.
    pub fn sequence(&mut self, parts: impl IntoIterator<Item = &'a str>) -> Sequence<'a> {
        let parts: Vec<&str> = parts.into_iter().collect();
        let tokens = parts.iter().map(|part| self.interner.intern(*part)).collect();
        Sequence { parts, tokens }
    }

    /// Where two sequences differ, in order; between two changes lies at least one part that is equal.
    #[must_use]
    pub fn changes(&self, from: &Sequence<'a>, to: &Sequence<'a>) -> Vec<Change> {
        if from.len().max(to.len()) > PARTS_MAX {
            return between_ends(&from.tokens, &to.tokens).into_iter().collect();
        }
        let mut diff = Diff::default();
        diff.compute_with(Algorithm::Myers, &from.tokens, &to.tokens, self.interner.num_tokens());
        diff.postprocess_with(&from.tokens, &to.tokens, NoSliderHeuristic);
        let range = |range: Range<u32>| range.start as usize..range.end as usize;
        diff.hunks().map(|hunk| Change { from: range(hunk.before), to: range(hunk.after) }).collect()
    }
}

impl Default for Parts<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Sequence<'a> {
    /// Some of its parts.
    #[must_use]
    pub fn parts(&self, range: Range<usize>) -> &[&'a str] {
        &self.parts[range]
    }

    /// Whether some of its parts are those of another sequence.
    #[must_use]
    pub fn same(&self, range: Range<usize>, other: &Self, others: Range<usize>) -> bool {
        self.tokens[range] == other.tokens[others]
    }

    /// How many parts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

/// The one change between what is equal at both ends; none if nothing differs.
fn between_ends(from: &[Token], to: &[Token]) -> Option<Change> {
    let begin = from.iter().zip(to).take_while(|(one, other)| one == other).count();
    let ends = from[begin..].iter().rev().zip(to[begin..].iter().rev());
    let end = ends.take_while(|(one, other)| one == other).count();
    let change = Change { from: begin..from.len() - end, to: begin..to.len() - end };
    (!change.from.is_empty() || !change.to.is_empty()).then_some(change)
}

/// The lines of a text, each with its end.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n')
}

/// The words of a text: runs of letters and digits, runs of spaces, and every other character alone.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let alike = |c: char| match class(first) {
            Class::Other => false,
            class_of_first => class(c) == class_of_first,
        };
        let end = rest.char_indices().skip(1).find(|(_, c)| !alike(*c)).map_or(rest.len(), |(at, _)| at);
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

#[derive(PartialEq)]
enum Class {
    Word,
    Space,
    Other,
}

fn class(c: char) -> Class {
    match c {
        // A line end is a word of its own: what is before it does not hang together with what is after it.
        '\n' => Class::Other,
        _ if c.is_alphanumeric() || c == '_' => Class::Word,
        _ if c.is_whitespace() => Class::Space,
        _ => Class::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_its_lines_and_its_words() {
        let text = "Hello,  {{name}}!\r\n\nnaïve 下棋_2\n x";
        for cut in [lines(text).collect::<Vec<_>>(), words(text).collect()] {
            assert_eq!(cut.concat(), text);
        }
        assert_eq!(words("Hello,  {{a_1}}").collect::<Vec<_>>(), ["Hello", ",", "  ", "{", "{", "a_1", "}", "}"]);
        assert_eq!(lines("").count() + words("").count(), 0);
    }

    #[test]
    fn changes_are_where_the_sequences_differ() {
        let mut parts = Parts::new();
        let (from, to) = (parts.sequence(["a", "b", "c", "d"]), parts.sequence(["a", "x", "y", "c"]));
        assert_eq!(parts.changes(&from, &to), [Change { from: 1..2, to: 1..3 }, Change { from: 3..4, to: 4..4 }]);
        assert_eq!(parts.changes(&from, &from), []);
    }

    #[test]
    fn what_is_very_long_is_compared_from_both_ends() {
        let (long, mut other): (Vec<String>, _) = ((0..PARTS_MAX + 1).map(|n| n.to_string()).collect(), Vec::new());
        other.clone_from(&long);
        (other[5], other[9]) = ("x".to_owned(), "y".to_owned());
        other.pop();
        let mut parts = Parts::new();
        let [long, other] = [&long, &other].map(|texts| parts.sequence(texts.iter().map(String::as_str)));
        assert_eq!(parts.changes(&long, &other), [Change { from: 5..PARTS_MAX + 1, to: 5..PARTS_MAX }]);
        assert_eq!(parts.changes(&long, &long), []);
        let mut parts = Parts::new();
        let [more, less] = [PARTS_MAX + 5, PARTS_MAX + 2].map(|n| parts.sequence(std::iter::repeat_n("a", n)));
        assert_eq!(
            parts.changes(&more, &less),
            [Change { from: PARTS_MAX + 2..PARTS_MAX + 5, to: PARTS_MAX + 2..PARTS_MAX + 2 }]
        );
    }
}
