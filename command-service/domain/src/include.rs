//! The rules of includes: a version's content may name versions of other prompts. What it names is there when it is written,
//! and no command ends with a version that includes itself, directly or by others.
//!
//! A number always means the same version; a label means another one whenever it moves. So both a new version and a label
//! that moves can close a circle, and whatever leads to such events is looked at here.

use std::collections::{BTreeMap, BTreeSet};

use promptory_events::event::{Event, Include, Kind, Selector, VersionAdded, Written};
use promptory_events::{Label, PromptId, limits};

use crate::graph::At;
use crate::rejection::Rejection;
use crate::state::{Prompt, Tenant};

/// What a content names, by the prompts that hold those keys now.
pub(crate) fn resolve(state: &Tenant, written: &[Written]) -> Result<Vec<Include>, Rejection> {
    let one = |written: &Written| {
        let missing = || Rejection::IncludeNotFound(written.clone());
        let prompt = state.holder(&written.key).ok_or_else(missing)?;
        let found = state.by_id(prompt).ok_or_else(missing)?;
        if found.kind != Kind::Text {
            return Err(Rejection::IncludeNotText(written.clone()));
        }
        selected(found, &written.at).filter(|number| found.version(*number).is_some()).ok_or_else(missing)?;
        Ok(Include { written: written.clone(), prompt })
    };
    written.iter().map(one).collect()
}

/// The version that is meant now.
fn selected(prompt: &Prompt, at: &Selector) -> Option<u32> {
    match at {
        Selector::Number(number) => Some(*number),
        Selector::Label(label) if label.is_latest() => Some(prompt.main),
        Selector::Label(label) => prompt.labels.get(label),
    }
}

/// Refuses events after which a version would include itself.
pub(crate) fn gate(state: &Tenant, events: &[Event]) -> Result<(), Rejection> {
    let after = After::new(state, events);
    // A new circle goes through what is new: a version, or what a label points to from now on. Both are where it is looked
    // for.
    after.changed.iter().try_for_each(|version| after.comes_back_to(*version))
}

/// The state after some events, as far as includes depend on it.
struct After<'a> {
    state: &'a Tenant,
    added: Option<&'a VersionAdded>,
    labels: BTreeMap<(PromptId, &'a Label), Option<u32>>,
    changed: BTreeSet<At>,
}

impl<'a> After<'a> {
    fn new(state: &'a Tenant, events: &'a [Event]) -> Self {
        let mut after = Self { state, added: None, labels: BTreeMap::new(), changed: BTreeSet::new() };
        for event in events {
            match event {
                Event::VersionAdded(e) => {
                    after.added = Some(e); // no command adds two
                    after.changed.insert((e.prompt, e.number));
                }
                Event::LabelSet(e) => {
                    after.labels.insert((e.prompt, &e.label), Some(e.after));
                    after.changed.insert((e.prompt, e.after));
                }
                Event::LabelRemoved(e) => drop(after.labels.insert((e.prompt, &e.label), None)),
                _ => {}
            }
        }
        after
    }

    fn includes(&self, (prompt, number): At) -> &[Include] {
        match self.added {
            Some(added) if (added.prompt, added.number) == (prompt, number) => &added.includes,
            _ => self.state.by_id(prompt).map(|prompt| prompt.includes(number)).unwrap_or_default(),
        }
    }

    /// The version that an include means; `None` if its label is not set any more.
    fn meant(&self, include: &Include) -> Option<At> {
        let prompt = include.prompt;
        if let Selector::Label(label) = &include.written.at {
            let on_main =
                self.added.filter(|added| label.is_latest() && added.prompt == prompt && added.branch.is_main());
            if let Some(added) = on_main {
                return Some((prompt, added.number));
            }
            if let Some(number) = self.labels.get(&(prompt, label)) {
                return number.map(|number| (prompt, number));
            }
        }
        Some((prompt, selected(self.state.by_id(prompt)?, &include.written.at)?))
    }

    /// Refuses if a version includes itself. Looks at each version that it includes once.
    fn comes_back_to(&self, version: At) -> Result<(), Rejection> {
        let mut seen = BTreeSet::new();
        for first in self.includes(version) {
            let mut open: Vec<At> = self.meant(first).into_iter().collect();
            while let Some(at) = open.pop() {
                if at == version {
                    return Err(Rejection::IncludeCycle(first.written.clone()));
                }
                if !seen.insert(at) {
                    continue;
                }
                if seen.len() > limits::RENDER_PARTS_MAX {
                    let what = "versions that one includes, directly or by others,".into();
                    return Err(Rejection::LimitReached { what, max: limits::RENDER_PARTS_MAX });
                }
                open.extend(self.includes(at).iter().filter_map(|include| self.meant(include)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
