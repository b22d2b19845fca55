//! `promptory bench` as a program, with servers: it starts itself again for the roles, so it can't be a unit test.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use promptory_test_nats::{Server, User};
use serde_json::Value;

/// Runs the scenario on a tiny scale. Its files are in `folder`.
fn bench(folder: &Path, server: &Server, user: &User) -> Output {
    let password = folder.join("password");
    fs::write(&password, &user.name).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_promptory"));
    command.args(["bench", "--only", "jetstream", "--rounds", "2", "--seconds", "0.05", "--scale", "0.002"]);
    command.args(["--ledger", &server.url(), "--nats-user", &user.name]);
    command.arg("--nats-password-file").arg(password).arg("--json").arg(folder.join("report.json"));
    command.arg("--data").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("demo"));
    command.current_dir(folder).output().unwrap()
}

#[test]
fn both_ledgers_are_measured_beside_raw_jetstream_and_only_in_an_account_that_holds_nothing() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let user = server.user();
    let done = bench(folder.path(), &server, &user);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let report: Value = serde_json::from_slice(&fs::read(folder.path().join("report.json")).unwrap()).unwrap();
    assert!(report["jetstream"].as_str().unwrap().starts_with("nats-server 2."), "{}", report["jetstream"]);
    let figures = report["figures"].as_array().unwrap();
    for name in [
        "raw, one tenant, 1 publisher: acknowledged",
        "raw, one tenant, 64 publishers: acknowledged",
        "raw, many tenants, 64 publishers: acknowledged",
        "commands, JetStream, one tenant, 1 client: acknowledged",
        "commands, JetStream, many tenants, 64 clients: in a batch",
        "commands, embedded, one tenant, 64 clients: acknowledged",
        "commands, JetStream, one tenant, 64 clients: of raw, many tenants",
        "roles apart: acknowledged to readable, a read with at_least: p99",
        "roles apart: acknowledged to readable, reads until it is seen: p99",
        "cold start: first command, nothing but the ledger",
        "cold start: first read, with what the last one left",
    ] {
        let figure = figures.iter().find(|figure| figure["name"] == name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(figure["samples"].as_array().unwrap().len(), 2, "{figure}");
        assert!(figure["median"].as_f64().unwrap() > 0.0, "{figure}");
        assert_eq!(figure["bar"].is_null(), figure["met"].is_null(), "{figure}");
    }
    // It has removed what it made: it can run again. A ledger that it has not made it leaves alone.
    let mut init = Command::new(env!("CARGO_BIN_EXE_promptory"));
    init.args(["init", "--replicas", "1", "--ledger", &server.url(), "--nats-user", &user.name]);
    init.arg("--nats-password-file").arg(folder.path().join("password"));
    let made = init.output().unwrap();
    let said = String::from_utf8_lossy(&made.stdout);
    assert!(made.status.success() && said.contains("created      11"), "{said}");
    let refused = bench(folder.path(), &server, &user);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("a bench needs one that holds nothing"), "{said}");
    let found = init.output().unwrap();
    assert!(String::from_utf8_lossy(&found.stdout).contains("found        11"), "it is still there");
}
