//! What is read is kept ready: when a prompt changes that was asked for since its last change, its answers are opened again
//! at once, so that readers find them in memory and wait for no store. What nobody asks for is opened for nobody.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use promptory_events::PromptId;
use promptory_ledger::KeyStore;
use tokio::sync::Semaphore;

use super::slot::{Open, Slot};
use crate::ask::Which;
use crate::hot::Hot;
use crate::hot::opened::{OpenedCache, OpenedKey};
use crate::store::guarded;
use crate::views::catalog::answer::Desk;
use crate::views::catalog::point::Model;
use crate::views::catalog::row::PromptRow;

/// Pages that wait for keys from a server. Of more than these nothing is made ready: those who ask open what they need.
const AT_ONCE: usize = 8;
/// Prompts of a page that are made ready: what changes more at once is an import, not a release.
const PROMPTS_MAX: usize = 64;

/// Answers in memory.
#[derive(Debug)]
pub(super) struct Ready {
    pub opened: OpenedCache,
    keys: KeyStore,
    at_once: Arc<Semaphore>,
}

/// A page that was applied.
pub(super) struct Applied<'a, V> {
    pub slot: &'a Arc<Slot<V>>,
    pub before: &'a Open<V>,
    pub now: &'a Arc<Open<V>>,
    /// The prompts that it was about, in order.
    pub touched: &'a [PromptId],
}

/// A version that was asked for by a name which leads to it now.
struct Wanted {
    row: Arc<PromptRow>,
    number: u32,
    key: OpenedKey,
}

impl Ready {
    pub(super) fn new(opened: OpenedCache, keys: KeyStore) -> Self {
        Self { opened, keys, at_once: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Makes ready what a page has changed: at once if all keys are at hand, on a thread that may block if they may have to
    /// come from a server.
    pub(super) fn before(self: &Arc<Self>, applied: &Applied<'_, Hot>) {
        let wanted = self.wanted(applied);
        if wanted.is_empty() {
            return;
        }
        if self.keys.is_local() {
            return self.open(applied.slot, applied.now, wanted);
        }
        let Ok(turn) = self.at_once.clone().try_acquire_owned() else { return };
        let (ready, slot, now) = (self.clone(), applied.slot.clone(), applied.now.clone());
        tokio::task::spawn_blocking(move || {
            ready.open(&slot, &now, wanted);
            drop(turn);
        });
    }

    /// What was asked for since its last change.
    fn wanted(&self, Applied { slot, before, now, touched }: &Applied<'_, Hot>) -> Vec<Wanted> {
        let tenant = slot.number();
        let key =
            |row: &PromptRow, number| OpenedKey { tenant, prompt: row.id, changed_index: row.changed_index, number };
        let mut wanted = Vec::new();
        for id in first(touched) {
            let (Some(before), Some(row)) = (before.state.prompt(id), now.state.prompt(id)) else { continue };
            for (number, asked) in named(before, row) {
                if asked.iter().any(|number| self.opened.was_asked(&key(before, *number))) {
                    wanted.push(Wanted { row: row.clone(), number, key: key(row, number) });
                }
            }
        }
        wanted
    }

    fn open(&self, slot: &Slot<Hot>, now: &Open<Hot>, wanted: Vec<Wanted>) {
        let model = Model { rows: now.store.rows(), hot: &now.state };
        let desk = Desk { tenant: &slot.tenant, model, keys: &self.keys, opened: None, past: None, shown: None };
        // What can't be opened is found by whoever asks, and mended then.
        let _ = guarded(|| {
            for Wanted { row, number, key } in wanted {
                if let Ok(opened) = desk.opened(&row, &Which::Number(number)) {
                    self.opened.keep(key, opened);
                }
            }
            Ok(())
        });
    }
}

/// The prompts of a page, each once, the first of them if they are very many.
fn first(touched: &[PromptId]) -> BTreeSet<PromptId> {
    let mut first = BTreeSet::new();
    for prompt in touched {
        first.insert(*prompt);
        if first.len() == PROMPTS_MAX {
            break;
        }
    }
    first
}

/// The versions that a prompt's names lead to now, each with those that the same names led to before.
fn named(before: &PromptRow, now: &PromptRow) -> HashMap<u32, BTreeSet<u32>> {
    let labels = now.labels.iter().filter_map(|(label, number)| Some((*number, *before.labels.get(label)?)));
    let branches = now.branches.iter().filter_map(|(name, number)| Some((*number, *before.branches.get(name)?)));
    let arms = now.rollouts.values().flat_map(|rollout| rollout.table.runs()).map(|run| (run.version, run.version));
    let mut named: HashMap<_, BTreeSet<_>> = HashMap::new();
    for (number, was) in labels.chain(branches).chain(arms).chain([(now.main, before.main)]) {
        named.entry(number).or_default().insert(was);
    }
    named
}
