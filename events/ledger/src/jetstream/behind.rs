//! When a leader is believed that ends before what was given already: that is a loss, and stops a follower for good.
//!
//! Two kinds of leaders end there and have lost nothing. A new one has not applied all that it holds yet, which is over in less
//! than a second. One that was stopped goes on for a moment as if it still led; it has heard of no majority for
//! [`HEARD_WITHIN`] by then, and is not asked any more. So it must be the same one that says so, without a break, for longer.

use std::time::{Duration, Instant};

use super::fetch::HEARD_WITHIN;

/// How long it has to say so.
const BELIEVED_AFTER: Duration = HEARD_WITHIN.saturating_add(Duration::from_secs(1));

/// Which leader ends before what was given, and since when it has said nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Behind {
    leader: Option<String>,
    since: Instant,
}

impl Behind {
    /// It says so now. `before`: what was said the last time, if that was that, too.
    pub(super) fn said(before: Option<Self>, leader: Option<String>, now: Instant) -> Self {
        before.filter(|before| before.leader == leader).unwrap_or(Self { leader, since: now })
    }

    /// Whether it is believed.
    pub(super) fn is_believed(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= BELIEVED_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_leader_that_says_so_all_the_time_is_believed() {
        let begun = Instant::now();
        let said = |before, leader: &str, seconds| {
            let now = begun + Duration::from_secs(seconds);
            let behind = Behind::said(before, Some(leader.to_owned()), now);
            (behind.is_believed(now), Some(behind))
        };
        let (first, at) = said(None, "n0", 0);
        let (soon, at) = said(at, "n0", 3);
        let (late, at) = said(at, "n0", 4);
        assert_eq!((first, soon, late), (false, false, true));
        let (other, at) = said(at, "n1", 5);
        assert!(!other, "another one begins anew");
        let (back, _) = said(at, "n0", 9);
        assert!(!back, "and the first one, too");
        assert!(!said(None, "n1", 9).0, "and after a break");
        assert!(BELIEVED_AFTER > HEARD_WITHIN, "a stopped one is not asked for so long");
    }
}
