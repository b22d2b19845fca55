//! Prompts as a whole over HTTP: who takes them up, how long they took to production, which nobody needs. Each figure is computed
//! again from what was done.

use std::collections::{BTreeMap, BTreeSet};

use promptory_tests::{Client, World};
use serde_json::{Value, json};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

fn done(owner: &Client, path: &str, body: &Value) -> Value {
    let made = owner.post(path, body).expect(201).json;
    owner.wait_for(made["position"].as_str().unwrap());
    made
}

fn create(owner: &Client, key: &str) {
    done(owner, "/v1/prompts", &json!({"key": key, "text": "Hello"}));
}

fn label(owner: &Client, key: &str, version: u32) {
    let path = format!("/v1/prompts/{}/labels/production", key.replace('/', "%2F"));
    let set = owner.put(&path, &json!({"version": version})).expect(200).json;
    owner.wait_for(set["position"].as_str().unwrap());
}

fn add(owner: &Client, key: &str) {
    done(owner, &format!("/v1/prompts/{}/versions", key.replace('/', "%2F")), &json!({"text": format!("{key} again")}));
}

/// A key with a role on a prefix.
fn holder(owner: &Client, role: &str, prefix: &str) -> Client {
    let issued = done(owner, "/v1/keys", &json!({"role": role, "prefix": prefix}));
    owner.with_key(issued["key"].as_str().unwrap())
}

fn get(client: &Client, path: &str) -> Value {
    client.get(&format!("/v1/analytics/{path}")).expect(200).json
}

fn keys(answer: &Value) -> Vec<&str> {
    answer["prompts"].as_array().unwrap().iter().map(|prompt| prompt["key"].as_str().unwrap()).collect()
}

/// All pages of a listing, with the first page's total.
fn pages(client: &Client, path: &str, limit: usize) -> (Vec<Value>, Value) {
    let first = get(client, &format!("{path}&limit={limit}"));
    let (mut all, total) = (first["prompts"].as_array().unwrap().clone(), first["total"].clone());
    let mut next = first["next_cursor"].clone();
    while let Some(cursor) = next.as_str() {
        let route = path.split('?').next().unwrap();
        let page = get(client, &format!("{route}?limit={limit}&cursor={cursor}"));
        assert!(page["prompts"].as_array().unwrap().len() <= limit, "{page}");
        assert_eq!(page["total"], Value::Null, "{page}");
        all.extend(page["prompts"].as_array().unwrap().clone());
        next = page["next_cursor"].clone();
    }
    (all, total)
}

/// Executions of some prompts by some callers: who ran which version how often.
fn executions(owner: &Client, prompts: &[String]) -> Vec<(String, u64, Option<String>, bool)> {
    let runs: Vec<_> = (0..900_u64)
        .map(|n| {
            let draw = n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17) ^ n;
            let prompt = prompts[usize::try_from(draw % 97 % prompts.len() as u64).unwrap()].clone();
            let caller = (draw % 5 != 0).then(|| format!("c{}", draw / 7 % 13));
            (prompt, 1 + draw / 3 % 2, caller, draw % 11 == 0)
        })
        .collect();
    let records: Vec<Value> = runs
        .iter()
        .enumerate()
        .map(|(n, (prompt, version, caller, failed))| {
            let at = format!("2026-05-0{}T10:{:02}:00Z", 1 + n % 3, n % 60);
            json!({"id": format!("e{n}"), "prompt": prompt, "version": version, "caller": caller, "occurred_at": at,
                "error": failed.then_some("timeout")})
        })
        .collect();
    let _ = owner.post("/v1/usage", &json!({ "records": records })).expect(200);
    runs
}

#[test]
fn adoption_is_what_counting_all_that_was_done_says() {
    let world = World::new();
    let owner = world.acme();
    let prompts: Vec<String> = (0..9).map(|n| format!("{}/p{n}", if n < 6 { "team" } else { "other" })).collect();
    for key in &prompts {
        create(&owner, key);
        add(&owner, key);
    }
    label(&owner, "team/p1", 2);
    let runs = executions(&owner, &prompts[..8]); // nobody runs the last one
    // One prompt is forked twice, once to where `team/` does not reach; two prompts include it, one by a version that is no longer in use.
    done(&owner, "/v1/prompts/team%2Fp0/forks", &json!({"key": "team/fork"}));
    done(&owner, "/v1/prompts/team%2Fp0/forks", &json!({"key": "other/fork"}));
    let including = json!({"text": "{% include 'team/p0@1' %}", "template": "jinja"});
    for key in ["team/user", "team/was-user"] {
        let mut body = including.clone();
        body["key"] = json!(key);
        done(&owner, "/v1/prompts", &body);
    }
    done(
        &owner,
        "/v1/prompts/team%2Fuser/versions",
        &json!({"text": "{% include 'team/p0@1' %} twice", "template": "jinja"}),
    );
    add(&owner, "team/was-user");

    for (prefix, limit) in [("", 100), ("team/", 2), ("other/p", 1), ("nobody/", 1)] {
        let (told, total) = pages(&owner, &format!("adoption?prefix={prefix}"), limit);
        let names: Vec<&str> = told.iter().map(|prompt| prompt["key"].as_str().unwrap()).collect();
        assert!(names.is_sorted(), "{names:?}");
        let all: Vec<_> = runs.iter().filter(|run| run.0.starts_with(prefix)).collect();
        let callers = |runs: &[&(String, u64, Option<String>, bool)]| {
            runs.iter().filter_map(|run| run.2.clone()).collect::<BTreeSet<_>>().len()
        };
        for prompt in &told {
            let own: Vec<_> = all.iter().copied().filter(|run| run.0 == prompt["key"]).collect();
            assert_eq!(prompt["executions"], json!(own.len()), "{prompt}");
            assert_eq!(prompt["errors"], json!(own.iter().filter(|run| run.3).count()), "{prompt}");
            assert_eq!(prompt["callers"], json!(callers(&own)), "{prompt}");
            let mut versions = BTreeMap::<u64, usize>::new();
            for run in &own {
                *versions.entry(run.1).or_default() += 1;
            }
            let share =
                |count: usize| f64::from(u32::try_from(count).unwrap()) / f64::from(u32::try_from(own.len()).unwrap());
            let expected = versions
                .iter()
                .map(|(version, count)| json!({"version": version, "count": count, "share": share(*count)}));
            assert_eq!(prompt["versions"], json!(expected.collect::<Vec<_>>()), "{prompt}");
            let reuse = if prompt["key"] == "team/p0" { (2, 1) } else { (0, 0) };
            assert_eq!((&prompt["forks"], &prompt["dependents"]), (&json!(reuse.0), &json!(reuse.1)), "{prompt}");
        }
        let executed = all.iter().map(|run| &run.0).collect::<BTreeSet<_>>().len();
        let has = usize::from("team/p0".starts_with(prefix));
        let expected = json!({"prompts": told.len(), "complete": true, "executed": executed, "executions": all.len(),
            "errors": all.iter().filter(|run| run.3).count(), "callers": callers(&all), "forks": 2 * has, "dependents": has});
        assert_eq!(total, expected, "{prefix}");
    }

    // By day each bucket's shares make one; a range leaves the rest out; a label too.
    let daily =
        get(&owner, "adoption?prompt=team/p1&granularity=day&from=2026-05-02T00:00:00Z&to=2026-05-03T00:00:00Z");
    let day = "2026-05-02T00:00:00Z";
    let own = runs.iter().enumerate().filter(|(n, run)| n % 3 == 1 && run.0 == "team/p1").count();
    assert_eq!(daily["prompts"][0]["executions"], json!(own));
    let versions = daily["prompts"][0]["versions"].as_array().unwrap();
    assert!(versions.iter().all(|version| version["at"] == day), "{versions:?}");
    let shares: f64 = versions.iter().map(|version| version["share"].as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{shares}");
    assert_eq!(keys(&get(&owner, "adoption?label=production")), ["team/p1"]);

    // What is not run any more is not in the default range of 30 days, and forks and dependents stay.
    world.clock.advance_ms(40 * DAY_MS);
    let later = get(&owner, "adoption?prompt=team/p0");
    assert_eq!((&later["prompts"][0]["executions"], &later["prompts"][0]["forks"]), (&json!(0), &json!(2)));
    assert_eq!(later["total"]["executed"], json!(0));
}

#[test]
fn who_may_see_how_prompts_are_taken_up_is_a_matter_of_rights() {
    let world = World::new();
    let owner = world.acme();
    for key in ["team/a", "team/b", "other/a"] {
        create(&owner, key);
    }
    done(&owner, "/v1/prompts/team%2Fa/forks", &json!({"key": "other/fork"}));
    let (viewer, service) = (holder(&owner, "viewer", "team/"), holder(&owner, "service", "team/"));
    for route in ["adoption", "lead-time", "stale"] {
        let refused = service.get(&format!("/v1/analytics/{route}")).expect(403);
        assert_eq!((refused.code(), &refused.json["right"]), ("forbidden", &json!("read-analytics")));
        let hidden = viewer.get(&format!("/v1/analytics/{route}?prompt=other/a")).expect(404);
        assert_eq!(hidden.code(), "prompt-not-found");
        let wide = viewer.get(&format!("/v1/analytics/{route}?limit=1001")).expect(400);
        assert_eq!(wide.json["field"], json!("limit"));
    }
    let seen = get(&viewer, "adoption?");
    assert_eq!(keys(&seen), ["team/a", "team/b"]);
    assert_eq!(
        (&seen["prompts"][0]["forks"], &seen["total"]["prompts"]),
        (&json!(0), &json!(2)),
        "a fork where it can't read"
    );
    // A cursor is of its route, and carries the question on.
    let first = get(&owner, "adoption?limit=1");
    let cursor = first["next_cursor"].as_str().unwrap();
    for (query, field) in [
        (format!("stale?cursor={cursor}"), "cursor"),
        (format!("adoption?cursor={cursor}&prefix=team/"), "prefix"),
        (format!("adoption?cursor={cursor}&granularity=day"), "granularity"),
        ("stale?days=0".to_owned(), "days"),
        ("lead-time?label=latest".to_owned(), "label"),
        ("adoption?from=2026-05-02T00:00:00Z&to=2026-05-01T00:00:00Z".to_owned(), "to"),
    ] {
        assert_eq!(owner.get(&format!("/v1/analytics/{query}")).expect(400).json["field"], json!(field), "{query}");
    }
    // As a table, with where it goes on in a header.
    let table = owner.get("/v1/analytics/adoption?limit=1&format=csv").expect(200);
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8; header=present");
    let rest =
        owner.text(&format!("/v1/analytics/adoption?format=csv&cursor={}", table.header("promptory-next-cursor")));
    let lines: Vec<&str> = rest.lines().collect();
    assert_eq!(lines[0], "key,prompt,executions,errors,callers,forks,dependents,at,version,count,share");
    assert_eq!(lines.len(), 4, "{rest}");
    assert!(lines[2].starts_with("team/a,prm_") && lines[2].ends_with(",0,0,0,1,0,,,,"), "{rest}");
}

#[test]
fn the_time_from_idea_to_production_is_told_with_its_steps_and_medians() {
    let world = World::new();
    let owner = world.acme();
    // Created, and hours later the version that is released is added, and hours after that it is.
    let steps = [("team/a", 5, 10), ("team/b", 1, 2), ("team/c", 30, 3), ("other/d", 0, 7)];
    for (key, to_version, to_label) in steps {
        create(&owner, key);
        world.clock.advance_ms(to_version * HOUR_MS);
        if to_version > 0 {
            add(&owner, key);
        }
        world.clock.advance_ms(to_label * HOUR_MS);
        label(&owner, key, if to_version > 0 { 2 } else { 1 });
        world.clock.advance_ms(HOUR_MS);
        if to_version > 0 {
            label(&owner, key, 1); // only the first time counts
        }
    }
    create(&owner, "team/never");
    let seconds = |hours: i64| json!(f64::from(i32::try_from(hours * 3600).unwrap()));
    let (told, total) = pages(&owner, "lead-time?prefix=", 1);
    assert_eq!(told.len(), steps.len());
    for (key, to_version, to_label) in steps {
        let one = told.iter().find(|one| one["key"] == key).unwrap();
        assert_eq!(one["created_to_version_s"], seconds(to_version), "{one}");
        assert_eq!(one["version_to_label_s"], seconds(to_label), "{one}");
        assert_eq!(one["created_to_label_s"], seconds(to_version + to_label), "{one}");
        assert_eq!((&one["approved_at"], &one["version_to_approval_s"]), (&Value::Null, &Value::Null));
        assert_eq!(one["version"], json!(if to_version > 0 { 2 } else { 1 }));
    }
    assert_eq!((&total["prompts"], &total["released"], &total["complete"]), (&json!(5), &json!(4), &json!(true)));
    // Of 0, 1, 5, 30 it is half-way between 1 and 5, of 2, 3, 7, 10 between 3 and 7, of 3, 7, 15, 33 between 7 and 15.
    let median = &total["median"];
    assert_eq!(median["created_to_version_s"], seconds(3));
    assert_eq!((&median["version_to_label_s"], &median["created_to_label_s"]), (&seconds(5), &seconds(11)));
    let team = get(&owner, "lead-time?prefix=team/");
    assert_eq!(team["total"]["median"]["created_to_label_s"], seconds(15));
    let first_at = team["prompts"][0]["labelled_at"].as_str().unwrap();
    assert_eq!(
        keys(&get(&owner, &format!("lead-time?prefix=team/&to={first_at}"))),
        [""; 0],
        "it got there then, not before"
    );
    assert_eq!(get(&owner, "lead-time?label=staging")["total"]["median"], Value::Null);

    // By a release, the time of the approval is told too.
    create(&owner, "safe/e");
    let _ = owner.put("/v1/protections/production?prefix=safe/", &json!({"approvals": 1})).expect(200);
    let reviewer = holder(&owner, "reviewer", "safe/");
    world.clock.advance_ms(2 * HOUR_MS);
    let ask = json!({"prompt": "safe/e", "label": "production", "version": 1});
    let release = owner.post("/v1/releases", &ask).expect(201).json["release"].as_str().unwrap().to_owned();
    world.clock.advance_ms(4 * HOUR_MS);
    let approved = reviewer.post(&format!("/v1/releases/{release}/approve"), &json!({})).expect(200).json;
    owner.wait_for(approved["position"].as_str().unwrap());
    let safe = get(&owner, "lead-time?prompt=safe/e")["prompts"][0].clone();
    assert_eq!((&safe["version_to_approval_s"], &safe["version_to_label_s"]), (&seconds(6), &seconds(6)), "{safe}");
    let csv = owner.text("/v1/analytics/lead-time?prefix=safe/&format=csv");
    assert!(csv.lines().nth(1).unwrap().ends_with(",0,21600,21600,21600"), "{csv}");
}

#[test]
fn stale_are_live_prompts_that_nobody_runs_or_changes() {
    let world = World::new();
    let owner = world.acme();
    for key in ["a/run", "b/changed", "c/both", "d/neither", "e/archived"] {
        create(&owner, key);
        label(&owner, key, 1);
    }
    let run = |prompt: &str, id: &str| {
        let _ = owner.post("/v1/usage", &json!({"records": [{"id": id, "prompt": prompt, "version": 1}]})).expect(200);
    };
    run("d/neither", "e0");
    assert_eq!(keys(&get(&owner, "stale")), [""; 0], "all are young");
    world.clock.advance_ms(20 * DAY_MS);
    run("a/run", "e1");
    add(&owner, "b/changed");
    run("c/both", "e2");
    add(&owner, "c/both");
    let archived = owner.commands(&[json!({"type": "archive_prompt", "prompt": "e/archived"})]);
    owner.wait_for(archived[0]["position"].as_str().unwrap());
    world.clock.advance_ms(15 * DAY_MS);
    create(&owner, "f/young");
    let told = get(&owner, "stale");
    assert_eq!(keys(&told), ["a/run", "b/changed", "d/neither"]);
    let of = |n: usize| (&told["prompts"][n]["unused"], &told["prompts"][n]["unchanged"]);
    let (yes, no) = (json!(true), json!(false));
    assert_eq!([of(0), of(1), of(2)], [(&no, &yes), (&yes, &no), (&yes, &yes)]);
    assert_eq!(told["prompts"][1]["executed_at"], Value::Null);
    assert!(told["prompts"][2]["executed_at"].as_str().unwrap().starts_with("2026-05-03T"), "{told}");
    assert_eq!(keys(&get(&owner, "stale?kind=unused")), ["b/changed", "d/neither"]);
    assert_eq!(keys(&get(&owner, "stale?kind=unchanged")), ["a/run", "d/neither"]);
    assert_eq!(keys(&get(&owner, "stale?kind=both&label=production")), ["d/neither"]);
    assert_eq!(keys(&get(&owner, "stale?label=staging")), [""; 0]);
    assert_eq!(keys(&get(&owner, "stale?days=10&prefix=c/")), ["c/both"]);
    assert_eq!(keys(&get(&owner, "stale?days=36")), [""; 0]);
    let (all, _) = pages(&owner, "stale?days=30", 1);
    assert_eq!(all, told["prompts"].as_array().unwrap().clone());
    let csv = owner.text("/v1/analytics/stale?kind=both&format=csv");
    assert!(csv.lines().nth(1).unwrap().ends_with(",true,true"), "{csv}");
}
