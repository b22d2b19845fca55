//! Guarded rollouts over HTTP: with real usage records a bad version is rolled back by the system, with the reason in the ledger,
//! the audit and the feed; a good one beside it is not; and a guard acts once.

use std::time::{Duration, Instant};

use promptory_tests::{Client, World};
use serde_json::{Value, json};

use crate::rights::lawful;

/// How long it is waited for what the system does: it looks all the time.
const WAIT: Duration = Duration::from_secs(60);

fn rollout(label: &str) -> String {
    format!("/v1/prompts/team%2Fgreet/labels/{label}/rollout")
}

/// `team/greet` with three versions; `production` and `staging` on the first.
fn given(owner: &Client) {
    let text = json!({"key": "team/greet", "text": "one", "labels": ["production", "staging"]});
    let _ = owner.post("/v1/prompts", &text).expect(201);
    for text in ["two", "three"] {
        let added = owner.post("/v1/prompts/team%2Fgreet/versions", &json!({ "text": text })).expect(201);
        owner.wait_for(added.json["position"].as_str().unwrap());
    }
}

/// Splits a label, half and half, with guards. Executions count from the next minute on.
fn split(world: &World, owner: &Client, label: &str, version: u32, guards: &Value) -> String {
    let arms = json!([{"version": 1, "weight": 5000}, {"version": version, "weight": 5000}]);
    let started = owner.post(&rollout(label), &json!({"arms": arms, "guards": guards})).expect(201).json;
    owner.wait_for(started["position"].as_str().unwrap());
    world.clock.advance_ms(60_000);
    started["rollout"].as_str().unwrap().to_owned()
}

/// Records executions of a version under a label; of a hundred so many fail.
fn runs(owner: &Client, batch: &str, label: &str, version: u32, (many, failing): (usize, usize)) {
    let run = |n: usize| {
        let mut run = json!({"id": format!("{batch}-{label}-{version}-{n}"), "prompt": "team/greet", "version": version,
            "label": label, "latency_ms": 100 + n % 50, "scores": {"helpful": !n.is_multiple_of(4)}});
        if n % 100 < failing {
            run["error"] = "timeout".into();
        }
        run
    };
    let records: Vec<Value> = (0..many).map(run).collect();
    let _ = owner.post("/v1/usage", &json!({ "records": records })).expect(200);
}

pub(crate) fn told(owner: &Client, name: &str) -> Vec<Value> {
    let all = owner.get("/v1/events?limit=1000").expect(200).json;
    all["events"].as_array().unwrap().iter().filter(|event| event["type"] == name).cloned().collect()
}

/// Waits until the feed has so many events of a name.
pub(crate) fn wait_for(owner: &Client, name: &str, many: usize) -> Vec<Value> {
    let begin = Instant::now();
    loop {
        let events = told(owner, name);
        if events.len() >= many {
            return events;
        }
        assert!(begin.elapsed() < WAIT, "no {name} after {WAIT:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn running(owner: &Client, label: &str) -> Value {
    owner.prompt("team/greet", "").expect(200).json["rollouts"][label].clone()
}

#[test]
fn a_bad_version_is_rolled_back_with_its_reason_and_a_good_one_beside_it_is_not() {
    let mut world = World::watching();
    let owner = world.acme();
    given(&owner);
    let guards = json!([
        {"measure": "error_rate", "control_margin": 0.02, "min_samples": 50, "then": "roll_back"},
        {"measure": "latency", "quantile": 95, "limit": 2000, "then": "pause"},
        {"measure": "score", "score": "helpful", "control_margin": 0.1, "then": "pause"},
    ]);
    let good = split(&world, &owner, "production", 2, &guards);
    let bad = split(&world, &owner, "staging", 3, &guards);
    let shown = running(&owner, "staging");
    assert_eq!((&shown["rollout"], &shown["guards"].as_array().unwrap().len()), (&json!(bad), &3));
    assert_eq!(
        shown["guards"][0],
        json!({"measure": "error_rate", "control_margin": 0.02, "min_samples": 50, "false_alarm": 0.01, "then": "roll_back"})
    );
    assert!(shown.get("breached").is_none());
    for (label, version, failing) in [("production", 1, 2), ("production", 2, 2), ("staging", 1, 2), ("staging", 3, 40)]
    {
        runs(&owner, "first", label, version, (300, failing));
    }
    let breached = wait_for(&owner, "rollout.breached", 1);
    let (event, detail) = (&breached[0], &breached[0]["detail"]);
    assert_eq!((&detail["rollout"], &detail["label"], &detail["version"]), (&json!(bad), &json!("staging"), &json!(3)));
    assert_eq!((&detail["place"], &detail["guard"]), (&json!(0), &shown["guards"][0]));
    let figures = &detail["figures"];
    assert_eq!((&figures["version"]["samples"], &figures["version"]["value"]), (&json!(300), &json!(0.4)));
    assert_eq!((&figures["control"]["samples"], &figures["control"]["value"]), (&json!(300), &json!(0.02)));
    let number = |value: &Value| value.as_f64().unwrap();
    assert!(number(&figures["version"]["end"]) > number(&figures["limit"]), "{figures}");
    assert!((number(&figures["limit"]) - number(&figures["control"]["end"]) - 0.02).abs() < 1e-9, "{figures}");
    let back = wait_for(&owner, "rollout.rolled-back", 1);
    assert_eq!((back[0]["index"].as_u64(), back.len()), (event["index"].as_u64().map(|index| index + 1), 1));
    assert_eq!(back[0]["command_id"], event["command_id"], "one commit");
    owner.wait_for(&position_after(&owner, &back[0]));
    assert_eq!(running(&owner, "staging"), Value::Null, "everybody gets the control");
    assert_eq!(running(&owner, "production")["rollout"], json!(good));
    let audited = format!("/v1/audit?action=rollout.breached&at_least={}", position_after(&owner, &back[0]));
    let audited = owner.get(&audited).expect(200).json;
    let record = &audited["records"][0];
    assert_eq!((record["actor"].clone(), record["index"].clone()), (event["actor"].clone(), event["index"].clone()));
    assert_eq!(record["actor"], json!(promptory_events::PrincipalId::SYSTEM.to_string()), "{record}");

    // What was counted before the next rollout is none of its business; its guard acts once, however often it is breached.
    let limit = json!([{"measure": "error_rate", "limit": 0.1, "then": "pause"}]);
    let next = split(&world, &owner, "staging", 3, &limit);
    runs(&owner, "second", "staging", 3, (300, 40));
    let breached = wait_for(&owner, "rollout.breached", 2);
    assert_eq!(
        (&breached[1]["detail"]["rollout"], &breached[1]["detail"]["guard"]["then"]),
        (&json!(next), &json!("pause"))
    );
    assert_eq!(breached[1]["detail"]["figures"]["control"], Value::Null);
    owner.wait_for(&position_after(&owner, &breached[1]));
    let paused = running(&owner, "staging");
    assert_eq!((&paused["paused"], &paused["breached"]), (&json!(true), &json!([0])));
    let resumed = owner.post(&format!("{}/resume", rollout("staging")), &json!({})).expect(200).json;
    owner.wait_for(resumed["position"].as_str().unwrap());
    world.restart(|_| {});
    let owner = world.acme();
    runs(&owner, "third", "staging", 3, (300, 40));
    let third = split_elsewhere(&world, &owner);
    let breached = wait_for(&owner, "rollout.breached", 3);
    assert_eq!(
        (breached.len(), &breached[2]["detail"]["rollout"]),
        (3, &json!(third)),
        "whoever resumed it had seen it"
    );
    assert_eq!(running(&owner, "staging")["paused"], json!(false));
    lawful(&mut world);
}

/// A rollout of another prompt that is bad, too: when it is found, the others were looked at once more.
fn split_elsewhere(world: &World, owner: &Client) -> String {
    let _ = owner.post("/v1/prompts", &json!({"key": "z", "text": "one", "labels": ["production"]})).expect(201);
    let added = owner.post("/v1/prompts/z/versions", &json!({"text": "two"})).expect(201);
    owner.wait_for(added.json["position"].as_str().unwrap());
    let body = json!({"arms": [{"version": 1, "weight": 1}, {"version": 2, "weight": 9999}],
        "guards": [{"measure": "latency", "limit": 50, "then": "roll_back"}]});
    let started = owner.post("/v1/prompts/z/labels/production/rollout", &body).expect(201).json;
    owner.wait_for(started["position"].as_str().unwrap());
    world.clock.advance_ms(60_000);
    let run = |n: usize| json!({"id": format!("z-{n}"), "prompt": "z", "version": 2, "label": "production", "latency_ms": 90});
    let records: Vec<Value> = (0..200).map(run).collect();
    let _ = owner.post("/v1/usage", &json!({ "records": records })).expect(200);
    started["rollout"].as_str().unwrap().to_owned()
}

/// The position that a read has seen an event at.
pub(crate) fn position_after(owner: &Client, event: &Value) -> String {
    let now = owner.get("/v1/status").expect(200).json["position"].as_str().unwrap().to_owned();
    let (life, _) = now.rsplit_once('-').unwrap();
    format!("{life}-{}", event["index"].as_u64().unwrap())
}

#[test]
fn a_guard_that_is_none_is_refused_by_its_place() {
    let world = World::new();
    let owner = world.acme();
    given(&owner);
    let with = |guards: Value| {
        let arms = json!([{"version": 1, "weight": 9000}, {"version": 2, "weight": 1000}]);
        json!({"arms": arms, "guards": guards})
    };
    let fine = json!({"measure": "error_rate", "limit": 0.05, "then": "pause"});
    let no_end = json!({"measure": "error_rate", "limit": 1, "then": "pause"});
    let refused = owner.post(&rollout("production"), &with(json!([fine, no_end]))).expect(400);
    assert_eq!((refused.code(), &refused.json["field"]), ("invalid-field", &json!("/guards/1/limit")));
    let unknown = json!([{"measure": "error_rate", "limit": 0.5, "then": "pause", "who": "me"}]);
    assert_eq!(owner.post(&rollout("production"), &with(unknown)).expect(400).status, 400);
    let many = Value::Array(vec![fine.clone(); 9]);
    assert_eq!(owner.post(&rollout("production"), &with(many)).expect(422).code(), "limit-reached");
    // With a release they come with the rollout that it starts.
    let _ = owner.put("/v1/protections/production?prefix=team/", &json!({"approvals": 1})).expect(200);
    let mut ask = with(json!([fine]));
    (ask["prompt"], ask["label"]) = ("team/greet".into(), "production".into());
    let asked = owner.post("/v1/releases", &ask).expect(201).json;
    owner.wait_for(asked["position"].as_str().unwrap());
    let open = owner.get("/v1/releases").expect(200).json["releases"][0].clone();
    assert_eq!(open["split"]["guards"][0]["limit"], json!(0.05));
    let none = json!({"prompt": "team/greet", "label": "production", "version": 2, "guards": [fine]});
    assert_eq!(owner.post("/v1/releases", &none).expect(400).json["field"], json!("/guards"));
}
