//! A disk in memory that can be broken on purpose, the same way for the same seed.
//!
//! It keeps the durable bytes and, as a list, every write since the last sync. A power loss keeps any subset of those
//! writes, torn at sector borders: what a real disk may do between two syncs, and harsher than most file systems.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

/// A disk that loses power. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct FaultBackend {
    shared: Arc<Shared>,
    power: Power,
}

/// How many more changes succeed before the power is gone (`None`: all do). Several disks can hang on one.
#[derive(Clone, Debug, Default)]
pub struct Power {
    remaining: Arc<Mutex<Option<u64>>>,
}

impl Power {
    fn remaining(&self) -> MutexGuard<'_, Option<u64>> {
        self.remaining.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `changes` more writes, resizes and syncs succeed; then every one fails. `None`: all succeed again.
    pub fn fail_after(&self, changes: Option<u64>) {
        *self.remaining() = changes;
    }

    /// Counts a change; fails if no more are allowed.
    fn spend(&self) -> io::Result<()> {
        match self.remaining().as_mut() {
            Some(0) => Err(io::Error::other("the power is gone")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    disk: Mutex<Disk>,
    released: Condvar,
}

#[derive(Debug, Default)]
struct Disk {
    /// What survives a power loss for sure.
    durable: Vec<u8>,
    /// What a reader sees.
    current: Vec<u8>,
    /// What was done since the last sync, in order.
    pending: Vec<Operation>,
    /// While set, syncs wait.
    held: bool,
    /// Syncs that wait now.
    waiting: u64,
}

#[derive(Debug, Clone)]
enum Operation {
    Write { offset: usize, data: Vec<u8> },
    SetLen(usize),
}

/// SplitMix64: small, seeded, good enough to choose sectors.
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// The sequence that `seed` begins.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_u64().checked_rem(bound).unwrap_or(0)
    }
}

impl Disk {
    fn sync(&mut self) {
        for operation in std::mem::take(&mut self.pending) {
            operation.apply(&mut self.durable);
        }
    }
}

impl Operation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { offset, data } => put(bytes, *offset, data),
            Self::SetLen(len) => bytes.resize(*len, 0),
        }
    }
}

/// Writes what fits: bytes beyond a length that was lost are lost with it.
fn put(bytes: &mut [u8], offset: usize, data: &[u8]) {
    let end = bytes.len().min(offset.saturating_add(data.len()));
    if offset < end {
        bytes[offset..end].copy_from_slice(&data[..end - offset]);
    }
}

impl FaultBackend {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn holding(bytes: Vec<u8>) -> Self {
        let disk = Disk { current: bytes.clone(), durable: bytes, ..Disk::default() };
        let shared = Arc::new(Shared { disk: Mutex::new(disk), released: Condvar::new() });
        Self { shared, power: Power::default() }
    }

    /// The same disk on another power supply, to share it with other disks.
    #[must_use]
    pub fn on(self, power: &Power) -> Self {
        Self { power: power.clone(), ..self }
    }

    // A test that panicked elsewhere must not hide its own message behind this one.
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.shared.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk as it comes back: the durable bytes and a random part of the writes since the last sync.
    #[must_use]
    pub fn power_loss(&self, seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let disk = self.disk();
        let mut bytes = disk.durable.clone();
        let sector = if random.below(2) == 0 { 512 } else { 4096 };
        // From "nearly nothing got through" to "nearly all did".
        let kept_of_16 = random.below(17);
        for operation in &disk.pending {
            keep_part(operation, &mut bytes, sector, kept_of_16, &mut random);
        }
        Self::holding(bytes)
    }

    /// The disk as it comes back if nothing since the last sync got through.
    #[must_use]
    pub fn lose_unsynced(&self) -> Self {
        Self::holding(self.disk().durable.clone())
    }

    /// The disk after the process was killed: nothing is lost.
    #[must_use]
    pub fn kill(&self) -> Self {
        Self::holding(self.disk().current.clone())
    }

    /// See [`Power::fail_after`].
    pub fn fail_after(&self, changes: Option<u64>) {
        self.power.fail_after(changes);
    }

    /// While held, a sync waits: what is appended meanwhile gathers.
    pub fn hold_syncs(&self, held: bool) {
        self.disk().held = held;
        self.shared.released.notify_all();
    }

    /// How many syncs wait now.
    #[must_use]
    pub fn waiting_syncs(&self) -> u64 {
        self.disk().waiting
    }

    /// Flips one bit of what is stored; does nothing beyond the end.
    pub fn flip_bit(&self, offset: usize, bit: u8) {
        let mut disk = self.disk();
        let mask = 1 << (bit % 8);
        if let Some(byte) = disk.durable.get_mut(offset) {
            *byte ^= mask;
        }
        if let Some(byte) = disk.current.get_mut(offset) {
            *byte ^= mask;
        }
    }
}

fn keep_part(operation: &Operation, bytes: &mut Vec<u8>, sector: usize, kept_of_16: u64, random: &mut SplitMix64) {
    match operation {
        // The new length lives in one inode: all or nothing.
        Operation::SetLen(_) => {
            if random.below(16) < kept_of_16 {
                operation.apply(bytes);
            }
        }
        Operation::Write { offset, data } => {
            let mut at = 0;
            while at < data.len() {
                let border = (offset + at) / sector * sector + sector;
                let end = data.len().min(border - offset);
                if random.below(16) < kept_of_16 {
                    put(bytes, offset + at, &data[at..end]);
                }
                at = end;
            }
        }
    }
}

fn index(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput.into())
}

impl StorageBackend for FaultBackend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk().current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (disk, offset) = (self.disk(), index(offset)?);
        let end = offset.checked_add(out.len()).ok_or(io::ErrorKind::InvalidInput)?;
        let bytes = disk.current.get(offset..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Operation::SetLen(index(len)?))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Operation::Write { offset: index(offset)?, data: data.to_vec() })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.power.spend()?;
        let mut disk = self.disk();
        disk.waiting += 1;
        while disk.held {
            disk = self.shared.released.wait(disk).unwrap_or_else(PoisonError::into_inner);
        }
        disk.waiting -= 1;
        disk.sync();
        Ok(())
    }
}

impl FaultBackend {
    fn change(&self, operation: Operation) -> io::Result<()> {
        self.power.spend()?;
        let mut disk = self.disk();
        operation.apply(&mut disk.current);
        disk.pending.push(operation);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
