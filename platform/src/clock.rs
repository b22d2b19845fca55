//! The clock is passed in: the real one, or one that a test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use promptory_events::Timestamp;

/// What time it is.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's wall clock.
    System,
    /// Stands still until it is moved.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `at`.
    #[must_use]
    pub fn manual(at: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(at.micros())))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::from_micros(wall_clock_micros()),
            Self::Manual(micros) => Timestamp::from_micros(micros.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock by some milliseconds; the real one can't be moved.
    pub fn advance_ms(&self, ms: i64) {
        if let Self::Manual(micros) = self {
            micros.fetch_add(ms.saturating_mul(1000), Ordering::SeqCst);
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the one place that may")]
fn wall_clock_micros() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}
