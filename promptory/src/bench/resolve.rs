//! Resolving: which text does `production` mean now? The read that services do before they run a prompt.

use std::net::SocketAddr;
use std::sync::Arc;

use super::client::{Connection, Request, prompt};
use super::history::LABEL;
use super::limits::{Bare, CLIENTS};
use super::load::Make;
use super::report::{Bar, Figures};
use super::world::{Tenant, World, fill};
use super::{Bench, BenchError, Figure};

/// Keys that are asked for.
const KEYS: usize = 1_500;
/// As the router has it.
pub const ROUTE: &str = "/v1/prompts/{prompt}";

/// Share of the bare GET, in percent.
const OF_BARE: f64 = 60.0;
/// p99 at the server at half the load that it can take.
const SERVER_MS: f64 = 1.0;

/// Measures.
///
/// # Errors
/// Something broke.
pub async fn run(bench: &Bench) -> Result<Vec<Figure>, BenchError> {
    let world = World::start(&bench.folder("resolve")).await?;
    let tenant = world.tenant("resolve").await?;
    let keys = labelled(bench, &world, &tenant).await?;
    let requests = requests(&tenant, &keys)?;
    let bytes = mean_bytes(world.address, &requests).await?;
    let bare = Bare::start(bytes, 0).await?;
    let make = shuffled(requests, bench.args.seed);
    let mut figures = Figures::of("resolve");
    for _ in 0..bench.args.rounds {
        round(bench, &world, &bare, &make, &mut figures).await?;
    }
    #[allow(clippy::cast_precision_loss, reason = "small")]
    figures.sample(format!("bytes of an answer, mean over {} keys", keys.len()), "bytes", bytes as f64);
    world.stop().await;
    Ok(figures.done())
}

/// Fills in histories with a label until so many prompts are alive; gives their keys.
async fn labelled(bench: &Bench, world: &World, tenant: &Tenant) -> Result<Vec<String>, BenchError> {
    let (wanted, mut commands) = (bench.scaled(KEYS, 50), bench.history.repeated(true));
    fill(world.address, &tenant.authorization, &mut commands, |_, commands| commands.alive.len() >= wanted).await?;
    Ok(commands.alive.into_iter().take(wanted).collect())
}

/// A resolve of each key, by the label.
///
/// # Errors
/// A key makes no address.
pub fn requests(tenant: &Tenant, keys: &[String]) -> Result<Vec<Request>, BenchError> {
    let rest = format!("?label={LABEL}");
    keys.iter().map(|key| Ok(Request::get(prompt(key, &rest)?, &tenant.authorization))).collect()
}

/// Asks each once: it warms the caches, and an answer that is none ends it all.
async fn mean_bytes(address: SocketAddr, requests: &[Request]) -> Result<usize, BenchError> {
    let (mut connection, mut bytes) = (Connection::open(address).await?, 0);
    for request in requests {
        bytes += connection.send(request.clone()).await?.len();
    }
    Ok(bytes / requests.len().max(1))
}

/// The requests in an order of their own for each client.
pub fn shuffled(requests: Vec<Request>, seed: u64) -> Make {
    Arc::new(move |client, number| {
        let draw = random(seed ^ ((client as u64) << 48) ^ number);
        let count = requests.len().max(1) as u64;
        requests[usize::try_from(draw % count).unwrap_or_default()].clone()
    })
}

/// SplitMix64: the same for the same seed, on every machine.
pub fn random(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

async fn round(
    bench: &Bench,
    world: &World,
    bare: &Bare,
    make: &Make,
    figures: &mut Figures,
) -> Result<(), BenchError> {
    let limit = bare.measure(bench, make).await?;
    let mut clients = bench.load.connect(world.address, CLIENTS).await?;
    let full = clients.warm_closed(bench.warm_up(), bench.time(), make).await?;
    figures.sample(format!("bare GET, {CLIENTS} clients"), "/s", limit.rate());
    figures.sample(format!("answered, {CLIENTS} clients"), "/s", full.rate());
    figures.sample(format!("p99, {CLIENTS} clients, no pause"), "ms", full.ms(0.99));
    figures.held("of the bare GET", "%", 100.0 * full.rate() / limit.rate(), Bar::AtLeast(OF_BARE));
    if let (Some(ours), Some(bare)) = (full.server_us(), limit.server_us()) {
        figures.sample("processor time of the server", "us each", ours);
        figures.sample("processor time of the bare GET", "us each", bare);
    }
    let before = bench.load.histogram(world.address, ROUTE).await?;
    let half = clients.open(full.rate() / 2.0, bench.time(), make).await?;
    let server = bench.load.histogram(world.address, ROUTE).await?.since(&before);
    figures.sample("half the load: answered", "/s", half.rate());
    figures.held("half the load: p99 at the server, at most", "ms", server.at_most(0.99) * 1e3, Bar::AtMost(SERVER_MS));
    figures.sample("half the load: within 1 ms at the server", "%", 100.0 * server.within(0.001));
    figures.sample("half the load: p50 at the client", "ms", half.ms(0.5));
    figures.sample("half the load: p99 at the client", "ms", half.ms(0.99));
    Ok(())
}
