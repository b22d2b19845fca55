//! The key store on JetStream where it is given the wrong key, the wrong stream, a damaged one, or no servers at all.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::jetstream::Context;
use promptory_events::DataKeyId;
use promptory_ledger::jetstream::{OpenError, Options};
use promptory_ledger::{DataKey, KeyStore, KeyStoreError, RootKey};
use promptory_test_nats::{Cluster, Server};

use crate::support::tenant;
use crate::{forms, operator};

/// What a block's message has before its keys, and what each takes: see `keystore/stream/record.rs`.
const BLOCK_HEAD: usize = 5;
const ENTRY: usize = 64;
/// Nobody waits longer than twice four seconds; the rest is for a machine that is busy.
const BOUND: Duration = Duration::from_secs(12);

/// A ledger with one partition.
async fn place(server: &Server) -> (Options, Context) {
    let user = server.user();
    let options = forms::options(&server.url(), &user);
    forms::made(&options, 1, 1).await;
    (options, operator(&server.url(), &user).await)
}

async fn open(options: &Options, root: &RootKey) -> KeyStore {
    KeyStore::on_jetstream(options, root).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_root_key_is_the_only_one() {
    let server = Server::start();
    let (options, operator) = place(&server).await;
    let roots = [forms::root_key(), forms::root_key(), forms::root_key()];
    let opening = roots.each_ref().map(|root| {
        let (options, root) = (options.clone(), root.clone());
        tokio::spawn(async move { KeyStore::on_jetstream(&options, &root).await })
    });
    let mut opened = Vec::new();
    for (opening, root) in opening.into_iter().zip(&roots) {
        match opening.await.unwrap() {
            Ok(keys) => opened.push((keys, root)),
            Err(error) => assert!(matches!(error, OpenError::WrongRootKey), "{error}"),
        }
    }
    assert_eq!(opened.len(), 1, "of three that begin a stream at once, one decides");
    let (keys, root) = &opened[0];
    keys.ensure_tenant(&tenant("acme")).unwrap();
    let kid = keys.take(&tenant("acme")).unwrap().kid;
    let wrong = KeyStore::on_jetstream(&options, &forms::root_key()).await.unwrap_err();
    assert!(matches!(wrong, OpenError::WrongRootKey), "{wrong}");
    open(&options, root).await.get(&tenant("acme"), kid).unwrap();

    let stream = operator.get_stream("KEYS").await.unwrap();
    let check = stream.get_last_raw_message_by_subject("keys.check").await.unwrap();
    stream.delete_message(check.sequence).await.unwrap();
    let unproved = KeyStore::on_jetstream(&options, &forms::root_key()).await.unwrap_err();
    assert!(matches!(unproved, OpenError::Damaged(_)), "no key is taken on trust: {unproved}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_another_life_are_refused() {
    let server = Server::start();
    let (options, operator) = place(&server).await;
    let root = forms::root_key();
    let keys = open(&options, &root).await;
    keys.ensure_tenant(&tenant("acme")).unwrap();

    let mut config = operator.get_stream("KEYS").await.unwrap().cached_info().config.clone();
    operator.delete_stream("KEYS").await.unwrap();
    let gone = keys.ensure_tenant(&tenant("demo"));
    assert!(matches!(gone, Err(KeyStoreError::Storage(_))), "a server that has just started says so too: {gone:?}");
    let none = KeyStore::on_jetstream(&options, &root).await.unwrap_err();
    assert!(matches!(&none, OpenError::NotInitialised(stream) if stream == "KEYS"), "{none}");

    config.metadata.insert("promptory-incarnation".to_owned(), "0123456789abcdef".to_owned());
    operator.create_stream(config).await.unwrap();
    let other = KeyStore::on_jetstream(&options, &root).await.unwrap_err();
    assert!(matches!(&other, OpenError::Inconsistent(why) if why.contains("KEYS")), "{other}");
    let replaced = keys.ensure_tenant(&tenant("demo"));
    assert!(matches!(replaced, Err(KeyStoreError::Damaged(_))), "{replaced:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_lost_is_no_reason_to_make_it_anew() {
    let server = Server::start();
    let (options, operator) = place(&server).await;
    let root = forms::root_key();
    let (keys, acme) = (open(&options, &root).await, tenant("acme"));
    keys.ensure_tenant(&acme).unwrap();
    let kid = keys.take(&acme).unwrap().kid;
    let stream = operator.get_stream("KEYS").await.unwrap();
    for subject in ["keys.acme.block.0", "keys.acme.epoch"] {
        let lost = stream.get_last_raw_message_by_subject(subject).await.unwrap();
        stream.delete_message(lost.sequence).await.unwrap();
        let again = open(&options, &root).await;
        let missing = again.get(&acme, kid);
        assert!(matches!(missing, Err(KeyStoreError::Damaged(_))), "not \"never was\": {missing:?}");
        for name in ["acme", "demo"] {
            let made = again.ensure_tenant(&tenant(name)).and_then(|()| again.take(&tenant(name)));
            assert!(matches!(made, Err(KeyStoreError::Damaged(_))), "{name}: {made:?}");
        }
    }
}

/// Stands for the erasure that is to come: the block without a key, then the old message.
async fn erase(operator: &Context, kid: DataKeyId) {
    let stream = operator.get_stream("KEYS").await.unwrap();
    let old = stream.get_last_raw_message_by_subject("keys.acme.block.0").await.unwrap();
    let mut bytes = old.payload.to_vec();
    for entry in bytes[BLOCK_HEAD..].chunks_exact_mut(ENTRY).filter(|entry| entry[..16] == kid.0) {
        entry[16..].fill(0);
    }
    operator.publish("keys.acme.block.0", bytes.into()).await.unwrap().await.unwrap();
    stream.delete_message(old.sequence).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destroyed_key_is_told_apart_and_its_neighbours_stay() {
    let server = Server::start();
    let (options, operator) = place(&server).await;
    let root = forms::root_key();
    let (keys, acme) = (open(&options, &root).await, tenant("acme"));
    keys.ensure_tenant(&acme).unwrap();
    let (gone, stays) = (keys.take(&acme).unwrap(), keys.take(&acme).unwrap());
    erase(&operator, gone.kid).await;
    let again = open(&options, &root).await;
    assert!(matches!(again.get(&acme, gone.kid), Err(KeyStoreError::Erased(kid)) if kid == gone.kid));
    assert!(again.get(&acme, stays.kid).unwrap() == stays);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_message_shadows_a_tenant_and_destroys_nothing() {
    let server = Server::start();
    let (options, operator) = place(&server).await;
    let root = forms::root_key();
    let (keys, acme) = (open(&options, &root).await, tenant("acme"));
    keys.ensure_tenant(&acme).unwrap();
    let id = keys.content_id(&acme, b"text").unwrap();
    let wrong = operator.publish("keys.acme.epoch", "no keys".into()).await.unwrap().await.unwrap();
    let shadowed = open(&options, &root).await.content_id(&acme, b"text");
    assert!(matches!(shadowed, Err(KeyStoreError::Damaged(_))), "{shadowed:?}");
    operator.get_stream("KEYS").await.unwrap().delete_message(wrong.sequence).await.unwrap();
    assert_eq!(open(&options, &root).await.content_id(&acme, b"text").unwrap(), id, "what was there before still is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_servers_what_is_there_is_given_and_then_an_error_in_bounded_time() {
    let server = Server::start();
    let (options, _) = place(&server).await;
    let root = forms::root_key();
    let (keys, acme) = (open(&options, &root).await, tenant("acme"));
    keys.ensure_tenant(&acme).unwrap();
    let mut taken = vec![keys.take(&acme).unwrap()];
    server.kill();
    let error = loop {
        let began = Instant::now();
        match keys.take(&acme) {
            Ok(key) => taken.push(key),
            Err(error) => {
                assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
                break error;
            }
        }
    };
    assert!(matches!(error, KeyStoreError::Storage(_)), "{error}");
    assert_eq!(taken.len(), 64, "the block that was durable");
    let (began, waiting) = (Instant::now(), 16);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..waiting).map(|_| scope.spawn(|| keys.take(&acme))).collect();
        assert!(threads.into_iter().all(|thread| thread.join().unwrap().is_err()));
    });
    assert!(began.elapsed() < BOUND, "{waiting} at once wait no longer than two: {:?}", began.elapsed());
    assert!(keys.content_id(&acme, b"text").is_ok(), "what is in memory needs nobody");

    server.restart();
    let began = Instant::now();
    taken.push(loop {
        match keys.take(&acme) {
            Ok(key) => break key,
            Err(KeyStoreError::Storage(_)) if began.elapsed() < BOUND => {}
            Err(error) => panic!("{error}"),
        }
    });
    assert_eq!(taken.iter().map(|key| key.kid.0[..8].to_vec()).collect::<BTreeSet<_>>().len(), 65);
    let reader = open(&options, &root).await;
    assert!(taken.iter().all(|key| reader.get(&acme, key.kid).unwrap() == *key));
}

/// What two processes do while leaders die.
#[derive(Default)]
struct Work {
    taken: Mutex<Vec<DataKey>>,
    failed: AtomicUsize,
    done: AtomicBool,
}

impl Work {
    /// Takes keys and makes tenants; what fails is tried again.
    fn run(&self, keys: &KeyStore) {
        for round in 0.. {
            if self.done.load(Ordering::Relaxed) {
                return;
            }
            let fresh = tenant(&format!("t{}", round / 10));
            match keys.ensure_tenant(&fresh).and_then(|()| keys.take(&tenant("acme"))) {
                Ok(key) => self.taken.lock().unwrap().push(key),
                Err(KeyStoreError::Storage(_)) => drop(self.failed.fetch_add(1, Ordering::Relaxed)),
                Err(error) => panic!("{error}"),
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    async fn goes_on(&self, count: usize) {
        let taken = || self.taken.lock().unwrap().len();
        let before = taken();
        while taken() < before + count {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_die_and_no_key_is_given_twice_or_lost() {
    let cluster = Cluster::start();
    let user = cluster.user();
    let options = forms::options(&cluster.url(), &user);
    forms::made(&options, 1, 3).await;
    let operator = operator(&cluster.url(), &user).await;
    let root = forms::root_key();
    let stores = [open(&options, &root).await, open(&options, &root).await];
    stores[0].ensure_tenant(&tenant("acme")).unwrap();
    let work = Arc::new(Work::default());
    let threads = stores.each_ref().map(|keys| {
        let (keys, work) = (keys.clone(), work.clone());
        std::thread::spawn(move || work.run(&keys))
    });
    for _ in 0..3 {
        work.goes_on(300).await;
        let killed = leader(&operator, "").await;
        cluster.named(&killed).kill();
        leader(&operator, &killed).await;
        work.goes_on(100).await;
        tokio::task::block_in_place(|| cluster.named(&killed).restart());
    }
    work.done.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
    let taken = work.taken.lock().unwrap().clone();
    println!("{} keys taken, {} tries failed", taken.len(), work.failed.load(Ordering::Relaxed));
    assert_eq!(taken.iter().map(|key| key.kid.0[..8].to_vec()).collect::<BTreeSet<_>>().len(), taken.len());
    let reader = open(&options, &root).await;
    assert!(taken.iter().all(|key| reader.get(&tenant("acme"), key.kid).unwrap() == *key));
    for n in 0.. {
        let fresh = tenant(&format!("t{n}"));
        let Ok(id) = reader.content_id(&fresh, b"text") else { break };
        let others = stores.each_ref().map(|keys| keys.content_id(&fresh, b"text").unwrap());
        assert_eq!(others, [id, id], "{fresh}");
    }
}

/// The leader of `KEYS`, once it is another one than `but`.
async fn leader(operator: &Context, but: &str) -> String {
    loop {
        let info = operator.get_stream("KEYS").await.ok().map(|stream| stream.cached_info().clone());
        match info.and_then(|info| info.cluster?.leader) {
            Some(leader) if leader != but => return leader,
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
