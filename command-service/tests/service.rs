//! The command service on a real embedded ledger and key store: who is let in, what is answered, what a repeat gets.
#![allow(clippy::unwrap_used, reason = "a world that can not be set up fails its test")]

#[path = "service/quotas.rs"]
mod quotas;
#[path = "service/together.rs"]
mod together;

use std::sync::Arc;
use std::time::Duration;

use promptory_command::{Config, Failure, Outcome, Service, wire};
use promptory_domain::Rejection;
use promptory_events::{Batch, CommandId, KeyId, TenantId, limits};
use promptory_ledger::embedded::Embedded;
use promptory_ledger::jetstream::{self, JetStream};
use promptory_ledger::{KeyStore, Ledger};
use promptory_platform::apikey::Presented;
use promptory_platform::{ApiKey, Clock};
use promptory_test_nats::Server;
use serde_json::{Value, json};

/// A service with the tenant `acme` in it, at noon on a day that a test can move.
struct World {
    folder: tempfile::TempDir,
    ledger: Ledger,
    keys: KeyStore,
    clock: Clock,
    service: Service,
    operator: Presented,
    owner: Presented,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::Embedded(Embedded::open(&folder.path().join("ledger.redb"), 1).unwrap());
        Self::on(folder, ledger).await
    }

    async fn on(folder: tempfile::TempDir, ledger: Ledger) -> Self {
        let keys = KeyStore::open(&folder.path().join("keys.redb")).unwrap();
        let clock = Clock::manual("2026-05-03T12:00:00Z".parse().unwrap());
        let service = open(&folder, "one", &ledger, &keys, &clock);
        let operator = service.bootstrap(|_| Ok(())).await.unwrap().unwrap().presented();
        let owner = tenant(&service, &operator, "acme").await.presented();
        Self { folder, ledger, keys, clock, service, operator, owner }
    }

    /// Another replica on the same ledger, with a cache of its own.
    fn replica(&self, name: &str) -> Service {
        open(&self.folder, name, &self.ledger, &self.keys, &self.clock)
    }

    async fn one(&self, command: Value) -> Result<Outcome, Failure> {
        one(&self.service, &self.owner, command).await
    }

    async fn key_for(&self, role: &str) -> ApiKey {
        self.one(json!({"type": "issue_key", "role": role})).await.unwrap().api_key.unwrap()
    }

    /// The ids of all of acme's commits, in order.
    async fn commits(&self) -> Vec<CommandId> {
        let mut reader = self.ledger.read(&"acme".parse().unwrap(), 0).await.unwrap();
        let mut ids = Vec::new();
        loop {
            let page = reader.next().await.unwrap();
            if page.is_empty() {
                return ids;
            }
            for recorded in page {
                ids.extend(Batch::parse(recorded.bytes).unwrap().commits.iter().map(|c| c.header.command_id));
            }
        }
    }
}

fn open(folder: &tempfile::TempDir, name: &str, ledger: &Ledger, keys: &KeyStore, clock: &Clock) -> Service {
    let cache = folder.path().join(format!("cache-{name}.redb"));
    let config = Config { cache, hot_bytes: 1 << 20, exchange: None, identity: promptory_identity::Config::default() };
    Service::open(config, ledger.clone(), keys.clone(), clock.clone()).unwrap()
}

async fn tenant(service: &Service, operator: &Presented, name: &str) -> ApiKey {
    let request = request(json!({"type": "create_tenant", "tenant": name}));
    service.create_tenant(operator, request).await.unwrap().1.api_key.unwrap()
}

fn request(command: Value) -> wire::Request {
    let Value::Object(object) = command else { panic!("no object") };
    wire::Request::from_object(&object).unwrap()
}

async fn one(service: &Service, caller: &Presented, command: Value) -> Result<Outcome, Failure> {
    service.execute(caller, vec![request(command)]).await?.pop().unwrap()
}

fn create(key: &str) -> Value {
    json!({"type": "create_prompt", "key": key, "text": "one"})
}

fn add(key: &str, text: &str) -> Value {
    json!({"type": "add_version", "prompt": key, "text": text})
}

fn rejection(result: Result<Outcome, Failure>) -> Rejection {
    match result {
        Err(Failure::Rejected(rejection)) => rejection,
        other => panic!("not a rejection: {other:?}"),
    }
}

#[tokio::test]
async fn nobody_is_let_in_without_a_key_that_opens() {
    let world = World::new().await;
    let forged = altered(&world.owner, |_, secret_hash| *secret_hash = [0; 32]);
    let elsewhere = altered(&world.owner, |tenant, _| *tenant = "nobody".parse().unwrap());
    for caller in [forged, elsewhere] {
        assert_eq!(rejection(one(&world.service, &caller, create("a")).await), Rejection::Unauthenticated);
    }
    let viewer = world.key_for("viewer").await.presented();
    assert!(matches!(rejection(one(&world.service, &viewer, create("a")).await), Rejection::Forbidden(_)));
    world.one(json!({"type": "revoke_key", "key": key_of(&viewer).to_string()})).await.unwrap();
    assert_eq!(rejection(one(&world.service, &viewer, create("a")).await), Rejection::Unauthenticated);
}

#[tokio::test]
async fn the_system_is_set_up_once_and_its_operator_lets_owners_in() {
    let world = World::new().await;
    assert!(world.service.bootstrap(|_| Ok(())).await.unwrap().is_none());
    let again = request(json!({"type": "create_tenant", "tenant": "acme"}));
    let again = world.service.create_tenant(&world.operator, again).await;
    assert!(matches!(again, Err(Failure::Rejected(Rejection::TenantExists(_)))));
    let second = world.service.add_owner(&world.operator, "acme", Some("Ada".into()), None).await.unwrap();
    let second = second.api_key.unwrap().presented();
    assert!(one(&world.service, &second, create("a")).await.is_ok());
    let by_owner = world.service.add_owner(&world.owner, "acme", None, None).await;
    assert!(matches!(by_owner, Err(Failure::Rejected(_))), "an owner is no operator");
}

#[tokio::test]
async fn a_tenant_that_is_created_twice_with_one_key_is_created_once_and_shows_its_key_once() {
    let world = World::new().await;
    let command = || request(json!({"type": "create_tenant", "tenant": "beta", "idempotency_key": "k"}));
    let (created, owner) = world.service.create_tenant(&world.operator, command()).await.unwrap();
    assert!(owner.api_key.is_some() && !created.replayed);
    let (created, owner) = world.service.create_tenant(&world.operator, command()).await.unwrap();
    assert!(owner.api_key.is_none() && owner.replayed && created.replayed);
}

#[tokio::test]
async fn a_suspended_tenant_takes_nothing_until_it_is_resumed() {
    let world = World::new().await;
    one(&world.service, &world.operator, json!({"type": "suspend_tenant", "tenant": "acme"})).await.unwrap();
    assert!(matches!(world.one(create("a")).await, Err(Failure::Suspended)));
    one(&world.service, &world.operator, json!({"type": "resume_tenant", "tenant": "acme"})).await.unwrap();
    assert!(world.one(create("a")).await.is_ok());
}

#[tokio::test]
async fn sixty_four_clients_on_one_prompt_number_its_versions_once_each() {
    let world = Arc::new(World::new().await);
    world.one(create("hot")).await.unwrap();
    let before = fsyncs(&world.ledger);
    let clients = (0..64).map(|client| {
        let world = world.clone();
        tokio::spawn(async move {
            let mut numbers = Vec::new();
            for n in 0..10 {
                let added = world.one(add("hot", &format!("{client}/{n}"))).await.expect("no client sees a conflict");
                numbers.push(added.version.unwrap().1);
            }
            numbers
        })
    });
    let mut numbers = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        numbers.extend(client.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (2..=641).collect::<Vec<u32>>());
    assert!(fsyncs(&world.ledger) - before <= 640 / 8, "group commit: one fsync for many commands");
}

fn fsyncs(ledger: &Ledger) -> u64 {
    match ledger {
        Ledger::Embedded(embedded) => embedded.fsyncs(),
        Ledger::JetStream(_) => panic!("this world is on the embedded form"),
    }
}

#[tokio::test]
async fn two_replicas_on_one_prompt_show_no_conflict_to_any_client() {
    let world = World::new().await;
    no_client_sees_a_conflict(&world, world.replica("two")).await;
}

#[tokio::test]
async fn neither_a_refusal_nor_nothing_to_do_rests_on_what_was() {
    let world = World::new().await;
    let other = world.replica("two");
    let label = |version| json!({"type": "set_label", "prompt": "a", "label": "production", "version": version});
    one(&other, &world.owner, create("b")).await.unwrap();
    world.one(create("a")).await.unwrap();
    one(&other, &world.owner, label(1)).await.expect("it is there by now");
    world.one(add("a", "two")).await.unwrap();
    world.one(label(2)).await.unwrap();
    assert_eq!(one(&other, &world.owner, label(1)).await.unwrap().events.len(), 1, "it points elsewhere by now");
}

/// 16 clients of two replicas add 160 versions to one prompt.
async fn no_client_sees_a_conflict(world: &World, other: Service) {
    world.one(create("hot")).await.unwrap();
    let replicas = [world.service.clone(), other];
    let clients = (0..16).map(|client| {
        let (service, owner) = (replicas[client % 2].clone(), world.owner.clone());
        tokio::spawn(async move {
            for n in 0..10 {
                one(&service, &owner, add("hot", &format!("{client}/{n}"))).await.expect("no client sees a conflict");
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let last = world.one(add("hot", "last")).await.unwrap();
    assert_eq!(last.version.unwrap().1, 162);
}

/// A world on a real NATS server, and a handle to its ledger as another process would have it.
async fn on_jetstream(server: &Server) -> (World, Ledger) {
    let user = server.user();
    let options = jetstream::Options::new(&server.url()).unwrap().password(&user.name, &user.name);
    jetstream::init(&options, jetstream::Shape { replicas: 1, partitions: 1 }).await.unwrap();
    let open = async || Ledger::JetStream(JetStream::open(&options).await.unwrap());
    (World::on(tempfile::tempdir().unwrap(), open().await).await, open().await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_over_jetstream_show_no_conflict_to_any_client_either() {
    let server = Server::start();
    let (world, ledger) = on_jetstream(&server).await;
    no_client_sees_a_conflict(&world, open(&world.folder, "two", &ledger, &world.keys, &world.clock)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_whose_append_was_not_answered_is_done_once() {
    let server = Server::start();
    let (world, _) = on_jetstream(&server).await;
    world.one(create("a")).await.unwrap();
    // The append goes out and is taken when the server goes on, after the ledger gave up on the first try.
    server.pause();
    let (service, owner) = (world.service.clone(), world.owner.clone());
    let command = tokio::spawn(async move { one(&service, &owner, add("a", "two")).await });
    tokio::time::sleep(Duration::from_secs(4)).await;
    server.resume();
    assert_eq!(command.await.unwrap().unwrap().version.unwrap().1, 2);
    assert_eq!(world.one(add("a", "three")).await.unwrap().version.unwrap().1, 3, "once, not twice");
}

/// One command of every kind, each with an idempotency key.
/// What somebody shows who has changed his key.
fn altered(shown: &Presented, change: impl FnOnce(&mut TenantId, &mut [u8; 32])) -> Presented {
    let mut shown = shown.clone();
    let Presented::ApiKey { tenant, secret_hash, .. } = &mut shown else { panic!("no key") };
    change(tenant, secret_hash);
    shown
}

fn key_of(shown: &Presented) -> KeyId {
    let Presented::ApiKey { key, .. } = shown else { panic!("{shown:?}") };
    *key
}

fn one_of_each() -> Vec<Value> {
    let mut commands = vec![
        json!({"type": "create_prompt", "key": "a", "text": "one", "tags": ["x"], "metadata": {"title": "A"}}),
        json!({"type": "create_prompt", "key": "chat", "messages": [{"role": "user", "content": "hi"}]}),
        json!({"type": "add_version", "prompt": "a", "text": "two", "config": {"model": "m"}, "message": "why"}),
        json!({"type": "set_label", "prompt": "a", "label": "production", "version": 1}),
        json!({"type": "set_label", "prompt": "a", "label": "production", "version": 1}),
        json!({"type": "set_label", "prompt": "a", "label": "production", "version": 2}),
        json!({"type": "remove_label", "prompt": "a", "label": "production"}),
        json!({"type": "set_tags", "prompt": "a", "tags": ["y"]}),
        json!({"type": "set_metadata", "prompt": "a", "metadata": {"title": "B"}}),
        json!({"type": "rename_prompt", "prompt": "a", "to": "b", "text": "three"}),
        json!({"type": "create_branch", "prompt": "b", "branch": "try", "from": {"version": 1}}),
        json!({"type": "add_version", "prompt": "b", "branch": "try", "text": "four"}),
        json!({"type": "fork_prompt", "prompt": "b", "key": "c", "from": {"branch": "try"}, "metadata": {"title": "C"}}),
        json!({"type": "merge", "prompt": "b", "branch": "try", "from": {"prompt": "c"}}),
        json!({"type": "add_version", "prompt": "c", "text": "five"}),
        json!({"type": "merge", "prompt": "b", "branch": "try", "from": {"prompt": "c"}, "labels": ["merged"]}),
        json!({"type": "close_branch", "prompt": "b", "branch": "try"}),
        json!({"type": "archive_prompt", "prompt": "b"}),
        json!({"type": "issue_key", "role": "viewer", "name": "Ada"}),
        json!({"type": "issue_key", "role": "editor", "prefix": "team/", "role_expires_at": "2026-08-01T00:00:00Z"}),
        json!({"type": "create_group", "name": "Poets"}),
        json!({"type": "trust_issuer", "url": "https://id.example", "audience": "promptory", "groups_claim": "groups"}),
        json!({"type": "add_principal", "url": "https://id.example", "audience": "promptory", "subject": "ada"}),
        json!({"type": "revoke_session", "token": "00".repeat(32)}),
        json!({"type": "set_user", "profile": {"userName": "ada", "active": true}}),
        json!({"type": "set_group", "profile": {"displayName": "Poets"}}),
        json!({"type": "create_prompt", "key": "team/a", "text": "one", "labels": ["production"]}),
        json!({"type": "add_version", "prompt": "team/a", "text": "two", "labels": ["production"]}),
        json!({"type": "roll_back_label", "prompt": "team/a", "label": "production"}),
        json!({"type": "start_rollout", "prompt": "team/a", "label": "production", "arms": [{"version": 2, "weight": 10000}]}),
        json!({"type": "advance_rollout", "prompt": "team/a", "label": "production", "arms": [{"version": 1, "weight": 1}, {"version": 2, "weight": 9999}]}),
        json!({"type": "pause_rollout", "prompt": "team/a", "label": "production"}),
        json!({"type": "resume_rollout", "prompt": "team/a", "label": "production"}),
        json!({"type": "roll_back_rollout", "prompt": "team/a", "label": "production"}),
        json!({"type": "start_rollout", "prompt": "team/a", "label": "production", "arms": [{"version": 2, "weight": 10000}]}),
        json!({"type": "complete_rollout", "prompt": "team/a", "label": "production", "version": 1}),
        json!({"type": "protect_label", "prefix": "team/", "label": "production", "approvals": 1}),
        json!({"type": "create_prompt", "key": "greet", "text": "{{ x }}{% include 'team/a@1' %}", "template": "jinja",
            "variables": {"x": {"type": "string", "default": "hi"}}}),
        json!({"type": "fork_prompt", "prompt": "greet", "key": "hello"}),
        json!({"type": "request_release", "prompt": "team/a", "label": "production", "version": 2}),
        json!({"type": "add_comment", "prompt": "team/a", "version": 2, "text": "well done"}),
        json!({"type": "set_freeze", "from": "2026-09-01T00:00:00Z", "until": "2026-09-02T00:00:00Z"}),
        json!({"type": "configure_search", "languages": ["de", "en"]}),
        json!({"type": "configure_watch", "enabled": false}),
        json!({"type": "define_role", "role": "poet", "actions": ["read", "write-prompts"]}),
    ];
    for (n, command) in commands.iter_mut().enumerate() {
        command["idempotency_key"] = format!("k{n}").into();
    }
    commands
}

#[tokio::test]
async fn a_repeat_of_every_command_a_day_later_gets_the_same_answer_and_adds_nothing() {
    let world = World::new().await;
    let mut first = Vec::new();
    for command in one_of_each() {
        first.push(world.one(command).await.unwrap());
    }
    let commits = world.commits().await;
    // A day later, on this service, on one that starts anew, and on one without its cache.
    world.clock.advance_ms(25 * 60 * 60 * 1000);
    world.service.close().await;
    for service in [world.service.clone(), world.replica("two"), world.replica("three")] {
        for (command, then) in one_of_each().into_iter().zip(&first) {
            let now = one(&service, &world.owner, command).await.unwrap();
            assert!(now.replayed && now.api_key.is_none());
            let said = |o: &Outcome| (o.command_id, o.position, o.events.clone(), o.prompt, o.version, o.key_id);
            assert_eq!(said(&now), said(then));
        }
    }
    assert_eq!(world.commits().await, commits);
}

#[tokio::test]
async fn groups_grants_and_rotated_keys_are_answered_by_what_they_are_about() {
    let world = World::new().await;
    let group = world.one(json!({"type": "create_group"})).await.unwrap().group.unwrap().to_string();
    let issued = world.one(json!({"type": "issue_key", "role": "viewer"})).await.unwrap();
    let (principal, key) = (issued.principal.unwrap(), issued.api_key.unwrap());
    for (command, event) in [
        (json!({"type": "add_member", "group": group, "principal": principal}), "member.added"),
        (json!({"type": "grant_role", "group": group, "role": "editor", "prefix": "team/"}), "role.granted"),
        (json!({"type": "revoke_role", "group": group, "role": "editor", "prefix": "team/"}), "role.revoked"),
        (json!({"type": "remove_member", "group": group, "principal": principal}), "member.removed"),
    ] {
        let outcome = world.one(command).await.unwrap();
        assert_eq!((&*outcome.events[0].1, outcome.group.unwrap().to_string()), (event, group.clone()));
    }
    // Whoever shows a key rotates it; a repeat of the answer that was lost shows no secret.
    let rotate = json!({"type": "rotate_key", "key": key.key, "idempotency_key": "r"});
    let rotated = one(&world.service, &key.presented(), rotate.clone()).await.unwrap();
    let new = rotated.api_key.unwrap();
    assert_eq!((rotated.key_id, rotated.principal), (Some(new.key), Some(principal)));
    assert_eq!(rejection(one(&world.service, &key.presented(), create("x")).await), Rejection::Unauthenticated);
    let again = one(&world.service, &new.presented(), rotate).await.unwrap();
    assert!(again.replayed && again.api_key.is_none());
}

#[tokio::test]
async fn a_key_that_expired_opens_nothing_not_even_an_answer_of_before() {
    let world = World::new().await;
    let until = "2026-05-03T12:00:10Z";
    let issued = world.one(json!({"type": "issue_key", "role": "editor", "expires_at": until})).await.unwrap();
    let key = issued.api_key.unwrap().presented();
    let mut command = create("a");
    command["idempotency_key"] = "k".into();
    one(&world.service, &key, command.clone()).await.unwrap();
    world.clock.advance_ms(10_000);
    assert_eq!(rejection(one(&world.service, &key, command).await), Rejection::Unauthenticated);
}

#[tokio::test]
async fn an_idempotency_key_with_another_body_is_refused_and_another_principals_key_is_another() {
    let world = World::new().await;
    let keyed = |key: &str| json!({"type": "create_prompt", "key": key, "text": "one", "idempotency_key": "k"});
    world.one(keyed("a")).await.unwrap();
    assert!(matches!(world.one(keyed("b")).await, Err(Failure::IdempotencyMismatch)));
    let editor = world.key_for("editor").await.presented();
    assert!(one(&world.service, &editor, keyed("b")).await.is_ok());
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let world = World::new().await;
    let early = json!({"type": "set_label", "prompt": "a", "label": "x", "version": 1, "idempotency_key": "k"});
    assert!(matches!(rejection(world.one(early.clone()).await), Rejection::PromptNotFound(_)));
    world.one(create("a")).await.unwrap();
    assert!(!world.one(early).await.unwrap().replayed);
}

#[tokio::test]
async fn many_commands_are_decided_in_order_and_one_refusal_stops_no_other() {
    let world = World::new().await;
    let commands = [create("a"), create("a"), add("a", "two"), add("nobody", "x"), add("a", "three")];
    let answers = world.service.execute(&world.owner, commands.map(request).to_vec()).await.unwrap();
    let versions: Vec<_> = answers.iter().map(|a| a.as_ref().ok().map(|o| o.version.unwrap().1)).collect();
    assert_eq!(versions, [Some(1), None, Some(2), None, Some(3)]);
}

#[tokio::test]
async fn a_request_larger_than_a_batch_becomes_several_and_each_commit_stays_whole() {
    let world = World::new().await;
    let big = "x".repeat(limits::CONTENT_MAX_BYTES);
    let commands = (0..14).map(|n| request(json!({"type": "create_prompt", "key": format!("k{n}"), "text": big})));
    let answers = world.service.execute(&world.owner, commands.collect()).await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
    let head = world.ledger.head(&"acme".parse().unwrap()).await.unwrap().unwrap();
    let recorded = world.ledger.get(&"acme".parse().unwrap(), head.position.index).await.unwrap().unwrap();
    assert!(recorded.bytes.len() <= limits::BATCH_MAX_BYTES);
    assert!(Batch::parse(recorded.bytes).unwrap().commits.len() < 14);
}

#[tokio::test]
async fn sizes_are_checked_at_the_door_and_the_field_is_named() {
    let world = World::new().await;
    let over = "x".repeat(limits::CONTENT_MAX_BYTES + 1);
    for (command, field) in [
        (json!({"type": "create_prompt", "key": "a", "text": over}), "/text"),
        (json!({"type": "create_prompt", "key": "a\u{0}", "text": ""}), "/key"),
        (json!({"type": "create_prompt", "key": "a", "text": "", "labels": ["No"]}), "/labels"),
        (json!({"type": "create_prompt", "key": "a"}), "/text"),
        (json!({"type": "create_prompt", "key": "a", "text": "", "author": "a@b"}), "/author"),
        (json!({"type": "create_prompt", "key": "a", "text": "", "occurred_at": "then"}), "/occurred_at"),
        (json!({"type": "add_version", "prompt": "a", "text": "", "if_match": "x"}), "If-Match"),
        (json!({"type": "create_prompt", "key": "a", "text": "", "idempotency_key": ""}), "Idempotency-Key"),
    ] {
        let Err(Failure::Malformed(problem)) = world.one(command).await else { panic!("{field} was let through") };
        assert_eq!(problem.members["field"], field);
    }
    let empty = world.one(json!({"type": "create_prompt", "key": "empty", "text": ""})).await;
    assert!(empty.is_ok(), "an empty text is legal");
}

#[tokio::test]
async fn a_clock_that_is_far_behind_writes_nothing_and_a_little_behind_never_goes_back() {
    let world = World::new().await;
    world.one(create("a")).await.unwrap();
    world.clock.advance_ms(-4_000);
    world.one(create("b")).await.unwrap();
    let head = world.ledger.head(&"acme".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(head.recorded_at.to_string(), "2026-05-03T12:00:00Z");
    world.clock.advance_ms(-2_000);
    assert!(matches!(world.one(create("c")).await, Err(Failure::ClockBehind { .. })));
}

#[tokio::test]
async fn a_fork_on_one_replica_of_what_another_has_just_written_has_its_text() {
    let world = World::new().await;
    let other = world.replica("two");
    world.one(create("a")).await.unwrap();
    for n in 0..3 {
        world.one(add("a", &format!("text {n}"))).await.unwrap();
        let fork = json!({"type": "fork_prompt", "prompt": "a", "key": format!("f{n}")});
        assert_eq!(one(&other, &world.owner, fork).await.unwrap().version.unwrap().1, 1);
    }
    let viewer = world.key_for("viewer").await.presented();
    let fork = json!({"type": "fork_prompt", "prompt": "a", "key": "x"});
    assert!(matches!(rejection(one(&world.service, &viewer, fork).await), Rejection::Forbidden(_)));
}

#[tokio::test]
async fn tenants_share_nothing() {
    let world = World::new().await;
    let beta = tenant(&world.service, &world.operator, "beta").await.presented();
    world.one(create("same")).await.unwrap();
    assert!(one(&world.service, &beta, create("same")).await.is_ok());
    let with_others_tenant = altered(&world.owner, |tenant, _| *tenant = beta.tenant().clone());
    let refused = one(&world.service, &with_others_tenant, create("x")).await;
    assert_eq!(rejection(refused), Rejection::Unauthenticated);
}

#[tokio::test]
async fn many_tenants_fit_into_a_bound_and_come_back_as_they_were() {
    let world = World::new().await;
    // Each tenant's state is estimated at about 60 KB; the bound is 1 MiB.
    let mut owners = Vec::new();
    for n in 0..30 {
        let owner = tenant(&world.service, &world.operator, &format!("t{n}")).await.presented();
        let commands = (0..60).map(|k| request(create(&format!("k{k}"))));
        world.service.execute(&owner, commands.collect()).await.unwrap();
        owners.push(owner);
    }
    for owner in &owners {
        assert_eq!(one(&world.service, owner, add("k0", "two")).await.unwrap().version.unwrap().1, 2);
    }
}
