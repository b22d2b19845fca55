//! Denied attempts, of commands and of questions: recorded before the refusal is told, counted when they come again, readable
//! by auditors, bounded, and lawful.

use promptory::backup::LedgerArgs;
use promptory::verify::{self, VerifyArgs};
use promptory_tests::client::segment;
use promptory_tests::{Client, World};
use serde_json::{Value, json};

fn caller(owner: &Client, body: &Value) -> (Client, String) {
    let issued = owner.post("/v1/keys", body).expect(201).json;
    owner.wait_for(issued["position"].as_str().unwrap());
    (owner.with_key(issued["key"].as_str().unwrap()), issued["principal"].as_str().unwrap().to_owned())
}

/// All events of a name that a caller sees, once the ledger is as far as it is now.
fn events(reader: &Client, name: &str) -> Vec<Value> {
    let (mut from, mut found) = (0, Vec::new());
    loop {
        let page = reader.get(&format!("/v1/events?from={from}&limit=1000")).expect(200).json;
        let events = page["events"].as_array().unwrap();
        found.extend(events.iter().filter(|event| event["type"] == name).cloned());
        match page["next"].as_u64().unwrap() {
            next if next == from => return found,
            next => from = next,
        }
    }
}

/// What was denied: action, target, door.
fn denied(reader: &Client) -> Vec<(String, String, String)> {
    let text =
        |event: &Value, field: &str| event["detail"][field].as_str().unwrap_or_else(|| panic!("{event}")).to_owned();
    let events = events(reader, "attempt.denied");
    events.iter().map(|event| (text(event, "action"), text(event, "target"), text(event, "door"))).collect()
}

fn caught_up(client: &Client, owner: &Client) {
    // A command that changes nothing says where the ledger stands.
    let created = owner.post("/v1/prompts", &json!({"key": format!("mark/{}", uuid()), "text": "x"})).expect(201).json;
    client.wait_for(created["position"].as_str().unwrap());
}

/// Something that was not there before.
fn uuid() -> String {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string()
}

#[test]
fn the_first_of_each_kind_a_minute_is_an_event_and_the_rest_a_count() {
    let mut world = World::new();
    let owner = world.acme();
    let hidden = owner.post("/v1/prompts", &json!({"key": "secret/a", "text": "x"})).expect(201).json;
    owner.wait_for(hidden["position"].as_str().unwrap());
    let (editor, principal) = caller(&owner, &json!({"role": "editor", "prefix": "team/"}));
    let (auditor, _) = caller(&owner, &json!({"role": "auditor"}));
    for _ in 0..5 {
        let _ = editor.post("/v1/prompts", &json!({"key": "secret/b", "text": "x"})).expect(403);
        let _ = editor.get(&format!("/v1/prompts/{}", segment("secret/a"))).expect(404);
        let _ = editor.get(&format!("/v1/prompts/{}", hidden["prompt"].as_str().unwrap())).expect(404);
    }
    let together = json!({"atomic": true, "commands": [
        {"type": "create_prompt", "key": "team/a", "text": "x"}, {"type": "create_prompt", "key": "other/a", "text": "x"}]});
    assert_eq!(editor.post("/v1/commands", &together).expect(403).json["command"], 1);
    // What is not there where it may read is no attempt.
    let _ = editor.get(&format!("/v1/prompts/{}", segment("team/nobody"))).expect(404);
    caught_up(&auditor, &owner);
    let kinds = |kinds: &[(&str, &str, &str)]| -> Vec<_> {
        kinds.iter().map(|(action, target, door)| (action.to_string(), target.to_string(), door.to_string())).collect()
    };
    let seen = denied(&auditor);
    let write = ("write-prompts", "secret/", "command");
    assert_eq!(seen, kinds(&[write, ("read", "secret/", "question"), ("write-prompts", "other/", "command")]));
    let first = events(&auditor, "attempt.denied").remove(0);
    assert_eq!(
        (&first["detail"]["principal"], &first["detail"]["minute"]),
        (&json!(principal), &json!("2026-05-03T12:00:00Z"))
    );
    assert!(denied(&editor).is_empty(), "who is no auditor sees none");

    // Another minute: the first is the first again, and an orderly end writes the counts of what came again.
    world.clock.advance_ms(60_000);
    let _ = editor.post("/v1/prompts", &json!({"key": "secret/b", "text": "x"})).expect(403);
    world.restart(|_| ());
    let owner = world.acme();
    let auditor = Client::new(&owner.url, &auditor.key);
    caught_up(&auditor, &owner);
    assert_eq!(denied(&auditor).len(), 4);
    let counted = events(&auditor, "attempts.counted");
    let times: u64 = counted
        .iter()
        .flat_map(|c| c["detail"]["again"].as_array().unwrap())
        .map(|a| a["times"].as_u64().unwrap())
        .sum();
    assert_eq!(times, 4 + 9, "four commands and nine questions came again: {counted:?}");
    lawful(&mut world);
}

#[test]
fn a_flood_of_kinds_stays_within_the_bound_and_is_counted() {
    let mut world = World::new();
    let owner = world.acme();
    let (viewer, _) = caller(&owner, &json!({"role": "viewer", "prefix": "team/"}));
    let commands: Vec<Value> =
        (0..300).map(|n| json!({"type": "create_prompt", "key": format!("x{n}/a"), "text": "x"})).collect();
    let results = viewer.commands(&commands);
    assert!(results.iter().all(|result| result["status"] == 403), "{results:?}");
    for n in 0..50 {
        let _ = viewer.get(&format!("/v1/prompts/{}", segment(&format!("y{n}/a")))).expect(404);
    }
    world.restart(|_| ());
    let owner = world.acme();
    caught_up(&owner, &owner);
    assert_eq!(denied(&owner).len(), 32);
    let counted = events(&owner, "attempts.counted");
    let all: u64 = counted
        .iter()
        .map(|counted| {
            let again: u64 =
                counted["detail"]["again"].as_array().unwrap().iter().map(|a| a["times"].as_u64().unwrap()).sum();
            again + counted["detail"]["others"].as_u64().unwrap()
        })
        .sum();
    assert_eq!(all, 350 - 32);
    assert!(counted.len() <= 2, "{counted:?}");
    lawful(&mut world);
}

#[test]
fn keys_that_open_nothing_are_counted_in_the_system_s_ledger_and_in_no_other() {
    let mut world = World::new();
    let owner = world.acme();
    let end = owner.get("/v1/events").expect(200).json["next"].clone();
    for key in ["", "pk_acme_0000000000000000_aaaa", "pk_nobody_0303030303030303_aaaa"] {
        assert_eq!(owner.with_key(key).get("/v1/prompts").status, 401);
        assert_eq!(owner.with_key(key).post("/v1/prompts", &json!({"key": "a", "text": "x"})).status, 401);
    }
    assert!(owner.text("/metrics").contains("promptory_unauthenticated_total"));
    world.restart(|_| ());
    assert_eq!(world.acme().get("/v1/events").expect(200).json["next"], end, "no event of acme");
    let counted = events(&world.operator(), "unauthenticated.counted");
    assert_eq!(counted.iter().map(|event| event["detail"]["times"].as_u64().unwrap()).sum::<u64>(), 6, "{counted:?}");
    lawful(&mut world);
}

/// Checks the law over what a node has written, which is stopped for it.
fn lawful(world: &mut World) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    world.restart(|data| {
        let place = LedgerArgs { data: Some(data.to_owned()), nats: None, root_key: None };
        let args = VerifyArgs { place, backup: None, against: None, keys: None, backup_key: None, rights: true };
        let report = runtime.block_on(verify::run(args)).unwrap();
        assert!(report.holds(), "{:#}", report.json());
    });
}
