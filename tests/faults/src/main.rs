//! `faults`: a drill. Writers on a ledger over a real cluster of three, one fault after another, and after each the whole
//! truth: nothing acknowledged lost, nothing twice, no fork, no gap, every replica equal. Ends with 1 at the first thing
//! that is wrong.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a drill may panic, and says what it does")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use clap::Parser;
use promptory_ledger::jetstream::{JetStream, Options, ScrubReport, Shape, init, scrub};
use promptory_test_faults::inflict::{Inflicted, Target};
use promptory_test_faults::oracle::Oracle;
use promptory_test_faults::plan::{Fault, Numbers, Plan};
use promptory_test_faults::writers::{self, Writers, stored};
use promptory_test_nats::{Cluster, Syncing, User};
use tokio::task::block_in_place;

/// Rounds on one ledger. Then another is made, so that checks stay short and young streams have their share.
const ROUNDS_OF_A_LEDGER: usize = 10;
/// How long service may take to come back after a leader was killed.
const BACK_WITHIN: Duration = Duration::from_secs(15);
/// After this, whatever the fault was, something hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a fault that the others can live with lasts.
const HELD_AT_LEAST: Duration = Duration::from_secs(1);
const HELD_MORE_MS: u64 = 7000;
/// Undisturbed, before each fault.
const UNDISTURBED: Duration = Duration::from_millis(1500);

/// Faults on a real cluster, under writers.
#[derive(Parser, Debug)]
struct Args {
    /// How many faults.
    #[arg(long, default_value_t = 16)]
    rounds: usize,
    /// No new fault after this many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// Which plan.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 12)]
    writers: usize,
    #[arg(long, default_value_t = 6)]
    tenants: usize,
    #[arg(long, default_value_t = 2)]
    partitions: u16,
    /// How long a writer rests between two appends.
    #[arg(long, default_value_t = 40)]
    rest_ms: u64,
    /// Only these kinds, as the output names them.
    #[arg(long)]
    kind: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match drill(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            println!("WRONG: {wrong}");
            ExitCode::FAILURE
        }
    }
}

async fn drill(args: &Args) -> Result<(), String> {
    let kinds: Vec<_> = Fault::ALL.into_iter().filter(|kind| args.kind.contains(&format!("{kind:?}"))).collect();
    let (mut plan, mut numbers) = (Plan::new(args.seed, &kinds), Numbers::new(args.seed));
    let began = Instant::now();
    let in_time = || args.seconds.is_none_or(|seconds| began.elapsed() < Duration::from_secs(seconds));
    let (writers, tenants) = (args.writers, args.tenants);
    println!(
        "seed {}, {writers} writers over {tenants} tenants, {} partitions of 3 replicas",
        args.seed, args.partitions
    );
    let cluster = block_in_place(|| Cluster::on_disks(Syncing::Shipped));
    let (mut round, mut total, mut slowest) = (0, 0, Duration::ZERO);
    while round < args.rounds && in_time() {
        let mut ledger = OneLedger::new(&cluster, args).await;
        for _ in 0..ROUNDS_OF_A_LEDGER {
            if round == args.rounds || !in_time() {
                break;
            }
            round += 1;
            let fault = plan.next().expect("a plan has no end");
            slowest = slowest.max(ledger.round(round, fault, &mut numbers).await?);
        }
        total += ledger.finish().await?;
    }
    println!(
        "{round} faults, {total} batches acknowledged: 0 lost, 0 doubled, 0 forks, replicas equal after each; back after \
         {:.1} s at the most; {} s in all",
        slowest.as_secs_f64(),
        began.elapsed().as_secs()
    );
    Ok(())
}

/// One ledger, and who writes to it.
struct OneLedger<'c> {
    cluster: &'c Cluster,
    user: User,
    options: Options,
    oracle: Arc<Oracle>,
    writers: Option<Writers>,
    operator: jetstream::Context,
    partitions: u16,
}

impl<'c> OneLedger<'c> {
    async fn new(cluster: &'c Cluster, args: &Args) -> Self {
        let user = cluster.user();
        let options = Options::new(&cluster.url()).unwrap().password(&user.name, &user.name).patience(PATIENCE);
        init(&options, Shape { replicas: 3, partitions: args.partitions }).await.unwrap();
        let oracle = Arc::new(Oracle::default());
        let rest = Duration::from_millis(args.rest_ms);
        let shape = writers::Shape { writers: args.writers, tenants: args.tenants, rest };
        let writers = Some(Writers::start(&options, shape, &oracle).await);
        let connect = async_nats::ConnectOptions::with_user_and_password(user.name.clone(), user.name.clone());
        let url = cluster.url();
        let operator = jetstream::new(connect.connect(url.split(',').collect::<Vec<_>>()).await.unwrap());
        Self { cluster, user, options, oracle, writers, operator, partitions: args.partitions }
    }

    /// One fault and everything after it. Returns how long service took to come back.
    async fn round(&mut self, round: usize, fault: Fault, numbers: &mut Numbers) -> Result<Duration, String> {
        tokio::time::sleep(UNDISTURBED).await;
        let stream = format!("LEDGER-{}", numbers.below(self.partitions.into()));
        let leader = self.leader(&stream).await;
        let (cluster, user) = (self.cluster, self.user.clone());
        let target = Target { cluster, user: &user, stream: &stream };
        let done = block_in_place(|| target.inflict(fault, leader, numbers));
        self.oracle.mark(done.since);
        let mut note = String::new();
        if done.damaged {
            note = self.damaged(&target, &done).await?;
            self.oracle.mark(Instant::now());
        }
        let mut back = self.back(fault).await?;
        if fault.leaves_a_majority() && !done.damaged {
            // Long enough for what comes of it later: servers that miss each other, elections.
            tokio::time::sleep(HELD_AT_LEAST + Duration::from_millis(numbers.below(HELD_MORE_MS))).await;
        }
        block_in_place(|| target.undo());
        self.oracle.mark(Instant::now());
        back = back.max(self.back(fault).await?);
        let checked = Instant::now();
        self.check().await.map_err(|wrong| format!("after {fault:?} on {stream}{note}: {wrong}"))?;
        let about = done.server.map_or("all".to_owned(), |n| format!("n{n}"));
        println!(
            "{round:>4} {:<17} {stream} {about:<4} back after {:>5.1} s, {:>6} acknowledged, checked in {:.1} s{note}",
            format!("{fault:?}"),
            back.as_secs_f64(),
            self.oracle.count(),
            checked.elapsed().as_secs_f64(),
        );
        Ok(back)
    }

    async fn back(&self, fault: Fault) -> Result<Duration, String> {
        let since = Instant::now();
        loop {
            if let Some(back) = self.oracle.back_after() {
                if fault == Fault::KillLeader && back > BACK_WITHIN {
                    return Err(format!("{fault:?}: back after {back:?} only"));
                }
                return Ok(back);
            }
            if since.elapsed() > PATIENCE {
                return Err(format!("{fault:?}: not back after {PATIENCE:?}"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The scrub finds what a damaged replica lacks, and nothing else; then it is healed.
    async fn damaged(&self, target: &Target<'_>, done: &Inflicted) -> Result<String, String> {
        let server = done.server.expect("one was damaged");
        let report = scrub(&self.options).await.map_err(|error| error.to_string())?;
        if report.is_whole() {
            return Ok(", the server mended it by itself".to_owned());
        }
        let name = &self.cluster.servers()[server].name;
        for stream in &report.streams {
            let innocent = |replica: &promptory_ledger::jetstream::ReplicaReport| {
                replica.missing.count + replica.differs.count == 0
                    || (stream.stream == target.stream && replica.name == *name)
            };
            if !stream.replicas.iter().all(innocent) || stream.broken_count > 0 {
                return Err(format!("the scrub says more than that {name} is damaged: {report}"));
            }
        }
        let lost: u64 =
            report.streams.iter().flat_map(|s| &s.replicas).map(|r| r.missing.count + r.differs.count).sum();
        block_in_place(|| target.heal(server));
        Ok(format!(", the scrub found {lost} on {name}, healed"))
    }

    async fn leader(&self, stream: &str) -> usize {
        loop {
            let info = self.operator.get_stream(stream).await;
            let leader = info.ok().and_then(|stream| stream.cached_info().cluster.as_ref()?.leader.clone());
            match leader.and_then(|name| self.cluster.servers().iter().position(|server| server.name == name)) {
                Some(leader) => return leader,
                None => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Everything that was acknowledged before this is there for a stranger, and every replica has the same.
    async fn check(&self) -> Result<(), String> {
        let due: Vec<_> = self.oracle.lines().into_iter().map(|line| (self.oracle.due(&line), line)).collect();
        let stranger = JetStream::open(&self.options).await.map_err(|error| error.to_string())?;
        let mut wrong = self.oracle.take_wrong();
        for (due, line) in due {
            match stored(&stranger, &line, PATIENCE).await {
                Ok(stored) => wrong.extend(self.oracle.judge(&line, &due, &stored)),
                Err(error) => wrong.push(format!("{line}: {error}")),
            }
        }
        let since = Instant::now();
        let mut report = scrub(&self.options).await.map_err(|error| error.to_string())?;
        // A replica that was away is still catching up.
        while !report.is_whole() && since.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(500)).await;
            report = scrub(&self.options).await.map_err(|error| error.to_string())?;
        }
        if !report.is_whole() {
            wrong.push(report.to_string());
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }

    /// Ends the writers; looks at everything once more, and at what followers saw. Returns how much was acknowledged.
    async fn finish(mut self) -> Result<usize, String> {
        let report: ScrubReport = scrub(&self.options).await.map_err(|error| error.to_string())?;
        let writers = self.writers.take().expect("until now");
        let (ends, since) = (report.streams.iter().map(|stream| stream.end).collect::<Vec<_>>(), Instant::now());
        while writers.followed().iter().zip(&ends).any(|(followed, end)| followed < end) {
            if since.elapsed() > PATIENCE {
                return Err(format!("followers stand at {:?}, the streams end at {ends:?}", writers.followed()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let followed = writers.stop().await;
        self.check().await?;
        for (partition, (seen, end)) in followed.iter().zip(&ends).enumerate() {
            for line in self.oracle.lines() {
                let of_line = |(tenant, ..): &&(String, u64, u64)| *tenant == line;
                let seen: Vec<_> = seen.iter().filter(of_line).map(|(_, id, sequence)| (*id, *sequence)).collect();
                let lies_here = promptory_events::partition::of(&line.parse().unwrap(), self.partitions);
                if usize::from(lies_here) != partition {
                    continue;
                }
                let mut due = self.oracle.due(&line);
                due.retain(|(_, sequence)| sequence <= end);
                let wrong = self.oracle.judge(&line, &due, &seen);
                if !wrong.is_empty() {
                    return Err(format!("as followed: {}", wrong.join("\n")));
                }
            }
        }
        Ok(self.oracle.count())
    }
}
