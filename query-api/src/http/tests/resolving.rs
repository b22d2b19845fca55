//! One prompt: by key or id, by label or number, now or then.

use promptory_events::VersionId;

use super::world::{World, at, prompt, version};

async fn greeting() -> World {
    let mut world = World::new().await;
    world.append(world.created(5, "team/greeting", "one")).await; // 3, 4 at 02:00
    world.append(vec![world.added(5, 2, "two"), world.labelled(5, "production", None, 1)]).await; // 5, 6 at 03:00
    world.append(vec![world.labelled(5, "production", Some(1), 2)]).await; // 7 at 04:00
    world
}

fn tag(id: VersionId) -> String {
    format!("\"{id}\"")
}

#[tokio::test]
async fn a_prompt_is_found_by_key_and_by_id_and_says_what_it_is_as_of() {
    let world = greeting().await;
    for name in ["team%2Fgreeting".to_owned(), prompt(5).to_string()] {
        let answer = world.get(&format!("/v1/prompts/{name}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!((&answer.json["text"], &answer.json["key"]), (&"two".into(), &"team/greeting".into()));
        assert_eq!((&answer.json["version"]["number"], &answer.json["versions"]), (&2.into(), &2.into()));
        assert_eq!(answer.json["labels"], serde_json::json!({"production": 2}));
        assert_eq!(answer.header("etag"), tag(version(5, 2)));
        assert!(answer.header("promptory-position").ends_with("-7"), "{answer:?}");
    }
}

#[tokio::test]
async fn label_and_number_choose_the_version_and_time_chooses_where_the_label_pointed() {
    let world = greeting().await;
    let text = async |query: &str| {
        let answer = world.get(&format!("/v1/prompts/team%2Fgreeting?{query}")).await;
        answer.json["text"].as_str().map(str::to_owned).unwrap_or_else(|| answer.code().to_owned())
    };
    assert_eq!(text("label=production").await, "two");
    assert_eq!(text("version=1").await, "one");
    assert_eq!(text("as_of=4").await, "one");
    assert_eq!(text("label=production&as_of=6").await, "one");
    assert_eq!(text("label=production&as_of=2026-01-01T03:30:00Z&clock=recorded").await, "one");
    assert_eq!(text("label=production&as_of=2026-01-01T05:30:00+01:00").await, "two", "an unescaped plus");
    assert_eq!(text("label=production&as_of=4").await, "label-not-found");
    assert_eq!(text("version=9").await, "version-not-found");
    assert_eq!(text("as_of=2").await, "prompt-not-found");
    assert_eq!(text("as_of=99").await, "index-beyond-end");
}

#[tokio::test]
async fn claimed_times_and_recorded_times_are_two_clocks() {
    let mut world = World::new().await;
    world.append_as_of(Some(at("2020-05-03T12:00:00Z")), world.created(5, "old", "imported")).await;
    let found = async |query: &str| world.get(&format!("/v1/prompts/old?{query}")).await;
    let answer = found("as_of=2020-05-03T12:00:00Z").await;
    assert_eq!((&answer.json["text"], &answer.json["basis"]), (&"imported".into(), &"claimed".into()));
    assert_eq!(found("as_of=2020-05-03T12:00:00Z&clock=recorded").await.code(), "prompt-not-found");
}

#[tokio::test]
async fn a_version_that_the_client_holds_is_not_sent_again() {
    let world = greeting().await;
    let uri = world.caught_up("/v1/prompts/team%2Fgreeting?label=production").await;
    let held = |tags: &str| world.request(&uri).header("if-none-match", tags);
    let own = tag(version(5, 2));
    for tags in [own.clone(), "*".into(), format!("\"x\", W/{own}")] {
        let answer = world.send(held(&tags)).await;
        assert_eq!((answer.status.as_u16(), answer.bytes.len()), (304, 0), "{tags}");
        assert_eq!(answer.header("etag"), own);
        assert!(answer.header("promptory-position").ends_with("-7"));
    }
    assert_eq!(world.send(held(&tag(version(5, 1)))).await.status, 200);
}

#[tokio::test]
async fn asking_again_shares_one_rendered_body() {
    let world = greeting().await;
    let uri = "/v1/prompts/team%2Fgreeting?label=production";
    let cold = world.get(uri).await;
    let (first, second) = (world.get(uri).await, world.get(uri).await);
    assert_eq!(first.bytes.as_ptr(), second.bytes.as_ptr(), "not even copied");
    assert_eq!((first.bytes, first.headers), (cold.bytes, cold.headers), "and the same as the cold answer");
}
