//! A ledger on the cluster, who works on it, and the checks of everything that was acknowledged.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use promptory_events::partition;
use promptory_ledger::jetstream::{JetStream, Options, ReplicaReport, ScrubReport, Shape, init, scrub};
use promptory_test_nats::{Cluster, User};
use promptory_tests::process::Deployment;
use tokio::task::block_in_place;

use crate::clients::{self, Clients, Counts, Tenant};
use crate::inflict::{Inflicted, Target};
use crate::meaning::PATIENCE;
use crate::oracle::Oracle;
use crate::processes::Processes;
use crate::walk::{self, stored};
use crate::writers::{self, Writers};
use crate::{models, walk::Entries};

const AGAIN: Duration = Duration::from_millis(500);

/// Who writes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Straight to the ledger.
    Ledger(writers::Shape),
    /// Over HTTP, at processes by role.
    Http(clients::Shape),
}

/// A ledger and who works on it.
pub struct Ground<'c> {
    cluster: &'c Cluster,
    user: User,
    options: Options,
    /// What they were told.
    pub oracle: Arc<Oracle>,
    load: Load,
    operator: jetstream::Context,
    partitions: u16,
}

enum Load {
    Ledger(Option<Writers>),
    Http(Box<Http>),
}

struct Http {
    processes: Processes,
    tenants: Vec<Arc<Tenant>>,
    clients: Option<Clients>,
}

impl<'c> Ground<'c> {
    /// A new ledger with three copies of everything, and those who write at work.
    pub async fn new(cluster: &'c Cluster, kind: Kind, partitions: u16) -> Self {
        let (user, shape) = (cluster.user(), Shape { replicas: 3, partitions });
        let oracle = Arc::new(Oracle::default());
        let options = Options::new(&cluster.url()).unwrap().password(&user.name, &user.name).patience(PATIENCE);
        let load = match kind {
            Kind::Ledger(writers) => {
                init(&options, shape).await.unwrap();
                Load::Ledger(Some(Writers::start(&options, writers, &oracle).await))
            }
            Kind::Http(shape_of) => {
                let deployment = Deployment::new(&cluster.url(), &user, shape).await;
                Load::Http(Box::new(block_in_place(|| Http::start(deployment, shape_of, &oracle))))
            }
        };
        let connect = async_nats::ConnectOptions::with_user_and_password(user.name.clone(), user.name.clone());
        let url = cluster.url();
        let operator = jetstream::new(connect.connect(url.split(',').collect::<Vec<_>>()).await.unwrap());
        Self { cluster, user, options, oracle, load, operator, partitions }
    }

    /// What faults on a stream are done to.
    #[must_use]
    pub fn target<'a>(&'a self, stream: &'a str) -> Target<'a> {
        let processes = match &self.load {
            Load::Ledger(_) => None,
            Load::Http(http) => Some(&http.processes),
        };
        Target { cluster: self.cluster, user: &self.user, stream, processes }
    }

    /// The server that leads a stream.
    pub async fn leader(&self, stream: &str) -> usize {
        loop {
            let info = self.operator.get_stream(stream).await;
            let leader = info.ok().and_then(|stream| stream.cached_info().cluster.as_ref()?.leader.clone());
            match leader.and_then(|name| self.cluster.servers().iter().position(|server| server.name == name)) {
                Some(leader) => return leader,
                None => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// The scrub finds what a damaged replica lacks, and nothing else; then it is healed.
    ///
    /// # Errors
    /// It finds something else.
    pub async fn damaged(&self, target: &Target<'_>, done: &Inflicted) -> Result<String, String> {
        let server = done.server.expect("one was damaged");
        let name = &self.cluster.servers()[server].name;
        let since = Instant::now();
        let report = loop {
            let report = scrub(&self.options).await.map_err(|error| error.to_string())?;
            if report.is_whole() {
                return Ok(", the server mended it by itself".to_owned());
            }
            if says_no_more(&report, target.stream, name) {
                break report;
            }
            // The server was started a moment ago: of its other streams it may lack what is on its way to it.
            if since.elapsed() > PATIENCE {
                return Err(format!("the scrub says more than that {name} is damaged: {report}"));
            }
            tokio::time::sleep(AGAIN).await;
        };
        let lost: u64 =
            report.streams.iter().flat_map(|s| &s.replicas).map(|r| r.missing.count + r.differs.count).sum();
        block_in_place(|| target.heal(server));
        Ok(format!(", the scrub found {lost} on {name}, healed"))
    }

    /// Everything that was acknowledged before this is there for a stranger, every chain holds, and every replica has the
    /// same.
    ///
    /// # Errors
    /// What is not so.
    pub async fn check(&self) -> Result<(), String> {
        let due: Vec<_> = self.oracle.lines().into_iter().map(|line| (self.oracle.due(&line), line)).collect();
        let stranger = JetStream::open(&self.options).await.map_err(|error| error.to_string())?;
        let entries: Entries = match self.load {
            Load::Ledger(_) => walk::batches,
            Load::Http(_) => walk::versions,
        };
        let mut wrong = self.oracle.take_wrong();
        for (due, line) in due {
            match stored(&stranger, &line, entries, PATIENCE).await {
                Ok(stored) => wrong.extend(self.oracle.judge(&line, &due, &stored)),
                Err(error) => wrong.push(format!("{line}: {error}")),
            }
        }
        let since = Instant::now();
        let mut report = scrub(&self.options).await.map_err(|error| error.to_string())?;
        // A replica that was away is still catching up.
        while !report.is_whole() && since.elapsed() < PATIENCE {
            tokio::time::sleep(AGAIN).await;
            report = scrub(&self.options).await.map_err(|error| error.to_string())?;
        }
        if !report.is_whole() {
            wrong.push(report.to_string());
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }

    /// Ends those who write; looks at everything once more, and at what others made of it: followers, or read models.
    /// Returns how much was acknowledged, and a line about it.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn finish(&mut self) -> Result<(usize, String), String> {
        let note = match &mut self.load {
            Load::Ledger(writers) => {
                let writers = writers.take().expect("until now");
                self.followed(writers).await?
            }
            Load::Http(http) => block_in_place(|| http.finish())?,
        };
        self.check().await?;
        Ok((self.oracle.count(), note))
    }

    /// What all who take part have said lately: for whoever looks at what went wrong, when they and their folders are gone.
    #[must_use]
    pub fn said(&self) -> String {
        let servers = self.cluster.servers().iter().map(|server| format!("-- {}\n{}", server.name, server.log()));
        let processes = match &self.load {
            Load::Ledger(_) => Vec::new(),
            Load::Http(http) => http.processes.said(),
        };
        servers.chain(processes).collect::<Vec<_>>().join("\n")
    }

    async fn followed(&self, writers: Writers) -> Result<String, String> {
        let report = scrub(&self.options).await.map_err(|error| error.to_string())?;
        let (ends, since) = (report.streams.iter().map(|stream| stream.end).collect::<Vec<_>>(), Instant::now());
        while writers.followed().iter().zip(&ends).any(|(followed, end)| followed < end) {
            if since.elapsed() > PATIENCE {
                return Err(format!("followers stand at {:?}, the streams end at {ends:?}", writers.followed()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let followed = writers.stop().await;
        for (number, (seen, end)) in (0u16..).zip(followed.iter().zip(&ends)) {
            let lies_here = |line: &String| partition::of(&line.parse().unwrap(), self.partitions) == number;
            for line in self.oracle.lines().into_iter().filter(lies_here) {
                let of_line = seen.iter().filter(|(tenant, ..)| *tenant == line);
                let seen: Vec<_> = of_line.map(|(_, id, place)| (*id, *place)).collect();
                let mut due = self.oracle.due(&line);
                due.retain(|(_, (sequence, _))| sequence <= end);
                let wrong = self.oracle.judge(&line, &due, &seen);
                if !wrong.is_empty() {
                    return Err(format!("as followed: {}", wrong.join("\n")));
                }
            }
        }
        Ok("followers saw the same".to_owned())
    }
}

/// Whether a scrub finds nothing but what one replica lacks of one stream.
fn says_no_more(report: &ScrubReport, damaged: &str, server: &str) -> bool {
    report.streams.iter().all(|stream| {
        let innocent = |replica: &ReplicaReport| {
            replica.missing.count + replica.differs.count == 0 || (stream.stream == damaged && replica.name == server)
        };
        stream.replicas.iter().all(innocent) && stream.broken_count == 0
    })
}

impl Http {
    fn start(deployment: Deployment, shape: clients::Shape, oracle: &Arc<Oracle>) -> Self {
        let processes = Processes::start(deployment);
        let tenants = clients::tenants(&processes, shape.tenants);
        let commands = processes.commands().into();
        let clients = Clients::start(shape, commands, processes.query(), tenants.clone(), oracle);
        Self { processes, tenants, clients: Some(clients) }
    }

    fn finish(&mut self) -> Result<String, String> {
        let Counts { hot, spread, reads, again } = self.clients.take().expect("until now").stop();
        let forwarded = self.processes.forwarded();
        models::check(&self.processes, self.tenants.iter().map(AsRef::as_ref))?;
        let panics = self.processes.panics();
        if !panics.is_empty() {
            return Err(panics.join("\n"));
        }
        Ok(format!(
            "{hot} writes of the hot prompt, {spread} of others, {forwarded} forwarded (by those that were not killed), \
             {reads} reads, {again} answers that said later or did not come; the models of both projections and of a new \
             one equal a fold of the ledger"
        ))
    }
}
