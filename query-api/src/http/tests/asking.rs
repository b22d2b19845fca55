//! Who is let in, what is refused, and how the process says how it is.

use std::time::Duration;

use axum::extract::Request;
use promptory_events::event::Role;
use promptory_events::{Incarnation, KeyId, Position, PrincipalId};
use promptory_platform::ApiKey;
use promptory_platform::apikey::Secret;

use super::world::World;

const READS: [&str; 6] = [
    "/v1/prompts",
    "/v1/prompts/p",
    "/v1/prompts/p/versions",
    "/v1/prompts/p/labels/live/history",
    "/v1/events",
    "/v1/status",
];

const CHALLENGES: &str = r#"Bearer, Basic realm="promptory", charset="UTF-8""#;

#[tokio::test]
async fn every_read_asks_for_a_key_that_opens() {
    let world = World::new().await;
    let wrong_secret = ApiKey::new(world.tenant.clone(), world.key.key, Secret::random().unwrap()).reveal();
    let other_tenant = ApiKey::new("nobody".parse().unwrap(), KeyId([9; 8]), Secret::random().unwrap()).reveal();
    for uri in READS {
        let bare = world.send(Request::builder().uri(uri)).await;
        assert_eq!((bare.status.as_u16(), bare.header("www-authenticate")), (401, CHALLENGES), "{uri}");
        for key in ["nonsense", &wrong_secret, &other_tenant] {
            let request = Request::builder().uri(uri).header("authorization", format!("Bearer {key}"));
            assert_eq!(world.send(request).await.code(), "unauthenticated", "{uri}");
        }
        assert_eq!(world.get(&format!("{uri}?x=1")).await.field(), "x", "{uri}");
    }
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_once_its_revocation_is_waited_for() {
    let mut world = World::new().await;
    assert_eq!(world.get("/v1/status").await.status, 200);
    world.append(vec![world.revoked()]).await;
    assert_eq!(world.get("/v1/status").await.code(), "unauthenticated");
}

#[tokio::test]
async fn the_status_tells_position_digest_and_roles() {
    let mut world = World::new().await;
    let importer = ApiKey::new(world.tenant.clone(), KeyId([8; 8]), Secret::random().unwrap());
    world.append(world.key_events(PrincipalId([2; 16]), &importer, Role::Viewer)).await;
    world.append(world.created(5, "p", "x")).await;
    world.key = importer;
    let status = world.get("/v1/status").await;
    assert_eq!((&status.json["tenant"], &status.json["prompts"]), (&"acme".into(), &1.into()), "{status:?}");
    assert_eq!(status.json["roles"], serde_json::json!(["viewer"]));
    assert_eq!(status.json["position"], status.header("promptory-position"));
    assert_eq!(status.json["model_digest"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn a_position_that_is_not_reached_is_waited_for_and_another_life_is_refused() {
    let mut world = World::new().await;
    let position = world.append(world.created(5, "p", "x")).await;
    assert_eq!(world.get("/v1/prompts/p").await.status, 200);
    tokio::time::pause();
    let beyond = Position { index: position.index + 1, ..position };
    let answer = world.send(world.request(&format!("/v1/prompts/p?at_least={beyond}"))).await;
    assert_eq!((answer.status.as_u16(), answer.code(), answer.header("retry-after")), (504, "behind", "1"));
    let elsewhere = Position { incarnation: Incarnation([0; 8]), ..position };
    let answer = world.send(world.request(&format!("/v1/prompts/p?at_least={elsewhere}"))).await;
    assert_eq!(answer.code(), "other-incarnation");
}

#[tokio::test]
async fn events_come_by_page() {
    let mut world = World::new().await;
    world.append(world.created(5, "p", "x")).await;
    let first = world.get("/v1/events?limit=4").await.json;
    let names: Vec<_> = first["events"].as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(names, ["principal.added", "role.granted", "key.issued", "prompt.created"]);
    assert_eq!(first["next"], 4);
    let rest = world.get("/v1/events?from=4").await.json;
    let event = &rest["events"][0];
    assert_eq!((&event["index"], &event["key"], &rest["next"]), (&4.into(), &"p".into(), &5.into()));
    assert_eq!((&event["detail"]["number"], &event["detail"]["bytes"]), (&1.into(), &1.into()), "{event}");
    let none = world.get("/v1/events?from=5").await.json;
    assert_eq!((&none["events"], &none["next"]), (&serde_json::json!([]), &5.into()));
}

#[tokio::test]
async fn probes_need_no_key() {
    let world = World::new().await;
    let probe = async |uri: &str| world.send(Request::builder().uri(uri)).await;
    assert_eq!(probe("/healthz").await.json["status"], "alive");
    // The worker has the whole ledger in a moment.
    let mut ready = probe("/readyz").await;
    while ready.status == 503 {
        assert_eq!(ready.json["status"], "catching-up");
        tokio::time::sleep(Duration::from_millis(20)).await;
        ready = probe("/readyz").await;
    }
    assert_eq!((&ready.json["status"], &ready.json["stopped"]), (&"ready".into(), &serde_json::json!([])));
    let metrics = probe("/metrics").await;
    assert!(metrics.header("content-type").starts_with("text/plain"));
}
