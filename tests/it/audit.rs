//! The audit over HTTP: what was done and what was denied, by one filter, in pages that end at one event.

use promptory_tests::client::{patiently, segment};
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
    // Up to there: reading it is recorded above.
    let there = at_least.rsplit_once('-').unwrap().1;
    let asked = format!("/v1/audit?limit=1000&to={there}");
    let before = owner.get(&format!("{asked}&at_least={at_least}")).expect(200).json["records"].clone();
    assert_eq!(before.as_array().unwrap().len() as u64, there.parse::<u64>().unwrap() + 1);
    world.restart(|data| {
        let views = std::fs::read_dir(data.join("models/acme")).unwrap().map(|entry| entry.unwrap());
        let audit: Vec<_> = views.filter(|view| view.file_name().to_str().unwrap().starts_with("audit-")).collect();
        assert_eq!(audit.len(), 1);
        std::fs::remove_dir_all(audit[0].path()).unwrap();
    });
    let owner = world.acme();
    assert_eq!(owner.get(&asked).expect(200).json["records"], before);
}

/// An export as it came, and its content type.
fn exported(reader: &Client, query: &str) -> (String, String) {
    let path = format!("/v1/audit/export?{query}");
    let (answer, text) = patiently(|| reader.exchange("GET", &path, &[], None).unwrap());
    assert_eq!(answer.status, 200, "{text}");
    (text, answer.header("content-type").to_owned())
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_export_has_what_the_listing_has_in_three_forms_and_is_recorded_before_it_begins() {
    let world = World::new();
    let owner = world.acme();
    let (auditor, who) = caller(&owner, &json!({"role": "auditor"}));
    // More than one page of an export, and messages that a spreadsheet could take for something else.
    let commands: Vec<Value> = (0..600)
        .map(|n| json!({"type": "create_prompt", "key": format!("team/{n}"), "text": "x", "message": "=1+1, \"quoted\"\nand \u{4e0b}"}))
        .collect();
    for commands in commands.chunks(200) {
        let done = owner.post("/v1/commands", &json!({ "commands": commands })).expect(200).json;
        let results = done["results"].as_array().unwrap();
        owner.wait_for(results.last().unwrap()["position"].as_str().unwrap());
    }
    let end = auditor.get("/v1/status").expect(200).json["position"].as_str().unwrap().to_owned();

    let (text, kind) = exported(&auditor, &format!("format=ndjson&at_least={end}"));
    assert_eq!(kind, "application/x-ndjson");
    let records = lines(&text);
    assert!(records.len() > 1200, "{}", records.len());
    let indexes: Vec<u64> = records.iter().map(|record| record["index"].as_u64().unwrap()).collect();
    assert!(indexes.iter().zip(0..).all(|(index, n)| *index == n), "every event, oldest first");

    // Recorded before the first byte left: later readings see it, and each other.
    let _ = listed(&auditor, &format!("actor={who}"));
    caught_up(&owner);
    let recorded = listed(&auditor, &format!("actor={who}"));
    let recorded: Vec<_> = recorded.iter().map(|record| (&record["action"], &record["detail"]["form"])).collect();
    assert!(recorded.contains(&(&json!("audit.exported"), &json!("ndjson"))), "{recorded:?}");
    assert!(recorded.contains(&(&json!("audit.read"), &json!("list"))), "the listing, too: {recorded:?}");

    let (text, kind) = exported(&auditor, "format=csv&action=version.added&prefix=team/");
    assert!(kind.starts_with("text/csv"), "{kind}");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let at = |name: &str| names.iter().position(|known| known == name).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 600);
    assert_eq!(&rows[7][at("key")], "team/7");
    assert_eq!(&rows[7][at("message")], "'=1+1, \"quoted\"\nand \u{4e0b}", "no formula, and otherwise as it was");

    let (text, _) = exported(&auditor, "format=ocsf&outcome=done");
    let events = lines(&text);
    assert!(events.len() > 1200);
    events.iter().for_each(is_entity_management);
    let mut ids: Vec<&str> = events.iter().map(|event| event["metadata"]["uid"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), events.len());

    assert_eq!(auditor.get("/v1/audit/export?format=xml").expect(400).json["field"], "format");
    let (viewer, _) = caller(&owner, &json!({"role": "viewer"}));
    assert_eq!(viewer.get("/v1/audit/export").expect(403).code(), "forbidden");
}

/// What OCSF 1.8.0 requires of a base event, of the class Entity Management, and of the objects in it.
fn is_entity_management(event: &Value) {
    for name in ["activity_id", "category_uid", "class_uid", "severity_id", "time", "type_uid"] {
        assert!(event[name].is_u64(), "{name}: {event}");
    }
    assert_eq!((&event["category_uid"], &event["class_uid"]), (&json!(3), &json!(3004)));
    let activity = event["activity_id"].as_u64().unwrap();
    assert_eq!(event["type_uid"], 3004 * 100 + activity);
    assert!((1..=13).contains(&activity), "{event}");
    assert!((1..=6).contains(&event["severity_id"].as_u64().unwrap()));
    assert!((1..=2).contains(&event["status_id"].as_u64().unwrap()));
    assert!(event["time"].as_u64().unwrap() > 1_500_000_000_000, "milliseconds: {event}");
    let metadata = &event["metadata"];
    assert_eq!(metadata["version"], "1.8.0");
    assert!(metadata["product"]["name"].is_string() && metadata["uid"].is_string(), "{event}");
    let one_of = |object: &Value, names: &[&str]| names.iter().any(|name| object[name].is_string());
    assert!(one_of(&event["actor"]["user"], &["uid", "name"]), "{event}");
    assert!(one_of(&event["entity"], &["uid", "name"]), "{event}");
}

#[test]
fn a_reading_is_in_the_ledger_with_its_filter_and_once_a_minute() {
    let world = World::new();
    let owner = world.acme();
    let (auditor, who) = caller(&owner, &json!({"role": "auditor"}));
    for _ in 0..5 {
        let _ = auditor.get("/v1/audit?outcome=denied&message=secret+words&limit=1").expect(200);
        let _ = auditor.get("/v1/audit/count?action=label.set").expect(200);
    }
    let readings = || {
        let events = owner.get("/v1/events?limit=1000").expect(200).json;
        let events = events["events"].as_array().unwrap().clone();
        let his = |event: &Value| event["type"] == "audit.read" && event["detail"]["principal"] == who;
        events.into_iter().filter(his).collect::<Vec<_>>()
    };
    caught_up(&owner);
    let recorded = readings();
    assert_eq!(recorded.len(), 2, "{recorded:?}");
    let detail = &recorded[0]["detail"];
    assert_eq!((&detail["principal"], &detail["form"]), (&json!(who), &json!("list")));
    assert_eq!(
        detail["filter"],
        json!({"message": true, "outcome": "denied"}),
        "what was looked for in messages stays away"
    );
    assert_eq!(recorded[1]["detail"]["filter"], json!({"action": "label.set"}));
    world.clock.advance_ms(60_000);
    let _ = auditor.get("/v1/audit/count?action=label.set").expect(200);
    caught_up(&owner);
    assert_eq!(readings().len(), 3, "in the next minute once more");
    let count = auditor.get(&format!("/v1/audit/count?action=audit.read&actor={who}")).expect(200).json;
    assert_eq!(count["count"], 3, "no reading shows its own record");
}

#[test]
fn the_read_models_are_proven_to_be_what_the_ledger_says_while_the_server_runs() {
    let world = World::new();
    let owner = world.acme();
    for n in 0..20 {
        let _ = owner.post("/v1/prompts", &json!({"key": format!("team/{n}"), "text": "x"})).expect(201);
    }
    caught_up(&owner);
    let (viewer, _) = caller(&owner, &json!({"role": "viewer", "prefix": "team/"}));
    assert_eq!(viewer.get("/v1/models").expect(403).code(), "forbidden");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, &owner.key).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let models = runtime.block_on(promptory::verify::models::run(owner.url, file)).unwrap();
    let said = models.json();
    assert!(models.hold(), "{said}");
    let views: Vec<_> = said["models"].as_array().unwrap().iter().map(|model| &model["view"]).collect();
    assert_eq!(views, ["catalog", "audit"]);
}
