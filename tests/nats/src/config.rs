//! The configuration of test servers: sizes and durability of the shipped one, taken from it, and many accounts, so that
//! tests share servers and not streams.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::{Config, Place, store};

/// What is shipped, for each server and for those of a cluster.
const SHIPPED: &str = include_str!("../../../deploy/nats/ledger.conf");
const SHIPPED_CLUSTER: &str = include_str!("../../../deploy/nats/cluster.conf");
/// A port on which nobody listens: what servers hear of each other leads around our proxies otherwise.
const NOWHERE: &str = "127.0.0.1:1";

/// Accounts of a server, each with one user who may do everything in it.
pub const ACCOUNTS: usize = 64;

/// When servers sync what they write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncing {
    /// As the shipped configuration says: before anything is acknowledged.
    Shipped,
    /// As a server does that nobody configured: every two minutes.
    Lazy,
}

/// A setting's line in a shipped configuration.
fn shipped(text: &'static str, setting: &str) -> &'static str {
    let line = text.lines().map(str::trim).find(|line| line.starts_with(setting));
    line.unwrap_or_else(|| panic!("what deploy/nats ships does not set {setting}"))
}

pub(crate) fn account(number: usize) -> String {
    format!("t{number}")
}

pub(crate) fn write(folder: &Path, place: &Place, syncing: Syncing) -> Config {
    let Place { name, port, http, route, others } = place;
    let sync_interval = if syncing == Syncing::Shipped { shipped(SHIPPED, "sync_interval") } else { "" };
    let mut text = format!(
        "server_name: {name}\nlisten: \"127.0.0.1:{port}\"\nhttp: \"127.0.0.1:{http}\"\n{}\n\
         jetstream {{\n  store_dir: {:?}\n  max_file: 64GiB\n  {sync_interval}\n}}\nsystem_account: SYS\n\
         accounts {{\n  SYS {{ users: [{{ user: sys, password: sys }}] }}\n",
        shipped(SHIPPED, "max_payload"),
        folder.join(store::FOLDER)
    );
    for number in 0..ACCOUNTS {
        let name = account(number);
        let user = format!("{{ user: {name}, password: {name} }}");
        writeln!(text, "  {name} {{ jetstream: enabled, users: [{user}] }}").unwrap();
    }
    text.push_str("}\n");
    if !others.is_empty() {
        let routes: Vec<_> = others.iter().map(|other| format!("nats://127.0.0.1:{other}")).collect();
        let routes = routes.join(", ");
        let listen = format!("127.0.0.1:{route}");
        let pings = ["ping_interval", "ping_max"].map(|setting| shipped(SHIPPED_CLUSTER, setting)).join(", ");
        let rest = format!("advertise: {NOWHERE:?}, no_advertise: true, routes: [{routes}], {pings}");
        writeln!(text, "cluster {{ name: test, listen: {listen:?}, {rest} }}").unwrap();
    }
    let file = folder.join("nats.conf");
    fs::write(&file, text).unwrap();
    Config { file, env: Vec::new() }
}
