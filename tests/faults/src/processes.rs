//! The processes that are a whole system by role: two that take commands, two with read models, one that answers questions.
//! Each can be killed, paused and started again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

use promptory_tests::process::{Deployment, Process};

use crate::meaning::PATIENCE;
use crate::plan::{Fault, Numbers};

/// Name and role of each.
const REPLICAS: [(&str, &str); 5] =
    [("c1", "command"), ("c2", "command"), ("p1", "projection"), ("p2", "projection"), ("q", "query")];
/// The projections; both have all partitions.
pub const PROJECTIONS: [&str; 2] = ["p1", "p2"];
const QUERY: &str = "q";
/// Lines of a log that are shown.
const LINES: usize = 15;
const LOOK: Duration = Duration::from_millis(20);

/// Where a replica is reached: another address after each of its starts.
#[derive(Clone, Debug, Default)]
pub struct Door(Arc<RwLock<String>>);

impl Door {
    /// The address now, or the last one while it is down.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, url: &str) {
        url.clone_into(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The processes.
#[derive(Debug)]
pub struct Processes {
    deployment: Deployment,
    replicas: Vec<Replica>,
}

#[derive(Debug)]
struct Replica {
    name: &'static str,
    roles: &'static str,
    door: Door,
    process: Mutex<Option<Process>>,
}

impl Replica {
    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, deployment: &Deployment) {
        let process = deployment.start(self.name, self.roles, &[]);
        self.door.set(&process.url);
        *self.process() = Some(process);
    }

    /// Kills it and waits until it is gone.
    fn kill(&self) {
        drop(self.process().take());
    }

    /// The end of its log.
    fn said(&self) -> String {
        let log = self.process().as_ref().map(Process::log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }

    fn wait_ready(&self) {
        let since = Instant::now();
        while !self.process().as_ref().is_some_and(Process::is_ready) {
            assert!(since.elapsed() < PATIENCE, "{} is not ready after {PATIENCE:?}: {}", self.name, self.said());
            sleep(LOOK);
        }
    }
}

impl Processes {
    /// Starts all five; returns when all are ready. The first one sets the system up.
    #[must_use]
    pub fn start(deployment: Deployment) -> Self {
        let replica = |(name, roles)| Replica { name, roles, door: Door::default(), process: Mutex::default() };
        let processes = Self { deployment, replicas: REPLICAS.map(replica).into() };
        processes.undo();
        processes
    }

    /// What they run on.
    #[must_use]
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    fn named(&self, name: &str) -> &Replica {
        self.replicas.iter().find(|replica| replica.name == name).expect("one of ours")
    }

    /// Where commands are taken, in two places.
    #[must_use]
    pub fn commands(&self) -> [Door; 2] {
        ["c1", "c2"].map(|name| self.named(name).door.clone())
    }

    /// Where questions are answered.
    #[must_use]
    pub fn query(&self) -> Door {
        self.named(QUERY).door.clone()
    }

    /// The operator's key.
    #[must_use]
    pub fn operator(&self) -> String {
        self.deployment.key("c1", "operator.key")
    }

    /// Does a fault. Gives from when service is expected back, and the process's name.
    pub fn inflict(&self, fault: Fault, numbers: &mut Numbers) -> (Instant, String) {
        let one_of = |names: [&'static str; 2], numbers: &mut Numbers| {
            self.named(names[usize::try_from(numbers.below(2)).unwrap()])
        };
        let replica = match fault {
            Fault::KillCommand | Fault::PauseCommand => one_of(["c1", "c2"], numbers),
            Fault::KillProjection => one_of(PROJECTIONS, numbers),
            Fault::KillQuery => self.named(QUERY),
            other => unreachable!("{other:?} is done to servers"),
        };
        let since = Instant::now();
        if fault == Fault::PauseCommand {
            replica.process().as_ref().expect("it runs").pause();
        } else {
            replica.kill();
        }
        if fault == Fault::KillQuery {
            replica.start(&self.deployment);
        }
        (since, replica.name.to_owned())
    }

    /// Lets those go on that are paused, and starts those that don't run; returns when all are ready.
    pub fn undo(&self) {
        for replica in &self.replicas {
            let mut process = replica.process();
            if let Some(running) = process.as_mut() {
                assert!(!running.has_ended(), "{} ended by itself: {}", replica.name, running.log());
            }
            let resumed = process.as_ref().map(Process::resume).is_some();
            drop(process);
            if !resumed {
                replica.start(&self.deployment);
            }
        }
        self.replicas.iter().for_each(Replica::wait_ready);
    }

    /// Leaves one projection alone with all the questions: the others are stopped in order, and a new one with an empty
    /// folder may be the one. Returns when it has caught up. [`Processes::undo`] brings the others back.
    pub fn alone(&self, name: &str) -> Option<Process> {
        let fresh = (!PROJECTIONS.contains(&name)).then(|| self.deployment.start(name, "projection", &[]));
        for other in PROJECTIONS.into_iter().filter(|other| *other != name) {
            if let Some(process) = self.named(other).process().take() {
                let (code, _) = process.stop();
                assert_eq!(code, Some(0), "{other} was told to stop");
            }
        }
        self.replicas.iter().filter(|replica| replica.name == name).for_each(|replica| {
            if replica.process().is_none() {
                replica.start(&self.deployment);
            }
        });
        self.named(QUERY).wait_ready();
        fresh
    }

    /// Commands that either command process has handed to the other so far.
    #[must_use]
    pub fn forwarded(&self) -> u64 {
        let counted = |door: Door| promptory_tests::process::counter(&door.url(), "promptory_forwarded_total");
        self.commands().into_iter().map(counted).sum()
    }

    /// The end of each one's log.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        self.replicas.iter().map(|replica| format!("-- {}\n{}", replica.name, replica.said())).collect()
    }

    /// What processes have said that they should never say.
    #[must_use]
    pub fn panics(&self) -> Vec<String> {
        let logs = self.replicas.iter().filter_map(|replica| Some((replica.name, replica.process().as_ref()?.log())));
        let panicked = logs.flat_map(|(name, log)| {
            let lines = log.lines().filter(|line| line.contains("panicked")).map(|line| format!("{name}: {line}"));
            lines.collect::<Vec<_>>()
        });
        panicked.collect()
    }
}
