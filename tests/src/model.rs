//! The plainest possible repository: a list of what was accepted, folded anew for every question.

use std::collections::BTreeMap;

use promptory_events::Timestamp;

/// What can happen to a prompt here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A new prompt under a key, with a text.
    Create(String, String),
    /// A new version.
    Edit(String, String),
    /// Another key.
    Rename(String, String),
    /// Out of the way.
    Archive(String),
}

/// Something that was accepted.
#[derive(Clone, Debug)]
pub struct Done {
    /// The number of the prompt, in order of creation.
    pub prompt: usize,
    /// The index of its last event.
    pub index: u64,
    /// When it is claimed to have happened.
    pub occurred: Timestamp,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// What.
    pub act: Act,
}

/// Which part of each prompt's past counts.
#[derive(Clone, Copy, Debug)]
pub enum Point {
    /// Up to and with this event.
    Index(u64),
    /// Recorded by then.
    Recorded(Timestamp),
    /// Happened by then: effective time, the maximum over the prompt's events up to each, not later.
    Occurred(Timestamp),
}

/// The accepted acts, in order.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// What was accepted.
    pub done: Vec<Done>,
}

/// One prompt at a point.
#[derive(Clone, Debug, Default)]
struct Folded {
    key: Option<String>,
    since: usize,
    texts: Vec<String>,
}

impl Model {
    /// Whether an act would be accepted now, and which prompt it is about.
    #[must_use]
    pub fn judge(&self, act: &Act) -> Option<usize> {
        let live = self.live(Point::Index(u64::MAX));
        let holder = |key: &String| live.get(key).map(|(prompt, _)| *prompt);
        match act {
            Act::Create(key, _) if holder(key).is_some() => None,
            Act::Create(..) => Some(self.done.iter().map(|d| d.prompt + 1).max().unwrap_or(0)),
            Act::Edit(key, _) | Act::Archive(key) => holder(key),
            Act::Rename(from, to) if from != to && holder(to).is_some() => holder(from).and(None),
            Act::Rename(from, _) => holder(from),
        }
    }

    /// Every key that is held at a point, with its prompt and that prompt's newest text and version number.
    #[must_use]
    pub fn live(&self, point: Point) -> BTreeMap<String, (usize, (String, usize))> {
        let mut prompts: BTreeMap<usize, Folded> = BTreeMap::new();
        let mut effective: BTreeMap<usize, Timestamp> = BTreeMap::new();
        for (order, done) in self.done.iter().enumerate() {
            let happened = effective.entry(done.prompt).or_insert(done.occurred);
            *happened = done.occurred.max(*happened);
            let counts = match point {
                Point::Index(index) => done.index <= index,
                Point::Recorded(time) => done.recorded <= time,
                Point::Occurred(time) => *happened <= time,
            };
            if counts {
                prompts.entry(done.prompt).or_default().take_in(order, &done.act);
            }
        }
        let mut held: BTreeMap<String, (usize, usize, String, usize)> = BTreeMap::new();
        for (prompt, folded) in prompts {
            let Some(key) = folded.key else { continue };
            // A key that two prompts held then belongs to the one that got it later.
            if held.get(&key).is_none_or(|(since, ..)| *since < folded.since) {
                let text = folded.texts.last().cloned().unwrap_or_default();
                held.insert(key, (folded.since, prompt, text, folded.texts.len()));
            }
        }
        held.into_iter().map(|(key, (_, prompt, text, number))| (key, (prompt, (text, number)))).collect()
    }
}

impl Folded {
    fn take_in(&mut self, order: usize, act: &Act) {
        match act {
            Act::Create(key, text) => {
                self.key = Some(key.clone());
                self.since = order;
                self.texts.push(text.clone());
            }
            Act::Edit(_, text) => self.texts.push(text.clone()),
            Act::Rename(from, to) if from == to => {}
            Act::Rename(_, to) => {
                self.key = Some(to.clone());
                self.since = order;
            }
            Act::Archive(_) => self.key = None,
        }
    }
}
