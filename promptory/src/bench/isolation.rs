//! Whether one tenant with a hundred times the load of each other one slows the others down: their reads by label and their
//! writes, alone and beside it.

use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use hyper::header::HeaderValue;
use serde_json::json;

use super::client::{Connection, Request, prompt, uri};
use super::commands::turn;
use super::history::LABEL;
use super::limits::CLIENTS;
use super::load::{Clients, Make, Measured};
use super::report::{Bar, Figures};
use super::world::{Tenant, World};
use super::{Bench, BenchError, Figure};

/// All tenants, the loud one among them, and prompts of each.
const TENANTS: usize = 50;
const PROMPTS: usize = 10;
/// The loud one's load in that of each other one.
const TIMES: f64 = 100.0;
/// What all together ask for, of what the node can take of reads alone, and of writes alone. Writes that come one by one share less
/// than those of clients that wait, and cost more each.
const SHARE: f64 = 0.125;
/// How many times longer the others may wait for the slowest of a hundred.
const SLOWER_MAX: f64 = 2.0;
/// Connections of each of the four loads: more than there are tenants, or those that wait for one of them would be what is measured.
const EACH: usize = CLIENTS;

/// Measures.
///
/// # Errors
/// Something broke.
pub async fn run(bench: &Bench) -> Result<Vec<Figure>, BenchError> {
    let world = World::start(&bench.folder("isolation")).await?;
    let mut tenants = Vec::new();
    for number in 0..bench.scaled(TENANTS, 4) {
        tenants.push(world.tenant(&format!("isolation-{number}")).await?);
    }
    let mut list = Vec::new();
    for tenant in &tenants {
        list.push(Prompts::make(&world, tenant).await?);
    }
    let (loud, others) = list.split_at(1);
    let (loud, others, all) = (Requests::to(loud), Requests::to(others), Requests::to(&list));
    let mut figures = Figures::of("isolation");
    for _ in 0..bench.args.rounds {
        world.settle(&tenants).await?;
        round(bench, &world, &tenants, [&all, &others, &loud], &mut figures).await?;
    }
    world.stop().await;
    Ok(figures.done())
}

/// A tenant's prompts, by what is asked of them.
struct Prompts {
    authorization: HeaderValue,
    /// Of each, what resolves its label and what takes versions.
    targets: Vec<(Uri, Uri)>,
}

impl Prompts {
    async fn make(world: &World, tenant: &Tenant) -> Result<Self, BenchError> {
        let (mut connection, authorization) = (Connection::open(world.address).await?, &tenant.authorization);
        let mut targets = Vec::new();
        for number in 0..PROMPTS {
            // The same keys in all tenants.
            let key = format!("prompt/{number}");
            let body = json!({"key": key, "text": "the first version", "labels": [LABEL]}).to_string();
            connection.send(Request::post(uri("/v1/prompts")?, authorization, body)).await?;
            targets.push((prompt(&key, &format!("?label={LABEL}"))?, prompt(&key, "/versions")?));
        }
        Ok(Self { authorization: authorization.clone(), targets })
    }
}

/// What is asked of some tenants, all of them by turns.
struct Requests {
    read: Make,
    write: Make,
}

impl Requests {
    fn to(list: &[Prompts]) -> Self {
        // Prompt by prompt through all tenants, so that requests in a row are of different ones.
        let each =
            |n: usize| list.iter().map(move |prompts| (prompts.targets[n].clone(), prompts.authorization.clone()));
        let turned: Arc<Vec<_>> = Arc::new((0..PROMPTS).flat_map(each).collect());
        let (reads, writes) = (turned.clone(), turned);
        let read: Make = Arc::new(move |client, number| {
            let ((target, _), authorization) = &reads[turn(client, number, reads.len())];
            Request::get(target.clone(), authorization)
        });
        // Each takes the label, so that reads are not always of what was read before.
        let write: Make = Arc::new(move |client, number| {
            let ((_, target), authorization) = &writes[turn(client, number, writes.len())];
            let body = json!({"text": format!("{client}, {number}"), "labels": [LABEL]}).to_string();
            Request::post(target.clone(), authorization, body)
        });
        Self { read, write }
    }
}

/// Requests a second.
#[derive(Clone, Copy)]
struct Rates {
    reads: f64,
    writes: f64,
}

impl Rates {
    fn times(self, factor: f64) -> Self {
        Self { reads: self.reads * factor, writes: self.writes * factor }
    }
}

async fn round(
    bench: &Bench,
    world: &World,
    tenants: &[Tenant],
    [all, others, loud]: [&Requests; 3],
    figures: &mut Figures,
) -> Result<(), BenchError> {
    let mut clients = bench.load.connect(world.address, CLIENTS).await?;
    let reads = clients.warm_closed(bench.warm_up(), bench.time(), &all.read).await?.rate();
    let writes = clients.warm_closed(bench.warm_up(), bench.time(), &all.write).await?.rate();
    world.settle(tenants).await?;
    #[allow(clippy::cast_precision_loss, reason = "a count of tenants")]
    let quiet = (tenants.len() - 1) as f64;
    let each = Rates { reads, writes }.times(SHARE / (quiet + TIMES));
    figures.sample("each of the others: reads by label", "/s", each.reads);
    figures.sample("each of the others: writes", "/s", each.writes);
    let (mut ours, mut theirs) = (Both::connect(bench, world).await?, Both::connect(bench, world).await?);
    ours.open(each.times(quiet), bench.warm_up(), others).await?;
    let alone = ours.open(each.times(quiet), bench.time(), others).await?;
    world.settle(tenants).await?;
    // The loud one is there before it is measured, and goes on until the others are through.
    let (warm_up, time) = (bench.warm_up(), bench.time());
    let beside = async {
        tokio::time::sleep(warm_up).await;
        ours.open(each.times(quiet), time, others).await
    };
    let loudly = theirs.open(each.times(TIMES), warm_up + time, loud);
    let (beside, loudly) = tokio::try_join!(beside, loudly)?;
    for (what, alone, beside, loudly) in
        [("reads by label", &alone[0], &beside[0], &loudly[0]), ("writes", &alone[1], &beside[1], &loudly[1])]
    {
        figures.sample(format!("the one with {TIMES:.0} times their load: {what}"), "/s", loudly.rate());
        figures.sample(format!("{what} of the others, p50 without it"), "ms", alone.ms(0.5));
        figures.sample(format!("{what} of the others, p50 beside it"), "ms", beside.ms(0.5));
        figures.sample(format!("{what} of the others, p99 without it"), "ms", alone.ms(0.99));
        figures.sample(format!("{what} of the others, p99 beside it"), "ms", beside.ms(0.99));
        let times = beside.ms(0.99) / alone.ms(0.99);
        figures.held(format!("{what} of the others, p99 beside it"), "times as long", times, Bar::AtMost(SLOWER_MAX));
    }
    Ok(())
}

/// Clients that read and clients that write.
struct Both {
    reading: Clients,
    writing: Clients,
}

impl Both {
    async fn connect(bench: &Bench, world: &World) -> Result<Self, BenchError> {
        let reading = bench.load.connect(world.address, EACH).await?;
        Ok(Self { reading, writing: bench.load.connect(world.address, EACH).await? })
    }

    /// Reads and writes at once.
    async fn open(&mut self, rates: Rates, time: Duration, requests: &Requests) -> Result<[Measured; 2], BenchError> {
        let reads = self.reading.open(rates.reads, time, &requests.read);
        let writes = self.writing.open(rates.writes, time, &requests.write);
        let (reads, writes) = tokio::try_join!(reads, writes)?;
        Ok([reads, writes])
    }
}
