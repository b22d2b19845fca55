//! Named moments in the life of a read model, between what is durable and what is said, for the drill that ends the process
//! there.
//!
//! Nothing from outside reaches them: there is no flag, no variable and no feature of the build. Only a program that links
//! this crate and calls [`watch`] is told, which the drill's own worker does and `promptory` does not; there a point is a
//! look at an empty cell, beside a write to a store.

use std::sync::OnceLock;

/// A moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Rows and their checkpoint are about to be written, as one of the parts of a page.
    BeforeCommit,
    /// They are written.
    AfterCommit,
    /// The store has a page whole, and who asks is answered from the state before it.
    BeforeSwap,
    /// Who asks is answered from the new state, and nobody who waits was woken.
    BeforeAnnounce,
    /// A partition's stores are on the disk, and its cursor does not say so.
    BeforeCursor,
    /// It does.
    AfterCursor,
    /// An index has its documents, and nothing is committed.
    BeforeIndexCommit,
    /// Its new segments are on the disk, and are not the index's.
    WithinIndexCommit,
    /// They are, and who searches is answered from the state before.
    AfterIndexCommit,
}

impl Point {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::BeforeCommit,
        Self::AfterCommit,
        Self::BeforeSwap,
        Self::BeforeAnnounce,
        Self::BeforeCursor,
        Self::AfterCursor,
        Self::BeforeIndexCommit,
        Self::WithinIndexCommit,
        Self::AfterIndexCommit,
    ];
}

type Watcher = Box<dyn Fn(Point) + Send + Sync>;

static WATCHER: OnceLock<Watcher> = OnceLock::new();

/// Tells `watcher` of every point from now on, on the thread that passes it, which goes on when it returns. Once in a
/// process: false if somebody watches already.
pub fn watch(watcher: impl Fn(Point) + Send + Sync + 'static) -> bool {
    WATCHER.set(Box::new(watcher)).is_ok()
}

pub(crate) fn pass(point: Point) {
    if let Some(watcher) = WATCHER.get() {
        watcher(point);
    }
}
