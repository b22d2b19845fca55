//! Every read that the description has: it says what it is as of, waits for a position, is asked about the past, and its pages
//! stay at one point while writes go on. What does not is in a table, with the reason.

use std::collections::BTreeSet;

use promptory_tests::{Client, World};
use serde_json::{Value, json};

use crate::rights::caller;

/// Reads that are of the process and not of a tenant.
const OF_THE_PROCESS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];
/// Below these all is as others have it, a standard (RFC 7644) or another product: their clients ask what is, and page by
/// numbers.
const OF_OTHERS: [&str; 2] = ["/scim/", "/api/"];
/// Lists whose pages are not held to one point by an index, and why.
const HELD_OTHERWISE: [(&str, &str); 4] = [
    ("/v1/search", "a search holds a state of the index of words: tests of its own"),
    (
        "/v1/analytics/adoption",
        "what was run goes on, and can't be asked as of then: each page is as of when it is asked for",
    ),
    ("/v1/analytics/lead-time", "the same pages"),
    ("/v1/analytics/stale", "the same pages"),
];
/// Reads without `as_of`, and why.
const NO_AS_OF: [(&str, &str); 16] = [
    ("/v1/analytics/empty-searches", "`from` and `to` are of when it was searched"),
    ("/v1/analytics/adoption", "of live prompts, beside the same counts"),
    ("/v1/analytics/lead-time", "the time that it took does not change"),
    ("/v1/analytics/stale", "of live prompts: what nobody needs now"),
    ("/v1/analytics/compare", "the same counts"),
    ("/v1/analytics", "what is counted only grows: `from` and `to` are of when prompts were run"),
    ("/v1/search", "the index of words has what is; the past is asked of the catalog"),
    ("/v1/suggest", "the same index"),
    ("/v1/audit", "records do not change: `to` and `until` are the past"),
    ("/v1/audit/count", "the same records"),
    ("/v1/audit/export", "the same records"),
    ("/v1/models", "it is asked how the models are now"),
    ("/v1/events", "events do not change: `from` and `limit` are the past"),
    ("/v1/status", "the digest is of the model that runs; `promptory replay` has that of any point"),
    ("/v1/quotas", "counts are kept for the end alone"),
    ("/v1/changes", "it has two points, `from` and `to`"),
];
/// Writes that answer without a position, and why.
const NO_POSITION: [(&str, &str); 8] = [
    ("/v1/usage", "records of usage are no events"),
    ("/v1/otlp/v1/traces", "the same records"),
    ("/v1/backups", "it answers with a file"),
    ("/v1/prompts/{prompt}/render", "it reads"),
    ("/v1/models/{view}/rebuild", "nothing is written: it says how the model stands"),
    ("/v1/models/{view}/rollback", "the same"),
    ("/v1/commands", "each of its results has one"),
    ("/v1/backups/{backup}/keys", "it reads keys"),
];

/// A read as the description has it.
#[derive(Debug)]
struct Read {
    path: String,
    query: BTreeSet<String>,
}

impl Read {
    fn has(&self, parameter: &str) -> bool {
        self.query.contains(parameter)
    }

    /// Its path for what is there, with a query.
    fn of(&self, there: &There, query: &str) -> String {
        let path = self.path.replace("{prompt}", "team%2Fbase").replace("{label}", "production");
        let path = path.replace("{principal}", &there.viewer);
        let needed = match self.path.as_str() {
            "/v1/access/why" => format!("principal={}&action=read&on=team/base&", there.viewer),
            "/v1/access" => "on=team/base&".to_owned(),
            "/v1/analytics/compare" => "prompt=team/base&by=version&a=1&b=2&".to_owned(),
            "/v1/releases" => "all=true&".to_owned(),
            "/v1/prompts/{prompt}/dependents" if !query.contains("cursor=") => "all=true&".to_owned(),
            "/v1/changes" if !query.contains("cursor=") => "from=0&".to_owned(),
            _ => String::new(),
        };
        // What the cursor carries is not given again.
        let needed = if query.contains("cursor=") && self.path == "/v1/access" { String::new() } else { needed };
        format!("{path}?{needed}{query}")
    }
}

fn description(client: &Client) -> Value {
    client.get("/openapi.json").expect(200).json
}

fn of_others(path: &str) -> bool {
    OF_OTHERS.iter().any(|base| path.starts_with(base))
}

fn reads(description: &Value) -> Vec<Read> {
    let paths = description["paths"].as_object().unwrap().iter();
    let ours = |path: &str| !OF_THE_PROCESS.contains(&path) && !of_others(path);
    let reads = paths.filter(|(path, item)| item["get"].is_object() && ours(path));
    let query = |item: &Value| {
        let parameters = item["get"]["parameters"].as_array().cloned().unwrap_or_default();
        let query = parameters.into_iter().filter(|parameter| parameter["in"] == "query");
        query.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
    };
    reads.map(|(path, item)| Read { path: path.clone(), query: query(item) }).collect()
}

/// What the reads are asked about.
struct There {
    viewer: String,
    /// How often there was one more of everything.
    rounds: std::cell::Cell<usize>,
}

/// One more of everything that a list has; the last write's position.
fn more(owner: &Client, there: &There) -> String {
    let n = there.rounds.get();
    there.rounds.set(n + 1);
    let post = |path: &str, body: Value| owner.post(path, &body).expect(201).json;
    let _ = post("/v1/prompts", json!({"key": format!("team/{n}"), "text": "x"}));
    let _ = post("/v1/prompts/team%2Fbase/versions", json!({"text": n.to_string()}));
    let _ = owner.put("/v1/prompts/team%2Fbase/labels/production", &json!({"version": n + 2})).expect(200);
    let _ = post("/v1/prompts/team%2Fbase/forks", json!({"key": format!("team/fork-{n}")}));
    let text = "{% include \"team/base@production\" %}";
    let _ = post("/v1/prompts", json!({"key": format!("team/page-{n}"), "text": text, "template": "jinja"}));
    let _ = post("/v1/prompts/team%2Fbase/comments", json!({"version": 1, "text": "why?"}));
    let _ = post("/v1/keys", json!({"role": "viewer", "prefix": "team/"}));
    let _ = post("/v1/groups", json!({"name": "Group"}));
    let _ = owner.put(&format!("/v1/roles/r{n}"), &json!({"actions": ["read"]})).expect(200);
    let viewer = &there.viewer;
    let grant = format!("/v1/principals/{viewer}/roles/viewer?prefix=p{n}/");
    let _ = owner.send("PUT", &grant, &[], None).expect(200);
    // A tenant trusts 16 of them at most.
    if n < 15 {
        let trust = json!({"url": "https://id.example.com", "audience": n.to_string(), "groups_claim": "groups"});
        let _ = post("/v1/issuers", trust);
    }
    let protection = format!("/v1/protections/l{n}?prefix=team/");
    let _ = owner.put(&protection, &json!({"approvals": 1})).expect(200);
    let window = json!({"prefix": "team/", "from": "2098-01-01T00:00:00Z", "until": "2098-01-02T00:00:00Z"});
    let _ = post("/v1/freezes", window);
    let opened = post("/v1/releases", json!({"prompt": "team/base", "label": format!("l{n}"), "version": 1}));
    let position = opened["position"].as_str().unwrap().to_owned();
    owner.wait_for(&position);
    position
}

/// A few of everything.
fn found(world: &World) -> (Client, There, String) {
    let owner = world.acme();
    let _ = owner.post("/v1/prompts", &json!({"key": "team/base", "text": "base"})).expect(201);
    let (_, viewer) = caller(&owner, &json!({"role": "viewer", "prefix": "team/"}));
    let there = There { viewer, rounds: std::cell::Cell::new(0) };
    let _ = more(&owner, &there);
    let position = more(&owner, &there);
    (owner, there, position)
}

fn index(position: &str) -> u64 {
    position.rsplit_once('-').unwrap().1.parse().unwrap()
}

/// Without what is told as it is known now: when a key was used last.
fn fixed(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            members.remove("last_used_at");
            members.values_mut().for_each(|member| *member = fixed(member.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = fixed(item.take())),
        _ => {}
    }
    value
}

#[test]
fn every_read_has_what_it_should_and_every_exception_is_one() {
    let world = World::new();
    let description = description(&world.acme());
    let reads = reads(&description);
    assert!(reads.len() >= 23, "{reads:?}");
    for read in &reads {
        assert!(read.has("at_least"), "{read:?}");
        let exempt = NO_AS_OF.iter().any(|(path, _)| *path == read.path);
        assert_eq!(read.has("as_of"), !exempt, "{read:?}");
        assert_eq!(read.has("as_of") || read.path == "/v1/changes", read.has("clock"), "{read:?}");
        let pages = read.has("limit") && !["/v1/events", "/v1/suggest"].contains(&read.path.as_str());
        assert_eq!(read.has("cursor"), pages, "{read:?}");
    }
    for (path, why) in NO_AS_OF {
        assert!(reads.iter().any(|read| read.path == path), "{path} is not there any more ({why})");
    }
    // Every write says where it is in the ledger.
    let exempt: Vec<_> = NO_POSITION.iter().map(|(path, _)| *path).collect();
    let ours = description["paths"].as_object().unwrap().iter().filter(|(path, _)| !of_others(path));
    for (path, item) in ours {
        for method in ["post", "put", "delete", "patch"] {
            let Some(write) = item.get(method).filter(|_| !exempt.contains(&path.as_str())) else { continue };
            let answers = write["responses"].as_object().unwrap().iter().filter(|(status, _)| status.starts_with('2'));
            let mut schemas = answers.map(|(_, answer)| &answer["content"]["application/json"]["schema"]["$ref"]);
            assert!(schemas.any(|schema| schema == "#/components/schemas/OutcomeDocument"), "{method} {path}");
        }
    }
    let outcome = &description["components"]["schemas"]["OutcomeDocument"];
    let has = |schema: &Value| schema["properties"]["position"].is_object();
    let parts = outcome["allOf"].as_array().into_iter().flatten();
    assert!(has(outcome) || parts.into_iter().any(has), "{outcome}");
}

#[test]
fn every_read_waits_says_what_it_is_as_of_and_says_the_same_about_the_past_for_ever() {
    let world = World::new();
    let (owner, there, position) = found(&world);
    let reads = reads(&description(&owner));
    let (life, end) = (position.rsplit_once('-').unwrap().0, index(&position));
    let (later, other) = (format!("{life}-{}", end + 1_000_000), format!("00000000000000ff-{end}"));
    // What is not there is waited for, two seconds: all of them at once.
    std::thread::scope(|scope| {
        for read in &reads {
            let path = read.of(&there, &format!("at_least={later}"));
            let client = owner.at(&owner.url);
            let asked = move || client.send("GET", &path, &[], None).expect(504);
            let _ = scope.spawn(move || assert_eq!(asked().code(), "behind", "{}", read.path));
        }
    });
    let mut said = Vec::new();
    for read in &reads {
        let foreign = owner.get(&read.of(&there, &format!("at_least={other}"))).expect(422);
        assert_eq!(foreign.code(), "other-incarnation", "{read:?}");
        let now = owner.get(&read.of(&there, &format!("at_least={position}"))).expect(200);
        assert!(index(now.header("promptory-position")) >= end, "{read:?}");
        if !read.has("as_of") {
            continue;
        }
        let path = read.of(&there, &format!("as_of={end}"));
        let then = owner.get(&path).expect(200);
        assert_eq!(then.header("promptory-position"), position, "{path}");
        let beyond = owner.get(&read.of(&there, &format!("as_of={}", end + 1_000_000))).expect(422);
        assert_eq!(beyond.code(), "index-beyond-end", "{read:?}");
        let recorded = read.of(&there, "as_of=2001-01-01T00:00:00Z&clock=recorded");
        assert!([200, 404].contains(&owner.get(&recorded).status), "before the first event: {recorded}");
        said.push((path, fixed(then.json)));
    }
    let changes = format!("/v1/changes?from=0&to={end}");
    said.push((changes.clone(), owner.get(&changes).expect(200).json));
    world.clock.advance_ms(86_400_000);
    let _ = more(&owner, &there);
    for (path, before) in said {
        assert_eq!(fixed(owner.get(&path).expect(200).json), before, "{path}");
    }
}

#[test]
fn the_pages_of_every_list_stay_at_one_point_while_writes_go_on() {
    let world = World::new();
    let (owner, there, _) = found(&world);
    let held = |read: &&Read| read.has("cursor") && !HELD_OTHERWISE.iter().any(|(path, _)| *path == read.path);
    for read in reads(&description(&owner)).iter().filter(held) {
        let first = owner.get(&read.of(&there, "limit=1")).expect(200);
        let at = index(first.header("promptory-position"));
        let point = if read.has("as_of") { "as_of" } else { "to" };
        let whole = owner.get(&read.of(&there, &format!("limit=1000&{point}={at}"))).expect(200).json;
        let lists = |page: &Value| -> Vec<(String, Vec<Value>)> {
            let lists =
                page.as_object().unwrap().iter().filter_map(|(name, list)| Some((name.clone(), list.as_array()?)));
            // Beside the grants a principal's page has its keys and groups, each time.
            let lists = lists.filter(|(name, _)| !read.path.contains("{principal}") || name == "grants");
            lists.map(|(name, list)| (name, list.clone())).collect()
        };
        let (mut paged, mut next, mut pages) = (lists(&first.json), first.json["next_cursor"].clone(), 1);
        assert!(next.is_string(), "one page is no test of {}", read.path);
        while let Some(cursor) = next.as_str() {
            if pages == 1 {
                let _ = more(&owner, &there);
            }
            let page = owner.get(&read.of(&there, &format!("limit=1&cursor={cursor}"))).expect(200);
            assert_eq!(index(page.header("promptory-position")), at, "{}", read.path);
            for ((_, all), (_, more)) in paged.iter_mut().zip(lists(&page.json)) {
                all.extend(more);
            }
            (next, pages) = (page.json["next_cursor"].clone(), pages + 1);
        }
        let (paged, whole) = (fixed(json!(paged)), fixed(json!(lists(&whole))));
        assert_eq!(paged, whole, "{}", read.path);
    }
}
