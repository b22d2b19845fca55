//! Making the streams of a ledger and of its key store: idempotent, and never a change to what is there. What differs is
//! reported.

use std::fmt;
use std::time::{Duration, Instant};

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::CreateStreamErrorKind;
use async_nats::jetstream::stream::{Config, Info};
use promptory_events::Incarnation;

use super::fetch::{InfoError, info};
use super::layout::{
    Drift, Identity, KEYS, PARTITIONS_MAX, ROLLUP, USAGE, drift, lacks_nothing, stream_name, wanted, wanted_keys,
    wanted_rollup, wanted_usage,
};
use super::link::{Link, with_causes};
use super::{OpenError, Options};
use crate::usage;

const PAUSE: Duration = Duration::from_millis(200);

/// What the streams should be.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Copies of each message: 1, or 3 or 5 on a cluster.
    pub replicas: usize,
    /// Partitions of a new ledger, 1 to [`PARTITIONS_MAX`]. Fixed then.
    pub partitions: u16,
}

/// What `init` found and did.
#[derive(Clone, Debug)]
pub struct Report {
    /// The server's version.
    pub server: String,
    /// Which life of the ledger this is; `None` if the streams don't say.
    pub incarnation: Option<Incarnation>,
    /// Streams that were created.
    pub created: Vec<String>,
    /// Streams that were there.
    pub found: Vec<String>,
    /// What is not as it should be. Nothing was changed about it.
    pub drift: Vec<Drift>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "server       {}", self.server)?;
        match self.incarnation {
            Some(incarnation) => writeln!(f, "incarnation  {incarnation}")?,
            None => writeln!(f, "incarnation  unknown")?,
        }
        writeln!(f, "created      {}", self.created.len())?;
        write!(f, "found        {}", self.found.len())?;
        for drift in &self.drift {
            write!(f, "\ndrift        {drift}")?;
        }
        Ok(())
    }
}

/// Creates the streams of a ledger that are not there, and compares those that are with what they should be. Needs a
/// credential that may create streams.
///
/// Streams are only ever added to a ledger that holds nothing: to one that does, a new and empty stream would look like
/// a partition without batches.
///
/// # Errors
/// The servers can't be reached, are too old or take too small messages; the shape is impossible; a stream can't be
/// created. Drift is no error.
pub async fn init(options: &Options, shape: Shape) -> Result<Report, OpenError> {
    init_keeping(options, shape, usage::KEEP).await
}

/// The same, with how long the ids of usage records are to be known; the records are kept a little longer.
///
/// # Errors
/// As [`init`].
pub async fn init_keeping(options: &Options, shape: Shape, usage: Duration) -> Result<Report, OpenError> {
    if !(1..=PARTITIONS_MAX).contains(&shape.partitions) || !matches!(shape.replicas, 1 | 3 | 5) {
        let Shape { replicas, partitions } = shape;
        let allowed = format!("1 to {PARTITIONS_MAX} partitions with 1, 3 or 5 replicas");
        return Err(OpenError::Shape(format!(
            "{partitions} partitions with {replicas} replicas; possible are {allowed}"
        )));
    }
    let link = Link::connect(options, "promptory init").await?;
    let max_age = usage::max_age(usage);
    Init { link, deadline: Instant::now() + options.patience, shape, max_age }.run().await
}

struct Init {
    link: Link,
    deadline: Instant,
    shape: Shape,
    max_age: Duration,
}

impl Init {
    async fn run(&self) -> Result<Report, OpenError> {
        let mut report = Report {
            server: self.link.server_version(),
            incarnation: None,
            created: Vec::new(),
            found: Vec::new(),
            drift: Vec::new(),
        };
        let Some(identity) = self.first(&mut report).await? else { return Ok(report) };
        report.incarnation = Some(identity.incarnation);
        let mut streams = Vec::new();
        for partition in 0..identity.partitions {
            streams.push(wanted(partition, identity, self.shape.replicas));
        }
        streams.push(wanted_keys(identity.incarnation, self.shape.replicas));
        streams.push(wanted_usage(identity.incarnation, self.shape.replicas, self.max_age));
        streams.push(wanted_rollup(identity.incarnation, self.shape.replicas));
        let mut there = Vec::new();
        for wanted in &streams {
            there.push(self.look(&wanted.name).await?);
        }
        let holds_something = there.iter().flatten().any(|info| info.state.last_sequence > 0);
        for (wanted, found) in streams.iter().zip(there) {
            match found {
                Some(info) => compare(&info, wanted, &mut report),
                None if holds_something => report.drift.push(missing(&wanted.name)),
                None => {
                    let info = self.create(wanted, &mut report).await?;
                    compare(&info, wanted, &mut report);
                }
            }
        }
        if self.look(&stream_name(identity.partitions)).await?.is_some() {
            let (stream, setting) = (stream_name(identity.partitions), "existence");
            report.drift.push(Drift { stream, setting, expected: "no such stream".into(), found: "there".into() });
        }
        Ok(report)
    }

    /// What ledger this is. Its first stream decides: of two that run at once, the one that creates it gives its
    /// incarnation to the rest.
    async fn first(&self, report: &mut Report) -> Result<Option<Identity>, OpenError> {
        let info = match self.look(&stream_name(0)).await? {
            Some(info) => info,
            None => {
                let mut orphans = Vec::new();
                for name in (1..self.shape.partitions).map(stream_name).chain([KEYS, USAGE, ROLLUP].map(str::to_owned))
                {
                    orphans.extend(self.look(&name).await?.map(|_| name));
                }
                if !orphans.is_empty() {
                    report.found.extend(orphans);
                    report.drift.push(missing(&stream_name(0)));
                    return Ok(None);
                }
                let mut incarnation = [0; 8];
                getrandom::fill(&mut incarnation).map_err(OpenError::Random)?;
                let identity = Identity { incarnation: Incarnation(incarnation), partitions: self.shape.partitions };
                self.create(&wanted(0, identity, self.shape.replicas), report).await?
            }
        };
        match Identity::of(&info.config) {
            Ok(identity) => {
                if identity.partitions != self.shape.partitions {
                    report.drift.push(Drift {
                        stream: stream_name(0),
                        setting: "partitions of the ledger",
                        expected: self.shape.partitions.to_string(),
                        found: identity.partitions.to_string(),
                    });
                }
                Ok(Some(identity))
            }
            Err(why) => {
                let (stream, setting) = (stream_name(0), "metadata");
                report.found.push(stream.clone());
                report.drift.push(Drift { stream, setting, expected: "that of a ledger".into(), found: why });
                Ok(None)
            }
        }
    }

    /// Asks for a stream, and again while the cluster can't say.
    async fn look(&self, stream: &str) -> Result<Option<Info>, OpenError> {
        loop {
            match info(&self.link, stream).await {
                Ok(info) => return Ok(Some(info)),
                Err(InfoError::NotFound) => return Ok(None),
                Err(InfoError::Unavailable(why)) => self.pause(why).await?,
            }
        }
    }

    async fn create(&self, config: &Config, report: &mut Report) -> Result<Info, OpenError> {
        loop {
            match self.link.context.create_stream(config.clone()).await {
                Ok(_) => {
                    report.created.push(config.name.clone());
                    break;
                }
                Err(error) => match error.kind() {
                    // Another `init` was faster.
                    CreateStreamErrorKind::JetStream(e) if e.error_code() == ErrorCode::STREAM_NAME_EXIST => break,
                    CreateStreamErrorKind::TimedOut | CreateStreamErrorKind::JetStreamUnavailable => {
                        self.pause(with_causes(&error)).await?;
                    }
                    CreateStreamErrorKind::JetStream(e) if is_transient(e.error_code()) => {
                        self.pause(with_causes(&error)).await?;
                    }
                    _ => return Err(OpenError::Create { stream: config.name.clone(), why: with_causes(&error) }),
                },
            }
        }
        // As it is now, whoever made it: on a cluster the answer may come before the stream can be asked for.
        loop {
            if let Some(info) = self.look(&config.name).await? {
                return Ok(info);
            }
            self.pause(format!("{} was created and is not there yet", config.name)).await?;
        }
    }

    async fn pause(&self, why: String) -> Result<(), OpenError> {
        if Instant::now() >= self.deadline {
            return Err(OpenError::Unavailable(why));
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}

fn compare(info: &Info, wanted: &Config, report: &mut Report) {
    report.drift.extend(drift(&info.config, wanted));
    let (stream, state) = (wanted.name.clone(), &info.state);
    if state.messages != state.last_sequence && lacks_nothing(&stream) {
        report.drift.push(Drift {
            stream: stream.clone(),
            setting: "messages",
            expected: state.last_sequence.to_string(),
            found: state.messages.to_string(),
        });
    }
    if !report.created.contains(&stream) {
        report.found.push(stream);
    }
}

/// A cluster that is still finding its leader, or whose servers are not all there yet.
fn is_transient(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::CLUSTER_NOT_AVAILABLE | ErrorCode::CLUSTER_NO_PEERS | ErrorCode::INSUFFICIENT_RESOURCES)
}

fn missing(stream: &str) -> Drift {
    let why = "nothing; not created, because the ledger holds something already".to_owned();
    Drift { stream: stream.to_owned(), setting: "existence", expected: "a stream".into(), found: why }
}
