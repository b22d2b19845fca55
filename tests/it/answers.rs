//! What a caller gets: bytes kept exactly, conditions, pages at one index, reads of one's own writes.

use promptory_tests::client::segment;
use promptory_tests::{Client, World};
use serde_json::{Value, json};

fn created(client: &Client, body: &Value) -> String {
    let answer = client.post("/v1/prompts", body).expect(201);
    answer.json["position"].as_str().unwrap().to_owned()
}

#[test]
fn text_comes_back_byte_for_byte() {
    let (world, big) = (World::new(), "é".repeat(256 * 1024));
    let client = world.acme();
    let texts = ["", "a\r\nb\r", "\u{feff}bom", "nul\0nul", "下棋 🎲 \u{2028}", "{{var}} \\u0041 \"q\"", big.as_str()];
    for (n, text) in texts.into_iter().enumerate() {
        let key = format!("k{n}");
        let position = created(&client, &json!({"key": key, "text": text}));
        let answer = client.prompt(&key, &format!("at_least={position}")).expect(200);
        assert!(answer.json["text"].as_str() == Some(text), "text {n} changed");
    }
}

#[test]
fn every_legal_key_can_be_asked_for() {
    let world = World::new();
    let client = world.acme();
    for key in ["a/b", "a//b", "/", " ", "a b", "a%2Fb", "a%", "?&=#", "下棋", "a+b", "..", "a\\b", "\"q\"", "ends/"]
    {
        let position = created(&client, &json!({"key": key, "text": key}));
        let answer = client.prompt(key, &format!("at_least={position}")).expect(200);
        assert_eq!((answer.json["key"].as_str(), answer.json["text"].as_str()), (Some(key), Some(key)));
        let id = answer.json["id"].as_str().unwrap();
        assert_eq!(client.prompt(id, "").expect(200).json["key"], key, "by id");
    }
}

#[test]
fn a_chat_prompt_comes_back_as_messages() {
    let world = World::new();
    let client = world.acme();
    let messages = json!([{"role": "system", "content": "be kind\r\n"}, {"role": "user", "content": ""}]);
    let body = json!({"key": "chat", "messages": messages, "config": {"model": "m", "temperature": 0.5},
        "metadata": {"title": "Chat"}, "tags": ["b", "a"], "labels": ["production"], "message": "first"});
    let position = created(&client, &body);
    let answer = client.prompt("chat", &format!("label=production&at_least={position}")).expect(200);
    assert_eq!(answer.json["messages"], messages);
    assert_eq!(answer.json["config"], json!({"model": "m", "temperature": 0.5}));
    assert_eq!(answer.json["metadata"], json!({"title": "Chat"}));
    assert_eq!((&answer.json["kind"], &answer.json["tags"]), (&json!("chat"), &json!(["a", "b"])));
    assert_eq!(answer.json["version"]["message"], "first");
    let refused = client.post("/v1/prompts/chat/versions", &json!({"text": "no"}));
    assert_eq!((refused.status, refused.code()), (409, "kind-mismatch"));
}

#[test]
fn conditions_on_reads_and_writes() {
    let world = World::new();
    let client = world.acme();
    let position = created(&client, &json!({"key": "a", "text": "one"}));
    let first = client.prompt("a", &format!("at_least={position}")).expect(200);
    let etag = first.header("etag").to_owned();
    let path = "/v1/prompts/a";
    for tag in [etag.as_str(), "*", &format!("\"x\", W/{etag}")] {
        let unchanged = client.send("GET", path, &[("if-none-match", tag)], None);
        assert_eq!((unchanged.status, unchanged.header("etag")), (304, etag.as_str()));
    }
    let two = json!({"text": "two"});
    let versions = "/v1/prompts/a/versions";
    let _ = client.send("POST", versions, &[("if-match", &etag)], Some(&two)).expect(201);
    let refused = client.send("POST", versions, &[("if-match", &etag)], Some(&two));
    assert_eq!((refused.status, refused.code()), (412, "precondition-failed"));
    assert_ne!(refused.json["current"], Value::Null);
}

#[test]
fn labels_resolve_and_tell_their_history() {
    let world = World::new();
    let client = world.acme();
    created(&client, &json!({"key": "a", "text": "one", "labels": ["production"]}));
    for text in ["two", "three"] {
        let _ = client.post("/v1/prompts/a/versions", &json!({"text": text})).expect(201);
    }
    world.clock.advance_ms(60_000);
    let before_move = world.clock.now();
    world.clock.advance_ms(60_000);
    let _ = client.put("/v1/prompts/a/labels/production", &json!({"version": 3, "message": "ship it"})).expect(200);
    let removed = client.send("DELETE", "/v1/prompts/a/labels/production", &[], None).expect(200);
    client.wait_for(removed.json["position"].as_str().unwrap());
    assert_eq!(client.prompt("a", "").expect(200).json["text"], "three", "latest");
    assert_eq!(client.prompt("a", "version=2").expect(200).json["text"], "two");
    assert_eq!(client.prompt("a", "label=production").code(), "label-not-found");
    let then = client.prompt("a", &format!("label=production&as_of={before_move}")).expect(200);
    assert_eq!(then.json["text"], "one", "what was production then");
    let moves = client.get("/v1/prompts/a/labels/production/history").expect(200).json["moves"].clone();
    let moves: Vec<_> = moves.as_array().unwrap().iter().map(|m| (m["before"].clone(), m["after"].clone())).collect();
    assert_eq!(moves, [(json!(null), json!(1)), (json!(1), json!(3)), (json!(3), json!(null))]);
}

#[test]
fn a_list_is_of_one_moment_however_long_its_pages_take() {
    let world = World::new();
    let client = world.acme();
    let commands: Vec<Value> =
        (0..25).map(|n| json!({"type": "create_prompt", "key": format!("p/{n:02}"), "text": "x"})).collect();
    let last = client.commands(&commands).pop().unwrap();
    client.wait_for(last["position"].as_str().unwrap());
    let first = client.get("/v1/prompts?prefix=p/&limit=10").expect(200);
    // In between some go, some come, some are renamed.
    let later = client.commands(&[
        json!({"type": "archive_prompt", "prompt": "p/15"}),
        json!({"type": "create_prompt", "key": "p/155", "text": "x"}),
        json!({"type": "rename_prompt", "prompt": "p/16", "to": "q/16"}),
    ]);
    client.wait_for(later[2]["position"].as_str().unwrap());
    let mut keys: Vec<Value> = Vec::new();
    let mut page = first;
    loop {
        keys.extend(page.json["prompts"].as_array().unwrap().iter().map(|p| p["key"].clone()));
        let Some(cursor) = page.json["next_cursor"].as_str() else { break };
        page = client.get(&format!("/v1/prompts?prefix=p/&limit=10&cursor={cursor}")).expect(200);
    }
    assert_eq!(keys, (0..25).map(|n| json!(format!("p/{n:02}"))).collect::<Vec<_>>());
    let now = client.get("/v1/prompts?prefix=p/&limit=1000").expect(200);
    assert_eq!(now.json["prompts"].as_array().unwrap().len(), 24);
}

#[test]
fn versions_are_listed_newest_first_with_who_and_why() {
    let world = World::new();
    let client = world.acme();
    created(
        &client,
        &json!({"key": "a", "text": "1", "message": "because", "occurred_at": "2023-05-03T14:00:00Z",
        "author": "0507fc8c4eba"}),
    );
    let mut last = String::new();
    for n in 2..=5 {
        let answer = client.post("/v1/prompts/a/versions", &json!({"text": n.to_string()})).expect(201);
        last = answer.json["position"].as_str().unwrap().to_owned();
    }
    client.wait_for(&last);
    let page = client.get("/v1/prompts/a/versions?limit=4").expect(200);
    let numbers: Vec<_> = page.json["versions"].as_array().unwrap().iter().map(|v| v["number"].clone()).collect();
    assert_eq!(numbers, [5, 4, 3, 2]);
    let cursor = page.json["next_cursor"].as_str().unwrap();
    let rest = client.get(&format!("/v1/prompts/a/versions?limit=4&cursor={cursor}")).expect(200);
    let first = &rest.json["versions"][0];
    assert_eq!(
        (&first["number"], &first["message"], &first["author"]),
        (&json!(1), &json!("because"), &json!("0507fc8c4eba"))
    );
    assert_eq!(first["occurred_at"], "2023-05-03T14:00:00Z");
    assert_eq!(rest.json["next_cursor"], Value::Null);
    assert_eq!(client.prompt("a", "as_of=2024-01-01T00:00:00Z").expect(200).json["basis"], "claimed");
}

#[test]
fn a_write_is_read_on_the_position_it_answered_and_a_far_one_is_not_waited_for_for_ever() {
    let world = World::new();
    let client = world.acme();
    for n in 0..50 {
        let position = created(&client, &json!({"key": format!("k{n}"), "text": "x"}));
        let answer = client.prompt(&format!("k{n}"), &format!("at_least={position}")).expect(200);
        assert!(answer.header("promptory-position") >= position.as_str());
    }
    let (incarnation, _) = client.get("/v1/status").json["position"]
        .as_str()
        .unwrap()
        .rsplit_once('-')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let behind = client.send("GET", &format!("/v1/status?at_least={incarnation}-999999"), &[], None);
    assert_eq!((behind.status, behind.code(), behind.header("retry-after")), (504, "behind", "1"));
    let other = client.get("/v1/status?at_least=0000000000000000-1");
    assert_eq!(other.code(), "other-incarnation");
}

#[test]
fn a_repeat_over_http_says_that_it_is_one() {
    let world = World::new();
    let client = world.acme();
    let body = json!({"key": "a", "text": "one"});
    let first = client.send("POST", "/v1/prompts", &[("idempotency-key", "k")], Some(&body)).expect(201);
    let again = client.send("POST", "/v1/prompts", &[("idempotency-key", "k")], Some(&body)).expect(201);
    assert_eq!(first.json, again.json);
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    let key =
        client.send("POST", "/v1/keys", &[("idempotency-key", "k2")], Some(&json!({"role": "viewer"}))).expect(201);
    assert!(key.json["key"].as_str().unwrap().starts_with("pk_acme_"));
    let key =
        client.send("POST", "/v1/keys", &[("idempotency-key", "k2")], Some(&json!({"role": "viewer"}))).expect(201);
    assert_eq!((&key.json["already_created"], key.json.get("key")), (&json!(true), None), "a secret is shown once");
}

#[test]
fn archived_prompts_are_there_by_id_and_in_the_past() {
    let world = World::new();
    let client = world.acme();
    created(&client, &json!({"key": "a", "text": "one"}));
    let archived = client.post("/v1/prompts/a/archive", &json!({})).expect(200);
    client.wait_for(archived.json["position"].as_str().unwrap());
    let id = archived.json["prompt"].as_str().unwrap();
    assert_eq!(client.prompt("a", "").code(), "prompt-not-found");
    assert_eq!(client.prompt(id, "").expect(200).json["archived"], true);
    let restored = client.post(&format!("/v1/prompts/{id}/restore"), &json!({"key": "b"})).expect(200);
    client.wait_for(restored.json["position"].as_str().unwrap());
    assert_eq!(client.prompt("b", "").expect(200).json["id"], *id);
    let index = archived.json["events"][0]["index"].as_u64().unwrap() - 1;
    assert_eq!(client.get(&format!("/v1/prompts/{}?as_of={index}", segment("a"))).expect(200).json["text"], "one");
}

#[test]
fn tenants_and_roles_keep_apart_what_they_should() {
    let world = World::new();
    let (acme, beta) = (world.acme(), world.owner_of("beta"));
    let position = created(&acme, &json!({"key": "same", "text": "acme's"}));
    created(&beta, &json!({"key": "same", "text": "beta's"}));
    assert_eq!(acme.prompt("same", &format!("at_least={position}")).json["text"], "acme's");
    let viewer = acme.post("/v1/keys", &json!({"role": "viewer"})).expect(201);
    acme.wait_for(viewer.json["position"].as_str().unwrap());
    let reader = acme.with_key(viewer.json["key"].as_str().unwrap());
    assert_eq!(reader.prompt("same", "").expect(200).json["text"], "acme's");
    assert_eq!(reader.post("/v1/prompts", &json!({"key": "x", "text": ""})).code(), "forbidden");
    let revoked = acme.send("DELETE", &format!("/v1/keys/{}", viewer.json["key_id"].as_str().unwrap()), &[], None);
    acme.wait_for(revoked.json["position"].as_str().unwrap());
    assert_eq!(reader.prompt("same", "").code(), "unauthenticated");
    let operator = world.operator();
    let _ = operator.post("/v1/tenants/acme/suspend", &json!({})).expect(200);
    assert_eq!(acme.post("/v1/prompts", &json!({"key": "y", "text": ""})).code(), "tenant-suspended");
    let resumed = operator.post("/v1/tenants/acme/resume", &json!({})).expect(200);
    operator.wait_for(resumed.json["position"].as_str().unwrap());
    let _ = acme.prompt("same", "").expect(200);
}
