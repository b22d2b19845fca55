//! Texts by line, and by word where lines changed.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::lines::{Change, Parts, Sequence, lines, words};

/// Equal lines that are shown around a change.
const CONTEXT: usize = 3;
/// Changes that are shown one by one; what has more is shown as one.
const CHANGES_MAX: usize = 10_000;
/// Words of one comparison that are compared; changes beyond are shown by line.
const WORDS_MAX: usize = 40_000;

/// Where two texts differ; empty if they are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextDiff {
    /// The places, in order, each with some lines around it.
    pub hunks: Vec<Hunk>,
}

/// A place where texts differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hunk {
    /// Its first line in the first text, 1 for the text's first; how many lines it has there.
    pub from: (u32, u32),
    /// The same in the second text.
    pub to: (u32, u32),
    /// Its lines, in order.
    pub parts: Vec<Part>,
}

/// Some lines of a hunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// Lines that are the same.
    Equal(String),
    /// Lines in place of others, word by word: what is equal and deleted is the lines before, what is equal and inserted
    /// the lines after.
    Changed(Vec<Word>),
}

/// Some words in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// What became of them.
    pub op: Op,
    /// As they stand there, spaces included.
    pub text: String,
}

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// It stayed.
    Equal,
    /// It is only in the first text.
    Delete,
    /// It is only in the second text.
    Insert,
}

/// Compares texts.
pub(super) fn compare(from: &str, to: &str) -> TextDiff {
    let mut parts = Parts::new();
    let (from, to) = (parts.sequence(lines(from)), parts.sequence(lines(to)));
    let mut changes = parts.changes(&from, &to);
    if let [first, .., last] = changes.as_slice()
        && changes.len() > CHANGES_MAX
    {
        changes = vec![Change { from: first.from.start..last.from.end, to: first.to.start..last.to.end }];
    }
    let mut words_left = WORDS_MAX;
    // Changes whose surroundings meet are one hunk.
    let hunks = changes.chunk_by(|one, next| next.from.start - one.from.end <= 2 * CONTEXT);
    TextDiff { hunks: hunks.map(|changes| hunk(&from, &to, changes, &mut words_left)).collect() }
}

fn hunk(from: &Sequence<'_>, to: &Sequence<'_>, changes: &[Change], words_left: &mut usize) -> Hunk {
    let (Some(first), Some(last)) = (changes.first(), changes.last()) else {
        return Hunk { from: (0, 0), to: (0, 0), parts: Vec::new() }; // a chunk is never empty
    };
    let (before, after) = (first.from.start.min(CONTEXT), (from.len() - last.from.end).min(CONTEXT));
    let (start, end) = (first.from.start - before, last.from.end + after);
    let (mut at, mut all) = (start, Vec::new());
    for change in changes {
        equal(&mut all, from.parts(at..change.from.start));
        let (old, new) = (from.parts(change.from.clone()).concat(), to.parts(change.to.clone()).concat());
        all.push(Part::Changed(compare_words(&old, &new, words_left)));
        at = change.from.end;
    }
    equal(&mut all, from.parts(at..end));
    let to = first.to.start - before..last.to.end + after;
    Hunk { from: numbered(&(start..end)), to: numbered(&to), parts: all }
}

fn equal(parts: &mut Vec<Part>, lines: &[&str]) {
    if !lines.is_empty() {
        parts.push(Part::Equal(lines.concat()));
    }
}

/// Lines as people count them. Of no lines, as `diff` does it, the number of the line before.
fn numbered(lines: &Range<usize>) -> (u32, u32) {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let first = if lines.is_empty() { lines.start } else { lines.start + 1 };
    (number(first), number(lines.len()))
}

/// Some lines in place of others, word by word; as a whole if there is nothing to compare or no more is to be compared.
fn compare_words(from: &str, to: &str, words_left: &mut usize) -> Vec<Word> {
    let mut runs = Runs::default();
    let mut parts = Parts::new();
    let count =
        if from.is_empty() || to.is_empty() { 0 } else { words(from).chain(words(to)).take(*words_left + 1).count() };
    if count == 0 || count > *words_left {
        runs.changed(from, to);
        return runs.done();
    }
    *words_left -= count;
    let (from, to) = (parts.sequence(words(from)), parts.sequence(words(to)));
    let mut at = 0;
    for change in parts.changes(&from, &to) {
        runs.equal(&from.parts(at..change.from.start).concat());
        runs.changed(&from.parts(change.from.clone()).concat(), &to.parts(change.to).concat());
        at = change.from.end;
    }
    runs.equal(&from.parts(at..from.len()).concat());
    runs.done()
}

/// Words in the making. Blanks alone between two changes belong to both, so that a changed phrase is read as one.
#[derive(Default)]
struct Runs {
    done: Vec<Word>,
    deleted: String,
    inserted: String,
    blank: String,
}

impl Runs {
    fn equal(&mut self, text: &str) {
        let changing = !(self.deleted.is_empty() && self.inserted.is_empty());
        if changing && !text.is_empty() && text.chars().all(|c| c.is_whitespace() && c != '\n') {
            self.blank.push_str(text);
            return;
        }
        self.flush();
        self.word(Op::Equal, text);
    }

    fn changed(&mut self, from: &str, to: &str) {
        let blank = std::mem::take(&mut self.blank);
        for (side, text) in [(&mut self.deleted, from), (&mut self.inserted, to)] {
            side.push_str(&blank);
            side.push_str(text);
        }
    }

    fn flush(&mut self) {
        let (deleted, inserted) = (std::mem::take(&mut self.deleted), std::mem::take(&mut self.inserted));
        let blank = std::mem::take(&mut self.blank);
        self.word(Op::Delete, &deleted);
        self.word(Op::Insert, &inserted);
        self.word(Op::Equal, &blank);
    }

    fn word(&mut self, op: Op, text: &str) {
        match self.done.last_mut() {
            _ if text.is_empty() => {}
            Some(last) if last.op == op => last.text.push_str(text),
            _ => self.done.push(Word { op, text: text.to_owned() }),
        }
    }

    fn done(mut self) -> Vec<Word> {
        self.flush();
        self.done
    }
}

impl TextDiff {
    /// The same as a unified diff, without a head: what `diff -u` prints from the first `@@` on.
    #[must_use]
    pub fn unified(&self) -> String {
        let mut out = String::new();
        for hunk in &self.hunks {
            let span =
                |(first, count): (u32, u32)| if count == 1 { first.to_string() } else { format!("{first},{count}") };
            out.push_str(&format!("@@ -{} +{} @@\n", span(hunk.from), span(hunk.to)));
            for part in &hunk.parts {
                match part {
                    Part::Equal(text) => prefixed(&mut out, ' ', text),
                    Part::Changed(words) => {
                        prefixed(&mut out, '-', &side(words, Op::Delete));
                        prefixed(&mut out, '+', &side(words, Op::Insert));
                    }
                }
            }
        }
        out
    }
}

/// The lines before (`Delete`) or after (`Insert`) a change.
fn side(words: &[Word], op: Op) -> String {
    words.iter().filter(|word| word.op == Op::Equal || word.op == op).map(|word| word.text.as_str()).collect()
}

fn prefixed(out: &mut String, mark: char, text: &str) {
    for line in lines(text) {
        out.push(mark);
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
}
