//! A tenant's state from its snapshot and the batches after it.

use promptory_domain::Tenant;
use promptory_events::{Batch, CommandId, Position, TenantId, Timestamp};
use promptory_ledger::{Ledger, Recorded};

use crate::cache::{Cache, Receipt};
use crate::failure::Failure;
use crate::recent::RECENT_MAX;

/// A state that the ledger confirms.
#[derive(Clone, Debug)]
pub struct Confirmed {
    /// The state.
    pub state: Tenant,
    /// The tenant's last batch: what the next append is guarded with. 0: none.
    pub sequence: u64,
    /// When that batch was recorded.
    pub recorded_at: Timestamp,
}

impl Confirmed {
    /// Before the first batch.
    #[must_use]
    pub fn empty(tenant: TenantId) -> Self {
        Self { state: Tenant::new(tenant), sequence: 0, recorded_at: Timestamp::MIN }
    }

    /// The last event's position; `None` before the first.
    #[must_use]
    pub fn position(&self, ledger: &Ledger) -> Option<Position> {
        let index = self.state.next_index().checked_sub(1)?;
        Some(Position { incarnation: ledger.incarnation(), index })
    }

    /// Takes in the batches that the ledger holds beyond this state, and gives the receipts in them.
    ///
    /// # Errors
    /// The ledger can't be read or contradicts itself; the state is then not to be used any more.
    pub async fn catch_up(&mut self, ledger: &Ledger) -> Result<CaughtUp, Failure> {
        let from = self.state.next_index();
        let mut caught_up = CaughtUp { from, commits_from: from, ..CaughtUp::default() };
        let tenant = self.state.id().clone();
        if ledger.head(&tenant).await?.is_none_or(|head| head.position.index < self.state.next_index()) {
            return Ok(caught_up);
        }
        let mut reader = ledger.read(&tenant, self.state.next_index()).await?;
        loop {
            let page = reader.next().await?;
            if page.is_empty() {
                return Ok(caught_up);
            }
            for recorded in page {
                self.take_in(&recorded, &mut caught_up)?;
            }
        }
    }

    fn take_in(&mut self, recorded: &Recorded, caught_up: &mut CaughtUp) -> Result<(), Failure> {
        let broken = |what: String| Failure::Unavailable(format!("batch {}: {what}", recorded.cursor.sequence));
        let batch = Batch::parse(recorded.bytes.clone()).map_err(|e| broken(e.to_string()))?;
        if batch.header.prev != self.sequence {
            return Err(broken(format!("follows {}, not {}", batch.header.prev, self.sequence)));
        }
        for (first_index, commit) in batch.indexed() {
            let events = commit.decode_events().map_err(|e| broken(e.to_string()))?;
            for (event, index) in events.iter().zip(first_index..) {
                self.state.evolve(index, commit.header.actor, event).map_err(|e| broken(e.to_string()))?;
            }
            caught_up.receipts.extend(Receipt::of(&commit.header, first_index));
            caught_up.commits.push((commit.header.command_id, first_index));
        }
        caught_up.batches.push((recorded.cursor.sequence, batch.header.batch_id));
        caught_up.forget_old_commits();
        caught_up.writer = batch.header.writer;
        self.sequence = recorded.cursor.sequence;
        self.recorded_at = batch.header.recorded_at;
        Ok(())
    }
}

/// What a catch-up found.
#[derive(Debug, Default)]
pub struct CaughtUp {
    /// The first event that it looked for.
    pub from: u64,
    /// The commands in the batches that may be repeated.
    pub receipts: Vec<(CommandId, Receipt)>,
    /// The batches: their sequence and id, to find one's own among them.
    pub batches: Vec<(u64, promptory_events::BatchId)>,
    /// All commands in them and where, from `commits_from` on.
    pub commits: Vec<(CommandId, u64)>,
    /// The index from which `commits` has all.
    pub commits_from: u64,
    /// Where the writer of the last batch is reached.
    pub writer: String,
}

impl CaughtUp {
    /// A large tenant that is folded anew has millions; only the latest can ever be asked for.
    fn forget_old_commits(&mut self) {
        if self.commits.len() > 2 * RECENT_MAX {
            self.commits.drain(..self.commits.len() - RECENT_MAX);
            self.commits_from = self.commits.first().map_or(self.commits_from, |(_, index)| *index);
        }
    }
}

/// Whether the ledger holds the batch that a snapshot ends with. It does not if an older ledger was put back: then the
/// snapshot and the receipts with it speak of commands that never were.
async fn follows(ledger: &Ledger, snapshot: &Confirmed) -> Result<bool, Failure> {
    let Some(last) = snapshot.state.next_index().checked_sub(1) else { return Ok(true) };
    let Some(recorded) = ledger.get(snapshot.state.id(), last).await? else { return Ok(false) };
    let header = Batch::peek(recorded.bytes).map_err(|e| Failure::Unavailable(e.to_string()))?;
    let same_end = header.last_index() == last && header.recorded_at == snapshot.recorded_at;
    Ok(same_end && recorded.cursor.sequence == snapshot.sequence)
}

/// A tenant's state at the end of its ledger, and the receipts since its snapshot.
///
/// # Errors
/// The ledger can't be read or contradicts itself.
pub async fn load(ledger: &Ledger, cache: &Cache, tenant: &TenantId) -> Result<(Confirmed, CaughtUp), Failure> {
    let mut confirmed = cache.snapshot(tenant).unwrap_or_else(|| Confirmed::empty(tenant.clone()));
    if !follows(ledger, &confirmed).await? {
        tracing::warn!(%tenant, "a snapshot is of another ledger; folding from the beginning");
        cache.forget(tenant).map_err(|e| Failure::Unavailable(e.to_string()))?;
        confirmed = Confirmed::empty(tenant.clone());
    }
    let caught_up = confirmed.catch_up(ledger).await?;
    Ok((confirmed, caught_up))
}
