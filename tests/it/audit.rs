//! The audit over HTTP: what was done and what was denied, by one filter, in pages that end at one event.

use promptory_tests::client::segment;
use promptory_tests::{Client, World};
use serde_json::{Value, json};

fn caller(owner: &Client, body: &Value) -> (Client, String) {
    let issued = owner.post("/v1/keys", body).expect(201).json;
    owner.wait_for(issued["position"].as_str().unwrap());
    (owner.with_key(issued["key"].as_str().unwrap()), issued["principal"].as_str().unwrap().to_owned())
}

/// What is in the ledger by now is in the audit.
fn caught_up(owner: &Client) {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let mark = owner.post("/v1/prompts", &json!({"key": format!("mark/{next}"), "text": "x"})).expect(201).json;
    let position = mark["position"].as_str().unwrap();
    let _ = owner.get(&format!("/v1/audit/count?at_least={position}")).expect(200);
}

/// All records that a filter means, page by page.
fn listed(reader: &Client, filter: &str) -> Vec<Value> {
    let (mut found, mut next) = (Vec::new(), String::new());
    loop {
        let page = reader.get(&format!("/v1/audit?{filter}&limit=3{next}")).expect(200).json;
        found.extend(page["records"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => return found,
        }
    }
}

fn actions(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["action"].as_str().unwrap()).collect()
}

#[test]
fn what_was_done_and_what_was_denied_is_found_by_one_filter() {
    let world = World::new();
    let owner = world.acme();
    let (editor, who) = caller(&owner, &json!({"role": "editor", "prefix": "team/"}));
    let (auditor, _) = caller(&owner, &json!({"role": "auditor"}));
    let body = json!({"key": "team/a", "text": "one", "message": "The first GREETING", "labels": ["production"]});
    let created = editor.post("/v1/prompts", &body).expect(201).json;
    let prompt = created["prompt"].as_str().unwrap();
    let _ = editor.post("/v1/prompts", &json!({"key": "secret/b", "text": "x"})).expect(403);
    let renamed = owner.put("/v1/prompts/team%2Fa/key", &json!({"to": "team/b"})).expect(200).json;
    let position = renamed["position"].as_str().unwrap();
    let _ = auditor.get(&format!("/v1/audit/count?at_least={position}")).expect(200);

    let done = listed(&auditor, &format!("actor={who}&outcome=done"));
    assert_eq!(actions(&done), ["label.set", "version.added", "prompt.created"], "newest first");
    assert_eq!((&done[0]["roles"], &done[0]["credential"]), (&json!(["editor"]), &json!("api-key")));
    assert_eq!((&done[0]["key"], &done[0]["message"]), (&json!("team/a"), &json!("The first GREETING")));
    assert_eq!(done[0]["targets"], json!([prompt, "label:production"]));
    let denied = listed(&auditor, &format!("actor={who}&outcome=denied"));
    assert_eq!(actions(&denied), ["attempt.denied"]);
    assert_eq!((&denied[0]["prefix"], &denied[0]["detail"]["action"]), (&json!("secret/"), &json!("write-prompts")));
    assert_eq!(actions(&listed(&auditor, &format!("target={prompt}"))).len(), 4);
    let renamed = listed(&auditor, "action=prompt.renamed&role=owner&prefix=team/a");
    assert_eq!((renamed.len(), &renamed[0]["key"], &renamed[0]["key_before"]), (1, &json!("team/b"), &json!("team/a")));
    assert_eq!(listed(&auditor, "message=greeting+first").len(), 3);
    let count = auditor.get("/v1/audit/count?message=greeting").expect(200).json;
    assert_eq!(count["count"], 3);

    // What is recorded after the first page is not in the later ones.
    let first = auditor.get("/v1/audit?limit=2").expect(200).json;
    let _ = editor.post("/v1/prompts", &json!({"key": "team/later", "text": "x"})).expect(201);
    let next = first["next_cursor"].as_str().unwrap();
    let second = auditor.get(&format!("/v1/audit?limit=1000&cursor={next}")).expect(200).json;
    assert_eq!(second["index"], first["index"]);
    assert_eq!(second["records"].as_array().unwrap().len() as u64, first["index"].as_u64().unwrap() + 1 - 2);
    let other = auditor.get(&format!("/v1/audit?outcome=denied&cursor={next}")).expect(400);
    assert_eq!((other.code(), &other.json["field"]), ("invalid-field", &json!("cursor")));
}

#[test]
fn the_audit_is_for_who_may_read_access_and_shows_each_what_is_theirs() {
    let world = World::new();
    let owner = world.acme();
    let (viewer, _) = caller(&owner, &json!({"role": "viewer"}));
    let (auditor, _) = caller(&owner, &json!({"role": "auditor", "prefix": "team/"}));
    for key in ["team/a", "secret/a"] {
        let _ = owner.post("/v1/prompts", &json!({"key": key, "text": "x"})).expect(201);
    }
    let here = owner.post("/v1/prompts", &json!({"key": "team/b", "text": "x"})).expect(201).json;
    auditor.wait_for(here["position"].as_str().unwrap());
    assert_eq!(viewer.get("/v1/audit").expect(403).code(), "forbidden");
    assert_eq!(viewer.get("/v1/audit/count").expect(403).code(), "forbidden");
    let at_least = here["position"].as_str().unwrap();
    let keys: Vec<_> = listed(&auditor, &format!("at_least={at_least}&action=prompt.created"));
    let keys: Vec<_> = keys.iter().map(|record| record["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["team/b", "team/a"], "nothing tells that there is more");
    // Nobody below a prefix learns of attempts elsewhere; the owner does.
    caught_up(&owner);
    let denied = listed(&owner, "outcome=denied");
    assert!(denied.iter().any(|record| record["detail"]["action"] == "read-access"), "{denied:?}");
    let bad = owner.get("/v1/audit?outcome=maybe").expect(400);
    assert_eq!((bad.code(), &bad.json["field"]), ("invalid-field", &json!("outcome")));
    let bad = owner.get(&format!("/v1/audit?target={}", segment("a\u{7}"))).expect(400);
    assert_eq!(bad.json["field"], "target");
    assert_eq!(owner.get("/v1/audit?since=yesterday").expect(400).json["field"], "since");
}

#[test]
fn the_audit_is_the_same_after_its_view_was_built_anew() {
    let mut world = World::new();
    let owner = world.acme();
    let body = json!({"key": "team/a", "text": "one", "message": "why"});
    let created = owner.post("/v1/prompts", &body).expect(201).json;
    let at_least = created["position"].as_str().unwrap();
    let before = owner.get(&format!("/v1/audit?limit=1000&at_least={at_least}")).expect(200).json;
    world.restart(|data| std::fs::remove_dir_all(data.join("models/acme/audit")).unwrap());
    let owner = world.acme();
    assert_eq!(owner.get("/v1/audit?limit=1000").expect(200).json, before);
}
