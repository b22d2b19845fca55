//! Rollouts over HTTP: who gets which version, that it stays so over restarts and new read models and in the past, what the
//! caches of clients see, protected labels, and the law over all of it.

use std::collections::BTreeMap;

use promptory_events::RolloutId;
use promptory_events::rollout::{Run, Table, bucket};
use promptory_tests::client::{Answer, segment};
use promptory_tests::{Client, World};
use serde_json::{Value, json};

use crate::rights::{caller, events, lawful};

const LABEL: &str = "/v1/prompts/team%2Fgreet/labels/production";

/// `team/greet` with three versions, `production` on the first.
fn given(owner: &Client) {
    let text = json!({"key": "team/greet", "text": "one", "labels": ["production"]});
    let _ = owner.post("/v1/prompts", &text).expect(201);
    for text in ["two", "three"] {
        let added = owner.post("/v1/prompts/team%2Fgreet/versions", &json!({ "text": text })).expect(201);
        owner.wait_for(added.json["position"].as_str().unwrap());
    }
}

fn arms(shares: &[(u32, u16)]) -> Value {
    json!({"arms": shares.iter().map(|(v, w)| json!({"version": v, "weight": w})).collect::<Vec<_>>()})
}

/// Does something to the rollout, and waits until it can be read.
fn step(client: &Client, name: &str, body: &Value) -> Value {
    let path = if name == "start" { format!("{LABEL}/rollout") } else { format!("{LABEL}/rollout/{name}") };
    let done = client.post(&path, body).expect(if name == "start" { 201 } else { 200 }).json;
    client.wait_for(done["position"].as_str().unwrap());
    done
}

fn resolve(client: &Client, key: &str, also: &str) -> Answer {
    client.prompt("team/greet", &format!("label=production&bucket_key={}{also}", segment(key))).expect(200)
}

fn number(answer: &Answer) -> u64 {
    answer.json["version"]["number"].as_u64().unwrap()
}

/// Which version each of some keys gets.
fn assigned(client: &Client, also: &str) -> Vec<u64> {
    (0..150).map(|n| number(&resolve(client, &format!("user-{n}"), also))).collect()
}

#[test]
fn a_key_gets_its_version_and_the_answer_says_which_and_why() {
    let world = World::new();
    let owner = world.acme();
    given(&owner);
    let before = owner.prompt("team/greet", "label=production&bucket_key=a").expect(200);
    assert_eq!((number(&before), before.header("promptory-rollout")), (1, ""), "no rollout");
    assert!(before.json.get("rollouts").is_none(), "a prompt without rollouts is as it was");
    let started = step(&owner, "start", &arms(&[(1, 5000), (2, 3000), (3, 2000)]));
    assert_eq!(events(&started), ["rollout.started"]);
    let id = started["rollout"].as_str().unwrap();
    // All that an SDK needs is in the answer, and it comes to the same.
    let shown = owner.prompt("team/greet", "label=production").expect(200);
    let (rollout, control) = (&shown.json["rollouts"]["production"], number(&shown));
    assert_eq!((&rollout["rollout"], &rollout["control"], &rollout["paused"]), (&id.into(), &1.into(), &false.into()));
    assert_eq!(
        (control, shown.header("promptory-arm"), shown.header("promptory-bucket")),
        (1, "1", ""),
        "without a key"
    );
    let runs: Vec<Run> = serde_json::from_value(rollout["table"].clone()).unwrap();
    let (table, rollout_id) = (Table::new(runs).unwrap(), id.parse::<RolloutId>().unwrap());
    let mut counts = BTreeMap::new();
    for n in 0..150 {
        let key = format!("user {n}/ü");
        let answer = resolve(&owner, &key, "");
        let bucket = bucket(rollout_id, &key);
        assert_eq!(number(&answer), u64::from(table.version(bucket)));
        assert_eq!(answer.header("promptory-rollout"), id);
        if n < 20 {
            let path = format!("/v1/prompts/team%2Fgreet/render?label=production&bucket_key={}", segment(&key));
            let rendered = owner.post(&path, &json!({"variables": {}})).expect(200);
            assert_eq!(
                (&rendered.json["text"], rendered.header("promptory-bucket")),
                (&answer.json["text"], &*bucket.to_string())
            );
        }
        assert_eq!(answer.header("promptory-bucket"), bucket.to_string());
        assert_eq!(answer.header("promptory-arm"), number(&answer).to_string());
        *counts.entry(number(&answer)).or_insert(0) += 1;
    }
    assert!(counts.len() == 3 && counts[&1] > counts[&3], "{counts:?}");
    let listed = owner.get("/v1/prompts").expect(200).json;
    assert_eq!(listed["prompts"][0]["rollouts"], shown.json["rollouts"]);
    for (query, code) in [
        ("label=production&bucket_key=", "invalid-field"),
        ("version=1&bucket_key=a", "invalid-field"),
        ("label=staging&bucket_key=a", "label-not-found"),
    ] {
        assert_eq!(owner.prompt("team/greet", query).code(), code, "{query}");
    }
    assert_eq!(number(&owner.prompt("team/greet", "bucket_key=a").expect(200)), 3, "`latest` is never split");
}

#[test]
fn a_client_s_cache_goes_by_the_version_that_its_key_gets() {
    let world = World::new();
    let owner = world.acme();
    given(&owner);
    let plain = owner.prompt("team/greet", "label=production").expect(200);
    step(&owner, "start", &arms(&[(1, 5000), (2, 5000)]));
    let all = assigned(&owner, "");
    let of = |version| format!("user-{}", all.iter().position(|got| *got == version).unwrap());
    let (one, two) = (of(1), of(2));
    let held = |key: &str, etag: &str| {
        let path = format!("/v1/prompts/team%2Fgreet?label=production&bucket_key={key}");
        owner.send("GET", &path, &[("if-none-match", etag)], None)
    };
    let etag = resolve(&owner, &two, "").header("etag").to_owned();
    assert_ne!(etag, plain.header("etag"));
    assert_eq!(resolve(&owner, &one, "").header("etag"), plain.header("etag"), "the control is the version it was");
    let same = held(&two, &etag).expect(304);
    assert_eq!((same.header("etag"), same.header("promptory-arm")), (etag.as_str(), "2"));
    assert_eq!(number(&held(&one, &etag).expect(200)), 1, "another's version is not mine");
    step(&owner, "pause", &json!({}));
    assert_eq!(number(&held(&two, &etag).expect(200)), 1, "what was held is not what is served now");
    step(&owner, "resume", &json!({}));
    let _ = held(&two, &etag).expect(304);
    let done = step(&owner, "complete", &json!({"version": 2}));
    assert_eq!(events(&done), ["rollout.completed", "label.set"]);
    let after = held(&one, plain.header("etag")).expect(200);
    assert_eq!((number(&after), after.header("promptory-rollout")), (2, ""));
}

#[test]
fn who_got_what_is_the_same_after_a_restart_in_new_read_models_and_in_the_past() {
    let mut world = World::new();
    let owner = world.acme();
    given(&owner);
    let before = owner.get("/v1/status").expect(200).json["position"].as_str().unwrap().to_owned();
    step(&owner, "start", &arms(&[(1, 8000), (2, 2000)]));
    let first = assigned(&owner, "");
    world.clock.advance_ms(60_000);
    let advanced = step(&owner, "advance", &arms(&[(1, 6000), (2, 2500), (3, 1500)]));
    let second = assigned(&owner, "");
    let moved = first.iter().zip(&second).filter(|(was, is)| was != is);
    assert!(moved.clone().all(|(was, _)| *was == 1) && moved.count() > 0, "only the control gives keys up");
    world.clock.advance_ms(60_000);
    step(&owner, "rollback", &json!({"rollout": advanced["rollout"], "message": "it talks nonsense"}));
    assert_eq!(assigned(&owner, ""), [1; 150]);
    let index = |position: &str| position.rsplit_once('-').unwrap().1.parse::<u64>().unwrap();
    let at = index(advanced["position"].as_str().unwrap());
    let past = [
        (format!("&as_of={}", index(&before)), vec![1; 150]),
        (format!("&as_of={}", at - 1), first.clone()),
        (format!("&as_of={at}"), second.clone()),
        ("&as_of=2026-05-03T12:00:30Z".to_owned(), first),
        ("&as_of=2026-05-03T12:01:30Z&clock=recorded".to_owned(), second.clone()),
    ];
    for (also, then) in &past {
        assert_eq!(assigned(&owner, also), *then, "{also}");
    }
    let digest = |client: &Client| client.get("/v1/status").expect(200).json["model_digest"].clone();
    let running = digest(&owner);
    world.restart(|_| {});
    assert_eq!(assigned(&world.acme(), &past[2].0), second, "after a restart");
    world.restart(|folder| std::fs::remove_dir_all(folder.join("models")).unwrap());
    let owner = world.acme();
    for (also, then) in &past {
        assert_eq!(assigned(&owner, also), *then, "{also}, in new read models");
    }
    assert_eq!(digest(&owner), running);
    let told = owner.get("/v1/events?limit=1000").expect(200).json;
    let told: Vec<_> =
        told["events"].as_array().unwrap().iter().filter(|e| e["detail"]["rollout"].is_string()).collect();
    let names: Vec<_> = told.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(names, ["rollout.started", "rollout.advanced", "rollout.rolled-back"]);
    assert_eq!(told[1]["detail"]["before"], told[0]["detail"]["after"]);
    assert_eq!(told[2]["message"], "it talks nonsense");
    lawful(&mut world);
}

#[test]
fn a_protected_label_is_split_only_as_was_approved() {
    let mut world = World::new();
    let owner = world.acme();
    given(&owner);
    let _ = owner.put("/v1/protections/production?prefix=team/", &json!({"approvals": 1})).expect(200);
    let (reviewer, _) = caller(&owner, &json!({"role": "reviewer"}));
    let (editor, _) = caller(&owner, &json!({"role": "editor"}));
    let start = format!("{LABEL}/rollout");
    assert_eq!(owner.post(&start, &arms(&[(1, 9999), (2, 1)])).expect(409).code(), "label-protected");
    let mut ask = arms(&[(1, 9000), (2, 1000)]);
    (ask["prompt"], ask["label"]) = ("team/greet".into(), "production".into());
    let asked = editor.post("/v1/releases", &ask).expect(201).json;
    owner.wait_for(asked["position"].as_str().unwrap());
    let open = owner.get("/v1/releases").expect(200).json["releases"][0].clone();
    assert_eq!(open["split"], json!({"rollout": null, "arms": ask["arms"]}));
    assert_eq!((&open["from"], &open["stale"]), (&open["to"], &false.into()), "the label does not move");
    let path = format!("/v1/releases/{}/approve", asked["release"].as_str().unwrap());
    assert_eq!(owner.post(&path, &json!({})).expect(403).code(), "own-release");
    let done = reviewer.post(&path, &json!({})).expect(200).json;
    assert_eq!(events(&done), ["release.approved", "release.executed", "rollout.started"]);
    assert!(done["rollout"].is_string());
    step(&editor, "advance", &arms(&[(1, 1000), (2, 9000)]));
    let more = editor.post(&format!("{start}/advance"), &arms(&[(2, 9000), (3, 1000)])).expect(409);
    assert_eq!(more.code(), "label-protected", "nobody approved the third version");
    assert_eq!(editor.post(&format!("{start}/rollback"), &json!({})).expect(403).code(), "forbidden");
    assert_eq!(owner.put(LABEL, &json!({"version": 2})).expect(409).code(), "rollout-runs");
    assert_eq!(owner.post(&format!("{start}/complete"), &json!({"version": 3})).expect(409).code(), "not-an-arm");
    assert_eq!(owner.post(&start, &arms(&[(1, 10_000)])).expect(409).code(), "rollout-runs");
    let other = json!({"rollout": format!("rol_{}", "0".repeat(32))});
    assert_eq!(owner.post(&format!("{start}/pause"), &other).expect(404).code(), "rollout-not-found");
    let twice = json!({"arms": [{"version": 1, "weight": 1}, {"version": 1, "weight": 9999}]});
    for bad in [arms(&[]), arms(&[(1, 9999)]), arms(&[(1, 10_000), (2, 0)]), twice] {
        let refused = owner.post(&format!("{start}/advance"), &bad).expect(400);
        assert_eq!((refused.code(), &refused.json["field"]), ("invalid-field", &json!("/arms")), "{bad}");
    }
    let done = step(&editor, "complete", &json!({"version": 2}));
    assert_eq!(events(&done), ["rollout.completed", "label.set"]);
    lawful(&mut world);
}
