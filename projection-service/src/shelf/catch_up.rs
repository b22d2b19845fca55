//! From ledger pages to committed rows: the one loop that the worker, an opening store and a rebuild share.

use std::sync::Arc;
use std::time::Instant;

use promptory_events::{Batch, PromptId};
use promptory_ledger::{Ledger, ReadError, Reader, Recorded};
use promptory_platform::telemetry;
use tokio::task::{JoinHandle, spawn_blocking};
use tracing::Span;

use crate::store::rows::RowError;
use crate::store::{Share, Store};
use crate::views::View;
use crate::views::fold::{Broken, Source, fold};
use crate::views::stage::Staged;

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
pub(crate) struct Pages<V: View> {
    source: Source,
    pub store: Arc<Store<V>>,
    pub state: V,
    live: bool,
    share: Share,
}

impl<V: View> Pages<V> {
    pub(crate) fn of(source: Source, store: Arc<Store<V>>, state: V) -> Self {
        Self { source, store, state, live: false, share: Share::WHOLE }
    }

    /// The batches were just appended: their traces go on here.
    pub(super) fn live(mut self) -> Self {
        self.live = true;
        self
    }

    /// Nobody waits for it: it takes this share of a core.
    pub(crate) fn sharing(mut self, share: Share) -> Self {
        self.share = share;
        self
    }

    /// Folds and commits one page, on this thread: handing a few milliseconds of work to another one and back costs more
    /// than that on a busy machine. With trouble, what came before it is there, folded and committed. Gives the prompts that
    /// it was about, too.
    pub(crate) fn fold(mut self, page: &[Recorded]) -> (Self, Vec<PromptId>, Option<Trouble>) {
        let Folded { state, mut staged, broken } = fold_page(&self.source, self.state.clone(), page, self.live);
        let touched = staged.take_touched();
        let trouble = self.take_over(self.store.commit(&mut staged), state);
        (self, touched, trouble.or(broken.map(Trouble::Broken)))
    }

    /// Folds what the ledger holds beyond the state: reading and folding a page while the one before it is committed.
    /// `progress` is told the number of events that are there.
    pub(crate) async fn catch_up(
        mut self,
        ledger: &Ledger,
        target: Target,
        mut progress: impl FnMut(u64),
    ) -> (Self, Option<Trouble>) {
        let mut reader = match ledger.read(&self.source.tenant, self.state.next()).await {
            Ok(reader) => reader,
            Err(error) => return (self, Some(Trouble::Ledger(error))),
        };
        let mut committing: Option<(JoinHandle<_>, V)> = None;
        loop {
            let begun = Instant::now();
            let state = committing.as_ref().map_or(&self.state, |(_, state)| state).clone();
            let next = self.next(&mut reader, target, state).await;
            if let Some((commit, state)) = committing.take() {
                if let Some(trouble) = self.committed(commit, state).await {
                    return (self, Some(trouble));
                }
                progress(self.state.next());
            }
            match next {
                Ok(None) => return (self, None),
                Err(trouble) => return (self, Some(trouble)),
                Ok(Some(Folded { state, staged, broken: None })) if self.share.is_whole() => {
                    committing = Some((self.commit(staged), state));
                }
                Ok(Some(Folded { state, staged, broken: None })) => {
                    // One after the other, so that both together take the share; the store rests by itself.
                    tokio::time::sleep(self.share.rest(begun.elapsed())).await;
                    if let Some(trouble) = self.committed(self.commit(staged), state).await {
                        return (self, Some(trouble));
                    }
                    progress(self.state.next());
                }
                Ok(Some(Folded { state, staged, broken: Some(broken) })) => {
                    let trouble = self.committed(self.commit(staged), state).await;
                    return (self, trouble.or(Some(Trouble::Broken(broken))));
                }
            }
        }
    }

    /// The next page of the ledger, folded but not committed; `None` at the end.
    async fn next(&self, reader: &mut Reader, target: Target, state: V) -> Result<Option<Folded<V>>, Trouble> {
        let mut page = reader.next().await.map_err(Trouble::Ledger)?;
        if let Target::Index(last) = target {
            page.retain(|recorded| within(recorded, last)); // nothing is left of a page beyond it
        }
        if page.is_empty() { Ok(None) } else { self.folded(state, page).await.map(Some) }
    }

    async fn folded(&self, state: V, page: Vec<Recorded>) -> Result<Folded<V>, Trouble> {
        let (source, live) = (self.source.clone(), self.live);
        let folding = spawn_blocking(move || fold_page(&source, state, &page, live));
        folding.await.map_err(|error| Trouble::Row(RowError::Store(error.to_string())))
    }

    fn commit(&self, mut staged: Staged<V::Kept>) -> JoinHandle<Result<(), RowError>> {
        let store = self.store.clone();
        spawn_blocking(move || store.commit(&mut staged))
    }

    /// Waits for a commit, and takes over the state that it made true.
    async fn committed(&mut self, commit: JoinHandle<Result<(), RowError>>, state: V) -> Option<Trouble> {
        self.take_over(commit.await.unwrap_or_else(|error| Err(RowError::Store(error.to_string()))), state)
    }

    fn take_over(&mut self, committed: Result<(), RowError>, state: V) -> Option<Trouble> {
        match committed {
            Ok(()) => {
                let events = state.next() - self.state.next();
                metrics::counter!("promptory_projection_events_total", "view" => V::NAME).increment(events);
                self.state = state;
                None
            }
            Err(error) => Some(Trouble::Row(error)),
        }
    }
}

/// A page that is folded, up to a batch that can't be.
struct Folded<V: View> {
    state: V,
    staged: Staged<V::Kept>,
    broken: Option<Broken>,
}

/// Folds all of a page before any of it is written: it is a few MiB, and small batches of the ledger then share one of
/// the store's.
fn fold_page<V: View>(source: &Source, mut state: V, page: &[Recorded], live: bool) -> Folded<V> {
    let mut staged = Staged::default();
    for recorded in page {
        let folded = Batch::parse(recorded.bytes.clone()).map_err(Broken::from).and_then(|batch| {
            let _applying = live.then(|| apply_span(&batch).entered());
            fold(&mut state, &mut staged, source, recorded.cursor, &batch)
        });
        if let Err(broken) = folded {
            return Folded { state, staged, broken: Some(broken) };
        }
    }
    Folded { state, staged, broken: None }
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
    let span = tracing::info_span!(parent: None, "apply", %tenant, first_index, events, trace_id);
    if let Some(trace) = trace {
        telemetry::link(&span, &trace);
    }
    span
}
