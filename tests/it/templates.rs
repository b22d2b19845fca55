//! Contents as templates, over HTTP: placeholders and variables, what versions say, and what they include.

use promptory_tests::client::{Answer, segment};
use promptory_tests::{Client, World};
use serde_json::{Value, json};

/// What a command answered, once it can be read.
fn done(client: &Client, answer: Answer) -> Value {
    let answer = answer.expect(201);
    client.wait_for(answer.json["position"].as_str().unwrap());
    answer.json
}

fn create(client: &Client, body: &Value) -> Value {
    done(client, client.post("/v1/prompts", body))
}

fn add(client: &Client, prompt: &str, body: &Value) -> Value {
    done(client, client.post(&format!("/v1/prompts/{}/versions", segment(prompt)), body))
}

fn label(client: &Client, prompt: &str, name: &str, version: u32) -> Answer {
    let answer = client.put(&format!("/v1/prompts/{}/labels/{name}", segment(prompt)), &json!({"version": version}));
    if answer.status == 200 {
        client.wait_for(answer.json["position"].as_str().unwrap());
    }
    answer
}

fn render(client: &Client, prompt: &str, query: &str, variables: &Value) -> Answer {
    client.post(&format!("/v1/prompts/{}/render?{query}", segment(prompt)), &json!({ "variables": variables }))
}

#[test]
fn what_is_not_said_to_be_a_template_is_stored_and_said_as_it_is() {
    let world = World::new();
    let client = world.acme();
    let text = "{% if %} {{ a }} {{ b.c }} {# {{";
    create(&client, &json!({"key": "odd", "text": text}));
    let odd = client.prompt("odd", "").expect(200).json;
    assert_eq!((&odd["text"], &odd["version"]["template"]), (&json!(text), &json!("simple")));
    assert_eq!(odd["variables"], json!({"a": {"declared": false, "used": true, "required": true}}));
    let said = render(&client, "odd", "", &json!({"a": "x"})).expect(200).json;
    assert_eq!(said["text"], "{% if %} x {{ b.c }} {# {{");
    add(&client, "odd", &json!({"text": text, "template": "none"}));
    let said = render(&client, "odd", "", &json!({})).expect(200);
    assert_eq!((said.json["text"].as_str(), said.json["version"]["number"].as_u64()), (Some(text), Some(2)));
    assert_eq!(said.header("etag").trim_matches('"'), said.json["version"]["id"].as_str().unwrap());
    // Whoever says that it is a template is told where it is none.
    let refused = client.post("/v1/prompts/odd/versions", &json!({"text": "fine\n{{ a", "template": "jinja"}));
    assert_eq!((refused.status, refused.code()), (422, "template-invalid"));
    assert_eq!((&refused.json["line"], &refused.json["field"]), (&json!(2), &json!("/text")));
    let chat = json!({"key": "chat", "template": "jinja", "messages": [
        {"role": "system", "content": "fine"}, {"role": "user", "content": "\n\n{% endfor %}"}
    ]});
    let refused = client.post("/v1/prompts", &chat);
    assert_eq!((&refused.json["line"], &refused.json["field"]), (&json!(3), &json!("/messages/1/content")));
    let unknown = client.post("/v1/prompts/odd/versions", &json!({"text": "", "template": "mustache"}));
    assert_eq!((unknown.status, unknown.code()), (400, "invalid-field"));
}

#[test]
fn a_version_is_rendered_with_values_and_every_variable_that_is_wrong_is_named() {
    let world = World::new();
    let client = world.acme();
    let text = "{% for p in people %}{{ p.name }}{{ ', ' if not loop.last }}{% endfor %}: {{ tone }} {{ count }}";
    create(
        &client,
        &json!({"key": "team/greet", "text": text, "template": "jinja", "variables": {
            "people": {"type": "list", "description": "who is greeted"},
            "tone": {"type": "string", "default": "warm"},
            "count": {"type": "integer", "required": true},
        }}),
    );
    let people = json!([{"name": "Ada"}, {"name": "Bob"}]);
    let said = render(&client, "team/greet", "", &json!({"people": people, "count": 2})).expect(200).json;
    assert_eq!(said["text"], "Ada, Bob: warm 2");
    assert_eq!((&said["key"], &said["included"]), (&json!("team/greet"), &json!([])));
    let refused = render(&client, "team/greet", "", &json!({"people": "Ada", "tne": "cold"}));
    assert_eq!((refused.status, refused.code()), (422, "variables-invalid"));
    let faults = refused.json["fields"].as_array().unwrap().iter();
    let faults: Vec<_> = faults.map(|f| (f["field"].as_str().unwrap(), f["problem"].as_str().unwrap())).collect();
    assert_eq!(
        faults,
        [("/variables/count", "missing"), ("/variables/people", "wrong-type"), ("/variables/tne", "unknown")]
    );
    let failed = render(&client, "team/greet", "", &json!({"people": [{"nme": "Ada"}], "count": 1}));
    assert_eq!((failed.code(), &failed.json["fields"][0]["field"]), ("variables-invalid", &json!("/variables/p.name")));
    let variables = client.prompt("team/greet", "").expect(200).json["variables"].clone();
    assert_eq!(
        variables["tone"],
        json!({
            "declared": true, "used": true, "required": false, "type": "string", "default": "warm"
        })
    );
    assert_eq!(variables["people"]["description"], "who is greeted");
    // What is declared is checked when it is written.
    for (variables, field) in [
        (json!({"a": {"type": "string", "default": 1}}), "/variables/a"),
        (json!({"a b": {}}), "/variables/a b"),
        (json!({"a/b": {"type": "text"}}), "/variables/a~1b"),
        (json!({"a": {"type": "text"}}), "/variables/a"),
    ] {
        let refused = client.post("/v1/prompts/team%2Fgreet/versions", &json!({"text": "", "variables": variables}));
        assert_eq!((refused.status, refused.code(), &refused.json["field"]), (400, "invalid-field", &json!(field)));
    }
    let (no_body, odd) = (client.send("POST", "/v1/prompts/x/render", &[], None), json!({"values": {}}));
    assert_eq!((no_body.status, client.post("/v1/prompts/x/render", &odd).status), (415, 400));
}

#[test]
fn a_placeholder_stands_for_messages_and_stays_in_the_stored_chat() {
    let world = World::new();
    let client = world.acme();
    let messages = json!([
        {"role": "system", "content": "Be {{tone}}."},
        {"type": "placeholder", "name": "history"},
        {"role": "user", "content": "{{question}}"},
    ]);
    create(&client, &json!({"key": "chat", "messages": messages, "labels": ["production"]}));
    let chat = client.prompt("chat", "label=production").expect(200).json;
    assert_eq!((&chat["messages"], &chat["variables"]["history"]["type"]), (&messages, &json!("messages")));
    let history = json!([{"role": "user", "content": "hi {{tone}}"}, {"role": "assistant", "content": "hello"}]);
    let values = json!({"tone": "kind", "history": history, "question": "why?"});
    let said = render(&client, "chat", "label=production", &values).expect(200).json;
    let contents: Vec<_> =
        said["messages"].as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap()).collect();
    assert_eq!(contents, ["Be kind.", "hi {{tone}}", "hello", "why?"]);
    let wrong = render(&client, "chat", "", &json!({"tone": "kind", "history": [{"role": "user"}], "question": ""}));
    assert_eq!((wrong.code(), &wrong.json["fields"][0]["problem"]), ("variables-invalid", &json!("wrong-type")));
    for item in [
        json!({"type": "image", "name": "x"}),
        json!({"type": "placeholder"}),
        json!({"type": "placeholder", "name": "a b"}),
    ] {
        let refused = client.post("/v1/prompts", &json!({"key": "other", "messages": [item]}));
        assert_eq!((refused.status, refused.code()), (400, "invalid-field"));
    }
    // What differs, and what two make together, knows placeholders too.
    add(&client, "chat", &json!({"messages": [{"type": "placeholder", "name": "history"}], "template": "none"}));
    let diff = client.get("/v1/prompts/chat/diff").expect(200).json;
    assert_eq!(diff["template"], json!({"from": "simple", "to": "none"}));
    assert_eq!(diff["messages"][1]["op"], "equal");
}

/// `team/footer` with `production` at its first version, and `greet`, which includes it.
fn two() -> (World, Client) {
    let world = World::new();
    let client = world.acme();
    create(&client, &json!({"key": "team/footer", "text": "Yours, {{name}}", "labels": ["production"]}));
    let text = "Hello {{ who }}. {% include 'team/footer@production' %}";
    create(&client, &json!({"key": "greet", "text": text, "template": "jinja"}));
    (world, client)
}

#[test]
fn an_include_follows_its_label_and_the_past_stays_what_it_was() {
    let (_world, client) = two();
    let values = json!({"who": "Ada", "name": "Bob"});
    let said = render(&client, "greet", "", &values).expect(200);
    assert_eq!(said.json["text"], "Hello Ada. Yours, Bob");
    let included = &said.json["included"][0];
    assert_eq!((&included["key"], &included["number"]), (&json!("team/footer"), &json!(1)));
    assert_eq!(said.json["version"]["includes"], json!(["team/footer@production"]));
    let before = said.header("promptory-position").rsplit_once('-').unwrap().1.to_owned();
    add(&client, "team/footer", &json!({"text": "Best, {{ name|upper }}", "template": "jinja"}));
    assert_eq!(label(&client, "team/footer", "production", 2).status, 200);
    assert_eq!(render(&client, "greet", "", &values).expect(200).json["text"], "Hello Ada. Best, BOB");
    let then = render(&client, "greet", &format!("as_of={before}"), &values).expect(200);
    assert_eq!(then.json["text"], "Hello Ada. Yours, Bob");
    // Another key is the same prompt.
    let renamed = client.put("/v1/prompts/team%2Ffooter/key", &json!({"to": "team/end"})).expect(200);
    client.wait_for(renamed.json["position"].as_str().unwrap());
    assert_eq!(render(&client, "greet", "", &values).expect(200).json["included"][0]["key"], "team/end");
    let missing = render(&client, "greet", "", &json!({"who": "Ada"}));
    assert_eq!((missing.code(), &missing.json["fields"][0]["field"]), ("variables-invalid", &json!("/variables/name")));
    // A label that is gone.
    let gone = client.send("DELETE", "/v1/prompts/team%2Fend/labels/production", &[], None).expect(200);
    client.wait_for(gone.json["position"].as_str().unwrap());
    let refused = render(&client, "greet", "", &values);
    assert_eq!((refused.status, refused.code()), (422, "include-not-found"));
    assert_eq!((&refused.json["include"], &refused.json["line"]), (&json!("team/footer@production"), &json!(1)));
}

#[test]
fn no_command_ends_with_a_version_that_includes_itself() {
    let (_world, client) = two();
    let circle = |text: &str, labels: Value| {
        let body = json!({"text": text, "template": "jinja", "labels": labels});
        let refused = client.post("/v1/prompts/team%2Ffooter/versions", &body);
        assert_eq!((refused.status, refused.code()), (409, "include-cycle"), "{text}");
        refused.json["include"].as_str().unwrap().to_owned()
    };
    assert_eq!(circle("{% include 'greet@latest' %}", json!(["production"])), "greet@latest");
    assert_eq!(circle("{% include 'team/footer@latest' %}", json!([])), "team/footer@latest");
    add(&client, "team/footer", &json!({"text": "{% include 'greet@1' %}", "template": "jinja"}));
    let moved = label(&client, "team/footer", "production", 2);
    assert_eq!((moved.status, moved.code(), &moved.json["include"]), (409, "include-cycle", &json!("greet@1")));
    // A label that is split means its control, and moves when that is over.
    let rollout = "/v1/prompts/team%2Ffooter/labels/production/rollout";
    let arms = json!({"arms": [{"version": 1, "weight": 5000}, {"version": 2, "weight": 5000}]});
    done(&client, client.post(rollout, &arms));
    let values = json!({"who": "Ada", "name": "Bob"});
    assert_eq!(render(&client, "greet", "", &values).expect(200).json["text"], "Hello Ada. Yours, Bob");
    let keyed = "label=production&bucket_key=7";
    let chosen = client.prompt("team/footer", keyed).expect(200).json["version"]["number"].clone();
    let own = if chosen == 1 { json!({"name": "Bob"}) } else { values };
    let arm = render(&client, "team/footer", keyed, &own).expect(200);
    assert_eq!((&arm.json["version"]["number"], arm.header("promptory-arm")), (&chosen, &*chosen.to_string()));
    let led = client.get("/v1/prompts/greet/dependents").expect(200).json["dependents"][0].clone();
    assert_eq!((&led["version"]["number"], &led["labels"]), (&json!(2), &json!(["production"])));
    let over = client.post(&format!("{rollout}/complete"), &json!({"version": 2}));
    assert_eq!((over.status, over.code()), (409, "include-cycle"));
    for (text, code) in [
        ("{% include 'nobody@production' %}", "include-not-found"),
        ("{% include 'team/footer@9' %}", "include-not-found"),
        ("{% include who %}", "template-invalid"),
    ] {
        let refused = client.post("/v1/prompts/greet/versions", &json!({"text": text, "template": "jinja"}));
        assert_eq!((refused.status, refused.code()), (422, code), "{text}");
    }
    create(&client, &json!({"key": "chat", "messages": []}));
    let chat = json!({"text": "{% include 'chat@1' %}", "template": "jinja"});
    assert_eq!(client.post("/v1/prompts/greet/versions", &chat).code(), "include-not-text");
}

#[test]
fn what_depends_on_a_prompt_is_listed_now_and_then() {
    let (_world, client) = two();
    let dependents = |query: &str| {
        let page = client.get(&format!("/v1/prompts/team%2Ffooter/dependents?{query}")).expect(200).json;
        let items = page["dependents"].as_array().unwrap().iter();
        let items: Vec<_> = items
            .map(|d| (d["prompt"]["key"].as_str().unwrap().to_owned(), d["version"]["number"].as_u64().unwrap()))
            .collect();
        (items, page["next_cursor"].as_str().map(ToOwned::to_owned), page["dependents"][0].clone())
    };
    let (items, _, first) = dependents("");
    assert_eq!(items, [("greet".to_owned(), 1)]);
    assert_eq!(
        (&first["at"], &first["branches"], &first["labels"]),
        (&json!(["production"]), &json!(["main"]), &json!([]))
    );
    let then = first["index"].as_u64().unwrap();
    add(&client, "greet", &json!({"text": "Hello."}));
    let both = "{% include 'team/footer@1' %}{% include 'team/footer@production' %}";
    create(&client, &json!({"key": "other", "text": both, "template": "jinja", "labels": ["a"]}));
    assert_eq!(dependents("").0, [("other".to_owned(), 1)], "nothing leads to the first version of greet any more");
    assert_eq!(dependents("all=true").0, [("greet".to_owned(), 1), ("other".to_owned(), 1)]);
    assert_eq!(dependents(&format!("as_of={then}")).0, [("greet".to_owned(), 1)]);
    let (page, next, _) = dependents("all=true&limit=1");
    assert_eq!(page, [("greet".to_owned(), 1)]);
    let (page, last, other) = dependents(&format!("cursor={}&limit=1", next.unwrap()));
    assert_eq!((page, last), (vec![("other".to_owned(), 1)], None));
    assert_eq!((&other["at"], &other["labels"]), (&json!([1, "production"]), &json!(["a"])));
    let events = client.get("/v1/events?from=0&limit=1000").expect(200).json["events"].clone();
    let added = events.as_array().unwrap().iter().rfind(|event| event["type"] == "version.added").unwrap();
    assert_eq!(added["detail"]["template"], "jinja");
    assert_eq!(
        (&added["detail"]["includes"][0]["version"], &added["detail"]["includes"][1]["label"]),
        (&json!(1), &json!("production"))
    );
}

#[test]
fn whoever_may_not_read_what_is_included_neither_writes_nor_renders_it() {
    let (_world, owner) = two();
    let secret = "{% include 'secret/rules@latest' %}";
    create(&owner, &json!({"key": "secret/rules", "text": "none of your business"}));
    create(&owner, &json!({"key": "open/a", "text": secret, "template": "jinja"}));
    let editor = owner.post("/v1/keys", &json!({"role": "editor", "prefix": "open/"})).expect(201).json;
    owner.wait_for(editor["position"].as_str().unwrap());
    let editor = owner.with_key(editor["key"].as_str().unwrap());
    let refused = render(&editor, "open/a", "", &json!({}));
    assert_eq!((refused.status, refused.code()), (422, "include-not-found"), "like one that is not there");
    assert_eq!(render(&owner, "open/a", "", &json!({})).expect(200).json["text"], "none of your business");
    let written = editor.post("/v1/prompts/open%2Fa/versions", &json!({"text": secret, "template": "jinja"}));
    assert_eq!((written.status, written.code()), (403, "forbidden"));
    let hidden = owner.get("/v1/prompts/secret%2Frules/dependents").expect(200).json;
    assert_eq!(hidden["dependents"][0]["prompt"]["key"], "open/a");
    assert_eq!(editor.get("/v1/prompts/secret%2Frules/dependents").code(), "prompt-not-found");
}

#[test]
fn forks_and_merges_take_the_template_along() {
    let (_world, client) = two();
    add(
        &client,
        "greet",
        &json!({
            "text": "Hello {{ who }}.\n\n\n{% include 'team/footer@production' %}", "template": "jinja",
            "variables": {"who": {"type": "string", "default": "you"}}
        }),
    );
    done(&client, client.post("/v1/prompts/greet/forks", &json!({"key": "mine"})));
    let mine = client.prompt("mine", "").expect(200).json;
    assert_eq!((&mine["version"]["template"], &mine["variables"]["who"]["default"]), (&json!("jinja"), &json!("you")));
    assert_eq!(
        render(&client, "mine", "", &json!({"name": "Bob"})).expect(200).json["text"],
        "Hello you.\n\n\nYours, Bob"
    );
    let branch = client.put("/v1/prompts/greet/branches/try", &json!({})).expect(201);
    client.wait_for(branch.json["position"].as_str().unwrap());
    let include = "{% include 'team/footer@production' %}";
    add(
        &client,
        "greet",
        &json!({
            "branch": "try", "text": format!("Hi {{{{ who }}}}.\n\n\n{include}"), "template": "jinja",
            "variables": {"who": {"type": "string", "default": "you"}, "name": {"type": "string"}}
        }),
    );
    add(
        &client,
        "greet",
        &json!({
            "text": format!("Hello {{{{ who }}}}.\n\n\n{include}!"), "template": "jinja",
            "variables": {"who": {"type": "string", "default": "all"}}
        }),
    );
    let merged = done(&client, client.post("/v1/prompts/greet/merges", &json!({"from": {"branch": "try"}})));
    let greet = client.prompt("greet", &format!("version={}", merged["version"]["number"])).expect(200).json;
    assert_eq!(greet["text"], format!("Hi {{{{ who }}}}.\n\n\n{include}!"));
    assert_eq!(
        (&greet["variables"]["who"]["default"], &greet["variables"]["name"]["declared"]),
        (&json!("all"), &json!(true))
    );
    assert_eq!(greet["version"]["includes"], json!(["team/footer@production"]));
}
