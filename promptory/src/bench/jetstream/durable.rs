//! Durable commands over HTTP on JetStream and on the embedded ledger, beside raw JetStream, all in the same round.

use promptory_ledger::Ledger;

use super::super::client::Connection;
use super::super::commands::Targets;
use super::super::limits::CLIENTS;
use super::super::load::Measured;
use super::super::report::{Bar, Figures};
use super::super::world::{World, batches};
use super::super::{Bench, BenchError};
use super::account::Account;
use super::raw::Raw;

/// One client that waits, and the full load.
const STEPS: [usize; 2] = [1, CLIENTS];
/// The full load on one tenant should do more than raw JetStream does with one message a command.
const TIMES_RAW: f64 = 1.0;

/// A node on one of the two ledgers, and where its commands go.
struct Side {
    called: &'static str,
    world: World,
    one: Targets,
    many: Targets,
}

impl Side {
    async fn new(bench: &Bench, called: &'static str, world: World) -> Result<Self, BenchError> {
        let (mut one, mut many) = (Targets::spread(&world, bench).await?, Targets::tenants(&world, bench).await?);
        (one.name, many.name) = ("one tenant", "many tenants");
        Ok(Self { called, world, one, many })
    }

    /// Drives it with one kind of load.
    async fn drive(
        &self,
        bench: &Bench,
        targets: &Targets,
        step: usize,
        figures: &mut Figures,
    ) -> Result<Measured, BenchError> {
        let make = targets.make();
        let mut clients = bench.load.connect(self.world.address, step).await?;
        clients.closed(bench.warm_up(), &make).await?;
        let before = batches(self.world.node().ledger()).await?;
        let measured = clients.closed(bench.time(), &make).await?;
        let written = batches(self.world.node().ledger()).await? - before;
        self.world.settle(&targets.tenants).await?;
        let what = |what: &str| format!("commands, {}, {}, {}: {what}", self.called, targets.name, of(step, "client"));
        rate(figures, &measured, what);
        figures.sample(what("in a batch"), "", measured.done() / written.max(1.0));
        Ok(measured)
    }
}

fn of(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn rate(figures: &mut Figures, measured: &Measured, what: impl Fn(&str) -> String) {
    figures.sample(what("acknowledged"), "/s", measured.rate());
    figures.sample(what("p50"), "ms", measured.ms(0.5));
    figures.sample(what("p99"), "ms", measured.ms(0.99));
}

/// Measures.
///
/// # Errors
/// Something broke.
pub async fn run(bench: &Bench, account: &Account, figures: &mut Figures) -> Result<(), BenchError> {
    let world = World::start_on(account.config(bench.folder("on-jetstream"))).await?;
    let jetstream = Side::new(bench, "JetStream", world).await?;
    let world = World::start(&bench.folder("beside-jetstream")).await?;
    let embedded = Side::new(bench, "embedded", world).await?;
    let payload = one_batch(&jetstream, bench).await?;
    #[allow(clippy::cast_precision_loss, reason = "small")]
    figures.sample("bytes of a batch with one command, and of each raw message", "bytes", payload.len() as f64);
    let tenants: Vec<_> = jetstream.many.tenants.iter().map(|tenant| tenant.id.clone()).collect();
    let raw = Raw::make(bench, account, &tenants, payload).await?;
    for _ in 0..bench.args.rounds {
        round(bench, &raw, &jetstream, &embedded, figures).await?;
    }
    jetstream.world.stop().await;
    embedded.world.stop().await;
    Ok(())
}

/// The bytes that one command of the load becomes when it is alone.
async fn one_batch(side: &Side, bench: &Bench) -> Result<bytes::Bytes, BenchError> {
    let command = side.one.make()(0, bench.load.numbers());
    Connection::open(side.world.address).await?.send(command).await?;
    let (ledger, tenant): (&Ledger, _) = (side.world.node().ledger(), &side.one.tenants[0].id);
    let nothing = || BenchError::Server("has no batch of a command that it has acknowledged".to_owned());
    let head = ledger.head(tenant).await?.ok_or_else(nothing)?;
    Ok(ledger.get(tenant, head.position.index).await?.ok_or_else(nothing)?.bytes)
}

async fn round(
    bench: &Bench,
    raw: &Raw,
    jetstream: &Side,
    embedded: &Side,
    figures: &mut Figures,
) -> Result<(), BenchError> {
    let mut alone = Vec::new();
    for (publishers, subjects, name) in
        [(1, 1, "one tenant"), (CLIENTS, 1, "one tenant"), (CLIENTS, usize::MAX, "many tenants")]
    {
        raw.measure(bench, publishers, subjects, bench.warm_up()).await?;
        let measured = raw.measure(bench, publishers, subjects, bench.time()).await?;
        rate(figures, &measured, |what| format!("raw, {name}, {}: {what}", of(publishers, "publisher")));
        alone.push(measured.rate());
    }
    let (raw_one, raw_many) = (alone[0].max(alone[1]), alone[2]);
    for side in [jetstream, embedded] {
        let mut full = Vec::new();
        for targets in [&side.one, &side.many] {
            for step in STEPS {
                let measured = side.drive(bench, targets, step, figures).await?;
                if step == CLIENTS {
                    full.push(measured.rate());
                }
            }
        }
        let (one, many) = (full[0], full[1]);
        let what = |commands, raw| format!("commands, {}, {commands}, {CLIENTS} clients: of raw, {raw}", side.called);
        if std::ptr::eq(side, jetstream) {
            figures.held(what("one tenant", "one tenant"), "x", one / raw_one, Bar::AtLeast(TIMES_RAW));
            figures.held(what("one tenant", "many tenants"), "x", one / raw_many, Bar::AtLeast(TIMES_RAW));
            figures.sample(what("many tenants", "many tenants"), "x", many / raw_many);
        }
    }
    Ok(())
}
