//! Commands a minute: a bucket for each tenant that has a quota of them, at the door of this process.
//!
//! A bucket holds as many as a minute allows and fills evenly. A request is let in if anything is in it, and may leave it
//! owing: so one request may be larger than what is left, and the mean holds. Other processes have buckets of their own.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use promptory_events::{TenantId, Timestamp};

/// What one command takes: a bucket that holds a limit's worth of it gets the limit's worth of units each microsecond.
const COMMAND: i128 = 60_000_000;

/// The buckets.
#[derive(Debug, Default)]
pub struct Rates(Mutex<HashMap<TenantId, Bucket>>);

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: i128,
    at: Timestamp,
}

impl Rates {
    /// Lets some commands in, or says after how many seconds to come again. Without a limit all are let in.
    ///
    /// # Errors
    /// The bucket is empty.
    pub fn admit(&self, tenant: &TenantId, limit: Option<u64>, commands: usize, now: Timestamp) -> Result<(), u64> {
        // A tenant without a limit costs no lock.
        let Some(limit) = limit else { return Ok(()) };
        let (limit, mut buckets) = (i128::from(limit), self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let full = limit * COMMAND;
        let bucket = buckets.entry(tenant.clone()).or_insert(Bucket { left: full, at: now });
        let passed = i128::from(now.micros()) - i128::from(bucket.at.micros());
        bucket.left = full.min(bucket.left + limit * passed.max(0));
        bucket.at = bucket.at.max(now);
        if bucket.left < COMMAND {
            let a_second = limit * 1_000_000;
            let seconds = (COMMAND - bucket.left + a_second - 1).checked_div(a_second).unwrap_or(i128::MAX);
            // Of a limit of 0 nothing ever comes: an hour is as good as any.
            return Err(u64::try_from(seconds.min(3600)).unwrap_or(1));
        }
        bucket.left -= (commands as i128) * COMMAND;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_s_worth_at_once_and_then_evenly() {
        let (rates, tenant) = (Rates::default(), "acme".parse::<TenantId>().unwrap());
        let start: Timestamp = "2026-05-03T12:00:00Z".parse().unwrap();
        let admit = |commands, ms| rates.admit(&tenant, Some(60), commands, start.plus_ms(ms));
        for _ in 0..60 {
            assert_eq!(admit(1, 0), Ok(()));
        }
        assert_eq!(admit(1, 0), Err(1));
        assert_eq!(admit(1, 999), Err(1));
        assert_eq!((admit(1, 1_000), admit(1, 1_000)), (Ok(()), Err(1)));
        // A large request goes in and is paid for.
        assert_eq!(admit(120, 61_000), Ok(()));
        assert_eq!(admit(1, 62_000), Err(60));
        assert_eq!(admit(1, 122_000), Ok(()));
        // A clock that goes back fills nothing.
        assert!(admit(1, 0).is_err());
    }

    #[test]
    fn without_a_limit_all_are_let_in_and_with_none_at_all_nobody() {
        let (rates, tenant) = (Rates::default(), "acme".parse::<TenantId>().unwrap());
        for _ in 0..1000 {
            assert_eq!(rates.admit(&tenant, None, 1000, Timestamp::MIN), Ok(()));
        }
        assert_eq!(rates.admit(&tenant, Some(0), 1, Timestamp::MIN), Err(3600));
    }
}
