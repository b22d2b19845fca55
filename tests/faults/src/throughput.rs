//! What a second command process costs or brings: the same load at one and at both, by turns, on three servers.

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use promptory_ledger::jetstream::{JetStream, Shape, scrub};
use promptory_test_nats::Cluster;
use promptory_tests::process::Deployment;
use tokio::task::block_in_place;

use crate::clients::{self, Clients, Counts, Tenant};
use crate::meaning::PATIENCE;
use crate::models;
use crate::oracle::Oracle;
use crate::processes::{Door, Processes};
use crate::walk::{stored, versions};

/// Before it is counted.
const WARM_UP: Duration = Duration::from_secs(1);

/// How long and how much.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Times that each load is measured, at one and at both.
    pub rounds: usize,
    /// How long each is counted.
    pub span: Duration,
    /// Clients on one prompt.
    pub hot: usize,
    /// Clients over the other tenants.
    pub spread: usize,
    /// The other tenants.
    pub tenants: usize,
    /// Partitions of the ledger.
    pub partitions: u16,
}

/// Writes per second at one process and at both, one for each round.
#[derive(Debug, Default)]
struct Rates {
    one: Vec<f64>,
    both: Vec<f64>,
}

fn median(rates: &[f64]) -> f64 {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

struct World {
    processes: Processes,
    tenants: Vec<Arc<Tenant>>,
    oracle: Arc<Oracle>,
}

/// Measures, prints, and checks everything that was acknowledged.
///
/// # Errors
/// A client was told something else than that it is done, or later; something is lost, doubled, forked or missing; models
/// differ from a rebuild.
pub async fn run(plan: &Plan) -> Result<(), String> {
    let cluster = block_in_place(Cluster::start);
    let shape = Shape { replicas: 3, partitions: plan.partitions };
    let deployment = Deployment::new(&cluster.url(), &cluster.user(), shape).await;
    let world = block_in_place(|| {
        let processes = Processes::start(deployment);
        let tenants = clients::tenants(&processes, plan.tenants);
        World { processes, tenants, oracle: Arc::default() }
    });
    for (name, hot, spread) in
        [("one prompt", plan.hot, 0), ("all tenants", 0, plan.spread), ("both at once", plan.hot, plan.spread)]
    {
        block_in_place(|| world.measure(name, plan, hot, spread));
    }
    world.check().await?;
    println!(
        "{} writes acknowledged: 0 conflicts seen, 0 lost, 0 doubled, 0 forks, 0 gaps; replicas equal, models equal a rebuild",
        world.oracle.count()
    );
    Ok(())
}

impl World {
    fn measure(&self, name: &str, plan: &Plan, hot: usize, spread: usize) {
        let mut rates = Rates::default();
        let forwarded = self.processes.forwarded();
        let (mut again, [first, second]) = (0, self.processes.commands());
        for _ in 0..plan.rounds {
            let shape = clients::Shape { hot, spread, tenants: plan.tenants, readers: 0, rest: Duration::ZERO };
            for (commands, into) in
                [(vec![first.clone()], &mut rates.one), (vec![first.clone(), second.clone()], &mut rates.both)]
            {
                let (rate, later) = self.rate(shape, commands, plan.span);
                into.push(rate);
                again += later;
            }
        }
        let (one, both) = (median(&rates.one), median(&rates.both));
        let list = |rates: &[f64]| rates.iter().map(|rate| format!("{rate:.0}")).collect::<Vec<_>>().join(", ");
        println!(
            "{name:<13} {:>3} clients: one process {one:>5.0}/s ({}), two {both:>5.0}/s ({}): {:>3.0} %; {} forwarded, {again} \
             answered with later",
            hot + spread,
            list(&rates.one),
            list(&rates.both),
            100.0 * both / one,
            self.processes.forwarded() - forwarded,
        );
    }

    /// Writes per second, and how many requests were told "later".
    fn rate(&self, shape: clients::Shape, commands: Vec<Door>, span: Duration) -> (f64, u64) {
        let clients = Clients::start(shape, commands, self.processes.query(), self.tenants.clone(), &self.oracle);
        sleep(WARM_UP);
        let (before, since) = (clients.counts(), Instant::now());
        sleep(span);
        let (after, seconds) = (clients.counts(), since.elapsed().as_secs_f64());
        let all = |counts: Counts| counts.hot + counts.spread;
        #[allow(clippy::cast_precision_loss, reason = "a rate for a reader")]
        let rate = (all(after) - all(before)) as f64 / seconds;
        (rate, clients.stop().again)
    }

    async fn check(&self) -> Result<(), String> {
        let mut wrong = self.oracle.take_wrong();
        let options = self.processes.deployment().options();
        let stranger = JetStream::open(options).await.map_err(|error| error.to_string())?;
        for line in self.oracle.lines() {
            match stored(&stranger, &line, versions, PATIENCE).await {
                Ok(stored) => wrong.extend(self.oracle.judge(&line, &self.oracle.due(&line), &stored)),
                Err(error) => wrong.push(format!("{line}: {error}")),
            }
        }
        let report = scrub(options).await.map_err(|error| error.to_string())?;
        if !report.is_whole() {
            wrong.push(report.to_string());
        }
        let models = block_in_place(|| models::check(&self.processes, self.tenants.iter().map(AsRef::as_ref)));
        wrong.extend(models.err());
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }
}
