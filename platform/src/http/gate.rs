//! A gate that lets so much in and refuses the rest at once: nothing waits in an unbounded line.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what is inside.
#[derive(Clone, Debug)]
pub struct Gate {
    inside: Arc<AtomicU64>,
    max: u64,
}

/// A stay inside; dropping it is leaving.
#[derive(Debug)]
pub struct Stay {
    inside: Arc<AtomicU64>,
    amount: u64,
}

impl Gate {
    pub fn new(max: u64) -> Self {
        Self { inside: Arc::default(), max }
    }

    /// Enters with `amount`, if there is room for it.
    pub fn enter(&self, amount: u64) -> Option<Stay> {
        // Counted before it is checked, so that two who come at once can't both take the last place.
        let stay = Stay { inside: Arc::clone(&self.inside), amount };
        let before = self.inside.fetch_add(amount, Ordering::Relaxed);
        (before.saturating_add(amount) <= self.max).then_some(stay)
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.inside.fetch_sub(self.amount, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_gate_refuses_and_opens_again() {
        let gate = Gate::new(3);
        let two = gate.enter(2).unwrap();
        assert!(gate.enter(2).is_none(), "four would be inside");
        let one = gate.enter(1).unwrap();
        assert!(gate.enter(1).is_none());
        drop(two);
        assert!(gate.enter(2).is_some());
        drop(one);
        assert_eq!(gate.inside.load(Ordering::Relaxed), 0);
    }
}
