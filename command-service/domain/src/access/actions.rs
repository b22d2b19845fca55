//! A set of actions, small enough to be compared and copied without a thought.

use promptory_events::event::Action;
use serde::{Deserialize, Serialize};

/// A set of actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actions(u32);

impl Actions {
    /// These.
    #[must_use]
    pub fn of(actions: &[Action]) -> Self {
        Self(actions.iter().fold(0, |set, action| set | bit(*action)))
    }

    /// All but these.
    #[must_use]
    pub fn all_but(actions: &[Action]) -> Self {
        Self(Self::of(&Action::ALL).0 & !Self::of(actions).0)
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn has(self, action: Action) -> bool {
        self.0 & bit(action) != 0
    }

    /// Those that are in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Them, in order.
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |action| self.has(*action))
    }
}

fn bit(action: Action) -> u32 {
    1 << (action as u32)
}
