//! Read models built anew and put back over HTTP while a tenant is read and written by many: nobody notices.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use promptory::rebuild::{self, RebuildArgs};
use promptory_projection::views::Name;
use promptory_tests::client::segment;
use promptory_tests::{Client, World};
use serde_json::{Value, json};

use crate::rights::caller;

/// Threads that read and write.
const CLIENTS: u64 = 8;
const VIEWS: [&str; 2] = ["catalog", "audit"];

fn model(client: &Client, view: &str) -> Value {
    let models = client.get("/v1/models").expect(200).json["models"].take();
    models.as_array().unwrap().iter().find(|model| model["view"] == view).unwrap().clone()
}

/// Asks for it and waits for its end. What was seen of it on the way: stages, and how many events it had.
fn done(client: &Client, view: &str, kind: &str, query: &str) -> (Value, BTreeSet<(String, u64)>) {
    let begun = client.send("POST", &format!("/v1/models/{view}/{kind}{query}"), &[], None).expect(202).json;
    let (mut seen, mut now) = (BTreeSet::new(), begun.clone());
    loop {
        let work = &now["work"];
        assert_eq!((&work["id"], &work["kind"]), (&begun["work"]["id"], &json!(kind)));
        let stage = work["stage"].as_str().unwrap().to_owned();
        seen.insert((stage.clone(), work["events"].as_u64().unwrap()));
        match stage.as_str() {
            "done" => return (now, seen),
            "failed" => panic!("{now}"),
            _ => now = model(client, view),
        }
    }
}

/// One round of reading and writing; what was not answered as it should be.
fn round(client: &Client, who: u64, n: u64) -> Result<(), String> {
    let key = format!("c{who}/{}", n % 5);
    let path = format!("/v1/prompts/{}", segment(&key));
    let exchange = |method: &str, path: &str, body: Option<&Value>| {
        loop {
            let answer =
                client.try_send(method, path, &[], body).map_err(|error| format!("{method} {path}: {error}"))?;
            match answer.status {
                200..300 => return Ok(answer.json),
                // It waited for two seconds, on a machine that has other things to do: asked again.
                504 if answer.problem() == Some("behind") => {}
                status => return Err(format!("{method} {path}: {status} {}", answer.json)),
            }
        }
    };
    let text = format!("{who} {n}");
    let written = if n < 5 {
        exchange("POST", "/v1/prompts", Some(&json!({"key": key, "text": text})))?
    } else {
        exchange("POST", &format!("{path}/versions"), Some(&json!({ "text": text })))?
    };
    let position = written["position"].as_str().unwrap_or_default();
    // What was written is there, in each view, at that position.
    let read = exchange("GET", &format!("{path}?at_least={position}"), None)?;
    let listed = exchange("GET", &format!("/v1/prompts?prefix=c{who}/&at_least={position}"), None)?;
    let audit = exchange("GET", &format!("/v1/audit?prefix=c{who}/&limit=1&at_least={position}"), None)?;
    let newest = audit["records"][0]["action"].as_str().unwrap_or_default();
    let prompts = listed["prompts"].as_array().map(Vec::len);
    if read["text"] == text.as_str() && prompts == usize::try_from(5.min(n + 1)).ok() && newest == "version.added" {
        Ok(())
    } else {
        Err(format!("round {n} of {who}: {read} {listed} {audit}"))
    }
}

#[test]
fn views_are_built_anew_and_put_back_under_load_and_no_request_fails() {
    let world = World::new();
    let owner = world.acme();
    for n in 0..300 {
        let _ = owner.post("/v1/prompts", &json!({"key": format!("old/{n}"), "text": "x"})).expect(201);
    }
    let (end, rounds, wrong) = (AtomicBool::new(false), AtomicU64::new(0), Mutex::new(Vec::new()));
    let mut seen = BTreeSet::new();
    std::thread::scope(|scope| {
        for who in 0..CLIENTS {
            let (client, end, rounds, wrong) = (owner.at(&owner.url), &end, &rounds, &wrong);
            scope.spawn(move || {
                let mut n = 0;
                while !end.load(Ordering::Relaxed) {
                    match round(&client, who, n) {
                        Ok(()) => drop(rounds.fetch_add(1, Ordering::Relaxed)),
                        Err(told) => return wrong.lock().unwrap().push(told),
                    }
                    n += 1;
                }
            });
        }
        let under_way = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut seen = BTreeSet::new();
            for (kind, query) in [("rebuild", ""), ("rollback", "?share=1"), ("rebuild", "?share=0.9")] {
                for view in VIEWS {
                    let before = rounds.load(Ordering::Relaxed);
                    let (after, on_the_way) = done(&owner, view, kind, query);
                    assert_eq!(after["work"]["equal"], true, "{after}");
                    assert_eq!(after["previous"]["model_digest"], after["work"]["digest_before"], "{after}");
                    seen.extend(on_the_way);
                    while rounds.load(Ordering::Relaxed) < before + CLIENTS && wrong.lock().unwrap().is_empty() {
                        std::thread::yield_now();
                    }
                }
            }
            seen
        }));
        end.store(true, Ordering::Relaxed);
        seen = under_way.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    assert_eq!(wrong.into_inner().unwrap(), Vec::<String>::new());
    assert!(seen.iter().any(|(stage, _)| stage == "running"), "{seen:?}");

    // What runs now is what the ledger says, and so is what is folded from nothing.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, &owner.key).unwrap();
    let models = world.block_on(promptory::verify::models::run(owner.url.clone(), file)).unwrap();
    assert!(models.hold(), "{}", models.json());
    let metrics = owner.text("/metrics");
    let counted = |kind: &str| {
        let begin = format!("promptory_rebuilds_total{{view=\"audit\",kind=\"{kind}\",outcome=\"done\"}}");
        metrics.lines().any(|line| line.starts_with(&begin))
    };
    assert!(counted("rebuild") && counted("rollback"), "{metrics}");
    assert!(metrics.contains("promptory_rebuild_events_left{view=\"catalog\"} 0"), "{metrics}");
}

#[test]
fn who_may_look_at_the_models_may_build_them_anew_and_every_refusal_names_what_is_wrong() {
    let world = World::new();
    let owner = world.acme();
    let (viewer, _) = caller(&owner, &json!({"role": "viewer", "prefix": "team/"}));
    let post = |client: &Client, path: &str| client.send("POST", path, &[], None);
    for path in ["/v1/models/audit/rebuild", "/v1/models/audit/rollback"] {
        assert_eq!(post(&viewer, path).expect(403).code(), "forbidden");
    }
    for (path, field) in [
        ("/v1/models/nothing/rebuild", "view"),
        ("/v1/models/search/rollback", "view"),
        ("/v1/models/audit/rebuild?share=0", "share"),
        ("/v1/models/audit/rebuild?share=2", "share"),
        ("/v1/models/audit/rollback?speed=1", "speed"),
    ] {
        let refused = post(&owner, path).expect(400);
        assert_eq!((refused.code(), &refused.json["field"]), ("invalid-field", &json!(field)), "{path}");
    }
    assert_eq!(post(&owner, "/v1/models/audit/rollback").expect(409).code(), "no-previous-model");
    let (auditor, _) = caller(&owner, &json!({"role": "auditor"}));
    let (built, _) = done(&auditor, "audit", "rebuild", "?share=1");
    assert_eq!((&built["work"]["share"], &built["other_formats"]), (&json!(1.0), &json!([])));
}

#[test]
fn the_command_line_builds_anew_and_puts_back_in_a_running_server_and_in_a_folder() {
    let mut world = World::new();
    let owner = world.acme();
    for n in 0..20 {
        let _ = owner.post("/v1/prompts", &json!({"key": format!("team/{n}"), "text": "x"})).expect(201);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, &owner.key).unwrap();
    let args = |rollback| RebuildArgs {
        url: None,
        key_file: None,
        share: None,
        data: "nowhere".into(),
        nats: promptory::init::NatsArgs::default(),
        root_key: None,
        tenant: None,
        view: Name::Audit,
        rollback,
    };
    let there = |rollback| RebuildArgs {
        url: Some(owner.url.clone()),
        key_file: Some(file.clone()),
        share: Some(0.9),
        ..args(rollback)
    };
    assert!(world.block_on(rebuild::run(there(true))).is_err(), "nothing was kept yet");
    let before = model(&owner, "audit");
    world.block_on(rebuild::run(there(false))).unwrap();
    let built = model(&owner, "audit");
    assert_eq!((&built["model_digest"], &built["work"]["share"]), (&before["model_digest"], &json!(0.9)));
    world.block_on(rebuild::run(there(true))).unwrap();
    let back = model(&owner, "audit");
    assert_eq!((&back["work"]["kind"], &back["model_digest"]), (&json!("rollback"), &before["model_digest"]));
    assert_ne!(back["work"]["id"], built["work"]["id"]);

    world.restart(|data| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        for rollback in [false, true] {
            let tenant = Some("acme".parse().unwrap());
            let args = RebuildArgs { data: data.to_owned(), tenant, ..args(rollback) };
            runtime.block_on(rebuild::run(args)).unwrap();
        }
    });
    let now = model(&world.acme(), "audit");
    assert_eq!((&now["model_digest"], &now["work"]), (&before["model_digest"], &Value::Null));
    assert!(now["previous"]["kept_until"].is_string(), "{now}");
}
