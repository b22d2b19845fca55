//! A tenant's ledger read whole by somebody who has just come: its chain followed link by link, and what is in it as the
//! oracle knows it.

use std::time::{Duration, Instant};

use promptory_events::{Batch, CommandId, Event, TenantId};
use promptory_ledger::jetstream::JetStream;
use promptory_ledger::{ReadError, Recorded};

use crate::oracle::{Id, Place};

/// What a batch holds, as a kind of writer counts it.
pub type Entries = fn(&Batch, &Recorded) -> Vec<(Id, Place)>;

const PAUSE: Duration = Duration::from_millis(500);

/// The batch itself, under its id: what writers straight to the ledger count.
#[must_use]
pub fn batches(batch: &Batch, recorded: &Recorded) -> Vec<(Id, Place)> {
    vec![(first_half(batch.header.batch_id.0), (recorded.cursor.sequence, None))]
}

/// Each version under the id of the command that added it, at its event's index, with its number: what clients count.
#[must_use]
pub fn versions(batch: &Batch, _: &Recorded) -> Vec<(Id, Place)> {
    let mut out = Vec::new();
    for (first, commit) in batch.indexed() {
        for (event, index) in commit.decode_events().unwrap().iter().zip(first..) {
            if let Event::VersionAdded(added) = event {
                out.push((of_command(commit.header.command_id), (index, Some(added.number))));
            }
        }
    }
    out
}

/// A command's id as the oracle knows it.
#[must_use]
pub fn of_command(id: CommandId) -> Id {
    first_half(id.0)
}

fn first_half(id: [u8; 16]) -> Id {
    u64::from_be_bytes(id[..8].try_into().unwrap())
}

/// Reads a tenant whole.
///
/// # Errors
/// The ledger contradicts itself, or can't be read for so long.
pub async fn stored(
    ledger: &JetStream,
    line: &str,
    entries: Entries,
    patience: Duration,
) -> Result<Vec<(Id, Place)>, String> {
    let (tenant, since): (TenantId, _) = (line.parse().unwrap(), Instant::now());
    loop {
        let mut walk = Walk { entries, ..Walk::default() };
        match walk.all(ledger, &tenant).await {
            Ok(()) => return walk.judged(),
            Err(ReadError::Unavailable(_)) if since.elapsed() < patience => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(error.to_string()),
        }
    }
}

struct Walk {
    entries: Entries,
    next_index: u64,
    /// The sequence of the batch before.
    last: u64,
    found: Vec<(Id, Place)>,
    wrong: Vec<String>,
}

impl Default for Walk {
    fn default() -> Self {
        Self { entries: batches, next_index: 0, last: 0, found: Vec::new(), wrong: Vec::new() }
    }
}

impl Walk {
    async fn all(&mut self, ledger: &JetStream, tenant: &TenantId) -> Result<(), ReadError> {
        let mut reader = ledger.read(tenant, 0).await?;
        loop {
            let page = reader.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for recorded in &page {
                let batch = Batch::parse(recorded.bytes.clone());
                self.take(&batch.map_err(|error| ReadError::Corrupt(error.to_string()))?, recorded);
            }
        }
    }

    /// The ledger's reader checks the chain as well; what is proved here does not lean on it.
    fn take(&mut self, batch: &Batch, recorded: &Recorded) {
        let (header, at) = (&batch.header, recorded.cursor.sequence);
        if header.first_index != self.next_index {
            self.wrong.push(format!("a gap: {} follows {} at {at}", header.first_index, self.next_index));
        }
        if header.prev != self.last {
            self.wrong.push(format!("a fork: {at} says that it follows {}, and follows {}", header.prev, self.last));
        }
        (self.next_index, self.last) = (header.last_index() + 1, at);
        self.found.extend((self.entries)(batch, recorded));
    }

    fn judged(mut self) -> Result<Vec<(Id, Place)>, String> {
        let numbers = self.found.iter().filter_map(|(_, (at, number))| number.map(|number| (number, at)));
        for ((number, at), due) in numbers.zip(1..) {
            if number != due {
                self.wrong.push(format!("number {number} at {at} where {due} is due"));
            }
        }
        if self.wrong.is_empty() { Ok(self.found) } else { Err(self.wrong.join("; ")) }
    }
}
