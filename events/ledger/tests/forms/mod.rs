//! Empty ledgers of every form, and the servers that those on JetStream need: one of each for a whole test program.
#![allow(dead_code, reason = "every test file uses another part")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::any::Any;
use std::sync::OnceLock;
use std::time::Duration;

use promptory_ledger::embedded::Embedded;
use promptory_ledger::jetstream::{JetStream, Options, Shape, init};
use promptory_ledger::{Ledger, RootKey};
use promptory_test_nats::{Cluster, Server, User};

/// An empty ledger, and what must live as long as it does.
pub type Made = (Ledger, Box<dyn Any + Send>);

pub async fn embedded(partitions: u16) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::Embedded(Embedded::open(&folder.path().join("ledger.redb"), partitions).unwrap());
    (ledger, Box::new(folder))
}

/// On one server.
pub async fn jetstream_r1(partitions: u16) -> Made {
    (fresh(&one_server(), partitions, 1).await, Box::new(()))
}

/// Three copies on three servers.
pub async fn jetstream_r3(partitions: u16) -> Made {
    (fresh(&three_servers(), partitions, 3).await, Box::new(()))
}

/// An account of its own on one server for the whole test program, which ends with it: see `promptory_test_nats`.
pub fn one_server() -> Options {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let server = SERVER.get_or_init(Server::start);
    options(&server.url(), &server.user())
}

/// The same on three.
pub fn three_servers() -> Options {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(Cluster::start);
    options(&cluster.url(), &cluster.user())
}

/// A root key.
pub fn root_key() -> RootKey {
    let folder = tempfile::tempdir().unwrap();
    RootKey::create(&folder.path().join("root.key")).unwrap().unwrap()
}

pub fn options(url: &str, user: &User) -> Options {
    Options::new(url).unwrap().password(&user.name, &user.name)
}

async fn fresh(options: &Options, partitions: u16, replicas: usize) -> Ledger {
    Ledger::JetStream(made(options, partitions, replicas).await)
}

/// Makes a ledger, with the stream of its key store, and opens it.
pub async fn made(options: &Options, partitions: u16, replicas: usize) -> JetStream {
    // A cluster that has just come up may need as long for its streams as it takes a busy machine.
    let patient = options.clone().patience(Duration::from_secs(60));
    let report = init(&patient, Shape { replicas, partitions }).await.unwrap();
    assert_eq!((report.created.len(), report.drift.as_slice()), (usize::from(partitions) + 3, [].as_slice()));
    JetStream::open(options).await.unwrap()
}
