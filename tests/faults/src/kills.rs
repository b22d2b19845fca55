//! Another drill: the process with the read models is killed under load, at random moments and at named points, and after
//! each kill everything that it says equals what a process says that made its models from nothing.

mod equal;
mod load;
pub mod mortal;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use promptory_ledger::jetstream::Shape;
use promptory_projection::points::Point;
use promptory_test_nats::Server;
use promptory_tests::Client;
use promptory_tests::process::{Deployment, Process, counters};
use tokio::task::block_in_place;

use crate::clients;
use crate::meaning::PATIENCE;
use crate::plan::Numbers;
use load::Load;

/// The process that is killed, and the one that makes its models from nothing.
const KILLED: &str = "p";
const FRESH: &str = "fresh";
/// It answers by itself, so that nobody else is asked in its place.
const ROLES: &str = "projection,query";
const LOOK: Duration = Duration::from_millis(5);
/// How long a process lives at the most that is killed at a random moment.
const LIFE_MS: u64 = 1500;
/// How long writers go on at the most after it is back.
const LONGER_MS: u64 = 300;

/// How much of it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many kills.
    pub rounds: usize,
    /// No new one after so long.
    pub time: Option<Duration>,
    /// Which plan.
    pub seed: u64,
    /// Tenants that are written to, each by one client.
    pub tenants: usize,
    /// How long a client rests between two requests.
    pub rest: Duration,
    /// Partitions of the ledger.
    pub partitions: u16,
    /// Kills on one ledger: what is built from nothing stays short.
    pub rounds_of_a_ledger: usize,
    /// Only at these moments, as the output names them; at all if there is none.
    pub at: Vec<String>,
}

/// When a process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    /// From outside, some milliseconds after the writers went on.
    Random,
    /// By itself, at a point.
    At(usize),
}

impl Moment {
    fn name(self) -> String {
        match self {
            Self::Random => "Random".to_owned(),
            Self::At(point) => format!("{:?}", Point::ALL[point]),
        }
    }
}

/// Runs the drill, and prints what comes of it.
///
/// # Errors
/// The first thing that is not equal.
pub async fn run(plan: &Plan) -> Result<(), String> {
    let (began, mut numbers, mut left) = (Instant::now(), Numbers::new(plan.seed), Vec::new());
    let moments = moments(&plan.at)?;
    let in_time = || plan.time.is_none_or(|time| began.elapsed() < time);
    let server = block_in_place(Server::start);
    let (mut round, mut counts, mut totals) = (0, BTreeMap::new(), Totals::default());
    while round < plan.rounds && in_time() {
        let shape = Shape { replicas: 1, partitions: plan.partitions };
        let deployment = Deployment::new(&server.url(), &server.user(), shape).await;
        let mut ground = block_in_place(|| Ground::new(deployment, plan));
        for _ in 0..plan.rounds_of_a_ledger {
            if round == plan.rounds || !in_time() {
                break;
            }
            round += 1;
            let moment = next(&moments, &mut left, &mut numbers);
            let done = block_in_place(|| ground.round(moment, &mut numbers));
            let Round { passage, lived, events, took } =
                done.map_err(|wrong| format!("round {round}, {}: {wrong}\n{}", moment.name(), ground.said()))?;
            let at = passage.map(|passage| format!(", passage {passage}")).unwrap_or_default();
            println!(
                "{round:>4} {:<17} after {:>4.1} s{at}: {events:>6} events, equal after {:>4.1} s",
                moment.name(),
                lived.as_secs_f64(),
                took.as_secs_f64()
            );
            *counts.entry(moment.name()).or_insert(0) += 1;
        }
        totals.add(block_in_place(|| ground.finish())?);
    }
    let each: Vec<_> = counts.iter().map(|(moment, count)| format!("{moment} {count}")).collect();
    println!(
        "{round} kills ({}), {} commands on the way, {} stores and {} indexes built again because of what a kill left: catalog, \
         audit and search equal those of a new process after each, every event there once; {} s in all",
        each.join(", "),
        totals.commands,
        totals.stores,
        totals.indexes,
        began.elapsed().as_secs()
    );
    Ok(())
}

/// Each point, and as often a random moment, but for those that were not asked for.
fn moments(asked: &[String]) -> Result<Vec<Moment>, String> {
    let all = (0..Point::ALL.len()).flat_map(|point| [Moment::At(point), Moment::Random]);
    let moments: Vec<_> = all.filter(|moment| asked.is_empty() || asked.contains(&moment.name())).collect();
    if moments.is_empty() { Err(format!("no such moment: {asked:?}")) } else { Ok(moments) }
}

/// Each moment once, in an order that the seed gives; then again in another.
fn next(moments: &[Moment], left: &mut Vec<Moment>, numbers: &mut Numbers) -> Moment {
    if left.is_empty() {
        left.extend(moments);
    }
    left.swap_remove(usize::try_from(numbers.below(left.len() as u64)).unwrap())
}

/// How often a process passes a point at the most until it dies there: some are passed at each commit, others once a second.
fn passages(point: Point) -> u64 {
    match point {
        Point::BeforeCommit | Point::AfterCommit | Point::BeforeSwap | Point::BeforeAnnounce => 40,
        Point::BeforeIndexCommit | Point::WithinIndexCommit | Point::AfterIndexCommit => 8,
        Point::BeforeCursor | Point::AfterCursor => 2,
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    commands: u64,
    stores: u64,
    indexes: u64,
}

impl Totals {
    fn add(&mut self, other: Self) {
        self.commands += other.commands;
        self.stores += other.stores;
        self.indexes += other.indexes;
    }
}

struct Round {
    passage: Option<u64>,
    /// How long the killed process lived under load.
    lived: Duration,
    /// Of all tenants, when they were compared.
    events: u64,
    /// How long it took until all was compared.
    took: Duration,
}

/// A ledger, who writes, and the process that is killed.
struct Ground {
    deployment: Deployment,
    command: Process,
    load: Load,
    /// None while it is dead.
    process: Option<Process>,
    rebuilt: Totals,
    rounds: usize,
}

impl Ground {
    fn new(deployment: Deployment, plan: &Plan) -> Self {
        let command = deployment.start("c", "command", &[]);
        let operator = Client::new(&command.url, &deployment.key("c", "operator.key"));
        let names = (0..plan.tenants).map(|n| format!("t{n}"));
        let tenants = names.map(|name| (clients::made(&operator, &name).unwrap(), name)).collect();
        let load = Load::start(&command.url, tenants, plan.rest, plan.seed);
        let process = Some(deployment.start(KILLED, ROLES, &[]));
        Self { deployment, command, load, process, rebuilt: Totals::default(), rounds: 0 }
    }

    fn round(&mut self, moment: Moment, numbers: &mut Numbers) -> Result<Round, String> {
        self.rounds += 1;
        let mut passage = None;
        let since = Instant::now();
        let lived = match moment {
            Moment::Random => {
                sleep(Duration::from_millis(numbers.below(LIFE_MS)));
                self.kill();
                since.elapsed()
            }
            Moment::At(point) => {
                // The one that runs does not know the point: another takes its place, which finds what a kill left, too.
                self.kill();
                let point = Point::ALL[point];
                let at = 1 + numbers.below(passages(point));
                passage = Some(at);
                self.die_at(point, at)?
            }
        };
        let dead = Instant::now();
        self.process = Some(self.deployment.start(KILLED, ROLES, &[]));
        sleep(Duration::from_millis(numbers.below(LONGER_MS)));
        let events = self.compare()?;
        Ok(Round { passage, lived, events, took: dead.elapsed() })
    }

    /// Kills the process that runs, and counts what it had to build again.
    fn kill(&mut self) {
        let Some(process) = self.process.take() else { return };
        let of = |name| counters(&process.url, name);
        self.rebuilt.add(Totals {
            commands: 0,
            stores: of("promptory_projection_discarded_total"),
            indexes: of("promptory_search_discarded_total"),
        });
        process.kill();
    }

    /// A process in its place that dies at a point. Gives how long it lived.
    fn die_at(&mut self, point: Point, passage: u64) -> Result<Duration, String> {
        let program: [PathBuf; 6] = [
            std::env::current_exe().map_err(|error| error.to_string())?,
            "mortal".into(),
            "--at".into(),
            format!("{point:?}").into(),
            "--passage".into(),
            passage.to_string().into(),
        ];
        let since = Instant::now();
        // It may die before it answers anything.
        if let Some(mut process) = self.deployment.start_as(&program, KILLED, ROLES, &[]) {
            while !process.has_ended() {
                self.load.goes_on()?;
                if since.elapsed() > PATIENCE {
                    return Err(format!("it never passed {point:?} {passage} times"));
                }
                sleep(LOOK);
            }
        }
        Ok(since.elapsed())
    }

    /// Compares with a process that has nothing but the ledger, while nobody writes. Gives how many events there are.
    fn compare(&mut self) -> Result<u64, String> {
        self.load.goes_on()?;
        let _resting = self.load.rest();
        let process = self.process.as_ref().expect("it was started");
        let fresh = self.deployment.start(FRESH, ROLES, &[]);
        let mut events = 0;
        for (n, tenant) in self.load.tenants().iter().enumerate() {
            let at = |url: &str| equal::client(url, &tenant.key);
            // Reading the audit is written down: of one tenant each time, or there would soon be nothing else in it.
            let audit = n == self.rounds % self.load.tenants().len();
            events += equal::check(&at(&process.url), &at(&fresh.url), &tenant.end(), audit)
                .map_err(|wrong| format!("{}: {wrong}", tenant.name))?;
        }
        fresh.kill();
        self.deployment.forget(FRESH);
        Ok(events)
    }

    fn finish(mut self) -> Result<Totals, String> {
        self.kill();
        // What had to be built again says why.
        self.deployment
            .log(KILLED)
            .lines()
            .filter(|line| line.contains("built again"))
            .for_each(|line| println!("     {line}"));
        let commands = self.load.stop()?;
        let (code, _) = self.command.stop();
        if code != Some(0) {
            return Err(format!("the command process was told to stop and ended with {code:?}"));
        }
        Ok(Totals { commands, ..self.rebuilt })
    }

    /// The end of the logs of all processes.
    fn said(&self) -> String {
        let log = |name: &str| {
            let log = self.deployment.log(name);
            let lines: Vec<_> = log.lines().collect();
            format!("-- {name}\n{}", lines[lines.len().saturating_sub(15)..].join("\n"))
        };
        ["c", KILLED, FRESH].map(log).join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_comes_and_random_moments_between_them() {
        let (mut left, mut numbers, moments) = (Vec::new(), Numbers::new(3), moments(&[]).unwrap());
        let drawn: Vec<_> = (0..2 * Point::ALL.len()).map(|_| next(&moments, &mut left, &mut numbers)).collect();
        for point in 0..Point::ALL.len() {
            assert_eq!(drawn.iter().filter(|moment| **moment == Moment::At(point)).count(), 1);
        }
        assert_eq!(drawn.iter().filter(|moment| **moment == Moment::Random).count(), Point::ALL.len());
        assert_eq!(super::moments(&["AfterCommit".to_owned()]).unwrap(), [Moment::At(1)]);
        assert!(super::moments(&["Never".to_owned()]).is_err());
    }
}
