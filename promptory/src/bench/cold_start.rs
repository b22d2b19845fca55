//! How long the first command and the first read of a large tenant take after a start.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use promptory_command::{Service, wire};
use promptory_ledger::Ledger;
use promptory_platform::Clock;
use promptory_projection::ask::{AsOf, Caller, PromptRef, Question, Which};
use promptory_projection::{Ask, Shelf};
use serde_json::{Value, json};

use super::limits::version_body;
use super::report::{Bar, Figures};
use super::world::{Tenant, World, no_such_part};
use super::{Bench, BenchError, Figure};
use crate::stores::Stores;

/// Batches of the tenant: commands that each waited for their answer, as people's do.
pub const BATCHES: usize = 10_000;
/// Prompts that they are about.
const PROMPTS: usize = 100;
/// Until the first answer.
const SECONDS: f64 = 1.0;
/// As a node has it.
const BYTES: usize = 64 * 1024 * 1024;

/// Measures.
///
/// # Errors
/// Something broke.
pub async fn run(bench: &Bench) -> Result<Vec<Figure>, BenchError> {
    let world = World::start(&bench.folder("cold")).await?;
    let tenant = world.tenant("cold").await?;
    let batches = bench.scaled(BATCHES, 100);
    write(world.node().service().ok_or_else(no_such_part)?, &tenant, batches, async |_| {}).await?;
    let stores =
        Stores { ledger: world.node().ledger().clone(), keys: world.node().keys().ok_or_else(no_such_part)?.clone() };
    let mut figures = Figures::of("cold-start");
    for round in 0..bench.args.rounds {
        let folder = bench.folder(&format!("cold-{round}"));
        std::fs::create_dir(&folder)?;
        for what in ["nothing but the ledger", "with what the last one left"] {
            let number = unused(&stores.ledger, &tenant).await?;
            let began = Instant::now();
            let command = first_command(began, &stores, &tenant, number, folder.join("commands.redb")).await?;
            let began = Instant::now();
            let read = first_read(began, &stores, &tenant, folder.join("models")).await?;
            figures.held(format!("first command, {what}"), "s", command.as_secs_f64(), Bar::AtMost(SECONDS));
            figures.held(format!("first read, {what}"), "s", read.as_secs_f64(), Bar::AtMost(SECONDS));
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "small")]
    figures.sample("batches of the tenant", "", batches as f64);
    world.stop().await;
    Ok(figures.done())
}

fn request(json: Value) -> Result<wire::Request, BenchError> {
    let object = serde_json::from_value(json)?;
    wire::Request::from_object(&object).map_err(|problem| BenchError::Server(format!("refused: {}", problem.detail)))
}

fn key(number: usize) -> String {
    format!("prompt/{}", number % PROMPTS)
}

fn add_version(number: usize) -> Result<wire::Request, BenchError> {
    let mut command: Value = serde_json::from_str(&version_body(0, number as u64))?;
    command["type"] = json!("add_version");
    command["prompt"] = json!(key(number));
    request(command)
}

/// One command after the other: each becomes a batch of its own. `before` each, with its number, something may be waited
/// for.
///
/// # Errors
/// One was refused.
pub async fn write(
    service: &Service,
    tenant: &Tenant,
    batches: usize,
    before: impl AsyncFn(usize),
) -> Result<(), BenchError> {
    let shown = tenant.key.presented();
    for number in 0..batches {
        before(number).await;
        let command = if number < PROMPTS {
            request(json!({"type": "create_prompt", "key": key(number), "text": "the first version"}))?
        } else {
            add_version(number)?
        };
        execute(service, &shown, command).await?;
    }
    Ok(())
}

async fn execute(
    service: &Service,
    shown: &promptory_platform::Presented,
    command: wire::Request,
) -> Result<(), BenchError> {
    for answer in service.execute(shown, vec![command]).await? {
        answer?;
    }
    Ok(())
}

/// The number of a command whose text no version of the tenant has yet.
///
/// # Errors
/// The ledger can't be read.
pub async fn unused(ledger: &Ledger, tenant: &Tenant) -> Result<usize, BenchError> {
    let next = ledger.head(&tenant.id).await?.map_or(0, |head| head.position.index);
    Ok(BATCHES + usize::try_from(next).unwrap_or_default())
}

/// From `began` on: a fresh command service to its first answer. Beside others: the ledger's guard keeps them apart.
///
/// # Errors
/// It does not open, or refuses.
pub async fn first_command(
    began: Instant,
    stores: &Stores,
    tenant: &Tenant,
    number: usize,
    cache: PathBuf,
) -> Result<Duration, BenchError> {
    let (shown, command) = (tenant.key.presented(), add_version(number)?);
    let config = promptory_command::Config {
        cache,
        hot_bytes: BYTES,
        exchange: None,
        identity: promptory_identity::Config::default(),
    };
    let service = Service::open(config, stores.ledger.clone(), stores.keys.clone(), Clock::System)?;
    execute(&service, &shown, command).await?;
    let took = began.elapsed();
    service.close().await; // stores the snapshot
    drop(service);
    // Its writers' tasks end after they have said so, and hold the file until then.
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok(took)
}

/// From `began` on: a fresh shelf to its first answer.
///
/// # Errors
/// It does not answer.
pub async fn first_read(
    began: Instant,
    stores: &Stores,
    tenant: &Tenant,
    dir: PathBuf,
) -> Result<Duration, BenchError> {
    let presented = tenant.key.presented();
    let caller = Caller::from(&presented);
    let prompt = key(7).parse().map(PromptRef::Key).map_err(|e| BenchError::Server(format!("refused: {e}")))?;
    let question = Question::Prompt { prompt, which: Which::Number(1), as_of: AsOf::Now };
    let ask = Ask { tenant: tenant.id.clone(), caller, at_least: None, question };
    let clock = promptory_platform::Clock::System;
    let config = promptory_projection::Config {
        dir,
        open_max: 64,
        cache_bytes: BYTES as u64,
        clock,
        search: promptory_projection::shelf::search::Config::default(),
        identity: promptory_identity::Config::default(),
        keep: promptory_projection::shelf::KEEP,
    };
    let shelf = Shelf::new(config, stores.ledger.clone(), stores.keys.clone());
    shelf.answer(ask).await?;
    let took = began.elapsed();
    shelf.close().await;
    Ok(took)
}
