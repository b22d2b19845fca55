//! Letting a caller in and answering, with all that may take time: opening, catching up, waiting, reading, unsealing.

use std::sync::{Arc, Weak};
use std::time::Duration;

use promptory_domain::access::Token;
use promptory_events::{Position, TenantId, limits};

use super::slot::{Open, Slot};
use super::{Shelf, ShelfError};
use crate::ask::{Ask, AskError, Caller, Question, Reply};
use crate::hot::Hot;
use crate::hot::access::Reader;
use crate::store::rows::RowError;
use crate::store::{Store, guarded};
use crate::views::View;
use crate::views::catalog::answer::Desk;
use crate::views::catalog::point::{AnswerError, Model};

impl From<ShelfError> for AskError {
    fn from(error: ShelfError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<AnswerError> for AskError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Ask(error) => error,
            AnswerError::Row(error) => Self::Unavailable(error.to_string()),
        }
    }
}

impl Shelf {
    /// Answers a question, after letting its caller in.
    ///
    /// # Errors
    /// The caller is not let in; there is no answer; the model is behind, stopped or can't be read.
    pub async fn answer(&self, ask: Ask) -> Result<Reply, AskError> {
        let answer = match self.try_hot(&ask) {
            Some(hot) => hot.map(Reply::from),
            None => Box::pin(self.answer_in_time(&ask)).await, // large, and takes its time anyway
        };
        if let Err(refused) = &answer
            && refused.may_be_denied()
        {
            Box::pin(self.attest(&ask, refused)).await;
        }
        answer
    }

    async fn answer_in_time(&self, ask: &Ask) -> Result<Reply, AskError> {
        let slot = self.existing(&ask.tenant).await?;
        let system = self.catalog().opened(&self.inner.system).await?;
        match self.catalog().opened(&slot).await {
            Err(error) if slot.open.load().is_none() => return Err(error.into()),
            _ => {} // even a stopped model knows whom it may tell that it has stopped
        }
        // First wait, then let in: a key that was issued or revoked up to this position counts.
        let waited = self.wait(&slot, ask.at_least).await;
        let open = self.catalog().opened(&slot).await?;
        let token = self.token(&open, &ask.caller).await?;
        let reader = open.state.access.admit(&ask.caller, token, self.inner.config.clock.now())?;
        if system.state.access.suspended(&ask.tenant) {
            return Err(AskError::Suspended);
        }
        if slot.stopped().is_some()
            && let Some(stand) = self.about_models(&open, &reader, ask).await
        {
            return stand;
        }
        if let Some(stopped) = slot.stopped() {
            return Err(stopped.into());
        }
        waited?;
        if let Some(stand) = self.about_models(&open, &reader, ask).await {
            return stand;
        }
        slot.shown.note_reader(&reader);
        if matches!(ask.question, Question::Search(_) | Question::Suggest { .. }) {
            drop(open);
            let searched = self.searched(&slot, reader, ask).await;
            if let Ok(reply) = &searched {
                self.note_searched(ask, reply);
            }
            return searched;
        }
        if let Question::Analytics(asked) = &ask.question {
            return self.counted(&open, &reader, ask, asked).await;
        }
        if let Question::EmptySearches(asked) = &ask.question {
            return self.not_found(&open, &reader, ask, asked).await;
        }
        if let Question::Insight(asked) = &ask.question {
            return Box::pin(self.insight(&slot, open, reader, ask, asked)).await;
        }
        if let Some(audited) = self.audited(&open, &reader, ask).await {
            return audited;
        }
        // Not held while it is repaired: a store is closed once nobody holds it.
        let store = Arc::downgrade(&open.store);
        match self.read(&slot, open, reader.clone(), ask).await {
            Err(AnswerError::Row(error)) => self.repaired(&slot, store, &error, reader, ask).await,
            Err(AnswerError::Ask(error)) => Err(error),
            Ok(reply) => Ok(reply),
        }
    }

    /// What the caller's token says, if it shows one. Its issuer may have to be asked, so this may take some seconds.
    async fn token(&self, open: &Open<Hot>, caller: &Caller) -> Result<Option<Arc<Token>>, AskError> {
        let Caller::Token(shown) = caller else { return Ok(None) };
        let now = self.inner.config.clock.now();
        match self.inner.identity.check(shown, &open.state.access.rights, now).await {
            Ok(token) => Ok(Some(token)),
            Err(refused) if refused.passes() => Err(AskError::IssuerAway),
            Err(refused) => Err(AskError::TokenRefused(refused.to_string())),
        }
    }

    /// A tenant's position once it is beyond `after`, or as it is when that takes too long.
    ///
    /// # Errors
    /// There is no such tenant; its model can't be used now.
    pub async fn beyond(
        &self,
        tenant: &TenantId,
        after: Option<Position>,
        wait: Duration,
    ) -> Result<Option<Position>, AskError> {
        let slot = self.existing(tenant).await?;
        let mut position = slot.position.subscribe();
        if position.borrow().is_none() {
            self.catalog().opened(&slot).await?; // announced from then on, also while the store is closed
        }
        let moved = |at: &Option<Position>| match (*at, after) {
            (Some(at), Some(after)) => at.incarnation != after.incarnation || at.index > after.index,
            (at, _) => at.is_some(),
        };
        drop(tokio::time::timeout(wait, position.wait_for(moved)).await);
        let at = *position.borrow();
        Ok(at)
    }

    /// The slot of a tenant that has a ledger. A made-up name gets no slot and no folder, and is told nothing.
    pub(super) async fn existing(&self, tenant: &TenantId) -> Result<Arc<Slot<Hot>>, AskError> {
        if let Some(slot) = self.catalog().known_slot(tenant).filter(|slot| slot.open.load().is_some()) {
            return Ok(slot);
        }
        let head = self.inner.ledger.head(tenant).await.map_err(ShelfError::from)?;
        if head.is_some() { Ok(self.catalog().slot(tenant)) } else { Err(AskError::Unauthenticated) }
    }

    pub(super) async fn wait<V: View>(&self, slot: &Slot<V>, at_least: Option<Position>) -> Result<(), AskError> {
        let Some(wanted) = at_least else { return Ok(()) };
        if wanted.incarnation != self.inner.ledger.incarnation() {
            return Err(AskError::OtherIncarnation(wanted));
        }
        if slot.stopped().is_some() {
            return Err(AskError::Behind(wanted)); // nothing will come
        }
        let mut position = slot.position.subscribe();
        let reached = position.wait_for(|at| at.is_some_and(|at| at.index >= wanted.index));
        match tokio::time::timeout(Duration::from_millis(limits::AT_LEAST_WAIT_MAX_MS), reached).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(AskError::Behind(wanted)),
        }
    }

    /// Reads on a thread that may block: sled reads files, the key store too.
    async fn read(
        &self,
        slot: &Arc<Slot<Hot>>,
        open: Arc<Open<Hot>>,
        reader: Reader,
        ask: &Ask,
    ) -> Result<Reply, AnswerError> {
        let (shelf, slot) = (self.clone(), slot.clone());
        let (tenant, question) = (ask.tenant.clone(), ask.question.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let model = Model { rows: open.store.rows(), hot: &open.state };
            let opened = Some((&shelf.inner.ready.opened, slot.number()));
            let past = Some((&shelf.inner.past, slot.number()));
            let desk = Desk { tenant: &tenant, model, keys: &shelf.inner.keys, opened, past, shown: Some(&slot.shown) };
            guarded(|| Ok(desk.answer(&reader, &question)))
        });
        reading.await.map_err(|error| RowError::Store(error.to_string()))??
    }

    /// A row was not what it should be. Opening verifies the store and builds a damaged one again; then it is asked once
    /// more.
    async fn repaired(
        &self,
        slot: &Arc<Slot<Hot>>,
        damaged: Weak<Store<Hot>>,
        error: &RowError,
        reader: Reader,
        ask: &Ask,
    ) -> Result<Reply, AskError> {
        let open = self.catalog().reopened(slot, damaged, error).await?;
        self.read(slot, open, reader, ask).await.map_err(AskError::from)
    }
}
