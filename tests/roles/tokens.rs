//! Tokens of a real provider where roles are apart: each replica checks them for itself, and a revocation binds on all.

use promptory_tests::Client;
use promptory_tests::client::segment;
use promptory_tests::provider::{AUDIENCE, Provider};
use serde_json::json;

use crate::site::Site;

#[test]
fn a_token_is_believed_by_every_replica_and_a_revocation_binds_on_the_one_that_did_not_write_it() {
    let (site, provider) = (Site::new(), Provider::start());
    let (a, b) = (site.node("a", "command", None), site.node("b", "command", None));
    let projection = site.node("p", "projection", None);
    let query = site.node("q", "query", None);
    let owner = a.owner("acme");
    let trust = json!({"url": provider.url(), "audience": AUDIENCE, "groups_claim": "groups"});
    let issuer = owner.post("/v1/issuers", &trust).expect(201).json["issuer"].as_str().unwrap().to_owned();
    let group = owner.post("/v1/groups", &json!({})).expect(201).json["group"].as_str().unwrap().to_owned();
    let editors = format!("/v1/issuers/{issuer}/groups/{}", segment("/editors"));
    let _ = owner.put(&editors, &json!({ "group": group })).expect(200);
    let _ = owner.send("PUT", &format!("/v1/groups/{group}/roles/editor"), &[], None).expect(200);
    projection.wait_ready();

    let ada = owner.with_token("acme", &provider.token("ada"));
    let at = |node: &crate::site::Running<'_>, client: &Client| client.at(&node.node().url());
    let write = |client: &Client, key: &str| client.post("/v1/prompts", &json!({"key": key, "text": key}));
    // B has not heard of the trust when the token comes.
    let made = write(&at(&b, &ada), "one").expect(201).json;
    let position = made["position"].as_str().unwrap();
    let read = at(&query, &ada).prompt("one", &format!("at_least={position}")).expect(200);
    assert_eq!(read.json["text"], "one");
    let _ = write(&at(&a, &ada), "two").expect(201);
    let ended = at(&a, &ada).post("/v1/sessions/revoke", &json!({})).expect(200).json;
    assert_eq!(write(&at(&b, &ada), "three").expect(401).code(), "unauthenticated");
    let position = ended["position"].as_str().unwrap();
    let refused = at(&query, &ada).prompt("one", &format!("at_least={position}")).expect(401);
    assert_eq!(refused.code(), "unauthenticated");
}
