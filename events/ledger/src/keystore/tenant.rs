//! A tenant's keys in memory: what it names contents with, and the data keys that were made ahead.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hmac::Hmac;
use promptory_events::TenantId;
use sha2::Sha256;

use super::{DataKey, lock};
use crate::seal;

/// The first block of data keys is small: most tenants write little. A busy tenant's blocks double up to the last, as long
/// as half of one is used up sooner than [`SOON`]; a large one takes a core for a tenth of a second to make, which others
/// feel, so they are halved when they last longer than [`LONG`].
pub(super) const FIRST_BLOCK: usize = 64;
pub(super) const LAST_BLOCK: usize = 4096;
const SOON: Duration = Duration::from_millis(250);
const LONG: Duration = Duration::from_secs(2);

static SERIALS: AtomicU64 = AtomicU64::new(0);

/// One tenant's keys.
pub(super) struct TenantKeys {
    pub(super) tenant: TenantId,
    /// Stands for the tenant in the cache of data keys.
    pub(super) serial: u64,
    pub(super) epoch: u32,
    pub(super) epoch_key: [u8; 32],
    /// Keyed for content ids.
    pub(super) content: Hmac<Sha256>,
    /// Keyed for command hashes. Another key: a content may be any bytes, also those of a command.
    pub(super) command: Hmac<Sha256>,
    /// Held while a block is made. On JetStream: the number of the next one, if it is known.
    pub(super) making: Mutex<Option<u64>>,
    /// On JetStream: held while a block is read, so that many who want its keys read it once.
    pub(super) reading: Mutex<()>,
    pool: Mutex<Pool>,
}

#[derive(Default)]
struct Pool {
    keys: VecDeque<DataKey>,
    /// How many the last block had, and when it was made.
    block: usize,
    made: Option<Instant>,
    /// A refill was asked for and is not done.
    asked: bool,
}

/// How many keys follow on a block of so many (0: there was none), half of which have lasted so long.
fn after(block: usize, lasted: Duration) -> usize {
    let next = match lasted {
        soon if soon < SOON => block * 2,
        long if long > LONG => block / 2,
        _ => block,
    };
    next.clamp(FIRST_BLOCK, LAST_BLOCK)
}

impl TenantKeys {
    /// `secrets` is the content key and the command key, 32 bytes each.
    pub(super) fn new(tenant: TenantId, epoch: u32, epoch_key: [u8; 32], secrets: &[u8; 64]) -> Self {
        let (content, command) = secrets.split_at(32);
        Self {
            tenant,
            serial: SERIALS.fetch_add(1, Ordering::Relaxed),
            epoch,
            epoch_key,
            content: seal::hmac(content),
            command: seal::hmac(command),
            making: Mutex::default(),
            reading: Mutex::default(),
            pool: Mutex::default(),
        }
    }

    pub(super) fn pop(&self) -> Option<DataKey> {
        lock(&self.pool).keys.pop_front()
    }

    pub(super) fn left(&self) -> usize {
        lock(&self.pool).keys.len()
    }

    /// How many keys the next block has.
    pub(super) fn next_block(&self) -> usize {
        let pool = lock(&self.pool);
        let lasted = pool.made.map_or(Duration::ZERO, |made| made.elapsed());
        after(pool.block, lasted)
    }

    pub(super) fn add(&self, block: Vec<DataKey>) {
        let mut pool = lock(&self.pool);
        (pool.block, pool.made) = (block.len(), Some(Instant::now()));
        pool.keys.extend(block);
    }

    /// Whether `left` keys are so few that the next block is due: half of the last one is used.
    pub(super) fn is_low(&self, left: usize) -> bool {
        left <= lock(&self.pool).block / 2
    }

    /// True for the one caller that should ask for a refill.
    pub(super) fn claim_refill(&self) -> bool {
        let mut pool = lock(&self.pool);
        let due = !pool.asked && pool.keys.len() <= pool.block / 2;
        pool.asked |= due;
        due
    }

    /// The refill is done, or could not be asked for: the next caller may claim it again.
    pub(super) fn release_refill(&self) {
        lock(&self.pool).asked = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_grow_as_long_as_they_are_used_up_at_once_and_shrink_when_they_last() {
        let millis = Duration::from_millis;
        assert_eq!(after(0, Duration::ZERO), FIRST_BLOCK);
        assert_eq!([after(64, millis(10)), after(64, millis(500)), after(64, millis(60_000))], [128, 64, 64]);
        assert_eq!([after(4096, millis(10)), after(4096, millis(500)), after(4096, millis(5_000))], [4096, 4096, 2048]);
    }
}
