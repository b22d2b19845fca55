//! A tenant is read from the beginning by a process that knows nothing of it. `PROMPTORY_COLD_START=10000/1000000` (its
//! batches / all messages of the stream) measures it at the size that counts.

use std::time::Instant;

use promptory_events::TenantId;
use promptory_ledger::jetstream::JetStream;
use promptory_test_nats::{Config, Place, Server};

use crate::support::{Draft, header, tenant};
use crate::{append, forms, operator};

fn size() -> (u64, u64) {
    let text = std::env::var("PROMPTORY_COLD_START").unwrap_or_else(|_| "1500/6000".to_owned());
    let (batches, messages) = text.split_once('/').unwrap();
    (batches.parse().unwrap(), messages.parse().unwrap())
}

/// A server that does not sync each message: this is about reading, and filling takes its time.
fn lazy_server() -> Server {
    Server::with_config(|folder, Place { port, http, .. }| {
        let store = folder.join("store");
        let file = folder.join("nats.conf");
        let text = format!(
            "listen: \"127.0.0.1:{port}\"\nhttp: \"127.0.0.1:{http}\"\nmax_payload: 8MiB\n\
             jetstream {{ store_dir: {store:?}, max_file: 64GiB }}\n\
             authorization {{ users: [{{ user: t0, password: t0 }}] }}\n"
        );
        std::fs::write(&file, text).unwrap();
        Config { file, env: Vec::new() }
    })
}

async fn read_from(ledger: &JetStream, tenant: &TenantId, from: u64) -> u64 {
    let (mut reader, mut count) = (ledger.read(tenant, from).await.unwrap(), 0);
    loop {
        let page = reader.next().await.unwrap();
        if page.is_empty() {
            return count;
        }
        count += page.len() as u64;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_history_is_read_by_a_process_that_knows_nothing_of_it() {
    let (batches, messages) = size();
    let server = lazy_server();
    let user = server.user();
    let options = forms::options(&server.url(), &user);
    let ledger = forms::made(&options, 1, 1).await;
    let operator = operator(&server.url(), &user).await;
    let acme = tenant("acme");
    let others: Vec<_> = (0..200).map(|n| format!("ledger.0.other-{n}")).collect();
    let filler = Draft::first(ledger.incarnation(), &tenant("other")).padded(700).encode();
    let mut last = Draft::first(ledger.incarnation(), &acme).padded(700);
    let mut sequence = append(&ledger, &last).await.unwrap().sequence;
    let between = messages / batches - 1;
    for n in 1..batches {
        for m in 0..between {
            let subject = others[usize::try_from((n * between + m) % 200).unwrap()].clone();
            // Not waited for: what matters is that they lie in between.
            operator.client().publish(subject, filler.clone()).await.unwrap();
        }
        operator.client().flush().await.unwrap();
        last = last.then(1, sequence).padded(700);
        sequence = append(&ledger, &last).await.unwrap().sequence;
    }
    server.restart();
    let stranger = JetStream::open(&options).await.unwrap();
    let began = Instant::now();
    drop(stranger.read(&acme, 0).await.unwrap());
    let walked = began.elapsed();
    assert_eq!(read_from(&stranger, &acme, 0).await, batches);
    let total = began.elapsed();
    // Each of them from nowhere: over a short way, in one lane, and over a long one, in many.
    for index in [0, 1, batches / 3, batches / 2, batches - 500, batches - 2, batches - 1] {
        let stranger = JetStream::open(&options).await.unwrap();
        let found = stranger.get(&acme, index).await.unwrap().unwrap();
        assert_eq!(header(&found.bytes).first_index, index);
        assert_eq!(read_from(&stranger, &acme, index).await, batches - index);
    }
    let again = Instant::now();
    assert_eq!(read_from(&stranger, &acme, 0).await, batches);
    println!(
        "{batches} batches among {sequence}: walked in {walked:?}, read in {total:?}, again in {:?}",
        again.elapsed()
    );
}
