//! How much of a core work may take that nobody waits for: after a piece of work it rests in proportion to what that took.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// A share of one core, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Share(u8);

impl Share {
    /// Without rests: where nobody is served.
    pub const WHOLE: Self = Self(100);
    /// Beside what is served, unless somebody says otherwise.
    pub const HALF: Self = Self(50);
    /// The least, in percent: with less the end would never come.
    pub const PERCENT_MIN: u8 = 5;

    /// So many percent of a core, [`Share::PERCENT_MIN`] to 100.
    #[must_use]
    pub fn percent(percent: u8) -> Option<Self> {
        (Self::PERCENT_MIN..=100).contains(&percent).then_some(Self(percent))
    }

    /// As a fraction.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// Whether it never rests.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.0 >= 100
    }

    /// How long to rest after a piece of work that took so long.
    #[must_use]
    pub fn rest(self, worked: Duration) -> Duration {
        // It may have come over the wire, so it is held to its bounds once more.
        let percent = u32::from(self.0.clamp(Self::PERCENT_MIN, 100));
        worked * (100 - percent) / percent
    }
}

/// Rests of work on a thread of its own, after every so many steps.
pub(super) struct Rests {
    share: Share,
    steps: u32,
    begun: Instant,
}

/// Steps between two rests: a millisecond or two.
const STEPS: u32 = 500;

impl Rests {
    pub(super) fn of(share: Share) -> Self {
        Self { share, steps: 0, begun: Instant::now() }
    }

    /// A step was done. Sleeps now and then.
    pub(super) fn step(&mut self) {
        if self.share.is_whole() {
            return;
        }
        self.steps += 1;
        if self.steps >= STEPS {
            std::thread::sleep(self.share.rest(self.begun.elapsed()));
            *self = Self::of(self.share);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rests_in_proportion_to_its_work() {
        let worked = Duration::from_millis(30);
        assert_eq!(Share::HALF.rest(worked), worked);
        assert_eq!(Share::percent(25).map(|share| share.rest(worked)), Some(3 * worked));
        assert_eq!(Share::WHOLE.rest(worked), Duration::ZERO);
        assert!(Share::percent(4).is_none() && Share::percent(101).is_none());
        assert_eq!(Share(0).rest(worked), 19 * worked, "what came over the wire");
    }
}
