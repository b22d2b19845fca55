//! How many usage records are taken in, how soon a month of them is counted, and what taking them in does to reads.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::Uri;
use promptory_events::Timestamp;
use promptory_platform::Clock;

use super::client::{Connection, Request, prompt, uri};
use super::commands::turn;
use super::limits::CLIENTS;
use super::load::{Make, pace};
use super::report::{Bar, Figures};
use super::world::{Tenant, World, prompts};
use super::{Bench, BenchError, Figure};

/// Records that are there when a month is counted, and on how many prompts.
const RECORDS: usize = 1_000_000;
const PROMPTS: usize = 100;
/// Records of one request: as many as one takes.
const EACH: usize = 1_000;
/// Who sends records, and who asks for counts.
const SENDERS: usize = 8;
/// Whom prompts are run for.
const CALLERS: u64 = 50;
const MODELS: [&str; 4] = ["large", "medium", "small", "tiny"];
/// What the records are spread over.
const MONTH_MINUTES: u64 = 30 * 24 * 60;

const RECORDS_PER_SECOND: f64 = 20_000.0;
const COUNTED_MS: f64 = 50.0;
const SLOWER_MAX: f64 = 2.0;

/// Measures.
///
/// # Errors
/// Something broke.
pub async fn run(bench: &Bench) -> Result<Vec<Figure>, BenchError> {
    let world = World::start(&bench.folder("usage")).await?;
    let tenant = world.tenant("usage").await?;
    let keys: Arc<[String]> = prompts(world.address, &tenant, PROMPTS).await?.into();
    world.settle(std::slice::from_ref(&tenant)).await?;
    let mut figures = Figures::of("usage");
    resolved(bench, &world, &tenant, &keys, &mut figures).await?;
    recorded(bench, &world, &tenant, &keys, &mut figures).await?;
    fill(bench, &world, &tenant, &keys).await?;
    counted(bench, &world, &tenant, &keys, &mut figures).await?;
    world.stop().await;
    Ok(figures.done())
}

/// Requests of [`EACH`] executions: of now, or spread over the month before `until`.
fn records(tenant: &Tenant, keys: &Arc<[String]>, until: Option<Timestamp>) -> Result<Make, BenchError> {
    let (target, authorization, keys) = (uri("/v1/usage")?, tenant.authorization.clone(), keys.clone());
    Ok(Arc::new(move |client, number| {
        let mut body = String::with_capacity(EACH * 220);
        body.push_str(r#"{"records":["#);
        for place in 0..EACH as u64 {
            // Spread, and always the same: Fibonacci hashing of the record's number.
            let mixed = (number * EACH as u64 + place + client as u64 * 7).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16;
            let (key, model) = (&keys[pick(mixed, keys.len())], MODELS[pick(mixed >> 8, MODELS.len())]);
            let (caller, latency) = ((mixed >> 12) % CALLERS, 200 + (mixed >> 5) % 4_000);
            let comma = if place == 0 { "" } else { "," };
            let _infallible = write!(
                body,
                r#"{comma}{{"id":"{client}-{number}-{place}","prompt":"{key}","version":1,"label":"production","model":"{model}","caller":"u-{caller}","latency_ms":{latency},"input_tokens":310,"output_tokens":64,"cost_nanos":1480000"#
            );
            if let Some(until) = until {
                let minutes = i64::try_from((mixed >> 3) % MONTH_MINUTES).unwrap_or_default();
                let at = Timestamp::from_micros(until.micros() - minutes * 60_000_000);
                let _infallible = write!(body, r#","occurred_at":"{at}""#);
            }
            body.push('}');
        }
        body.push_str("]}");
        Request::post(target.clone(), &authorization, body)
    }))
}

/// So many requests made beforehand, to be sent one after the other by whoever comes: making them takes as long as taking
/// them in, on the same cores.
fn made(make: &Make, first: &mut u64, requests: usize) -> Make {
    let ready: Vec<_> = (*first..).take(requests).map(|number| make(0, number)).collect();
    *first += requests as u64;
    let next = AtomicUsize::new(0);
    Arc::new(move |_, _| ready[next.fetch_add(1, Ordering::Relaxed)].clone())
}

/// Each of some reads by turns.
fn reads(tenant: &Tenant, targets: Vec<Uri>) -> Make {
    let authorization = tenant.authorization.clone();
    Arc::new(move |client, number| Request::get(targets[turn(client, number, targets.len())].clone(), &authorization))
}

fn pick(mixed: u64, of: usize) -> usize {
    usize::try_from(mixed % of as u64).unwrap_or_default()
}

/// Reads by label, alone and beside as many records as should be taken. They come at a quarter of the rate at which clients get
/// their answers that wait for them: requests that are due one by one cost twice as much, and the driver has the same cores, so
/// that these are busy for two thirds of the time.
async fn resolved(
    bench: &Bench,
    world: &World,
    tenant: &Tenant,
    keys: &[String],
    figures: &mut Figures,
) -> Result<(), BenchError> {
    let targets = keys.iter().map(|key| prompt(key, "?label=latest")).collect::<Result<Vec<_>, _>>()?;
    let read = reads(tenant, targets);
    let write = records(tenant, &keys.into(), None)?;
    let mut first = bench.load.numbers();
    let mut readers = bench.load.connect(world.address, CLIENTS).await?;
    let mut senders = bench.load.connect(world.address, SENDERS).await?;
    for _ in 0..bench.args.rounds {
        let reads = readers.warm_closed(bench.warm_up(), bench.time(), &read).await?.rate() / 4.0;
        let alone = readers.open(reads, bench.time(), &read).await?;
        let rate = RECORDS_PER_SECOND / EACH as f64;
        let ready = made(&write, &mut first, pace::requests(rate, bench.time()));
        let sending = senders.open(rate, bench.time(), &ready);
        let (beside, sent) = tokio::try_join!(readers.open(reads, bench.time(), &read), sending)?;
        figures.sample("reads by label, a quarter of what it can take", "/s", reads);
        figures.sample("records beside them", "/s", sent.rate() * EACH as f64);
        figures.sample("reads by label, p99 without records", "ms", alone.ms(0.99));
        figures.sample("reads by label, p99 beside records", "ms", beside.ms(0.99));
        let times = beside.ms(0.99) / alone.ms(0.99);
        figures.held("reads by label, p99 beside records", "times as long", times, Bar::AtMost(SLOWER_MAX));
    }
    Ok(())
}

/// Records as fast as they are taken.
async fn recorded(
    bench: &Bench,
    world: &World,
    tenant: &Tenant,
    keys: &Arc<[String]>,
    figures: &mut Figures,
) -> Result<(), BenchError> {
    let make = records(tenant, keys, None)?;
    let mut senders = bench.load.connect(world.address, SENDERS).await?;
    for _ in 0..bench.args.rounds {
        let measured = senders.warm_closed(bench.warm_up(), bench.time(), &make).await?;
        let rate = measured.rate() * EACH as f64;
        figures.held("records, durable", "/s", rate, Bar::AtLeast(RECORDS_PER_SECOND));
        figures.sample(format!("{EACH} records, p99"), "ms", measured.ms(0.99));
    }
    Ok(())
}

/// So many records over a month.
async fn fill(bench: &Bench, world: &World, tenant: &Tenant, keys: &Arc<[String]>) -> Result<(), BenchError> {
    let make = records(tenant, keys, Some(Clock::System.now()))?;
    let (each, first) = (bench.scaled(RECORDS, EACH * SENDERS) / EACH / SENDERS, bench.load.numbers());
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let (make, address) = (make.clone(), world.address);
            bench.load.handle().spawn(async move {
                let mut connection = Connection::open(address).await?;
                for number in (first..).take(each) {
                    connection.send(make(sender, number)).await?;
                }
                Ok::<_, BenchError>(())
            })
        })
        .collect();
    for sender in senders {
        sender.await??;
    }
    Ok(())
}

/// Questions about the month, one after the other.
async fn counted(
    bench: &Bench,
    world: &World,
    tenant: &Tenant,
    keys: &[String],
    figures: &mut Figures,
) -> Result<(), BenchError> {
    let until = Clock::System.now();
    let from = Timestamp::from_micros(until.micros() - i64::try_from(MONTH_MINUTES).unwrap_or_default() * 60_000_000);
    let month = format!("from={from}&to={until}");
    let shapes = [
        ("all prompts", vec![format!("/v1/analytics?{month}&group_by=prompt")]),
        ("all prompts by model, day by day", vec![format!("/v1/analytics?{month}&group_by=model&granularity=day")]),
        (
            "one prompt by caller",
            keys.iter().map(|key| format!("/v1/analytics?{month}&group_by=caller&prompt={key}")).collect(),
        ),
    ];
    let mut clients = bench.load.connect(world.address, 1).await?;
    for (what, targets) in shapes {
        let targets = targets.iter().map(|target| uri(target)).collect::<Result<Vec<_>, _>>()?;
        let ask = reads(tenant, targets);
        for _ in 0..bench.args.rounds {
            let measured = clients.warm_closed(bench.warm_up(), bench.time(), &ask).await?;
            figures.sample(format!("30 days, {what}: p50"), "ms", measured.ms(0.5));
            figures.held(format!("30 days, {what}: p99"), "ms", measured.ms(0.99), Bar::AtMost(COUNTED_MS));
        }
    }
    Ok(())
}
