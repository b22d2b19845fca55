//! A million prompts in a thousand tenants: searched by words and resolved by label, all tenants by turns, and what memory the
//! process takes for them.

use super::history::LABEL;
use super::limits::CLIENTS;
use super::report::{Bar, Figures};
use super::world::{World, fill};
use super::{Bench, BenchError, Figure, machine, resolve, search};
use crate::node::Config;

/// Tenants, all of which have their read models open.
const TENANTS: usize = 1_000;
/// Prompts of each.
const PROMPTS: usize = 1_000;
/// Different queries and resolves of each tenant.
const QUERIES: usize = 20;
const KEYS: usize = 20;

/// p99 of searches at the server at half the load that it can take.
const SEARCH_MS: f64 = 25.0;
/// p99 of resolves, likewise.
const RESOLVE_MS: f64 = 1.0;

/// Measures.
///
/// # Errors
/// Something broke.
pub async fn run(bench: &Bench) -> Result<Vec<Figure>, BenchError> {
    let (count, prompts) = (bench.scaled(TENANTS, 3), bench.scaled(PROMPTS, 20));
    let folder = bench.folder("tenants");
    let filled = World::start(&folder).await?;
    let (mut tenants, mut searches, mut resolves, mut all) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for number in 0..count {
        let tenant = filled.tenant(&format!("tenant-{number}")).await?;
        // Not the same prompts in each.
        let mut commands = bench.history.created(number * prompts);
        fill(filled.address, &tenant.authorization, &mut commands, |_, commands| commands.alive.len() >= prompts)
            .await?;
        all += commands.alive.len();
        let seed = bench.args.seed ^ number as u64;
        searches.extend(search::requests(&tenant, &search::queries(commands.alive.iter(), QUERIES, seed))?);
        let keys: Vec<String> = commands.alive.into_iter().take(KEYS).collect();
        resolves.extend(resolve::requests(&tenant, &keys)?);
        tenants.push(tenant);
    }
    filled.settle(&tenants).await?;
    filled.stop().await;
    // All are open from here on. In a store that it has written to sled holds what it has written, so that filled ones take twice
    // the memory of these.
    let world = World::start_on(Config { open_max: count, ..Config::new(&folder) }).await?;
    for tenant in &tenants {
        search::indexed(&world, tenant).await?;
    }
    let mut figures = Figures::of("tenants");
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    figures.sample(format!("prompts in {count} tenants, labelled {LABEL}"), "prompts", all as f64);
    let searches = resolve::shuffled(searches, bench.args.seed);
    let resolves = resolve::shuffled(resolves, bench.args.seed);
    for _ in 0..bench.args.rounds {
        for (what, route, make, bar) in [
            ("searches", search::ROUTE, &searches, SEARCH_MS),
            ("resolves by label", resolve::ROUTE, &resolves, RESOLVE_MS),
        ] {
            let mut clients = bench.load.connect(world.address, CLIENTS).await?;
            let full = clients.warm_closed(bench.warm_up(), bench.time(), make).await?;
            figures.sample(format!("{what} answered, {CLIENTS} clients"), "/s", full.rate());
            let before = bench.load.histogram(world.address, route).await?;
            let half = clients.open(full.rate() / 2.0, bench.time(), make).await?;
            let server = bench.load.histogram(world.address, route).await?.since(&before);
            let p99 = server.at_most(0.99) * 1e3;
            figures.held(format!("{what}, half the load: p99 at the server, at most"), "ms", p99, Bar::AtMost(bar));
            figures.sample(format!("{what}, half the load: p99 at the client"), "ms", half.ms(0.99));
        }
        let (peak, now) = machine::resident(std::process::id())?;
        figures.sample("peak of the process, driver included", "MiB", peak);
        figures.sample("resident at the end", "MiB", now);
    }
    world.stop().await;
    Ok(figures.done())
}
