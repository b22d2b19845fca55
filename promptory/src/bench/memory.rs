//! Peak memory of a serving process after it has taken real histories in and answered a mixed load.

use std::sync::Arc;

use bytes::Bytes;

use super::client::{Request, prompt, uri};
use super::limits::version_body;
use super::load::Make;
use super::machine;
use super::report::{Bar, Figures};
use super::resolve::{random, requests};
use super::server::Server;
use super::world::{Tenant, fill};
use super::{Bench, BenchError, Figure};

/// Peak resident memory.
const PEAK_MIB: f64 = 300.0;
/// Clients of the mixed load.
const CLIENTS: usize = 16;

/// Measures.
///
/// # Errors
/// Something broke.
pub async fn run(bench: &Bench) -> Result<Vec<Figure>, BenchError> {
    let mut figures = Figures::of("memory");
    for round in 0..bench.args.rounds {
        let folder = bench.folder(&format!("memory-{round}"));
        let server = Server::start(&folder, Vec::new()).await?;
        let tenant = server.tenant()?;
        let mut commands = bench.history.repeated(true);
        let all = bench.scaled(bench.history.len(), 100);
        fill(server.address, &tenant.authorization, &mut commands, |_, commands| commands.sent() >= all).await?;
        let (imported, _) = machine::resident(server.id())?;
        let keys: Vec<String> = commands.alive.into_iter().collect();
        let make = mixed(&tenant, &keys, bench.args.seed)?;
        let mut clients = bench.load.connect(server.address, CLIENTS).await?;
        let mixed = clients.closed(bench.time(), &make).await?;
        let (peak, now) = machine::resident(server.id())?;
        figures.sample("peak after the import", "MiB", imported);
        figures.held("peak after the mixed load", "MiB", peak, Bar::AtMost(PEAK_MIB));
        figures.sample("resident at the end", "MiB", now);
        figures.sample("mixed load", "/s", mixed.rate());
    }
    Ok(figures.done())
}

/// Of a hundred requests: 70 resolves, 10 past states, 5 each of listings, version lists, events and new versions.
fn mixed(tenant: &Tenant, keys: &[String], seed: u64) -> Result<Make, BenchError> {
    let (resolves, get) = (requests(tenant, keys)?, |target| Request::get(target, &tenant.authorization));
    let under = |rest: &str| keys.iter().map(|key| Ok(get(prompt(key, rest)?))).collect::<Result<Vec<_>, BenchError>>();
    // As of now on the recorded clock: every prompt is there, and it is looked up in the rows.
    let now = promptory_platform::Clock::System.now();
    let (past, versions) = (under(&format!("?clock=recorded&as_of={now}"))?, under("/versions?limit=20")?);
    let (list, events) = (get(uri("/v1/prompts?limit=100")?), get(uri("/v1/events?from=0&limit=100")?));
    let writes =
        keys.iter().map(|key| Ok(Request::post(prompt(key, "/versions")?, &tenant.authorization, Bytes::new())));
    let writes = writes.collect::<Result<Vec<_>, BenchError>>()?;
    Ok(Arc::new(move |client, number| {
        let draw = random(seed ^ ((client as u64) << 48) ^ number);
        let at = usize::try_from(draw >> 32).unwrap_or_default() % resolves.len().max(1);
        match draw % 100 {
            0..70 => resolves[at].clone(),
            70..80 => past[at].clone(),
            80..85 => list.clone(),
            85..90 => versions[at].clone(),
            90..95 => events.clone(),
            _ => Request { body: version_body(client, number).into(), ..writes[at].clone() },
        }
    }))
}
