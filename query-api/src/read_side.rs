//! The seam between HTTP and whoever has the read models open: a store has one opener, so a question travels to it.
//!
//! Nothing above knows which form it talks to. A closed set of forms, so an enum.

use bytes::Bytes;
use promptory_events::{Position, TenantId};
use promptory_platform::Problem;
use promptory_projection::ask::PromptAnswer;
use promptory_projection::shelf::HotReply;
use promptory_projection::{Ask, AskError, Health, Reply, Shelf, There};
use tokio::sync::watch;

/// The read side in one of its forms.
#[derive(Clone, Debug)]
pub enum ReadSide {
    /// In this process.
    Here(Shelf),
    /// In others, asked over NATS.
    There(There),
}

impl ReadSide {
    /// Asks a question.
    ///
    /// # Errors
    /// The caller is not let in; there is no answer; the model is behind or not available.
    pub async fn ask(&self, ask: Ask) -> Result<Reply, AskError> {
        match self {
            Self::Here(shelf) => shelf.answer(ask).await,
            Self::There(there) => there.ask(ask).await,
        }
    }

    /// Asks a question that can be answered at once from memory; `None` if it can't and has to be asked, or may be denied.
    ///
    /// # Errors
    /// As [`ReadSide::ask`].
    #[must_use]
    pub fn ask_hot(&self, ask: &Ask) -> Option<Result<Hot, AskError>> {
        match self {
            Self::Here(shelf) => {
                let reply = shelf.try_hot(ask).map(|reply| reply.map(Hot));
                reply.filter(|reply| !matches!(reply, Err(refused) if refused.may_be_denied()))
            }
            Self::There(_) => None,
        }
    }

    /// A tenant's position as it is announced: whoever asks then sees it. Only for a tenant that let the caller in.
    #[must_use]
    pub fn follow(&self, tenant: &TenantId) -> watch::Receiver<Option<Position>> {
        match self {
            Self::Here(shelf) => shelf.follow(tenant),
            Self::There(there) => there.follow(tenant),
        }
    }

    /// How the projections stand, and whether the ledger answers.
    pub async fn health(&self) -> Health {
        match self {
            Self::Here(shelf) => shelf.checked_health().await,
            Self::There(there) => there.health().await,
        }
    }

    /// Sets the gauges of what is in this process.
    pub fn set_gauges(&self) {
        match self {
            Self::Here(shelf) => drop(shelf.health()),
            Self::There(_) => {} // they are set where the models are
        }
    }
}

/// A prompt from memory, with the body that it was rendered to kept next to it.
#[derive(Clone, Debug)]
pub struct Hot(HotReply);

impl Hot {
    /// What it is as of.
    #[must_use]
    pub fn as_of(&self) -> Option<Position> {
        self.0.as_of
    }

    /// The answer.
    #[must_use]
    pub fn answer(&self) -> &PromptAnswer {
        &self.0.opened.answer
    }

    /// The rendered body: made by whoever asks first, shared without a copy by everybody after.
    ///
    /// # Errors
    /// Those of `render`; the next one to ask tries again.
    pub fn body(&self, render: impl FnOnce(&PromptAnswer) -> Result<Bytes, Problem>) -> Result<Bytes, Problem> {
        if let Some(body) = self.0.opened.body.get() {
            return Ok(body.clone());
        }
        let body = render(self.answer())?;
        // Two may render at once; both made the same.
        Ok(self.0.opened.body.get_or_init(|| body).clone())
    }
}
