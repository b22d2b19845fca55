//! Who may do what, what one may do, and why, over HTTP: now, as of then, and what nobody is told who may not see it.

use promptory_tests::World;
use promptory_tests::client::segment;
use serde_json::{Value, json};

use crate::rights::{caller, lawful};

/// The principals of a page, each with what it may do.
fn who(page: &Value) -> Vec<(String, Vec<String>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let one = |who: &Value| (text(&who["principal"]), who["actions"].as_array().unwrap().iter().map(text).collect());
    page["who"].as_array().unwrap().iter().filter(|who| who["principal"].is_string()).map(one).collect()
}

fn reasons(why: &Value) -> Vec<&str> {
    why["missing"].as_array().unwrap().iter().map(|missing| missing["reason"].as_str().unwrap()).collect()
}

#[test]
fn who_may_do_what_is_told_now_and_as_of_then_with_what_it_is_by() {
    let mut world = World::new();
    let owner = world.acme();
    let group = owner.post("/v1/groups", &json!({"name": "Poets"})).expect(201).json["group"].clone();
    let group = group.as_str().unwrap();
    let _ = owner.put("/v1/roles/poet", &json!({"actions": ["read", "write-prompts"]})).expect(200);
    let (poet, poet_id) = caller(&owner, &json!({"role": "viewer", "prefix": "prose/"}));
    let _ = owner.send("PUT", &format!("/v1/groups/{group}/members/{poet_id}"), &[], None).expect(200);
    let grant = format!("/v1/groups/{group}/roles/poet?prefix=poems/&expires_at=2026-05-03T13:00:00Z");
    let granted = owner.send("PUT", &grant, &[], None).expect(200).json;
    let position = granted["position"].as_str().unwrap().to_owned();
    let at: u64 = granted["events"][0]["index"].as_u64().unwrap();
    let ask = |query: &str| owner.get(&format!("/v1/access?{query}&at_least={position}")).expect(200).json;

    let all = ask("on=poems/a");
    assert_eq!((&all["on"], all["who"].as_array().unwrap().len()), (&json!("poems/a"), 2));
    let writers = ask("on=poems/a&action=write-prompts");
    let of = |page: &Value| who(page).into_iter().find(|(id, _)| *id == poet_id).map(|(_, actions)| actions);
    assert_eq!(of(&writers), Some(vec!["read".to_owned(), "write-prompts".to_owned()]));
    let entry = writers["who"].as_array().unwrap().iter().find(|who| who["principal"] == poet_id).unwrap().clone();
    let by = &entry["by"][0];
    assert_eq!((&by["group"], &by["role"], &by["granted_index"]), (&json!(group), &json!("poet"), &json!(at)));
    assert!(by["member_index"].as_u64().unwrap() < at && by["role_defined_index"].as_u64().unwrap() < at);
    assert_eq!(entry["keys"][0]["actions"], json!(["read", "write-prompts"]));
    assert_eq!(of(&ask(&format!("on=poems/a&as_of={}", at - 1))), None, "before the grant");
    assert_eq!(of(&ask("on=prose/")), Some(vec!["read".to_owned(), "read-analytics".to_owned()]));
    assert_eq!(of(&ask("on=")), None, "nothing on the whole tenant");
    assert_eq!(of(&ask("below=true")), Some(vec![]), "but on parts of it");

    // Pages stay at their index and time, whatever happens meanwhile.
    let first = ask("on=poems/&limit=1");
    let _ = owner.send("DELETE", &format!("/v1/groups/{group}/members/{poet_id}"), &[], None).expect(200);
    world.clock.advance_ms(7_200_000);
    let (mut found, mut cursor) = (who(&first), first["next_cursor"].as_str().map(ToOwned::to_owned));
    while let Some(next) = cursor {
        let page = owner.get(&format!("/v1/access?limit=1&cursor={next}")).expect(200).json;
        assert_eq!((&page["index"], &page["at"]), (&first["index"], &first["at"]));
        found.extend(who(&page));
        cursor = page["next_cursor"].as_str().map(ToOwned::to_owned);
    }
    assert_eq!(found, who(&ask(&format!("on=poems/&as_of={at}"))));
    assert!(found.iter().any(|(id, _)| *id == poet_id));
    assert_eq!(of(&ask(&format!("on=poems/&as_of={at}&at=2026-05-03T13:00:00Z"))), None, "it had expired by then");
    let held = poet.get(&format!("/v1/principals/{poet_id}/access?as_of={at}")).expect(200).json;
    assert_eq!((&held["complete"], held["grants"].as_array().unwrap().len()), (&json!(true), 2));
    let can = held["can"].as_array().unwrap().iter().find(|can| can["action"] == "read").unwrap();
    assert_eq!(can["prefixes"], json!(["poems/", "prose/"]));
    lawful(&mut world);
}

#[test]
fn why_somebody_could_or_could_not_is_told_with_the_events_that_say_so() {
    let mut world = World::new();
    let owner = world.acme();
    let me = owner.get("/v1/keys").expect(200).json["keys"][0]["principal"].clone();
    let narrowed = json!({"role": "editor", "prefix": "team/", "scope": {"role": "viewer", "prefix": "team/a/"}});
    let (editor, id) = caller(&owner, &narrowed);
    let key = editor.key.split('_').nth(2).unwrap().to_owned();
    let why = |query: &str| owner.get(&format!("/v1/access/why?principal={id}&{query}")).expect(200).json;
    let yes = why("action=write-prompts&on=team/a/x");
    let grant = &yes["grants"][0];
    assert_eq!((&yes["allowed"], &grant["decides"], &grant["granted_by"]), (&json!(true), &json!(true), &me));
    assert!(yes["missing"].as_array().unwrap().is_empty() && grant["granted_at"].is_string());
    assert_eq!(reasons(&why("action=write-prompts&on=other/x")), ["no-grant", "grant-elsewhere"]);
    assert_eq!(reasons(&why("action=manage-access&on=team/a/x")), ["no-grant", "grant-lacks-action"]);
    let with = |query: &str| why(&format!("{query}&key={key}"));
    assert_eq!(reasons(&with("action=write-prompts&on=team/a/x")), ["key-scope"]);
    assert_eq!(with("action=read&on=team/a/x")["allowed"], true);
    assert_eq!(with("action=read&on=team/b")["missing"][0]["kept"], "prefix");
    let unknown = "key=0102030405060708&action=read&on=team/b";
    assert_eq!(reasons(&why(unknown)), ["key-unknown"]);

    // The answer is what a command of that moment meets.
    let denied = editor.post("/v1/prompts", &json!({"key": "team/a/x", "text": ""})).expect(403);
    assert_eq!((denied.code(), &denied.json["right"]), ("forbidden", &json!("write-prompts")));

    let path = format!("/v1/principals/{id}/roles/editor?prefix=team/");
    let revoked = owner.send("DELETE", &path, &[], None).expect(200).json;
    owner.wait_for(revoked["position"].as_str().unwrap());
    let index = revoked["events"][0]["index"].as_u64().unwrap();
    let no = why("action=write-prompts&on=team/a/x");
    assert_eq!((reasons(&no), &no["missing"][1]["revoked_index"]), (vec!["no-grant", "grant-revoked"], &json!(index)));
    assert_eq!(why(&format!("action=write-prompts&on=team/a/x&as_of={}", index - 1))["allowed"], true);
    let deleted = owner.send("DELETE", &format!("/v1/keys/{key}"), &[], None).expect(200).json;
    owner.wait_for(deleted["position"].as_str().unwrap());
    assert_eq!(reasons(&with("action=read&on=team/a/x"))[0], "key-revoked");
    lawful(&mut world);
}

#[test]
fn what_a_token_would_open_is_told_by_the_groups_that_it_claims() {
    let mut world = World::new();
    let owner = world.acme();
    let group = owner.post("/v1/groups", &json!({"name": "Staff"})).expect(201).json["group"].clone();
    let group = group.as_str().unwrap();
    let trust = json!({"url": "https://id.example.com", "audience": "promptory", "groups_claim": "groups"});
    let issuer = owner.post("/v1/issuers", &trust).expect(201).json["issuer"].as_str().unwrap().to_owned();
    let _ = owner.put(&format!("/v1/issuers/{issuer}/groups/staff"), &json!({"group": group})).expect(200);
    let granted = owner.send("PUT", &format!("/v1/groups/{group}/roles/editor?prefix=team/"), &[], None).expect(200);
    owner.wait_for(granted.json["position"].as_str().unwrap());
    let page = owner.get("/v1/access?on=team/x&action=write-prompts").expect(200).json;
    let claimed = page["who"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&claimed["issuer"], &claimed["value"]), (&json!(issuer), &json!("staff")));
    assert_eq!((&claimed["group"], &claimed["by"][0]["claim"]), (&json!(group), &claimed["claim"]));
    let (claim, somebody) = (claimed["claim"].as_str().unwrap(), "pri_00000000000000000000000000000001");
    let why = |query: &str| {
        let query = format!("principal={somebody}&action=write-prompts&on=team/x&issuer={issuer}{query}");
        owner.get(&format!("/v1/access/why?{query}")).expect(200).json
    };
    let yes = why(&format!("&claims={claim}"));
    assert_eq!((&yes["allowed"], &yes["grants"][0]["group"]), (&json!(true), &json!(group)));
    assert!(yes["grants"][0]["mapped_by"].is_string());
    assert_eq!(reasons(&why("")), ["no-grant"]);
    let distrusted = owner.send("DELETE", &format!("/v1/issuers/{issuer}"), &[], None).expect(200).json;
    owner.wait_for(distrusted["position"].as_str().unwrap());
    assert_eq!(reasons(&why(&format!("&claims={claim}")))[0], "issuer-unknown");
    lawful(&mut world);
}

#[test]
fn nobody_learns_who_may_do_what_where_he_may_not_see_it() {
    let mut world = World::new();
    let owner = world.acme();
    let (auditor, auditor_id) = caller(&owner, &json!({"role": "auditor", "prefix": "team/"}));
    let (viewer, viewer_id) = caller(&owner, &json!({"role": "viewer", "prefix": "secret/"}));
    let (other, other_id) = caller(&owner, &json!({"role": "editor", "prefix": "team/a/"}));
    let hidden = |path: &str, client: &promptory_tests::Client, right: bool| {
        let refused = client.get(path).expect(403);
        assert_eq!(refused.code(), "forbidden", "{path}");
        assert_eq!(refused.json["right"] == "read-access", right);
    };
    hidden("/v1/access?on=secret/x", &auditor, true);
    hidden("/v1/access", &auditor, true);
    hidden(&format!("/v1/access/why?principal={viewer_id}&action=read&on=secret/x"), &auditor, true);
    hidden(&format!("/v1/access/why?principal={auditor_id}&action=read&on=secret/x"), &viewer, true);
    let below = auditor.get("/v1/access?on=team/&below=true").expect(200).json;
    let found: Vec<String> = who(&below).into_iter().map(|(id, _)| id).collect();
    assert!(found.contains(&auditor_id) && found.contains(&other_id) && !found.contains(&viewer_id));
    let shown = below["who"].as_array().unwrap().iter().find(|who| who["principal"] == other_id).unwrap().clone();
    assert_eq!(shown["keys"], json!([]), "a key that nothing narrows is shown to who may see all");

    // Of others only what is granted where he may see it; who has nothing there is not told from nobody.
    let part = auditor.get(&format!("/v1/principals/{other_id}/access")).expect(200).json;
    assert_eq!((&part["complete"], &part["can"]), (&json!(false), &Value::Null));
    assert_eq!(part["grants"][0]["prefix"], "team/a/");
    for nobody in [viewer_id.as_str(), "pri_00000000000000000000000000000000"] {
        let refused = auditor.get(&format!("/v1/principals/{nobody}/access")).expect(404);
        assert_eq!(refused.code(), "principal-not-found");
    }
    // Everybody about himself.
    let own = other.get(&format!("/v1/principals/{other_id}/access")).expect(200).json;
    assert_eq!((&own["complete"], own["keys"].as_array().unwrap().len()), (&json!(true), 1));
    let why = format!("/v1/access/why?principal={other_id}&action=read&on={}", segment("secret/x"));
    assert_eq!(other.get(&why).expect(200).json["allowed"], false);
    // The refusals are on record, before what was written after them.
    let mark = owner.post("/v1/prompts", &json!({"key": "mark", "text": "x"})).expect(201).json;
    owner.wait_for(mark["position"].as_str().unwrap());
    let events = owner.get("/v1/events?limit=1000").expect(200).json;
    let denied = events["events"].as_array().unwrap().iter().filter(|event| event["type"] == "attempt.denied");
    let denied: Vec<_> = denied.map(|event| (&event["detail"]["action"], &event["detail"]["target"])).collect();
    assert!(denied.contains(&(&json!("read-access"), &json!("secret/"))), "{denied:?}");
    lawful(&mut world);
}

#[test]
fn lists_about_access_and_releases_are_told_as_of_then() {
    let mut world = World::new();
    let owner = world.acme();
    let created = owner.post("/v1/prompts", &json!({"key": "team/a", "text": "one"})).expect(201).json;
    let _ = owner.put("/v1/protections/production?prefix=team/", &json!({"approvals": 1})).expect(200);
    let (_, viewer) = caller(&owner, &json!({"role": "viewer", "prefix": "team/"}));
    let body = json!({"prompt": "team/a", "label": "production", "version": 1});
    let opened = owner.post("/v1/releases", &body).expect(201).json;
    let release = opened["release"].as_str().unwrap();
    let commented =
        owner.post("/v1/prompts/team%2Fa/comments", &json!({"version": 1, "text": "why?"})).expect(201).json;
    let index = |outcome: &Value| outcome["events"].as_array().unwrap().last().unwrap()["index"].as_u64().unwrap();
    let then = index(&commented);
    let _ = owner.post(&format!("/v1/releases/{release}/withdraw"), &json!({})).expect(200);
    let path = format!("/v1/principals/{viewer}/roles/viewer?prefix=team/");
    let _ = owner.send("DELETE", &path, &[], None).expect(200);
    let gone = owner.send("DELETE", "/v1/protections/production?prefix=team/", &[], None).expect(200).json;
    owner.wait_for(gone["position"].as_str().unwrap());
    let count = |list: &str, query: &str| {
        let page = owner.get(&format!("/v1/{list}?{query}")).expect(200).json;
        page[list].as_array().unwrap().len()
    };
    let as_of = format!("as_of={then}");
    for (list, now, before) in [("grants", 1, 2), ("releases", 0, 1), ("protections", 0, 1), ("keys", 2, 2)] {
        assert_eq!((count(list, ""), count(list, &as_of)), (now, before), "{list}");
    }
    let (first, release) = (index(&created), index(&opened));
    let said = |query: &str| owner.get(&format!("/v1/prompts/team%2Fa/comments?{query}")).expect(200).json;
    assert_eq!(said("")["comments"].as_array().unwrap().len(), 1);
    assert_eq!(said(&format!("as_of={release}"))["comments"], json!([]));
    assert_eq!(count("protections", &format!("as_of={first}")), 0);
    let open = owner.get(&format!("/v1/releases?{as_of}")).expect(200).json;
    assert_eq!((&open["releases"][0]["status"], &open["releases"][0]["needed"]), (&json!("open"), &json!(1)));
    let refused = owner.get("/v1/grants?as_of=2026-05-03T12:00:00Z&clock=occurred").expect(400);
    assert_eq!((refused.code(), &refused.json["field"]), ("invalid-field", &json!("clock")));
    assert_eq!(owner.get("/v1/grants?as_of=9999").expect(422).code(), "index-beyond-end");
    lawful(&mut world);
}

#[test]
fn a_key_opens_once_it_is_shown_and_no_more_once_it_is_said_to_be_revoked() {
    let world = World::new();
    let owner = world.acme();
    for _ in 0..20 {
        let issued = owner.post("/v1/keys", &json!({"role": "viewer"})).expect(201).json;
        let viewer = owner.with_key(issued["key"].as_str().unwrap());
        let _ = viewer.get("/v1/prompts").expect(200);
        let key_id = issued["key_id"].as_str().unwrap();
        let _ = owner.send("DELETE", &format!("/v1/keys/{key_id}"), &[], None).expect(200);
        assert_eq!(viewer.get("/v1/prompts").expect(401).problem(), Some("unauthenticated"));
    }
}
