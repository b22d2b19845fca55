//! A replica that lost something unnoticed: the scrub names it and what it lacks, the ledger gives no wrong answer
//! meanwhile, and the way back to health is as it is documented.

use std::fs;
use std::time::Duration;

use promptory_events::TenantId;
use promptory_ledger::jetstream::{JetStream, OpenError, Options, ScrubReport, StreamReport, scrub};
use promptory_ledger::{ReadError, Recorded};
use promptory_test_nats::{Cluster, Server, User, flip_bit};

use crate::support::{Draft, tenant};
use crate::{append, fill, forms, id_of, operator};

const STREAM: &str = "LEDGER-0";
/// Some of 40 KiB: enough for several of the server's blocks.
const PADDED: u64 = 500;
const PADDING_BYTES: usize = 40 * 1024;

struct World {
    cluster: Cluster,
    user: User,
    options: Options,
    acknowledged: Vec<Recorded>,
}

fn acme() -> TenantId {
    tenant("acme")
}

impl World {
    async fn new() -> Self {
        let cluster = Cluster::start();
        let user = cluster.user();
        let options = forms::options(&cluster.url(), &user);
        let ledger = forms::made(&options, 1, 3).await;
        let mut draft = Draft::first(ledger.incarnation(), &acme());
        let mut acknowledged = Vec::new();
        for id in 1..=PADDED {
            draft = draft.id(id).padded(PADDING_BYTES);
            let cursor = append(&ledger, &draft).await.unwrap();
            acknowledged.push(Recorded { cursor, bytes: draft.encode() });
            draft = draft.then(1, cursor.sequence);
        }
        fill(&ledger, &tenant("other"), 3).await;
        Self { cluster, user, options, acknowledged }
    }

    async fn leader(&self) -> Option<String> {
        let context = operator(&self.cluster.url(), &self.user).await;
        context.get_stream(STREAM).await.ok()?.cached_info().cluster.as_ref()?.leader.clone()
    }

    /// A server that does not lead.
    async fn follower(&self) -> &Server {
        let leader = self.leader().await.unwrap();
        self.cluster.servers().iter().find(|server| server.name != leader).unwrap()
    }

    /// Makes a server the leader, as an operator can.
    async fn lead(&self, name: &str) {
        let context = operator(&self.cluster.url(), &self.user).await;
        for _ in 0..40 {
            if self.leader().await.as_deref() == Some(name) {
                return;
            }
            let wish = serde_json::json!({ "placement": { "preferred": name } });
            let asked: Result<serde_json::Value, _> =
                context.request(format!("STREAM.LEADER.STEPDOWN.{STREAM}"), &wish).await;
            drop(asked); // no leader at the moment
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("{name} does not come to lead");
    }

    async fn scrub(&self) -> ScrubReport {
        scrub(&self.options).await.unwrap()
    }

    /// Reads by processes of their own; every answer is the right one or an error. Says how many were answers.
    async fn no_wrong_answer(&self) -> usize {
        let mut right = 0;
        for _ in 0..3 {
            let stranger = JetStream::open(&self.options).await.unwrap();
            match read(&stranger).await {
                Ok(all) => {
                    let ids = |all: &[Recorded]| all.iter().map(|b| (id_of(b), b.cursor)).collect::<Vec<_>>();
                    assert_eq!(ids(&all), ids(&self.acknowledged), "a history that is not the one");
                    assert!(all.iter().zip(&self.acknowledged).all(|(a, b)| a.bytes == b.bytes));
                    right += 1;
                }
                Err(error) => println!("an error, and no shorter history: {error}"),
            }
            // Every batch by itself, too.
            for n in (0..PADDED).step_by(7) {
                match stranger.get(&acme(), n).await {
                    Ok(Some(batch)) => assert_eq!(batch.bytes, self.acknowledged[n as usize].bytes, "{n}"),
                    Ok(None) => panic!("event {n} was acknowledged and is said not to be there"),
                    Err(_) => {}
                }
            }
            // And followed from the beginning: dense, up to an error or the end.
            let mut expected = 1;
            let mut tail = stranger.tail(0, None).await.unwrap();
            while expected <= PADDED + 3 {
                match tokio::time::timeout(Duration::from_secs(10), tail.next()).await {
                    Ok(Ok(page)) => {
                        for batch in page {
                            assert_eq!(batch.cursor.sequence, expected, "a tail skips nothing");
                            expected += 1;
                        }
                    }
                    Ok(Err(error)) => {
                        println!("the tail ends before {expected}: {error}");
                        break;
                    }
                    Err(_) => {
                        println!("the tail waits before {expected}");
                        break;
                    }
                }
            }
        }
        right
    }

    async fn whole_again(&self) -> ScrubReport {
        for _ in 0..20 {
            let report = self.scrub().await;
            if report.is_whole() {
                return report;
            }
            println!("{report}");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("not healed: {}", self.scrub().await);
    }
}

async fn read(ledger: &JetStream) -> Result<Vec<Recorded>, ReadError> {
    let mut reader = ledger.read(&acme(), 0).await?;
    let mut out = Vec::new();
    loop {
        let page = reader.next().await?;
        if page.is_empty() {
            return Ok(out);
        }
        out.extend(page);
    }
}

fn only(report: &ScrubReport) -> &StreamReport {
    assert_eq!(report.streams.len(), 1);
    &report.streams[0]
}

async fn damaged(damage: impl Fn(&Server, &User)) {
    let world = World::new().await;
    let whole = world.scrub().await;
    assert!(whole.is_whole() && only(&whole).end == PADDED + 3, "{whole}");
    assert!(only(&whole).replicas.iter().all(|replica| replica.read == PADDED + 3), "each was read: {whole:?}");

    let server = world.follower().await;
    server.stop();
    damage(server, &world.user);
    server.restart();
    let report = world.scrub().await;
    println!("{report}");
    assert!(!report.is_whole());
    for replica in &only(&report).replicas {
        let lost = replica.missing.count + replica.differs.count;
        assert_eq!(lost > 0, replica.name == server.name, "the damaged one and no other: {report}");
        assert!(replica.unread.is_none(), "{report}");
        assert_eq!(replica.read + replica.missing.count, PADDED + 3, "{report}");
    }
    println!("{} right answers of 3 beside the leader", world.no_wrong_answer().await);
    world.lead(&server.name).await;
    println!("{} right answers of 3 from the damaged leader", world.no_wrong_answer().await);
    let again = world.scrub().await;
    assert!(!again.is_whole(), "found while it leads, too: {again}");

    server.renew(&world.user, STREAM);
    println!("{}", world.whole_again().await);
    world.lead(&server.name).await;
    assert_eq!(world.no_wrong_answer().await, 3, "the healed replica leads and answers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_is_found_and_named() {
    damaged(|server, user| {
        let blocks = server.blocks(user, STREAM);
        assert!(blocks.len() > 2, "{blocks:?}");
        let middle = fs::metadata(&blocks[1]).unwrap().len() as usize / 2;
        flip_bit(&blocks[1], middle, 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_block_is_found_and_named() {
    damaged(|server, user| fs::remove_file(&server.blocks(user, STREAM)[1]).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_down_is_not_taken_for_whole() {
    let cluster = Cluster::start();
    let options = forms::options(&cluster.url(), &cluster.user());
    fill(&forms::made(&options, 1, 3).await, &acme(), 5).await;
    let (hasty, unread) = (options.patience(Duration::from_secs(2)), |report: &ScrubReport| {
        let unread = only(report).replicas.iter().filter(|replica| replica.unread.is_some());
        unread.map(|replica| replica.name.clone()).collect::<Vec<_>>()
    });
    cluster.servers()[2].kill();
    tokio::time::sleep(Duration::from_secs(8)).await; // an election, if it led; on a busy machine it takes longer
    let report = tokio::time::timeout(Duration::from_secs(90), async {
        loop {
            match scrub(&hasty).await {
                // Those that are up are given two seconds, too.
                Ok(report) if unread(&report) == ["n2"] => break report,
                Ok(_) | Err(OpenError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(500)).await,
                Err(error) => panic!("{error}"),
            }
        }
    });
    let report = report.await.unwrap();
    println!("{report}");
    assert!(!report.is_whole());
    assert!(only(&report).replicas.iter().all(|replica| replica.missing.count == 0), "nothing is known of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_alone_is_scrubbed_too() {
    let server = Server::start();
    let options = forms::options(&server.url(), &server.user());
    fill(&forms::made(&options, 2, 1).await, &acme(), 5).await;
    let report = scrub(&options).await.unwrap();
    assert!(report.is_whole(), "{report}");
    assert_eq!(report.streams.iter().map(|stream| stream.end).sum::<u64>(), 5);
}
