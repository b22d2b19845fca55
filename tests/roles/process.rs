//! NATS servers with a ledger on them, for processes by role.

use promptory_ledger::jetstream::Shape;
use promptory_test_nats::{Cluster, Server};
use promptory_tests::Client;
use promptory_tests::process::{Deployment, Process};
use tokio::runtime::Runtime;

use crate::site::{PARTITIONS, until};

/// NATS servers with a ledger and a key store on them.
pub struct Ground {
    deployment: Deployment,
    _servers: Servers,
}

enum Servers {
    One(#[allow(dead_code, reason = "it ends with its handle")] Box<Server>),
    Three(#[allow(dead_code, reason = "they end with their handle")] Cluster),
}

impl Ground {
    /// On one server.
    pub fn one() -> Self {
        let server = Server::start();
        let shape = Shape { replicas: 1, partitions: PARTITIONS };
        let deployment = Runtime::new().unwrap().block_on(Deployment::new(&server.url(), &server.user(), shape));
        Self { deployment, _servers: Servers::One(Box::new(server)) }
    }

    /// On three, each with a copy of everything.
    pub fn three() -> Self {
        let cluster = Cluster::start();
        let shape = Shape { replicas: 3, partitions: PARTITIONS };
        let deployment = Runtime::new().unwrap().block_on(Deployment::new(&cluster.url(), &cluster.user(), shape));
        Self { deployment, _servers: Servers::Three(cluster) }
    }

    /// Starts a process with these roles on a folder of this name; returns when it answers.
    pub fn start(&self, name: &str, roles: &str) -> Process {
        self.deployment.start(name, roles, &[])
    }

    /// The owner of `acme`, which the process of this name made, at a process.
    pub fn owner(&self, maker: &str, at: &Process) -> Client {
        Client::new(&at.url, &self.deployment.key(maker, "acme-owner.key"))
    }
}

pub fn wait_ready(process: &Process) {
    until("the process is ready", || process.is_ready());
}
