//! The directory over SCIM: the life of a person and of a group, as an identity provider tells it.

use promptory_platform::Clock;
use promptory_tests::client::{Answer, segment};
use promptory_tests::provider::{AUDIENCE, Provider};
use promptory_tests::{Client, World};
use serde_json::{Value, json};

use crate::rights::lawful;

const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// A new user.
fn user(client: &Client, name: &str) -> Value {
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name, "externalId": format!("00u-{name}"),
        "name": {"givenName": "Ada", "familyName": "Lovelace"}, "emails": [{"value": name, "type": "work", "primary": true}],
        "active": true,
    });
    client.post("/scim/v2/Users", &user).expect(201).json
}

fn group(client: &Client, name: &str, members: &[&Value]) -> Value {
    let members: Vec<Value> = members.iter().map(|member| json!({"value": member["id"]})).collect();
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name, "members": members,
    });
    client.post("/scim/v2/Groups", &group).expect(201).json
}

fn at(kind: &str, resource: &Value) -> String {
    format!("/scim/v2/{kind}/{}", resource["id"].as_str().unwrap())
}

fn patch(client: &Client, path: &str, operations: Value) -> Answer {
    let patch = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
    client.send("PATCH", path, &[], Some(&patch))
}

fn found(client: &Client, kind: &str, filter: &str) -> Vec<Value> {
    let list = client.get(&format!("/scim/v2/{kind}?filter={}", segment(filter))).expect(200).json;
    assert_eq!(list["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));
    let all = list["Resources"].as_array().unwrap().clone();
    assert_eq!(list["totalResults"], all.len());
    all.iter().map(|one| one["id"].clone()).collect()
}

/// Refused in SCIM's form.
fn refused(answer: &Answer, status: u16, kind: &str) {
    assert_eq!(answer.header("content-type"), "application/scim+json", "{answer:?}");
    let json = &answer.json;
    assert_eq!((&json["schemas"], &json["status"]), (&json!([ERROR]), &json!(status.to_string())), "{json}");
    assert_eq!((answer.status, json["scimType"].as_str().unwrap_or_default()), (status, kind), "{json}");
}

/// A key of a user.
fn key_of(owner: &Client, user: &Value) -> Client {
    let issued = owner.post("/v1/keys", &json!({"principal": user["id"]})).expect(201).json;
    owner.with_key(issued["key"].as_str().unwrap())
}

fn write(client: &Client, key: &str) -> Answer {
    client.post("/v1/prompts", &json!({"key": key, "text": key}))
}

#[test]
fn a_person_comes_is_kept_out_comes_back_and_goes() {
    let mut world = World::new();
    let owner = world.acme();
    let ada = user(&owner, "ada@acme.example");
    let path = at("Users", &ada);
    let answer = owner.get(&path).expect(200);
    assert_eq!((answer.header("content-type"), &answer.json), ("application/scim+json", &ada));
    assert_eq!(answer.header("etag"), ada["meta"]["version"]);
    assert_eq!(ada["meta"]["location"], format!("{}{path}", owner.url));
    assert_eq!((&ada["meta"]["resourceType"], &ada["active"]), (&json!("User"), &json!(true)));
    assert_eq!(ada["meta"]["created"], "2026-05-03T12:00:00Z");
    // With a group come its rights.
    let poets = group(&owner, "Poets", &[&ada]);
    let grant = format!("/v1/groups/{}/roles/editor?prefix=team/", poets["id"].as_str().unwrap());
    let _ = owner.send("PUT", &grant, &[], None).expect(200);
    let by_ada = key_of(&owner, &ada);
    let written = write(&by_ada, "team/a").expect(201).json;
    by_ada.wait_for(written["position"].as_str().unwrap());
    assert_eq!(owner.get(&path).expect(200).json["groups"][0]["value"], poets["id"]);
    // Kept out: by a write and by a read.
    let answer = patch(&owner, &path, json!([{"op": "Replace", "path": "active", "value": "False"}])).expect(200);
    owner.wait_for(answer.header("promptory-position"));
    let off = answer.json;
    assert_eq!((&off["active"], &off["name"]), (&json!(false), &ada["name"]));
    assert_ne!(off["meta"]["version"], ada["meta"]["version"]);
    assert_eq!(write(&by_ada, "team/b").expect(401).code(), "unauthenticated");
    assert_eq!(by_ada.get("/v1/status").expect(401).code(), "unauthenticated");
    // Whoever asks what he may do is told so, and that he could.
    let (id, on) = (ada["id"].as_str().unwrap(), "action=write-prompts&on=team/a");
    let why = |when: &str| owner.get(&format!("/v1/access/why?principal={id}&{on}{when}")).expect(200).json;
    assert_eq!((&why("")["allowed"], &why("")["missing"][0]["reason"]), (&json!(false), &json!("kept-out")));
    assert_eq!(why(&format!("&as_of={}", written["events"][0]["index"]))["allowed"], true);
    let who = owner.get(&format!("/v1/access?{on}")).expect(200).json;
    assert!(who["who"].as_array().unwrap().iter().all(|who| who["principal"] != id), "{who:#}");
    // Back, also on a node that starts anew, from a snapshot and from rows.
    let on = json!({"schemas": ada["schemas"], "userName": "ada@acme.example", "active": true});
    let on = owner.put(&path, &on).expect(200).json;
    assert_eq!((&on["active"], &on["name"], &on["externalId"]), (&json!(true), &Value::Null, &Value::Null));
    world.restart(|_| {});
    let (owner, by_ada) = (owner.at(&world.node().url()), by_ada.at(&world.node().url()));
    let _ = write(&by_ada, "team/b").expect(201);
    let _ = by_ada.get("/v1/status").expect(200);
    // And gone, for good.
    let gone = owner.send("DELETE", &path, &[], None).expect(204);
    assert_eq!(gone.json, Value::Null);
    assert_eq!(write(&by_ada, "team/c").expect(401).code(), "unauthenticated");
    refused(&owner.get(&path), 404, "");
    refused(&owner.send("DELETE", &path, &[], None), 404, "");
    assert_eq!(owner.get(&at("Groups", &poets)).expect(200).json["members"], Value::Null);
    let again = user(&owner, "ada@acme.example");
    assert_ne!(again["id"], ada["id"]);
    let another = key_of(&owner, &ada);
    assert_eq!(write(&another, "team/c").expect(401).code(), "unauthenticated");
    lawful(&mut world);
}

#[test]
fn names_are_nobodys_else_and_nowhere_in_the_clear() {
    let mut world = World::new();
    let owner = world.acme();
    let ada = user(&owner, "ada@acme.example");
    let twin = json!({"schemas": ada["schemas"], "userName": "ADA@acme.example"});
    refused(&owner.post("/scim/v2/Users", &twin), 409, "uniqueness");
    let bob = user(&owner, "bob@acme.example");
    let renamed = json!([{"op": "replace", "path": "userName", "value": "Ada@acme.example"}]);
    refused(&patch(&owner, &at("Users", &bob), renamed), 409, "uniqueness");
    let poets = group(&owner, "Most secret poets", &[&ada, &bob]);
    let set = patch(&owner, &at("Groups", &poets), json!([{"op": "add", "path": "externalId", "value": "00u-g"}]));
    owner.wait_for(set.expect(200).header("promptory-position"));
    let events = owner.get("/v1/events?limit=1000").expect(200).json;
    let names: Vec<&str> = events["events"].as_array().unwrap().iter().filter_map(|e| e["type"].as_str()).collect();
    assert_eq!(names.iter().filter(|name| **name == "user.set").count(), 2);
    assert!(names.contains(&"group.set"), "{names:?}");
    world.restart(|data| {
        let files = ["ledger.redb", "command-cache.redb"].map(|name| data.join(name)).into_iter();
        let models = walk(&data.join("models"));
        for file in files.chain(models) {
            let bytes = std::fs::read(&file).unwrap();
            for name in ["acme.example", "Lovelace", "secret poets", "00u-"] {
                let there = bytes.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name.as_bytes()));
                assert!(!there, "{name} is in {}", file.display());
            }
        }
    });
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn people_and_groups_are_found_by_filters_a_page_at_a_time() {
    let world = World::new();
    let owner = world.acme();
    let (ada, bob) = (user(&owner, "ada@acme.example"), user(&owner, "bob@acme.example"));
    let poets = group(&owner, "Poets", &[&ada]);
    for (filter, expected) in [
        (r#"userName eq "ADA@acme.example""#, vec![&ada]),
        (r#"externalId eq "00u-bob@acme.example""#, vec![&bob]),
        (r#"externalId eq "00U-bob@acme.example""#, vec![]),
        (r#"userName eq "nobody""#, vec![]),
        (r#"userName eq "ada@acme.example" and active eq false"#, vec![]),
        (r#"emails[type eq "work" and value sw "bob"]"#, vec![&bob]),
        (r#"name.familyName eq "lovelace" and not (userName sw "bob")"#, vec![&ada]),
    ] {
        let ids: Vec<Value> = expected.iter().map(|one| one["id"].clone()).collect();
        assert_eq!(found(&owner, "Users", filter), ids, "{filter}");
    }
    let (poets_id, ada_id) = (poets["id"].as_str().unwrap(), ada["id"].as_str().unwrap());
    assert_eq!(found(&owner, "Users", &format!("id eq \"{ada_id}\"")), [ada["id"].clone()]);
    for filter in [
        r#"displayName eq "poets""#.to_owned(),
        format!(r#"id eq "{poets_id}" and members eq "{ada_id}""#),
        format!(r#"members[value eq "{ada_id}"]"#),
    ] {
        assert_eq!(found(&owner, "Groups", &filter), [poets["id"].clone()], "{filter}");
    }
    for filter in ["userName eq", "colour eq \"red\"", "userName gt 1"] {
        refused(&owner.get(&format!("/scim/v2/Users?filter={}", segment(filter))), 400, "invalidFilter");
    }
    let page = owner.get("/scim/v2/Users?startIndex=2&count=1&attributes=userName").expect(200).json;
    assert_eq!((&page["totalResults"], &page["startIndex"], &page["itemsPerPage"]), (&json!(2), &json!(2), &json!(1)));
    let one = page["Resources"][0].as_object().unwrap();
    assert_eq!(one.keys().collect::<Vec<_>>(), ["id", "schemas", "userName"]);
    let none = owner.get("/scim/v2/Users?count=0&startIndex=-3").expect(200).json;
    assert_eq!((&none["totalResults"], &none["startIndex"], &none["Resources"]), (&json!(2), &json!(1), &json!([])));
    let search = json!({"filter": "userName sw \"ada\"", "attributes": ["userName", "title"]});
    let some = owner.post("/scim/v2/Users/.search", &search).expect(200).json;
    assert_eq!((&some["totalResults"], &some["Resources"][0]["userName"]), (&json!(1), &json!("ada@acme.example")));
    let both = |search: Value| owner.post("/scim/v2/.search", &search).expect(200).json;
    let all = both(json!({"count": 200}));
    assert_eq!(all["totalResults"], 3, "two users and a group");
    let names = |page: &Value| -> Vec<Value> {
        page["Resources"].as_array().unwrap().iter().map(|one| one["meta"]["resourceType"].clone()).collect()
    };
    assert_eq!(names(&all), ["User", "User", "Group"]);
    assert_eq!(names(&both(json!({"startIndex": 2, "count": 2}))), ["User", "Group"]);
    assert_eq!(names(&both(json!({"startIndex": 3, "count": 2}))), ["Group"]);
    assert_eq!(names(&both(json!({"filter": "members pr"}))), ["Group"]);
    refused(&owner.post("/scim/v2/.search", &json!({"filter": "colour eq 1"})), 400, "invalidFilter");
    let without = owner.get(&format!("{}?excludedAttributes=members", at("Groups", &poets))).expect(200).json;
    assert_eq!((&without["displayName"], &without["members"]), (&json!("Poets"), &Value::Null));
}

#[test]
fn groups_change_as_entra_id_and_okta_change_them() {
    let mut world = World::new();
    let owner = world.acme();
    let all = ["ada", "bob", "cyd"].map(|name| user(&owner, name));
    let [ada, bob, cyd] = &all;
    let poets = group(&owner, "Poets", &[ada]);
    let path = at("Groups", &poets);
    let members = |client: &Client| -> Vec<Value> {
        let group = client.get(&path).expect(200).json;
        let mut ids: Vec<Value> =
            group["members"].as_array().into_iter().flatten().map(|m| m["value"].clone()).collect();
        ids.sort_by_key(ToString::to_string);
        ids
    };
    let ids = |users: &[&Value]| {
        let mut ids: Vec<Value> = users.iter().map(|user| user["id"].clone()).collect();
        ids.sort_by_key(ToString::to_string);
        ids
    };
    let is_ada = format!("members[value eq \"{}\"]", ada["id"].as_str().unwrap());
    for (operations, expected) in [
        (json!([{"op": "Add", "path": "members", "value": [{"$ref": null, "value": bob["id"]}]}]), vec![ada, bob]),
        (json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": ada["id"]}]}]), vec![bob]),
        (
            json!([{"op": "add", "path": "members", "value": [{"value": ada["id"], "display": "ada"}]}, {"op": "replace", "value": {"id": poets["id"], "displayName": "Bards"}}]),
            vec![ada, bob],
        ),
        (
            json!([{"op": "remove", "path": is_ada}, {"op": "add", "path": "members", "value": [{"value": cyd["id"]}]}]),
            vec![bob, cyd],
        ),
        (json!([{"op": "replace", "path": "members", "value": [{"value": ada["id"]}]}]), vec![ada]),
    ] {
        let _ = patch(&owner, &path, operations.clone()).expect(200);
        assert_eq!(members(&owner), ids(&expected), "{operations}");
    }
    assert_eq!(owner.get(&path).expect(200).json["displayName"], "Bards");
    // Who is in it otherwise is not the directory's business.
    let robot = owner.post("/v1/keys", &json!({"role": "viewer"})).expect(201).json["principal"].clone();
    let by_hand = format!("/v1/groups/{}/members/{}", poets["id"].as_str().unwrap(), robot.as_str().unwrap());
    let _ = owner.send("PUT", &by_hand, &[], None).expect(200);
    let whole = json!({"schemas": poets["schemas"], "displayName": "Bards", "members": [{"value": bob["id"]}]});
    let _ = owner.put(&path, &whole).expect(200);
    assert_eq!(members(&owner), ids(&[bob]));
    let stranger = json!([{"op": "add", "path": "members", "value": [{"value": robot}]}]);
    refused(&patch(&owner, &path, stranger), 400, "invalidValue");
    let _ = owner.send("DELETE", &path, &[], None).expect(204);
    refused(&owner.get(&path), 404, "");
    lawful(&mut world);
}

#[test]
fn who_has_seen_another_version_changes_nothing_and_who_has_no_right_neither() {
    let mut world = World::new();
    let owner = world.acme();
    let ada = user(&owner, "ada");
    let path = at("Users", &ada);
    let version = ada["meta"]["version"].as_str().unwrap().to_owned();
    let body = |title: &str| json!({"schemas": ada["schemas"], "userName": "ada", "title": title});
    let if_match = |etag: &str, title: &str| owner.send("PUT", &path, &[("if-match", etag)], Some(&body(title)));
    let _ = if_match(&version, "Poet").expect(200);
    refused(&if_match(&version, "Countess"), 412, "");
    assert_eq!(if_match("*", "Countess").expect(200).json["title"], "Countess");
    refused(&owner.send("DELETE", &path, &[("if-match", &version)], None), 412, "");
    // The same again changes nothing, and so does a patch that is half wrong.
    let before = owner.get(&path).expect(200).json;
    assert_eq!(owner.put(&path, &body("Countess")).expect(200).json, before);
    let half = json!([{"op": "replace", "path": "title", "value": "x"}, {"op": "replace", "path": "id", "value": "x"}]);
    refused(&patch(&owner, &path, half), 400, "mutability");
    assert_eq!(owner.get(&path).expect(200).json, before);
    let caller = |role: &str| {
        let key = owner.post("/v1/keys", &json!({ "role": role })).expect(201).json["key"].clone();
        owner.with_key(key.as_str().unwrap())
    };
    let (viewer, auditor, admin) = (caller("viewer"), caller("auditor"), caller("admin"));
    refused(&viewer.get(&path), 403, "");
    refused(&viewer.get("/scim/v2/Users"), 403, "");
    refused(&owner.with_key("pk_acme_nobody").get(&path), 401, "");
    assert_eq!(auditor.get(&path).expect(200).json, before);
    refused(&auditor.put(&path, &body("Countess")), 403, "");
    // An admin keeps nobody out who may more than he.
    let grant = format!("/v1/principals/{}/roles/owner", ada["id"].as_str().unwrap());
    let _ = owner.send("PUT", &grant, &[], None).expect(200);
    let off = json!([{"op": "replace", "value": {"active": false}}]);
    refused(&patch(&admin, &path, off.clone()), 403, "");
    let bob = user(&admin, "bob");
    assert_eq!(patch(&admin, &at("Users", &bob), off).expect(200).json["active"], false);
    // Whoever was told no is recorded, a moment after the answer.
    let denied = || {
        let events = owner.get("/v1/events?limit=1000").expect(200).json["events"].clone();
        events.as_array().unwrap().iter().filter(|event| event["type"] == "attempt.denied").count()
    };
    let recorded = (0..1000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        denied() >= 3
    });
    assert!(recorded, "whoever was told no has been recorded");
    lawful(&mut world);
}

#[test]
fn what_the_server_does_is_known_without_a_key() {
    let world = World::new();
    let nobody = Client::new(&world.node().url(), "nobody");
    let config = nobody.get("/scim/v2/ServiceProviderConfig").expect(200);
    assert_eq!(config.header("content-type"), "application/scim+json");
    assert_eq!((&config.json["patch"]["supported"], &config.json["bulk"]["supported"]), (&json!(true), &json!(false)));
    let types = nobody.get("/scim/v2/ResourceTypes").expect(200).json;
    assert_eq!((&types["totalResults"], &types["Resources"][1]["endpoint"]), (&json!(2), &json!("/Groups")));
    let schema = nobody.get("/scim/v2/Schemas/urn:ietf:params:scim:schemas:core:2.0:User").expect(200).json;
    let names: Vec<&str> = schema["attributes"].as_array().unwrap().iter().filter_map(|a| a["name"].as_str()).collect();
    assert!(names.contains(&"userName") && !names.contains(&"password"), "{names:?}");
    refused(&nobody.get("/scim/v2/Schemas/nothing"), 404, "");
    refused(&nobody.get("/scim/v2/nothing"), 404, "");
    refused(&nobody.get("/scim/v2/Users"), 401, "");
}

#[test]
fn whoever_logs_in_is_the_user_of_the_directory_and_refused_once_he_is_kept_out() {
    let (mut world, provider) = (World::of_today(), Provider::start());
    let owner = world.acme();
    let trust = json!({"url": provider.url(), "audience": AUDIENCE, "groups_claim": "groups"});
    let issuer = owner.post("/v1/issuers", &trust).expect(201).json["issuer"].as_str().unwrap().to_owned();
    let link = owner.put(&format!("/v1/issuers/{issuer}/users"), &json!({"claim": "sub", "attribute": "externalId"}));
    owner.wait_for(link.expect(200).json["position"].as_str().unwrap());
    assert_eq!(
        owner.get("/v1/issuers").expect(200).json["issuers"][0]["users"],
        json!({"claim": "sub", "attribute": "externalId"})
    );
    let token = || {
        let token = provider.token("ada");
        let behind_ms = (Clock::System.now().micros() - world.clock.now().micros()) / 1000;
        world.clock.advance_ms(behind_ms.max(0));
        token
    };
    let login = || owner.with_token("acme", &token());
    // Nobody whom the directory does not know, whatever his token says.
    assert_eq!(write(&login(), "team/a").expect(401).code(), "unauthenticated");
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada@acme.example", "externalId": "ada",
    });
    let ada = owner.post("/scim/v2/Users", &body).expect(201).json;
    let poets = group(&owner, "Poets", &[&ada]);
    let grant = format!("/v1/groups/{}/roles/editor?prefix=team/", poets["id"].as_str().unwrap());
    let _ = owner.send("PUT", &grant, &[], None).expect(200);
    let by_token = login();
    let written = write(&by_token, "team/a").expect(201).json;
    by_token.wait_for(written["position"].as_str().unwrap());
    let events = owner.get("/v1/events?limit=1000").expect(200).json;
    let created = events["events"].as_array().unwrap().iter().find(|event| event["type"] == "prompt.created").unwrap();
    assert_eq!(created["actor"], ada["id"], "the same principal as by a key");
    let off = patch(&owner, &at("Users", &ada), json!([{"op": "replace", "value": {"active": false}}])).expect(200);
    owner.wait_for(off.header("promptory-position"));
    for client in [by_token, login()] {
        assert_eq!(write(&client, "team/b").expect(401).code(), "unauthenticated");
        assert_eq!(client.get("/v1/status").expect(401).code(), "unauthenticated");
    }
    lawful(&mut world);
}
