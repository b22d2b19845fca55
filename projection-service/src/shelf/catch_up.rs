//! From ledger pages to committed rows: the one loop that the worker, an opening store and a rebuild share.

use std::sync::Arc;

use promptory_events::Batch;
use promptory_ledger::{Ledger, ReadError, Recorded};
use tracing::Span;

use crate::hot::Hot;
use crate::store::Store;
use crate::store::rows::RowError;
use crate::views::catalog::stage::Staged;
use crate::views::catalog::{Broken, Source, fold};

/// Rows that are folded before they are written: small batches of the ledger share one of the store's.
const STAGE_ROWS: usize = 2_000;
/// The same in bytes.
const STAGE_BYTES: usize = 4 * 1024 * 1024;

/// Why folding did not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// The ledger can't be read.
    #[error(transparent)]
    Ledger(ReadError),
    /// A batch can't be folded.
    #[error(transparent)]
    Broken(Broken),
    /// The store can't be written.
    #[error(transparent)]
    Row(RowError),
}

/// How far to fold.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// To the ledger's end as it is when the reading begins.
    Head,
    /// Not beyond this event.
    Index(u64),
}

/// A store that is being filled, and the state that goes with it.
#[derive(Debug)]
pub(crate) struct Pages {
    source: Source,
    pub store: Arc<Store>,
    pub hot: Hot,
    live: bool,
}

impl Pages {
    pub(crate) fn of(source: Source, store: Arc<Store>, hot: Hot) -> Self {
        Self { source, store, hot, live: false }
    }

    /// The batches were just appended: their traces go on here.
    pub(super) fn live(mut self) -> Self {
        self.live = true;
        self
    }

    /// Folds and commits one page. With trouble, what came before it is there, folded and committed.
    pub(crate) async fn fold(mut self, page: Vec<Recorded>) -> (Self, Option<Trouble>) {
        let before =
            Self { source: self.source.clone(), store: self.store.clone(), hot: self.hot.clone(), live: false };
        let folding = tokio::task::spawn_blocking(move || {
            let trouble = self.fold_blocking(&page);
            (self, trouble)
        });
        // After a panic it is not known what the store holds: trouble with the store, so it is not used again.
        folding.await.unwrap_or_else(|error| (before, Some(Trouble::Row(RowError::Store(error.to_string())))))
    }

    fn fold_blocking(&mut self, page: &[Recorded]) -> Option<Trouble> {
        let (mut staged, mut hot) = (Staged::default(), self.hot.clone());
        let (first, mut broken) = (hot.next_index(), None);
        for recorded in page {
            let folded = Batch::parse(recorded.bytes.clone()).map_err(Broken::from).and_then(|batch| {
                let _applying = self.live.then(|| apply_span(&batch).entered());
                fold(&mut hot, &mut staged, &self.source, recorded.cursor, &batch)
            });
            if let Err(error) = folded {
                broken = Some(Trouble::Broken(error));
                break;
            }
            if staged.len() >= STAGE_ROWS || staged.bytes() >= STAGE_BYTES {
                if let Err(error) = self.store.commit(&mut staged) {
                    return Some(Trouble::Row(error));
                }
                self.hot = hot.clone();
            }
        }
        if let Err(error) = self.store.commit(&mut staged) {
            return Some(Trouble::Row(error));
        }
        self.hot = hot;
        metrics::counter!("promptory_projection_events_total").increment(self.hot.next_index() - first);
        broken
    }

    /// Folds what the ledger holds beyond the state. `progress` is told the number of events that are there.
    pub(crate) async fn catch_up(
        mut self,
        ledger: &Ledger,
        target: Target,
        mut progress: impl FnMut(u64),
    ) -> (Self, Option<Trouble>) {
        let mut reader = match ledger.read(&self.source.tenant, self.hot.next_index()).await {
            Ok(reader) => reader,
            Err(error) => return (self, Some(Trouble::Ledger(error))),
        };
        loop {
            let mut page = match reader.next().await {
                Ok(page) if page.is_empty() => return (self, None),
                Ok(page) => page,
                Err(error) => return (self, Some(Trouble::Ledger(error))),
            };
            let read = page.len();
            if let Target::Index(last) = target {
                page.retain(|recorded| within(recorded, last));
            }
            let reached = page.len() < read;
            let (pages, trouble) = self.fold(page).await;
            self = pages;
            progress(self.hot.next_index());
            if trouble.is_some() || reached {
                return (self, trouble);
            }
        }
    }
}

/// Whether a batch ends at or before an event. One that can't be read counts, so that it is met and told of.
fn within(recorded: &Recorded, last: u64) -> bool {
    Batch::peek(recorded.bytes.clone()).map_or(true, |header| header.last_index() <= last)
}

/// The span in which a batch is applied. It belongs to the trace of the request that wrote the batch.
fn apply_span(batch: &Batch) -> Span {
    let trace = batch.commits.iter().find_map(|commit| commit.header.trace);
    let (tenant, first_index, events) = (&batch.header.tenant, batch.header.first_index, batch.header.events);
    let trace_id = trace.map(|trace| crate::digest::hex(&trace.trace_id));
    // LINK: the span's parent is `trace`; `promptory_platform::telemetry::link(&span, &trace)` belongs here.
    tracing::info_span!("apply", %tenant, first_index, events, trace_id)
}
