//! A node in a temporary folder, on a clock that stands at noon of 3 May 2026 until a test moves it.

use promptory::node::{Config, Node, Usage};
use promptory_ledger::backup::BackupKey;
use promptory_platform::Clock;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::client::Client;

/// A running node with the tenant `acme`.
pub struct World {
    /// Its data folder.
    pub folder: TempDir,
    /// Its clock.
    pub clock: Clock,
    runtime: Runtime,
    backup_key: Option<BackupKey>,
    identity: promptory_identity::Config,
    open_max: Option<usize>,
    watch: Option<std::time::Duration>,
    node: Option<Node>,
}

impl World {
    /// A fresh one.
    #[must_use]
    pub fn new() -> Self {
        Self::with_backup_key(None)
    }

    /// A fresh one that has a key to encrypt keys with, or none.
    #[must_use]
    pub fn with_backup_key(backup_key: Option<BackupKey>) -> Self {
        let clock = Clock::manual("2026-05-03T12:00:00Z".parse().expect("a time"));
        Self::with(clock, backup_key, promptory_identity::Config::default())
    }

    /// A fresh one on a clock that stands at the machine's time, which believes issuers on this machine and asks them as
    /// often as it likes: the tokens of a real one are of now.
    #[must_use]
    pub fn of_today() -> Self {
        let clock = Clock::manual(Clock::System.now());
        let refetch_after = std::time::Duration::ZERO;
        Self::with(clock, None, promptory_identity::Config { loopback_http: true, refetch_after })
    }

    /// A fresh one that has so few read models of each view open at once.
    #[must_use]
    pub fn with_open_max(open_max: usize) -> Self {
        let mut world = Self::new();
        world.open_max = Some(open_max);
        world.restart(|_| {});
        world
    }

    /// A fresh one that looks at guards of rollouts and at versions all the time.
    #[must_use]
    pub fn watching() -> Self {
        let mut world = Self::new();
        world.watch = Some(std::time::Duration::from_millis(50));
        world.restart(|_| {});
        world
    }

    fn with(clock: Clock, backup_key: Option<BackupKey>, identity: promptory_identity::Config) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let runtime = Runtime::new().expect("a runtime");
        let mut world = Self { folder, clock, runtime, backup_key, identity, open_max: None, watch: None, node: None };
        world.start();
        world
    }

    /// Stops the node, lets something happen to its folder, and starts it again.
    pub fn restart(&mut self, meanwhile: impl FnOnce(&std::path::Path)) {
        self.stop();
        meanwhile(self.folder.path());
        self.start();
    }

    fn start(&mut self) {
        let usual = Config::new(self.folder.path());
        let config = Config {
            clock: self.clock.clone(),
            backup_key: self.backup_key.clone(),
            identity: self.identity,
            open_max: self.open_max.unwrap_or(usual.open_max),
            usage: Usage {
                guards: self.watch.unwrap_or(usual.usage.guards),
                versions: self.watch.unwrap_or(usual.usage.versions),
                ..usual.usage
            },
            ..usual
        };
        self.node = Some(self.runtime.block_on(Node::start(config)).expect("a node"));
    }

    fn stop(&mut self) {
        if let Some(node) = self.node.take() {
            self.runtime.block_on(node.stop());
        }
    }

    /// The node.
    #[must_use]
    pub fn node(&self) -> &Node {
        self.node.as_ref().expect("it runs")
    }

    /// A caller with the key of a tenant's owner; the tenant is created on first use.
    #[must_use]
    pub fn owner_of(&self, tenant: &str) -> Client {
        let tenant = tenant.parse().expect("a tenant name");
        let key = self.runtime.block_on(self.node().tenant(&tenant)).expect("an owner's key");
        Client::new(&self.node().url(), &key.reveal())
    }

    /// A caller with the key of acme's owner.
    #[must_use]
    pub fn acme(&self) -> Client {
        self.owner_of("acme")
    }

    /// A caller with the operator's key.
    #[must_use]
    pub fn operator(&self) -> Client {
        let file = promptory::keys::operator_file(self.folder.path());
        let key = promptory::keys::read(&file).expect("the operator's key");
        Client::new(&self.node().url(), &key.reveal())
    }

    /// Runs a future on the node's runtime.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop();
    }
}
