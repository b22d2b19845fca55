//! Usage over HTTP: recorded by whoever may, durable, counted once, told to whoever may see it; and the same after the store of
//! what is counted was deleted when the records had expired.

use promptory_events::TenantId;
use promptory_ledger::UsageLog;
use promptory_ledger::usage::{FileLog, KEEP};
use promptory_tests::{Client, World};
use serde_json::{Value, json};

fn prompt(owner: &Client, key: &str) {
    let made = owner.post("/v1/prompts", &json!({"key": key, "text": "Hello"})).expect(201).json;
    owner.wait_for(made["position"].as_str().unwrap());
}

fn record(client: &Client, records: Value) -> u64 {
    client.post("/v1/usage", &json!({ "records": records })).expect(200).json["records"].as_u64().unwrap()
}

/// A key with a role on a prefix.
fn holder(owner: &Client, role: &str, prefix: &str) -> Client {
    let issued = owner.post("/v1/keys", &json!({"role": role, "prefix": prefix})).expect(201).json;
    owner.wait_for(issued["position"].as_str().unwrap());
    owner.with_key(issued["key"].as_str().unwrap())
}

fn counted(client: &Client, query: &str) -> Value {
    client.get(&format!("/v1/analytics?{query}")).expect(200).json
}

/// Two executions of one prompt and one of another, a repeat and outcomes.
fn some(owner: &Client) {
    prompt(owner, "team/greet");
    prompt(owner, "other/greet");
    let run = |id: &str, prompt: &str, latency_ms: f64| {
        json!({"id": id, "prompt": prompt, "version": 1, "label": "production", "model": "m-1", "caller": "c-1",
            "latency_ms": latency_ms, "input_tokens": 10, "output_tokens": 5, "cost_nanos": 1_500_000_001_u64,
            "scores": {"helpful": 0.5}})
    };
    let failed = json!({"id": "e3", "prompt": "other/greet", "version": 1, "error": "timeout"});
    let like =
        json!({"id": "o1", "execution": "e1", "prompt": "team/greet", "scores": {"liked": true, "tone": "warm"}});
    let records = json!([like, run("e1", "team/greet", 100.0), run("e2", "team/greet", 300.5), failed]);
    assert_eq!(record(owner, records.clone()), 4);
    assert_eq!(record(owner, records), 4, "the same again is no error");
    assert_eq!(record(owner, json!([{"id": "o2", "execution": "e2", "scores": {"liked": false}}])), 1);
}

#[test]
fn what_is_recorded_is_counted_once() {
    let world = World::new();
    let owner = world.acme();
    some(&owner);
    let all = counted(&owner, "group_by=prompt,model");
    assert_eq!((all["of"].as_u64(), all["groups"].as_array().unwrap().len()), (Some(2), 2), "{all}");
    let group = &all["groups"][0];
    assert_eq!((&group["key"], &group["model"]), (&json!("team/greet"), &json!("m-1")));
    assert_eq!((&group["count"], &group["errors"], &group["input_tokens"]), (&json!(2), &json!(0), &json!(20)));
    assert_eq!(group["cost_nanos"], json!(3_000_000_002_u64));
    assert_eq!(group["latency_ms"]["mean"], json!(200.25));
    let p95 = group["latency_ms"]["p95"].as_f64().unwrap();
    assert!((p95 - 300.5).abs() <= 300.5 / 128.0, "{p95}");
    assert_eq!(group["scores"]["liked"], json!({"true": 1, "false": 1}));
    assert_eq!(group["scores"]["tone"], json!({"categories": {"warm": 1}}));
    assert_eq!((&group["scores"]["helpful"]["numbers"]["mean"], &all["groups"][1]["errors"]), (&json!(0.5), &json!(1)));
    assert_eq!(all["groups"][1]["model"], Value::Null);

    let hours = counted(&owner, "granularity=hour&prompt=team/greet");
    assert_eq!((hours["groups"][0]["count"].as_u64(), hours["groups"].as_array().unwrap().len()), (Some(2), 1));
    assert_eq!(counted(&owner, "caller=nobody")["groups"], json!([]));
    assert_eq!(counted(&owner, "prefix=other/")["groups"][0]["count"], json!(1));
    let csv = owner.text("/v1/analytics?group_by=prompt&format=csv&top=1");
    let mut lines = csv.lines();
    assert!(lines.next().unwrap().starts_with("key,prompt,count,errors,latency_ms_mean"), "{csv}");
    assert!(lines.next().unwrap().starts_with("team/greet,prm_"), "{csv}");
    assert_eq!(lines.next(), None);
}

#[test]
fn two_versions_are_compared_with_a_confidence_interval() {
    let world = World::new();
    let owner = world.acme();
    prompt(&owner, "team/greet");
    let added = owner.post("/v1/prompts/team%2Fgreet/versions", &json!({"text": "Hi"})).expect(201).json;
    owner.wait_for(added["position"].as_str().unwrap());
    let runs: Vec<Value> = (0..200)
        .map(|n| {
            let (version, number) = (1 + n % 2, n / 2);
            // The second version is slower and fails less; both are liked alike.
            let mut run = json!({"id": format!("e{n}"), "prompt": "team/greet", "version": version,
                "latency_ms": 100.0 + f64::from(number % 10) + 50.0 * f64::from(n % 2),
                "scores": {"liked": number % 4 == 0, "helpful": f64::from(number % 5) / 10.0}});
            if number < if version == 1 { 30 } else { 5 } {
                run["error"] = json!("timeout");
            }
            run
        })
        .collect();
    assert_eq!(record(&owner, json!(runs)), 200);
    let compare = |query: &str| owner.get(&format!("/v1/analytics/compare?prompt=team/greet&{query}"));
    let told = compare("by=version&a=1&b=2").expect(200).json;
    assert_eq!(told["count"], json!({"a": 100, "b": 100}));
    let errors = &told["error_rate"];
    assert_eq!((&errors["a"]["value"], &errors["b"]["value"]), (&json!(0.3), &json!(0.05)));
    // Newcombe's interval of 5/100 less 30/100.
    let ends = [&errors["difference"]["low"], &errors["difference"]["high"]].map(|end| end.as_f64().unwrap());
    assert!((ends[0] + 0.34998).abs() < 1e-4 && (ends[1] + 0.14811).abs() < 1e-4, "{errors}");
    assert_eq!((&errors["significant"], &told["latency_ms"]["significant"]), (&json!(true), &json!(true)));
    assert_eq!(told["latency_ms"]["difference"]["value"], json!(50.0));
    for same in ["liked", "helpful"] {
        let score = &told["scores"][same];
        assert_eq!((&score["difference"]["value"], &score["significant"]), (&json!(0.0), &json!(false)), "{score}");
    }
    let alone = compare("by=version&a=1&b=7").expect(200).json;
    assert_eq!((&alone["count"], &alone["error_rate"]), (&json!({"a": 100, "b": 0}), &Value::Null));
    for (query, field) in [("a=1&b=2", "by"), ("by=version&b=2", "a"), ("by=version&a=1", "b")] {
        assert_eq!(compare(query).expect(400).json["field"], json!(field));
    }
}

#[test]
fn a_bad_record_is_named_and_nothing_of_its_request_is_written() {
    let world = World::new();
    let owner = world.acme();
    prompt(&owner, "team/greet");
    let good = json!({"id": "e1", "prompt": "team/greet", "version": 1});
    let bad = [
        (json!({"id": "e2", "prompt": "nobody", "version": 1}), "/prompt"),
        (json!({"id": "e2", "prompt": "team/greet", "version": 9}), "/version"),
        (json!({"id": "", "prompt": "team/greet", "version": 1}), "/id"),
        (json!({"id": "e2", "prompt": "team/greet", "version": 1, "latency_ms": -1}), "/latency_ms"),
        (
            json!({"id": "e2", "prompt": "team/greet", "version": 1, "occurred_at": "2100-01-01T00:00:00Z"}),
            "/occurred_at",
        ),
        (json!({"id": "e2", "prompt": "team/greet", "version": 1, "scores": {"a": 1e300}}), "/scores/a"),
        (json!({"id": "o", "execution": "e1", "model": "m", "scores": {"a": 1}}), "/model"),
        (json!({"id": "o", "execution": "e1"}), "/scores"),
        (json!({"id": "e2", "prompt": "team/greet", "version": "1"}), "/version"),
        (json!({"id": "e2", "prompt": "team/greet", "version": 1, "scores": {"a/b": [1]}}), "/scores/a~1b"),
        (json!({"id": "o", "execution": "e1", "trace": "t", "scores": {"a": 1}}), "/trace"),
        (json!({"id": "e2", "prompt": "team/greet", "version": 1, "colour": "red"}), "/colour"),
    ];
    for (record, field) in bad {
        let refused = owner.post("/v1/usage", &json!({"records": [good, record]})).expect(400);
        assert_eq!((refused.code(), &refused.json["count"]), ("records-invalid", &json!(1)));
        let named = &refused.json["records"][0];
        assert_eq!((&named["index"], &named["field"]), (&json!(1), &json!(field)), "{named}");
    }
    let many: Vec<Value> =
        (0..1001).map(|n| json!({"id": n.to_string(), "prompt": "team/greet", "version": 1})).collect();
    assert_eq!(owner.post("/v1/usage", &json!({ "records": many })).expect(400).code(), "invalid-field");
    assert_eq!(counted(&owner, "")["groups"], json!([]), "nothing of all that");
    assert_eq!(record(&owner, json!([])), 0);
}

#[test]
fn who_may_record_and_who_may_see_is_a_matter_of_rights() {
    let world = World::new();
    let owner = world.acme();
    some(&owner);
    let (service, viewer) = (holder(&owner, "service", "team/"), holder(&owner, "viewer", "team/"));
    let run = |prompt: &str| json!({"records": [{"id": "x", "prompt": prompt, "version": 1}]});
    assert_eq!(service.post("/v1/usage", &run("team/greet")).status, 200);
    for (client, prompt) in [(&service, "other/greet"), (&service, "other/nobody"), (&viewer, "team/greet")] {
        let refused = client.post("/v1/usage", &run(prompt)).expect(403);
        assert_eq!((refused.code(), &refused.json["right"]), ("forbidden", &json!("record-usage")), "{prompt}");
    }
    // An outcome that does not say of which prompt may be about any.
    let outcome = json!({"records": [{"id": "o9", "execution": "e1", "scores": {"liked": true}}]});
    assert_eq!(service.post("/v1/usage", &outcome).expect(403).code(), "forbidden");
    // One that says another prompt than was run counts nowhere.
    let foreign = json!([{"id": "o8", "execution": "e3", "prompt": "team/greet", "scores": {"liked": true}}]);
    assert_eq!(record(&service, foreign), 1);
    assert_eq!(counted(&owner, "prefix=other/")["groups"][0]["scores"], json!({}));

    assert_eq!(service.get("/v1/analytics").expect(403).json["right"], json!("read-analytics"));
    let seen = counted(&viewer, "group_by=prompt");
    assert_eq!((seen["of"].as_u64(), &seen["groups"][0]["key"]), (Some(1), &json!("team/greet")));
    assert_eq!(viewer.get("/v1/analytics?prompt=other/greet").expect(404).code(), "prompt-not-found");
    assert_eq!(viewer.get("/v1/analytics?prompt=nobody").expect(404).code(), "prompt-not-found");
    // What a prompt is called now decides: renamed out of sight, its past goes along.
    let renamed = owner.put("/v1/prompts/team%2Fgreet/key", &json!({"to": "other/was"})).expect(200).json;
    owner.wait_for(renamed["position"].as_str().unwrap());
    assert_eq!(counted(&viewer, "")["groups"], json!([]));
    for (query, field) in
        [("group_by=colour", "group_by"), ("top=0", "top"), ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to")]
    {
        assert_eq!(owner.get(&format!("/v1/analytics?{query}")).expect(400).json["field"], json!(field));
    }
}

#[test]
fn once_the_records_have_expired_every_answer_is_the_same_without_the_store_of_what_is_counted() {
    let mut world = World::new();
    let owner = world.acme();
    some(&owner);
    let day = "from=2026-05-03T00:00:00Z&to=2026-05-04T00:00:00Z";
    let queries = [
        format!("{day}&group_by=prompt,version,label,arm,model,caller&granularity=minute"),
        format!("{day}&group_by=prompt,model&granularity=hour&order_by=latency"),
        format!("{day}&group_by=version&granularity=day"),
        format!("{day}&caller=c-1"),
        "from=2026-05-03T11:59:00Z&to=2026-05-03T12:01:00Z".to_owned(),
    ];
    let all = |world: &World| queries.iter().map(|query| counted(&world.acme(), query)).collect::<Vec<_>>();
    let said = all(&world);
    world.restart(|_| ());
    assert_eq!(all(&world), said, "after a restart");
    world.restart(|data| std::fs::remove_dir_all(data.join("models")).unwrap());
    assert_eq!(all(&world), said, "from the records alone");

    // A question ends a stretch that is old; then the records go, and then the store.
    world.clock.advance_ms(1_000_000);
    assert_eq!(all(&world), said);
    world.clock.advance_ms(40 * 24 * 3_600_000);
    world.restart(|_| ());
    let acme: TenantId = "acme".parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    world.restart(|data| {
        let log = UsageLog::File(FileLog::open(&data.join("usage.redb"), KEEP).unwrap());
        assert_eq!(runtime.block_on(log.read(&acme, 0)).unwrap(), [], "all records are gone");
        assert_eq!(runtime.block_on(log.rollups(&acme, 0)).unwrap().len(), 1);
        std::fs::remove_dir_all(data.join("models")).unwrap();
    });
    assert_eq!(all(&world), said, "from the rollups alone");
}
