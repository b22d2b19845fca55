//! Compares what each replica of each partition stream holds, message by message, and checks the chains on the way.
//!
//! A replica that lost messages says so nowhere, and answers for the stream when it leads. What is found is told with the
//! replica and the sequences; nothing is changed. Needs no more than the service may do anyway.

mod copy;
mod report;

use std::collections::HashMap;
use std::time::Instant;

use promptory_events::{Batch, BatchHeader, Cursor, TenantId, partition};

use super::fetch::{InfoError, info};
use super::layout::{Identity, stream_name, subject};
use super::link::Link;
use super::{OpenError, Options, identity};
use crate::chain::{Step, header_of};
use crate::port::Recorded;
use copy::{Copy, Held, placed};
pub use report::{Ranges, ReplicaReport, ScrubReport, StreamReport};

/// Reads every replica of every partition up to where the ledger ends now, and compares them.
///
/// # Errors
/// The servers can't be reached; there is no ledger, or not a whole one. What a replica lacks is no error: the report says it.
pub async fn scrub(options: &Options) -> Result<ScrubReport, OpenError> {
    let link = Link::connect(options, "promptory scrub").await?;
    let deadline = Instant::now() + options.patience;
    let identity = identity(&link, 0, deadline).await?;
    let mut streams = Vec::new();
    for partition in 0..identity.partitions {
        streams.push(Partition::new(&link, options, identity, partition).await?.compare().await);
    }
    Ok(ScrubReport { incarnation: identity.incarnation, streams })
}

/// One partition's stream in its copies.
struct Partition {
    identity: Identity,
    number: u16,
    end: u64,
    copies: Vec<Copy>,
    /// For each tenant, what its next batch must follow. About 100 bytes a tenant.
    chains: HashMap<TenantId, Step>,
    report: StreamReport,
}

impl Partition {
    async fn new(link: &Link, options: &Options, identity: Identity, number: u16) -> Result<Self, OpenError> {
        let deadline = Instant::now() + options.patience;
        let stream = loop {
            match info(link, &stream_name(number)).await {
                Ok(info) if Identity::of(&info.config) == Ok(identity) => break info,
                // Another ledger, or another release's.
                Ok(_) => return Err(OpenError::Inconsistent(format!("{} is of another ledger", stream_name(number)))),
                Err(InfoError::NotFound | InfoError::Unavailable(_)) if Instant::now() < deadline => {
                    tokio::time::sleep(super::PAUSE).await;
                }
                Err(InfoError::NotFound) => return Err(OpenError::NotInitialised(stream_name(number))),
                Err(InfoError::Unavailable(why)) => return Err(OpenError::Unavailable(why)),
            }
        };
        // With one replica there is one place, and a server alone does not say which.
        let mut names: Vec<Option<String>> = match &stream.cluster {
            Some(cluster) if stream.config.num_replicas > 1 => {
                let others = cluster.replicas.iter().map(|peer| &peer.name);
                cluster.leader.iter().chain(others).cloned().map(Some).collect()
            }
            _ => vec![None],
        };
        names.sort_unstable();
        // The leader may be the one that lost its end: each replica says how far it goes, at the least.
        let placing = names.iter().map(|name| placed(link, number, name.as_deref(), 1, options.patience));
        let placed = futures::future::join_all(placing).await;
        let reach = |found: &Result<copy::Placed, String>| found.as_ref().map_or(0, |(_, pending)| *pending);
        let end = placed.iter().map(reach).fold(stream.state.last_sequence, u64::max);
        let leader = stream.cluster.as_ref().and_then(|cluster| cluster.leader.clone());
        let only = leader.unwrap_or_else(|| link.server_name());
        let start = |(name, placed): (Option<String>, _)| {
            Copy::start(link.clone(), number, name, only.clone(), end, placed, options.patience)
        };
        let copies: Vec<_> = names.into_iter().zip(placed).map(start).collect();
        let expected = stream.config.num_replicas;
        let report = StreamReport::new(stream_name(number), end, expected, copies.iter().map(|copy| copy.name.clone()));
        Ok(Self { identity, number, end, copies, chains: HashMap::new(), report })
    }

    async fn compare(mut self) -> StreamReport {
        for sequence in 1..=self.end {
            let mut held = Vec::with_capacity(self.copies.len());
            for copy in &mut self.copies {
                held.push(copy.take(sequence).await);
            }
            self.one(sequence, &held);
        }
        for (copy, report) in self.copies.iter_mut().zip(&mut self.report.replicas) {
            report.unread = copy.failed.take();
        }
        self.report
    }

    /// Compares the copies of one message; `None` is one that was not read.
    fn one(&mut self, sequence: u64, held: &[copy::Taken]) {
        let good = self.good(sequence, held);
        for (taken, report) in held.iter().zip(&mut self.report.replicas) {
            match taken {
                copy::Taken::Held(held) => {
                    report.read += 1;
                    if good.as_ref().is_ok_and(|(good, _)| good != held) {
                        report.differs.add(sequence);
                    }
                }
                copy::Taken::Missing => report.missing.add(sequence),
                copy::Taken::Unread => {}
            }
        }
        match good {
            Ok((_, header)) => self.follow(sequence, &header),
            Err(Some(why)) => self.report.breaks(sequence, why),
            Err(None) => {} // nobody has it, or nobody could be asked: said of each
        }
    }

    /// The copy that is right: one that is a batch of its place, and among several the one that most replicas hold.
    fn good(&self, sequence: u64, held: &[copy::Taken]) -> Result<(Held, BatchHeader), Option<String>> {
        let copies = || held.iter().filter_map(copy::Taken::held);
        let mut best: Option<(usize, &Held, BatchHeader)> = None;
        let mut why = None;
        for copy in copies() {
            let votes = copies().filter(|other| *other == copy).count();
            if best.as_ref().is_some_and(|best| best.0 >= votes) {
                continue;
            }
            match self.batch(sequence, copy) {
                Ok(header) => best = Some((votes, copy, header)),
                Err(error) => why = Some(error),
            }
        }
        best.map(|(_, held, header)| (held.clone(), header)).ok_or(why)
    }

    /// The header of a message that is a batch, whole and where it should be.
    fn batch(&self, sequence: u64, held: &Held) -> Result<BatchHeader, String> {
        let tenant = Batch::parse(held.payload.clone()).map_err(|error| error.to_string())?.header.tenant;
        let cursor = Cursor { incarnation: self.identity.incarnation, sequence };
        let recorded = Recorded { cursor, bytes: held.payload.clone() };
        let header = header_of(&recorded, &tenant).map_err(|error| error.to_string())?;
        let expected = subject(partition::of(&tenant, self.identity.partitions), &tenant);
        if held.subject != expected || partition::of(&tenant, self.identity.partitions) != self.number {
            return Err(format!("a batch of {tenant} lies under {}", held.subject));
        }
        Ok(header)
    }

    fn follow(&mut self, sequence: u64, header: &BatchHeader) {
        let step = self.chains.get(&header.tenant).copied().unwrap_or(Step::First(0));
        let next = step.after(header, sequence).unwrap_or_else(|error| {
            self.report.breaks(sequence, error.to_string());
            // Said once, and followed on from here.
            Step::Then { index: header.last_index() + 1, prev: sequence }
        });
        match self.chains.get_mut(&header.tenant) {
            Some(known) => *known = next,
            None => drop(self.chains.insert(header.tenant.clone(), next)),
        }
    }
}
