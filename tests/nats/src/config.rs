//! The configuration of test servers: durable as the shipped one, and with many accounts, so that tests share servers and
//! not streams.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::{Config, Place};

/// Accounts of a server, each with one user who may do everything in it.
pub const ACCOUNTS: usize = 64;

pub(crate) fn account(number: usize) -> String {
    format!("t{number}")
}

pub(crate) fn write(folder: &Path, place: &Place) -> Config {
    let Place { name, port, http, route, others } = place;
    let mut text = format!(
        "server_name: {name}\nlisten: \"127.0.0.1:{port}\"\nhttp: \"127.0.0.1:{http}\"\nmax_payload: 8MiB\n\
         jetstream {{ store_dir: {:?}, max_file: 64GiB, sync_interval: always }}\nsystem_account: SYS\n\
         accounts {{\n  SYS {{ users: [{{ user: sys, password: sys }}] }}\n",
        folder.join("store")
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
        writeln!(text, "cluster {{ name: test, listen: {listen:?}, no_advertise: true, routes: [{routes}] }}").unwrap();
    }
    let file = folder.join("nats.conf");
    fs::write(&file, text).unwrap();
    Config { file, env: Vec::new() }
}
