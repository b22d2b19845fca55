//! Searching over HTTP: what is found, by whom, how far the index is, and pages.

use promptory_tests::{Client, World};
use serde_json::{Value, json};

fn create(client: &Client, body: &Value) -> String {
    client.post("/v1/prompts", body).expect(201).json["position"].as_str().unwrap().to_owned()
}

fn search(client: &Client, query: &str) -> Value {
    client.get(&format!("/v1/search?{query}")).expect(200).json
}

fn keys(found: &Value) -> Vec<&str> {
    found["hits"].as_array().unwrap().iter().map(|hit| hit["key"].as_str().unwrap()).collect()
}

#[test]
fn what_is_written_is_found_once_it_is_asked_for_with_its_position() {
    let world = World::new();
    let client = world.acme();
    let messages =
        json!([{"role": "system", "content": "Review <b>pull</b> requests."}, {"role": "user", "content": "{{diff}}"}]);
    let body = json!({"key": "dev/review", "messages": messages, "tags": ["code"], "config": {"model": "gpt-5"},
        "metadata": {"title": "Code Reviewer"}, "labels": ["production"]});
    let _ = create(&client, &body);
    let position = create(&client, &json!({"key": "team/pulling", "text": "Pull the rope."}));
    let answer = client.get(&format!("/v1/search?q=pull&facets=true&at_least={position}")).expect(200);
    assert_eq!(answer.header("promptory-position"), position);
    let found = answer.json;
    assert_eq!((keys(&found), &found["total"]), (vec!["team/pulling", "dev/review"], &json!(2)));
    let hit = &found["hits"][1];
    assert_eq!(
        (&hit["title"], &hit["model"], &hit["labels"]),
        (&json!("Code Reviewer"), &json!("gpt-5"), &json!(["latest", "production"]))
    );
    assert_eq!(
        hit["snippet"],
        json!([{"text": "Review <b>"}, {"text": "pull", "hit": true}, {"text": "</b> requests.\n{{diff}}"}])
    );
    assert_eq!(found["facets"]["folders"], json!([{"value": "dev/", "count": 1}, {"value": "team/", "count": 1}]));
    assert_eq!(found["facets"]["models"], json!([{"value": "gpt-5", "count": 1}]));
    for (query, expected) in [
        ("q=pull&tag=code", vec!["dev/review"]),
        ("q=pull&folder=team/", vec!["team/pulling"]),
        ("q=pull&model=gpt-5", vec!["dev/review"]),
        ("q=pull&label=production", vec!["dev/review"]),
        ("q=pull&labelled=production", vec!["dev/review"]),
        ("q=pull&updated_from=2200-01-01T00:00:00Z", vec![]),
        ("sort=key", vec!["dev/review", "team/pulling"]),
        ("q=reveiwer", vec!["dev/review"]),
        ("q=%22code%20reviewer%22", vec!["dev/review"]),
    ] {
        assert_eq!(keys(&search(&client, query)), expected, "{query}");
    }
    let suggested = client.get("/v1/suggest?q=re").expect(200).json;
    assert_eq!(suggested["prompts"][0]["key"], "dev/review");
    assert_eq!(
        suggested["words"],
        json!([{"value": "requests", "count": 1}, {"value": "review", "count": 1}, {"value": "reviewer", "count": 1}])
    );
}

#[test]
fn who_reads_a_part_finds_that_part_and_no_other_tenant_anything() {
    let world = World::new();
    let (owner, other) = (world.acme(), world.owner_of("other"));
    let _ = create(&owner, &json!({"key": "open/a", "text": "secret words"}));
    let _ = create(&owner, &json!({"key": "closed/a", "text": "secret words here"}));
    let issued = owner.post("/v1/keys", &json!({"role": "viewer", "prefix": "open/"})).expect(201).json;
    let viewer = owner.with_key(issued["key"].as_str().unwrap());
    let position = issued["position"].as_str().unwrap();
    let found = search(&viewer, &format!("q=secret&facets=true&at_least={position}"));
    assert_eq!((keys(&found), &found["total"]), (vec!["open/a"], &json!(1)));
    assert_eq!(search(&owner, "q=secret")["total"], 2);
    let position = create(&other, &json!({"key": "open/a", "text": "other words"}));
    assert_eq!(search(&other, &format!("q=secret&at_least={position}"))["total"], 0);
    assert_eq!(keys(&search(&other, "q=words")), ["open/a"]);
}

#[test]
fn bad_searches_are_refused_with_the_place_and_old_pages_are_gone() {
    let mut world = World::new();
    let client = world.acme();
    let mut position = String::new();
    for n in 0..3 {
        position = create(&client, &json!({"key": format!("k{n}"), "text": "equal"}));
    }
    let refused = client.get("/v1/search?q=%C3%BCn%20%22open");
    assert_eq!((refused.status, refused.code(), &refused.json["position"]), (400, "invalid-field", &json!(3)));
    for bad in ["limit=0", "limit=101", "sort=best", "folder=x", "updated_from=noon", "x=1", "cursor=AAAA"] {
        let refused = client.get(&format!("/v1/search?{bad}"));
        assert_eq!((refused.status, refused.code()), (400, "invalid-field"), "{bad}");
    }
    let first = search(&client, &format!("q=equal&limit=2&at_least={position}"));
    assert_eq!(first["total"], 3);
    let cursor = first["next_cursor"].as_str().unwrap().to_owned();
    let second = search(&client, &format!("q=equal&limit=2&cursor={cursor}"));
    assert_eq!((second["hits"].as_array().unwrap().len(), &second["next_cursor"]), (1, &Value::Null));
    assert_eq!(client.get(&format!("/v1/search?q=other&cursor={cursor}")).status, 400, "another query");
    let list = client.get("/v1/prompts?limit=1").expect(200).json["next_cursor"].as_str().unwrap().to_owned();
    assert_eq!(client.get(&format!("/v1/search?cursor={list}")).status, 400, "another list's cursor");
    world.restart(|_| {});
    let gone = world.acme().get(&format!("/v1/search?q=equal&limit=2&cursor={cursor}"));
    assert_eq!((gone.status, gone.code()), (410, "cursor-expired"));
    assert_eq!(search(&world.acme(), "q=equal")["total"], 3, "the index is there again");
}
