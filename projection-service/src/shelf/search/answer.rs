//! Answering a search: from the newest state of the index, or the one that a page before was answered from.

use std::sync::Arc;
use std::time::Duration;

use promptory_events::{Label, Position, TenantId, limits};
use tantivy::Searcher;

use super::super::slot::{Open, Slot};
use super::super::{Shelf, ShelfError};
use super::{Searchable, State};
use crate::ask::search::{After, Entry, Found, Hit, Piece, Search};
use crate::ask::{Answer, Ask, AskError, Question, Reply, Which};
use crate::hot::Hot;
use crate::hot::access::Reader;
use crate::store::guarded;
use crate::store::rows::{RowError, Rows};
use crate::views::catalog::answer::Desk;
use crate::views::catalog::point::{AnswerError, Model};
use crate::views::catalog::sight::Sight;
use crate::views::search::SearchError;
use crate::views::search::document::readable;
use crate::views::search::find::Finder;
use crate::views::search::index;
use crate::views::search::snippet::Snippets;

impl From<SearchError> for AskError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Query(fault) => Self::QueryInvalid(fault),
            SearchError::Expired => Self::CursorExpired,
            error @ (SearchError::Index(_) | SearchError::Row(_)) => Self::Unavailable(error.to_string()),
        }
    }
}

impl Shelf {
    /// Answers a search of a reader who was let in.
    pub(in super::super) async fn searched(
        &self,
        slot: &Arc<Slot<Hot>>,
        reader: Reader,
        ask: &Ask,
    ) -> Result<Reply, AskError> {
        // Opening it says how far it is.
        self.searchable(&slot.tenant).await?;
        self.reached(&slot.tenant, ask.at_least).await?;
        // The one that got there: another one may have taken its place.
        let searchable = self.searchable(&slot.tenant).await?;
        // Not older than the index, or it could show what it can't open.
        let open = self.catalog().opened(slot).await?;
        let (shelf, slot, question) = (self.clone(), slot.clone(), ask.question.clone());
        let turn = self.inner.search.at_once.clone().acquire_owned().await;
        let turn = turn.map_err(|error| ShelfError::Store(error.to_string()))?;
        let answering = tokio::task::spawn_blocking(move || {
            let _turn = turn; // until it is done, whether anybody waits or not
            let searching = Searching { shelf: &shelf, slot: &slot, searchable: &searchable, open: &open };
            index::guarded(|| searching.answer(&reader, &question))
        });
        let answered = answering.await.map_err(|error| ShelfError::Store(error.to_string()))?;
        answered.map_err(|error| {
            if let SearchError::Index(reason) = &error {
                self.reopened(ask, reason);
            }
            error.into()
        })
    }

    /// An index that could not be read is opened again by whoever needs it next, and checked then.
    fn reopened(&self, ask: &Ask, reason: &str) {
        tracing::warn!(tenant = %ask.tenant, %reason, "a search index is opened again, to check it");
        self.inner.search.place(&ask.tenant).close();
        self.inner.search.queue.note(&ask.tenant);
    }

    /// Waits (bounded) until the index has a position, or anything at all if none is asked for.
    async fn reached(&self, tenant: &TenantId, at_least: Option<Position>) -> Result<(), AskError> {
        let place = self.inner.search.place(tenant);
        let mut reached = place.reached.subscribe();
        let there = |at: &Option<u64>| at.is_some_and(|at| at_least.is_none_or(|wanted| at >= wanted.index));
        if there(&reached.borrow()) {
            return Ok(());
        }
        if let Some(reason) = place.failed.load_full() {
            return Err(AskError::Unavailable(format!("the search has stopped: {reason}")));
        }
        self.inner.search.queue.note(tenant);
        let wait = Duration::from_millis(limits::AT_LEAST_WAIT_MAX_MS);
        if let Ok(Ok(_)) = tokio::time::timeout(wait, reached.wait_for(there)).await {
            return Ok(());
        }
        let incarnation = self.inner.ledger.incarnation();
        let at = (*place.reached.borrow()).map(|index| Position { incarnation, index });
        Err(AskError::SearchBehind { wanted: at_least, reached: at })
    }
}

/// One answering.
struct Searching<'a> {
    shelf: &'a Shelf,
    slot: &'a Slot<Hot>,
    searchable: &'a Searchable,
    open: &'a Open<Hot>,
}

impl Searching<'_> {
    fn answer(&self, reader: &Reader, question: &Question) -> Result<Reply, SearchError> {
        let now = self.shelf.inner.config.clock.now();
        let sight = Sight::new(&self.open.state, reader);
        let (state, answer) = match question {
            Question::Search(search) => {
                let state = match &search.after {
                    Some(after) => self.searchable.held(after.held, now).ok_or(SearchError::Expired)?,
                    None => self.current()?,
                };
                let found = self.found(&state, search, &sight)?;
                if found.next.is_some() {
                    self.searchable.hold(&state, now);
                }
                (state, Answer::Found(Box::new(found)))
            }
            Question::Suggest { text, label, limit } => {
                let state = self.current()?;
                let lexer = self.searchable.index.lexer();
                let suggestions = self.over(&state, label, &sight, |finder| finder.suggest(text, *limit, &lexer))?;
                (state, Answer::Suggested(suggestions))
            }
            _ => return Err(SearchError::Index("it was asked for what is not its own".to_owned())),
        };
        let incarnation = self.shelf.inner.ledger.incarnation();
        Ok(Reply { as_of: Some(Position { incarnation, index: state.at }), answer, cut: false })
    }

    fn current(&self) -> Result<Arc<State>, SearchError> {
        self.searchable.current().ok_or_else(|| SearchError::Index("it is empty".to_owned()))
    }

    fn over<T>(
        &self,
        state: &State,
        label: &Label,
        sight: &Sight<'_>,
        find: impl FnOnce(&Finder<'_>) -> Result<T, SearchError>,
    ) -> Result<T, SearchError> {
        let universe = state.universe(&self.searchable.index, label, sight.prefixes())?;
        let searcher: &Searcher = &state.searcher;
        find(&Finder { searcher, fields: self.searchable.index.fields(), universe: &universe })
    }

    fn found(&self, state: &State, search: &Search, sight: &Sight<'_>) -> Result<Found, SearchError> {
        let lexer = self.searchable.index.lexer();
        let outcome = self.over(state, &search.label, sight, |finder| finder.find(search, &lexer))?;
        let last = outcome.page.last().map(|(_, rank)| rank.clone()).filter(|_| outcome.more);
        let (mut hits, mut snippets) = (Vec::new(), Snippets::new(&outcome.marks, &lexer));
        for (entry, _) in outcome.page {
            // What was moved out of sight since then is not shown any more.
            if sight.prompt(entry.prompt) {
                let snippet = self.snippet(&entry, &mut snippets)?;
                hits.push(Hit { entry, snippet });
            }
        }
        Ok(Found {
            total: outcome.total,
            hits,
            facets: outcome.facets,
            respelt: outcome.respelt,
            next: last.map(|last| After { held: state.number, last }),
        })
    }

    /// The text is opened for it: the index has words only.
    fn snippet(&self, entry: &Entry, snippets: &mut Snippets<'_>) -> Result<Vec<Piece>, SearchError> {
        let (hot, inner) = (&self.open.state, &self.shelf.inner);
        let row = hot.prompt(entry.prompt).filter(|row| row.versions >= entry.number);
        let Some(row) = row else { return Err(RowError::Row("prompt").into()) };
        let desk = Desk {
            tenant: &self.slot.tenant,
            model: Model { rows: self.open.store.rows(), hot },
            keys: &inner.keys,
            opened: Some((&inner.ready.opened, self.slot.number())),
            past: None,
            shown: None,
        };
        let opened = guarded(|| Ok(opened(&desk, row, entry.number)))?;
        match opened {
            Ok(text) => Ok(snippets.of(&readable(row.kind, &text))),
            Err(AnswerError::Ask(AskError::Erased)) => Ok(Vec::new()),
            Err(AnswerError::Ask(error)) => Err(SearchError::Index(error.to_string())),
            Err(AnswerError::Row(error)) => Err(error.into()),
        }
    }
}

fn opened<R: Rows>(
    desk: &Desk<'_, R>,
    row: &Arc<crate::views::catalog::row::PromptRow>,
    number: u32,
) -> Result<String, AnswerError> {
    desk.opened(row, &Which::Number(number)).map(|opened| opened.answer.content.clone())
}
