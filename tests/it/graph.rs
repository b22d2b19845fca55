//! Versions as a graph, over HTTP: branches inside a prompt, forks into another, what differs, and merges.

use promptory_tests::{Client, World};
use serde_json::{Value, json};

/// What a command answered, once it can be read.
fn done(client: &Client, answer: promptory_tests::client::Answer, status: u16) -> Value {
    let answer = answer.expect(status);
    client.wait_for(answer.json["position"].as_str().unwrap());
    answer.json
}

fn add(client: &Client, body: &Value) -> Value {
    done(client, client.post("/v1/prompts/greet/versions", body), 201)
}

/// `greet` with two versions on `main` and one on `try`, which began at the first.
fn two_lines() -> (World, Client) {
    let world = World::new();
    let client = world.acme();
    done(&client, client.post("/v1/prompts", &json!({"key": "greet", "text": "one", "config": {"model": "m"}})), 201);
    add(&client, &json!({"text": "two"}));
    let from = json!({"from": {"version": 1}, "message": "another way"});
    done(&client, client.put("/v1/prompts/greet/branches/try", &from), 201);
    add(&client, &json!({"text": "three", "branch": "try"}));
    (world, client)
}

fn numbers(parents: &Value) -> Vec<u64> {
    parents.as_array().unwrap().iter().map(|parent| parent["number"].as_u64().unwrap()).collect()
}

#[test]
fn a_branch_has_its_own_head_and_main_does_not_notice() {
    let (_world, client) = two_lines();
    let main = client.prompt("greet", "").expect(200).json;
    assert_eq!((&main["text"], &main["versions"]), (&json!("two"), &json!(3)));
    assert_eq!(main["branches"], json!({"main": 2, "try": 3}));
    let tried = client.prompt("greet", "branch=try").expect(200).json;
    assert_eq!((&tried["text"], &tried["version"]["branch"]), (&json!("three"), &json!("try")));
    assert_eq!(numbers(&tried["version"]["parents"]), [1]);
    assert_eq!(tried["version"]["parents"][0]["prompt"], main["id"]);
    add(&client, &json!({"text": "four"}));
    let moves = client.get("/v1/prompts/greet/labels/latest/history").expect(200).json["moves"].clone();
    let moves: Vec<_> = moves.as_array().unwrap().iter().map(|m| (m["before"].as_u64(), m["after"].as_u64())).collect();
    assert_eq!(moves, [(None, Some(1)), (Some(1), Some(2)), (Some(2), Some(4))], "`latest` is of main");
    let page = client.get("/v1/prompts/greet/labels/latest/history?limit=2").expect(200).json;
    let rest = format!("/v1/prompts/greet/labels/latest/history?cursor={}", page["next_cursor"].as_str().unwrap());
    let rest = client.get(&rest).expect(200).json;
    assert_eq!((rest["moves"][0]["before"].as_u64(), rest["moves"][0]["after"].as_u64()), (Some(2), Some(4)));
    let versions = client.get("/v1/prompts/greet/versions").expect(200).json["versions"].clone();
    let branches: Vec<_> = versions.as_array().unwrap().iter().map(|v| v["branch"].as_str().unwrap()).collect();
    assert_eq!(branches, ["main", "try", "main", "main"], "newest first");
}

#[test]
fn if_match_is_about_the_branch_and_a_closed_branch_is_still_history() {
    let (_world, client) = two_lines();
    let head = client.prompt("greet", "branch=try").expect(200).header("etag").to_owned();
    let main = client.prompt("greet", "").expect(200).header("etag").to_owned();
    let versions = "/v1/prompts/greet/versions";
    let body = json!({"text": "x", "branch": "try"});
    let refused = client.send("POST", versions, &[("if-match", &main)], Some(&body));
    assert_eq!((refused.status, refused.code()), (412, "precondition-failed"));
    assert_eq!(refused.json["current"], head.trim_matches('"'));
    done(&client, client.send("POST", versions, &[("if-match", &head)], Some(&body)), 201);
    let branch = "/v1/prompts/greet/branches/try";
    assert_eq!(client.send("DELETE", branch, &[("if-match", &head)], None).code(), "precondition-failed");
    let open = client.get("/v1/events?from=0&limit=1000").json["next"].as_u64().unwrap() - 1;
    done(&client, client.send("DELETE", branch, &[], None), 200);
    assert_eq!(client.send("DELETE", branch, &[], None).code(), "branch-not-found");
    assert_eq!(client.post(versions, &body).code(), "branch-not-found");
    assert_eq!(client.prompt("greet", "branch=try").code(), "branch-not-found");
    assert_eq!(client.prompt("greet", &format!("branch=try&as_of={open}")).expect(200).json["text"], "x");
    assert_eq!(client.prompt("greet", "version=3").expect(200).json["version"]["branch"], "try");
    let main = client.send("DELETE", "/v1/prompts/greet/branches/main", &[], None);
    assert_eq!((main.status, main.code()), (422, "branch-reserved"));
    let exists = client.put("/v1/prompts/greet/branches/main", &json!({"from": {"version": 1}}));
    assert_eq!((exists.status, exists.code()), (409, "branch-exists"));
    let two = client.put("/v1/prompts/greet/branches/x", &json!({"from": {"version": 1, "label": "latest"}}));
    assert_eq!((two.status, two.code(), &two.json["field"]), (400, "invalid-field", &json!("/from")));
}

#[test]
fn a_fork_has_the_content_and_lineage_shows_both_ways() {
    let (_world, client) = two_lines();
    let origin = client.prompt("greet", "").expect(200).json;
    let fork = |body: &Value| client.post("/v1/prompts/greet/forks", body);
    let body =
        json!({"key": "mine", "from": {"version": 1}, "labels": ["production"], "tags": ["x"], "message": "my own"});
    let made = done(&client, fork(&body), 201);
    assert_eq!(made["prompt_key"], "mine");
    let mine = client.prompt("mine", "label=production").expect(200).json;
    assert_eq!((&mine["text"], &mine["config"]), (&json!("one"), &json!({"model": "m"})));
    assert_eq!((&mine["forked_from"]["prompt"], &mine["forked_from"]["number"]), (&origin["id"], &json!(1)));
    assert_eq!(mine["version"]["parents"], json!([mine["forked_from"]]));
    assert_eq!(origin["forked_from"], Value::Null);
    let of_branch = json!({"key": "other", "from": {"branch": "try"}});
    done(&client, fork(&of_branch), 201);
    done(&client, client.put("/v1/prompts/other/key", &json!({"to": "renamed"})), 200);
    let forks = client.get("/v1/prompts/greet/forks").expect(200).json["forks"].clone();
    let seen = |n: usize| (forks[n]["of"].as_u64(), forks[n]["prompt"]["key"].as_str().unwrap().to_owned());
    assert_eq!([seen(0), seen(1)], [(Some(1), "mine".to_owned()), (Some(3), "renamed".to_owned())]);
    assert_eq!(forks[0]["message"], "my own");
    let page = client.get("/v1/prompts/greet/forks?limit=1").expect(200).json;
    let next = client.get(&format!("/v1/prompts/greet/forks?cursor={}", page["next_cursor"].as_str().unwrap()));
    assert_eq!(next.expect(200).json["forks"][0]["prompt"]["key"], "renamed");
    assert_eq!(client.get("/v1/prompts/mine/forks").expect(200).json["forks"], json!([]));
    // Nothing that happens to one shows in the other.
    done(&client, client.post("/v1/prompts/mine/versions", &json!({"text": "mine now"})), 201);
    assert_eq!(client.prompt("greet", "version=1").expect(200).json["text"], "one");
    assert_eq!(fork(&json!({"key": "mine"})).code(), "key-taken");
    assert_eq!(fork(&json!({"key": "y", "from": {"version": 9}})).code(), "version-not-found");
    assert_eq!(client.post("/v1/prompts/nobody/forks", &json!({"key": "y"})).code(), "prompt-not-found");
}

#[test]
fn commands_of_one_request_find_what_those_before_them_did() {
    let world = World::new();
    let client = world.acme();
    let results = client.commands(&[
        json!({"type": "create_prompt", "key": "a", "text": "one"}),
        json!({"type": "fork_prompt", "prompt": "a", "key": "b", "idempotency_key": "f"}),
        json!({"type": "add_version", "prompt": "b", "text": "two"}),
        json!({"type": "fork_prompt", "prompt": "b", "key": "c"}),
        json!({"type": "fork_prompt", "prompt": "b", "key": "c"}),
        json!({"type": "archive_prompt", "prompt": "b"}),
    ]);
    let statuses: Vec<_> = results.iter().map(|result| result["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 201, 201, 201, 409, 200], "{results:?}");
    client.wait_for(results[5]["position"].as_str().unwrap());
    assert_eq!(client.prompt("c", "").expect(200).json["text"], "two");
    // By now the command would be refused; what it did then is what it answers.
    let again = client.commands(&[json!({"type": "fork_prompt", "prompt": "a", "key": "b", "idempotency_key": "f"})]);
    assert_eq!((&again[0]["replayed"], &again[0]["prompt"]), (&json!(true), &results[1]["prompt"]));
}

#[test]
fn two_versions_are_compared_by_word_and_as_a_unified_diff() {
    let (_world, client) = two_lines();
    let one = json!({"text": "Hi {{name}},\nbye.\n", "config": {"model": "m", "t": 1}});
    let two = json!({"text": "Hi {{user}},\nbye.\n", "config": {"model": "n"}});
    add(&client, &one);
    add(&client, &two);
    let diff = |query: &str| client.get(&format!("/v1/prompts/greet/diff?{query}"));
    let last = diff("").expect(200).json;
    assert_eq!((&last["from"]["number"], &last["to"]["number"], &last["equal"]), (&json!(4), &json!(5), &json!(false)));
    assert_eq!(last["text"]["unified"], "@@ -1,2 +1,2 @@\n-Hi {{name}},\n+Hi {{user}},\n bye.\n");
    let words = &last["text"]["hunks"][0]["words"];
    assert_eq!(words[1], json!({"op": "delete", "text": "name"}));
    assert_eq!(words[2], json!({"op": "insert", "text": "user"}));
    let config = json!([{"path": "/model", "from": "m", "to": "n"}, {"path": "/t", "from": 1}]);
    assert_eq!(last["config"], config);
    assert_eq!(diff("from=5&to=label:latest").expect(200).json["equal"], true);
    assert_eq!(diff("to=1").expect(200).json["from"], Value::Null, "a first version is compared with nothing");
    assert_eq!(diff("to=branch:try").expect(200).json["from"]["number"], 1, "its parent");
    done(&client, client.post("/v1/prompts/greet/forks", &json!({"key": "mine", "from": {"version": 1}})), 201);
    done(&client, client.post("/v1/prompts/mine/versions", &json!({"text": "own"})), 201);
    assert_eq!(client.get("/v1/prompts/mine/diff?to=1").expect(200).json["equal"], true, "as its origin");
    let across = client.get("/v1/prompts/mine/diff?from_prompt=greet&from=branch:try").expect(200).json;
    assert_eq!(
        across["text"]["unified"],
        "@@ -1 +1 @@\n-three\n\\ No newline at end of file\n+own\n\\ No newline at end of file\n"
    );
    let chat = json!([{"role": "user", "content": "a b"}, {"role": "user", "content": "x"}]);
    done(&client, client.post("/v1/prompts", &json!({"key": "chat", "messages": chat})), 201);
    let chat = json!([{"role": "user", "content": "a c"}, {"role": "user", "content": "x"}]);
    done(&client, client.post("/v1/prompts/chat/versions", &json!({"messages": chat})), 201);
    let messages = client.get("/v1/prompts/chat/diff").expect(200).json["messages"].clone();
    assert_eq!(
        (&messages[0]["op"], &messages[0]["text"]["hunks"][0]["words"][2]["text"]),
        (&json!("change"), &json!("c"))
    );
    assert_eq!(messages[1], json!({"op": "equal", "from": 1, "to": 1, "count": 1}));
    assert_eq!(client.get("/v1/prompts/chat/diff?from_prompt=greet").code(), "kind-mismatch");
    for (query, code) in [
        ("from=99", "version-not-found"),
        ("to=branch:x", "branch-not-found"),
        ("from=label:x", "label-not-found"),
        ("from=x", "invalid-field"),
        ("from_prompt=x", "prompt-not-found"),
    ] {
        assert_eq!(diff(query).code(), code, "{query}");
    }
}

fn merges(client: &Client, prompt: &str, headers: &[(&str, &str)], body: &Value) -> promptory_tests::client::Answer {
    client.send("POST", &format!("/v1/prompts/{prompt}/merges"), headers, Some(body))
}

#[test]
fn a_branch_is_merged_back_and_then_there_is_nothing_more_to_merge() {
    let world = World::new();
    let client = world.acme();
    let text = |one: &str, two: &str| format!("{one}\n\n\n{two}\n");
    let create = json!({"key": "greet", "text": text("a", "b"), "config": {"model": "m", "t": 1}});
    done(&client, client.post("/v1/prompts", &create), 201);
    done(&client, client.put("/v1/prompts/greet/branches/try", &json!({})), 201);
    add(&client, &json!({"text": text("a", "B"), "branch": "try", "config": {"model": "m", "t": 2}}));
    add(&client, &json!({"text": text("A", "b"), "config": {"model": "n", "t": 1}}));
    let body = json!({"from": {"branch": "try"}, "labels": ["production"], "message": "try is good"});
    let merged = done(&client, merges(&client, "greet", &[("idempotency-key", "m")], &body), 201);
    assert_eq!(merged["version"]["number"], 4);
    let now = client.prompt("greet", "label=production").expect(200).json;
    assert_eq!((&now["text"], &now["config"]), (&json!(text("A", "B")), &json!({"model": "n", "t": 2})));
    assert_eq!(numbers(&now["version"]["parents"]), [3, 2]);
    let nothing = done(&client, merges(&client, "greet", &[], &json!({"from": {"branch": "try"}})), 200);
    assert_eq!(nothing["events"], json!([]));
    let again = merges(&client, "greet", &[("idempotency-key", "m")], &body).expect(201);
    assert_eq!((again.header("idempotency-replayed"), &again.json["version"]), ("true", &merged["version"]));
    // The other way round it is main's text, and a version all the same.
    let back = json!({"branch": "try", "from": {"branch": "main"}});
    let back = done(&client, merges(&client, "greet", &[], &back), 201);
    assert_eq!(back["version"]["number"], 5);
    assert_eq!(client.prompt("greet", "branch=try").expect(200).json["text"], now["text"]);
}

#[test]
fn a_conflict_shows_both_sides_and_the_caller_s_content_ends_it() {
    let (_world, client) = two_lines();
    let conflict = merges(&client, "greet", &[], &json!({"from": {"branch": "try"}}));
    assert_eq!((conflict.status, conflict.code()), (409, "merge-conflict"));
    let json = conflict.json;
    assert_eq!(json["content"], json!({"text": [{"base": "one", "ours": "two", "theirs": "three"}]}));
    assert_eq!(
        (&json["base"]["number"], &json["ours"]["number"], &json["theirs"]["number"]),
        (&json!(1), &json!(2), &json!(3))
    );
    assert_eq!(json["config"], Value::Null, "by itself");
    let ours = format!("\"{}\"", json["ours"]["version"].as_str().unwrap());
    let resolved = json!({"from": {"version": 3}, "text": "two and three"});
    assert_eq!(merges(&client, "greet", &[], &resolved).json["field"], "If-Match");
    let loose = json!({"from": {"branch": "try"}, "text": "two and three"});
    assert_eq!(merges(&client, "greet", &[("if-match", &ours)], &loose).json["field"], "/from/version");
    add(&client, &json!({"text": "two more"}));
    let late = merges(&client, "greet", &[("if-match", &ours)], &resolved);
    assert_eq!((late.status, late.code()), (412, "precondition-failed"));
    let ours = client.prompt("greet", "").expect(200).header("etag").to_owned();
    done(&client, merges(&client, "greet", &[("if-match", &ours)], &resolved), 201);
    let now = client.prompt("greet", "").expect(200).json;
    assert_eq!((&now["text"], numbers(&now["version"]["parents"])), (&json!("two and three"), vec![4, 3]));
    assert_eq!(now["config"], Value::Null, "of the configuration nothing conflicted: both took it away");
}

#[test]
fn a_fork_is_merged_back_into_its_origin_and_strangers_are_not() {
    let (_world, client) = two_lines();
    done(&client, client.post("/v1/prompts/greet/forks", &json!({"key": "mine"})), 201);
    done(&client, client.post("/v1/prompts/mine/versions", &json!({"text": "two, better"})), 201);
    let merged = done(&client, merges(&client, "greet", &[], &json!({"from": {"prompt": "mine"}})), 201);
    assert_eq!(merged["version"]["number"], 4);
    let now = client.prompt("greet", "").expect(200).json;
    assert_eq!((&now["text"], &now["version"]["parents"][1]["number"]), (&json!("two, better"), &json!(2)));
    let mine = client.prompt("mine", "").expect(200).json["id"].clone();
    assert_eq!(now["version"]["parents"][1]["prompt"], mine);
    assert_eq!(now["forked_from"], Value::Null, "a merge makes no fork");
    done(&client, client.post("/v1/prompts", &json!({"key": "stranger", "text": "two"})), 201);
    let refused = merges(&client, "greet", &[], &json!({"from": {"prompt": "stranger"}}));
    assert_eq!((refused.status, refused.code()), (409, "unrelated-versions"));
    assert_eq!(merges(&client, "greet", &[], &json!({"from": {}})).json["field"], "/from");
}

#[test]
fn merges_at_once_each_see_what_was_before_them() {
    let world = World::new();
    let client = world.acme();
    let lines: Vec<String> = (0..8).map(|n| format!("{n}\n\n\n")).collect();
    done(&client, client.post("/v1/prompts", &json!({"key": "greet", "text": lines.concat()})), 201);
    for n in 0..8 {
        done(&client, client.put(&format!("/v1/prompts/greet/branches/b{n}"), &json!({})), 201);
        let mut lines = lines.clone();
        lines[n] = format!("{n} is changed\n\n\n");
        add(&client, &json!({"text": lines.concat(), "branch": format!("b{n}")}));
    }
    std::thread::scope(|scope| {
        for n in 0..8 {
            let client = client.clone();
            scope.spawn(move || {
                merges(&client, "greet", &[], &json!({"from": {"branch": format!("b{n}")}})).expect(201)
            });
        }
    });
    let position = client.post("/v1/prompts/greet/versions", &json!({"text": "end"})).expect(201);
    client.wait_for(position.json["position"].as_str().unwrap());
    let merged = client.prompt("greet", "version=17").expect(200).json;
    let all: Vec<String> = (0..8).map(|n| format!("{n} is changed\n\n\n")).collect();
    assert_eq!(merged["text"], all.concat());
}
