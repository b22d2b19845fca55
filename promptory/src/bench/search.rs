//! Searching a large tenant: one to three words, the ten that fit best, with snippets; and how soon a write is found.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::client::{Connection, Request, uri};
use super::limits::CLIENTS;
use super::load::{Load, latencies, note};
use super::prometheus::Buckets;
use super::report::{Bar, Figures};
use super::resolve::{random, shuffled};
use super::world::{Tenant, World, fill};
use super::{Bench, BenchError, Figure};

/// Prompts that are searched.
const PROMPTS: usize = 100_000;
/// Different queries.
const QUERIES: usize = 2_000;
/// Writes that are looked for.
const WRITES: usize = 100;
/// As the router has it.
const ROUTE: &str = "/v1/search";

/// p99 at the server at half the load that it can take.
const SERVER_MS: f64 = 10.0;
/// p99 from a write's answer until it is found.
const FOUND_MS: f64 = 500.0;
/// The longest that the first index of all prompts may take.
const BUILD: Duration = Duration::from_secs(900);

/// Measures.
///
/// # Errors
/// Something broke.
pub async fn run(bench: &Bench) -> Result<Vec<Figure>, BenchError> {
    let world = World::start(&bench.folder("search")).await?;
    let tenant = world.tenant("search").await?;
    let (wanted, mut commands) = (bench.scaled(PROMPTS, 50), bench.history.repeated(false));
    fill(world.address, &tenant.authorization, &mut commands, |_, commands| commands.alive.len() >= wanted).await?;
    let began = Instant::now();
    let found = indexed(&world, &tenant).await?;
    let mut figures = Figures::of("search");
    figures.sample("prompts that are searched", "prompts", found);
    figures.sample("from the last write to all of them found", "s", began.elapsed().as_secs_f64());
    let requests = requests(&tenant, commands.alive.iter(), bench.args.seed)?;
    let make = shuffled(requests, bench.args.seed);
    for _ in 0..bench.args.rounds {
        let mut clients = bench.load.connect(world.address, CLIENTS).await?;
        let full = clients.warm_closed(bench.warm_up(), bench.time(), &make).await?;
        figures.sample(format!("answered, {CLIENTS} clients"), "/s", full.rate());
        let before = histogram(&bench.load, world.address).await?;
        let half = clients.open(full.rate() / 2.0, bench.time(), &make).await?;
        let server = histogram(&bench.load, world.address).await?.since(&before);
        figures.held(
            "half the load: p99 at the server, at most",
            "ms",
            server.at_most(0.99) * 1e3,
            Bar::AtMost(SERVER_MS),
        );
        figures.sample("half the load: p50 at the client", "ms", half.ms(0.5));
        figures.sample("half the load: p99 at the client", "ms", half.ms(0.99));
        let searchable = searchable(bench, &world, &tenant).await?;
        figures.held("a write until it is found: p99", "ms", searchable, Bar::AtMost(FOUND_MS));
    }
    world.stop().await;
    Ok(figures.done())
}

/// Waits until all that was written is found; gives how much that is.
async fn indexed(world: &World, tenant: &Tenant) -> Result<f64, BenchError> {
    let head = world.node().ledger().head(&tenant.id).await?;
    let position = head.map(|head| head.position.to_string()).unwrap_or_default();
    let (mut connection, until) = (Connection::open(world.address).await?, Instant::now() + BUILD);
    let request = Request::get(uri(&format!("{ROUTE}?limit=1&at_least={position}"))?, &tenant.authorization);
    loop {
        match connection.send(request.clone()).await {
            // It has waited for a while by itself.
            Err(BenchError::Refused { status: 503 | 504, .. }) if Instant::now() < until => {}
            answer => {
                let found: Value = serde_json::from_slice(&answer?)?;
                return Ok(found["total"].as_f64().unwrap_or_default());
            }
        }
    }
}

/// One to three words of the keys, which are titles.
fn requests<'k>(
    tenant: &Tenant,
    keys: impl Iterator<Item = &'k String>,
    seed: u64,
) -> Result<Vec<Request>, BenchError> {
    let words = |key: &'k String| key.split(|c: char| !c.is_alphabetic()).filter(|word| word.chars().count() > 2);
    let titles: Vec<Vec<&str>> =
        keys.map(|key| words(key).collect()).filter(|words: &Vec<_>| !words.is_empty()).collect();
    let request = |number: u64| {
        let draw = |salt: u64, below: usize| {
            usize::try_from(random(seed ^ (number << 8) ^ salt) % below.max(1) as u64).unwrap_or_default()
        };
        let title = &titles[draw(0, titles.len())];
        let count = 1 + draw(1, 3);
        let begin = draw(2, title.len());
        let query =
            title.iter().cycle().skip(begin).take(count.min(title.len())).copied().collect::<Vec<_>>().join(" ");
        let query = utf8_percent_encode(&query, NON_ALPHANUMERIC);
        Ok(Request::get(uri(&format!("{ROUTE}?limit=10&q={query}"))?, &tenant.authorization))
    };
    if titles.is_empty() { Ok(Vec::new()) } else { (0..QUERIES as u64).map(request).collect() }
}

/// How long it takes until a write that was answered is found, in milliseconds: p99.
async fn searchable(bench: &Bench, world: &World, tenant: &Tenant) -> Result<f64, BenchError> {
    let (mut latency, mut connection) = (latencies(), Connection::open(world.address).await?);
    for number in 0..bench.scaled(WRITES, 5) {
        let key = format!("found/{}-{number}", bench.load.numbers());
        let body = json!({"key": key, "text": "a text that is looked for at once"}).to_string();
        let written = connection.send(Request::post(uri("/v1/prompts")?, &tenant.authorization, body)).await?;
        let began = Instant::now();
        let written: Value = serde_json::from_slice(&written)?;
        let position = written["position"].as_str().unwrap_or_default();
        let target = uri(&format!("{ROUTE}?q=looked&limit=1&at_least={position}"))?;
        connection.send(Request::get(target, &tenant.authorization)).await?;
        note(&mut latency, began.elapsed());
    }
    #[allow(clippy::cast_precision_loss, reason = "nanoseconds of a latency")]
    let nanos = latency.value_at_quantile(0.99) as f64;
    Ok(nanos / 1e6)
}

/// The server's own histogram of searches.
async fn histogram(load: &Load, address: SocketAddr) -> Result<Buckets, BenchError> {
    let target = uri("/metrics")?;
    let read = async move {
        let request = Request { method: Method::GET, target, authorization: None, body: Bytes::new() };
        Connection::open(address).await?.send(request).await
    };
    let text = load.handle().spawn(read).await??;
    Ok(Buckets::of_route(&String::from_utf8_lossy(&text), "GET", ROUTE))
}
