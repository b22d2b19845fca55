//! How long a usage record is kept, and how long its id is known.
//!
//! A view that is made anew learns from the records that are still there what was seen before. So a record stays longer than its
//! id counts: whatever makes rollups may stand still for as long, and the clocks of processes may differ.

use std::time::Duration;

/// How long ids are known unless somebody says otherwise.
pub const KEEP: Duration = Duration::from_secs(30 * DAY_S);
const DAY_S: u64 = 24 * 3600;
/// How much longer records stay.
const LONGER: Duration = Duration::from_secs(2 * DAY_S);
/// What "for ever" is for ids: ten years.
const LONGEST_MS: i64 = 10 * 366 * 24 * 3_600_000;

/// How long records stay whose ids are to be known for some time.
#[must_use]
pub fn max_age(keep: Duration) -> Duration {
    keep.saturating_add(LONGER)
}

/// How long ids are known of records that stay for some time (zero: for ever), in milliseconds.
#[must_use]
pub fn kept_of(max_age: Duration) -> i64 {
    if max_age.is_zero() {
        return LONGEST_MS;
    }
    let keep = max_age.checked_sub(LONGER).unwrap_or(max_age / 2);
    i64::try_from(keep.as_millis()).unwrap_or(LONGEST_MS).min(LONGEST_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_known_for_less_than_the_records_stay() {
        assert_eq!(kept_of(max_age(KEEP)), i64::try_from(KEEP.as_millis()).unwrap_or_default());
        assert_eq!(kept_of(Duration::from_secs(3600)), 1_800_000);
        assert_eq!(kept_of(Duration::ZERO), LONGEST_MS);
    }
}
