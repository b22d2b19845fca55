//! A site: one NATS server, a ledger on it, and nodes with a role or several, started and stopped one by one.

use std::time::{Duration, Instant};

use promptory::keys;
use promptory::node::{Config, Node};
use promptory::roles::Roles;
use promptory_ledger::jetstream::{self, JetStream, Options, Shape};
use promptory_ledger::{KeyStore, Ledger};
use promptory_test_nats::Server;
use promptory_tests::Client;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Partitions of a site's ledger.
pub const PARTITIONS: u16 = 4;

/// A server, a ledger, a key store, a folder for the nodes' folders.
pub struct Site {
    pub runtime: Runtime,
    pub folder: TempDir,
    options: Options,
    keys: KeyStore,
    _server: Server,
}

/// A node that runs in this process.
pub struct Running<'s> {
    site: &'s Site,
    node: Option<Node>,
}

impl Site {
    pub fn new() -> Self {
        let server = Server::start();
        let user = server.user();
        let options = Options::new(&server.url()).unwrap().password(&user.name, &user.name);
        let runtime = Runtime::new().unwrap();
        runtime.block_on(jetstream::init(&options, Shape { replicas: 1, partitions: PARTITIONS })).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyStore::open(&folder.path().join("keys.redb")).unwrap();
        Self { runtime, folder, options, keys, _server: server }
    }

    /// A node with these roles, on a folder of this name.
    pub fn node(&self, name: &str, roles: &str, partitions: Option<&str>) -> Running<'_> {
        let config = self.config(name, roles, partitions);
        let node = self.runtime.block_on(async {
            let ledger = Ledger::JetStream(JetStream::open(&self.options).await.unwrap());
            let keys = (roles != "query").then(|| self.keys.clone());
            Node::start_on(config, ledger, keys).await.unwrap()
        });
        Running { site: self, node: Some(node) }
    }

    pub fn config(&self, name: &str, roles: &str, partitions: Option<&str>) -> Config {
        Config {
            nats: Some(self.options.clone()),
            roles: roles.parse::<Roles>().unwrap(),
            projected: partitions.map(|text| text.parse().unwrap()),
            identity: promptory_identity::Config { loopback_http: true, ..promptory_identity::Config::default() },
            ..Config::new(self.folder.path().join(name))
        }
    }

    /// Why a node does not start.
    pub fn refused(&self, name: &str, roles: &str, partitions: Option<&str>) -> String {
        let config = self.config(name, roles, partitions);
        let refused = self.runtime.block_on(async {
            let ledger = Ledger::JetStream(JetStream::open(&self.options).await.unwrap());
            Node::start_on(config, ledger, Some(self.keys.clone())).await
        });
        refused.expect_err("it is refused").to_string()
    }
}

impl Running<'_> {
    pub fn node(&self) -> &Node {
        self.node.as_ref().unwrap()
    }

    /// A caller without a key.
    pub fn stranger(&self) -> Client {
        Client::new(&self.node().url(), "none")
    }

    /// The owner of a tenant, which this node creates if it is not there.
    pub fn owner(&self, tenant: &str) -> Client {
        let key = self.site.runtime.block_on(self.node().tenant(&tenant.parse().unwrap())).unwrap();
        Client::new(&self.node().url(), &key.reveal())
    }

    /// The operator, whose key this node has written.
    pub fn operator(&self, name: &str) -> Client {
        let file = keys::operator_file(&self.site.folder.path().join(name));
        Client::new(&self.node().url(), &keys::read(&file).unwrap().reveal())
    }

    /// The same caller at this node.
    pub fn at(&self, client: &Client) -> Client {
        Client::new(&self.node().url(), &client.key)
    }

    pub fn ready(&self) -> (u16, String) {
        let answer = self.stranger().get("/readyz");
        (answer.status, answer.json["status"].as_str().unwrap_or_default().to_owned())
    }

    pub fn wait_ready(&self) {
        until("it is ready", || self.ready().0 == 200);
    }

    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(node) = self.node.take() {
            self.site.runtime.block_on(node.stop());
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits until something is so.
pub fn until(what: &str, so: impl Fn() -> bool) {
    let since = Instant::now();
    while !so() {
        assert!(since.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
