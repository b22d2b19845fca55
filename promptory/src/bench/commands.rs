//! Durable commands: how many a second, how long one takes, how many syncs they share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use hyper::Uri;
use hyper::header::HeaderValue;

use super::client::{Connection, Request, prompt};
use super::limits::{Bare, CLIENTS, version_body};
use super::load::{Make, Measured};
use super::report::{Bar, Figures};
use super::world::{Tenant, World, prompts};
use super::{Bench, BenchError, Figure};

/// Clients that each wait for their answer.
const STEPS: [usize; 3] = [1, 8, CLIENTS];
/// Prompts of the tenant whose commands are spread.
pub const SPREAD_PROMPTS: usize = 1_000;
/// Tenants at once, and prompts of each.
const TENANTS: usize = 100;
const TENANT_PROMPTS: usize = 10;

/// Syncs that a command may cost at the full load.
const FSYNCS_MAX: f64 = 1.0 / 8.0;
/// The full load should do so many times what one waiting client does, or else so much of the bare POST.
const TIMES_ONE: f64 = 10.0;
const OF_BARE: f64 = 25.0;

/// Where commands go: `add a version` to each of these prompts in turn.
#[derive(Clone, Debug)]
pub struct Targets {
    /// What it is called.
    pub name: &'static str,
    /// Whose they are.
    pub tenants: Vec<Tenant>,
    list: Arc<Vec<(Uri, HeaderValue)>>,
}

impl Targets {
    /// The requests, each with another text.
    pub fn make(&self) -> Make {
        let list = self.list.clone();
        Arc::new(move |client, number| {
            let (target, authorization) = &list[turn(client, number, list.len())];
            Request::post(target.clone(), authorization, version_body(client, number))
        })
    }

    /// One prompt of one tenant: everybody writes the same.
    pub async fn hot(world: &World) -> Result<Self, BenchError> {
        Self::of(world, "one prompt", 1, 1).await
    }

    /// Many prompts of one tenant.
    pub async fn spread(world: &World, bench: &Bench) -> Result<Self, BenchError> {
        Self::of(world, "many prompts", 1, bench.scaled(SPREAD_PROMPTS, 10)).await
    }

    /// Many tenants.
    pub async fn tenants(world: &World, bench: &Bench) -> Result<Self, BenchError> {
        Self::of(world, "many tenants", bench.scaled(TENANTS, 3), TENANT_PROMPTS).await
    }

    async fn of(world: &World, name: &'static str, tenants: usize, each: usize) -> Result<Self, BenchError> {
        let mut owners = Vec::new();
        for number in 0..tenants {
            owners.push(world.tenant(&format!("{}-{number}", name.replace(' ', "-"))).await?);
        }
        let targets = Self::at(world.address, name, owners, each).await?;
        world.settle(&targets.tenants).await?;
        Ok(targets)
    }

    /// New prompts of tenants that are there.
    pub async fn at(
        address: SocketAddr,
        name: &'static str,
        tenants: Vec<Tenant>,
        each: usize,
    ) -> Result<Self, BenchError> {
        let mut list = Vec::new();
        for tenant in &tenants {
            for key in prompts(address, tenant, each).await? {
                list.push((prompt(&key, "/versions")?, tenant.authorization.clone()));
            }
        }
        // Prompt by prompt through all tenants, so that commands in a row are of different ones.
        let turned = (0..each).flat_map(|n| list.iter().skip(n).step_by(each).cloned()).collect();
        Ok(Self { name, tenants, list: Arc::new(turned) })
    }
}

/// Every client begins somewhere else, so that they do not all march over the same prompts, and takes one after the other.
pub fn turn(client: usize, number: u64, of: usize) -> usize {
    const APART: usize = 7_919; // a prime: clients begin at different places as far as there are enough
    let at = client.wrapping_mul(APART).wrapping_add(usize::try_from(number).unwrap_or_default());
    at % of.max(1)
}

/// Measures.
///
/// # Errors
/// Something broke.
pub async fn run(bench: &Bench) -> Result<Vec<Figure>, BenchError> {
    let world = World::start(&bench.folder("commands")).await?;
    let shapes =
        [Targets::hot(&world).await?, Targets::spread(&world, bench).await?, Targets::tenants(&world, bench).await?];
    let command = shapes[0].make()(0, bench.load.numbers());
    let answer = Connection::open(world.address).await?.send(command).await?;
    let bare = Bare::start(0, answer.len()).await?;
    let mut figures = Figures::of("commands");
    for _ in 0..bench.args.rounds {
        for targets in &shapes {
            round(bench, &world, &bare, targets, &mut figures).await?;
        }
    }
    world.stop().await;
    Ok(figures.done())
}

async fn round(
    bench: &Bench,
    world: &World,
    bare: &Bare,
    targets: &Targets,
    figures: &mut Figures,
) -> Result<(), BenchError> {
    let (make, mut alone) = (targets.make(), None);
    for step in STEPS {
        let mut clients = bench.load.connect(world.address, step).await?;
        clients.closed(bench.warm_up(), &make).await?;
        let before = world.fsyncs();
        let measured = clients.closed(bench.time(), &make).await?;
        let (fsyncs, ended) = ((world.fsyncs() - before) / measured.done(), Instant::now());
        // The projection goes on where the commands have stopped, and would slow down what comes next.
        world.settle(&targets.tenants).await?;
        let clients_are = if step == 1 { "1 client".to_owned() } else { format!("{step} clients") };
        let what = |what: &str| format!("{}, {clients_are}: {what}", targets.name);
        figures.sample(what("acknowledged"), "/s", measured.rate());
        figures.sample(what("p50"), "ms", measured.ms(0.5));
        figures.sample(what("p99"), "ms", measured.ms(0.99));
        if step < CLIENTS {
            figures.sample(what("syncs for each"), "", fsyncs);
            alone.get_or_insert(measured.rate());
            continue;
        }
        figures.held(what("syncs for each"), "", fsyncs, Bar::AtMost(FSYNCS_MAX));
        figures.sample(what("read models had caught up after"), "s", ended.elapsed().as_secs_f64());
        // Right after it, so that a busy moment of the machine hits both.
        let limit = bare.measure(bench, &make).await?;
        compare(&what, &measured, alone.unwrap_or(f64::NAN), &limit, figures);
    }
    Ok(())
}

fn compare(what: &impl Fn(&str) -> String, full: &Measured, alone: f64, limit: &Measured, figures: &mut Figures) {
    let (times, share) = (full.rate() / alone, 100.0 * full.rate() / limit.rate());
    figures.sample(what("times one waiting client"), "x", times);
    figures.sample(what("of the bare POST"), "%", share);
    let either = (times / TIMES_ONE).max(share / OF_BARE);
    figures.held(what("10 x one client, or 25 % of the bare POST"), "of it", either, Bar::AtLeast(1.0));
    if let (Some(ours), Some(bare)) = (full.server_us(), limit.server_us()) {
        figures.sample(what("processor time of the server"), "us each", ours);
        figures.sample(what("processor time of the bare POST"), "us each", bare);
    }
}
