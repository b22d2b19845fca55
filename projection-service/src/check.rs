//! The proof while running: a view of a tenant is what its ledger says, folded anew in memory beside it and compared by
//! digest. It reads nothing that the view has written, takes half of a core at most, and holds no lock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use promptory_events::{Batch, TenantId, Timestamp};
use promptory_ledger::Recorded;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::ask::{AskError, ModelAnswer};
use crate::shelf::bay::Bay;
use crate::shelf::{Shelf, ShelfError};
use crate::views::View;
use crate::views::fold::{Broken, Source, fold_until};
use crate::views::stage::Staged;

/// How often a process checks, by itself, what it has open.
const EVERY: Duration = Duration::from_secs(6 * 3600);

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Up to and with this event.
    pub index: u64,
    /// When it ended, by the clock of the process that checked.
    pub at: Timestamp,
    /// The digest that the ledger leads to.
    pub folded: String,
    /// Whether the model had the same at that event.
    pub equal: bool,
}

impl Shelf {
    /// How the views of a tenant stand, for who is let in; begins to check them if that is wanted and nobody does already.
    pub(crate) async fn models(&self, tenant: &TenantId, check: bool) -> Result<Vec<ModelAnswer>, AskError> {
        Ok(vec![self.catalog().model(tenant, check).await?, self.audit().model(tenant, check).await?])
    }

    /// Checks what is open, now and then, until `shutdown` turns true or its sender is gone.
    pub async fn check_now_and_then(&self, mut shutdown: watch::Receiver<bool>) {
        while tokio::time::timeout(EVERY, shutdown.wait_for(|stop| *stop)).await.is_err() {
            tokio::select! {
                () = async {
                    self.catalog().check_open().await;
                    self.audit().check_open().await;
                } => {}
                _ = shutdown.wait_for(|stop| *stop) => return,
            }
        }
    }
}

impl<V: View> Bay<V> {
    async fn model(&self, tenant: &TenantId, check: bool) -> Result<ModelAnswer, AskError> {
        let slot = self.slot(tenant);
        let stopped = slot.stopped().map(|stopped| stopped.to_string());
        if stopped.is_none() {
            self.opened(&slot).await?;
        }
        if check && stopped.is_none() {
            let (bay, tenant) = (self.clone(), tenant.clone());
            tokio::spawn(async move { bay.check_alone(&tenant).await });
        }
        Ok(self.how_it_stands(tenant).await)
    }

    async fn check_open(&self) {
        for slot in self.slots() {
            if slot.open.load().is_some() {
                self.check_alone(&slot.tenant).await;
            }
        }
    }

    /// Checks, unless somebody does already.
    async fn check_alone(&self, tenant: &TenantId) {
        let slot = self.slot(tenant);
        let Ok(_checking) = slot.checking.try_lock() else { return };
        match self.check(tenant).await {
            Ok(Some(check)) => {
                metrics::counter!("promptory_projection_checks_total", "view" => V::NAME).increment(1);
                if !check.equal {
                    tracing::error!(%tenant, view = V::NAME, index = check.index, "the model does not say what the ledger says");
                    metrics::counter!("promptory_projection_differences_total", "view" => V::NAME).increment(1);
                }
                slot.checked.store(Some(Arc::new(check)));
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%tenant, view = V::NAME, %error, "a model could not be checked"),
        }
    }

    /// Folds the ledger up to where the view is, and compares. `None` before the first event.
    ///
    /// # Errors
    /// The ledger or the store can't be read.
    pub(crate) async fn check(&self, tenant: &TenantId) -> Result<Option<Check>, ShelfError> {
        let open = self.opened(&self.slot(tenant)).await?;
        let (head, said) = (open.state.head(), open.state.digest());
        drop(open);
        let Some(index) = head.index else { return Ok(None) };
        let (mut state, source) = (V::default(), self.source(tenant));
        let mut reader = self.ledger().read(tenant, 0).await?;
        while state.head().index < Some(index) {
            let (page, begun, from) = (reader.next().await?, Instant::now(), source.clone());
            if page.is_empty() {
                break; // the ledger ends before the model, which is another digest
            }
            let folding = tokio::task::spawn_blocking(move || folded(state, &from, &page, index));
            let (next, broken) = folding.await.map_err(|error| ShelfError::Store(error.to_string()))?;
            state = next;
            if let Some(broken) = broken {
                tracing::warn!(%tenant, view = V::NAME, %broken, "a batch that the model has can't be folded");
                break;
            }
            tokio::time::sleep(begun.elapsed()).await;
        }
        let folded = state.digest();
        let at = self.now();
        Ok(Some(Check { index, at, equal: folded == said, folded }))
    }
}

/// Folds a page, whose rows nobody keeps, up to an event.
fn folded<V: View>(mut state: V, source: &Source, page: &[Recorded], last: u64) -> (V, Option<Broken>) {
    for recorded in page {
        let mut staged = Staged::default();
        let batch = Batch::parse(recorded.bytes.clone()).map_err(Broken::from);
        let folded = batch.and_then(|batch| fold_until(&mut state, &mut staged, source, recorded.cursor, &batch, last));
        if let Err(broken) = folded {
            return (state, Some(broken));
        }
    }
    (state, None)
}

#[cfg(test)]
mod tests {
    use promptory_events::event::{Event, PromptRenamed};

    use super::*;
    use crate::ask::{Answer, Question};
    use crate::testing::world::World;

    async fn models(world: &World, check: bool) -> Vec<ModelAnswer> {
        match world.ask("acme", Question::Models { check }).await.unwrap().answer {
            Answer::Models(models) => models,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_model_that_is_the_ledgers_is_proven_so_while_it_runs() {
        let world = World::new(4);
        let mut scribe = world.scribe("acme");
        let prompt = scribe.create("a", "text");
        scribe.append(&world.ledger).await;
        let (before, after) = ("a".parse().unwrap(), "b".parse().unwrap());
        scribe.commit(None, vec![Event::PromptRenamed(PromptRenamed { prompt, before, after })]);
        scribe.append(&world.ledger).await;
        let _ = models(&world, true).await; // takes its time
        let checked = loop {
            let models = models(&world, false).await;
            if models.iter().all(|model| model.checked.is_some()) {
                break models;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        for model in checked {
            let check = model.checked.unwrap();
            assert!(check.equal, "{}", model.view);
            assert_eq!((Some(check.folded), check.index), (model.digest, 5), "{}", model.view);
        }
    }

    #[tokio::test]
    async fn a_model_that_is_not_is_told_of() {
        let world = World::new(4);
        let mut scribe = world.scribe("acme");
        scribe.create("a", "text");
        scribe.append(&world.ledger).await;
        assert!(world.shelf.audit().check(&scribe.tenant).await.unwrap().unwrap().equal);
        // A state that says something else, as a defect would make it.
        let slot = world.shelf.audit().slot(&scribe.tenant);
        let open = slot.open.load_full().unwrap();
        let mut state = open.state.clone();
        let mut head = state.head();
        head.sum.add(b"a row", b"that no event leads to");
        state.set_head(head);
        world.shelf.audit().publish_for_test(&slot, state, open.store.clone());
        assert!(!world.shelf.audit().check(&scribe.tenant).await.unwrap().unwrap().equal);
    }
}
