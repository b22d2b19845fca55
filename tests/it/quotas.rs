//! Quotas over HTTP: set by operators, seen by the tenant, named in refusals, the same after a restart and a rebuild.

use promptory_tests::World;
use serde_json::{Value, json};

fn quota(quotas: &Value, name: &str) -> (Value, Value) {
    let item = quotas["quotas"].as_array().unwrap().iter().find(|item| item["quota"] == name);
    let item = item.unwrap_or_else(|| panic!("no {name} in {quotas}"));
    (item["used"].clone(), item["limit"].clone())
}

#[test]
fn a_quota_is_set_by_an_operator_seen_by_the_tenant_and_named_when_it_is_full() {
    let mut world = World::new();
    let owner = world.acme();
    let operator = world.operator();
    let fresh = owner.get("/v1/quotas").expect(200).json;
    assert_eq!(quota(&fresh, "prompts"), (json!(0), Value::Null));
    assert_eq!(quota(&fresh, "api-keys"), (json!(1), Value::Null));
    assert_eq!(quota(&fresh, "commands-per-minute"), (Value::Null, Value::Null));
    let path = |quota: &str| format!("/v1/tenants/acme/quotas/{quota}");
    let set = operator.put(&path("prompts"), &json!({"limit": 1})).expect(200).json;
    assert_eq!(set["events"][0]["type"], "quota.set");
    let _ = operator.put(&path("stored-bytes"), &json!({"limit": 10})).expect(200);
    assert_eq!(owner.post("/v1/prompts", &json!({"key": "a", "text": "12345"})).status, 201);
    let refused = owner.post("/v1/prompts", &json!({"key": "b", "text": "1"})).expect(422);
    assert_eq!(refused.code(), "quota-exceeded");
    let told = (&refused.json["quota"], &refused.json["limit"], &refused.json["used"]);
    assert_eq!(told, (&json!("prompts"), &json!(1), &json!(1)));
    let version = owner.post("/v1/prompts/a/versions", &json!({"text": "123456"})).expect(422);
    assert_eq!((version.code(), &version.json["quota"]), ("quota-exceeded", &json!("stored-bytes")));
    let added = owner.post("/v1/prompts/a/versions", &json!({"text": "1234", "config": {}})).status;
    assert_eq!(added, 422, "a configuration takes bytes, too");
    let added = owner.post("/v1/prompts/a/versions", &json!({"text": "1234"})).expect(201).json;

    let position = added["position"].as_str().unwrap();
    let now = owner.get(&format!("/v1/quotas?at_least={position}")).expect(200).json;
    assert_eq!(quota(&now, "prompts"), (json!(1), json!(1)));
    assert_eq!(quota(&now, "versions"), (json!(2), Value::Null));
    assert_eq!(quota(&now, "stored-bytes"), (json!(9), json!(10)));
    // Who sees a part only does not learn how much there is.
    let issued = owner.post("/v1/keys", &json!({"role": "viewer", "prefix": "team/"})).expect(201).json;
    owner.wait_for(issued["position"].as_str().unwrap());
    let viewer = owner.with_key(issued["key"].as_str().unwrap());
    assert_eq!(viewer.get("/v1/quotas").expect(403).code(), "forbidden");

    world.restart(|data| std::fs::remove_dir_all(data.join("models")).unwrap());
    let (owner, operator) = (world.acme(), world.operator());
    let again = owner.get("/v1/quotas").expect(200).json;
    assert_eq!(quota(&again, "stored-bytes"), (json!(9), json!(10)), "built anew");
    world.restart(|_| ());
    let (owner, operator) = (world.acme(), promptory_tests::Client::new(&world.acme().url, &operator.key));
    assert_eq!(quota(&owner.get("/v1/quotas").expect(200).json, "stored-bytes"), (json!(9), json!(10)), "opened again");
    let _ = operator.send("DELETE", &path("prompts"), &[], None).expect(200);
    assert_eq!(owner.post("/v1/prompts", &json!({"key": "b", "text": ""})).status, 201);
}

#[test]
fn commands_a_minute_are_refused_with_the_time_to_come_again() {
    let world = World::new();
    let owner = world.acme();
    let set = world.operator().put("/v1/tenants/acme/quotas/commands-per-minute", &json!({"limit": 2}));
    assert_eq!(set.status, 200, "{}", set.json);
    let create = |key: &str| owner.post("/v1/prompts", &json!({"key": key, "text": ""}));
    assert_eq!((create("a").status, create("b").status), (201, 201));
    let refused = create("c").expect(429);
    assert_eq!((refused.code(), &refused.json["limit"]), ("rate-limited", &json!(2)));
    let seconds: i64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=31).contains(&seconds), "{seconds}");
    assert_eq!(owner.get("/v1/prompts").status, 200, "reads are not counted");
    world.clock.advance_ms(seconds * 1000);
    assert_eq!(create("c").status, 201);
}

#[test]
fn what_is_no_quota_or_no_limit_is_refused() {
    let world = World::new();
    let (owner, operator) = (world.acme(), world.operator());
    for (path, body, status, code) in [
        ("acme/quotas/everything", json!({"limit": 1}), 400, "invalid-field"),
        ("acme/quotas/prompts", json!({}), 400, "invalid-field"),
        ("acme/quotas/prompts", json!({"limit": -1}), 400, "invalid-field"),
        ("nobody/quotas/prompts", json!({"limit": 1}), 404, "tenant-not-found"),
    ] {
        let answer = operator.put(&format!("/v1/tenants/{path}"), &body);
        assert_eq!((answer.status, answer.code()), (status, code), "{path} {body}");
    }
    let by_owner = owner.put("/v1/tenants/acme/quotas/prompts", &json!({"limit": 9}));
    assert_eq!((by_owner.status, by_owner.code()), (422, "not-in-this-ledger"));
}
