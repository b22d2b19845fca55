//! Random histories of a few prompts: exported, imported into an empty tenant and exported again, they say the same.

use std::sync::atomic::{AtomicUsize, Ordering};

use promptory_tests::{Client, World};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::{carried, exported, imported, settle};

/// A command about the n-th prompt that was made, by its id.
fn command() -> impl Strategy<Value = (usize, Value)> {
    let body = prop_oneof![
        4 => (0..4u8, 0..4u8).prop_map(|(key, n)| json!({"type": "create_prompt", "key": format!("k/{key}"), "text": n.to_string()})),
        4 => (0..9u8, 0..3u8).prop_map(|(n, branch)| {
            let text = format!("{}\n\n{n}\n", n % 3);
            let body = json!({"type": "add_version", "text": text, "labels": if n < 3 { vec!["production"] } else { vec![] }});
            on(body, branch)
        }),
        2 => (0..4u8, any::<bool>()).prop_map(|(key, text)| {
            let mut body = json!({"type": "rename_prompt", "to": format!("k/{key}")});
            if text { body["text"] = "renamed".into() }
            body
        }),
        1 => Just(json!({"type": "archive_prompt"})),
        2 => (0..4u8).prop_map(|key| json!({"type": "restore_prompt", "key": format!("k/{key}")})),
        2 => (1..4u8).prop_map(|version| json!({"type": "set_label", "label": "production", "version": version})),
        1 => Just(json!({"type": "remove_label", "label": "production"})),
        1 => (0..3u8).prop_map(|n| json!({"type": "set_tags", "tags": [n.to_string()]})),
        1 => (0..3u8).prop_map(|n| json!({"type": "set_metadata", "metadata": {"n": n}})),
        3 => (1..3u8, 1..3u8).prop_map(|(branch, from)| {
            on(json!({"type": "create_branch", "from": {"version": from}}), branch)
        }),
        1 => (1..3u8).prop_map(|branch| on(json!({"type": "close_branch"}), branch)),
        2 => (0..4u8, 1..3u8).prop_map(|(key, from)| {
            json!({"type": "fork_prompt", "key": format!("k/{key}"), "from": {"version": from}})
        }),
        3 => (0..3u8, 0..3u8).prop_map(|(into, from)| {
            let from = json!({"branch": if from == 0 { "main".to_owned() } else { format!("b{from}") }});
            on(json!({"type": "merge", "from": from}), into)
        }),
    ];
    let claim = proptest::option::of((0..3_000i64, proptest::option::of("[a-z]{3}")));
    (0..5usize, body, claim, proptest::option::of(".{1,8}")).prop_map(|(prompt, mut body, claim, message)| {
        if let Some((at, author)) = claim {
            body["occurred_at"] = format!("2024-05-03T14:{:02}:{:02}Z", at / 60, at % 60).into();
            body["author"] = json!(author);
        }
        body["message"] = json!(message);
        (prompt, body)
    })
}

fn on(mut body: Value, branch: u8) -> Value {
    if branch > 0 {
        body["branch"] = format!("b{branch}").into();
    }
    body
}

/// Sends what is taken; gives how many commands were.
fn told(client: &Client, commands: Vec<(usize, Value)>) -> usize {
    let (mut made, mut done): (Vec<Value>, usize) = (Vec::new(), 0);
    for (prompt, mut body) in commands {
        if body["type"] != "create_prompt" {
            let Some(id) = made.get(prompt % made.len().max(1)) else { continue };
            body["prompt"] = id.clone();
        }
        body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let result = client.commands(&[body.clone()]).remove(0);
        if result["problem"].is_null() {
            done += 1;
            if matches!(body["type"].as_str(), Some("create_prompt" | "fork_prompt")) {
                made.push(result["prompt"].clone());
            }
        }
    }
    done
}

#[test]
fn whatever_happened_happens_again_in_an_empty_tenant() {
    let world = World::new();
    let (next, folder) = (AtomicUsize::new(0), tempfile::tempdir().unwrap());
    let mut runner = TestRunner::new(Config { cases: 16, failure_persistence: None, ..Config::default() });
    let done = AtomicUsize::new(0);
    let outcome = runner.run(&prop::collection::vec(command(), 1..60), |commands| {
        let n = next.fetch_add(1, Ordering::Relaxed);
        let (from, to) = (format!("from{n}"), format!("to{n}"));
        done.fetch_add(told(&world.owner_of(&from), commands), Ordering::Relaxed);
        settle(&world, &from);
        let (file, copy) = (folder.path().join(&from), folder.path().join(&to));
        exported(&world, &from, &file);
        let report = imported(&world, &to, &file);
        prop_assert_eq!(report.failed, 0, "{}", report);
        settle(&world, &to);
        exported(&world, &to, &copy);
        prop_assert_eq!(carried(&file), carried(&copy));
        Ok(())
    });
    outcome.unwrap();
    assert!(done.into_inner() > 50, "most commands must be taken, or nothing was shown");
}
