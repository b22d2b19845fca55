//! A rebuild or a rollback as it goes on: how far it is, how fast, and how it ended. One at a time in a process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use promptory_events::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, watch};

use super::{RebuildError, Report};
use crate::store::Share;
use crate::views::Name;

/// What is to be done with a view of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskWork {
    /// With which view.
    pub view: Name,
    /// What.
    pub kind: Kind,
    /// How much of a core it may take.
    pub share: Share,
    /// Names the request, so that it can be sent again: whoever has done it, or is doing it, does not begin once more.
    /// `None` is a request of its own each time.
    pub id: Option<[u8; 8]>,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The view is built from the ledger beside the running store, and put in its place.
    Rebuild,
    /// The store that was replaced last is put back in its place.
    Rollback,
}

impl Kind {
    /// Its name, in answers and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rebuild => "rebuild",
            Self::Rollback => "rollback",
        }
    }
}

/// Where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Another one of this process has to end first.
    Waiting,
    /// It goes on.
    Running,
    /// The new store is in its place.
    Done,
    /// The store that was there is in its place as before.
    Failed,
}

impl Stage {
    /// Its name, in answers and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// How a rebuild or a rollback stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkAnswer {
    /// The request's.
    pub id: Option<[u8; 8]>,
    /// What it is.
    pub kind: Kind,
    /// How much of a core it may take.
    pub share: Share,
    /// Where it is.
    pub stage: Stage,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Events that its store has.
    pub events: u64,
    /// Events of the ledger when it began.
    pub total: u64,
    /// Events a second so far.
    pub events_per_second: u64,
    /// How long it still takes at that rate, in seconds.
    pub eta_seconds: Option<u64>,
    /// The digest of the store that was there, at the same event, if there was a whole one.
    pub old: Option<String>,
    /// The digest of the one that took its place.
    pub new: Option<String>,
    /// Why it failed. Names no file.
    pub failed: Option<String>,
}

/// A rebuild or a rollback. Shared by whoever does it and whoever asks.
#[derive(Debug)]
pub(crate) struct Work {
    pub ask: AskWork,
    asked_at: Timestamp,
    state: watch::Sender<State>,
}

/// How it stands.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub events: u64,
    pub total: u64,
    /// When it began, and what its store had then.
    begun: Option<(Instant, u64)>,
    /// How long it took from then on.
    took: Duration,
    pub outcome: Option<Outcome>,
}

/// How it ended, and when.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    at: Timestamp,
    pub report: Result<Report, RebuildError>,
}

impl Work {
    fn new(ask: AskWork, asked_at: Timestamp) -> Self {
        let state = State { events: 0, total: 0, begun: None, took: Duration::ZERO, outcome: None };
        Self { ask, asked_at, state: watch::Sender::new(state) }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state.borrow().outcome.is_some()
    }

    /// Whether it is the answer to a request: it goes on, or it is that very request.
    pub(super) fn stands_for(&self, ask: &AskWork) -> bool {
        !self.is_over() || (ask.id.is_some() && self.ask.id == ask.id)
    }

    /// It begins to fold, with a store that has some events, of so many.
    pub(super) fn begins(&self, events: u64, total: u64) {
        self.state.send_modify(|state| {
            (state.events, state.total) = (events, total.max(events));
            state.begun = Some((Instant::now(), events));
        });
        self.gauges();
    }

    /// Its store has so many events now.
    pub(super) fn reached(&self, events: u64) {
        self.state.send_modify(|state| {
            (state.events, state.total) = (events, state.total.max(events));
            state.took = state.begun.map_or(Duration::ZERO, |(begun, _)| begun.elapsed());
        });
        self.gauges();
    }

    /// How long the folding took so far.
    pub(super) fn took(&self) -> Duration {
        self.state.borrow().took
    }

    pub(super) fn ends(&self, report: Result<Report, RebuildError>, at: Timestamp) {
        self.state.send_modify(|state| state.outcome = Some(Outcome { at, report }));
        let told = self.told();
        let (view, kind, outcome) = (self.ask.view.as_str(), told.kind.as_str(), told.stage.as_str());
        metrics::counter!("promptory_rebuilds_total", "view" => view, "kind" => kind, "outcome" => outcome)
            .increment(1);
        self.gauges();
    }

    /// Waits for what comes next of it.
    pub(crate) fn subscribe(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// How it stands.
    pub(crate) fn told(&self) -> WorkAnswer {
        let state = self.state.borrow().clone();
        let report = state.outcome.as_ref().map(|outcome| &outcome.report);
        let stage = match (report, state.begun) {
            (Some(Ok(_)), _) => Stage::Done,
            (Some(Err(_)), _) => Stage::Failed,
            (None, Some(_)) => Stage::Running,
            (None, None) => Stage::Waiting,
        };
        let done = report.and_then(|report| report.as_ref().ok());
        WorkAnswer {
            id: self.ask.id,
            kind: self.ask.kind,
            share: self.ask.share,
            stage,
            asked_at: self.asked_at,
            ended_at: state.outcome.as_ref().map(|outcome| outcome.at),
            events: state.events,
            total: state.total,
            events_per_second: state.rate(),
            eta_seconds: state.eta_seconds().filter(|_| stage == Stage::Running),
            old: done.and_then(|report| report.old.clone()),
            new: done.map(|report| report.new.clone()),
            failed: report.and_then(|report| report.as_ref().err()).map(RebuildError::to_string),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "counts for gauges")]
    fn gauges(&self) {
        let (view, told) = (self.ask.view.as_str(), self.told());
        let running = told.stage == Stage::Running;
        let shown = |value: u64| if running { value as f64 } else { 0.0 };
        metrics::gauge!("promptory_rebuild_events", "view" => view).set(shown(told.events));
        metrics::gauge!("promptory_rebuild_events_left", "view" => view)
            .set(shown(told.total.saturating_sub(told.events)));
        metrics::gauge!("promptory_rebuild_events_per_second", "view" => view).set(shown(told.events_per_second));
        metrics::gauge!("promptory_rebuild_eta_seconds", "view" => view).set(shown(told.eta_seconds.unwrap_or(0)));
    }
}

impl State {
    /// Events a second since it began.
    fn rate(&self) -> u64 {
        let from = self.begun.map_or(0, |(_, from)| from);
        let events = u128::from(self.events.saturating_sub(from));
        let micros = self.took.as_micros().max(1);
        u64::try_from(events * 1_000_000 / micros).unwrap_or(u64::MAX)
    }

    /// How long it still takes at that rate, rounded up.
    fn eta_seconds(&self) -> Option<u64> {
        let rate = self.rate();
        (rate > 0).then(|| self.total.saturating_sub(self.events).div_ceil(rate))
    }
}

/// The last work on a view of a tenant.
#[derive(Debug, Default)]
pub(crate) struct LastWork(Mutex<Option<Arc<Work>>>);

impl LastWork {
    pub(crate) fn get(&self) -> Option<Arc<Work>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is to be done is noted and given (`Ok`), unless something is done already or the same request was met before:
    /// then that is given (`Err`).
    pub(super) fn begin(&self, ask: AskWork, now: Timestamp) -> Result<Arc<Work>, Arc<Work>> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(work) = last.as_ref().filter(|work| work.stands_for(&ask)) {
            return Err(work.clone());
        }
        let work = Arc::new(Work::new(ask, now));
        *last = Some(work.clone());
        Ok(work)
    }
}

/// Whose turn it is in this process, and whether it ends.
#[derive(Debug)]
pub(crate) struct Turns {
    one: Semaphore,
    ending: watch::Sender<bool>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { one: Semaphore::new(1), ending: watch::Sender::new(false) }
    }
}

impl Turns {
    /// Does something when its turn comes. It is dropped, and its folder left to the next one, when the process ends.
    pub(super) async fn take<T>(&self, work: impl Future<Output = Result<T, RebuildError>>) -> Result<T, RebuildError> {
        let _turn = self.one.acquire().await.map_err(|_| RebuildError::Ending)?;
        let mut ending = self.ending.subscribe();
        tokio::select! {
            biased;
            _ = ending.wait_for(|ending| *ending) => Err(RebuildError::Ending),
            done = work => done,
        }
    }

    /// Whether what goes on may go on.
    pub(super) fn go_on(&self) -> Result<(), RebuildError> {
        if *self.ending.borrow() { Err(RebuildError::Ending) } else { Ok(()) }
    }

    /// Ends what goes on and takes nothing more. Returns when nothing goes on.
    pub(crate) async fn end(&self) {
        self.ending.send_replace(true);
        drop(self.one.acquire().await);
        self.one.close();
    }
}
