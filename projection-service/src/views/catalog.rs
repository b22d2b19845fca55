//! The catalog: prompts with every past state, their versions, labels and keys, and who may read them.
//!
//! The fold works on [`Hot`] and never reads rows: what a change replaces follows from the state.

mod access;
pub mod answer;
mod apply;
mod directory;
mod identity;
pub mod past;
pub mod point;
mod releases;
pub mod row;
pub mod sight;
pub mod stage;
pub mod trail;

use std::time::Duration;

use promptory_domain::quota::Quotas;

use super::{Head, View};
use crate::hot::Hot;
use crate::hot::load::Loader;
use stage::Staged;

pub use super::fold::{Broken, Source, fold, fold_until};

/// The name of the view, in digests and as the name of its tree.
pub const VIEW: &str = "catalog-1";

/// The shape of the rows. A test pins the digest of a fixed history: if it changes, so must this number, and every
/// store is built anew on its next opening.
pub const FORMAT: u32 = 9;

impl View for Hot {
    const NAME: &'static str = "catalog";
    const DIGEST_OF: &'static str = VIEW;
    const FORMAT: u32 = FORMAT;
    // What comes alone is taken at once, and under load the applying takes half of a core and its pages grow.
    const GATHER: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(10));
    const GIVES_WAY: bool = false;

    type Kept = Quotas;
    type Loader = Loader;

    fn head(&self) -> Head {
        Head { index: self.index, cursor: self.cursor, recorded_at: self.recorded_at, sum: self.sum }
    }

    fn set_head(&mut self, head: Head) {
        Head { index: self.index, cursor: self.cursor, recorded_at: self.recorded_at, sum: self.sum } = head;
    }

    fn kept(&self) -> Quotas {
        self.quotas
    }

    fn apply(&mut self, staged: &mut Staged, _: &Source, step: &super::fold::Step<'_>) -> Result<(), Broken> {
        apply::apply(self, staged, step)
    }
}

#[cfg(test)]
mod tests;
