//! What travels reads back; and whatever becomes of a winner that holds forwarded commands, each is done once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use promptory_domain::{Change, Command, Rejection};
use promptory_events::{Batch, CommandHash, CommandId, Event};
use promptory_ledger::jetstream::{self, JetStream};
use promptory_ledger::{KeyStore, Ledger};
use promptory_platform::Clock;
use promptory_platform::apikey::Presented as Shown;
use promptory_test_nats::Server;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;
use crate::service::Config;
use crate::wire;

#[test]
fn what_is_forwarded_reads_back_without_secrets_and_noise_is_refused() {
    let presented = Presented::ApiKey { key: promptory_events::KeyId([1; 8]), secret_hash: [2; 32] };
    let change = Change::SuspendTenant { tenant: "acme".parse().unwrap() };
    let command = Command { change, occurred_at: None, author: None, message: None, override_freeze: false };
    let secret = promptory_platform::apikey::Secret::random().unwrap();
    let key = promptory_platform::ApiKey::new("acme".parse().unwrap(), promptory_events::KeyId([1; 8]), secret);
    let item = Gathered {
        command_id: CommandId([3; 16]),
        command_hash: CommandHash::NONE,
        may_repeat: false,
        presented,
        command: command.clone(),
        trace: None,
        since: Some(7),
        tied: true,
        secret: Some(key),
        bytes: 1024,
    };
    let sent = Forwarded { tenant: "acme".parse().unwrap(), from: "command.1".to_owned(), items: vec![item] };
    let bytes = encode(&sent).unwrap();
    let read: Forwarded = decode(&bytes).unwrap();
    assert_eq!((&read.items[0].command, read.items[0].since), (&command, Some(7)));
    assert!(read.items[0].secret.is_none());
    for noise in [&[][..], &[VERSION], &[VERSION - 1, 0], &bytes[..bytes.len() - 1]] {
        assert!(decode::<Forwarded>(noise).is_err());
    }
}

#[test]
fn every_failure_that_a_writer_gives_travels() {
    let failures = [
        Failure::Rejected(Rejection::LimitReached { what: "tags".into(), max: 64 }),
        Failure::IdempotencyMismatch,
        Failure::Overloaded,
        Failure::ClockBehind { behind_ms: 6000 },
        Failure::Unavailable("why".into()),
        Failure::OutcomeUnknown,
        Failure::Internal("why".into()),
        Failure::TooLarge { bytes: 7, max: 6 },
        Failure::InBatch { command: 2, why: Box::new(Failure::OutcomeUnknown) },
    ];
    for failure in failures {
        let bytes = answer(Answered::All(vec![Err(failure.clone())]));
        let Ok(Answered::All(read)) = decode(&bytes) else { panic!("{failure:?} does not travel") };
        assert_eq!(read[0].as_ref().unwrap_err().to_string(), failure.to_string());
    }
}

/// Two replicas of one tenant `acme`: A under test, and W, which wins and answers what is forwarded as a test wants.
struct Pair {
    a: Service,
    w: Service,
    owner: Shown,
    /// What was forwarded to W and not answered.
    held: mpsc::Receiver<Forwarded>,
    ledger: Ledger,
    _answering: Answering,
    _folder: tempfile::TempDir,
    _server: Server,
}

/// What W does with forwarded commands before it is silent.
#[derive(Clone, Copy, PartialEq)]
enum Dies {
    BeforeDoingThem,
    AfterDoingThem,
}

impl Pair {
    async fn new(dies: Dies) -> Self {
        let server = Server::start();
        let user = server.user();
        let options = jetstream::Options::new(&server.url()).unwrap().password(&user.name, &user.name);
        jetstream::init(&options, jetstream::Shape { replicas: 1, partitions: 1 }).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyStore::open(&folder.path().join("keys.redb")).unwrap();
        let (mut services, mut exchanges) = (Vec::new(), Vec::new());
        for name in ["a", "w"] {
            let ledger = Ledger::JetStream(JetStream::open(&options).await.unwrap());
            let exchange = Exchange::new(options.connect(name).await.unwrap().client()).unwrap();
            let cache = folder.path().join(format!("{name}.redb"));
            let (exchanging, identity) = (Some(exchange.clone()), promptory_identity::Config::default());
            let config = Config { cache, hot_bytes: 1 << 20, exchange: exchanging, identity };
            services.push(Service::open(config, ledger, keys.clone(), Clock::System).unwrap());
            exchanges.push(exchange);
        }
        let (w, a) = (services.pop().unwrap(), services.pop().unwrap());
        let operator = w.bootstrap(|_| Ok(())).await.unwrap().unwrap().presented();
        let create = request(json!({"type": "create_tenant", "tenant": "acme"}));
        let owner = w.create_tenant(&operator, create).await.unwrap().1.api_key.unwrap().presented();
        let (answering, held) = Self::silent(&exchanges[1], w.clone(), dies).await;
        let ledger = Ledger::JetStream(JetStream::open(&options).await.unwrap());
        Self { a, w, owner, held, ledger, _answering: answering, _folder: folder, _server: server }
    }

    /// Listens as W would, and never answers.
    async fn silent(w: &Exchange, service: Service, dies: Dies) -> (Answering, mpsc::Receiver<Forwarded>) {
        let answering = Answering::start(w.client.clone(), "test", "Never answers").await.unwrap();
        let at_once = Arc::new(Semaphore::new(1024));
        let place = Place { subject: w.address().to_string(), queue: "w".to_owned(), at_once, busy: Bytes::new() };
        let (hold, held) = mpsc::channel(1024);
        let silence = move |bytes: Bytes| {
            let (hold, service) = (hold.clone(), service.clone());
            async move {
                let forwarded: Forwarded = decode(&bytes).unwrap();
                if dies == Dies::AfterDoingThem {
                    let again: Forwarded = decode(&bytes).unwrap();
                    service.take_forwarded(&again.tenant, &again.from, again.items).await.unwrap();
                }
                hold.try_send(forwarded).unwrap();
                std::future::pending().await
            }
        };
        answering.listen(place, silence).await.unwrap();
        (answering, held)
    }

    /// Both write to one prompt until A has forwarded something; gives what A's clients were answered, and what was
    /// forwarded.
    async fn race(&mut self) -> (Vec<Outcome>, Vec<Forwarded>) {
        one(&self.w, &self.owner, json!({"type": "create_prompt", "key": "hot", "text": "1"})).await.unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let write = |service: &Service, name: &'static str| {
            let (service, owner, over) = (service.clone(), self.owner.clone(), over.clone());
            tokio::spawn(async move {
                let mut outcomes = Vec::new();
                for n in 0.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let text = format!("{name} {n}");
                    let add = json!({"type": "add_version", "prompt": "hot", "text": text});
                    outcomes.push(one(&service, &owner, add).await.expect("no client sees anything of it"));
                    let issue = json!({"type": "issue_key", "role": "viewer"});
                    outcomes.push(one(&service, &owner, issue).await.expect("no client sees anything of it"));
                }
                outcomes
            })
        };
        let winners: Vec<_> = ["w0", "w1", "w2", "w3"].map(|name| write(&self.w, name)).into_iter().collect();
        let losers: Vec<_> = ["a0", "a1"].map(|name| write(&self.a, name)).into_iter().collect();
        let first = tokio::time::timeout(Duration::from_secs(60), self.held.recv()).await;
        let mut forwarded = vec![first.expect("A loses two races in a row").unwrap()];
        over.store(true, Ordering::Relaxed);
        let mut outcomes = Vec::new();
        for writer in winners {
            writer.await.unwrap();
        }
        for writer in losers {
            outcomes.extend(writer.await.unwrap());
        }
        while let Ok(more) = self.held.try_recv() {
            forwarded.push(more);
        }
        (outcomes, forwarded)
    }

    /// How often each command is in the ledger, and the numbers of the versions.
    async fn written(&self) -> (HashMap<CommandId, usize>, Vec<u32>) {
        let mut reader = self.ledger.read(&"acme".parse().unwrap(), 0).await.unwrap();
        let (mut times, mut numbers) = (HashMap::new(), Vec::new());
        loop {
            let page = reader.next().await.unwrap();
            if page.is_empty() {
                return (times, numbers);
            }
            for recorded in page {
                for commit in &Batch::parse(recorded.bytes).unwrap().commits {
                    *times.entry(commit.header.command_id).or_default() += 1;
                    for event in commit.decode_events().unwrap() {
                        if let Event::VersionAdded(added) = event {
                            numbers.push(added.number);
                        }
                    }
                }
            }
        }
    }

    async fn each_is_written_once(&self, outcomes: &[Outcome], forwarded: &[Forwarded]) {
        let (times, numbers) = self.written().await;
        assert!(times.values().all(|times| *times == 1), "a command was done twice");
        assert!(outcomes.iter().all(|outcome| times.contains_key(&outcome.command_id)), "a command was lost");
        assert!(forwarded.iter().flat_map(|one| &one.items).all(|item| times.contains_key(&item.command_id)));
        assert!(numbers.iter().zip(1..).all(|(number, expected)| *number == expected), "{numbers:?}");
        let issued = outcomes.iter().filter(|outcome| outcome.key_id.is_some());
        assert!(issued.clone().count() > 0 && issued.clone().all(|o| o.api_key.is_some()), "a key was not shown");
        assert!(outcomes.iter().all(|outcome| !outcome.replayed));
    }
}

fn request(command: Value) -> wire::Request {
    let Value::Object(object) = command else { panic!("no object") };
    wire::Request::from_object(&object).unwrap()
}

async fn one(service: &Service, caller: &Shown, command: Value) -> Result<Outcome, Failure> {
    service.execute(caller, vec![request(command)]).await?.pop().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_a_winner_took_to_its_grave_are_done_once_and_also_if_it_rises_again() {
    let mut pair = Pair::new(Dies::BeforeDoingThem).await;
    let (outcomes, forwarded) = pair.race().await;
    pair.each_is_written_once(&outcomes, &forwarded).await;
    // It was only paused, and goes on with what it holds: the answers are those that A's clients have.
    for Forwarded { tenant, from, items } in decode::<Vec<Forwarded>>(&encode(&forwarded).unwrap()).unwrap() {
        for answer in pair.w.take_forwarded(&tenant, &from, items).await.unwrap() {
            let answer = answer.unwrap();
            let then = outcomes.iter().find(|outcome| outcome.command_id == answer.command_id).unwrap();
            assert_eq!((answer.position, answer.version, answer.key_id), (then.position, then.version, then.key_id));
        }
    }
    pair.each_is_written_once(&outcomes, &forwarded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_a_winner_did_before_it_died_are_found_and_not_done_again() {
    let mut pair = Pair::new(Dies::AfterDoingThem).await;
    let (outcomes, forwarded) = pair.race().await;
    pair.each_is_written_once(&outcomes, &forwarded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_winner_decides_a_forwarded_command_by_its_own_state_rights_included() {
    let mut pair = Pair::new(Dies::BeforeDoingThem).await;
    let (_, mut forwarded) = pair.race().await;
    let held = forwarded.pop().unwrap();
    let fresh = |item: &Gathered| Gathered { command_id: CommandId([0xee; 16]), ..item.clone() };
    let Shown::ApiKey { key, .. } = &pair.owner else { panic!("{:?}", pair.owner) };
    let revoke = json!({"type": "revoke_key", "key": key.to_string()});
    let second = one(&pair.w, &pair.owner, json!({"type": "issue_key", "role": "owner"})).await.unwrap();
    one(&pair.w, &second.api_key.unwrap().presented(), revoke).await.unwrap();
    let items = vec![fresh(&held.items[0])];
    let answers = pair.w.take_forwarded(&held.tenant, &held.from, items).await.unwrap();
    assert!(matches!(answers[0], Err(Failure::Rejected(Rejection::Unauthenticated))), "{answers:?}");
    let system = Gathered { presented: Presented::System, ..fresh(&held.items[0]) };
    let request = Forwarded { items: vec![system], ..held };
    let Ok(Answered::NotTaken(_)) = decode(&take(pair.w.clone(), encode(&request).unwrap()).await) else {
        panic!("the system does not come from outside")
    };
}
