//! Generated histories: any list of wishes becomes a legal history, for what is not possible is left out.

use std::collections::BTreeMap;

use promptory_events::event::*;
use promptory_events::rollout::{BUCKETS, Table};
use promptory_events::{Branch, PromptId, PromptKey, RolloutId, Timestamp};
use proptest::prelude::*;

use super::Scribe;

/// A wish, and how it is told.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    what: What,
    /// Seconds before now at which it is claimed to have happened.
    claimed: Option<u8>,
    /// Seconds that pass before it.
    pause: u8,
    /// Whether a batch ends before it.
    new_batch: bool,
}

#[derive(Clone, Debug)]
enum What {
    Create(u8),
    Version(u8, u8, u8),
    Branch(u8, u8, u8),
    Close(u8, u8),
    Rename(u8, u8),
    Archive(u8),
    Restore(u8, u8),
    Label(u8, u8, u8),
    Unlabel(u8, u8),
    Rollout(u8, u8, u8),
    Tags(u8, u8),
    Metadata(u8, u8),
}

/// Histories of up to `len` wishes over few keys, so that they collide.
pub(crate) fn histories(len: usize) -> impl Strategy<Value = Vec<Op>> {
    let (prompt, key) = (|| 0u8..6, || 0u8..5);
    let what = prop_oneof![
        4 => key().prop_map(What::Create),
        4 => (prompt(), 0u8..4, 0u8..3).prop_map(|(p, t, b)| What::Version(p, t, b)),
        2 => (prompt(), 0u8..2, 0u8..4).prop_map(|(p, b, n)| What::Branch(p, b, n)),
        1 => (prompt(), 0u8..2).prop_map(|(p, b)| What::Close(p, b)),
        3 => (prompt(), key()).prop_map(|(p, k)| What::Rename(p, k)),
        2 => prompt().prop_map(What::Archive),
        2 => (prompt(), key()).prop_map(|(p, k)| What::Restore(p, k)),
        2 => (prompt(), 0u8..2, 0u8..4).prop_map(|(p, l, n)| What::Label(p, l, n)),
        1 => (prompt(), 0u8..2).prop_map(|(p, l)| What::Unlabel(p, l)),
        2 => (prompt(), 0u8..2, 0u8..5).prop_map(|(p, l, s)| What::Rollout(p, l, s)),
        1 => (prompt(), 0u8..3).prop_map(|(p, n)| What::Tags(p, n)),
        1 => (prompt(), 0u8..3).prop_map(|(p, n)| What::Metadata(p, n)),
    ];
    let op = (what, proptest::option::of(0u8..40), 0u8..3, any::<bool>())
        .prop_map(|(what, claimed, pause, new_batch)| Op { what, claimed, pause, new_batch });
    proptest::collection::vec(op, 1..len)
}

pub(crate) fn key(number: u8) -> PromptKey {
    ["a", "a/b", "a!", "b", "下棋"][usize::from(number) % 5].parse().unwrap()
}

#[derive(Default)]
struct Known {
    prompts: Vec<(PromptId, Prompt)>,
    held: BTreeMap<PromptKey, PromptId>,
}

struct Prompt {
    key: PromptKey,
    archived: bool,
    versions: u32,
    branches: BTreeMap<u8, u32>,
    labels: BTreeMap<u8, u32>,
    rollouts: BTreeMap<u8, (RolloutId, Table)>,
}

/// Tells a history, batch by batch, and ends the last batch.
pub(crate) fn tell(scribe: &mut Scribe, ops: &[Op]) {
    let mut known = Known::default();
    for op in ops {
        if op.new_batch {
            scribe.batch();
            scribe.now = scribe.now.plus_ms(i64::from(op.pause) * 1000);
        }
        let events = known.wish(scribe, &op.what);
        if !events.is_empty() {
            let occurred_at: Option<Timestamp> = op.claimed.map(|s| scribe.now.plus_ms(-1000 * i64::from(s)));
            scribe.commit(occurred_at, events);
        }
    }
    scribe.batch();
}

impl Known {
    fn wish(&mut self, scribe: &Scribe, what: &What) -> Vec<Event> {
        match *what {
            What::Create(number) => self.create(scribe, key(number)),
            What::Rename(p, number) => self.rename(p, key(number)),
            What::Archive(p) => self.archive(p),
            What::Restore(p, number) => self.restore(p, key(number)),
            What::Version(p, text, branch) => self.change(p, |id, prompt| {
                prompt.versions += 1;
                let open = prompt.branches.get_mut(&branch).map(|head| *head = prompt.versions);
                let branch = open.map_or_else(Branch::main, |()| line(branch));
                vec![scribe.version_on(branch, id, prompt.versions, &format!("text {text}"))]
            }),
            What::Branch(p, branch, number) => self.change(p, |id, prompt| {
                let head = 1 + u32::from(number) % prompt.versions;
                if prompt.branches.contains_key(&branch) {
                    return vec![];
                }
                prompt.branches.insert(branch, head);
                vec![Event::BranchCreated(BranchCreated { prompt: id, branch: line(branch), head })]
            }),
            What::Close(p, branch) => self.change(p, |id, prompt| {
                let closed = prompt.branches.remove(&branch);
                let closed = closed.map(|head| BranchClosed { prompt: id, branch: line(branch), head });
                closed.map(Event::BranchClosed).into_iter().collect()
            }),
            What::Label(p, label, number) => self.change(p, |id, prompt| {
                if prompt.rollouts.contains_key(&label) {
                    return vec![];
                }
                let after = 1 + u32::from(number) % prompt.versions;
                let before = prompt.labels.insert(label, after);
                vec![Event::LabelSet(LabelSet { prompt: id, label: name(label), before, after })]
            }),
            What::Unlabel(p, label) => self.change(p, |id, prompt| {
                if prompt.rollouts.contains_key(&label) {
                    return vec![];
                }
                let removed = prompt.labels.remove(&label);
                let removed = removed.map(|before| LabelRemoved { prompt: id, label: name(label), before });
                removed.map(Event::LabelRemoved).into_iter().collect()
            }),
            What::Rollout(p, label, step) => self.change(p, |id, prompt| rollout(scribe, id, prompt, label, step)),
            What::Tags(p, count) => self.change(p, |id, _| {
                let after = (0..count).map(|n| format!("t{n}").parse().unwrap()).collect();
                vec![Event::TagsSet(TagsSet { prompt: id, before: vec![], after })]
            }),
            What::Metadata(p, text) => self.change(p, |id, _| {
                let after = scribe.content(&format!("{{\"m\":{text}}}"));
                vec![Event::MetadataSet(MetadataSet { prompt: id, before: None, after })]
            }),
        }
    }

    /// A prompt that is not archived.
    fn change(&mut self, number: u8, change: impl FnOnce(PromptId, &mut Prompt) -> Vec<Event>) -> Vec<Event> {
        match self.prompts.get_mut(usize::from(number)) {
            Some((id, prompt)) if !prompt.archived => change(*id, prompt),
            _ => vec![],
        }
    }

    fn create(&mut self, scribe: &Scribe, key: PromptKey) -> Vec<Event> {
        if self.held.contains_key(&key) {
            return vec![];
        }
        let id = scribe.command().prompt();
        self.held.insert(key.clone(), id);
        let (branches, labels, rollouts) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let prompt = Prompt { key: key.clone(), archived: false, versions: 1, branches, labels, rollouts };
        self.prompts.push((id, prompt));
        let created = PromptCreated { prompt: id, key, kind: Kind::Text };
        vec![Event::PromptCreated(created), scribe.version(id, 1, "text")]
    }

    fn rename(&mut self, number: u8, after: PromptKey) -> Vec<Event> {
        if self.held.contains_key(&after) {
            return vec![];
        }
        let Some((id, prompt)) = self.prompts.get_mut(usize::from(number)).filter(|(_, p)| !p.archived) else {
            return vec![];
        };
        let before = std::mem::replace(&mut prompt.key, after.clone());
        self.held.remove(&before);
        self.held.insert(after.clone(), *id);
        vec![Event::PromptRenamed(PromptRenamed { prompt: *id, before, after })]
    }

    fn archive(&mut self, number: u8) -> Vec<Event> {
        let Some((id, prompt)) = self.prompts.get_mut(usize::from(number)).filter(|(_, p)| !p.archived) else {
            return vec![];
        };
        prompt.archived = true;
        self.held.remove(&prompt.key);
        vec![Event::PromptArchived(PromptArchived { prompt: *id, key: prompt.key.clone() })]
    }

    fn restore(&mut self, number: u8, key: PromptKey) -> Vec<Event> {
        if self.held.contains_key(&key) {
            return vec![];
        }
        let Some((id, prompt)) = self.prompts.get_mut(usize::from(number)).filter(|(_, p)| p.archived) else {
            return vec![];
        };
        (prompt.archived, prompt.key) = (false, key.clone());
        self.held.insert(key.clone(), *id);
        vec![Event::PromptRestored(PromptRestored { prompt: *id, key })]
    }
}

fn rollout(scribe: &Scribe, id: PromptId, of: &mut Prompt, label: u8, step: u8) -> Vec<Event> {
    let (prompt, name, newest) = (id, name(label), of.versions);
    let Some(control) = of.labels.get(&label).copied() else { return vec![] };
    let half = |version| match Table::of_buckets((0..BUCKETS).map(|n| if n < 5000 { control } else { version })) {
        Ok(table) => table,
        Err(error) => panic!("{error}"),
    };
    let Some((rollout, before)) = of.rollouts.get(&label).cloned() else {
        let (rollout, after) = (scribe.command().rollout(), half(newest));
        of.rollouts.insert(label, (rollout, after.clone()));
        return vec![Event::RolloutStarted(RolloutStarted {
            rollout,
            prompt,
            label: name,
            control,
            after,
            request: None,
            guards: Vec::new(),
            since: Timestamp::MIN,
        })];
    };
    if step > 2 {
        of.rollouts.remove(&label);
    }
    vec![match step {
        0 => {
            let after = half(1);
            of.rollouts.insert(label, (rollout, after.clone()));
            Event::RolloutAdvanced(RolloutAdvanced { rollout, prompt, label: name, before, after, request: None })
        }
        1 => Event::RolloutPaused(RolloutPaused { rollout, prompt, label: name }),
        2 => Event::RolloutResumed(RolloutResumed { rollout, prompt, label: name }),
        3 => Event::RolloutRolledBack(RolloutRolledBack { rollout, prompt, label: name, before }),
        _ => Event::RolloutCompleted(RolloutCompleted { rollout, prompt, label: name, before, version: control }),
    }]
}

fn line(number: u8) -> Branch {
    ["try", "other"][usize::from(number)].parse().unwrap()
}

fn name(number: u8) -> promptory_events::Label {
    ["production", "staging"][usize::from(number)].parse().unwrap()
}
