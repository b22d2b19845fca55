//! The routes that MLflow's client speaks about prompts, over HTTP: what they answer, that they are decided as everything else is,
//! and that what they write is there as if our own routes had written it. The client itself runs in `tests/py/mlflow_job.py`.

use promptory_tests::client::{Answer, segment};
use promptory_tests::{Client, World};
use serde_json::{Value, json};

use crate::rights::caller;

const BASE: &str = "/api/2.0/mlflow";

fn tag(key: &str, value: &str) -> Value {
    json!({"key": key, "value": value})
}

fn post(client: &Client, what: &str, body: &Value) -> Answer {
    client.settled(client.post(&format!("{BASE}/{what}"), body))
}

fn delete(client: &Client, what: &str, body: &Value) -> Answer {
    client.settled(client.send("DELETE", &format!("{BASE}/{what}"), &[], Some(body)))
}

fn get(client: &Client, what: &str) -> Answer {
    client.get(&format!("{BASE}/{what}"))
}

/// What `register_prompt` sends for a version.
fn version(client: &Client, name: &str, text: &str, tags: &[Value]) -> Answer {
    let own =
        [tag("mlflow.prompt.is_prompt", "true"), tag("_mlflow_prompt_type", "text"), tag("mlflow.prompt.text", text)];
    let tags: Vec<&Value> = own.iter().chain(tags).collect();
    let body = json!({"name": name, "source": "dummy-source", "description": "why", "tags": tags});
    post(client, "model-versions/create", &body)
}

fn come(client: &Client, name: &str) -> Answer {
    let tags = [tag("mlflow.prompt.is_prompt", "true"), tag("team", "a")];
    post(client, "registered-models/create", &json!({"name": name, "description": "why", "tags": tags}))
}

fn search(client: &Client, filter: &str, rest: &str) -> (Vec<String>, Value) {
    let filter = segment(&format!("tags.`mlflow.prompt.is_prompt` = 'true'{filter}"));
    let page = get(client, &format!("registered-models/search?filter={filter}{rest}")).expect(200).json;
    let name = |model: &Value| model["name"].as_str().unwrap().to_owned();
    let names = page["registered_models"].as_array().unwrap().iter().map(name).collect();
    (names, page["next_page_token"].clone())
}

fn value(tags: &Value, key: &str) -> Value {
    let tags = tags.as_array().unwrap();
    tags.iter().find(|tag| tag["key"] == key).map_or(Value::Null, |tag| tag["value"].clone())
}

/// That a refusal is in MLflow's form, and its code.
fn refused(answer: &Answer, status: u16, error_code: &str) -> String {
    assert_eq!((answer.status, answer.header("content-type")), (status, "application/json"), "{}", answer.json);
    assert_eq!(answer.json["error_code"], error_code, "{}", answer.json);
    assert!(!answer.json["message"].as_str().unwrap().is_empty());
    answer.json["code"].as_str().unwrap().to_owned()
}

#[test]
fn a_prompt_is_made_by_its_first_version_and_not_before() {
    let world = World::new();
    let owner = world.acme();
    assert_eq!(
        refused(&get(&owner, "registered-models/get?name=greet"), 404, "RESOURCE_DOES_NOT_EXIST"),
        "prompt-not-found"
    );
    let to_come = come(&owner, "greet").expect(200).json;
    let expected = json!({"name": "greet", "tags": [tag("mlflow.prompt.is_prompt", "true")], "aliases": []});
    assert_eq!(to_come["registered_model"], expected);
    // Nothing was written: it is not there, others may say the same, and to take it away is to do nothing.
    assert_eq!(get(&owner, "registered-models/get?name=greet").status, 404);
    assert_eq!((come(&owner, "greet").status, search(&owner, "", "").0.len()), (200, 0));
    assert_eq!(delete(&owner, "registered-models/delete", &json!({"name": "greet"})).expect(200).json, json!({}));
    let config = tag("_mlflow_prompt_model_config", r#"{"model_name": "m", "temperature": 0.5}"#);
    let schema = tag("_mlflow_prompt_response_format", r#"{"type": "object"}"#);
    let made = version(&owner, "greet", "Hi, {{ name }}.", &[config, schema, tag("team", "a")]).expect(200).json;
    let made = &made["model_version"];
    assert_eq!((&made["name"], &made["version"], &made["description"]), (&json!("greet"), &json!("1"), &json!("why")));
    assert_eq!((&made["creation_timestamp"], &made["aliases"]), (&json!(1_777_809_600_000_i64), &json!([])));
    for (key, said) in [("mlflow.prompt.text", "Hi, {{ name }}."), ("team", "a"), ("_mlflow_prompt_type", "text")] {
        assert_eq!(value(&made["tags"], key), said);
    }
    let config: Value =
        serde_json::from_str(value(&made["tags"], "_mlflow_prompt_model_config").as_str().unwrap()).unwrap();
    assert_eq!(config, json!({"model_name": "m", "temperature": 0.5}));
    assert_eq!(refused(&come(&owner, "greet"), 409, "RESOURCE_ALREADY_EXISTS"), "key-taken");
    // The next read sees it, and it is what was answered.
    let read = get(&owner, "model-versions/get?name=greet&version=1").expect(200);
    assert_eq!(&read.json["model_version"], made);
    let prompt = get(&owner, "registered-models/get?name=greet").expect(200).json["registered_model"].clone();
    assert_eq!(
        (&prompt["creation_timestamp"], value(&prompt["tags"], "team")),
        (&made["creation_timestamp"], json!("a"))
    );
    // And all of it is what our own routes say, done by this principal with this message.
    let ours = owner.prompt("greet", "").expect(200).json;
    assert_eq!((&ours["text"], &ours["version"]["message"]), (&json!("Hi, {{ name }}."), &json!("why")));
    let config =
        json!({"model": "m", "temperature": 0.5, "output_schema": {"type": "object"}, "mlflow_tags": {"team": "a"}});
    assert_eq!((&ours["config"], &ours["tags"]), (&config, &json!(["team=a"])));
    assert_eq!(ours["version"]["actor"], made["user_id"]);
}

#[test]
fn aliases_are_labels_and_tags_are_tags() {
    let world = World::new();
    let owner = world.acme();
    for text in ["one", "two"] {
        let _ = version(&owner, "greet", text, &[]).expect(200);
    }
    let alias = |alias: &str, version: &str| {
        post(&owner, "registered-models/alias", &json!({"name": "greet", "alias": alias, "version": version}))
    };
    let at = |alias: &str| get(&owner, &format!("registered-models/alias?name=greet&alias={alias}"));
    assert_eq!(alias("production", "1").expect(200).json, json!({}));
    let found = at("production").expect(200).json["model_version"].clone();
    assert_eq!((&found["version"], &found["aliases"]), (&json!("1"), &json!(["production"])));
    assert_eq!(at("latest").expect(200).json["model_version"]["version"], "2");
    let prompt = get(&owner, "registered-models/get?name=greet").expect(200).json["registered_model"].clone();
    assert_eq!(prompt["aliases"], json!([{"alias": "production", "version": "1"}]));
    assert_eq!(refused(&alias("latest", "1"), 422, "INVALID_PARAMETER_VALUE"), "label-reserved");
    assert_eq!(refused(&alias("Champion", "1"), 400, "INVALID_PARAMETER_VALUE"), "invalid-field");
    assert_eq!(refused(&alias("x", "9"), 404, "RESOURCE_DOES_NOT_EXIST"), "version-not-found");
    assert_eq!(refused(&alias("x", "one"), 400, "INVALID_PARAMETER_VALUE"), "invalid-field");
    assert_eq!(refused(&at("nobody"), 404, "RESOURCE_DOES_NOT_EXIST"), "label-not-found");
    let gone = json!({"name": "greet", "alias": "production"});
    assert_eq!(delete(&owner, "registered-models/alias", &gone).expect(200).json, json!({}));
    assert_eq!(at("production").status, 404);
    // Tags.
    let set = |key: &str, value: &str| {
        post(&owner, "registered-models/set-tag", &json!({"name": "greet", "key": key, "value": value}))
    };
    let tags = || owner.prompt("greet", "").expect(200).json["tags"].clone();
    for (key, value) in [("team", "a"), ("team", "b"), ("word", "")] {
        assert_eq!(set(key, value).expect(200).json, json!({}));
    }
    assert_eq!(tags(), json!(["team=b", "word"]));
    // What the client notes about itself whenever it reads is answered and not kept.
    let events = |client: &Client| client.get("/v1/status").expect(200).json["position"].clone();
    let before = events(&owner);
    let _ = (set("_mlflow_experiment_ids", ",0,").expect(200), set("mlflow.prompt.is_prompt", "true").expect(200));
    assert_eq!(events(&owner), before);
    assert_eq!(refused(&set("mlflow.prompt.is_prompt", "false"), 400, "INVALID_PARAMETER_VALUE"), "invalid-field");
    assert_eq!(refused(&set("long", &"x".repeat(200)), 400, "INVALID_PARAMETER_VALUE"), "invalid-field");
    for key in ["team", "nobody"] {
        let gone = json!({"name": "greet", "key": key});
        assert_eq!(delete(&owner, "registered-models/delete-tag", &gone).expect(200).json, json!({}));
    }
    assert_eq!(tags(), json!(["word"]));
}

#[test]
fn tags_that_are_set_at_the_same_time_are_all_there() {
    let world = World::new();
    let owner = world.acme();
    let _ = version(&owner, "greet", "one", &[]).expect(200);
    std::thread::scope(|scope| {
        for n in 0..4 {
            let owner = owner.clone();
            scope.spawn(move || {
                let body = json!({"name": "greet", "key": format!("k{n}"), "value": "v"});
                let _ = post(&owner, "registered-models/set-tag", &body).expect(200);
            });
        }
    });
    assert_eq!(owner.prompt("greet", "").expect(200).json["tags"], json!(["k0=v", "k1=v", "k2=v", "k3=v"]));
}

#[test]
fn prompts_are_searched_by_name_and_tags_a_page_at_a_time() {
    let world = World::new();
    let owner = world.acme();
    for (name, team) in [("a", "x"), ("b", "y"), ("bb", "x"), ("c", "x")] {
        let _ = version(&owner, name, "hi", &[tag("team", team)]).expect(200);
    }
    let names = |filter: &str| search(&owner, filter, "&order_by=name%20ASC").0;
    assert_eq!(names(""), ["a", "b", "bb", "c"]);
    assert_eq!(names(" AND name LIKE 'b%'"), ["b", "bb"]);
    assert_eq!(names(" AND name = 'b'"), ["b"]);
    assert_eq!(names(" AND tags.team = 'x' AND name ILIKE '%B%'"), ["bb"]);
    assert_eq!(names(" AND tags.nobody = 'x'"), Vec::<String>::new());
    let (mut all, mut token) = search(&owner, " AND tags.team = 'x'", "&max_results=2");
    assert_eq!(all, ["a", "bb"]);
    let _ = version(&owner, "bc", "later", &[tag("team", "x")]).expect(200);
    while let Some(next) = token.as_str() {
        let page = search(&owner, " AND tags.team = 'x'", &format!("&max_results=2&page_token={next}"));
        all.extend(page.0);
        token = page.1;
    }
    assert_eq!(all, ["a", "bb", "c"], "all pages are of one point");
    // Models, which MLflow keeps at the same place, are not here.
    let models = get(&owner, "registered-models/search?filter=name%20LIKE%20%27%25%27").expect(200).json;
    assert_eq!(models, json!({"registered_models": []}));
    for (query, field) in [
        ("filter=x", "filter"),
        ("max_results=0", "max_results"),
        ("max_results=1001", "max_results"),
        ("order_by=timestamp%20DESC", "order_by"),
        ("page_token=x", "page_token"),
    ] {
        let answer = get(&owner, &format!("registered-models/search?{query}"));
        let _ = refused(&answer, 400, "INVALID_PARAMETER_VALUE");
        assert_eq!(answer.json["field"], field, "{query}");
    }
    // Versions of one prompt, the newest first.
    for text in ["two", "three"] {
        let _ = version(&owner, "a", text, &[]).expect(200);
    }
    let of = |rest: &str| {
        let filter = segment("name = 'a' AND tag.`mlflow.prompt.is_prompt` = 'true'");
        get(&owner, &format!("model-versions/search?filter={filter}&order_by=version_number%20DESC{rest}"))
            .expect(200)
            .json
    };
    let numbers = |page: &Value| -> Vec<String> {
        let of = page["model_versions"].as_array().unwrap();
        of.iter().map(|version| version["version"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(numbers(&of("")), ["3", "2", "1"]);
    let first = of("&max_results=2");
    let second = of(&format!("&max_results=2&page_token={}", first["next_page_token"].as_str().unwrap()));
    assert_eq!((numbers(&first), numbers(&second)), (vec!["3".to_owned(), "2".into()], vec!["1".to_owned()]));
    assert_eq!(
        (value(&first["model_versions"][0]["tags"], "mlflow.prompt.text"), &second["next_page_token"]),
        (json!("three"), &Value::Null)
    );
}

#[test]
fn what_is_refused_elsewhere_is_refused_here_in_mlflows_form() {
    let world = World::new();
    let owner = world.acme();
    let _ = version(&owner, "greet", "one", &[]).expect(200);
    let _ = version(&owner, "greet", "two", &[]).expect(200);
    let _ = post(&owner, "registered-models/alias", &json!({"name": "greet", "alias": "production", "version": "1"}))
        .expect(200);
    let _ = owner.put("/v1/protections/production", &json!({"approvals": 1})).expect(200);
    let moved =
        post(&owner, "registered-models/alias", &json!({"name": "greet", "alias": "production", "version": "2"}));
    assert_eq!(refused(&moved, 409, "RESOURCE_CONFLICT"), "label-protected");
    let chat =
        [tag("_mlflow_prompt_type", "chat"), tag("mlflow.prompt.text", r#"[{"role": "user", "content": "hi"}]"#)];
    assert_eq!(refused(&version(&owner, "greet", "", &chat), 409, "RESOURCE_CONFLICT"), "kind-mismatch");
    let odd = tag("_mlflow_prompt_response_format", r#""text""#);
    assert_eq!(refused(&version(&owner, "greet", "x", &[odd]), 400, "INVALID_PARAMETER_VALUE"), "invalid-field");
    let model = post(&owner, "registered-models/create", &json!({"name": "model"}));
    assert_eq!(refused(&model, 400, "INVALID_PARAMETER_VALUE"), "invalid-field");
    let no_text = post(&owner, "model-versions/create", &json!({"name": "model", "source": "s3://x", "tags": []}));
    assert_eq!(refused(&no_text, 400, "INVALID_PARAMETER_VALUE"), "invalid-field");
    // Nothing is deleted, and versions do not change.
    let gone = delete(&owner, "registered-models/delete", &json!({"name": "greet"}));
    assert_eq!(refused(&gone, 405, "NOT_IMPLEMENTED"), "method-not-allowed");
    let one = json!({"name": "greet", "version": "1", "key": "k", "value": "v"});
    for answer in [
        delete(&owner, "model-versions/delete", &one),
        post(&owner, "model-versions/set-tag", &one),
        delete(&owner, "model-versions/delete-tag", &one),
    ] {
        assert_eq!(refused(&answer, 405, "NOT_IMPLEMENTED"), "method-not-allowed");
    }
    assert_eq!(owner.prompt("greet", "").expect(200).json["versions"], 2, "nothing was written by any of it");
    let elsewhere = post(&owner, "experiments/create", &json!({"name": "x"}));
    assert_eq!(refused(&elsewhere, 404, "ENDPOINT_NOT_FOUND"), "not-found");
    let key = [("idempotency-key", "k")];
    let repeated = owner.send(
        "POST",
        &format!("{BASE}/registered-models/set-tag"),
        &key,
        Some(&json!({"name": "greet", "key": "k"})),
    );
    assert_eq!(refused(&repeated, 400, "INVALID_PARAMETER_VALUE"), "invalid-field");
    // Rights are those of every other route.
    let (stranger, _) = caller(&owner, &json!({"role": "viewer", "prefix": "other/"}));
    for answer in [
        get(&stranger, "registered-models/get?name=greet"),
        get(&stranger, "model-versions/get?name=greet&version=1"),
        get(&stranger, "model-versions/search?filter=name%20%3D%20%27greet%27"),
    ] {
        assert_eq!(refused(&answer, 404, "RESOURCE_DOES_NOT_EXIST"), "prompt-not-found");
    }
    for answer in [come(&stranger, "new"), version(&stranger, "greet", "x", &[])] {
        assert_eq!(refused(&answer, 403, "PERMISSION_DENIED"), "forbidden");
    }
    assert_eq!(search(&stranger, "", "").0, Vec::<String>::new());
    let (viewer, _) = caller(&owner, &json!({"role": "viewer"}));
    assert_eq!(get(&viewer, "registered-models/alias?name=greet&alias=production").status, 200);
    assert_eq!(refused(&version(&viewer, "new", "x", &[]), 403, "PERMISSION_DENIED"), "forbidden");
    let nobody = owner.with_key("pk_acme_0000000000000000_x");
    assert_eq!(refused(&get(&nobody, "registered-models/get?name=greet"), 401, "UNAUTHENTICATED"), "unauthenticated");
}
