//! `promptory scrub` as it is called: counts of the servers first, every replica read, metrics for the collector.

use std::fs;

use promptory::init::{self, InitArgs, NatsArgs};
use promptory::scrub::{self, ScrubArgs, ScrubError};
use promptory_ledger::jetstream::OpenError;
use promptory_test_nats::Cluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrub_says_what_it_found_to_people_and_to_machines() {
    let cluster = Cluster::start();
    let (user, folder) = (cluster.user(), tempfile::tempdir().unwrap());
    let (password, metrics) = (folder.path().join("password"), folder.path().join("scrub.prom"));
    fs::write(&password, &user.name).unwrap();
    let nats = NatsArgs {
        servers: Some(cluster.url()),
        nats_user: Some(user.name),
        nats_password_file: Some(password),
        nats_creds: None,
        nats_ca: None,
    };
    let monitor: Vec<_> = cluster.servers().iter().map(|server| server.monitor()).collect();
    let args = ScrubArgs { nats: nats.clone(), monitor, quick: false, metrics: Some(metrics.clone()) };

    let nothing = scrub::run(ScrubArgs { monitor: vec![], ..args.clone() }).await.unwrap_err();
    assert!(matches!(nothing, ScrubError::Ledger(OpenError::NotInitialised(_))), "{nothing}");
    let nobody = ScrubArgs { monitor: vec!["http://127.0.0.1:1".into()], ..args.clone() };
    assert!(matches!(scrub::run(nobody).await, Err(ScrubError::Monitor(_))));

    init::run(InitArgs { nats, replicas: 3, partitions: 2, root_key: None, usage_days: 30 }).await.unwrap();
    let found = scrub::run(args.clone()).await.unwrap();
    let text = found.to_string();
    assert!(found.is_whole(), "{text}");
    for line in [
        "LEDGER-1     of t0, as counted: n0 0 of 0, n1 0 of 0, n2 0 of 0",
        "LEDGER-1     1 to 0 whole and equal on n0, n1, n2",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let metrics = fs::read_to_string(metrics).unwrap();
    assert!(metrics.starts_with("promptory_scrub_whole 1\n"), "{metrics}");
    assert!(metrics.contains("promptory_scrub_missing{stream=\"LEDGER-0\",replica=\"n2\"} 0\n"), "{metrics}");

    let quick = scrub::run(ScrubArgs { quick: true, ..args }).await.unwrap();
    assert!(quick.is_whole() && !quick.to_string().contains("whole and equal"), "{quick}");
}
