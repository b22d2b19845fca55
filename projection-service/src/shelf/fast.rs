//! The fast path: what is asked most (this prompt, this label, now) without a thread, a store or a key.

use std::sync::Arc;

use promptory_domain::access::Action;
use promptory_events::Position;

use super::Shelf;
use super::slot::Open;
use crate::ask::{Answer, AsOf, Ask, AskError, Caller, PromptRef, Question, Reply, Which};
use crate::hot::Hot;
use crate::hot::access::Reader;
use crate::hot::opened::{Opened, OpenedKey};
use crate::views::catalog::answer::number;
use crate::views::catalog::row::PromptRow;

/// An answer from memory, shared with everybody who asks the same.
#[derive(Clone, Debug)]
pub struct HotReply {
    /// The model's position.
    pub as_of: Option<Position>,
    /// The opened answer, with room for its rendered body.
    pub opened: Arc<Opened>,
}

impl From<HotReply> for Reply {
    fn from(hot: HotReply) -> Self {
        Self { as_of: hot.as_of, answer: Answer::Prompt(Box::new(hot.opened.answer.clone())), cut: false }
    }
}

impl Shelf {
    /// Answers at once from memory, or says (`None`) that [`Shelf::answer`] must be asked: the store is not open, the
    /// content was not opened lately, the position is not reached, or it is another kind of question. Never blocks.
    #[must_use]
    pub fn try_hot(&self, ask: &Ask) -> Option<Result<HotReply, AskError>> {
        let Question::Prompt { prompt, which, as_of: AsOf::Now } = &ask.question else { return None };
        let slot = self.catalog().known_slot(&ask.tenant)?;
        let open = slot.open.load();
        let open = open.as_ref()?;
        if slot.stopped.load().is_some() || !reached(open, ask.at_least) {
            return None;
        }
        let now = self.inner.config.clock.now();
        let token = match &ask.caller {
            Caller::Key { .. } => None,
            // One that was not checked yet takes its time.
            Caller::Token(shown) => Some(self.inner.identity.seen(shown, &open.state.access.rights)?),
        };
        let reader = match open.state.access.admit(&ask.caller, token, now) {
            Ok(reader) => reader,
            Err(refused) => return Some(Err(refused)),
        };
        let system = self.inner.system.open.load();
        if system.as_ref()?.state.access.suspended(&ask.tenant) {
            return Some(Err(AskError::Suspended));
        }
        self.catalog().touch(&slot);
        slot.shown.note_reader(&reader);
        let opened = self.remembered(slot.number(), open, &reader, prompt, which).transpose()?;
        Some(opened.map(|opened| HotReply { as_of: open.position(), opened }))
    }

    fn remembered(
        &self,
        tenant: u64,
        open: &Open<Hot>,
        reader: &Reader,
        prompt: &PromptRef,
        which: &Which,
    ) -> Result<Option<Arc<Opened>>, AskError> {
        let row = match prompt {
            PromptRef::Key(key) => open.state.holder(key),
            PromptRef::Id(id) => open.state.prompt(*id),
        };
        let rights = open.state.access.rights_of(reader);
        let seen = |row: &&Arc<PromptRow>| row.versions > 0 && rights.grant(Action::Read, row.key.as_str()).is_some();
        let row = row.filter(seen).ok_or(AskError::PromptNotFound)?;
        let number = number(row, which)?;
        let key = OpenedKey { tenant, prompt: row.id, changed_index: row.changed_index, number };
        Ok(self.inner.ready.opened.get(&key))
    }
}

/// Whether a model is of this life of the ledger and at least as far.
fn reached(open: &Open<Hot>, at_least: Option<Position>) -> bool {
    let Some(wanted) = at_least else { return true };
    open.position().is_some_and(|at| at.incarnation == wanted.incarnation && at.index >= wanted.index)
}
