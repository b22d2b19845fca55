//! Searches that found nothing: counted whoever searched and however it was typed, told to whoever may read all of the analytics,
//! and forgotten with the records.

use promptory_tests::{Client, World};
use serde_json::{Value, json};

const DAY_MS: i64 = 24 * 3_600_000;

fn search(client: &Client, query: &str) -> Value {
    client.get(&format!("/v1/search?{query}")).expect(200).json
}

fn told(client: &Client, query: &str) -> Value {
    client.get(&format!("/v1/analytics/empty-searches?{query}")).expect(200).json
}

/// Text, searches, searches with a filter.
fn texts(told: &Value) -> Vec<(&str, u64, u64)> {
    let texts = told["texts"].as_array().unwrap().iter();
    texts
        .map(|one| {
            (one["text"].as_str().unwrap(), one["searches"].as_u64().unwrap(), one["filtered"].as_u64().unwrap())
        })
        .collect()
}

fn holder(owner: &Client, role: &str, prefix: &str) -> Client {
    let issued = owner.post("/v1/keys", &json!({"role": role, "prefix": prefix})).expect(201).json;
    owner.wait_for(issued["position"].as_str().unwrap());
    owner.with_key(issued["key"].as_str().unwrap())
}

#[test]
fn what_was_looked_for_and_not_found_is_told_by_how_often() {
    let mut world = World::new();
    let (owner, other) = (world.acme(), world.owner_of("other"));
    let made = owner.post("/v1/prompts", &json!({"key": "team/closed", "text": "refund policy"})).expect(201).json;
    let _ = search(&owner, &format!("q=refund&at_least={}", made["position"].as_str().unwrap()));
    assert_eq!(texts(&told(&owner, "")), [], "it was found");

    for query in ["q=invoice%20%20Dunning", "q=INVOICE+dunning", "q=zeppelin", "q=invoice+dunning&labelled=production"]
    {
        assert_eq!(search(&owner, query)["total"], 0, "{query}");
    }
    for nothing in ["q=", "q=%20%20&labelled=production"] {
        let _ = search(&owner, nothing);
    }
    // Who may read elsewhere only has not found it either.
    let reader = holder(&owner, "viewer", "open/");
    assert_eq!(search(&reader, "q=refund")["total"], 0);
    let all = told(&owner, "");
    assert_eq!(texts(&all), [("invoice dunning", 3, 1), ("refund", 1, 0), ("zeppelin", 1, 0)]);
    assert_eq!(
        (&all["searches"], &all["filtered"], &all["others"], &all["of"]),
        (&json!(5), &json!(1), &json!(0), &json!(3))
    );
    assert_eq!(all["texts"][0]["last_day"], "2026-05-03T00:00:00Z");
    assert_eq!((&all["from"], &all["to"]), (&json!("2026-04-04T00:00:00Z"), &json!("2026-05-04T00:00:00Z")));
    let one = told(&owner, "top=1");
    assert_eq!((texts(&one), &one["of"]), (vec![("invoice dunning", 3, 1)], &json!(3)));
    assert_eq!(texts(&told(&owner, "to=2026-05-03T00:00:00Z")), [], "before that day");
    assert_eq!(texts(&told(&owner, "from=2026-05-03T23:00:00Z&top=1")).len(), 1, "a day is told as a whole");

    // A cell that a table calculator would take for a formula is made harmless.
    assert_eq!(search(&owner, "q=%3D1%2B2")["total"], 0);
    let csv = owner.text("/v1/analytics/empty-searches?format=csv");
    assert_eq!(csv.lines().next().unwrap(), "text,searches,filtered,last_day");
    assert!(csv.lines().any(|line| line.starts_with("'=1+2,1,0,2026-05-03T00:00:00Z")), "{csv}");

    // Nobody else's, and not for who may read a part of the analytics.
    assert_eq!(texts(&told(&other, "")), []);
    let role = json!({"actions": ["read", "read-analytics"]});
    let made = owner.put("/v1/roles/counter", &role).expect(200).json;
    owner.wait_for(made["position"].as_str().unwrap());
    for (role, prefix) in [("viewer", "open/"), ("counter", "open/")] {
        let refused = holder(&owner, role, prefix).get("/v1/analytics/empty-searches");
        assert_eq!((refused.status, refused.problem()), (403, Some("forbidden")), "{role}");
    }
    assert_eq!(texts(&told(&holder(&owner, "counter", ""), "")).len(), 4);
    for bad in ["top=0", "top=1001", "from=2026-05-03T00:00:00Z&to=2026-05-02T00:00:00Z", "from=May", "cursor=x"] {
        assert_eq!(owner.get(&format!("/v1/analytics/empty-searches?{bad}")).status, 400, "{bad}");
    }

    // What was gathered when the process ends is there when it is back, also if the store of what is counted is gone.
    assert_eq!(search(&owner, "q=zeppelin")["total"], 0);
    world.restart(|data| std::fs::remove_dir_all(data.join("models/acme/analytics-1")).unwrap());
    let owner = world.acme();
    assert_eq!(texts(&told(&owner, "top=2")), [("invoice dunning", 3, 1), ("zeppelin", 2, 0)]);
    world.clock.advance_ms(29 * DAY_MS);
    assert_eq!(search(&owner, "q=zeppelin")["total"], 0);
    let later = told(&owner, "top=1");
    assert_eq!(texts(&later), [("invoice dunning", 3, 1)], "as often: by the alphabet");
    world.clock.advance_ms(DAY_MS);
    assert_eq!(
        texts(&told(&owner, "")),
        [("zeppelin", 1, 0)],
        "what is older than usage records are kept is forgotten"
    );
}
