//! Pages agree with each other, whatever happens between them.

use promptory_events::TenantId;
use serde_json::Value;

use super::super::cursor::Cursor;
use super::world::{World, at};

fn keys(page: &Value) -> Vec<&str> {
    page["prompts"].as_array().unwrap().iter().map(|prompt| prompt["key"].as_str().unwrap()).collect()
}

async fn four() -> World {
    let mut world = World::new().await;
    for (n, key) in [(10, "a/1"), (11, "a/2"), (12, "a/3"), (13, "b")] {
        world.append(world.created(n, key, key)).await;
    }
    world
}

#[tokio::test]
async fn all_pages_of_a_listing_are_answered_at_one_index() {
    let mut world = four().await;
    let first = world.get("/v1/prompts?prefix=a/&limit=2").await;
    assert_eq!((keys(&first.json), &first.json["index"]), (vec!["a/1", "a/2"], &10.into()));
    let cursor = first.json["next_cursor"].as_str().unwrap();

    // In between one comes and one goes.
    world.append(world.created(14, "a/25", "new")).await;
    world.append(vec![world.renamed(12, "a/3", "c")]).await;
    let second = world.get(&format!("/v1/prompts?prefix=a%2F&limit=2&cursor={cursor}")).await;
    assert_eq!((keys(&second.json), &second.json["index"]), (vec!["a/3"], &10.into()));
    assert_eq!(second.json["next_cursor"], Value::Null);
    assert!(second.header("promptory-position").ends_with("-10"), "and says so");

    let now = world.get("/v1/prompts").await;
    assert_eq!(keys(&now.json), ["a/1", "a/2", "a/25", "b", "c"]);
    let then = world.get("/v1/prompts?as_of=6").await;
    assert_eq!((keys(&then.json), &then.json["index"]), (vec!["a/1", "a/2"], &6.into()));
}

#[tokio::test]
async fn an_import_into_the_past_does_not_show_between_two_pages() {
    let mut world = World::new().await;
    let long_ago = Some(at("2020-01-01T00:00:00Z"));
    for (n, key) in [(10, "a"), (11, "c")] {
        world.append_as_of(long_ago, world.created(n, key, key)).await;
    }
    let first = world.get("/v1/prompts?limit=1&as_of=2020-01-01T00:00:00Z").await.json;
    world.append_as_of(long_ago, world.created(12, "b", "b")).await;
    let next = first["next_cursor"].as_str().unwrap();
    let second = world.get(&format!("/v1/prompts?limit=9&cursor={next}")).await.json;
    assert_eq!((keys(&first), keys(&second), &second["index"]), (vec!["a"], vec!["c"], &first["index"]));
    assert_eq!(keys(&world.get("/v1/prompts?as_of=2020-01-01T00:00:00Z").await.json), ["a", "b", "c"]);
    assert_eq!(keys(&world.get("/v1/prompts?as_of=2020-01-01T00:00:00Z&clock=recorded").await.json), [""; 0]);
}

#[tokio::test]
async fn versions_come_newest_first_and_stay_as_they_were_at_the_first_page() {
    let mut world = World::new().await;
    world.append(world.created(5, "p", "1")).await;
    world.append(vec![world.added(5, 2, "2"), world.added(5, 3, "3")]).await;
    let numbers = |page: &Value| -> Vec<u64> {
        page["versions"].as_array().unwrap().iter().map(|v| v["number"].as_u64().unwrap()).collect()
    };
    let first = world.get("/v1/prompts/p/versions?limit=2").await.json;
    assert_eq!(numbers(&first), [3, 2]);
    world.append(vec![world.renamed(5, "p", "q")]).await;
    let next = first["next_cursor"].as_str().unwrap();
    let second = world.get(&format!("/v1/prompts/p/versions?limit=2&cursor={next}")).await.json;
    assert_eq!((numbers(&second), &second["next_cursor"]), (vec![1], &Value::Null));
    assert_eq!(numbers(&world.get("/v1/prompts/q/versions?as_of=7&limit=3").await.json), [3, 2, 1]);
    assert_eq!(world.get("/v1/prompts/p/versions").await.code(), "prompt-not-found");
}

#[tokio::test]
async fn a_label_has_a_history() {
    let mut world = World::new().await;
    world.append(world.created(5, "p", "1")).await;
    world.append(vec![world.added(5, 2, "2"), world.labelled(5, "live", None, 1)]).await;
    world.append(vec![world.labelled(5, "live", Some(1), 2)]).await;
    let first = world.get("/v1/prompts/p/labels/live/history?limit=1").await.json;
    let moves = &first["moves"][0];
    assert_eq!((&moves["before"], &moves["after"], &moves["index"]), (&Value::Null, &1.into(), &6.into()));
    let next = first["next_cursor"].as_str().unwrap();
    let second = world.get(&format!("/v1/prompts/p/labels/live/history?cursor={next}")).await.json;
    assert_eq!((&second["moves"][0]["after"], &second["next_cursor"]), (&2.into(), &Value::Null));
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_listing_only() {
    let world = four().await;
    let page = world.get("/v1/prompts?prefix=a/&limit=1").await.json;
    let cursor = page["next_cursor"].as_str().unwrap();
    let refused = async |uri: String| {
        let answer = world.get(&uri).await;
        assert_eq!(answer.code(), "invalid-field", "{uri}");
        answer.field().to_owned()
    };
    assert_eq!(refused(format!("/v1/prompts?cursor={cursor}x")).await, "cursor");
    assert_eq!(refused("/v1/prompts?cursor=".into()).await, "cursor");
    assert_eq!(refused(format!("/v1/prompts/b/versions?cursor={cursor}")).await, "cursor");
    assert_eq!(refused(format!("/v1/prompts?cursor={cursor}&prefix=b")).await, "prefix");
    assert_eq!(refused(format!("/v1/prompts?cursor={cursor}&as_of=3")).await, "as_of");
    let theirs: TenantId = "theirs".parse().unwrap();
    let foreign = Cursor::decode(cursor, &world.tenant).unwrap().encode(&theirs).unwrap();
    assert_eq!(refused(format!("/v1/prompts?cursor={foreign}")).await, "cursor");
}
