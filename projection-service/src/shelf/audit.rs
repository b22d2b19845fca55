//! Questions that more than the catalog answers: it says who may ask and what he may see, the audit view tells the records,
//! and each view how it stands.

use std::sync::Arc;

use promptory_domain::access::Action;
use promptory_events::event::{AuditForm, AuditRead, Reading};
use promptory_events::{Credential, Prefix};

use super::Shelf;
use super::slot::Open;
use crate::ask::{Answer, Ask, AskError, Question, Reply};
use crate::hot::Hot;
use crate::hot::access::{Reader, Shown};
use crate::store::guarded;
use crate::store::rows::RowError;
use crate::views::View;
use crate::views::audit::Audit;
use crate::views::audit::answer::{AuditDesk, Reach};
use crate::views::catalog::point::AnswerError;
use crate::views::catalog::sight::Sight;

impl Shelf {
    /// Answers a question to the audit view, for a reader who was let in; `None` for another question.
    pub(super) async fn audited(
        &self,
        catalog: &Arc<Open<Hot>>,
        reader: &Reader,
        ask: &Ask,
    ) -> Option<Result<Reply, AskError>> {
        match ask.question {
            Question::Audit { .. } | Question::AuditCount { .. } => Some(self.answer_audit(catalog, reader, ask).await),
            _ => None,
        }
    }

    /// Answers how the models stand, or begins what is to be done with one; `None` for another question. For whoever may
    /// read the whole tenant, or who may do what in it: none of it changes what anybody is answered. Also if the catalog has
    /// stopped, because a rebuild may be what helps.
    pub(super) async fn about_models(
        &self,
        catalog: &Arc<Open<Hot>>,
        reader: &Reader,
        ask: &Ask,
    ) -> Option<Result<Reply, AskError>> {
        let (Question::Models { .. } | Question::Work(_)) = &ask.question else { return None };
        let sight = Sight::new(&catalog.state, reader);
        if !sight.everything() && !sight.may(Action::ReadAccess, &Prefix::tenant()) {
            return Some(Err(AskError::Forbidden));
        }
        let models = match &ask.question {
            Question::Work(work) => self.begin_work(&ask.tenant, work.clone()).await,
            Question::Models { check } => self.models(&ask.tenant, *check).await,
            _ => return None,
        };
        let as_of = catalog.position();
        Some(models.map(|models| Reply { as_of, answer: Answer::Models(models), cut: false }))
    }

    async fn answer_audit(&self, catalog: &Arc<Open<Hot>>, reader: &Reader, ask: &Ask) -> Result<Reply, AskError> {
        Reach::new(&catalog.state, reader)?; // before anything is opened for who may see nothing
        let (bay, slot) = (self.audit(), self.audit().slot(&ask.tenant));
        if let Some(stopped) = slot.stopped() {
            return Err(stopped.into());
        }
        bay.opened(&slot).await?;
        self.wait(&slot, ask.at_least).await?;
        // Up to here, and then recorded: no reading shows its own record.
        let question = ended(ask.question.clone(), bay.opened(&slot).await?.state.head().index);
        self.record(reader, ask).await?;
        let open = bay.opened(&slot).await?;
        let store = Arc::downgrade(&open.store);
        match self.read_audit(catalog, open, reader, ask, &question).await {
            Err(AnswerError::Row(error)) => {
                let open = bay.reopened(&slot, store, &error).await?;
                self.read_audit(catalog, open, reader, ask, &question).await.map_err(AskError::from)
            }
            answer => answer.map_err(AskError::from),
        }
    }

    /// Records that the audit is read, before anything of it is. What goes on with a count or a file that was recorded when it
    /// began is recorded with that: the places to go on from come from our own processes there. Not so for pages, whose
    /// cursors come from the reader.
    async fn record(&self, reader: &Reader, ask: &Ask) -> Result<(), AskError> {
        let (filter, form) = match &ask.question {
            Question::Audit { form, from: Some(_), .. } if form.is_file() => return Ok(()),
            Question::AuditCount { from: Some(_), .. } => return Ok(()),
            Question::Audit { filter, form, .. } => (filter, *form),
            Question::AuditCount { filter, .. } => (filter, AuditForm::Count),
            _ => return Ok(()),
        };
        let Some(attestor) = self.inner.attestor.get() else { return Ok(()) };
        let credential = match &reader.shown {
            Shown::Key(key) => Credential::ApiKey { tenant: ask.tenant.clone(), key: *key },
            Shown::Token(token) => Credential::Token(token.evidence(Vec::new())),
        };
        let reading = Reading { principal: reader.principal, form, filter: Some(filter.recorded()) };
        let minute = reader.now.minute();
        if attestor.read(&ask.tenant, AuditRead { reading, credential, minute }).await {
            Ok(())
        } else {
            Err(AskError::Unrecorded)
        }
    }

    /// Reads on a thread that may block: sled reads files, the key store too.
    async fn read_audit(
        &self,
        catalog: &Arc<Open<Hot>>,
        open: Arc<Open<Audit>>,
        reader: &Reader,
        ask: &Ask,
        question: &Question,
    ) -> Result<Reply, AnswerError> {
        let (shelf, catalog, reader) = (self.clone(), catalog.clone(), reader.clone());
        let (tenant, question) = (ask.tenant.clone(), question.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let reach = Reach::new(&catalog.state, &reader)?;
            let (rows, audit, keys) = (open.store.rows(), &open.state, &shelf.inner.keys);
            let desk = AuditDesk { tenant: &tenant, audit, rows, keys, reach };
            guarded(|| Ok(desk.answer(&question)))?
        });
        reading.await.map_err(|error| RowError::Store(error.to_string()))?
    }
}

/// The question, up to and with an event if it does not say one itself.
fn ended(mut question: Question, head: Option<u64>) -> Question {
    if let Question::Audit { end, .. } | Question::AuditCount { end, .. } = &mut question {
        *end = end.or(head);
    }
    question
}

#[cfg(test)]
mod tests;
