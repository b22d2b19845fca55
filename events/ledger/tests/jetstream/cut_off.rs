//! A ledger whose server loses the others, and keeps its connections: it goes on at another server.

use std::time::{Duration, Instant};

use promptory_ledger::ReadError;
use promptory_ledger::jetstream::{JetStream, Options};
use promptory_test_nats::Cluster;

use crate::support::tenant;
use crate::{append, fill, forms, id_of, try_read_all};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_whose_server_is_cut_off_goes_on_at_another() {
    let cluster = Cluster::start();
    let user = cluster.user();
    let options = Options::new(&cluster.url()).unwrap().password(&user.name, &user.name);
    let acme = tenant("acme");
    let ledger = forms::made(&options, 1, 3).await;
    let (first, cursor) = fill(&ledger, &acme, 1).await.pop().unwrap();

    let server = cluster.servers().iter().find(|server| server.has_client("promptory: appends")).unwrap();
    let cut_off = cluster.servers().iter().position(|other| other.name == server.name).unwrap();
    let cut = |cut| {
        for other in (0..3).filter(|other| *other != cut_off) {
            cluster.cut(cut_off, other, cut);
            cluster.cut(other, cut_off, cut);
        }
    };
    cut(true);
    let second = first.then(1, cursor.sequence).id(7);
    append(&ledger, &second).await.unwrap(); // returns while the cut lasts, or never
    let since = Instant::now();
    while server.has_client("promptory: appends") {
        assert!(since.elapsed() < Duration::from_secs(60), "it is at another server now");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    cut(false);

    // Who comes now and knows nothing may find the server that was cut off, which takes itself for the leader until it hears of
    // the next one: its answer is none or an old one, and never taken for a loss.
    let stranger = JetStream::open(&options).await.unwrap();
    let both = [first.header.batch_id, second.header.batch_id];
    let (since, mut seen) = (Instant::now(), 0);
    while seen < 50 {
        match try_read_all(&stranger, &acme).await.map(|all| all.iter().map(id_of).collect::<Vec<_>>()) {
            Ok(all) if all == both => seen += 1,
            Ok(all) => assert_eq!((&all[..], seen), (&both[..1], 0), "what was seen once is not unseen"),
            Err(ReadError::Unavailable(_)) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(since.elapsed() < Duration::from_secs(120), "the servers are together again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
