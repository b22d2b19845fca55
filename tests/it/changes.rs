//! What changed between two points is what differs between the answers as of them, for histories with claimed times, on every
//! clock, page by page; and who may not see something is not told that it changed.

use std::collections::{BTreeMap, BTreeSet};

use promptory_events::Timestamp;
use promptory_tests::{Client, World};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::rights::caller;

const START: i64 = 1_700_000_000;

/// A command out of few names, so that they meet, perhaps with a claimed time in seconds after the start.
fn command() -> impl Strategy<Value = (Value, Option<i64>)> {
    let key = || (0..4u8).prop_map(|n| ["team/0", "team/1", "other/2", "3"][usize::from(n)]);
    let body = prop_oneof![
        4 => key().prop_map(|key| json!({"type": "create_prompt", "key": key, "text": "a"})),
        4 => (key(), 0..9u8).prop_map(|(key, n)| json!({"type": "add_version", "prompt": key, "text": n.to_string()})),
        2 => (key(), key()).prop_map(|(key, to)| json!({"type": "rename_prompt", "prompt": key, "to": to})),
        1 => key().prop_map(|key| json!({"type": "archive_prompt", "prompt": key})),
        3 => (key(), 1..3u8).prop_map(|(key, version)| {
            json!({"type": "set_label", "prompt": key, "label": "production", "version": version})
        }),
        1 => key().prop_map(|key| json!({"type": "remove_label", "prompt": key, "label": "production"})),
        2 => (key(), 0..3u8).prop_map(|(key, n)| json!({"type": "set_tags", "prompt": key, "tags": [n.to_string()]})),
        1 => (key(), 0..2u8).prop_map(|(key, n)| {
            json!({"type": "create_branch", "prompt": key, "branch": format!("b{n}")})
        }),
    ];
    (body, proptest::option::weighted(0.6, 0..3_000i64))
}

/// Sends commands, a minute between some of them, and tells the last position.
fn told(world: &World, client: &Client, commands: Vec<(Value, Option<i64>)>) {
    let mut last = None;
    for part in commands.chunks(6) {
        world.clock.advance_ms(60_000);
        let part = part.iter().map(|(body, at)| {
            let mut body = body.clone();
            if let Some(at) = at {
                body["occurred_at"] = Timestamp::from_micros((START + at) * 1_000_000).to_string().into();
                body["author"] = "historian".into();
            }
            body
        });
        for result in client.commands(&part.collect::<Vec<_>>()) {
            last = result["position"].as_str().map(ToOwned::to_owned).or(last);
        }
    }
    if let Some(position) = last {
        client.wait_for(&position);
    }
}

/// What there is to compare of a prompt at a point.
fn at(client: &Client, id: &str, as_of: &str) -> Option<Value> {
    let answer = client.get(&format!("/v1/prompts/{id}?{as_of}"));
    (answer.status == 200).then_some(answer.json)
}

/// All pages of what changed: prompts by id, and the settings.
fn changes(client: &Client, query: &str, limit: usize) -> (BTreeMap<String, Value>, Vec<Value>) {
    let (mut prompts, mut settings) = (BTreeMap::new(), Vec::new());
    let mut path = format!("/v1/changes?{query}&limit={limit}");
    loop {
        let page = client.get(&path).expect(200).json;
        for prompt in page["prompts"].as_array().unwrap() {
            let before = prompts.insert(prompt["prompt"].as_str().unwrap().to_owned(), prompt.clone());
            assert!(before.is_none(), "told twice: {prompt}");
        }
        settings.extend(page["settings"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else { return (prompts, settings) };
        path = format!("/v1/changes?cursor={next}&limit={limit}");
    }
}

/// What should be told of one prompt.
fn expected(was: Option<&Value>, is: &Value) -> Value {
    let step = |name: &str, none: Value| {
        let (from, to) = (was.map_or(Value::Null, |was| was[name].clone()), is[name].clone());
        if from == to || (was.is_none() && to == none) { Value::Null } else { json!({"from": from, "to": to}) }
    };
    let none = json!({});
    let (before, after) = (was.map_or(&none, |was| &was["labels"]), &is["labels"]);
    let names: BTreeSet<&String> =
        before.as_object().unwrap().keys().chain(after.as_object().unwrap().keys()).collect();
    let moved = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    let labels: BTreeMap<_, _> =
        moved.map(|name| (name, json!({"from": before.get(name), "to": after.get(name)}))).collect();
    let renamed = was.filter(|was| was["key"] != is["key"]).map(|was| json!({"from": was["key"], "to": is["key"]}));
    json!({
        "key": is["key"], "created": was.is_none(), "renamed": renamed, "archived": step("archived", json!(false)),
        "versions": step("versions", json!(0)), "tags": step("tags", json!([])), "labels": labels,
    })
}

fn check(client: &Client, ids: &BTreeSet<String>, (from, to): (&str, &str), clock: &str, prefix: &str, limit: usize) {
    let (found, _) = changes(client, &format!("from={from}&to={to}{clock}&prefix={prefix}"), limit);
    for id in ids {
        let (was, is) =
            (at(client, id, &format!("as_of={from}{clock}")), at(client, id, &format!("as_of={to}{clock}")));
        let below = |row: &Value| row["key"].as_str().unwrap().starts_with(prefix);
        let differs = match (&was, &is) {
            (_, None) => false,
            (None, Some(is)) => below(is),
            (Some(was), Some(is)) => was["changed_index"] != is["changed_index"] && (below(was) || below(is)),
        };
        let Some(changed) = found.get(id) else {
            assert!(!differs, "{from} {to} {clock} {prefix}: {id} changed from {was:?} to {is:?}");
            continue;
        };
        assert!(differs, "{from} {to} {clock} {prefix}: {changed}");
        let expected = expected(was.as_ref(), is.as_ref().unwrap());
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&changed[name], value, "{name} of {changed}, from {was:?} to {is:?}");
        }
        let last = |row: &Option<Value>| row.as_ref().map_or(-1, |row| row["changed_index"].as_i64().unwrap());
        let indexes: Vec<_> =
            changed["events"].as_array().unwrap().iter().map(|e| e["index"].as_i64().unwrap()).collect();
        assert!(indexes.is_sorted() && indexes.iter().all(|index| (last(&was) + 1..=last(&is)).contains(index)));
        assert_eq!(indexes.last(), Some(&last(&is)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn what_changed_is_what_differs_between_the_answers_as_of_both_points(
        commands in proptest::collection::vec(command(), 20..60),
        picks in proptest::collection::vec((any::<proptest::sample::Index>(), any::<proptest::sample::Index>()), 4),
        limit in 1usize..4,
    ) {
        let world = World::new();
        let client = world.acme();
        let begin = world.clock.now();
        told(&world, &client, commands);
        let events = client.get("/v1/events?limit=1000").expect(200).json;
        let end = events["next"].as_u64().unwrap();
        let all = events["events"].as_array().unwrap().iter();
        let ids: BTreeSet<String> = all.filter_map(|event| event["prompt"].as_str().map(ToOwned::to_owned)).collect();
        for (one, other) in picks {
            let pick = |index: &proptest::sample::Index, count: u64| index.index(usize::try_from(count).unwrap()) as i64;
            let (a, b) = (pick(&one, end), pick(&other, end));
            check(&client, &ids, (&a.min(b).to_string(), &a.max(b).to_string()), "", "", limit);
            check(&client, &ids, (&a.min(b).to_string(), &a.max(b).to_string()), "", "team/", limit);
            let minutes = |n: i64| begin.plus_ms(n * 60_000).to_string();
            let (a, b) = (pick(&one, 12), pick(&other, 12));
            check(&client, &ids, (&minutes(a.min(b)), &minutes(a.max(b))), "&clock=recorded", "", limit);
            let seconds = |n: i64| Timestamp::from_micros((START + n) * 1_000_000).to_string();
            let (a, b) = (pick(&one, 3_100), pick(&other, 3_100));
            check(&client, &ids, (&seconds(a.min(b)), &seconds(a.max(b))), "&clock=occurred", "", limit);
            check(&client, &ids, (&seconds(a.min(b)), &minutes(12)), "&clock=occurred", "team/", limit);
        }
    }
}

#[test]
fn one_prompt_is_told_of_with_what_to_compare_and_settings_with_their_events() {
    let world = World::new();
    let owner = world.acme();
    let created = owner.post("/v1/prompts", &json!({"key": "team/a", "text": "one"})).expect(201).json;
    let index = |outcome: &Value| outcome["events"].as_array().unwrap().last().unwrap()["index"].as_u64().unwrap();
    let since = index(&created);
    let _ = owner.post("/v1/prompts/team%2Fa/versions", &json!({"text": "two", "labels": ["production"]})).expect(201);
    let _ = owner.put("/v1/protections/stable?prefix=team/", &json!({"approvals": 1})).expect(200);
    let (viewer, _) = caller(&owner, &json!({"role": "viewer", "prefix": "team/"}));
    let renamed = owner.put("/v1/prompts/team%2Fa/key", &json!({"to": "other/a"})).expect(200).json;
    owner.wait_for(renamed["position"].as_str().unwrap());
    for prompt in ["other%2Fa", created["prompt"].as_str().unwrap(), "team%2Fa"] {
        let page = owner.get(&format!("/v1/changes?from={since}&prompt={prompt}")).expect(200).json;
        let changed = &page["prompts"][0];
        assert_eq!(changed["renamed"], json!({"from": "team/a", "to": "other/a"}), "{prompt}");
        assert_eq!(changed["labels"], json!({"production": {"from": null, "to": 2}}));
        assert_eq!((&changed["main"], &page["settings"]), (&json!({"from": 1, "to": 2}), &json!([])));
        let compared = owner.get(changed["diff"].as_str().unwrap()).expect(200).json;
        assert_eq!((&compared["from"]["number"], &compared["to"]["number"]), (&json!(1), &json!(2)));
        let types: Vec<_> = changed["events"].as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["version.added", "label.set", "prompt.renamed"]);
    }
    let types =
        |settings: &[Value]| settings.iter().map(|e| e["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let (prompts, settings) = changes(&owner, &format!("from={since}&prefix=team/"), 1);
    assert_eq!(prompts.len(), 1, "it was there at the first point");
    assert_eq!(types(&settings), ["label.protected", "role.granted"]);
    let (_, settings) = changes(&owner, &format!("from={since}"), 1);
    assert_eq!(types(&settings), ["label.protected", "principal.added", "role.granted", "key.issued"]);

    // Whoever may read there, and not who may do what: the prompt has left what he may see, with its past.
    let (prompts, settings) = changes(&viewer, &format!("from={since}"), 1);
    assert!(prompts.is_empty(), "{prompts:?}");
    assert_eq!(types(&settings), ["label.protected", "key.issued"], "and his own key");
    let missing = viewer.get(&format!("/v1/changes?from={since}&prompt=other%2Fa")).expect(404);
    assert_eq!(missing.code(), "prompt-not-found");
    for (query, field) in [("", "from"), ("from=5&to=4", "to"), ("from=1&prompt=a&prefix=b", "prompt")] {
        let refused = owner.get(&format!("/v1/changes?{query}")).expect(400);
        assert_eq!((refused.code(), &refused.json["field"]), ("invalid-field", &json!(field)), "{query}");
    }
    assert_eq!(owner.get("/v1/changes?from=0&to=9999").expect(422).code(), "index-beyond-end");
}
