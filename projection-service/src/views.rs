//! The read models, one a module: what it keeps, how an event changes it, how it answers.
//!
//! Each has its own store for each tenant, with its own checkpoint and sum, so that each is built, stopped and swapped
//! alone. What they share is here: the trait, and [`fold`], which is pure.

pub mod audit;
pub mod catalog;
pub mod fold;
pub mod search;
pub mod stage;

use std::fmt::Debug;
use std::str::FromStr;
use std::time::Duration;

use promptory_events::{Cursor, Position, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::digest::Sum;
use crate::store::checkpoint::Checkpoint;
use crate::store::rows::{RowError, Rows};
use fold::{Broken, Source, Step};
use stage::Staged;

/// How far a view is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last event that it knows; `None` before the first.
    pub index: Option<u64>,
    /// The batch of that event.
    pub cursor: Option<Cursor>,
    /// When that batch was recorded.
    pub recorded_at: Timestamp,
    /// The sum over all that the digest is of.
    pub sum: Sum,
}

impl Default for Head {
    fn default() -> Self {
        Self { index: None, cursor: None, recorded_at: Timestamp::MIN, sum: Sum::default() }
    }
}

/// A view, by what the fold of it has in memory for one tenant. Persistent inside: a clone is a few pointers.
pub trait View: Clone + Default + Debug + Send + Sync + 'static {
    /// Its name: that of its folder, and in health, metrics and logs.
    const NAME: &'static str;
    /// What its digests are of; also the name of its tree in the store.
    const DIGEST_OF: &'static str;
    /// The shape of its rows. A test pins the digest of a fixed history: if it changes, so must this number, and every
    /// store is built anew.
    const FORMAT: u32;
    /// Between two pages a worker takes as much time as it took to apply the last one, within these bounds: the shorter,
    /// the sooner an event is seen; the longer, the more events share a commit.
    const GATHER: (Duration, Duration);
    /// Whether it lets others go first while it serves: sled applies one batch at a time in the whole process, so it writes
    /// small ones, and does nothing after each for as long as that took.
    const GIVES_WAY: bool;

    /// What it keeps with its checkpoint, besides how far it is.
    type Kept: Clone + Debug + Send + Sync + Serialize + DeserializeOwned + 'static;
    /// Makes it from its rows.
    type Loader: Load<Self>;

    /// How far it is.
    fn head(&self) -> Head;

    /// It is so far now.
    fn set_head(&mut self, head: Head);

    /// What it keeps with its checkpoint now.
    fn kept(&self) -> Self::Kept;

    /// Adds what the digest is of, of a row.
    ///
    /// # Errors
    /// The row can't be read.
    fn sum_of(key: &[u8], value: &[u8], sum: &mut Sum) -> Result<(), RowError> {
        sum.add(key, value);
        Ok(())
    }

    /// Adds what the digest is of, of what is kept with the checkpoint at an event.
    fn sum_of_kept(_kept: &Self::Kept, _index: u64, _sum: &mut Sum) {}

    /// Applies one event, the next one by the caller's word, and stages the rows that it changes.
    ///
    /// # Errors
    /// The event can't follow on those before it.
    fn apply(&mut self, staged: &mut Staged<Self::Kept>, source: &Source, step: &Step<'_>) -> Result<(), Broken>;

    /// The index of the event that comes next.
    #[must_use]
    fn next(&self) -> u64 {
        self.head().index.map_or(0, |index| index + 1)
    }

    /// Where it is, as users see it.
    #[must_use]
    fn position(&self) -> Option<Position> {
        let head = self.head();
        head.cursor.zip(head.index).map(|(cursor, index)| Position { incarnation: cursor.incarnation, index })
    }

    /// Its model digest, hex.
    #[must_use]
    fn digest(&self) -> String {
        let head = self.head();
        head.sum.model_digest(Self::DIGEST_OF, head.index.unwrap_or_default())
    }
}

/// The views by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Name {
    /// Prompts with every past state, and who may do what.
    Catalog,
    /// Who did what, when and by which right.
    Audit,
}

impl Name {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Catalog, Self::Audit];

    /// The text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Catalog => <crate::hot::Hot as View>::NAME,
            Self::Audit => audit::Audit::NAME,
        }
    }
}

/// The text names no view.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no view; there are `catalog` and `audit`")]
pub struct UnknownView(String);

impl FromStr for Name {
    type Err = UnknownView;

    fn from_str(text: &str) -> Result<Self, UnknownView> {
        Self::ALL.into_iter().find(|name| name.as_str() == text).ok_or_else(|| UnknownView(text.to_owned()))
    }
}

/// Makes a view's state again from its rows, while they are read to be verified.
pub trait Load<V: View>: Default {
    /// Takes note of a row; they come in order.
    ///
    /// # Errors
    /// A row that can't be read.
    fn see(&mut self, key: &[u8], value: &[u8]) -> Result<(), RowError>;

    /// The state, once all rows were seen and are what the checkpoint speaks of.
    ///
    /// # Errors
    /// A row that can't be read.
    fn finish(self, checkpoint: Option<Checkpoint<V::Kept>>, rows: &impl Rows) -> Result<V, RowError>;
}
