//! One tenant among many: how long its first command and its first read take by somebody who has nothing but the servers'
//! address, connections included.
//!
//! The tenant's batches are commands that each waited for their answer; the others' are small ones that are appended
//! straight at the ledger, evenly between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use promptory_events::event::{Event, KeyRevoked};
use promptory_events::{
    Batch, BatchHeader, BatchId, CommandHash, CommandId, Commit, CommitHeader, Credential, Evidence, KeyId,
    PrincipalId, TenantId,
};
use promptory_ledger::{AppendError, Ledger};
use promptory_platform::Clock;

use super::super::cold_start::{BATCHES, first_command, first_read, unused, write};
use super::super::report::{Bar, Figures};
use super::super::world::{World, batches, no_such_part};
use super::super::{Bench, BenchError};
use super::account::Account;
use crate::node::Config;
use crate::roles::Role;
use crate::stores::{Stores, open_ledger};

/// Batches of the whole ledger.
const ALL: usize = 1_000_000;
/// Tenants besides the one: each has one append under way.
const OTHERS: usize = 256;
/// Until the first answer.
const SECONDS: f64 = 2.0;
/// Until it is looked again whether the others have come far enough, or the servers take more.
const PAUSE: Duration = Duration::from_millis(2);

/// Measures.
///
/// # Errors
/// Something broke.
pub async fn run(bench: &Bench, account: &Account, figures: &mut Figures) -> Result<(), BenchError> {
    let config = Config { roles: Role::Command.into(), ..account.config(bench.folder("filling")) };
    let world = World::start_on(config).await?;
    let tenant = world.tenant("cold").await?;
    let (own, all) = (bench.scaled(BATCHES, 100), bench.scaled(ALL, 1_000));
    let filler = Filler::new(world.node().ledger().clone(), all.saturating_sub(own))?;
    let (began, between) = (Instant::now(), filler.wanted / own);
    let filling: Vec<_> = (0..OTHERS).map(|number| tokio::spawn(filler.clone().fill(number))).collect();
    let evenly = async |number| {
        while filler.done.load(Ordering::Relaxed) < number * between && !filling.iter().any(|task| task.is_finished()) {
            tokio::time::sleep(PAUSE).await;
        }
    };
    write(world.node().service().ok_or_else(no_such_part)?, &tenant, own, evenly).await?;
    for task in filling {
        task.await??;
    }
    let took = began.elapsed().as_secs_f64();
    world.stop().await;

    let looking_on = open_ledger(&account.config(bench.folder("looking-on"))).await?;
    let there = batches(&looking_on).await?;
    #[allow(clippy::cast_precision_loss, reason = "small")]
    figures.sample("cold start: batches of the tenant", "", own as f64);
    figures.sample("cold start: batches of the ledger", "", there);
    figures.sample(format!("cold start: appended by {} writers to fill it", OTHERS + 1), "/s", there / took);
    for round in 0..bench.args.rounds {
        let folder = bench.folder(&format!("cold-on-jetstream-{round}"));
        let (commands, models) = (folder.join("commands.redb"), folder.join("models"));
        for what in ["nothing but the ledger", "with what the last one left"] {
            let number = unused(&looking_on, &tenant).await?;
            let began = Instant::now();
            let stores = Stores::open(&account.config(folder.clone())).await?;
            let command = first_command(began, &stores, &tenant, number, commands.clone()).await?;
            drop(stores);
            let began = Instant::now();
            let stores = Stores::open(&account.config(folder.clone())).await?;
            let read = first_read(began, &stores, &tenant, models.clone()).await?;
            for (first, took) in [("command", command), ("read", read)] {
                let name = format!("cold start: first {first}, {what}");
                figures.held(name, "s", took.as_secs_f64(), Bar::AtMost(SECONDS));
            }
        }
    }
    Ok(())
}

/// Batches of other tenants, until there are enough.
#[derive(Debug)]
struct Filler {
    ledger: Ledger,
    commit: Bytes,
    wanted: usize,
    begun: AtomicUsize,
    done: AtomicUsize,
}

fn refused(error: impl std::fmt::Display) -> BenchError {
    BenchError::Append(error.to_string())
}

impl Filler {
    fn new(ledger: Ledger, wanted: usize) -> Result<Arc<Self>, BenchError> {
        let header = CommitHeader {
            command_id: CommandId([0; 16]),
            command_hash: CommandHash::NONE,
            actor: PrincipalId([0; 16]),
            evidence: Evidence { credential: Credential::System, grants: Vec::new() },
            occurred_at: None,
            author: None,
            message: None,
            trace: None,
        };
        let commit = Commit { header, events: vec![Event::KeyRevoked(KeyRevoked { key: KeyId([0; 8]), from: None })] };
        let commit = commit.encode().map_err(refused)?;
        Ok(Arc::new(Self { ledger, commit, wanted, begun: AtomicUsize::new(0), done: AtomicUsize::new(0) }))
    }

    /// One tenant's part: each batch follows the one before.
    async fn fill(self: Arc<Self>, number: usize) -> Result<(), BenchError> {
        let tenant: TenantId = format!("other-{number}").parse().map_err(refused)?;
        let (mut first_index, mut prev) = (0, 0);
        while self.begun.fetch_add(1, Ordering::Relaxed) < self.wanted {
            let header = BatchHeader {
                batch_id: BatchId([0; 16]),
                tenant: tenant.clone(),
                incarnation: self.ledger.incarnation(),
                first_index,
                events: 1,
                recorded_at: Clock::System.now(),
                prev,
                writer: String::new(),
            };
            let batch = Batch::encode(&header, std::slice::from_ref(&self.commit)).map_err(refused)?;
            prev = self.append(&tenant, prev, batch).await?;
            first_index += 1;
            self.done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn append(&self, tenant: &TenantId, prev: u64, batch: Bytes) -> Result<u64, BenchError> {
        loop {
            match self.ledger.append(tenant, prev, batch.clone()).await {
                Ok(cursor) => return Ok(cursor.sequence),
                Err(AppendError::Busy) => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(refused(error)),
            }
        }
    }
}
