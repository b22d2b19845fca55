//! Fifty tenants with equal keys that all write and read at once: whatever is asked, no answer has a byte of another tenant.
//!
//! Everything that a tenant writes holds its name: texts, titles, tags, labels, models, messages, comments. So an answer that
//! has another name in it has another tenant's bytes, and so has one with an id that another tenant was shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use promptory_tests::{Client, World};
use regex::Regex;
use serde_json::{Value, json};

use crate::feed::Stream;

const TENANTS: usize = 50;
/// Clients at once; each has some of the tenants.
const AT_ONCE: usize = 10;
/// Prompts of a tenant, each written and then looked for.
const ROUNDS: usize = 2;
/// Fewer than tenants: models are closed and opened all the time.
const OPEN_MAX: usize = 12;
const PATIENCE: Duration = Duration::from_secs(120);

/// The name of a tenant. One word to the search index, and none is another one misspelt.
fn name(n: usize) -> String {
    format!("mark{n:02}x{n:02}q")
}

/// What only one tenant may be shown: names and ids, but for those of who made the tenants.
static OWN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)mark\d\dx\d\dq|(?:prm|ver|cmd|cid|cmt)_[0-9a-f]{32,}").unwrap());

/// A tenant's owner, what it was shown, and how many answers had its name in them.
struct Tenant {
    name: String,
    owner: Client,
    shown: BTreeSet<String>,
    named: BTreeMap<String, u32>,
}

impl Tenant {
    /// Notes what an answer shows.
    fn see(&mut self, what: &str, answer: &str) {
        let found: Vec<_> = OWN.find_iter(answer).map(|found| found.as_str().to_lowercase()).collect();
        *self.named.entry(what.to_owned()).or_default() += u32::from(found.contains(&self.name));
        self.shown.extend(found);
    }

    /// The answer to a question; what is behind or busy is asked again.
    fn get(&mut self, path: &str) -> Value {
        let since = Instant::now();
        loop {
            let (answer, text) = self.owner.exchange("GET", path, &[], None).unwrap();
            match answer.status {
                200 => {
                    self.see(path.split(['?', '=']).next().unwrap_or_default(), &text);
                    return answer.json;
                }
                429 | 503 | 504 if since.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(50)),
                _ => panic!("{path}: {answer:?}"),
            }
        }
    }

    fn post(&mut self, path: &str, body: &Value) -> Value {
        let answer = self.owner.post(path, body).expect(201);
        self.see(path, &answer.json.to_string());
        answer.json
    }

    /// A prompt under a key that all tenants have, full of the tenant's name; gives the last position.
    fn write(&mut self, round: usize) -> String {
        let (name, key) = (self.name.clone(), format!("same/key-{round}"));
        let config = json!({"model": name});
        let body = json!({"key": key, "text": format!("Shared words, and {name}."), "config": config, "labels": [name, "production"],
            "tags": [name], "metadata": {"title": format!("Title {name}")}, "message": format!("first of {name}")});
        self.post("/v1/prompts", &body);
        let path = format!("/v1/prompts/same%2Fkey-{round}");
        let second = json!({"text": format!("Shared words again, of {name}."), "message": format!("again {name}")});
        self.post(&format!("{path}/versions"), &second);
        let comment = json!({"version": 1, "text": format!("said in {name}")});
        let said = self.post(&format!("{path}/comments"), &comment);
        said["position"].as_str().unwrap().to_owned()
    }

    /// Every question, each as of now or later.
    fn read(&mut self, round: usize, at_least: &str) {
        let (name, key) = (self.name.clone(), format!("same%2Fkey-{round}"));
        let prompt = format!("/v1/prompts/{key}");
        for path in [
            format!("{prompt}?label=production&at_least={at_least}"),
            format!("{prompt}?label={name}&at_least={at_least}"),
            format!("{prompt}/versions?at_least={at_least}"),
            format!("{prompt}/labels/production/history?at_least={at_least}"),
            format!("{prompt}/diff?at_least={at_least}"),
            format!("{prompt}/comments?at_least={at_least}"),
            format!("/v1/prompts?prefix=same/&at_least={at_least}"),
            format!("/v1/changes?from=0&at_least={at_least}"),
            format!("/v1/events?limit=1000&at_least={at_least}"),
            format!("/v1/access?on={key}&at_least={at_least}"),
            format!("/v1/audit?limit=1000&at_least={at_least}"),
            format!("/v1/audit?target=label:production&at_least={at_least}"),
            format!("/v1/audit?message=again&at_least={at_least}"),
            format!("/v1/search?q=shared%20words&facets=true&at_least={at_least}"),
            format!("/v1/search?q=mark*&sort=updated&facets=true&at_least={at_least}"),
            format!("/v1/search?label=production&at_least={at_least}"),
            format!("/v1/suggest?q=mark&at_least={at_least}"),
            format!("/v1/suggest?q=tit&at_least={at_least}"),
            "/v1/grants".to_owned(),
            "/v1/keys".to_owned(),
            "/v1/models".to_owned(),
            "/v1/quotas".to_owned(),
            "/v1/status".to_owned(),
        ] {
            self.get(&path);
        }
        // What is counted is counted of this tenant alone.
        let found = self.get(&format!("/v1/search?q=mark*&at_least={at_least}"));
        assert_eq!(found["total"], round + 1, "{name}: {found}");
        let resolved = self.get(&format!("{prompt}?label=production&at_least={at_least}"));
        assert_eq!(resolved["text"], format!("Shared words, and {name}."));
        let recorded = self.get(&format!("/v1/audit/count?action=prompt.created&at_least={at_least}"));
        assert_eq!(recorded["count"], round + 1, "{name}");
        let messages = self.get(&format!("/v1/audit?message=first&action=prompt.created&at_least={at_least}"));
        assert_eq!(messages["records"].as_array().map(Vec::len), Some(round + 1), "{name}: {messages}");
    }

    /// The audit in each form of a file, and the events as a stream from the first one on.
    fn take_away(&mut self) {
        for format in ["ndjson", "csv", "ocsf"] {
            self.get(&format!("/v1/audit/export?format={format}"));
        }
        let last = self.get("/v1/status")["position"].as_str().unwrap().rsplit_once('-').unwrap().1.to_owned();
        let mut stream = Stream::open(&self.owner, "/v1/events", None);
        loop {
            let line = stream.line().unwrap();
            self.see("the stream", &line);
            if line.strip_prefix("id:").is_some_and(|id| id.trim() == last) {
                return;
            }
        }
    }
}

#[test]
fn no_answer_has_a_byte_of_another_tenant_while_all_write_at_once() {
    let world = World::with_open_max(OPEN_MAX);
    let tenant = |n| {
        let name = name(n);
        Tenant { owner: world.owner_of(&name), name, shown: BTreeSet::new(), named: BTreeMap::new() }
    };
    let mut tenants: Vec<_> = (0..TENANTS).map(tenant).collect();
    std::thread::scope(|scope| {
        for some in tenants.chunks_mut(TENANTS / AT_ONCE) {
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    // One after another, and all of them before any is asked: so each is read while others are written to.
                    let ends: Vec<_> = some.iter_mut().map(|tenant| tenant.write(round)).collect();
                    some.iter_mut().zip(&ends).for_each(|(tenant, end)| tenant.read(round, end));
                }
                some.iter_mut().for_each(Tenant::take_away);
            });
        }
    });
    let mut owners = BTreeMap::new();
    for tenant in &tenants {
        for shown in &tenant.shown {
            if let Some(other) = owners.insert(shown, &tenant.name) {
                panic!("{shown} was shown to {other} and to {}", tenant.name);
            }
        }
        assert!(tenant.shown.contains(&tenant.name) && tenant.shown.len() > 10, "{:?}", tenant.shown);
        // An answer without the name would prove nothing.
        for what in
            ["/v1/search", "/v1/suggest", "/v1/audit", "/v1/audit/export", "/v1/changes", "/v1/events", "the stream"]
        {
            assert!(tenant.named.get(what).is_some_and(|times| *times > 0), "{what} of {}", tenant.name);
        }
    }
}
