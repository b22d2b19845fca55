//! The ledger folded into memory, without sled and without a checkpoint: what the model must say at any point.

mod history;

use promptory_events::{Batch, Incarnation, Position, Prefix, PromptKey, TenantId};
use promptory_ledger::{KeyStore, Ledger, ReadError, Recorded};
use serde::Serialize;

use crate::ask::AsOf;
use crate::digest::hex;
use crate::hot::Hot;
use crate::store::rows::{Memory, RowError};
use crate::views::View;
use crate::views::catalog::answer::{Desk, position};
use crate::views::catalog::point::{AnswerError, Model};
use crate::views::catalog::sight::Sight;
use crate::views::catalog::stage::Staged;
use crate::views::catalog::{Broken, Source, fold_until};
use history::History;

/// What the ledger says at a point.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replay {
    /// The last event that was folded. As of an occurred time all are folded, and counted only if they had happened.
    pub position: Option<Position>,
    /// The model digest there.
    pub model_digest: String,
    /// The history digest of the events that count.
    pub history_digest: String,
    /// Events that count.
    pub events: u64,
    /// Prompts that hold a key at the point.
    pub prompts: u64,
    /// Versions among the events that count.
    pub versions: u64,
    /// The prompts that hold a key at the point, by key, each with its newest version.
    pub contents: Vec<ContentAt>,
}

/// What a key stands for at a point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContentAt {
    /// The key.
    pub key: PromptKey,
    /// The number of the newest version of `main`.
    pub version: u32,
    /// SHA-256 of its content, hex.
    pub sha256: String,
}

/// Why there is no replay.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The ledger can't be read.
    #[error(transparent)]
    Ledger(#[from] ReadError),
    /// A batch can't be folded.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The point lies beyond the end, or a text can't be opened.
    #[error(transparent)]
    Point(#[from] AnswerError),
    /// The folding task was lost.
    #[error("the replay was interrupted: {0}")]
    Interrupted(String),
}

impl From<RowError> for ReplayError {
    fn from(error: RowError) -> Self {
        Self::Point(AnswerError::Row(error))
    }
}

/// Folds a tenant's ledger up to a point. Holds all rows in memory: about what the store has on disk.
///
/// # Errors
/// The ledger contradicts itself, ends before the point, or holds texts that can't be opened.
pub async fn replay(ledger: &Ledger, keys: &KeyStore, tenant: &TenantId, as_of: AsOf) -> Result<Replay, ReplayError> {
    let mut folding = Folding::new(tenant.clone(), ledger.incarnation(), as_of);
    let mut reader = ledger.read(tenant, 0).await?;
    loop {
        let page = reader.next().await?;
        if page.is_empty() || folding.ended {
            break;
        }
        folding = blocking(move || folding.page(&page).map(|()| folding)).await?;
    }
    let keys = keys.clone();
    blocking(move || folding.finish(&keys)).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReplayError> + Send + 'static,
) -> Result<T, ReplayError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ReplayError::Interrupted(error.to_string()))?
}

/// A tenant's batches on their way into memory: for whoever has them from elsewhere than a ledger.
pub struct Folding {
    source: Source,
    as_of: AsOf,
    hot: Hot,
    rows: Memory,
    ended: bool,
}

impl Folding {
    /// Before the first batch of a tenant, in a life of its ledger; folds up to a point.
    #[must_use]
    pub fn new(tenant: TenantId, incarnation: Incarnation, as_of: AsOf) -> Self {
        let source = Source { tenant, incarnation };
        Self { source, as_of, hot: Hot::default(), rows: Memory::default(), ended: false }
    }

    /// Folds the next batches; those beyond the point are left out. Works for as long as they are many.
    ///
    /// # Errors
    /// A batch can't be folded; those before it are.
    pub fn page(&mut self, page: &[Recorded]) -> Result<(), ReplayError> {
        let mut staged = Staged::default();
        let last = match self.as_of {
            AsOf::Index(last) | AsOf::OccurredAt { index: last, .. } => last,
            AsOf::Now | AsOf::Recorded(_) | AsOf::Occurred(_) => u64::MAX,
        };
        for recorded in page {
            if self.ended {
                break;
            }
            let batch = Batch::parse(recorded.bytes.clone()).map_err(Broken::from)?;
            let too_late = matches!(self.as_of, AsOf::Recorded(time) if batch.header.recorded_at > time);
            if !too_late {
                fold_until(&mut self.hot, &mut staged, &self.source, recorded.cursor, &batch, last)?;
                self.rows.extend(staged.drain());
            }
            self.ended = too_late || batch.header.last_index() >= last;
        }
        Ok(())
    }

    /// The index of the event that is folded next.
    #[must_use]
    pub fn next_index(&self) -> u64 {
        self.hot.next_index()
    }

    /// The model digest of what is folded; no key is needed for it.
    #[must_use]
    pub fn model_digest(&self) -> String {
        self.hot.digest()
    }

    /// What is said at the point.
    ///
    /// # Errors
    /// The point was not reached, or a text can't be opened.
    pub fn finish(self, keys: &KeyStore) -> Result<Replay, ReplayError> {
        let model = Model { rows: &self.rows, hot: &self.hot };
        let desk = Desk { tenant: &self.source.tenant, model, keys, opened: None, past: None, shown: None };
        let point = desk.model.resolve(self.as_of)?;
        let mut history = History::new(&desk);
        let mut contents = Vec::new();
        if let Some(point) = point {
            history.tell(point)?;
            let sight = Sight::within(&self.hot, vec![Prefix::tenant()]);
            for row in desk.model.holders("", None, usize::MAX, point, &sight)? {
                let sha256 = hex(&history.newest(&row)?);
                contents.push(ContentAt { key: row.key.clone(), version: row.main, sha256 });
            }
        }
        let index = self.hot.index;
        Ok(Replay {
            position: index.and_then(|index| position(&self.hot, index)),
            model_digest: self.model_digest(),
            events: history.events,
            versions: history.versions,
            history_digest: history.digest(),
            prompts: contents.len() as u64,
            contents,
        })
    }
}
