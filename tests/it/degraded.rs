//! Versions that become worse, over HTTP: with real usage records of some days the system says so once, in the feed, the stream's
//! events and the audit; a version that stays as it was is left alone, and so is a tenant that does not want it.

use promptory_tests::{Client, World};
use serde_json::{Value, json};

use crate::guards::{position_after, told, wait_for};
use crate::rights::lawful;

const DAY_MS: i64 = 24 * 3_600_000;

fn given(owner: &Client) {
    for key in ["team/steady", "team/worse"] {
        let made = owner.post("/v1/prompts", &json!({"key": key, "text": "Hello"})).expect(201).json;
        owner.wait_for(made["position"].as_str().unwrap());
    }
}

/// Records executions of a prompt's first version, of a hundred of which so many fail.
fn runs(owner: &Client, batch: &str, key: &str, many: usize, failing: usize) {
    let run = |n: usize| {
        let mut run =
            json!({"id": format!("{batch}-{key}-{n}"), "prompt": key, "version": 1, "latency_ms": 100 + n % 50});
        if n % 100 < failing {
            run["error"] = "timeout".into();
        }
        run
    };
    let records: Vec<Value> = (0..many).map(run).collect();
    let _ = owner.post("/v1/usage", &json!({ "records": records })).expect(200);
}

/// Three days as usual, and then a day on which one of the prompts fails much more often.
fn lived(world: &World, owners: [&Client; 2]) {
    for day in 0..3 {
        for owner in owners {
            runs(owner, &format!("d{day}"), "team/steady", 300, 2);
            runs(owner, &format!("d{day}"), "team/worse", 300, 2);
        }
        world.clock.advance_ms(DAY_MS);
    }
    for owner in owners {
        runs(owner, "bad", "team/steady", 300, 2);
        runs(owner, "bad", "team/worse", 300, 40);
    }
}

#[test]
fn what_became_worse_is_said_once_to_whoever_wants_to_know() {
    let mut world = World::watching();
    // The tenants are looked at in order: `silent` is done when `zeta` is.
    let (silent, owner) = (world.owner_of("silent"), world.owner_of("zeta"));
    let shown = silent.get("/v1/settings/watch").expect(200).json;
    assert_eq!(shown["enabled"], json!(true), "unless somebody says otherwise");
    let set = silent.put("/v1/settings/watch", &json!({"enabled": false})).expect(200).json;
    assert_eq!(set["events"][0]["type"], json!("watch.configured"));
    let position = set["position"].as_str().unwrap();
    silent.wait_for(position);
    assert_eq!(silent.get("/v1/settings/watch").expect(200).json["enabled"], json!(false));
    let index: u64 = position.rsplit_once('-').unwrap().1.parse().unwrap();
    let before = silent.get(&format!("/v1/settings/watch?as_of={}", index - 1)).expect(200).json;
    assert_eq!(before["enabled"], json!(true));
    assert_eq!(silent.put("/v1/settings/watch", &json!({"enabled": "no"})).expect(400).status, 400);
    given(&silent);
    given(&owner);
    lived(&world, [&silent, &owner]);
    let found = wait_for(&owner, "version.degraded", 1);
    let (event, detail) = (&found[0], &found[0]["detail"]);
    let worse = owner.prompt("team/worse", "").expect(200).json["id"].clone();
    assert_eq!((&event["prompt"], &detail["version"]), (&worse, &json!(1)));
    assert_eq!(detail["measure"], json!({"measure": "error_rate"}));
    assert_eq!(detail["day"], json!("2026-05-06T00:00:00Z"));
    let figures = &detail["figures"];
    assert_eq!((&figures["day"]["samples"], &figures["day"]["value"]), (&json!(300), &json!(0.4)));
    assert_eq!((&figures["past"]["samples"], &figures["past"]["value"]), (&json!(900), &json!(0.02)));
    assert!(figures["day"]["end"].as_f64() > figures["limit"].as_f64(), "{figures}");
    assert_eq!(event["actor"], json!(promptory_events::PrincipalId::SYSTEM.to_string()));
    let audited = format!("/v1/audit?action=version.degraded&at_least={}", position_after(&owner, event));
    let audited = owner.get(&audited).expect(200).json;
    assert_eq!(audited["records"][0]["index"], event["index"]);

    // The next day it is as bad, which is the same episode; the other one is worse now, which is another. By another process.
    world.clock.advance_ms(DAY_MS);
    world.restart(|_| {});
    let (silent, owner) = (world.owner_of("silent"), world.owner_of("zeta"));
    for owner in [&silent, &owner] {
        runs(owner, "next", "team/worse", 300, 60);
        runs(owner, "next", "team/steady", 300, 60);
    }
    let found = wait_for(&owner, "version.degraded", 2);
    assert_eq!(found.len(), 2);
    assert_ne!(found[1]["prompt"], worse);
    assert_eq!(told(&silent, "version.degraded"), [] as [Value; 0], "who does not want it is not told");
    lawful(&mut world);
}
