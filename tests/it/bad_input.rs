//! Bad input gets a problem with a stable type and loses nothing; no input makes anything panic.

use std::sync::{LazyLock, Mutex, PoisonError};

use promptory_tests::client::segment;
use promptory_tests::{Client, World};
use proptest::prelude::*;
use serde_json::{Value, json};

static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| Mutex::new(World::new()));

/// Any JSON.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z_]{1,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A command that is right but for one field.
fn nearly_right() -> impl Strategy<Value = Value> {
    let kinds = [
        "create_prompt",
        "add_version",
        "rename_prompt",
        "set_tags",
        "set_metadata",
        "archive_prompt",
        "restore_prompt",
        "set_label",
        "remove_label",
        "create_branch",
        "close_branch",
        "fork_prompt",
        "merge",
        "issue_key",
        "revoke_key",
        "grant_role",
        "create_tenant",
    ];
    let fields = [
        "key",
        "prompt",
        "to",
        "text",
        "messages",
        "config",
        "tags",
        "metadata",
        "labels",
        "label",
        "branch",
        "from",
        "version",
        "role",
        "principal",
        "occurred_at",
        "author",
        "message",
        "if_match",
        "idempotency_key",
        "type",
    ];
    (proptest::sample::select(kinds.to_vec()), proptest::sample::select(fields.to_vec()), any_json()).prop_map(
        |(kind, field, value)| {
            let mut command = json!({"type": kind, "prompt": "there"});
            command[field] = value;
            command
        },
    )
}

fn check_problem(status: u64, problem: &Value) {
    assert!((400..500).contains(&status), "{status} {problem}");
    assert!(problem["type"].as_str().unwrap().starts_with("https://promptory.dev/problems/"), "{problem}");
    assert!(!problem["detail"].as_str().unwrap().is_empty());
}

fn owner(world: &World) -> Client {
    let client = world.acme();
    let created = client.post("/v1/prompts", &json!({"key": "there", "text": "x"}));
    if let Some(position) = created.json["position"].as_str() {
        client.wait_for(position);
    }
    client
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn any_json_as_a_command_is_done_or_refused_with_a_problem(command in prop_oneof![any_json(), nearly_right()]) {
        let world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
        let client = owner(&world);
        let answer = client.post("/v1/commands", &json!({"commands": [command]}));
        if answer.status == 200 {
            let result = &answer.json["results"][0];
            let status = result["status"].as_u64().unwrap();
            if status >= 400 {
                check_problem(status, &result["problem"]);
            }
        } else {
            check_problem(answer.status.into(), &answer.json);
        }
        let _ = client.post("/v1/prompts/there/tags", &json!({})).code();
    }

    #[test]
    fn any_query_is_answered_or_refused_with_a_problem(
        path in prop_oneof![Just(String::new()), ".{0,20}".prop_map(|s| format!("/{}", segment(&s)))],
        name in proptest::sample::select(vec!["label", "version", "as_of", "clock", "at_least", "limit", "cursor",
            "prefix", "from", "colour"]),
        value in prop_oneof![".{0,20}", "[0-9]{1,25}", "-?[0-9]{1,4}-[0-9]{2}-[0-9]{2}T00:00:00Z"],
    ) {
        let world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
        let client = owner(&world);
        for base in ["/v1/prompts", "/v1/events", "/v1/status"] {
            let path = if base == "/v1/prompts" { path.as_str() } else { "" };
            let answer = client.get(&format!("{base}{path}?{name}={}", segment(&value)));
            if answer.status != 200 && answer.status != 504 {
                check_problem(answer.status.into(), &answer.json);
                assert_eq!(answer.code(), answer.json["code"]);
            }
        }
    }
}

#[test]
fn each_kind_of_bad_request_has_its_own_type() {
    let world = World::new();
    let client = owner(&world);
    let before = client.get("/v1/status").json;
    let big = "x".repeat(512 * 1024 + 1);
    let many: Vec<Value> = (0..1001).map(|_| json!({})).collect();
    let cases: Vec<(&str, &str, Option<Value>, u16, &str)> = vec![
        ("POST", "/v1/prompts", Some(json!({"key": "a", "text": 1})), 400, "invalid-field"),
        ("POST", "/v1/prompts", Some(json!([])), 400, "invalid-field"),
        ("POST", "/v1/prompts", Some(json!({"key": "a", "text": big})), 413, "too-large"),
        ("POST", "/v1/prompts", Some(json!({"key": "a".repeat(1025), "text": ""})), 400, "invalid-field"),
        ("POST", "/v1/prompts", Some(json!({"key": "there", "text": ""})), 409, "key-taken"),
        ("POST", "/v1/commands", Some(json!({"commands": many})), 422, "limit-reached"),
        ("PUT", "/v1/prompts/there/labels/latest", Some(json!({"version": 1})), 422, "label-reserved"),
        ("PUT", "/v1/prompts/there/labels/x", Some(json!({"version": 9})), 404, "version-not-found"),
        ("DELETE", "/v1/prompts/there/labels/x", None, 404, "label-not-found"),
        ("DELETE", "/v1/prompts", None, 405, "method-not-allowed"),
        ("GET", "/v1/nowhere", None, 404, "not-found"),
        ("GET", "/v1/prompts/nobody", None, 404, "prompt-not-found"),
        ("GET", "/v1/prompts/there?label=x", None, 404, "label-not-found"),
        ("GET", "/v1/prompts/there?version=9", None, 404, "version-not-found"),
        ("GET", "/v1/prompts/there?as_of=1999-01-01T00:00:00Z", None, 404, "prompt-not-found"),
        ("GET", "/v1/prompts/there?as_of=99999", None, 422, "index-beyond-end"),
        ("GET", "/v1/prompts/there?label=x&version=1", None, 400, "invalid-field"),
        ("GET", "/v1/prompts?cursor=x", None, 400, "invalid-field"),
        ("GET", "/v1/prompts?limit=0", None, 400, "invalid-field"),
        ("POST", "/v1/tenants", Some(json!({"tenant": "x"})), 422, "not-in-this-ledger"),
    ];
    for (method, path, body, status, code) in cases {
        let answer = client.send(method, path, &[], body.as_ref());
        assert_eq!((answer.status, answer.code()), (status, code), "{method} {path}: {}", answer.json);
    }
    for key in ["", "pk_acme_0000000000000000_aaaa", "pk_nobody_0303030303030303_aaaa", &client.key[..30]] {
        let answer = client.with_key(key).get("/v1/prompts");
        assert_eq!((answer.status, answer.code()), (401, "unauthenticated"));
    }
    assert_eq!(client.get("/v1/status").json, before, "nothing was written");
}

#[test]
fn a_field_of_another_shape_is_named() {
    let world = World::new();
    let client = owner(&world);
    for (method, path, body, field) in [
        ("POST", "/v1/prompts", json!({"key": "a//b", "text": 7}), "/text"),
        ("POST", "/v1/prompts", json!({"text": "x"}), "/key"),
        ("POST", "/v1/prompts", json!({"key": "a", "text": "x", "colour": 1}), "/colour"),
        ("POST", "/v1/prompts", json!({"key": "a", "text": "x", "message": 1}), "/message"),
        ("PUT", "/v1/prompts/there/labels/x", json!({"version": "1"}), "/version"),
        ("POST", "/v1/commands", json!({"commands": [{}, 7]}), "/commands/1"),
        ("POST", "/v1/commands", json!({"commands": [], "atomic": "yes"}), "/atomic"),
        ("POST", "/v1/usage", json!({"records": 7}), "/records"),
    ] {
        let answer = client.send(method, path, &[], Some(&body));
        assert_eq!((answer.code(), &answer.json["field"]), ("invalid-field", &json!(field)), "{body}: {}", answer.json);
    }
}
