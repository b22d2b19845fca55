//! Every refusal has a code that a client has seen: each reason of the domain and each other problem is provoked over HTTP, or
//! it is said which test meets it elsewhere. A reason that is added does not compile here, a code that is added fails here,
//! until it is provoked; that the page has each code, `docs.rs` sees.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use promptory_domain::Rejection;
use promptory_platform::ProblemType;
use promptory_tests::client::Answer;
use promptory_tests::{Client, World};
use redb::{Database, ReadableTable, TableDefinition};
use serde_json::{Value, json};

/// Does something that is refused; the code of the refusal.
type Provoke = fn(&Ground) -> String;

/// Each reason of the domain with the code that clients see and how they come to it. The `match` makes a variant that is
/// missing here an error of the compiler.
macro_rules! reasons {
    ($($variant:ident: $code:literal => $provoke:expr;)*) => {
        #[allow(dead_code, reason = "only its exhaustiveness counts")]
        fn code_of(rejection: &Rejection) -> &'static str {
            match rejection { $(Rejection::$variant { .. } => $code,)* }
        }

        const REASONS: &[(&str, Option<Provoke>)] = &[$(($code, $provoke)),*];
    };
}

reasons! {
    Unauthenticated: "unauthenticated" => Some(|g| code(&g.owner.with_key("nobody's").get("/v1/status")));
    Forbidden: "forbidden" => Some(|g| code(&g.viewer.post("/v1/prompts", &json!({"key": "x", "text": ""}))));
    NotInThisLedger: "not-in-this-ledger" => Some(|g| code(&g.owner.post("/v1/tenants", &json!({"tenant": "x"}))));
    PromptNotFound: "prompt-not-found" => Some(|g| code(&g.add("nobody", "x")));
    PromptArchived: "prompt-archived" => Some(|g| code(&g.add(&g.gone, "x")));
    PromptNotArchived: "prompt-not-archived" => Some(|g| code(&g.owner.post(&g.at(&g.there, "restore"), &json!({}))));
    KeyTaken: "key-taken" => Some(|g| code(&g.create("there", "x")));
    KindMismatch: "kind-mismatch" => Some(|g| {
        code(&g.owner.post("/v1/prompts/there/versions", &json!({"messages": [{"role": "user", "content": "x"}]})))
    });
    VersionNotFound: "version-not-found" => Some(|g| code(&g.label("there", "x", 99)));
    LabelNotFound: "label-not-found" => Some(|g| code(&g.delete("/v1/prompts/there/labels/nobody")));
    LabelReserved: "label-reserved" => Some(|g| code(&g.label("there", "latest", 1)));
    PreconditionFailed: "precondition-failed" => Some(|g| {
        let other = format!("\"ver_{}\"", "0".repeat(32));
        let body = json!({"text": "x"});
        code(&g.owner.send("POST", "/v1/prompts/there/versions", &[("if-match", &other)], Some(&body)))
    });
    TagsMoved: "precondition-failed" => Some(|g| {
        code(&g.owner.put("/v1/prompts/there/tags", &json!({"tags": [], "from": ["nobody"]})))
    });
    OccurredInFuture: "occurred-in-future" => Some(|g| {
        code(&g.owner.post("/v1/prompts", &json!({"key": "x", "text": "", "occurred_at": "2100-01-01T00:00:00Z"})))
    });
    LimitReached: "limit-reached" => Some(|g| {
        let tags: Vec<String> = (0..65).map(|n| n.to_string()).collect();
        code(&g.owner.put("/v1/prompts/there/tags", &json!({ "tags": tags })))
    });
    PrincipalNotFound: "principal-not-found" => Some(|g| {
        code(&g.owner.send("PUT", &format!("/v1/principals/pri_{ZEROS}/roles/viewer"), &[], None))
    });
    ApiKeyNotFound: "key-not-found" => Some(|g| code(&g.delete("/v1/keys/00000000000000ff")));
    RoleNotHere: "role-not-here" => Some(|g| code(&g.owner.post("/v1/keys", &json!({"role": "operator"}))));
    LastOwner: "last-owner" => Some(|g| code(&g.delete(&format!("/v1/keys/{}", key_id(&g.owner)))));
    QuotaExceeded: "quota-exceeded" => None;
    TenantExists: "tenant-exists" => Some(|g| code(&g.operator.post("/v1/tenants", &json!({"tenant": "acme"}))));
    TenantNotFound: "tenant-not-found" => Some(|g| code(&g.operator.post("/v1/tenants/nobody/suspend", &json!({}))));
    AlreadyBootstrapped: "already-bootstrapped" => None;
    IssuerNotFound: "issuer-not-found" => Some(|g| {
        let body = json!({"group": format!("grp_{ZEROS}")});
        code(&g.owner.put(&format!("/v1/issuers/iss_{ZEROS}/groups/editors"), &body))
    });
    IssuerExists: "issuer-exists" => Some(|g| {
        let mut issuer = json!({"url": "https://id.example/acme", "audience": "promptory", "groups_claim": "groups"});
        let _ = g.owner.post("/v1/issuers", &issuer).expect(201);
        issuer["groups_claim"] = "roles".into();
        code(&g.owner.post("/v1/issuers", &issuer))
    });
    DelegationExceeds: "delegation-exceeds" => Some(|g| code(&g.admin.post("/v1/keys", &json!({"role": "owner"}))));
    RoleNotFound: "role-not-found" => Some(|g| code(&g.owner.post("/v1/keys", &json!({"role": "nobody"}))));
    GroupNotFound: "group-not-found" => Some(|g| {
        code(&g.owner.send("PUT", &format!("/v1/groups/grp_{ZEROS}/roles/viewer"), &[], None))
    });
    ApiKeyRevoked: "key-revoked" => Some(|g| {
        let key = g.owner.post("/v1/keys", &json!({"role": "viewer"})).expect(201).json["key_id"].clone();
        let path = format!("/v1/keys/{}", key.as_str().unwrap());
        let _ = g.delete(&path).expect(200);
        code(&g.owner.post(&format!("{path}/rotate"), &json!({})))
    });
    ExpiryInPast: "expiry-in-past" => Some(|g| {
        code(&g.owner.post("/v1/keys", &json!({"role": "viewer", "expires_at": "2000-01-01T00:00:00Z"})))
    });
    LabelProtected: "label-protected" => Some(|g| code(&g.label("safe/a", "gold", 1)));
    LabelNotProtected: "label-not-protected" => Some(|g| code(&g.ask("there", "gold", 1, None)));
    Frozen: "frozen" => Some(|g| code(&g.label("ice/a", "x", 1)));
    FreezeNotFound: "freeze-not-found" => Some(|g| code(&g.delete(&format!("/v1/freezes/frz_{ZEROS}"))));
    EmptyWindow: "empty-window" => Some(|g| {
        let window = json!({"from": "2100-01-02T00:00:00Z", "until": "2100-01-01T00:00:00Z"});
        code(&g.owner.post("/v1/freezes", &window))
    });
    ReleaseNotFound: "release-not-found" => Some(|g| code(&g.release(&g.admin, &format!("rel_{ZEROS}"), "approve")));
    ReleaseClosed: "release-closed" => Some(|g| {
        let release = g.opened(1, None);
        let _ = g.release(&g.admin, &release, "reject").expect(200);
        code(&g.release(&g.admin, &release, "reject"))
    });
    ReleaseExpired: "release-expired" => Some(|g| {
        let release = g.opened(1, Some("2026-05-03T12:00:10Z"));
        g.world.clock.advance_ms(10_000);
        code(&g.release(&g.admin, &release, "approve"))
    });
    ReleaseStale: "release-stale" => Some(|g| {
        let (one, other) = (g.opened(1, None), g.opened(2, None));
        let _ = g.release(&g.admin, &one, "approve").expect(200);
        code(&g.release(&g.admin, &other, "approve"))
    });
    OwnRelease: "own-release" => Some(|g| code(&g.release(&g.owner, &g.opened(2, None), "approve")));
    ReleaseNotYours: "release-not-yours" => Some(|g| code(&g.release(&g.admin, &g.opened(2, None), "withdraw")));
    NothingToRollBack: "nothing-to-roll-back" => Some(|g| {
        let _ = g.label("there", "once", 1).expect(200);
        code(&g.owner.post("/v1/prompts/there/labels/once/rollback", &json!({})))
    });
    RolloutNotFound: "rollout-not-found" => Some(|g| {
        let _ = g.label("there", "still", 1).expect(200);
        code(&g.owner.post("/v1/prompts/there/labels/still/rollout/pause", &json!({})))
    });
    RolloutRuns: "rollout-runs" => Some(|g| {
        let _ = g.owner.post(&g.split("runs"), &arms()).expect(201);
        code(&g.label("there", "runs", 2))
    });
    NotAnArm: "not-an-arm" => Some(|g| {
        let path = g.split("split");
        let _ = g.owner.post(&path, &arms()).expect(201);
        code(&g.owner.post(&format!("{path}/complete"), &json!({"version": 3})))
    });
    BranchNotFound: "branch-not-found" => Some(|g| code(&g.delete("/v1/prompts/there/branches/nobody")));
    BranchExists: "branch-exists" => Some(|g| {
        code(&g.owner.put("/v1/prompts/there/branches/try", &json!({"from": {"version": 2}})))
    });
    BranchReserved: "branch-reserved" => Some(|g| code(&g.delete("/v1/prompts/there/branches/main")));
    MergeConflict: "merge-conflict" => Some(|g| {
        code(&g.owner.post("/v1/prompts/there/merges", &json!({"from": {"branch": "try"}})))
    });
    UnrelatedVersions: "unrelated-versions" => Some(|g| {
        code(&g.owner.post("/v1/prompts/there/merges", &json!({"from": {"prompt": "safe/a"}})))
    });
    IncludeNotFound: "include-not-found" => Some(|g| code(&g.template("t/1", r#"{% include "nobody@x" %}"#)));
    IncludeNotText: "include-not-text" => Some(|g| {
        let chat = json!({"key": "chat", "messages": [{"role": "user", "content": "x"}], "labels": ["x"]});
        let _ = g.owner.post("/v1/prompts", &chat).expect(201);
        code(&g.template("t/2", r#"{% include "chat@x" %}"#))
    });
    IncludeCycle: "include-cycle" => Some(|g| {
        let _ = g.create("round", "x").expect(201);
        let itself = json!({"text": r#"{% include "round@x" %}"#, "template": "jinja", "labels": ["x"]});
        let _ = g.label("round", "x", 1).expect(200);
        code(&g.owner.post("/v1/prompts/round/versions", &itself))
    });
    NameTaken: "name-taken" => Some(|g| {
        let user = json!({"type": "set_user", "profile": {"userName": "twin"}});
        let results = g.owner.commands(&[user.clone(), user]);
        results[1]["problem"]["code"].as_str().unwrap_or_default().to_owned()
    });
    DirectoryMoved: "precondition-failed" => Some(|g| {
        let made = g.owner.commands(&[json!({"type": "set_user", "profile": {"userName": "moved"}})]);
        let set = json!({"type": "set_user", "user": made[0]["principal"], "if_index": 0});
        let results = g.owner.commands(&[set]);
        results[0]["problem"]["code"].as_str().unwrap_or_default().to_owned()
    });
    ContentsWanted: "unavailable" => None;
}

/// The problems that are no reasons of the domain.
const OTHERS: &[(&str, Provoke)] = &[
    ("malformed-request", |g| raw(g, "application/json", "{")),
    ("unsupported-media-type", |g| raw(g, "text/plain", "{}")),
    ("invalid-field", |g| code(&g.owner.get("/v1/prompts?limit=0"))),
    ("template-invalid", |g| code(&g.template("t/3", "{% if %}"))),
    ("variables-invalid", |g| code(&g.rendered("t/4", "{{ name }}"))),
    ("render-failed", |g| code(&g.rendered("t/5", "{{ 'x' | no_such_filter }}"))),
    ("render-limit", |g| {
        let much = "{% for i in range(1000) %}{% for j in range(1000) %}{{ j }}{% endfor %}{% endfor %}";
        code(&g.rendered("t/6", much))
    }),
    ("records-invalid", |g| code(&g.owner.post("/v1/usage", &json!({"records": [{"id": "x"}]})))),
    ("not-found", |g| code(&g.owner.get("/v1/nowhere"))),
    ("method-not-allowed", |g| code(&g.delete("/v1/prompts"))),
    ("uri-too-long", |g| code(&g.owner.get(&format!("/v1/prompts?prefix={}", "x".repeat(9000))))),
    ("too-large", |g| code(&g.create("x", &"x".repeat(promptory_events::limits::CONTENT_MAX_BYTES + 1)))),
    ("index-beyond-end", |g| code(&g.owner.get("/v1/prompts?as_of=999999"))),
    ("other-incarnation", |g| code(&g.owner.get("/v1/prompts?at_least=0000000000000000-1"))),
    ("behind", |g| {
        let position = g.add("there", "x").expect(201).json["position"].as_str().unwrap().to_owned();
        let path = format!("/v1/prompts?at_least={}-999999", position.split('-').next().unwrap());
        code(&g.owner.send("GET", &path, &[], None))
    }),
    ("idempotency-mismatch", |g| {
        let send = |text| {
            let body = json!({ "text": text });
            g.owner.send("POST", "/v1/prompts/there/versions", &[("idempotency-key", "k")], Some(&body))
        };
        let _ = send("x").expect(201);
        code(&send("y"))
    }),
    ("no-backup-key", |g| {
        code(&g.operator.send("POST", &format!("/v1/backups/bkp_{ZEROS}/keys"), &[("connection", "close")], None))
    }),
    ("no-previous-model", |g| code(&g.owner.send("POST", "/v1/models/audit/rollback", &[], None))),
    ("tenant-suspended", |g| {
        let beta = g.world.owner_of("beta");
        let _ = g.operator.post("/v1/tenants/beta/suspend", &json!({})).expect(200);
        code(&beta.post("/v1/prompts", &json!({"key": "x", "text": ""})))
    }),
    ("clock-behind", |g| {
        g.world.clock.advance_ms(-10_000);
        let answer = g.add("there", "x");
        g.world.clock.advance_ms(10_000);
        code(&answer)
    }),
];

/// What no client of one whole process meets, or only by chance: the test that meets it, in whose body the code stands.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "quota-exceeded",
        "tests/it/quotas.rs",
        "a_quota_is_set_by_an_operator_seen_by_the_tenant_and_named_when_it_is_full",
    ),
    ("rate-limited", "tests/it/quotas.rs", "commands_a_minute_are_refused_with_the_time_to_come_again"),
    // Only `serve` sets a system up, and it asks first.
    ("already-bootstrapped", "command-service/src/http/error.rs", "what_no_route_leads_to_has_its_code_all_the_same"),
    ("request-timeout", "platform/src/http/tests.rs", "a_body_that_does_not_come_is_a_problem"),
    ("overloaded", "platform/src/http/tests.rs", "a_full_gate_sheds_load_but_answers_probes"),
    ("internal", "platform/src/http/tests.rs", "a_panic_is_a_problem_and_says_nothing"),
    (
        "unavailable",
        "tests/roles/apart.rs",
        "what_one_command_replica_writes_a_query_replica_reads_at_that_position_and_says_who_serves_the_rest",
    ),
    (
        "misdirected",
        "tests/roles/apart.rs",
        "what_one_command_replica_writes_a_query_replica_reads_at_that_position_and_says_who_serves_the_rest",
    ),
    ("too-many-groups", "query-api/src/http/error.rs", "more_groups_than_one_answer_has_are_a_problem"),
    ("cursor-expired", "tests/it/search.rs", "bad_searches_are_refused_with_the_place_and_old_pages_are_gone"),
];

const ZEROS: &str = "00000000000000000000000000000000";

/// A tenant in which everything can go wrong.
struct Ground {
    world: World,
    operator: Client,
    owner: Client,
    admin: Client,
    viewer: Client,
    /// Ids of a live and of an archived prompt.
    there: String,
    gone: String,
}

fn code(answer: &Answer) -> String {
    let problem = answer.problem().unwrap_or_else(|| panic!("not refused: {} {}", answer.status, answer.json));
    let known = ProblemType::ALL.iter().find(|known| known.code == problem);
    assert_eq!(known.map(|known| known.status), Some(answer.status), "{problem}");
    problem.to_owned()
}

fn arms() -> Value {
    json!({"arms": [{"version": 1, "weight": 5000}, {"version": 2, "weight": 5000}]})
}

fn key_id(client: &Client) -> &str {
    client.key.split('_').nth(2).unwrap()
}

impl Ground {
    fn new() -> Self {
        let world = World::new();
        let (operator, owner) = (world.operator(), world.acme());
        let with = |role: &str| {
            let issued = owner.post("/v1/keys", &json!({ "role": role })).expect(201).json;
            owner.with_key(issued["key"].as_str().unwrap())
        };
        let (admin, viewer) = (with("admin"), with("viewer"));
        let mut ground = Self { world, operator, owner, admin, viewer, there: String::new(), gone: String::new() };
        let id = |answer: Answer| answer.expect(201).json["prompt"].as_str().unwrap().to_owned();
        ground.there = id(ground.create("there", "one\n"));
        let _ = ground.owner.put("/v1/prompts/there/branches/try", &json!({"from": {"version": 1}})).expect(201);
        let _ = ground.add("there", "two\n").expect(201);
        let on_branch = json!({"text": "three\n", "branch": "try"});
        let _ = ground.owner.post("/v1/prompts/there/versions", &on_branch).expect(201);
        ground.gone = id(ground.create("gone", "x"));
        let _ = ground.owner.post("/v1/prompts/gone/archive", &json!({})).expect(200);
        for key in ["safe/a", "ice/a"] {
            let _ = (ground.create(key, "one").expect(201), ground.add(&key.replace('/', "%2F"), "two").expect(201));
        }
        let _ = ground.owner.put("/v1/protections/gold?prefix=safe/", &json!({"approvals": 1})).expect(200);
        let window = json!({"prefix": "ice/", "from": "2026-05-03T12:00:00Z", "until": "2026-05-04T12:00:00Z"});
        let position = ground.owner.post("/v1/freezes", &window).expect(201).json["position"].clone();
        ground.owner.wait_for(position.as_str().unwrap());
        ground
    }

    fn at(&self, prompt: &str, what: &str) -> String {
        format!("/v1/prompts/{prompt}/{what}")
    }

    fn create(&self, key: &str, text: &str) -> Answer {
        self.owner.post("/v1/prompts", &json!({"key": key, "text": text}))
    }

    /// A prompt whose text is a Jinja template.
    fn template(&self, key: &str, text: &str) -> Answer {
        self.owner.post("/v1/prompts", &json!({"key": key, "text": text, "template": "jinja"}))
    }

    /// The answer to rendering one, without any values.
    fn rendered(&self, key: &str, text: &str) -> Answer {
        let made = self.template(key, text).expect(201);
        self.owner.wait_for(made.json["position"].as_str().unwrap());
        self.owner.post(&self.at(&key.replace('/', "%2F"), "render"), &json!({"variables": {}}))
    }

    fn add(&self, prompt: &str, text: &str) -> Answer {
        self.owner.post(&self.at(prompt, "versions"), &json!({ "text": text }))
    }

    fn label(&self, key: &str, label: &str, version: u32) -> Answer {
        let path = self.at(&key.replace('/', "%2F"), &format!("labels/{label}"));
        self.owner.put(&path, &json!({ "version": version }))
    }

    /// A label that may be split; where.
    fn split(&self, label: &str) -> String {
        let _ = self.label("there", label, 1).expect(200);
        self.at("there", &format!("labels/{label}/rollout"))
    }

    fn delete(&self, path: &str) -> Answer {
        self.owner.send("DELETE", path, &[], None)
    }

    fn ask(&self, prompt: &str, label: &str, version: u32, expires_at: Option<&str>) -> Answer {
        let mut body = json!({"prompt": prompt, "label": label, "version": version});
        if let Some(expires_at) = expires_at {
            body["expires_at"] = expires_at.into();
        }
        self.owner.post("/v1/releases", &body)
    }

    fn opened(&self, version: u32, expires_at: Option<&str>) -> String {
        let opened = self.ask("safe/a", "gold", version, expires_at).expect(201);
        opened.json["release"].as_str().unwrap().to_owned()
    }

    fn release(&self, by: &Client, release: &str, what: &str) -> Answer {
        by.post(&format!("/v1/releases/{release}/{what}"), &json!({}))
    }
}

/// A write whose body is whatever it is; the code of the answer.
fn raw(ground: &Ground, content_type: &str, body: &str) -> String {
    let (client, length) = (&ground.owner, body.len());
    let host = client.url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(host).unwrap();
    let head = format!(
        "POST /v1/prompts HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
         Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}",
        client.key
    );
    socket.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let problem: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    problem["code"].as_str().unwrap().to_owned()
}

/// A text whose key is gone: there is no command for that yet, so the key store is changed by hand.
fn erased(ground: Ground) -> String {
    type Name = (&'static str, &'static [u8; 16]);
    const DATA_KEYS: TableDefinition<'_, Name, (u32, &[u8; 48])> = TableDefinition::new("data_keys");
    const ERASED: TableDefinition<'_, Name, i64> = TableDefinition::new("erased");
    let mut world = ground.world;
    world.restart(|data| {
        let store = Database::open(data.join("keystore.redb")).unwrap();
        let txn = store.begin_write().unwrap();
        {
            let (mut keys, mut erased) = (txn.open_table(DATA_KEYS).unwrap(), txn.open_table(ERASED).unwrap());
            let all: Vec<_> = keys.iter().unwrap().map(|row| *row.unwrap().0.value().1).collect();
            for kid in all {
                keys.remove(("acme", &kid)).unwrap();
                erased.insert(("acme", &kid), 0).unwrap();
            }
        }
        txn.commit().unwrap();
    });
    code(&world.acme().prompt("there", ""))
}

/// Whether a test says that it meets a code: its name is a function there, and the code stands in its body.
fn is_met_by(code: &str, file: &str, test: &str) -> bool {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(file)).unwrap();
    let body = source.split_once(&format!("fn {test}(")).map(|(_, rest)| rest.split("\n#[test").next().unwrap());
    body.is_some_and(|body| body.split("#[tokio::test").next().unwrap().contains(&format!("\"{code}\"")))
}

#[test]
fn every_refusal_is_met_with_its_code() {
    let ground = Ground::new();
    let mut met = BTreeSet::new();
    let reasons = REASONS.iter().filter_map(|(expected, provoke)| provoke.map(|provoke| (*expected, provoke)));
    for (expected, provoke) in reasons.chain(OTHERS.iter().copied()) {
        assert_eq!(provoke(&ground), expected);
        met.insert(expected);
    }
    for (code, file, test) in ELSEWHERE {
        assert!(is_met_by(code, file, test), "{code} does not stand in {test} of {file}");
        met.insert(code);
    }
    let unmet = REASONS.iter().filter(|(code, provoke)| provoke.is_none() && !met.contains(code));
    assert_eq!(unmet.count(), 0, "a reason that nobody provokes is met elsewhere");
    assert_eq!(erased(ground), "erased");
    met.insert("erased");
    let all: BTreeSet<&str> = ProblemType::ALL.iter().map(|problem| problem.code).collect();
    assert_eq!(met, all, "a problem that nobody has met, or one that is none");
}
