//! Many commands in one request that are done together or not at all, over HTTP.

use promptory_tests::World;
use serde_json::{Value, json};

fn named(key: &str) -> Value {
    json!({"type": "create_prompt", "key": key, "text": key})
}

#[test]
fn all_or_nothing_names_the_command_that_was_refused_and_is_done_once() {
    let world = World::new();
    let owner = world.acme();
    let version = json!({"type": "add_version", "prompt": "a", "text": "two", "labels": ["production"]});
    let label = |version: u32| json!({"type": "set_label", "prompt": "a", "label": "latest-good", "version": version});
    let before = owner.get("/v1/status").expect(200).json;
    let refused = json!({"atomic": true, "commands": [named("a"), version, label(3)]});
    let answer = owner.post("/v1/commands", &refused).expect(404);
    assert_eq!(
        (answer.code(), &answer.json["command"], &answer.json["newest"]),
        ("version-not-found", &2.into(), &2.into())
    );
    let unreadable = json!({"atomic": true, "commands": [named("a"), {"type": "fly"}]});
    let answer = owner.post("/v1/commands", &unreadable).expect(400);
    assert_eq!((answer.code(), &answer.json["command"]), ("invalid-field", &1.into()));
    assert_eq!(owner.get("/v1/status").expect(200).json, before, "nothing was written");

    let body = json!({"atomic": true, "commands": [named("a"), version, label(2)]});
    let key = [("idempotency-key", "all")];
    let done = owner.send("POST", "/v1/commands", &key, Some(&body)).expect(200);
    let results = done.json["results"].as_array().unwrap();
    let statuses: Vec<_> = results.iter().map(|result| result["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 201, 200]);
    let position = done.headers["promptory-position"].to_str().unwrap();
    assert_eq!(results[2]["position"], position);
    let prompt = owner.prompt("a", &format!("label=latest-good&at_least={position}")).expect(200);
    assert_eq!(prompt.json["version"]["number"], 2, "{}", prompt.json);

    let again = owner.send("POST", "/v1/commands", &key, Some(&body)).expect(200);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.json["results"][1]["version"], results[1]["version"]);
    let other = json!({"atomic": true, "commands": [named("a")]});
    assert_eq!(owner.send("POST", "/v1/commands", &key, Some(&other)).expect(409).code(), "idempotency-mismatch");
    let each = json!({"commands": [named("b")]});
    let answer = owner.send("POST", "/v1/commands", &key, Some(&each)).expect(400);
    assert_eq!(answer.json["field"], "Idempotency-Key");
}

#[test]
fn all_or_nothing_over_a_batch_is_too_large_and_says_the_sum_while_each_for_itself_is_split() {
    let world = World::new();
    let owner = world.acme();
    let text = |n: usize| format!("{n}{}", "x".repeat(511 * 1024));
    let commands: Vec<_> =
        (0..14).map(|n| json!({"type": "create_prompt", "key": format!("k{n}"), "text": text(n)})).collect();
    let answer = owner.post("/v1/commands", &json!({"atomic": true, "commands": commands})).expect(413);
    assert_eq!(answer.code(), "too-large");
    let (bytes, limit) = (answer.json["bytes"].as_u64().unwrap(), answer.json["limit"].as_u64().unwrap());
    assert!(limit == 6 * 1024 * 1024 && bytes > 14 * 511 * 1024, "{}", answer.json);
    let results = owner.commands(&commands);
    assert!(results.iter().all(|result| result["status"] == 201), "{results:?}");
}
