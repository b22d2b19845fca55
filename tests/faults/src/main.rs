//! `faults`: a drill. Writers on a ledger over a real cluster of three, one fault after another, and after each the whole
//! truth: nothing acknowledged lost, nothing twice, no fork, no gap, every replica equal. Ends with 1 at the first thing
//! that is wrong.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a drill may panic, and says what it does")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use promptory_test_faults::ground::{Ground, Kind};
use promptory_test_faults::kills::mortal::{self, MortalArgs};
use promptory_test_faults::meaning::PATIENCE;
use promptory_test_faults::plan::{Fault, Numbers, Plan};
use promptory_test_faults::{clients, kills, throughput, writers};
use promptory_test_nats::{Cluster, Syncing};
use tokio::task::block_in_place;

/// How long a fault that the others can live with lasts.
const HELD_AT_LEAST: Duration = Duration::from_secs(1);
const HELD_MORE_MS: u64 = 7000;
/// Undisturbed, before each fault.
const UNDISTURBED: Duration = Duration::from_millis(1500);

/// Faults on a real cluster, under load.
#[derive(Parser, Debug)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Writers straight at the ledger, faults of the servers.
    Ledger {
        #[command(flatten)]
        drill: Drill,
        #[arg(long, default_value_t = 12)]
        writers: usize,
        #[arg(long, default_value_t = 6)]
        tenants: usize,
        /// How long a writer rests between two appends.
        #[arg(long, default_value_t = 40)]
        rest_ms: u64,
    },
    /// Clients over HTTP at two command, two projection and one query process; faults of the servers and of the processes.
    Http {
        #[command(flatten)]
        drill: Drill,
        /// Clients that write one prompt of one tenant.
        #[arg(long, default_value_t = 32)]
        hot: usize,
        /// Clients that write one prompt in each of the other tenants.
        #[arg(long, default_value_t = 32)]
        spread: usize,
        /// The other tenants.
        #[arg(long, default_value_t = 50)]
        tenants: usize,
        /// Clients that read what was acknowledged.
        #[arg(long, default_value_t = 4)]
        readers: usize,
        /// How long a client rests between two requests.
        #[arg(long, default_value_t = 300)]
        rest_ms: u64,
    },
    /// Writers over HTTP; the process with the read models is killed at random moments and named points, and compared after each.
    Kills {
        #[arg(long, default_value_t = 18)]
        rounds: usize,
        /// No new kill after this many seconds.
        #[arg(long)]
        seconds: Option<u64>,
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[arg(long, default_value_t = 4)]
        tenants: usize,
        /// How long a client rests between two requests.
        #[arg(long, default_value_t = 50)]
        rest_ms: u64,
        #[arg(long, default_value_t = 2)]
        partitions: u16,
        #[arg(long, default_value_t = 18)]
        rounds_of_a_ledger: usize,
        /// Only at these moments, as the output names them.
        #[arg(long)]
        at: Vec<String>,
    },
    /// `promptory serve` that dies at a point by itself: what the drill above kills there.
    #[command(hide = true)]
    Mortal(Box<MortalArgs>),
    /// One command process and two under the same load, by turns.
    Throughput {
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        #[arg(long, default_value_t = 5)]
        seconds: u64,
        #[arg(long, default_value_t = 64)]
        hot: usize,
        #[arg(long, default_value_t = 64)]
        spread: usize,
        #[arg(long, default_value_t = 50)]
        tenants: usize,
        #[arg(long, default_value_t = 2)]
        partitions: u16,
    },
}

/// What drills have in common.
#[derive(Args, Debug)]
struct Drill {
    /// How many faults.
    #[arg(long, default_value_t = 16)]
    rounds: usize,
    /// No new fault after this many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// Which plan.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only these kinds, as the output names them.
    #[arg(long)]
    kind: Vec<String>,
    #[arg(long, default_value_t = 2)]
    partitions: u16,
    /// Faults on one ledger. Then another is made, so that checks stay short and young streams have their share.
    #[arg(long, default_value_t = 10)]
    rounds_of_a_ledger: usize,
    /// Service that is back later than it should be makes the drill fail: not on a machine that does other things too.
    #[arg(long)]
    in_time: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Ledger { drill, writers, tenants, rest_ms } => {
            println!("seed {}, {writers} writers over {tenants} tenants at the ledger", drill.seed);
            let rest = Duration::from_millis(rest_ms);
            let kind = Kind::Ledger(writers::Shape { writers, tenants, rest });
            drill.run(kind, &Fault::OF_SERVERS).await
        }
        Command::Http { drill, hot, spread, tenants, readers, rest_ms } => {
            println!(
                "seed {}, over HTTP {hot} clients on one prompt, {spread} over {tenants} tenants, {readers} readers; processes: 2 \
                 command, 2 projection, 1 query",
                drill.seed
            );
            let rest = Duration::from_millis(rest_ms);
            let kind = Kind::Http(clients::Shape { hot, spread, tenants, readers, rest });
            drill.run(kind, &[&Fault::OF_SERVERS[..], &Fault::OF_PROCESSES[..]].concat()).await
        }
        Command::Kills { rounds, seconds, seed, tenants, rest_ms, partitions, rounds_of_a_ledger, at } => {
            println!(
                "seed {seed}, {tenants} tenants, one client each; a command process, and one with the read models that is killed"
            );
            let (time, rest) = (seconds.map(Duration::from_secs), Duration::from_millis(rest_ms));
            kills::run(&kills::Plan { rounds, time, seed, tenants, rest, partitions, rounds_of_a_ledger, at }).await
        }
        Command::Mortal(args) => mortal::run(*args).await,
        Command::Throughput { rounds, seconds, hot, spread, tenants, partitions } => {
            let span = Duration::from_secs(seconds);
            throughput::run(&throughput::Plan { rounds, span, hot, spread, tenants, partitions }).await
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            println!("WRONG: {wrong}");
            ExitCode::FAILURE
        }
    }
}

/// What is asked of the time for which service is away, if anything is: the longest that anybody may wait.
fn bar(fault: Fault) -> Option<Duration> {
    match fault {
        Fault::KillLeader => Some(Duration::from_secs(15)),
        Fault::KillCommand | Fault::KillProjection | Fault::KillQuery => Some(Duration::from_secs(2)),
        _ => None,
    }
}

impl Drill {
    async fn run(&self, kind: Kind, kinds: &[Fault]) -> Result<(), String> {
        let named = |fault: &&Fault| self.kind.is_empty() || self.kind.contains(&format!("{fault:?}"));
        let kinds: Vec<_> = kinds.iter().filter(named).copied().collect();
        if kinds.is_empty() {
            return Err(format!("no such kind of fault: {:?}", self.kind));
        }
        let (mut plan, mut numbers) = (Plan::new(self.seed, &kinds), Numbers::new(self.seed));
        let began = Instant::now();
        let in_time = || self.seconds.is_none_or(|seconds| began.elapsed() < Duration::from_secs(seconds));
        println!("{} partitions of 3 replicas, {} kinds of faults", self.partitions, kinds.len());
        let cluster = block_in_place(|| Cluster::on_disks(Syncing::Shipped));
        let (mut round, mut total, mut backs) = (0, 0, Vec::new());
        while round < self.rounds && in_time() {
            let mut ground = Ground::new(&cluster, kind, self.partitions).await;
            for _ in 0..self.rounds_of_a_ledger {
                if round == self.rounds || !in_time() {
                    break;
                }
                round += 1;
                let fault = plan.next().expect("a plan has no end");
                let back = self.round(&ground, round, fault, &mut numbers).await;
                let told = |wrong| format!("round {round}, {fault:?}: {wrong}\n{}", ground.said());
                backs.push((fault, back.map_err(told)?));
            }
            let finished = ground.finish().await;
            let (count, note) = finished.map_err(|wrong| format!("at the end: {wrong}\n{}", ground.said()))?;
            println!("     {note}");
            total += count;
        }
        println!(
            "{round} faults, {total} writes acknowledged: 0 lost, 0 doubled, 0 forks, 0 gaps, replicas equal after each; {} s in all",
            began.elapsed().as_secs()
        );
        self.times(&kinds, &backs)
    }

    /// Prints how long service was away, by kind of fault.
    fn times(&self, kinds: &[Fault], backs: &[(Fault, Back)]) -> Result<(), String> {
        let mut late = Vec::new();
        for kind in kinds {
            let of_kind: Vec<_> = backs.iter().filter(|(fault, _)| fault == kind).map(|(_, back)| *back).collect();
            if of_kind.is_empty() {
                continue;
            }
            let most = |of: fn(&Back) -> Duration| of_kind.iter().map(of).max().unwrap_or_default();
            let waited = most(|back| back.waited);
            let asked = bar(*kind).map(|bar| format!(" ({} s asked)", bar.as_secs())).unwrap_or_default();
            let (name, times) = (format!("{kind:?}"), of_kind.len());
            println!(
                "{name:<17} {times:>2} times, at the most: waited {:>4.1} s{asked}, all served after {:>4.1} s, and {:>4.1} s after \
                 it was undone",
                waited.as_secs_f64(),
                most(|back| back.during).as_secs_f64(),
                most(|back| back.after).as_secs_f64()
            );
            if bar(*kind).is_some_and(|bar| waited > bar) {
                late.push(format!("{name} {:.1} s", waited.as_secs_f64()));
            }
        }
        if late.is_empty() {
            return Ok(());
        }
        println!("LATE: {}", late.join(", "));
        if self.in_time { Err("service was not back in time".to_owned()) } else { Ok(()) }
    }

    /// One fault and everything after it.
    async fn round(
        &self,
        ground: &Ground<'_>,
        round: usize,
        fault: Fault,
        numbers: &mut Numbers,
    ) -> Result<Back, String> {
        tokio::time::sleep(UNDISTURBED).await;
        let stream = format!("LEDGER-{}", numbers.below(self.partitions.into()));
        let leader = ground.leader(&stream).await;
        let target = ground.target(&stream);
        let done = block_in_place(|| target.inflict(fault, leader, numbers));
        ground.oracle.mark(done.since);
        let mut note = String::new();
        if done.damaged {
            note = ground.damaged(&target, &done).await?;
            ground.oracle.mark(Instant::now());
        }
        let during = back(ground).await?;
        let waited = ground.oracle.waited();
        if fault.leaves_a_majority() && !done.damaged {
            // Long enough for what comes of it later: servers that miss each other, elections.
            tokio::time::sleep(HELD_AT_LEAST + Duration::from_millis(numbers.below(HELD_MORE_MS))).await;
        }
        block_in_place(|| target.undo());
        ground.oracle.mark(Instant::now());
        let after = back(ground).await?;
        let checked = Instant::now();
        ground.check().await.map_err(|wrong| format!("on {stream}{note}: {wrong}"))?;
        println!(
            "{round:>4} {:<17} {stream} {:<4} waited {:>4.1} s, all served after {:>4.1} s, and {:>4.1} s after it was undone, {:>6} \
             acknowledged, checked in {:.1} s{note}",
            format!("{fault:?}"),
            done.about,
            waited.as_secs_f64(),
            during.as_secs_f64(),
            after.as_secs_f64(),
            ground.oracle.count(),
            checked.elapsed().as_secs_f64(),
        );
        Ok(Back { waited, during, after })
    }
}

/// How long service was away.
#[derive(Clone, Copy, Debug)]
struct Back {
    /// The longest that anybody waited who had asked.
    waited: Duration,
    /// When the last one of all had been served who asks now and then: while a fault that the others can live with lasted.
    during: Duration,
    /// The same, from when it was undone.
    after: Duration,
}

/// Waits until everybody is served again.
async fn back(ground: &Ground<'_>) -> Result<Duration, String> {
    let since = Instant::now();
    loop {
        if let Some(back) = ground.oracle.back_after() {
            return Ok(back);
        }
        if since.elapsed() > PATIENCE {
            let (waiting, wrong) = (ground.oracle.waiting(), ground.oracle.take_wrong());
            return Err(format!("not back after {PATIENCE:?}: {}; {}", waiting.join(", "), wrong.join("\n")));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
