//! What becomes of a first message whose acknowledgement was lost, or that came second; and of who waits too long.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use promptory_test_nats::Server;

use super::*;
use crate::jetstream::{Shape, init};

async fn options(server: &Server) -> Options {
    let user = server.user();
    let options = Options::new(&server.url()).unwrap().password(&user.name, &user.name);
    init(&options, Shape { replicas: 1, partitions: 1 }).await.unwrap();
    options
}

#[tokio::test]
async fn the_same_bytes_again_are_ours_and_other_bytes_find_them() {
    let server = Server::start();
    let client = Client::open(&options(&server).await, &RootKey { bytes: [7; 32] }).await.unwrap();
    for _ in 0..2 {
        let put = client.put_first("keys.acme.block.0", Bytes::from_static(b"ours")).await.unwrap();
        assert!(matches!(put, Put::Ours), "once stored, however often it is asked for");
    }
    let put = client.put_first("keys.acme.block.0", Bytes::from_static(b"theirs")).await.unwrap();
    assert!(matches!(put, Put::Other(found) if found == "ours"));
    assert_eq!(client.intact().await.unwrap(), 2, "the proof of the root key, and one block");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_go_on_after_the_highest_block_even_if_another_was_written_last() {
    let server = Server::start();
    let options = options(&server).await;
    let stream = Stream::open(&options, &RootKey { bytes: [7; 32] }).await.unwrap();
    let until = || Instant::now() + Duration::from_secs(10);
    let acme: TenantId = "acme".parse().unwrap();
    let keys = stream.create_tenant(&acme, until()).unwrap();
    let mut next = None;
    let mut blocks: Vec<_> = (0..3).map(|_| stream.add_block(&keys, 2, &mut next, until()).unwrap()).collect();
    assert_eq!(next, Some(3));
    let client = Client::open(&options, &RootKey { bytes: [7; 32] }).await.unwrap();
    let first = record::block_subject(&acme, 0);
    let rewritten = client.last(&first).await.unwrap().unwrap().payload;
    client.link.context.publish(first, rewritten).await.unwrap().await.unwrap();
    let mut next = None;
    blocks.push(stream.add_block(&keys, 2, &mut next, until()).unwrap());
    let numbers: Vec<_> = blocks.iter().map(|block| record::block_of(block[0].kid)).collect();
    assert_eq!(numbers, [0, 1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_waited_for_as_long_as_was_said() {
    let server = Server::start();
    let stream = Stream::open(&options(&server).await, &RootKey { bytes: [7; 32] }).await.unwrap();
    let acme = "acme".parse().unwrap();
    server.pause();
    let began = Instant::now();
    let asked = stream.load_tenant(&acme, began + Duration::from_millis(400));
    assert!(matches!(asked, Err(KeyStoreError::Storage(_))));
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    server.resume();
    let since = Instant::now();
    loop {
        match stream.load_tenant(&acme, Instant::now() + Duration::from_secs(10)) {
            Err(KeyStoreError::Storage(_)) if since.elapsed() < Duration::from_secs(60) => {} // it may have to connect again
            loaded => break assert!(loaded.unwrap().is_none()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_waiting_for_the_store_leaves_nothing_behind() {
    let nobody = Options::new("nats://127.0.0.1:1").unwrap().patience(Duration::from_secs(60));
    let root = RootKey { bytes: [7; 32] };
    let opening = tokio::time::timeout(Duration::from_millis(200), Stream::open(&nobody, &root));
    let began = Instant::now();
    assert!(opening.await.is_err());
    assert!(began.elapsed() < Duration::from_secs(30), "its thread is not waited for: {:?}", began.elapsed());
}
