//! The dashboards in deploy/grafana: every query of every panel is asked as Grafana's Infinity plugin would ask it, and has what
//! the panel's columns select.

use std::collections::BTreeMap;
use std::path::Path;

use promptory_tests::{Client, World};
use serde_json::{Value, json};

/// Every dashboard by its file's name.
fn dashboards() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/grafana/dashboards");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|file| {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap())
        })
        .collect()
}

fn texts<'v>(list: &'v Value, key: &str, value: &str) -> Vec<(&'v str, &'v str)> {
    let items = list.as_array().unwrap().iter();
    items.map(|item| (item[key].as_str().unwrap(), item[value].as_str().unwrap())).collect()
}

/// A parameter as it is sent: Grafana puts in the time and what is chosen on the dashboard.
fn filled(text: &str, variables: &[(&str, &str)]) -> String {
    let mut filled = text.replace("${__from:date:iso}", "2026-05-01T00:00:00.000Z");
    filled = filled.replace("${__to:date:iso}", "2026-05-31T00:00:00.000Z");
    for (name, value) in variables {
        filled = filled.replace(&format!("${{{name}}}"), value);
    }
    assert!(!filled.contains('$'), "`{text}` names what the dashboard does not have");
    filled.replace(':', "%3A").replace('/', "%2F")
}

/// What a path of names with dots between leads to.
fn selected<'v>(row: &'v Value, selector: &str) -> &'v Value {
    selector.split('.').fold(row, |value, name| &value[name])
}

fn used(owner: &Client) {
    let body = json!({"key": "mail/hello", "text": "Hello"});
    let _ = owner.post("/v1/prompts", &body).expect(201);
    let added = owner.post("/v1/prompts/mail%2Fhello/versions", &json!({"text": "Hi"})).expect(201).json;
    owner.wait_for(added["position"].as_str().unwrap());
    let run = |n: u32| {
        json!({"id": format!("run-{n}"), "occurred_at": "2026-05-03T11:00:00Z", "prompt": "mail/hello", "version": 1 + n % 2,
            "label": "production", "arm": "canary", "model": "m-1", "caller": format!("u-{}", n % 3),
            "latency_ms": 100 + n, "input_tokens": 10, "output_tokens": 5, "cost_nanos": 1_000,
            "error": if n.is_multiple_of(10) { json!("timeout") } else { Value::Null }})
    };
    let records: Vec<Value> = (0..100).map(run).collect();
    let _ = owner.post("/v1/usage", &json!({ "records": records })).expect(200);
    let set = owner.put("/v1/prompts/mail%2Fhello/labels/production", &json!({"version": 2})).expect(200).json;
    owner.wait_for(set["position"].as_str().unwrap());
}

#[test]
fn every_query_of_the_dashboards_has_what_its_columns_select() {
    let world = World::new();
    let owner = world.acme();
    used(&owner);
    world.clock.advance_ms(20 * 24 * 3_600_000);
    assert_eq!(owner.get("/v1/search?q=zeppelin").expect(200).json["total"], 0);
    let _ = owner.get("/v1/analytics/empty-searches").expect(200); // else it would be gathered for the time that now passes at once
    world.clock.advance_ms(11 * 24 * 3_600_000); // so that it is stale
    let mut asked = 0;
    for (file, dashboard) in dashboards() {
        let variables: Vec<_> = dashboard["templating"]["list"].as_array().unwrap().iter().collect();
        let variables: Vec<_> = variables
            .iter()
            .map(|variable| (variable["name"].as_str().unwrap(), variable["current"]["value"].as_str().unwrap()))
            .collect();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                let called = format!("{file}, {}", panel["title"]);
                assert_eq!(target["datasource"]["uid"], "promptory", "{called}");
                let parameters = texts(&target["url_options"]["params"], "key", "value");
                let query: Vec<_> =
                    parameters.iter().map(|(key, value)| format!("{key}={}", filled(value, &variables))).collect();
                let answer =
                    owner.get(&format!("{}?{}", target["url"].as_str().unwrap(), query.join("&"))).expect(200).json;
                let rows = match target["root_selector"].as_str().unwrap() {
                    "" => vec![answer.clone()],
                    root => answer[root].as_array().unwrap().clone(),
                };
                assert!(!rows.is_empty(), "{called}: {answer}");
                for (selector, _) in texts(&target["columns"], "selector", "text") {
                    assert!(!selected(&rows[0], selector).is_null(), "{called} selects `{selector}` from {}", rows[0]);
                }
                asked += 1;
            }
        }
    }
    assert_eq!(asked, 19);
}
