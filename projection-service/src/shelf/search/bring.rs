//! Bringing an index to where the catalog is: the prompts that the events since then touched are written again, as they are.
//!
//! It works on one state of the catalog, so the index is exactly what it says in its checkpoint. What it reads of the rows
//! does not change any more, whichever handle of the store is open by then.
//!
//! If the tenant's prompts are in other languages now, the index is built anew beside the one that serves, which stays as it is
//! until then: what it says it has, it has in the languages of that point.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use promptory_events::{PromptId, TenantId};
use tokio::runtime::Handle;

use super::super::slot::{Open, Slot};
use super::super::{Shelf, ShelfError, to_the_end};
use super::{SearchSlot, Searchable};
use crate::behind::behind;
use crate::hot::Hot;
use crate::store::guarded;
use crate::store::key::Key;
use crate::store::rows::{RowError, Rows};
use crate::views::catalog::answer::Desk;
use crate::views::catalog::point::Model;
use crate::views::catalog::row::EventRow;
use crate::views::search::SearchError;
use crate::views::search::document::{Document, documents};
use crate::views::search::index::Index;

/// Prompts that are read with one handle of the store: it may be closed between two lots.
const LOT: usize = 128;

impl Shelf {
    /// Brings a tenant's search index to where its catalog is. Takes as long as it takes.
    ///
    /// # Errors
    /// The catalog can't be used; the index can't be written, also after it was built again.
    pub async fn index(&self, tenant: &TenantId) -> Result<(), ShelfError> {
        let (shelf, slot, place) = (self.clone(), self.catalog().slot(tenant), self.inner.search.place(tenant));
        to_the_end(async move {
            let _writing = place.writing.lock().await;
            let open = shelf.catalog().opened(&slot).await?;
            let mut done = shelf.index_once(&slot, &place, open.clone()).await;
            let serves_on = place.open.load().as_ref().is_some_and(|searchable| {
                searchable.at().is_some() && searchable.index.languages() != open.state.languages
            });
            if let (Err(ShelfError::Store(reason)), false) = (&done, serves_on) {
                tracing::warn!(tenant = %slot.tenant, %reason, "a search index is built again");
                metrics::counter!("promptory_search_discarded_total").increment(1);
                place.open.store(None);
                let folders = shelf.index_folders(&slot.tenant);
                let discarding = tokio::task::spawn_blocking(move || folders.discard());
                let discarded = discarding.await.map_err(|error| ShelfError::Store(error.to_string()))?;
                discarded.map_err(|error| ShelfError::Store(error.to_string()))?;
                done = shelf.index_once(&slot, &place, open).await;
            }
            done
        })
        .await
    }

    async fn index_once(
        &self,
        slot: &Arc<Slot<Hot>>,
        place: &Arc<SearchSlot>,
        open: Arc<Open<Hot>>,
    ) -> Result<(), ShelfError> {
        let searchable = self.searchable_locked(&slot.tenant, place).await?;
        let (shelf, slot, place, handle) = (self.clone(), slot.clone(), place.clone(), Handle::current());
        let bringing = behind(move || {
            let from = searchable.at();
            let Some(to) = open.state.index.filter(|to| Some(*to) != from) else { return Ok(()) };
            let work = Work { shelf: &shelf, slot: &slot, place: &place, searchable: &searchable, handle: &handle };
            if searchable.index.languages() == open.state.languages {
                work.bring(open, from, to).map(drop)
            } else {
                work.anew(open, to)
            }
        });
        let brought = bringing.await.map_err(|error| ShelfError::Store(error.to_string()))?;
        brought.map_err(|error| ShelfError::Store(error.to_string()))
    }
}

/// One bringing.
struct Work<'a> {
    shelf: &'a Shelf,
    slot: &'a Arc<Slot<Hot>>,
    place: &'a SearchSlot,
    searchable: &'a Arc<Searchable>,
    handle: &'a Handle,
}

impl Work<'_> {
    /// Builds the index in the languages of now, and lets it serve.
    fn anew(&self, open: Arc<Open<Hot>>, to: u64) -> Result<(), SearchError> {
        let (languages, folders) = (open.state.languages, self.shelf.index_folders(&self.slot.tenant));
        let before = self.searchable.index.path();
        tracing::info!(tenant = %self.slot.tenant, "a search index is built in other languages");
        let index = Index::create(folders.beside(&self.searchable.index), languages)?;
        let searchable = &Arc::new(Searchable::new(index, None, self.shelf.next_state()));
        let served = Work { searchable, ..*self }.bring(open, None, to)?;
        if served && let Err(error) = Index::discard(before) {
            // The next opening knows by its languages that it is of no use.
            tracing::warn!(path = %before.display(), %error, "a former search index could not be taken away");
        }
        Ok(())
    }

    /// Whether it got there: the process may be ending.
    fn bring(&self, open: Arc<Open<Hot>>, from: Option<u64>, to: u64) -> Result<bool, SearchError> {
        let hot = open.state.clone();
        drop(open); // the store may be closed while this goes on
        // An index that is ahead is of a catalog that is not there any more.
        let from = from.filter(|from| *from < to);
        let prompts: Vec<_> = match from {
            Some(from) => self.touched(from, to)?.into_iter().collect(),
            None => hot.keys().filter_map(|key| hot.holder(key)).map(|row| row.id).collect(),
        };
        if from.is_some() && prompts.is_empty() {
            // Nothing to write: a restart looks at these events again, which is cheaper than a commit for each.
            self.announce(to);
            return Ok(true);
        }
        self.write(&hot, from.is_none(), &prompts, to)
    }

    fn write(&self, hot: &Hot, anew: bool, prompts: &[PromptId], to: u64) -> Result<bool, SearchError> {
        let (began, inner) = (Instant::now(), &self.shelf.inner);
        let index = &self.searchable.index;
        let mut writer = index.writer(inner.search.config.writer_bytes)?;
        if anew {
            writer.clear()?;
        }
        for lot in prompts.chunks(LOT) {
            if inner.search.stopping.load(Ordering::Relaxed) {
                return Ok(false); // nothing is committed: the next start goes on from the checkpoint
            }
            for (prompt, documents) in self.documents(hot, lot)? {
                match anew {
                    true => writer.add(&documents)?,
                    false => writer.replace(prompt, &documents)?,
                }
            }
        }
        writer.commit(to, inner.ledger.incarnation())?;
        index.reload()?;
        self.announce(to);
        metrics::counter!("promptory_search_prompts_total").increment(prompts.len() as u64);
        metrics::histogram!("promptory_search_commit_seconds").record(began.elapsed().as_secs_f64());
        writer.finish()?;
        Ok(true)
    }

    /// Swap, then announce: whoever is woken finds what was announced.
    fn announce(&self, to: u64) {
        let now = self.shelf.inner.config.clock.now();
        self.searchable.swap(to, self.shelf.next_state(), now);
        self.place.open.store(Some(self.searchable.clone()));
        self.place.reached.send_replace(Some(to));
    }

    /// The prompts that events touched, each once.
    fn touched(&self, after: u64, to: u64) -> Result<BTreeSet<PromptId>, SearchError> {
        let open = self.open()?;
        let mut touched = BTreeSet::new();
        for index in after + 1..=to {
            let row = guarded(|| Ok(open.store.rows().get(&Key::Event(index))))??.ok_or(RowError::Row("event"))?;
            touched.extend(EventRow::decode_head(&row)?.2.map(|prompt| prompt.id));
        }
        Ok(touched)
    }

    fn documents(&self, hot: &Hot, prompts: &[PromptId]) -> Result<Vec<(PromptId, Vec<Document>)>, SearchError> {
        let open = self.open()?;
        let (tenant, keys) = (&self.slot.tenant, &self.shelf.inner.keys);
        let desk =
            Desk { tenant, model: Model { rows: open.store.rows(), hot }, keys, opened: None, past: None, shown: None };
        let of = |id: &PromptId| match hot.prompt(*id) {
            Some(row) => Ok((*id, guarded(|| Ok(documents(&desk, row)))??)),
            None => Ok((*id, Vec::new())),
        };
        prompts.iter().map(of).collect()
    }

    fn open(&self) -> Result<Arc<Open<Hot>>, SearchError> {
        if let Some(open) = self.slot.open.load_full() {
            return Ok(open);
        }
        let opening = self.handle.block_on(self.shelf.catalog().opened(self.slot));
        opening.map_err(|error| SearchError::Index(error.to_string()))
    }
}
