//! Dependencies flow one way, and generated files are what is generated.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Which of our crates each of our crates may use.
fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    let below_services = vec!["events", "ledger", "domain", "compare", "template", "usage", "platform", "identity"];
    let all = [
        "events",
        "ledger",
        "domain",
        "compare",
        "template",
        "platform",
        "identity",
        "command",
        "projection",
        "query",
        "compat",
    ];
    BTreeMap::from([
        ("promptory-events", vec![]),
        ("promptory-ledger", vec!["events"]),
        ("promptory-domain", vec!["events"]),
        ("promptory-compare", vec!["events"]),
        ("promptory-template", vec!["events"]),
        ("promptory-usage", vec!["events"]),
        ("promptory-scim", vec![]),
        ("promptory-platform", vec!["events"]),
        ("promptory-compat", vec!["events", "platform", "template", "usage"]),
        ("promptory-identity", vec!["events", "ledger", "domain", "platform"]),
        ("promptory-command", [below_services.clone(), vec!["scim", "compat"]].concat()),
        ("promptory-projection", below_services),
        ("promptory-query", vec!["events", "compare", "compat", "template", "usage", "platform", "projection"]),
        ("promptory", all.to_vec()),
        ("promptory-test-nats", vec![]),
        ("promptory-test-faults", vec!["events", "ledger", "projection", "test-nats", "tests"]),
    ])
}

fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let out = Command::new(cargo).args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(top()).output();
    serde_json::from_slice(&out.unwrap().stdout).unwrap()
}

#[test]
fn dependencies_flow_one_way() {
    let (metadata, allowed) = (metadata(), allowed());
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let Some(allowed) = allowed.get(name) else {
            assert_eq!(name, "promptory-tests", "{name} has no place in the order");
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let other = dependency["name"].as_str().unwrap();
            let normal = dependency["kind"].is_null();
            if let Some(ours) = other.strip_prefix("promptory-").filter(|_| normal) {
                assert!(allowed.contains(&ours), "{name} must not use {other}");
            }
        }
    }
}

#[test]
fn the_core_has_no_runtime_no_clock_and_no_randomness() {
    let metadata = metadata();
    let mut packages = metadata["packages"].as_array().unwrap().iter();
    let core = packages.find(|p| p["name"] == "promptory-domain").unwrap();
    // What tests and benches need is not built into it.
    let normal = core["dependencies"].as_array().unwrap().iter().filter(|d| d["kind"].is_null());
    let mut names: Vec<&str> = normal.map(|d| d["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["promptory-events", "rpds", "serde", "thiserror"]);
}

#[test]
fn the_openapi_document_is_the_one_that_the_code_makes() {
    let document = promptory::node::openapi();
    let made = serde_json::to_string_pretty(&document).unwrap() + "\n";
    if std::env::var_os("PROMPTORY_WRITE_GOLDEN").is_some() {
        std::fs::write(top().join("query-api/openapi.json"), &made).unwrap();
    }
    let kept = std::fs::read_to_string(top().join("query-api/openapi.json")).unwrap();
    assert!(made == kept, "run: cargo run --release -- openapi --out query-api/openapi.json");
}
