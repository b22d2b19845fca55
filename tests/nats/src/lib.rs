//! Real NATS servers by handle: one alone or a cluster of three, on free ports of the loopback address, with a store in a
//! temporary folder. They can be killed, paused, cut off from each other and, on a disk of ours, lose their power.
//!
//! A server ends with its handle, and with the process that started it however that ends. A server that can't be started
//! fails the test: nothing is ever skipped.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "only tests use it; they may panic, and print")]

mod config;
mod disk;
mod http;
mod process;
mod routes;
mod store;

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

pub use config::{ACCOUNTS, Syncing};
use disk::Disk;
pub use process::binary;
use process::{Janitor, Process};
use routes::Routes;
pub use store::flip_bit;

/// How long a server, or a cluster, may take until it is healthy.
const HEALTHY_WITHIN: Duration = Duration::from_secs(120);
/// A port that was free may be taken by the time the server wants it.
const START_TRIES: usize = 5;

/// A user of an account of its own: what others do on the same servers is not seen.
#[derive(Clone, Debug)]
pub struct User {
    /// Also the password, and the name of the account.
    pub name: String,
}

/// One server process and its folder.
#[derive(Debug)]
pub struct Server {
    /// Its name in the cluster: `n0`, `n1`, …
    pub name: String,
    port: u16,
    http: u16,
    config: Config,
    process: Mutex<Option<Process>>,
    users: AtomicUsize,
    // After the process, which has files open on it.
    disk: Option<Mutex<Disk>>,
    // Last: it removes the folder after the process is gone.
    folder: Janitor,
}

/// What a server is started on: a configuration file, and the environment that it refers to.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file.
    pub file: PathBuf,
    /// Names and values.
    pub env: Vec<(String, String)>,
}

/// Where a server is to listen, all on 127.0.0.1.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its name: `n0`, `n1`, …
    pub name: String,
    /// For clients.
    pub port: u16,
    /// For health.
    pub http: u16,
    /// For the other servers of a cluster.
    pub route: u16,
    /// Where it finds the others of the cluster: ways of its own to them; none for a server alone.
    pub others: Vec<u16>,
}

impl Place {
    fn all(count: usize) -> (Vec<Self>, Routes) {
        let ports = free_ports(3 * count);
        let routes = Routes::between(&ports[2 * count..]);
        let place = |n: usize| Self {
            name: format!("n{n}"),
            port: ports[n],
            http: ports[count + n],
            route: ports[2 * count + n],
            others: routes.from(n),
        };
        ((0..count).map(place).collect(), routes)
    }
}

impl Server {
    /// Starts a server alone, with [`ACCOUNTS`] accounts.
    #[must_use]
    pub fn start() -> Self {
        Self::with_config(|folder, place| config::write(folder, place, Syncing::Shipped))
    }

    /// Starts a server alone on a configuration that `write` makes, in the folder that it is given if it likes.
    pub fn with_config(write: impl Fn(&Path, &Place) -> Config) -> Self {
        for _ in 0..START_TRIES {
            let server = Self::new(&Place::all(1).0[0], &write, false);
            if server.wait_healthy() {
                return server;
            }
            println!("{}", server.log());
        }
        panic!("no NATS server could be started");
    }

    fn new(place: &Place, write: impl Fn(&Path, &Place) -> Config, can_lose_power: bool) -> Self {
        let folder = Janitor::new();
        let disk = can_lose_power.then(|| Mutex::new(Disk::new(&folder.path().join(store::FOLDER))));
        let config = write(folder.path(), place);
        let process = Mutex::new(Some(Process::start(folder.path(), &config)));
        let Place { name, port, http, .. } = place.clone();
        Self { name, port, http, config, process, users: AtomicUsize::new(0), disk, folder }
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The port for clients.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it says how it is, over HTTP.
    #[must_use]
    pub fn monitor(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    /// Its folder: configuration, log, store.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A user that nobody else has.
    #[must_use]
    pub fn user(&self) -> User {
        user(&self.users)
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Kills it (-9) and waits until it is gone.
    pub fn kill(&self) {
        drop(self.process().take());
    }

    /// Ends it in order (SIGTERM), as an operator does: it writes down where its streams stand.
    pub fn stop(&self) {
        self.signal("TERM");
        let since = Instant::now();
        while self.is_running() {
            assert!(since.elapsed() < HEALTHY_WITHIN, "{} does not stop", self.name);
            std::thread::sleep(Duration::from_millis(20));
        }
        self.kill();
    }

    /// Kills it and takes what it did not sync from its disk, which must be one that can lose power.
    pub fn lose_power(&self) {
        self.kill();
        self.disk().lose_power();
    }

    /// Makes what it has written durable, as the kernel does by itself with what is half a minute old.
    pub fn write_back(&self) {
        self.disk().write_back();
    }

    /// What it has written and not synced.
    #[must_use]
    pub fn unsynced_bytes(&self) -> usize {
        self.disk().unsynced_bytes()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        let disk = self.disk.as_ref().expect("a server that was started to lose power");
        disk.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Starts it again on the same folder and ports; returns when it is healthy.
    pub fn restart(&self) {
        self.launch();
        assert!(self.wait_healthy(), "{} does not come back: {}", self.name, self.log());
    }

    /// Starts it again, and waits for nothing.
    pub fn launch(&self) {
        self.kill();
        *self.process() = Some(Process::start(self.folder.path(), &self.config));
    }

    /// Stops it where it is (SIGSTOP).
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        self.process().as_ref().expect("it runs").signal(signal);
    }

    /// Whether it was started and has not ended.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process().as_mut().is_some_and(Process::is_running)
    }

    /// False if it ended, or did not become healthy in time.
    fn wait_healthy(&self) -> bool {
        let since = Instant::now();
        while since.elapsed() < HEALTHY_WITHIN {
            if http::get(self.http, "/healthz").is_some() {
                return true;
            }
            if !self.is_running() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// Whether a client of this name is connected to it.
    #[must_use]
    pub fn has_client(&self, name: &str) -> bool {
        let said: serde_json::Value = serde_json::from_str(&self.says("/connz")).unwrap_or_default();
        said["connections"].as_array().into_iter().flatten().any(|client| client["name"] == name)
    }

    /// The end of its log.
    #[must_use]
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("nats.log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

/// Three servers that are one cluster.
#[derive(Debug)]
pub struct Cluster {
    servers: Vec<Server>,
    users: AtomicUsize,
    routes: Routes,
}

impl Cluster {
    /// Starts three servers with [`ACCOUNTS`] accounts; returns when all are healthy.
    #[must_use]
    pub fn start() -> Self {
        Self::with_config(|folder, place| config::write(folder, place, Syncing::Shipped))
    }

    /// The same on disks that can lose power.
    #[must_use]
    pub fn on_disks(syncing: Syncing) -> Self {
        Self::try_often(|folder, place| config::write(folder, place, syncing), true)
    }

    /// Starts three servers on configurations that `write` makes.
    pub fn with_config(write: impl Fn(&Path, &Place) -> Config) -> Self {
        Self::try_often(write, false)
    }

    fn try_often(write: impl Fn(&Path, &Place) -> Config, can_lose_power: bool) -> Self {
        for _ in 0..START_TRIES {
            let (places, routes) = Place::all(3);
            let servers = places.iter().map(|place| Server::new(place, &write, can_lose_power)).collect();
            let cluster = Self { servers, users: AtomicUsize::new(0), routes };
            if cluster.servers.iter().all(Server::wait_healthy) {
                return cluster;
            }
            cluster.servers.iter().for_each(|server| println!("{}", server.log()));
        }
        panic!("no cluster of NATS servers could be started");
    }

    /// Where clients connect: all three.
    #[must_use]
    pub fn url(&self) -> String {
        self.servers.iter().map(Server::url).collect::<Vec<_>>().join(",")
    }

    /// The servers.
    #[must_use]
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The server with a name, as a stream's leader is given.
    #[must_use]
    pub fn named(&self, name: &str) -> &Server {
        self.servers.iter().find(|server| server.name == name).expect("a server of this cluster")
    }

    /// A user that nobody else has.
    #[must_use]
    pub fn user(&self) -> User {
        user(&self.users)
    }

    /// Holds back what one server sends to another (by their places in [`Cluster::servers`]), or lets it go on. Both ways
    /// are cut with two calls.
    pub fn cut(&self, from: usize, to: usize, cut: bool) {
        self.routes.cut(from, to, cut);
    }

    /// Takes the power of all at one moment; they stay off.
    pub fn lose_power(&self) {
        self.servers.iter().filter(|server| server.is_running()).for_each(Server::pause);
        self.servers.iter().for_each(Server::lose_power);
    }

    /// Kills all, then starts all.
    pub fn restart_all(&self) {
        self.servers.iter().for_each(Server::kill);
        self.start_all();
    }

    /// Starts those that do not run; returns when all are healthy.
    pub fn start_all(&self) {
        self.servers.iter().filter(|server| !server.is_running()).for_each(Server::launch);
        for server in &self.servers {
            assert!(server.wait_healthy(), "{} does not come back: {}", server.name, server.log());
        }
    }
}

fn user(users: &AtomicUsize) -> User {
    let number = users.fetch_add(1, Ordering::Relaxed);
    assert!(number < ACCOUNTS, "all {ACCOUNTS} accounts are used");
    User { name: config::account(number) }
}

/// Ports that are free now, all different, and none of those that connections are given (32768 and more, on Linux as it
/// comes): a server that was killed finds them free again, however many connect to others meanwhile, or to it.
#[must_use]
pub fn free_ports(count: usize) -> Vec<u16> {
    let any = || 10_240 + u16::try_from(RandomState::new().build_hasher().finish() % 22_528).unwrap();
    let mut held = Vec::new();
    for _ in 0..10_000 {
        if held.len() == count {
            break;
        }
        held.extend(TcpListener::bind(("127.0.0.1", any())));
    }
    assert_eq!(held.len(), count, "no free ports");
    held.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}
