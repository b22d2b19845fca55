//! Each role in a node of its own.

use serde_json::json;

use crate::site::{Site, until};

#[test]
fn what_one_command_replica_writes_a_query_replica_reads_at_that_position_and_says_who_serves_the_rest() {
    let site = Site::new();
    let (a, b) = (site.node("a", "command", None), site.node("b", "command", None));
    let query = site.node("q", "query", None);
    let acme = a.owner("acme");
    // Nobody answers yet: early, and to be tried again.
    let early = query.at(&acme).get("/v1/prompts");
    assert_eq!((early.status, early.code(), early.header("retry-after")), (503, "unavailable", "1"));
    assert_eq!(query.ready(), (503, "no-projection".to_owned()));
    let low = site.node("p-low", "projection", Some("0-1"));
    low.wait_ready();
    assert_eq!(query.ready(), (503, "no-projection".to_owned()), "half of the partitions");
    let high = site.node("p-high", "projection", Some("2,3"));
    high.wait_ready();
    query.wait_ready();

    // A tenant that A made is known to B at once, and each writes.
    let at_b = b.at(&acme);
    let made = at_b.post("/v1/prompts", &json!({"key": "greet", "text": "Hello"})).expect(201);
    let added = acme.post("/v1/prompts/greet/versions", &json!({"text": "Hi", "labels": ["production"]})).expect(201);
    let position = added.json["position"].as_str().unwrap();
    let reader = query.at(&acme);
    let read = reader.prompt("greet", &format!("label=production&at_least={position}")).expect(200);
    assert_eq!((&read.json["text"], read.header("promptory-position")), (&json!("Hi"), position));
    let then = reader.prompt("greet", &format!("as_of={}", made.json["events"][1]["index"])).expect(200);
    assert_eq!(then.json["text"], "Hello");
    assert_eq!(reader.get("/v1/status").expect(200).json["tenant"], "acme");
    // Questions about access and about what changed travel, and so do their answers.
    let who = reader.get("/v1/access?on=greet&action=import&limit=1").expect(200).json;
    let owner = who["who"][0]["principal"].as_str().unwrap();
    let why = reader.get(&format!("/v1/access/why?principal={owner}&action=read&on=greet&as_of=3")).expect(200).json;
    assert_eq!((&why["allowed"], &why["grants"][0]["decides"]), (&json!(true), &json!(true)));
    let held = reader.get(&format!("/v1/principals/{owner}/access")).expect(200).json;
    assert_eq!((&held["complete"], &held["grants"][0]["role"]), (&json!(true), &json!("owner")));
    let changes = format!("/v1/changes?from={}&limit=1", made.json["events"][1]["index"]);
    let changed = reader.get(&changes).expect(200).json;
    assert_eq!(changed["prompts"][0]["labels"], json!({"production": {"from": null, "to": 2}}));
    // Usage is taken by two processes, counted by a third and told by a fourth.
    let run = json!({"records": [{"id": "e1", "prompt": "greet", "version": 2, "label": "production"}]});
    for replica in [&acme, &at_b] {
        assert_eq!(replica.post("/v1/usage", &run).expect(200).json, json!({"records": 1}));
    }
    let counted = reader.get(&format!("/v1/analytics?group_by=prompt,label&at_least={position}")).expect(200).json;
    let group = &counted["groups"][0];
    assert_eq!((&group["key"], &group["label"], &group["count"]), (&json!("greet"), &json!("production"), &json!(1)));
    // Who did that; and that somebody asked is written by another process than answers.
    let audit = reader.get(&format!("/v1/audit?action=label.set&at_least={position}")).expect(200).json;
    assert_eq!(audit["records"][0]["key"], "greet", "{audit}");
    let (export, text) = reader.exchange("GET", "/v1/audit/export?action=version.added", &[], None).unwrap();
    assert_eq!((export.status, text.lines().count()), (200, 2), "{text}");
    until("the readings are recorded", || {
        let events = reader.get("/v1/events?limit=1000").expect(200).json.to_string();
        events.contains("audit.read") && events.contains("audit.exported")
    });
    // Read models are built anew, and put back, where they are.
    for kind in ["rebuild", "rollback"] {
        let begun = reader.send("POST", &format!("/v1/models/audit/{kind}?share=1"), &[], None).expect(202).json;
        until("a view was built anew or put back", || {
            let work = reader.get("/v1/models").expect(200).json["models"][1]["work"].clone();
            assert_eq!((&work["id"], &work["kind"]), (&begun["work"]["id"], &json!(kind)));
            work["stage"] == "done" && work["equal"] == true
        });
    }
    let refused = query.stranger().get("/v1/prompts");
    assert_eq!(refused.status, 401);

    // The split of the routes.
    for (client, method, path, role) in [
        (&reader, "POST", "/v1/prompts", "command"),
        (&reader, "PUT", "/v1/prompts/greet/key", "command"),
        (&acme, "GET", "/v1/prompts/greet", "query"),
        (&low.at(&acme), "GET", "/v1/events", "query"),
        (&low.at(&acme), "POST", "/v1/commands", "command"),
    ] {
        let answer = client.send(method, path, &[], (method != "GET").then_some(&json!({})));
        assert_eq!(
            (answer.status, answer.code(), answer.json["role"].as_str()),
            (421, "misdirected", Some(role)),
            "{path}"
        );
    }
    assert_eq!(low.stranger().get("/openapi.json").expect(200).json, reader.get("/openapi.json").expect(200).json);
    assert_eq!(low.stranger().get("/nothing").status, 404);
    for node in [&a, &b, &low, &query] {
        node.wait_ready();
        assert_eq!(node.ready().1, "ready");
        assert_eq!(node.stranger().get("/healthz").status, 200);
    }
}

#[test]
fn every_replica_gives_a_key_the_same_version_of_a_split_label() {
    let site = Site::new();
    let command = site.node("a", "command", None);
    let (one, two) = (site.node("p1", "projection", None), site.node("p2", "projection", None));
    let query = site.node("q", "query", None);
    one.wait_ready();
    two.wait_ready();
    query.wait_ready();
    let acme = command.owner("acme");
    let _ = acme.post("/v1/prompts", &json!({"key": "p", "text": "one", "labels": ["production"]})).expect(201);
    let _ = acme.post("/v1/prompts/p/versions", &json!({"text": "two"})).expect(201);
    let arms = json!({"arms": [{"version": 1, "weight": 5000}, {"version": 2, "weight": 5000}]});
    let split = acme.post("/v1/prompts/p/labels/production/rollout", &arms).expect(201).json;
    let (position, reader) = (split["position"].as_str().unwrap(), query.at(&acme));
    let texts = || -> Vec<String> {
        let text = |n| {
            let query = format!("label=production&bucket_key=user-{n}&at_least={position}");
            reader.prompt("p", &query).expect(200).json["text"].as_str().unwrap().to_owned()
        };
        (0..60).map(text).collect()
    };
    // Whichever replica answers.
    let first = texts();
    assert!(first.iter().any(|text| text == "one") && first.iter().any(|text| text == "two"));
    assert_eq!(texts(), first);
    one.stop();
    assert_eq!(texts(), first, "the one that is left");
    let three = site.node("p3", "projection", None);
    three.wait_ready();
    two.stop();
    assert_eq!(texts(), first, "one that came later");
}

#[test]
fn a_suspended_tenant_is_refused_by_every_replica() {
    let site = Site::new();
    let (a, b) = (site.node("a", "command", None), site.node("b", "command", None));
    // `_system` lies in another partition than the tenants below: its projection follows it nevertheless.
    let home = |tenant: &str| promptory_events::partition::of(&tenant.parse().unwrap(), crate::site::PARTITIONS);
    let tenant = (0..).map(|n| format!("t{n}")).find(|name| home(name) != home("_system")).unwrap();
    let projection = site.node("p", "projection", Some(&home(&tenant).to_string()));
    let query = site.node("q", "query", None);
    projection.wait_ready();
    let owner = a.owner(&tenant);
    let made = b.at(&owner).post("/v1/prompts", &json!({"key": "greet", "text": "Hello"})).expect(201);
    query.at(&owner).wait_for(made.json["position"].as_str().unwrap());
    let _ = query.at(&owner).prompt("greet", "").expect(200);
    let suspended = a.operator("a").post(&format!("/v1/tenants/{tenant}/suspend"), &json!({}));
    assert_eq!(suspended.status, 200, "{}", suspended.json);
    until("reads are refused", || query.at(&owner).prompt("greet", "").status == 403);
    until("the other replica refuses", || {
        b.at(&owner).post("/v1/prompts", &json!({"key": "x", "text": ""})).status == 403
    });
}

#[test]
fn roles_and_partitions_that_can_not_be_had_are_refused() {
    let site = Site::new();
    assert!(site.refused("a", "projection", Some("2-4")).contains("no partition 4"));
    assert!(site.refused("a", "query", Some("1")).contains("role projection"));
    assert!(site.refused("a", "projection,query", Some("1")).contains("all partitions"));
}

#[test]
fn one_process_on_jetstream_is_the_whole_system() {
    let site = Site::new();
    let mut node = site.node("one", "command,projection,query", None);
    let mut acme = node.owner("acme");
    for round in 0..2 {
        node.wait_ready();
        let path = "/v1/prompts";
        let made = acme.post(path, &json!({"key": format!("k{round}"), "text": "one"})).expect(201);
        acme.wait_for(made.json["position"].as_str().unwrap());
        assert_eq!(acme.get(path).json["prompts"].as_array().unwrap().len(), round + 1);
        node.stop();
        node = site.node("one", "command,projection,query", None);
        acme = node.at(&acme);
    }
}

#[test]
fn a_denied_question_is_recorded_by_a_process_that_takes_commands() {
    let site = Site::new();
    let (command, projection) = (site.node("c", "command", None), site.node("p", "projection", None));
    let query = site.node("q", "query", None);
    projection.wait_ready();
    let owner = command.owner("acme");
    let _ = owner.post("/v1/prompts", &json!({"key": "secret/a", "text": "x"})).expect(201);
    let issued = owner.post("/v1/keys", &json!({"role": "viewer", "prefix": "team/"})).expect(201).json;
    let viewer = query.at(&owner.with_key(issued["key"].as_str().unwrap()));
    viewer.wait_for(issued["position"].as_str().unwrap());
    for _ in 0..3 {
        let _ = viewer.prompt("secret/a", "").expect(404);
    }
    // The first was durable before it was refused, so it comes before whatever is written now.
    let marked = owner.post("/v1/prompts", &json!({"key": "mark", "text": "x"})).expect(201).json;
    let reader = query.at(&owner);
    reader.wait_for(marked["position"].as_str().unwrap());
    let events = reader.get("/v1/events").expect(200).json["events"].as_array().unwrap().clone();
    let denied: Vec<_> = events.iter().filter(|event| event["type"] == "attempt.denied").collect();
    assert!((1..=2).contains(&denied.len()), "one a minute, and the minute may have turned: {events:?}");
    assert_eq!(
        (&denied[0]["detail"]["principal"], &denied[0]["detail"]["target"]),
        (&issued["principal"], &json!("secret/"))
    );
    assert_eq!(denied[0]["detail"]["door"], "question");
}
