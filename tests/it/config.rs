//! Configurations over HTTP: checked on every write, refused with the place, kept as they were sent.

use promptory_tests::World;
use serde_json::{Value, json};

#[test]
fn a_right_configuration_is_kept_byte_for_byte_and_a_wrong_one_is_refused_by_every_command() {
    let world = World::new();
    let client = world.acme();
    let right = json!({
        "model": "large-2", "parameters": {"temperature": 0.20, "stop": ["\n"]}, "of_ours": {"team": "weather"},
        "tools": [{"type": "function", "function": {"name": "forecast", "parameters": {
            "type": "object", "properties": {"city": {"$ref": "#/$defs/name"}}, "$defs": {"name": {"type": "string"}}}}}],
        "output_schema": {"type": "object", "required": ["answer"], "properties": {"answer": {"type": "string"}}},
    });
    let created = client.post("/v1/prompts", &json!({"key": "weather", "text": "x", "config": right})).expect(201).json;
    client.wait_for(created["position"].as_str().unwrap());
    let kept = client.text("/v1/prompts/weather");
    assert!(kept.contains(&format!("\"config\":{right}")), "{kept}");
    let before = client.get("/v1/status").expect(200).json;
    let wrong = json!({"tools": [{"name": "forecast", "parameters": {"properties": {"city": {"type": "strng"}}}}]});
    let refused = [
        client.post("/v1/prompts", &json!({"key": "other", "text": "x", "config": wrong})),
        client.post("/v1/prompts/weather/versions", &json!({"text": "y", "config": wrong})),
        client.put("/v1/prompts/weather/key", &json!({"to": "sun", "text": "y", "config": wrong})),
        client.send(
            "POST",
            "/v1/prompts/weather/merges",
            &[("if-match", created["version"]["id"].as_str().unwrap())],
            Some(&json!({"from": {"version": 1}, "config": wrong})),
        ),
    ];
    for answer in refused {
        let answer = answer.expect(400);
        assert_eq!(answer.code(), "invalid-field");
        assert_eq!(answer.json["field"], "/config/tools/0/parameters/properties/city/type");
        assert!(answer.json["detail"].as_str().unwrap().contains("array, boolean, integer"), "{}", answer.json);
    }
    let in_a_batch =
        client.commands(&[json!({"type": "add_version", "prompt": "weather", "text": "y", "config": wrong})]);
    assert_eq!((&in_a_batch[0]["status"], &in_a_batch[0]["problem"]["code"]), (&400.into(), &"invalid-field".into()));
    assert_eq!(client.get("/v1/status").expect(200).json, before, "nothing was written");
}

#[test]
fn what_two_branches_make_together_is_checked_too() {
    let world = World::new();
    let client = world.acme();
    let schema = |more: Value| {
        let mut schema = json!({"$defs": {"name": {"type": "string"}}, "properties": {"a": true}});
        schema["properties"]["b"] = more;
        json!({ "output_schema": schema })
    };
    let base = json!({"output_schema": {"$defs": {"name": {"type": "string"}}, "properties": {"a": true}}});
    let _ = client.post("/v1/prompts", &json!({"key": "p", "text": "x", "config": base})).expect(201);
    let _ = client.put("/v1/prompts/p/branches/try", &json!({})).expect(201);
    let refers = schema(json!({"$ref": "#/$defs/name"}));
    let on_try = json!({"text": "x", "branch": "try", "config": refers});
    let _ = client.post("/v1/prompts/p/versions", &on_try).expect(201);
    // Each right by itself: one refers to what the other has taken away.
    let without = json!({"output_schema": {"$defs": {}, "properties": {"a": true}}});
    let _ = client.post("/v1/prompts/p/versions", &json!({"text": "x", "config": without})).expect(201);
    let conflict = client.post("/v1/prompts/p/merges", &json!({"from": {"branch": "try"}})).expect(409);
    assert_eq!(conflict.code(), "merge-conflict");
    let key = &conflict.json["config"]["conflicts"][0];
    assert_eq!((&key["path"], &key["ours"]), (&json!("/output_schema"), &without["output_schema"]));
    let ours = format!("\"{}\"", conflict.json["ours"]["version"].as_str().unwrap());
    let resolved = json!({"from": {"version": 2}, "config": refers});
    let done = client.send("POST", "/v1/prompts/p/merges", &[("if-match", &ours)], Some(&resolved)).expect(201).json;
    client.wait_for(done["position"].as_str().unwrap());
    assert_eq!(client.get("/v1/prompts/p").expect(200).json["config"], refers);
}
