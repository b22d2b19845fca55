//! Searching a large tenant: one to three words, the ten that fit best, with snippets; and how soon a write is found.

use std::fs;
use std::time::{Duration, Instant};

use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::client::{Connection, Request, uri};
use super::limits::CLIENTS;
use super::load::{latencies, note};
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
pub const ROUTE: &str = "/v1/search";

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
    let queries = queries(commands.alive.iter(), QUERIES, bench.args.seed);
    if let Some(file) = &bench.args.search_queries {
        fs::write(file, queries.join("\n"))?;
    }
    let make = shuffled(requests(&tenant, &queries)?, bench.args.seed);
    for _ in 0..bench.args.rounds {
        let alone =
            bench.load.connect(world.address, 1).await?.warm_closed(bench.warm_up(), bench.time(), &make).await?;
        figures.sample("one client: p50", "ms", alone.ms(0.5));
        figures.sample("one client: p99", "ms", alone.ms(0.99));
        let mut clients = bench.load.connect(world.address, CLIENTS).await?;
        let full = clients.warm_closed(bench.warm_up(), bench.time(), &make).await?;
        figures.sample(format!("answered, {CLIENTS} clients"), "/s", full.rate());
        let before = bench.load.histogram(world.address, ROUTE).await?;
        let half = clients.open(full.rate() / 2.0, bench.time(), &make).await?;
        let server = bench.load.histogram(world.address, ROUTE).await?.since(&before);
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
///
/// # Errors
/// It never is.
pub async fn indexed(world: &World, tenant: &Tenant) -> Result<f64, BenchError> {
    let head = world.node().ledger().head(&tenant.id).await?;
    let position = head.map(|head| head.position.to_string()).unwrap_or_default();
    let mut connection = Connection::open(world.address).await?;
    let request = Request::get(uri(&format!("{ROUTE}?limit=1&at_least={position}"))?, &tenant.authorization);
    let found: Value = serde_json::from_slice(&reached(&mut connection, request).await?)?;
    Ok(found["total"].as_f64().unwrap_or_default())
}

/// The answer once the index has what it is asked for: a server waits for two seconds by itself.
async fn reached(connection: &mut Connection, request: Request) -> Result<Bytes, BenchError> {
    let until = Instant::now() + BUILD;
    loop {
        match connection.send(request.clone()).await {
            Err(BenchError::Refused { status: 503 | 504, .. }) if Instant::now() < until => {}
            answer => return answer,
        }
    }
}

/// One to three words in a row of the keys, which are titles.
pub fn queries<'k>(keys: impl Iterator<Item = &'k String>, count: usize, seed: u64) -> Vec<String> {
    let words = |key: &'k String| key.split(|c: char| !c.is_alphabetic()).filter(|word| word.chars().count() > 2);
    let titles: Vec<Vec<&str>> =
        keys.map(|key| words(key).collect()).filter(|words: &Vec<_>| !words.is_empty()).collect();
    let query = |number: u64| {
        let draw = |salt: u64, below: usize| {
            usize::try_from(random(seed ^ (number << 8) ^ salt) % below.max(1) as u64).unwrap_or_default()
        };
        let title = &titles[draw(0, titles.len())];
        let count = 1 + draw(1, 3);
        let begin = draw(2, title.len());
        title.iter().cycle().skip(begin).take(count.min(title.len())).copied().collect::<Vec<_>>().join(" ")
    };
    if titles.is_empty() { Vec::new() } else { (0..count as u64).map(query).collect() }
}

/// A search of a tenant for each query.
///
/// # Errors
/// Never: what is encoded is an address.
pub fn requests(tenant: &Tenant, queries: &[String]) -> Result<Vec<Request>, BenchError> {
    let request = |query: &String| {
        let query = utf8_percent_encode(query, NON_ALPHANUMERIC);
        Ok(Request::get(uri(&format!("{ROUTE}?limit=10&q={query}"))?, &tenant.authorization))
    };
    queries.iter().map(request).collect()
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
        reached(&mut connection, Request::get(target, &tenant.authorization)).await?;
        note(&mut latency, began.elapsed());
    }
    #[allow(clippy::cast_precision_loss, reason = "nanoseconds of a latency")]
    let nanos = latency.value_at_quantile(0.99) as f64;
    Ok(nanos / 1e6)
}
