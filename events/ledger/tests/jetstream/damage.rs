//! What an operator, or a disk, can do to the streams: it shows, and nothing is passed over.

use async_nats::jetstream::Context;
use promptory_events::{Cursor, TenantId, partition};
use promptory_ledger::jetstream::{JetStream, Options, Shape, init};
use promptory_ledger::{AppendError, ReadError, Recorded};
use promptory_test_nats::Server;

use crate::support::{Draft, tenant};
use crate::{fill, forms, operator};

struct World {
    server: Server,
    options: Options,
    operator: Context,
    ledger: JetStream,
}

impl World {
    async fn new() -> Self {
        let server = Server::start();
        let user = server.user();
        let options = forms::options(&server.url(), &user);
        let ledger = forms::made(&options, 1, 1).await;
        let operator = operator(&server.url(), &user).await;
        Self { server, options, operator, ledger }
    }

    /// The same, on a stream that lets its operator delete: such a one was not made by `init`.
    async fn unprotected() -> Self {
        let world = Self::new().await;
        let mut config = world.operator.get_stream("LEDGER-0").await.unwrap().cached_info().config.clone();
        world.operator.delete_stream("LEDGER-0").await.unwrap();
        (config.deny_delete, config.deny_purge) = (false, false);
        world.operator.create_stream(config).await.unwrap();
        let ledger = JetStream::open(&world.options).await.unwrap();
        Self { ledger, ..world }
    }

    /// Another process that has seen nothing yet.
    async fn stranger(&self) -> JetStream {
        JetStream::open(&self.options).await.unwrap()
    }

    async fn delete(&self, sequence: u64) {
        let stream = self.operator.get_stream("LEDGER-0").await.unwrap();
        assert!(stream.delete_message(sequence).await.unwrap());
    }
}

async fn read(ledger: &JetStream, tenant: &TenantId) -> Result<Vec<Recorded>, ReadError> {
    let mut reader = ledger.read(tenant, 0).await?;
    let mut out = Vec::new();
    loop {
        let page = reader.next().await?;
        if page.is_empty() {
            return Ok(out);
        }
        out.extend(page);
    }
}

/// What a tail gives until it ends with an error.
async fn tail(ledger: &JetStream, after: Option<Cursor>) -> (Vec<u64>, ReadError) {
    let mut seen = Vec::new();
    let mut tail = match ledger.tail(0, after).await {
        Ok(tail) => tail,
        Err(error) => return (seen, error),
    };
    loop {
        match tail.next().await {
            Ok(page) => seen.extend(page.iter().map(|batch| batch.cursor.sequence)),
            Err(error) => return (seen, error),
        }
    }
}

#[track_caller]
fn assert_corrupt<T>(what: Result<T, ReadError>, says: &str) {
    match what {
        Err(ReadError::Corrupt(why)) => assert!(why.contains(says), "{why}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("taken for whole"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_were_made_anew_are_another_ledger() {
    let world = World::new().await;
    let acme = tenant("acme");
    let (last, cursor) = fill(&world.ledger, &acme, 5).await.pop().unwrap();
    let mut following = world.ledger.tail(0, Some(cursor)).await.unwrap();
    let shape = Shape { replicas: 1, partitions: 1 };
    world.operator.delete_stream("LEDGER-0").await.unwrap();
    let report = init(&world.options, shape).await.unwrap();
    assert!(report.created.is_empty() && report.drift.len() == 1, "keys without a ledger are no new ledger: {report}");
    for stream in ["KEYS", "USAGE", "ROLLUP"] {
        world.operator.delete_stream(stream).await.unwrap();
    }
    let report = init(&world.options, shape).await.unwrap();
    assert_ne!(report.incarnation, Some(world.ledger.incarnation()));

    assert_corrupt(world.ledger.head(&acme).await, "incarnation");
    assert_corrupt(world.ledger.tail(0, None).await.map(drop), "incarnation");
    assert_corrupt(following.next().await, "incarnation");
    let next = world.ledger.append(&acme, cursor.sequence, last.then(1, cursor.sequence).encode()).await;
    assert!(matches!(next, Err(AppendError::Conflict)), "{next:?}");
    let newcomer = Draft::first(world.ledger.incarnation(), &tenant("newcomer"));
    let first = world.ledger.append(&tenant("newcomer"), 0, newcomer.encode()).await;
    assert!(matches!(&first, Err(AppendError::Invalid(why)) if why.contains("incarnation")), "{first:?}");

    let other = world.stranger().await;
    assert_eq!(Some(other.incarnation()), report.incarnation);
    assert_eq!(other.head(&acme).await.unwrap(), None, "nothing of the old life got into the new one");
    assert_corrupt(other.tail(0, Some(cursor)).await.map(drop), "incarnation");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_was_emptied_is_no_empty_ledger() {
    let world = World::unprotected().await;
    let acme = tenant("acme");
    let (_, cursor) = fill(&world.ledger, &acme, 5).await.pop().unwrap();
    world.operator.get_stream("LEDGER-0").await.unwrap().purge().await.unwrap();
    for ledger in [&world.ledger, &world.stranger().await] {
        assert_corrupt(ledger.head(&acme).await, "LEDGER-0");
        assert_corrupt(read(ledger, &acme).await, "LEDGER-0");
        assert_corrupt(ledger.head(&tenant("another")).await, "LEDGER-0");
        assert_corrupt(Err::<(), _>(tail(ledger, None).await.1), "begins at 6");
        let beyond = Cursor { sequence: 6, ..cursor };
        assert_corrupt(Err::<(), _>(tail(ledger, Some(beyond)).await.1), "beyond the end");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_batch_is_never_passed_over() {
    let world = World::unprotected().await;
    let (acme, other) = (tenant("acme"), tenant("other"));
    let filled = fill(&world.ledger, &acme, 8).await;
    fill(&world.ledger, &other, 3).await;
    world.delete(4).await;
    for ledger in [&world.ledger, &world.stranger().await] {
        assert_corrupt(ledger.get(&acme, 3).await, "batch 4 of LEDGER-0 is missing");
        assert_corrupt(read(ledger, &acme).await, "batch 4 of LEDGER-0 is missing");
        let (seen, error) = tail(ledger, None).await;
        assert_eq!(seen, [1, 2, 3]);
        assert_corrupt(Err::<(), _>(error), "batch 4 of LEDGER-0 is missing");
        assert_eq!(ledger.get(&acme, 7).await.unwrap().unwrap().cursor, filled[7].1, "what is there is found");
        assert_eq!(read(ledger, &other).await.unwrap().len(), 3, "and who lost nothing reads on");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_batch_shows_on_a_long_way_too() {
    let world = World::unprotected().await;
    let acme = tenant("acme");
    fill(&world.ledger, &acme, 800).await;
    // The first batch of a lane, or one within, as it comes; and the very first.
    for gone in [400, 401, 402, 1] {
        world.delete(gone).await;
        assert_corrupt(read(&world.stranger().await, &acme).await, "is missing");
        assert_corrupt(world.stranger().await.get(&acme, gone - 1).await, "LEDGER-0");
        assert!(world.stranger().await.get(&acme, 799).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_end_is_no_earlier_end() {
    let world = World::unprotected().await;
    let acme = tenant("acme");
    let filled = fill(&world.ledger, &acme, 5).await;
    world.delete(5).await;
    assert_corrupt(world.ledger.head(&acme).await, "batch 5 of acme is not in LEDGER-0 any more");
    let stranger = world.stranger().await;
    assert_corrupt(stranger.head(&acme).await, "lacks 1 batches");
    assert_corrupt(read(&stranger, &acme).await, "lacks 1 batches");
    assert_corrupt(stranger.get(&acme, 4).await, "lacks 1 batches");
    // To who follows it shows with the next batch, which proves that there was one before.
    fill(&stranger, &tenant("other"), 1).await;
    let (seen, error) = tail(&stranger, Some(filled[1].1)).await;
    assert_eq!(seen, [3, 4]);
    assert_corrupt(Err::<(), _>(error), "batch 5 of LEDGER-0 is missing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_batch_of_its_subject_is_refused() {
    let world = World::new().await;
    let acme = tenant("acme");
    fill(&world.ledger, &acme, 2).await;
    // Somebody with the right to publish and without our rules.
    let subject = format!("ledger.{}.acme", partition::of(&acme, 1));
    world.operator.publish(subject, "not a batch".into()).await.unwrap().await.unwrap();
    assert_corrupt(world.ledger.head(&acme).await, "batch 3 of acme");
    let (seen, error) = tail(&world.ledger, None).await;
    assert_eq!(seen, [1, 2]);
    assert_corrupt(Err::<(), _>(error), "batch 3 of LEDGER-0");
    drop(world.server);
}
