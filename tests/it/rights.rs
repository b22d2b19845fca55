//! Who may do what, over HTTP: rights on prefixes in writes, reads and streams; protected labels; and the law over all of it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use promptory::backup::LedgerArgs;
use promptory::verify::{self, VerifyArgs};
use promptory_tests::client::segment;
use promptory_tests::{Client, World};
use serde_json::{Value, json};

fn create(client: &Client, key: &str) -> Value {
    client.post("/v1/prompts", &json!({"key": key, "text": key})).expect(201).json
}

fn add(client: &Client, key: &str, text: &str) {
    let _ = client.post(&format!("/v1/prompts/{}/versions", segment(key)), &json!({ "text": text })).expect(201);
}

/// A caller with a new key, and its principal.
pub(crate) fn caller(owner: &Client, body: &Value) -> (Client, String) {
    let issued = owner.post("/v1/keys", body).expect(201).json;
    let principal = issued["principal"].as_str().unwrap().to_owned();
    owner.wait_for(issued["position"].as_str().unwrap());
    (owner.with_key(issued["key"].as_str().unwrap()), principal)
}

fn keys(client: &Client, query: &str) -> Vec<String> {
    let list = client.get(&format!("/v1/prompts?{query}")).expect(200).json;
    list["prompts"].as_array().unwrap().iter().map(|p| p["key"].as_str().unwrap().to_owned()).collect()
}

/// The names of an outcome's events.
pub(crate) fn events(outcome: &Value) -> Vec<&str> {
    outcome["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// Checks the law over what a node has written, which is stopped for it; how many events those are.
pub(crate) fn lawful(world: &mut World) -> u64 {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut events = 0;
    world.restart(|data| {
        let place = LedgerArgs { data: Some(data.to_owned()), nats: None, root_key: None };
        let args = VerifyArgs { place, backup: None, against: None, keys: None, backup_key: None, rights: true };
        let report = runtime.block_on(verify::run(args)).unwrap();
        assert!(report.holds(), "{:#}", report.json());
        let checked = report.json()["rights"].clone();
        let of_each: Vec<u64> = checked.as_array().unwrap().iter().map(|t| t["events"].as_u64().unwrap()).collect();
        assert!(of_each.iter().all(|events| *events > 0), "{checked}");
        events = of_each.iter().sum();
    });
    events
}

#[test]
fn a_caller_writes_and_reads_below_its_prefix_and_learns_nothing_else() {
    let mut world = World::new();
    let owner = world.acme();
    let hidden = create(&owner, "secret/a");
    create(&owner, "team/a");
    let (editor, principal) = caller(&owner, &json!({"role": "editor", "prefix": "team/"}));
    assert_eq!(editor.post("/v1/prompts", &json!({"key": "secret/b", "text": "x"})).expect(403).code(), "forbidden");
    let written = create(&editor, "team/b");
    editor.wait_for(written["position"].as_str().unwrap());
    assert_eq!(keys(&editor, ""), ["team/a", "team/b"]);
    assert_eq!(keys(&editor, "limit=1&as_of=9"), ["team/a"]);
    for path in [segment("secret/a"), hidden["prompt"].as_str().unwrap().to_owned(), "nobody".to_owned()] {
        let answer = editor.get(&format!("/v1/prompts/{path}")).expect(404);
        assert_eq!(answer.code(), "prompt-not-found", "{path}");
        let versions = editor.get(&format!("/v1/prompts/{path}/versions")).expect(404);
        assert_eq!(versions.code(), "prompt-not-found");
    }
    let status = editor.get("/v1/status").expect(200).json;
    assert_eq!((&status["prompts"], &status["roles"]), (&2.into(), &json!(["editor"])));
    assert_eq!(status["reads"], json!(["team/"]));
    // The end is the same, whoever asks; what was denied above may still be on its way to be recorded.
    let end = |client: &Client| client.get("/v1/events").expect(200).json["next"].as_u64().unwrap();
    let before = end(&owner);
    let seen = editor.get("/v1/events").expect(200).json;
    assert!((before..=end(&owner)).contains(&seen["next"].as_u64().unwrap()), "{seen}");
    let told = seen["events"].to_string();
    assert!(!told.contains("secret/") && told.contains("team/a"), "{told}");
    let streamed = first_of_stream(&editor, "/v1/events?from=3");
    assert!(streamed["key"] == "team/a" || streamed["type"] == "key.issued", "{streamed}");
    // Its own key and grant, and nobody else's.
    let own = editor.get("/v1/keys").expect(200).json;
    assert_eq!(own["keys"].as_array().unwrap().len(), 1);
    assert_eq!((&own["keys"][0]["principal"], own["keys"][0]["last_used_at"].is_string()), (&json!(principal), true));
    let grants = editor.get("/v1/grants").expect(200).json;
    assert_eq!((&grants["grants"][0]["prefix"], grants["grants"].as_array().unwrap().len()), (&json!("team/"), 1));
    assert_eq!(owner.get("/v1/keys?limit=1").expect(200).json["keys"].as_array().unwrap().len(), 1);
    assert!(owner.get("/v1/keys?limit=1").expect(200).json["next_cursor"].is_string());
    lawful(&mut world);
}

fn first_of_stream(client: &Client, path: &str) -> Value {
    let host = client.url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(host).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let key = &client.key;
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\nAuthorization: Bearer {key}\r\n\r\n"
    )
    .unwrap();
    for line in BufReader::new(socket).lines() {
        if let Some(data) = line.unwrap().strip_prefix("data:") {
            return serde_json::from_str(data).unwrap();
        }
    }
    panic!("the stream ended");
}

#[test]
fn groups_custom_roles_expiry_and_rotation_over_http() {
    let mut world = World::new();
    let owner = world.acme();
    let define = json!({"actions": ["read", "write-prompts"]});
    let _ = owner.put("/v1/roles/poet", &define).expect(200);
    let group = owner.post("/v1/groups", &json!({"name": "Poets"})).expect(201).json["group"].clone();
    let group = group.as_str().unwrap();
    let (poet, principal) = caller(&owner, &json!({"role": "viewer", "prefix": "elsewhere/"}));
    let none = || owner.send("PUT", &format!("/v1/groups/{group}/members/{principal}"), &[], None);
    assert_eq!(events(&none().expect(200).json), ["member.added"]);
    assert!(events(&none().expect(200).json).is_empty(), "already one");
    let grant = format!("/v1/groups/{group}/roles/poet?prefix=poems/&expires_at=2026-05-03T13:00:00Z");
    let _ = owner.send("PUT", &grant, &[], None).expect(200);
    create(&poet, "poems/a");
    assert_eq!(poet.post("/v1/prompts", &json!({"key": "prose/a", "text": ""})).expect(403).code(), "forbidden");
    let rotated =
        poet.post(&format!("/v1/keys/{}/rotate", poet.key.split('_').nth(2).unwrap()), &json!({})).expect(201);
    let poet_again = poet.with_key(rotated.json["key"].as_str().unwrap());
    owner.wait_for(rotated.json["position"].as_str().unwrap());
    assert_eq!(poet.get("/v1/status").expect(401).code(), "unauthenticated");
    create(&poet_again, "poems/b");
    world.clock.advance_ms(3_600_000);
    assert_eq!(poet_again.post("/v1/prompts", &json!({"key": "poems/c", "text": ""})).expect(403).code(), "forbidden");
    assert!(keys(&poet_again, "").is_empty(), "nothing to read any more, though let in");
    let groups = owner.get("/v1/groups").expect(200).json;
    assert_eq!(groups["groups"][0]["members"], json!([principal]));
    assert_eq!(owner.get("/v1/roles").expect(200).json["roles"][0]["actions"], define["actions"]);
    let _ = owner.send("DELETE", &format!("/v1/groups/{group}/members/{principal}"), &[], None).expect(200);
    lawful(&mut world);
}

#[test]
fn a_key_opens_by_http_basic_everywhere_and_is_changed_without_a_gap() {
    let mut world = World::new();
    let owner = world.acme();
    let (name, secret) = owner.key.rsplit_once('_').unwrap();
    let basic = |name: &str, secret: &str| {
        let pair = data_encoding::BASE64.encode(format!("{name}:{secret}").as_bytes());
        owner.authorized(&format!("Basic {pair}"))
    };
    let client = basic(name, secret);
    let written = create(&client, "a");
    client.wait_for(written["position"].as_str().unwrap());
    assert_eq!(client.prompt("a", "").expect(200).json["text"], "a");
    let events = client.get("/v1/events?from=3").expect(200).json["events"].clone();
    assert_eq!(events[0]["key"], "a");
    let wrong: String = secret.chars().rev().skip(1).chain(['a']).collect();
    for bad in [basic(name, &wrong), basic(secret, name)] {
        let refused = bad.get("/v1/status").expect(401);
        assert_eq!(refused.code(), "unauthenticated");
        assert!(refused.header("www-authenticate").contains("Basic realm="), "{refused:?}");
        assert_eq!(bad.post("/v1/prompts", &json!({"key": "b", "text": ""})).expect(401).code(), "unauthenticated");
    }
    let rotate = format!("/v1/keys/{}/rotate", name.rsplit_once('_').unwrap().1);
    let much = client.post(&rotate, &json!({"overlap_seconds": 2_592_001})).expect(400);
    assert_eq!((much.code(), &much.json["field"]), ("invalid-field", &"/overlap_seconds".into()));
    let rotated = client.post(&rotate, &json!({"overlap_seconds": 60})).expect(201).json;
    let new = owner.with_key(rotated["key"].as_str().unwrap());
    new.wait_for(rotated["position"].as_str().unwrap());
    create(&client, "old");
    create(&new, "new");
    world.clock.advance_ms(60_000);
    assert_eq!(client.get("/v1/status").expect(401).code(), "unauthenticated");
    assert_eq!(client.post("/v1/prompts", &json!({"key": "b", "text": ""})).expect(401).code(), "unauthenticated");
    let keys = new.get("/v1/keys").expect(200).json;
    assert!(keys.to_string().contains("\"expires_at\":\"2026-05-03T12:01:00Z\""), "{keys}");
    create(&new, "b");
    lawful(&mut world);
}

#[test]
fn a_protected_label_moves_by_the_approval_of_others_and_each_refusal_has_its_code() {
    let mut world = World::new();
    let owner = world.acme();
    create(&owner, "team/greet");
    let label = "/v1/prompts/team%2Fgreet/labels/production";
    let _ = owner.put(label, &json!({"version": 1})).expect(200);
    add(&owner, "team/greet", "two");
    let _ = owner.put("/v1/protections/production?prefix=team/", &json!({"approvals": 1})).expect(200);
    assert_eq!(owner.put(label, &json!({"version": 2})).expect(409).code(), "label-protected");
    let (reviewer, reviewer_id) = caller(&owner, &json!({"role": "reviewer"}));
    let ask =
        |version: u32| json!({"prompt": "team/greet", "label": "production", "version": version, "message": "shorter"});
    let opened = owner.post("/v1/releases", &ask(2)).expect(201).json;
    let release = opened["release"].as_str().unwrap().to_owned();
    let at = |what: &str| format!("/v1/releases/{release}/{what}");
    assert_eq!(owner.post(&at("approve"), &json!({})).expect(403).code(), "own-release");
    assert_eq!(reviewer.post(&at("withdraw"), &json!({})).expect(403).code(), "forbidden");
    let (admin, _) = caller(&owner, &json!({"role": "admin"}));
    assert_eq!(admin.post(&at("withdraw"), &json!({})).expect(403).code(), "release-not-yours");
    let _ = reviewer.post(&at("comments"), &json!({"text": "well done"})).expect(201);
    let said = owner.post("/v1/prompts/team%2Fgreet/comments", &json!({"version": 2, "text": "thanks"})).expect(201);
    owner.wait_for(said.json["position"].as_str().unwrap());
    let waiting = owner.get("/v1/releases").expect(200).json["releases"][0].clone();
    assert_eq!((&waiting["from"]["number"], &waiting["to"]["number"]), (&1.into(), &2.into()));
    assert_eq!(
        (&waiting["message"], &waiting["needed"], &waiting["stale"]),
        (&"shorter".into(), &1.into(), &false.into())
    );
    let comments = |query: &str| owner.get(&format!("/v1/prompts/team%2Fgreet/comments?{query}")).expect(200).json;
    let texts =
        |page: &Value| page["comments"].as_array().unwrap().iter().map(|c| c["text"].clone()).collect::<Vec<_>>();
    assert_eq!(texts(&comments("")), ["well done", "thanks"]);
    assert_eq!(texts(&comments(&format!("release={release}"))), ["well done"]);
    let first = comments("limit=1");
    assert_eq!(texts(&comments(&format!("cursor={}", first["next_cursor"].as_str().unwrap()))), ["thanks"]);
    let done = reviewer.post(&at("approve"), &json!({})).expect(200).json;
    assert_eq!(events(&done), ["release.approved", "release.executed", "label.set"]);
    assert_eq!(reviewer.post(&at("approve"), &json!({})).expect(409).code(), "release-closed");
    owner.wait_for(done["position"].as_str().unwrap());
    assert_eq!(owner.prompt("team/greet", "label=production").expect(200).json["text"], "two");
    assert!(owner.get("/v1/releases").expect(200).json["releases"].as_array().unwrap().is_empty());
    let closed = owner.get("/v1/releases?all=true").expect(200).json["releases"][0].clone();
    assert_eq!((&closed["status"], &closed["approvals"][0]["principal"]), (&"executed".into(), &json!(reviewer_id)));
    let history = owner.get(&format!("{label}/history")).expect(200).json;
    assert_eq!(history["moves"][1]["actor"], json!(reviewer_id));

    let back = "/v1/prompts/team%2Fgreet/labels/production/rollback";
    assert_eq!(reviewer.post(back, &json!({})).expect(403).json["right"], "roll-back");
    assert_eq!(events(&owner.post(back, &json!({})).expect(200).json), ["label.rolled-back", "label.set"]);
    refusals(&world, &owner, &reviewer);
    lawful(&mut world);
}

/// What has not been met yet.
fn refusals(world: &World, owner: &Client, reviewer: &Client) {
    let release = |body: &Value| owner.post("/v1/releases", body);
    let ask = |version: u32, expires_at: Option<&str>| {
        let mut body = json!({"prompt": "team/greet", "label": "production", "version": version});
        if let Some(expires_at) = expires_at {
            body["expires_at"] = expires_at.into();
        }
        body
    };
    let unprotected = json!({"prompt": "team/greet", "label": "staging", "version": 1});
    assert_eq!(release(&unprotected).expect(409).code(), "label-not-protected");
    assert_eq!(release(&ask(2, Some("2026-05-03T11:00:00Z"))).expect(422).code(), "expiry-in-past");
    let id = |answer: Value| answer["release"].as_str().unwrap().to_owned();
    let ending = id(release(&ask(2, Some("2026-05-03T12:01:00Z"))).expect(201).json);
    let one = id(release(&ask(2, None)).expect(201).json);
    let other = id(release(&ask(2, None)).expect(201).json);
    let approve = |id: &str| reviewer.post(&format!("/v1/releases/{id}/approve"), &json!({}));
    let _ = approve(&one).expect(200);
    assert_eq!(approve(&other).expect(409).code(), "release-stale");
    let _ = reviewer.post(&format!("/v1/releases/{other}/reject"), &json!({})).expect(200);
    assert_eq!(approve("rel_00112233445566778899aabbccddeeff").expect(404).code(), "release-not-found");
    world.clock.advance_ms(61_000);
    assert_eq!(approve(&ending).expect(409).code(), "release-expired");
    let freeze = |from: &str, until: &str| owner.post("/v1/freezes", &json!({"from": from, "until": until}));
    let backwards = freeze("2026-05-03T14:00:00Z", "2026-05-03T13:00:00Z").expect(422);
    assert_eq!(backwards.code(), "empty-window");
    let window = freeze("2026-05-03T12:00:00Z", "2026-05-03T13:00:00Z").expect(201).json;
    create(owner, "free/a");
    let staging = "/v1/prompts/free%2Fa/labels/staging";
    let frozen = owner.put(staging, &json!({"version": 1})).expect(409);
    assert_eq!((frozen.code(), &frozen.json["until"]), ("frozen", &"2026-05-03T13:00:00Z".into()));
    let forced = owner.put(staging, &json!({"version": 1, "override_freeze": true})).expect(200).json;
    assert_eq!(events(&forced), ["freeze.overridden", "label.set"]);
    owner.wait_for(forced["position"].as_str().unwrap());
    let window = window["freeze"].as_str().unwrap();
    assert_eq!(owner.get("/v1/freezes").expect(200).json["freezes"][0]["freeze"], window);
    let lift = |prefix: &str| owner.send("DELETE", &format!("/v1/freezes/{window}?prefix={prefix}"), &[], None);
    assert_eq!(lift("team/").expect(404).code(), "freeze-not-found");
    let _ = lift("").expect(200);
    let nowhere = owner.post(&format!("{staging}/rollback"), &json!({})).expect(409);
    assert_eq!(nowhere.code(), "nothing-to-roll-back");
    assert_eq!(owner.get("/v1/protections").expect(200).json["protections"][0]["approvals"], 1);
    let gone = owner.send("DELETE", "/v1/protections/production?prefix=team/", &[], None).expect(200).json;
    assert_eq!(events(&gone), ["label.unprotected"]);
    // And of access.
    let (admin, _) = caller(owner, &json!({"role": "admin"}));
    let body = json!({"role": "owner"});
    assert_eq!(admin.post("/v1/keys", &body).expect(403).code(), "delegation-exceeds");
    assert_eq!(owner.post("/v1/keys", &json!({"role": "nobody"})).expect(404).code(), "role-not-found");
    let group = "/v1/groups/grp_00112233445566778899aabbccddeeff/roles/viewer";
    assert_eq!(owner.send("PUT", group, &[], None).expect(404).code(), "group-not-found");
    let own = admin.key.split('_').nth(2).unwrap();
    let _ = admin.send("DELETE", &format!("/v1/keys/{own}"), &[], None).expect(200);
    assert_eq!(owner.post(&format!("/v1/keys/{own}/rotate"), &json!({})).expect(409).code(), "key-revoked");
}
