//! Three-way merge of sequences, by the rules of `git merge-file`: changes of the two sides that touch belong together.

use std::ops::Range;

use serde::Serialize;

use crate::lines::{Change, Parts, Sequence};

/// A piece of what three sequences make together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Piece<T> {
    /// Unchanged, changed by one side, or changed to the same by both.
    Merged {
        /// What stands here.
        merged: T,
    },
    /// Both sides changed it, to something else each.
    Conflict {
        /// As it was.
        base: T,
        /// As the version that is merged into has it.
        ours: T,
        /// As the version that is merged has it.
        theirs: T,
    },
}

impl<T> Piece<T> {
    /// What stands here, if it is no conflict.
    pub fn merged(&self) -> Option<&T> {
        match self {
            Self::Merged { merged } => Some(merged),
            Self::Conflict { .. } => None,
        }
    }

    /// The same piece in another form.
    pub fn map<U>(self, form: impl Fn(T) -> U) -> Piece<U> {
        match self {
            Self::Merged { merged } => Piece::Merged { merged: form(merged) },
            Self::Conflict { base, ours, theirs } => {
                Piece::Conflict { base: form(base), ours: form(ours), theirs: form(theirs) }
            }
        }
    }

    /// The same piece in another form, if it has one.
    ///
    /// # Errors
    /// That of the form.
    pub fn try_map<U, E>(self, form: impl Fn(T) -> Result<U, E>) -> Result<Piece<U>, E> {
        Ok(match self {
            Self::Merged { merged } => Piece::Merged { merged: form(merged)? },
            Self::Conflict { base, ours, theirs } => {
                Piece::Conflict { base: form(base)?, ours: form(ours)?, theirs: form(theirs)? }
            }
        })
    }
}

/// One side: its sequence, its changes that are not looked at yet, and how far it is told.
struct Side<'s, 'a> {
    sequence: &'s Sequence<'a>,
    changes: std::iter::Peekable<std::vec::IntoIter<Change>>,
    at: usize,
}

impl<'s, 'a> Side<'s, 'a> {
    fn new(parts: &Parts<'a>, base: &Sequence<'a>, sequence: &'s Sequence<'a>) -> Self {
        Self { sequence, changes: parts.changes(base, sequence).into_iter().peekable(), at: 0 }
    }

    fn next_start(&mut self) -> Option<usize> {
        self.changes.peek().map(|change| change.from.start)
    }

    /// The next change, if it begins no later than `end`.
    fn touching(&mut self, end: usize) -> Option<Change> {
        self.changes.next_if(|change| change.from.start <= end)
    }

    /// Goes on by as many parts.
    fn take(&mut self, count: usize) -> Range<usize> {
        let from = self.at;
        self.at += count;
        from..self.at
    }
}

/// Merges two sequences that come from a third one.
pub(super) fn merge<'a>(
    parts: &Parts<'a>,
    base: &Sequence<'a>,
    ours: &Sequence<'a>,
    theirs: &Sequence<'a>,
) -> Vec<Piece<Vec<&'a str>>> {
    let (mut ours, mut theirs) = (Side::new(parts, base, ours), Side::new(parts, base, theirs));
    let (mut pieces, mut at) = (Vec::new(), 0);
    while let Some(start) = ours.next_start().into_iter().chain(theirs.next_start()).min() {
        push(&mut pieces, base.parts(at..start));
        ours.take(start - at);
        theirs.take(start - at);
        let region = region(&mut ours, &mut theirs, start);
        let (our, their) = (ours.take(region.ours), theirs.take(region.theirs));
        at = region.end;
        if !region.by_them || (region.by_us && ours.sequence.same(our.clone(), theirs.sequence, their.clone())) {
            push(&mut pieces, ours.sequence.parts(our));
        } else if !region.by_us {
            push(&mut pieces, theirs.sequence.parts(their));
        } else {
            let base = base.parts(start..at).to_vec();
            let (ours, theirs) = (ours.sequence.parts(our).to_vec(), theirs.sequence.parts(their).to_vec());
            pieces.push(Piece::Conflict { base, ours, theirs });
        }
    }
    push(&mut pieces, base.parts(at..base.len()));
    pieces
}

/// Parts of the base that belong together, and what became of them.
struct Region {
    end: usize,
    /// How many parts each side has there.
    ours: usize,
    theirs: usize,
    by_us: bool,
    by_them: bool,
}

/// The changes of both sides that hang together, from the first of them on. Two changes of one side never touch, so a
/// change touches the region only where the other side has extended it.
fn region(ours: &mut Side<'_, '_>, theirs: &mut Side<'_, '_>, start: usize) -> Region {
    let mut region = Region { end: start, ours: 0, theirs: 0, by_us: false, by_them: false };
    // Where each side is told up to, in the base.
    let (mut our_end, mut their_end) = (start, start);
    loop {
        if let Some(change) = ours.touching(region.end) {
            region.ours += change.from.start - our_end + change.to.len();
            our_end = change.from.end;
            region.by_us = true;
        } else if let Some(change) = theirs.touching(region.end) {
            region.theirs += change.from.start - their_end + change.to.len();
            their_end = change.from.end;
            region.by_them = true;
        } else {
            break;
        }
        region.end = region.end.max(our_end).max(their_end);
    }
    region.ours += region.end - our_end;
    region.theirs += region.end - their_end;
    region
}

/// Adds parts to the piece before, if that is no conflict.
fn push<'a>(pieces: &mut Vec<Piece<Vec<&'a str>>>, parts: &[&'a str]) {
    match pieces.last_mut() {
        Some(Piece::Merged { merged }) => merged.extend_from_slice(parts),
        _ if parts.is_empty() => {}
        _ => pieces.push(Piece::Merged { merged: parts.to_vec() }),
    }
}
