//! The configuration of test servers: durable as the shipped one, and with many accounts, so that tests share servers and
//! not streams.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Accounts of a server, each with one user who may do everything in it.
pub const ACCOUNTS: usize = 64;

pub(crate) fn account(number: usize) -> String {
    format!("t{number}")
}

pub(crate) fn single(folder: &Path, port: u16, http: u16) -> PathBuf {
    write(folder, "n0", port, http, "")
}

pub(crate) fn node(folder: &Path, name: &str, port: u16, http: u16, number: usize, routes: &[u16]) -> PathBuf {
    let others = routes.iter().enumerate().filter(|(other, _)| *other != number);
    let others: Vec<_> = others.map(|(_, route)| format!("nats://127.0.0.1:{route}")).collect();
    let cluster = format!(
        "cluster {{ name: test, listen: \"127.0.0.1:{}\", no_advertise: true, routes: [{}] }}\n",
        routes[number],
        others.join(", ")
    );
    write(folder, name, port, http, &cluster)
}

fn write(folder: &Path, name: &str, port: u16, http: u16, cluster: &str) -> PathBuf {
    let mut text = format!(
        "server_name: {name}\nlisten: \"127.0.0.1:{port}\"\nhttp: \"127.0.0.1:{http}\"\nmax_payload: 8MiB\n\
         jetstream {{ store_dir: {:?}, max_file: 64GiB, sync_interval: always }}\n{cluster}system_account: SYS\n\
         accounts {{\n  SYS {{ users: [{{ user: sys, password: sys }}] }}\n",
        folder.join("store")
    );
    for number in 0..ACCOUNTS {
        let name = account(number);
        let user = format!("{{ user: {name}, password: {name} }}");
        writeln!(text, "  {name} {{ jetstream: enabled, users: [{user}] }}").unwrap();
    }
    text.push_str("}\n");
    let file = folder.join("nats.conf");
    fs::write(&file, text).unwrap();
    file
}
