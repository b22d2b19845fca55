//! The languages that a tenant is searched in, over HTTP: set by whoever may, told now and as of then, and searched in once the
//! index is built in them.

use promptory_tests::{Client, World};
use serde_json::{Value, json};

const PATH: &str = "/v1/settings/search";

fn keys(client: &Client, query: &str, at_least: &str) -> Vec<String> {
    let found = client.get(&format!("/v1/search?q={query}&sort=key&at_least={at_least}")).expect(200).json;
    found["hits"].as_array().unwrap().iter().map(|hit| hit["key"].as_str().unwrap().to_owned()).collect()
}

fn set(client: &Client, languages: &Value) -> String {
    let answer = client.put(PATH, &json!({"languages": languages, "message": "as we write"})).expect(200).json;
    assert_eq!(answer["events"][0]["type"], "search.configured");
    answer["position"].as_str().unwrap().to_owned()
}

#[test]
fn german_prompts_are_found_by_another_ending_once_german_is_set_and_not_after_it_is_set_back() {
    let mut world = World::new();
    let client = world.acme();
    let fresh = client.get(PATH).expect(200).json;
    assert_eq!(fresh["languages"], json!(["en"]));
    for (key, text) in [("a", "Beschreibe die Häuser am Hang."), ("b", "Describe the houses."), ("c", "写一篇报告")]
    {
        let _ = client.post("/v1/prompts", &json!({"key": key, "text": text})).expect(201);
    }
    let english = set(&client, &json!(["de", "en"]));
    assert_eq!(keys(&client, "haus%20", &english), ["a"]);
    assert_eq!(keys(&client, "house", &english), ["b"], "in both");
    let german = set(&client, &json!(["de"]));
    let found = client.get(&format!("/v1/search?q=haus%20&at_least={german}")).expect(200).json;
    assert_eq!(found["hits"][0]["snippet"][1], json!({"text": "Häuser", "hit": true}));
    assert_eq!(keys(&client, "\"die%20h%C3%A4user\"".replace('"', "%22").as_str(), &german), ["a"]);
    assert_eq!(keys(&client, "H%C3%A4us*", &german), ["a"], "the beginning of a word as it is written");
    assert_eq!(keys(&client, "%E6%8A%A5%E5%91%8A", &german), ["c"], "scripts without spaces are found in any language");
    let unchanged = client.put(PATH, &json!({"languages": ["de"]})).expect(200).json;
    assert_eq!(unchanged["events"], json!([]));
    let back = set(&client, &json!(["en"]));
    assert_eq!(keys(&client, "haus%20", &back), Vec::<String>::new());
    assert_eq!(keys(&client, "house", &back), ["b"]);
    let index = german.rsplit_once('-').unwrap().1;
    let then = client.get(&format!("{PATH}?as_of={index}")).expect(200).json;
    assert_eq!((&then["languages"], &then["position"]), (&json!(["de"]), &json!(german)));
    // The setting is in the catalog, the index is made from it: after a rebuild and a restart it is the same.
    let none = set(&client, &json!([]));
    world.restart(|data| std::fs::remove_dir_all(data.join("models")).unwrap());
    let client = world.acme();
    assert_eq!(client.get(&format!("{PATH}?at_least={none}")).expect(200).json["languages"], json!([]));
    assert_eq!(keys(&client, "describing", &none), Vec::<String>::new());
    assert_eq!(keys(&client, "describe", &none), ["b"]);
}

#[test]
fn who_may_not_manage_settings_sets_no_language_and_what_is_none_is_refused() {
    let world = World::new();
    let owner = world.acme();
    let key = |role: &str| {
        let issued = owner.post("/v1/keys", &json!({"role": role})).expect(201).json;
        owner.wait_for(issued["position"].as_str().unwrap());
        owner.with_key(issued["key"].as_str().unwrap())
    };
    let french = json!({"languages": ["fr"]});
    assert_eq!(key("editor").put(PATH, &french).expect(403).code(), "forbidden");
    let admin = key("admin");
    let position = set(&admin, &json!(["fr"]));
    let seen = key("viewer").get(&format!("{PATH}?at_least={position}")).expect(200).json;
    assert_eq!(seen["languages"], json!(["fr"]));
    for (body, field) in [
        (json!({"languages": ["xx"]}), "/languages"),
        (json!({"languages": ["en", "de", "fr", "es", "it"]}), "/languages"),
        (json!({"languages": "de"}), ""),
        (json!({}), ""),
    ] {
        let refused = owner.put(PATH, &body).expect(400);
        assert_eq!(refused.code(), "invalid-field", "{body}");
        assert!(field.is_empty() || refused.json["field"] == field, "{}", refused.json);
    }
    assert_eq!(world.operator().put(PATH, &french).expect(422).code(), "not-in-this-ledger");
    // It is told what was before, and who did it.
    let records = owner.get("/v1/audit?action=search.configured").expect(200).json;
    assert_eq!(records["records"][0]["targets"], json!(["setting:search"]));
    let index = position.rsplit_once('-').unwrap().1;
    let event = owner.get(&format!("/v1/events?from={index}&limit=1")).expect(200).json;
    assert_eq!(event["events"][0]["detail"], json!({"before": ["en"], "after": ["fr"]}));
}
