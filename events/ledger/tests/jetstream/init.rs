//! `init`: makes a ledger once, however often and by however many it is run; reports what differs and changes nothing.

use std::collections::BTreeSet;

use async_nats::jetstream::Context;
use async_nats::jetstream::stream;
use promptory_ledger::jetstream::{JetStream, OpenError, Options, PARTITIONS_MAX, Report, Shape, init};
use promptory_test_nats::{Config, Place, Server};

use crate::support::tenant;
use crate::{fill, forms, operator};

const SHAPE: Shape = Shape { replicas: 1, partitions: 3 };

async fn place(server: &Server) -> (Options, Context) {
    let user = server.user();
    (forms::options(&server.url(), &user), operator(&server.url(), &user).await)
}

fn drift(report: &Report) -> Vec<String> {
    report.drift.iter().map(ToString::to_string).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_at_once_make_one_ledger() {
    let server = Server::start();
    let (options, _) = place(&server).await;
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let options = options.clone();
        running.spawn(async move { init(&options, SHAPE).await.unwrap() });
    }
    let reports = running.join_all().await;
    let incarnations: BTreeSet<_> = reports.iter().map(|report| report.incarnation.unwrap().to_string()).collect();
    assert_eq!(incarnations.len(), 1);
    assert!(reports.iter().all(|report| report.drift.is_empty()), "{reports:?}");
    let ledger = JetStream::open(&options).await.unwrap();
    assert_eq!((ledger.partitions(), Some(ledger.incarnation())), (3, reports[0].incarnation));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_changed_is_said_and_left_as_it_is() {
    let server = Server::start();
    let (options, operator) = place(&server).await;
    init(&options, SHAPE).await.unwrap();
    let config = operator.get_stream("LEDGER-1").await.unwrap().cached_info().config.clone();
    let changed = stream::Config { max_messages_per_subject: 100, allow_direct: false, ..config };
    operator.update_stream(changed).await.unwrap();
    let config = operator.get_stream("KEYS").await.unwrap().cached_info().config.clone();
    let changed = stream::Config { max_messages_per_subject: 1, ..config };
    operator.update_stream(changed).await.unwrap();
    for _ in 0..2 {
        let report = init(&options, SHAPE).await.unwrap();
        let expected = [
            "LEDGER-1: allow_direct is false, expected true",
            "LEDGER-1: max_msgs_per_subject is 100, expected unlimited",
            "KEYS: max_msgs_per_subject is 1, expected unlimited",
        ];
        assert_eq!(drift(&report), expected);
        assert_eq!((report.created.len(), report.found.len()), (0, 6), "three partitions, KEYS, USAGE and ROLLUP");
    }
    let other = init(&options, Shape { replicas: 1, partitions: 8 }).await.unwrap();
    assert!(drift(&other).contains(&"LEDGER-0: partitions of the ledger is 3, expected 8".to_owned()), "{other}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_added_to_an_unfinished_ledger_and_to_no_other() {
    let server = Server::start();
    let (options, operator) = place(&server).await;
    let first = init(&options, SHAPE).await.unwrap();
    operator.delete_stream("LEDGER-2").await.unwrap();
    let missing = JetStream::open(&options).await.unwrap_err();
    assert!(matches!(&missing, OpenError::NotInitialised(stream) if stream == "LEDGER-2"), "{missing}");
    let finished = init(&options, SHAPE).await.unwrap();
    assert_eq!(
        (finished.created.as_slice(), finished.incarnation),
        (["LEDGER-2".to_owned()].as_slice(), first.incarnation)
    );

    let ledger = JetStream::open(&options).await.unwrap();
    for n in 0..12 {
        fill(&ledger, &tenant(&format!("t{n}")), 1).await;
    }
    for lost in ["KEYS", "LEDGER-2", "LEDGER-0"] {
        operator.delete_stream(lost).await.unwrap();
        let report = init(&options, SHAPE).await.unwrap();
        assert!(report.created.is_empty(), "an empty stream would look like a partition without batches: {report}");
        let lost = format!("{lost}: existence is nothing");
        assert!(drift(&report).iter().any(|line| line.starts_with(&lost)), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_be_no_ledger_is_refused() {
    let small = Server::with_config(|folder, Place { port, http, .. }| {
        let (file, store) = (folder.join("nats.conf"), folder.join("store"));
        let listen = format!("listen: \"127.0.0.1:{port}\"\nhttp: \"127.0.0.1:{http}\"\nmax_payload: 6MiB\n");
        std::fs::write(&file, format!("{listen}jetstream {{ store_dir: {store:?} }}\n")).unwrap();
        Config { file, env: Vec::new() }
    });
    let refused = init(&Options::new(&small.url()).unwrap(), SHAPE).await.unwrap_err();
    assert!(matches!(refused, OpenError::MaxPayload { found: 6_291_456, .. }), "{refused}");
    let server = Server::start();
    let (options, _) = place(&server).await;
    for (replicas, partitions) in [(2, 3), (0, 3), (1, 0), (1, PARTITIONS_MAX + 1)] {
        let refused = init(&options, Shape { replicas, partitions }).await.unwrap_err();
        assert!(matches!(refused, OpenError::Shape(_)), "{refused}");
    }
    let alone = options.patience(std::time::Duration::from_millis(300));
    let refused = init(&alone, Shape { replicas: 3, partitions: 1 }).await.unwrap_err();
    assert!(refused.to_string().contains("LEDGER-0") || matches!(refused, OpenError::Unavailable(_)), "{refused}");
    let none = JetStream::open(&alone).await.unwrap_err();
    assert!(matches!(none, OpenError::NotInitialised(_)), "{none}");
}
