//! Quotas: exact however many replicas write, at the door by the minute, and set by operators only.

use super::*;

async fn limit(world: &World, quota: &str, limit: u64) {
    let set = request(json!({"type": "set_quota", "quota": quota, "limit": limit}));
    world.service.set_quota(&world.operator, "acme", set).await.unwrap();
}

/// Clients at two replicas who all want a prompt more than there may be.
async fn exactly_as_many_as_allowed(world: &World, other: Service) {
    limit(world, "prompts", 25).await;
    let mut tasks = Vec::new();
    for n in 0..80 {
        let service = if n % 2 == 0 { world.service.clone() } else { other.clone() };
        let owner = world.owner.clone();
        tasks.push(tokio::spawn(async move { one(&service, &owner, create(&format!("k{n}"))).await }));
    }
    let mut created = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => created += 1,
            Err(Failure::Rejected(Rejection::QuotaExceeded { limit: 25, used: 25, more: 1, .. })) => {}
            other => panic!("neither done nor refused: {other:?}"),
        }
    }
    assert_eq!(created, 25);
    // One that makes room lets one in, at whichever replica.
    let archived = world.one(json!({"type": "archive_prompt", "prompt": "k0"})).await;
    if archived.is_ok() {
        assert!(one(&other, &world.owner, create("more")).await.is_ok());
    }
    assert!(matches!(one(&other, &world.owner, create("still more")).await, Err(Failure::Rejected(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_together_let_in_exactly_as_many_as_allowed() {
    let world = World::new().await;
    let other = world.replica("two");
    exactly_as_many_as_allowed(&world, other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_over_jetstream_let_in_exactly_as_many_as_allowed() {
    let server = Server::start();
    let (world, ledger) = on_jetstream(&server).await;
    let other = open(&world.folder, "two", &ledger, &world.keys, &world.clock);
    exactly_as_many_as_allowed(&world, other).await;
}

#[tokio::test]
async fn all_or_nothing_counts_as_a_whole() {
    let world = World::new().await;
    limit(&world, "prompts", 2).await;
    let commands = ["a", "b", "c"].map(|key| request(create(key))).to_vec();
    let refused = world.service.execute_together(&world.owner, commands, None).await;
    assert!(matches!(refused, Err(Failure::InBatch { command: 2, .. })), "{refused:?}");
    assert!(world.one(create("a")).await.is_ok(), "nothing of it is counted");
}

#[tokio::test]
async fn commands_a_minute_are_counted_at_the_door_and_time_lets_more_in() {
    let world = World::new().await;
    limit(&world, "commands-per-minute", 3).await;
    for n in 0..3 {
        world.one(create(&format!("k{n}"))).await.unwrap();
    }
    let refused = world.one(create("x")).await;
    let Err(Failure::RateLimited { limit: 3, retry_after_s }) = refused else { panic!("let in: {refused:?}") };
    world.clock.advance_ms(i64::try_from(retry_after_s).unwrap() * 1000);
    world.one(create("x")).await.unwrap();
    assert!(matches!(world.one(create("y")).await, Err(Failure::RateLimited { .. })));
}

#[tokio::test]
async fn only_operators_set_quotas_and_once_under_a_key() {
    let world = World::new().await;
    let set = || request(json!({"type": "set_quota", "quota": "prompts", "limit": 5, "idempotency_key": "q"}));
    let by_owner = world.service.set_quota(&world.owner, "acme", set()).await;
    assert!(matches!(by_owner, Err(Failure::Rejected(Rejection::NotInThisLedger(_)))), "{by_owner:?}");
    let as_command = world.one(json!({"type": "set_quota", "quota": "prompts", "limit": 5})).await;
    assert!(matches!(rejection(as_command), Rejection::Forbidden(_)));
    let first = world.service.set_quota(&world.operator, "acme", set()).await.unwrap();
    let again = world.service.set_quota(&world.operator, "acme", set()).await.unwrap();
    assert!(!first.replayed && again.replayed && again.events == first.events);
    let nobody = world.service.set_quota(&world.operator, "nobody", set()).await;
    assert!(matches!(nobody, Err(Failure::Rejected(Rejection::TenantNotFound(_)))));
}
