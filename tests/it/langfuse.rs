//! The routes that Langfuse's clients speak, over HTTP: what they answer, that they are decided as everything else is, and
//! that what they write is there as if our own routes had written it. The SDKs themselves run in `tests/py/langfuse_job.py`.

use data_encoding::BASE64;
use promptory_tests::client::{Answer, segment};
use promptory_tests::{Client, World};
use serde_json::{Value, json};

use crate::rights::caller;

const PROMPTS: &str = "/api/public/v2/prompts";

fn of(name: &str, query: &str) -> String {
    format!("{PROMPTS}/{}?{query}", segment(name))
}

fn create(client: &Client, body: &Value) -> Answer {
    client.settled(client.post(PROMPTS, body))
}

fn relabel(client: &Client, name: &str, version: u32, labels: &[&str]) -> Answer {
    let path = format!("{PROMPTS}/{}/versions/{version}", segment(name));
    client.settled(client.send("PATCH", &path, &[], Some(&json!({ "newLabels": labels }))))
}

/// That a refusal is in Langfuse's form, and its code.
fn refused(answer: &Answer, status: u16, error: &str) -> String {
    assert_eq!((answer.status, answer.header("content-type")), (status, "application/json"), "{}", answer.json);
    assert_eq!(answer.json["error"], error, "{}", answer.json);
    assert!(!answer.json["message"].as_str().unwrap().is_empty());
    answer.json["code"].as_str().unwrap().to_owned()
}

#[test]
fn a_prompt_is_made_gets_versions_and_is_read_at_once_by_label_and_by_number() {
    let world = World::new();
    let owner = world.acme();
    let first = owner.post(
        PROMPTS,
        &json!({"name": "team/greet", "prompt": "Hello, {{name}}.", "labels": ["production"], "tags": ["b", "a"],
            "config": {"temperature": 0.5}, "commitMessage": "first", "type": "text"}),
    );
    let first = first.expect(201).json;
    let expected = json!({
        "id": first["id"], "projectId": "acme", "name": "team/greet", "version": 1, "type": "text",
        "prompt": "Hello, {{name}}.", "config": {"temperature": 0.5}, "labels": ["production", "latest"], "tags": ["a", "b"],
        "commitMessage": "first", "createdAt": "2026-05-03T12:00:00Z", "updatedAt": "2026-05-03T12:00:00Z",
        "createdBy": first["createdBy"], "isActive": true, "resolutionGraph": null,
    });
    assert_eq!(first, expected);
    // The next read sees it: these clients know no positions.
    let read = owner.get(&of("team/greet", "")).expect(200);
    assert_eq!((&read.json, read.header("etag").trim_matches('"')), (&first, first["id"].as_str().unwrap()));
    let second = create(&owner, &json!({"name": "team/greet", "prompt": "Good day.", "labels": ["staging", "latest"]}));
    let second = second.expect(201).json;
    assert_eq!((&second["version"], &second["labels"]), (&json!(2), &json!(["staging", "latest"])));
    assert_eq!(
        (&second["tags"], &second["config"]),
        (&json!(["a", "b"]), &json!({})),
        "tags stay, a configuration does not"
    );
    let number = |query: &str| owner.get(&of("team/greet", query)).expect(200).json["version"].clone();
    assert_eq!((number(""), number("label=staging"), number("label=latest")), (json!(1), json!(2), json!(2)));
    assert_eq!((number("version=1"), number("version=2&resolve=false")), (json!(1), json!(2)));
    // Labels move, and those that a version has stay.
    let moved = relabel(&owner, "team/greet", 2, &["production", "eu"]).expect(200).json;
    assert_eq!(
        (&moved["labels"], &moved["isActive"]),
        (&json!(["eu", "production", "staging", "latest"]), &json!(true))
    );
    assert_eq!((number(""), moved["prompt"].as_str()), (json!(2), Some("Good day.")));
    let unchanged = relabel(&owner, "team/greet", 1, &[]).expect(200).json;
    assert_eq!((&unchanged["labels"], &unchanged["commitMessage"]), (&json!([]), &json!("first")));
    // And all of it is what our own routes say, done by this principal with these messages.
    let ours = owner.prompt("team/greet", "version=1").expect(200).json;
    assert_eq!((&ours["text"], &ours["version"]["message"]), (&json!("Hello, {{name}}."), &json!("first")));
    assert_eq!(
        (&ours["labels"], &ours["version"]["actor"]),
        (&json!({"eu": 2, "production": 2, "staging": 2}), &first["createdBy"])
    );
    let tagged = create(&owner, &json!({"name": "team/greet", "prompt": "Hi.", "tags": ["c"]})).expect(201).json;
    assert_eq!((&tagged["version"], &tagged["tags"]), (&json!(3), &json!(["c"])));
}

#[test]
fn a_chat_keeps_its_messages_and_placeholders() {
    let world = World::new();
    let owner = world.acme();
    let sent = json!([{"type": "chatmessage", "role": "system", "content": "Be kind."}, {"type": "placeholder", "name": "history"}]);
    let made =
        create(&owner, &json!({"name": "chat", "type": "chat", "prompt": sent, "labels": ["production"]})).expect(201);
    let kept = json!([{"role": "system", "content": "Be kind."}, {"type": "placeholder", "name": "history"}]);
    assert_eq!((&made.json["type"], &made.json["prompt"]), (&json!("chat"), &kept));
    assert_eq!(owner.get(&of("chat", "")).expect(200).json, made.json);
    let other = create(&owner, &json!({"name": "chat", "prompt": "text"}));
    assert_eq!(refused(&other, 409, "LangfuseConflictError"), "kind-mismatch");
    let odd = create(&owner, &json!({"name": "chat", "type": "chat", "prompt": [{"role": "user"}]}));
    assert_eq!(
        (refused(&odd, 400, "InvalidRequestError"), &odd.json["field"]),
        ("invalid-field".into(), &json!("/prompt/0"))
    );
}

#[test]
fn a_list_is_filtered_counted_and_paged_by_number() {
    let world = World::new();
    let owner = world.acme();
    for n in 0..12 {
        let body = json!({"name": format!("p/{n:02}"), "prompt": "x", "labels": if n % 2 == 0 { vec!["even"] } else { vec![] },
            "tags": [if n < 3 { "low" } else { "high" }], "config": {"n": n}});
        let _ = create(&owner, &body).expect(201);
    }
    world.clock.advance_ms(3_600_000);
    let _ = create(&owner, &json!({"name": "p/00", "prompt": "y", "config": {"n": "new"}})).expect(201);
    let list = |query: &str| owner.get(&format!("{PROMPTS}?{query}")).expect(200).json;
    let names = |query: &str| -> Vec<String> {
        let page = list(query);
        page["data"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()[2..].to_owned()).collect()
    };
    let first = list("");
    assert_eq!(first["meta"], json!({"page": 1, "limit": 10, "totalItems": 12, "totalPages": 2}));
    assert_eq!((&first["pagination"], first["data"].as_array().unwrap().len()), (&first["meta"], 10));
    assert_eq!(
        first["data"][0],
        json!({"name": "p/00", "type": "text", "versions": [1, 2], "labels": ["even", "latest"], "tags": ["low"],
            "lastUpdatedAt": "2026-05-03T13:00:00Z", "lastConfig": {"n": "new"}})
    );
    assert_eq!(
        (names("page=2"), names("page=3"), names("limit=5&page=3")),
        (vec!["10".into(), "11".into()], vec![], vec!["10".into(), "11".into()])
    );
    let even = list("label=even&limit=100");
    assert_eq!((&even["meta"]["totalItems"], &even["data"][0]["versions"]), (&json!(6), &json!([1])));
    assert_eq!((&even["data"][0]["labels"], &even["data"][0]["lastConfig"]), (&json!(["even"]), &json!({"n": 0})));
    assert_eq!(
        (names("tag=low"), names("tag=low&label=even")),
        (vec!["00".into(), "01".into(), "02".into()], vec!["00".into(), "02".into()])
    );
    assert_eq!(names("fromUpdatedAt=2026-05-03T12:30:00Z"), ["00"]);
    assert_eq!(list("toUpdatedAt=2026-05-03T14:30:00%2B02:00")["meta"]["totalItems"], 11);
    assert_eq!((names("name=p/01"), names("name=p"), names("name=p/01&tag=high")), (vec!["01".into()], vec![], vec![]));
    assert_eq!(
        (list("name=p/01&page=2")["data"].clone(), list("name=")["meta"]["totalItems"].clone()),
        (json!([]), json!(0))
    );
    // Who sees a part of the tenant is answered as if there were no more.
    let _ = create(&owner, &json!({"name": "q/1", "prompt": "x"})).expect(201);
    let (viewer, _) = caller(&owner, &json!({"role": "viewer", "prefix": "q/"}));
    let seen = viewer.get(PROMPTS).expect(200).json;
    assert_eq!((&seen["meta"]["totalItems"], &seen["data"][0]["name"]), (&json!(1), &json!("q/1")));
}

#[test]
fn what_is_refused_elsewhere_is_refused_here_in_langfuses_form() {
    let world = World::new();
    let owner = world.acme();
    let _ = create(&owner, &json!({"name": "a", "prompt": "one", "labels": ["production"]})).expect(201);
    let _ = create(&owner, &json!({"name": "a", "prompt": "two"})).expect(201);
    let _ = owner.put("/v1/protections/production", &json!({"approvals": 1})).expect(200);
    // A protected label holds, alone, among others, and with a version: nothing of the request is done.
    for answer in [
        relabel(&owner, "a", 2, &["production"]),
        relabel(&owner, "a", 2, &["free", "production"]),
        create(&owner, &json!({"name": "a", "prompt": "three", "labels": ["production"]})),
    ] {
        assert_eq!(refused(&answer, 409, "LangfuseConflictError"), "label-protected");
    }
    let now = owner.get(&of("a", "label=latest")).expect(200).json;
    assert_eq!((&now["version"], &now["labels"]), (&json!(2), &json!(["latest"])));
    for (answer, status, error, code) in [
        (owner.get(&of("nobody", "")), 404, "LangfuseNotFoundError", "prompt-not-found"),
        (owner.get(&of("a", "label=nobody")), 404, "LangfuseNotFoundError", "label-not-found"),
        (owner.get(&of("a", "version=9")), 404, "LangfuseNotFoundError", "version-not-found"),
        (owner.get(&of("a", "version=1&label=production")), 400, "InvalidRequestError", "invalid-field"),
        (owner.get(&of("a", "label=A")), 400, "InvalidRequestError", "invalid-field"),
        (owner.get(&format!("{PROMPTS}?limit=1000")), 400, "InvalidRequestError", "invalid-field"),
        (relabel(&owner, "nobody", 1, &["x"]), 404, "LangfuseNotFoundError", "prompt-not-found"),
        (relabel(&owner, "a", 9, &["x"]), 404, "LangfuseNotFoundError", "version-not-found"),
        (relabel(&owner, "a", 9, &[]), 404, "LangfuseNotFoundError", "version-not-found"),
        (relabel(&owner, "a", 1, &["latest"]), 400, "InvalidRequestError", "invalid-field"),
        (relabel(&owner, "a", 1, &["_x"]), 400, "InvalidRequestError", "invalid-field"),
        (
            create(&owner, &json!({"name": "a", "prompt": "x", "config": [1]})),
            400,
            "InvalidRequestError",
            "invalid-field",
        ),
        (create(&owner, &json!({"prompt": "x"})), 400, "InvalidRequestError", "invalid-field"),
        (owner.send("DELETE", &of("a", "version=1"), &[], None), 405, "MethodNotAllowedError", "method-not-allowed"),
        (owner.get("/api/public/projects"), 404, "LangfuseNotFoundError", "not-found"),
        (owner.with_key("nobody's").get(&of("a", "")), 401, "UnauthorizedError", "unauthenticated"),
        (
            create(&owner.with_key("nobody's"), &json!({"name": "a", "prompt": "x"})),
            401,
            "UnauthorizedError",
            "unauthenticated",
        ),
    ] {
        assert_eq!(refused(&answer, status, error), code);
    }
    let repeated = owner.send("POST", PROMPTS, &[("idempotency-key", "k")], Some(&json!({"name": "a", "prompt": "x"})));
    assert_eq!(refused(&repeated, 400, "InvalidRequestError"), "invalid-field");
    assert_eq!(owner.get(&of("a", "version=3")).status, 404, "nothing that was refused was done");
}

#[test]
fn rights_are_those_of_every_other_route_and_the_key_comes_as_name_and_password() {
    let world = World::new();
    let owner = world.acme();
    let _ = create(&owner, &json!({"name": "team/a", "prompt": "one", "labels": ["production"]})).expect(201);
    let (name, secret) = owner.key.rsplit_once('_').unwrap();
    let basic = owner.authorized(&format!("Basic {}", BASE64.encode(format!("{name}:{secret}").as_bytes())));
    assert_eq!(basic.get(&of("team/a", "")).expect(200).json["prompt"], "one");
    assert_eq!(create(&basic, &json!({"name": "team/a", "prompt": "two"})).expect(201).json["version"], 2);
    let (viewer, _) = caller(&owner, &json!({"role": "viewer"}));
    assert_eq!(viewer.get(&of("team/a", "")).expect(200).json["version"], 1);
    let written = create(&viewer, &json!({"name": "team/a", "prompt": "x"}));
    assert_eq!(refused(&written, 403, "ForbiddenError"), "forbidden");
    assert_eq!(refused(&relabel(&viewer, "team/a", 1, &["x"]), 403, "ForbiddenError"), "forbidden");
    // Who may write and not read gets no text for an answer, and nothing is written.
    let _ = owner.put("/v1/roles/blind", &json!({"actions": ["write-prompts", "move-labels"]})).expect(200);
    let (blind, _) = caller(&owner, &json!({"role": "blind"}));
    assert_eq!(refused(&relabel(&blind, "team/a", 1, &["x"]), 403, "ForbiddenError"), "forbidden");
    assert_eq!(refused(&create(&blind, &json!({"name": "team/a", "prompt": "x"})), 403, "ForbiddenError"), "forbidden");
    assert_eq!(owner.get(&of("team/a", "label=latest")).expect(200).json["version"], 2);
    let (elsewhere, _) = caller(&owner, &json!({"role": "editor", "prefix": "other/"}));
    assert_eq!(refused(&elsewhere.get(&of("team/a", "")), 404, "LangfuseNotFoundError"), "prompt-not-found");
    assert_eq!(create(&elsewhere, &json!({"name": "other/a", "prompt": "x"})).expect(201).json["version"], 1);
}

#[test]
fn prompts_inside_others_are_includes_here_and_tags_there() {
    let world = World::new();
    let owner = world.acme();
    let tag = |name: &str, at: &str| format!("@@@langfusePrompt:name={name}|{at}@@@");
    let make = |body: Value| create(&owner, &body).expect(201).json;
    let inner = make(json!({"name": "t/inner", "prompt": "{%inner%} {{a}}", "labels": ["production"]}));
    let text = format!("{{# [{}]", tag("t/inner", "label=production"));
    let middle = make(json!({"name": "t/middle", "prompt": text, "labels": ["production"]}));
    assert_eq!((middle["prompt"].as_str(), &middle["resolutionGraph"]), (Some(text.as_str()), &Value::Null));
    let (first, second) = (tag("t/middle", "version=1"), tag("t/inner", "label=production"));
    let sent = json!([{"role": "system", "content": format!("{first}|{second}")}, {"type": "placeholder", "name": "h"},
        {"role": "user", "content": "{{b}} {%"}]);
    let outer = make(json!({"name": "outer", "type": "chat", "prompt": sent, "labels": ["production"]}));
    assert_eq!(outer["prompt"], sent, "a write is answered as it came");
    assert_eq!(owner.get(&of("outer", "resolve=false")).expect(200).json, outer);
    let resolved = owner.get(&of("outer", "")).expect(200);
    assert_eq!(
        resolved.json["prompt"],
        json!([{"role": "system", "content": "{# [{%inner%} {{a}}]|{%inner%} {{a}}"}, {"type": "placeholder", "name": "h"},
            {"role": "user", "content": "{{b}} {%"}])
    );
    let node = |of: &Value| json!({"id": of["id"], "name": of["name"], "version": of["version"]});
    let (outer_id, middle_id) = (outer["id"].as_str().unwrap(), middle["id"].as_str().unwrap());
    let dependencies = json!({outer_id: [node(&middle), node(&inner)], middle_id: [node(&inner)]});
    assert_eq!(resolved.json["resolutionGraph"], json!({"root": node(&outer), "dependencies": dependencies}));
    // Here they are includes, as recorded as any.
    let ours = owner.prompt("outer", "").expect(200).json;
    assert_eq!(
        (&ours["version"]["template"], &ours["version"]["includes"]),
        (&json!("jinja"), &json!(["t/middle@1", "t/inner@production"]))
    );
    let values = json!({"variables": {"a": "A", "b": "B", "h": []}});
    let said = owner.post("/v1/prompts/outer/render", &values).expect(200).json;
    assert_eq!(said["messages"][1]["content"], "B {%");
    let dependents = owner.get("/v1/prompts/t%2Finner/dependents").expect(200).json;
    assert_eq!(dependents["dependents"].as_array().unwrap().len(), 2);
    // What a label means is as it is when somebody asks.
    let _ = make(json!({"name": "t/inner", "prompt": "new", "labels": ["production"]}));
    assert_eq!(owner.get(&of("t/middle", "")).expect(200).json["prompt"], "{# [new]");
    // What is not there, goes round in a circle or has no form here is refused.
    let refuse =
        |prompt: String| create(&owner, &json!({"name": "t/inner", "prompt": prompt, "labels": ["production"]}));
    assert_eq!(refused(&refuse(tag("nobody", "label=production")), 422, "InvalidRequestError"), "include-not-found");
    assert_eq!(refused(&refuse(tag("t/middle", "version=1")), 409, "LangfuseConflictError"), "include-cycle");
    assert_eq!(refused(&refuse(tag("t/middle", "label=A")), 400, "InvalidRequestError"), "invalid-field");
    // A template with more in it is shown as it is, unless something would have to be filled in.
    let jinja = |key: &str, text: &str| {
        let body = json!({"key": key, "text": text, "template": "jinja", "labels": ["production"]});
        let made = owner.post("/v1/prompts", &body).expect(201).json;
        owner.wait_for(made["position"].as_str().unwrap());
    };
    jinja("loops", "{% for p in people %}{{ p }}{% endfor %}");
    assert_eq!(owner.get(&of("loops", "")).expect(200).json["prompt"], "{% for p in people %}{{ p }}{% endfor %}");
    jinja("both", "{% if a %}{% include \"t/inner@production\" %}{% endif %}");
    assert_eq!(refused(&owner.get(&of("both", "")), 422, "InvalidRequestError"), "render-failed");
    let raw = owner.get(&of("both", "resolve=false")).expect(200).json;
    assert_eq!(raw["prompt"], "{% if a %}{% include \"t/inner@production\" %}{% endif %}");
    // Who does not see what is included gets nothing of it.
    let _ = make(json!({"name": "o/page", "prompt": tag("t/inner", "label=production"), "labels": ["production"]}));
    let (viewer, _) = caller(&owner, &json!({"role": "viewer", "prefix": "o/"}));
    assert_eq!(refused(&viewer.get(&of("o/page", "")), 422, "InvalidRequestError"), "include-not-found");
}
