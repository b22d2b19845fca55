//! A tenant out and into another one over HTTP: nothing of what an import can carry is lost, and what it can't is told.

mod chance;
mod foreign;
mod git;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use promptory::backup::LedgerArgs;
use promptory::export::{self, ExportArgs, ExportError};
use promptory::import::{self, ImportArgs, Source};
use promptory::verify::{self, VerifyArgs};
use promptory::{history, keys};
use promptory_tests::client::segment;
use promptory_tests::{Client, World};
use serde_json::{Value, json};

use crate::rights::caller;

fn key_file(world: &World, tenant: &str) -> PathBuf {
    let _ = world.owner_of(tenant);
    keys::owner_file(&world.folder.path().join(""), &tenant.parse().unwrap())
}

/// Exports a tenant into a file.
fn exported(world: &World, tenant: &str, file: &Path) -> export::Report {
    export::run(&ExportArgs::ndjson(file, &world.node().url(), &key_file(world, tenant))).unwrap()
}

fn imported(world: &World, tenant: &str, file: &Path) -> import::Report {
    import::run(ImportArgs::ndjson(file, &world.node().url(), &key_file(world, tenant))).unwrap()
}

/// Waits until a tenant's model has all that was acknowledged, so that an export has it, too.
fn settle(world: &World, tenant: &str) {
    let tenant_id = tenant.parse().unwrap();
    let head = world.block_on(world.node().ledger().head(&tenant_id)).unwrap().unwrap();
    world.owner_of(tenant).wait_for(&head.position.to_string());
}

fn commits(file: &Path) -> Vec<history::Commit> {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.filter_map(|line| if let history::Line::Commit(commit) = line { Some(*commit) } else { None }).collect()
}

/// All that an import carries of an exported history, an event an entry: ids are replaced by the order of their making.
fn carried(file: &Path) -> Vec<Value> {
    let (mut told, mut ids) = (Vec::new(), HashMap::new());
    for commit in commits(file) {
        for event in commit.events {
            let Some(prompt) = event.prompt.clone().filter(|_| is_carried(&event.kind)) else { continue };
            let next = ids.len();
            let prompt = *ids.entry(prompt).or_insert(next);
            let parents: Vec<_> = event.parents().iter().map(|p| (ids[&p.prompt], p.number)).collect();
            let field = |name: &str| event.detail[name].clone();
            let after = if event.kind == "metadata.set" { Value::Null } else { field("after") };
            let detail = json!([field("number"), field("branch"), field("label"), field("template"), field("head")]);
            told.push(json!({
                "type": event.kind, "prompt": prompt, "key": event.key, "parents": parents, "after": after,
                "detail": detail, "brought": event.brought, "author": commit.author, "message": commit.message,
                "occurred_at": commit.occurred_at,
            }));
        }
    }
    told
}

fn is_carried(kind: &str) -> bool {
    let of_prompts = ["prompt.", "version.", "tags.", "metadata.", "branch."];
    of_prompts.iter().any(|family| kind.starts_with(family)) || matches!(kind, "label.set" | "label.removed")
}

/// The history digests of two tenants, recomputed from the ledger of a node that is stopped for it.
fn digests(world: &mut World, tenants: [&str; 2]) -> [Value; 2] {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut found = [Value::Null, Value::Null];
    world.restart(|data| {
        let place = LedgerArgs { data: Some(data.to_owned()), nats: None, root_key: None };
        let args = VerifyArgs { place, backup: None, against: None, keys: None, backup_key: None, rights: true };
        let report = runtime.block_on(verify::run(args)).unwrap();
        assert!(report.holds(), "{:#}", report.json());
        found = tenants.map(|tenant| {
            let all = report.json()["tenants"].as_array().unwrap().clone();
            all.into_iter().find(|one| one["tenant"] == tenant).unwrap()["history_digest"].clone()
        });
    });
    found
}

fn send(client: &Client, command: &Value) -> Value {
    let result = client.commands(std::slice::from_ref(command)).remove(0);
    assert!(result["status"].as_u64().is_some_and(|status| status < 300), "{command}: {result}");
    client.wait_for(result["position"].as_str().unwrap());
    result
}

/// A tenant in which everything has happened that there is.
fn eventful(client: &Client) {
    let (claim, author) = ("2024-05-03T14:00:00Z", "0507fc8c4eba");
    for command in [
        json!({"type": "create_prompt", "key": "team/greet", "text": "one\n\ntwo\n\nthree\n", "labels": ["production", "a"],
            "tags": ["chat", "b"], "metadata": {"title": "Grüße", "n": 1.5}, "config": {"model": "m", "x": [1, {}]},
            "message": "first", "occurred_at": claim, "author": author}),
        json!({"type": "add_version", "prompt": "team/greet", "text": "one\n\ntwo\n\nTHREE\n", "labels": ["production"],
            "config": {}}),
        json!({"type": "create_branch", "prompt": "team/greet", "branch": "try", "from": {"version": 1}, "message": "why"}),
        json!({"type": "add_version", "prompt": "team/greet", "branch": "try", "text": "ONE\n\ntwo\n\nthree\n"}),
        json!({"type": "merge", "prompt": "team/greet", "from": {"branch": "try"}, "labels": ["merged"]}),
        json!({"type": "close_branch", "prompt": "team/greet", "branch": "try"}),
        json!({"type": "create_prompt", "key": "footer", "text": "Bye, {{ name }}.\u{0}\r\n", "labels": ["production"]}),
        json!({"type": "create_prompt", "key": "full", "text": "{{ a }}{% include \"footer@production\" %}",
            "template": "jinja", "variables": {"a": {"type": "string", "description": "what"}, "name": {"default": "Ada"},
            "c": {"required": false}}}),
        json!({"type": "create_prompt", "key": "chat", "messages": [{"role": "system", "content": "Hi"},
            {"type": "placeholder", "name": "history"}]}),
        json!({"type": "fork_prompt", "prompt": "team/greet", "from": {"version": 2}, "key": "mine", "labels": ["own"],
            "tags": ["fork"], "metadata": {"of": "greet"}}),
        json!({"type": "add_version", "prompt": "mine", "text": "one\n\nTWO\n\nTHREE\n"}),
        json!({"type": "merge", "prompt": "team/greet", "from": {"prompt": "mine"}}),
        json!({"type": "set_label", "prompt": "team/greet", "label": "production", "version": 1}),
        json!({"type": "remove_label", "prompt": "team/greet", "label": "a"}),
        json!({"type": "rename_prompt", "prompt": "chat", "to": "talk", "messages": [{"role": "user", "content": ""}]}),
        json!({"type": "rename_prompt", "prompt": "talk", "to": "chat / 2"}),
        json!({"type": "set_metadata", "prompt": "mine", "metadata": {}}),
        json!({"type": "set_tags", "prompt": "mine", "tags": []}),
    ] {
        send(client, &command);
    }
    let gone = send(client, &json!({"type": "archive_prompt", "prompt": "mine", "occurred_at": claim}));
    let gone = gone["prompt"].as_str().unwrap();
    for command in [
        json!({"type": "create_prompt", "key": "mine", "text": "another"}),
        json!({"type": "fork_prompt", "prompt": gone, "from": {"version": 1}, "key": "of an archived one"}),
        json!({"type": "restore_prompt", "prompt": gone, "key": "mine again"}),
        json!({"type": "archive_prompt", "prompt": "of an archived one"}),
        json!({"type": "create_branch", "prompt": "footer", "branch": "x"}),
        json!({"type": "add_version", "prompt": "footer", "branch": "x", "text": "left"}),
        json!({"type": "add_version", "prompt": "footer", "text": "right"}),
    ] {
        send(client, &command);
    }
    // A merge that conflicts: what came of it is in no command that could be guessed.
    let head = client.prompt("footer", "").expect(200).json["version"]["id"].clone();
    send(
        client,
        &json!({"type": "merge", "prompt": "footer", "from": {"version": 2}, "text": "both", "if_match": head}),
    );
    let both = json!({"atomic": true, "commands": [
        {"type": "set_label", "prompt": "footer", "label": "production", "version": 4},
        {"type": "fork_prompt", "prompt": "footer", "key": "footer 2"}]});
    let done = client.post("/v1/commands", &both).expect(200).json;
    client.wait_for(done["results"][1]["position"].as_str().unwrap());
}

/// What an import can't carry: rights, protections, releases, comments, rollouts.
fn ruled(client: &Client) {
    let (editor, _) = caller(client, &json!({"role": "editor"}));
    let comment = json!({"version": 1, "text": "good"});
    let _ = client.post("/v1/prompts/footer/comments", &comment).expect(201);
    let arms = json!({"arms": [{"version": 4, "weight": 9000}, {"version": 1, "weight": 1000}]});
    let path = "/v1/prompts/footer/labels/production/rollout";
    let _ = client.post(path, &arms).expect(201);
    let _ = client.post(&format!("{path}/complete"), &json!({"version": 1})).expect(200);
    let _ = client.put("/v1/protections/gold", &json!({"approvals": 1})).expect(200);
    let ask = json!({"prompt": "footer", "label": "gold", "version": 2});
    let release = editor.post("/v1/releases", &ask).expect(201).json["release"].as_str().unwrap().to_owned();
    let (reviewer, _) = caller(client, &json!({"role": "reviewer"}));
    let _ = reviewer.post(&format!("/v1/releases/{release}/approve"), &json!({})).expect(200);
    let back = client.post("/v1/prompts/team%2Fgreet/labels/production/rollback", &json!({})).expect(200).json;
    client.wait_for(back["position"].as_str().unwrap());
}

/// What is the same of a prompt wherever it is.
fn shown(client: &Client, key: &str, query: &str) -> Value {
    let mut answer = client.get(&format!("/v1/prompts/{}?{query}", segment(key))).expect(200).json;
    let version = answer["version"].take();
    let fields = [
        "key",
        "kind",
        "text",
        "messages",
        "config",
        "variables",
        "metadata",
        "labels",
        "tags",
        "versions",
        "branches",
    ];
    let mut shown: Value = fields.map(|field| (field.to_owned(), answer[field].take())).into_iter().collect();
    shown["version"] = json!([version["number"], version["branch"], version["template"], version["message"]]);
    shown
}

#[test]
fn a_tenant_goes_out_and_into_another_one_and_has_an_equal_history() {
    let mut world = World::new();
    let owner = world.acme();
    eventful(&owner);
    ruled(&owner);
    let slice = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("promptory/demo/awesome-slice.jsonl.gz");
    let report = import::run(ImportArgs::jsonl(vec![slice], &owner.url, &key_file(&world, "acme"))).unwrap();
    assert_eq!(report.failed, 0, "{report}");
    settle(&world, "acme");
    let (folder, file) = (tempfile::tempdir().unwrap(), "acme.ndjson");
    let file = folder.path().join(file);
    let report = exported(&world, "acme", &file);
    assert!(report.commits > 1193 && report.events["version.added"] > 700, "{report}");
    let report = imported(&world, "beta", &file);
    assert_eq!((report.failed, report.already_there), (0, 0), "{report}");
    assert!(report.skipped > 5, "rights, a protection, a release, a comment and a rollout: {report}");
    let again = imported(&world, "beta", &file);
    assert_eq!((again.added, again.already_there, again.failed), (0, report.added, 0), "{again}");
    settle(&world, "beta");
    let copy = folder.path().join("beta.ndjson");
    exported(&world, "beta", &copy);
    let (here, there) = (carried(&file), carried(&copy));
    assert_eq!(here.len(), there.len());
    for (here, there) in here.iter().zip(&there) {
        assert_eq!(here, there);
    }
    let beta = world.owner_of("beta");
    for (key, query) in [
        ("team/greet", ""),
        ("team/greet", "label=merged"),
        ("team/greet", "version=3"),
        ("full", ""),
        ("chat / 2", ""),
        ("chat / 2", "version=1"),
        ("mine", ""),
        ("mine again", "label=own"),
        ("footer", "label=gold"),
        ("footer 2", ""),
        ("footer", "branch=x"),
        ("prompts.csv#Linux Terminal", "as_of=2024-05-01T00:00:00Z"),
    ] {
        assert_eq!(shown(&owner, key, query), shown(&beta, key, query), "{key} {query}");
    }
    let rendered = |client: &Client| client.post("/v1/prompts/full/render", &json!({"variables": {"a": "Hi. "}})).json;
    assert_eq!(rendered(&beta)["text"], rendered(&owner)["text"]);
    let [of_acme, of_beta] = digests(&mut world, ["acme", "beta"]);
    assert_eq!(of_acme, of_beta);
}

#[test]
fn an_export_that_was_cut_short_is_gone_on_with_and_a_foreign_file_is_left_alone() {
    let world = World::new();
    let owner = world.acme();
    eventful(&owner);
    settle(&world, "acme");
    let folder = tempfile::tempdir().unwrap();
    let (whole, torn) = (folder.path().join("whole"), folder.path().join("torn"));
    exported(&world, "acme", &whole);
    let bytes = fs::read(&whole).unwrap();
    for cut in [0, 10, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1, bytes.len()] {
        fs::write(&torn, &bytes[..cut]).unwrap();
        exported(&world, "acme", &torn);
        assert_eq!(fs::read(&torn).unwrap(), bytes, "cut at {cut}");
    }
    send(&owner, &json!({"type": "add_version", "prompt": "footer", "text": "later"}));
    settle(&world, "acme");
    let more = exported(&world, "acme", &torn);
    assert_eq!((more.commits, more.already_there), (1, commits(&whole).len() as u64), "{more}");
    let fresh = folder.path().join("fresh");
    exported(&world, "acme", &fresh);
    assert_eq!(fs::read(&torn).unwrap(), fs::read(&fresh).unwrap());
    let url = owner.url.clone();
    let other = export::run(&ExportArgs::ndjson(&fresh, &url, &key_file(&world, "beta")));
    assert!(matches!(other, Err(ExportError::There(..))), "{other:?}");
    assert_eq!(fs::read(&torn).unwrap(), fs::read(&fresh).unwrap());
    fs::write(&torn, "my notes").unwrap();
    let other = export::run(&ExportArgs::ndjson(&torn, &url, &key_file(&world, "acme")));
    assert!(matches!(other, Err(ExportError::There(..))) && fs::read(&torn).unwrap() == b"my notes", "{other:?}");
    let (part, _) = caller(&owner, &json!({"role": "viewer", "prefix": "team/"}));
    fs::write(folder.path().join("key"), &part.key).unwrap();
    let part = export::run(&ExportArgs::ndjson(&folder.path().join("part"), &url, &folder.path().join("key")));
    assert!(matches!(&part, Err(ExportError::Part(reads)) if *reads == ["team/"]), "{part:?}");
    assert!(!folder.path().join("part").exists());
}

#[test]
fn a_dry_run_says_what_would_be_done_and_touches_nothing_and_a_file_that_breaks_off_is_told() {
    let world = World::new();
    eventful(&world.acme());
    settle(&world, "acme");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("acme");
    let mut args = ExportArgs::ndjson(&file, &world.node().url(), &key_file(&world, "acme"));
    args.from().dry_run = true;
    let planned = export::run(&args).unwrap();
    assert!(planned.dry_run && !file.exists(), "{planned}");
    let report = exported(&world, "acme", &file);
    assert_eq!((&report.events, report.until), (&planned.events, planned.until));
    let before = world.owner_of("beta").get("/v1/status").expect(200).json;
    let mut args = ImportArgs::ndjson(&file, "http://127.0.0.1:9", Path::new("nowhere"));
    args.target().dry_run = true;
    let planned = import::run(args).unwrap();
    assert_eq!(
        (planned.would_send["merge"], planned.would_send["fork_prompt"], planned.failed),
        (3, 3, 0),
        "{planned}"
    );
    assert_eq!(world.owner_of("beta").get("/v1/status").expect(200).json, before);

    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let short = lines[..lines.len() - 1].join("\n");
    let changed = text.replace("Bye", "Buy");
    let swapped = [lines[1], lines[0]].join("\n");
    for (text, why) in [
        (short, "breaks off"),
        (changed, "not those that were exported"),
        (swapped, "no head"),
        ("x".into(), "no JSON"),
    ] {
        fs::write(&file, text).unwrap();
        let mut args = ImportArgs::ndjson(&file, "http://127.0.0.1:9", Path::new("nowhere"));
        args.target().dry_run = true;
        let report = import::run(args).unwrap();
        assert!(report.failures.iter().any(|failure| failure.contains(why)), "{why}: {report}");
    }
}

#[test]
fn what_was_only_recorded_is_claimed_if_that_is_asked_for_and_a_prefix_is_put_before() {
    let world = World::new();
    let owner = world.acme();
    let made = send(&owner, &json!({"type": "create_prompt", "key": "a", "text": "1"}));
    settle(&world, "acme");
    world.clock.advance_ms(3_600_000);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("acme");
    exported(&world, "acme", &file);
    let mut args = ImportArgs::ndjson(&file, &world.node().url(), &key_file(&world, "beta"));
    args.target().prefix = "from/acme/".into();
    if let Source::Ndjson(args) = &mut args.source {
        args.claim_recorded = true;
    }
    assert_eq!(import::run(args).unwrap().added, 1);
    settle(&world, "beta");
    let there = world.owner_of("beta").prompt("from/acme/a", "").expect(200).json;
    let here = owner.prompt("a", "").expect(200).json;
    assert_eq!(there["version"]["occurred_at"], here["version"]["recorded_at"]);
    assert_eq!((&there["version"]["author"], &there["basis"]), (&here["version"]["actor"], &json!("claimed")));
    assert_ne!(there["id"], made["prompt"], "ids are made anew");
}
