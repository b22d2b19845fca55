//! Power losses under the ledger and the key store at once, simulated: whatever was acknowledged is there afterwards.
//!
//! Both disks hang on one power supply that fails in the middle of a write or a sync. Each comes back with its durable
//! bytes and a random part of what was not synced, and the next round goes on with that. `PROMPTORY_ROUNDS` sets the
//! number of losses (50), `PROMPTORY_SEED` the first seed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use promptory_events::{Batch, BatchId, Cursor, DataKeyId, Incarnation, TenantId};
use promptory_ledger::embedded::Embedded;
use promptory_ledger::storage::OpenError;
use promptory_ledger::storage::fault::{FaultBackend, Power, SplitMix64};
use promptory_ledger::{AppendError, KeyStore, seal};
use support::{Draft, tenant};

const PARTITIONS: u16 = 2;
/// After so many losses a new ledger begins, or reading everything back would take all the time.
const ROUNDS_OF_A_LEDGER: usize = 10;
const TENANTS: [&str; 3] = ["acme", "demo", "_system"];

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// The two disks, and everything that was ever sent and acknowledged.
struct World {
    ledger_disk: FaultBackend,
    key_disk: FaultBackend,
    incarnation: Option<Incarnation>,
    next_id: u64,
    sent: BTreeSet<BatchId>,
    acknowledged: BTreeMap<BatchId, Cursor>,
    unknown: u64,
}

/// The text that a batch carries, sealed: anybody can tell from the batch what it must open to.
fn text_of(id: BatchId) -> String {
    format!("the text of {id}")
}

/// One life of the process, from open to the loss.
struct Life {
    ledger: Embedded,
    keys: KeyStore,
}

impl Life {
    fn open(world: &World) -> Result<Self, OpenError> {
        let ledger = Embedded::with_backend(world.ledger_disk.clone(), PARTITIONS)?;
        Ok(Self { ledger, keys: KeyStore::with_backend(world.key_disk.clone())? })
    }

    /// Makes the next batch of a tenant, its text sealed under a fresh key: the key is durable before the batch is sent.
    async fn draft(&self, tenant: &TenantId, id: u64, random: &mut SplitMix64) -> Option<Draft> {
        self.keys.ensure_tenant(tenant).ok()?;
        let head = self.ledger.head(tenant).await.ok()?;
        let (first, prev) = head.map_or((0, 0), |head| (head.position.index + 1, head.cursor.sequence));
        let events = u32::try_from(random.below(4)).unwrap() + 1;
        let draft = Draft::new(self.ledger.incarnation(), tenant, first, events, prev).id(id);
        let mut text = text_of(draft.header.batch_id);
        // Mostly small, as prompts are; one in sixteen over some pages.
        let most = if random.below(16) == 0 { 20_000 } else { 300 };
        text.push_str(&"x".repeat(usize::try_from(random.below(most)).unwrap()));
        let key = self.keys.take(tenant).ok()?;
        Some(draft.message(seal::seal(&key, b"power loss", text.as_bytes()).ok()?))
    }
}

/// A store's file is made under another name and moved to its place when it is whole. So every story begins with an
/// empty database, and everything else is still to be written.
fn new_disk() -> FaultBackend {
    let disk = FaultBackend::new();
    drop(redb::Builder::new().create_with_backend(disk.clone()).unwrap());
    disk
}

impl World {
    fn new() -> Self {
        Self {
            ledger_disk: new_disk(),
            key_disk: new_disk(),
            incarnation: None,
            next_id: 0,
            sent: BTreeSet::new(),
            acknowledged: BTreeMap::new(),
            unknown: 0,
        }
    }

    /// Writes to all tenants at once until the power is gone.
    async fn live(&mut self, life: &Life, random: &mut SplitMix64) {
        loop {
            let mut running = tokio::task::JoinSet::new();
            for name in TENANTS {
                self.next_id += 1;
                let Some(draft) = life.draft(&tenant(name), self.next_id, random).await else { return };
                self.sent.insert(draft.header.batch_id);
                let ledger = life.ledger.clone();
                running.spawn(async move {
                    let header = &draft.header;
                    (header.batch_id, ledger.append(&header.tenant, header.prev, draft.encode()).await)
                });
            }
            let unknown = self.unknown;
            for (id, outcome) in running.join_all().await {
                match outcome {
                    Ok(cursor) => drop(self.acknowledged.insert(id, cursor)),
                    Err(AppendError::Unknown(_)) => self.unknown += 1,
                    Err(other) => panic!("{id}: {other}"),
                }
            }
            if self.unknown > unknown {
                return;
            }
        }
    }

    /// Puts both disks on one power supply.
    fn hang_on(&mut self, power: &Power) {
        self.ledger_disk = self.ledger_disk.clone().on(power);
        self.key_disk = self.key_disk.clone().on(power);
    }

    /// Both disks as they come back, on a power supply that holds.
    fn lose_power(&mut self, seed: u64) {
        let lose = |disk: &FaultBackend, seed: u64| match seed % 10 {
            0 => disk.lose_unsynced(),
            1 => disk.kill(),
            _ => disk.power_loss(seed),
        };
        self.ledger_disk = lose(&self.ledger_disk, seed);
        self.key_disk = lose(&self.key_disk, seed.wrapping_add(7));
    }

    /// Reads everything back and compares it with what was sent and acknowledged.
    async fn check(&mut self, life: &Life) {
        let incarnation = life.ledger.incarnation();
        assert_eq!(*self.incarnation.get_or_insert(incarnation), incarnation, "it is the same ledger");
        let mut stored = BTreeMap::new();
        let mut kids = BTreeSet::new();
        for name in TENANTS {
            check_tenant(life, &tenant(name), &mut stored, &mut kids).await;
        }
        for (id, cursor) in &self.acknowledged {
            assert_eq!(stored.get(id), Some(cursor), "the acknowledged batch {id} is where it was");
        }
        assert!(stored.keys().all(|id| self.sent.contains(id)), "nothing is there that nobody sent");
        let tailed = tail_all(&life.ledger).await;
        assert_eq!(tailed.len(), stored.len(), "the partitions hold what the tenants hold");
    }
}

/// One tenant: its chain is whole, and every text opens under a key of its own.
async fn check_tenant(
    life: &Life,
    tenant: &TenantId,
    stored: &mut BTreeMap<BatchId, Cursor>,
    kids: &mut BTreeSet<(TenantId, DataKeyId)>,
) {
    let mut reader = life.ledger.read(tenant, 0).await.unwrap();
    let (mut next, mut prev) = (0, 0);
    loop {
        let page = reader.next().await.unwrap();
        if page.is_empty() {
            break;
        }
        for found in page {
            let batch = Batch::parse(found.bytes).expect("no half batch");
            assert_eq!((batch.header.first_index, batch.header.prev), (next, prev), "dense, and a chain");
            (next, prev) = (batch.header.last_index() + 1, found.cursor.sequence);
            let sealed = batch.commits[0].header.message.clone().unwrap();
            let text = life.keys.open_sealed(tenant, b"power loss", &sealed).expect("its data key is there");
            assert!(text.starts_with(text_of(batch.header.batch_id).as_bytes()));
            assert!(kids.insert((tenant.clone(), sealed.kid)), "no data key seals two texts");
            stored.insert(batch.header.batch_id, found.cursor);
        }
    }
    let head = life.ledger.head(tenant).await.unwrap();
    assert_eq!(head.map_or((0, 0), |head| (head.position.index + 1, head.cursor.sequence)), (next, prev));
}

async fn tail_all(ledger: &Embedded) -> Vec<Cursor> {
    let mut out = Vec::new();
    for partition in 0..ledger.partitions() {
        let mut end = 0;
        for name in TENANTS.iter().filter(|t| promptory_events::partition::of(&tenant(t), PARTITIONS) == partition) {
            end = end.max(ledger.head(&tenant(name)).await.unwrap().map_or(0, |head| head.cursor.sequence));
        }
        let mut tail = ledger.tail(partition, None).await.unwrap();
        let mut seen = 0;
        while seen < end {
            let page = tail.next().await.unwrap();
            seen += page.len() as u64;
            out.extend(page.into_iter().map(|batch| batch.cursor));
        }
        assert_eq!(seen, end, "sequences are dense");
    }
    out
}

/// One round: open, check, live until the power is gone, lose it.
async fn one_round(world: &mut World, seed: u64) {
    let mut random = SplitMix64::new(seed);
    let power = Power::default();
    world.hang_on(&power);
    if seed.is_multiple_of(8) {
        // It fails during the recovery too.
        power.fail_after(Some(random.below(60)));
        drop(Life::open(world));
        world.lose_power(seed ^ 0xffff);
        power.fail_after(None);
        world.hang_on(&power);
    }
    let life = Life::open(world).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    world.check(&life).await;
    power.fail_after(Some(random.below(400)));
    world.live(&life, &mut random).await;
    drop(life);
    world.lose_power(seed);
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_and_nothing_is_half_there() {
    let (rounds, first) = (from_env("PROMPTORY_ROUNDS", 50), from_env("PROMPTORY_SEED", 1));
    let (mut acknowledged, mut unknown) = (0, 0);
    let seeds: Vec<_> = (first..first + rounds).collect();
    for seeds in seeds.chunks(ROUNDS_OF_A_LEDGER) {
        let mut world = World::new();
        for seed in seeds {
            one_round(&mut world, *seed).await;
        }
        let life = Life::open(&world).unwrap();
        world.check(&life).await;
        acknowledged += world.acknowledged.len() as u64;
        unknown += world.unknown;
    }
    println!("{rounds} losses: {acknowledged} acknowledged, {unknown} unknown");
    assert!(acknowledged > rounds, "the rounds did something: {acknowledged}");
}

#[tokio::test]
async fn a_power_loss_while_a_store_is_made_leaves_one_that_can_be_made_again() {
    for changes in 0..60 {
        let mut world = World::new();
        let power = Power::default();
        world.hang_on(&power);
        power.fail_after(Some(changes));
        drop(Life::open(&world));
        world.lose_power(changes);
        let life = Life::open(&world).unwrap_or_else(|e| panic!("after {changes} changes: {e}"));
        world.check(&life).await;
    }
}
