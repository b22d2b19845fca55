//! Bearer tokens of a real OpenID provider: logins, groups, its keys, and every token that must be refused.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use promptory_platform::Clock;
use promptory_tests::client::segment;
use promptory_tests::provider::{AUDIENCE, Provider};
use promptory_tests::{Client, World};
use serde_json::{Value, json};

use crate::rights::lawful;

/// acme, which trusts a provider whose `/editors` are editors of `team/`.
struct Site {
    world: World,
    provider: Provider,
    owner: Client,
    issuer: String,
    group: String,
}

fn site() -> Site {
    let (world, provider) = (World::of_today(), Provider::start());
    let owner = world.acme();
    let trust = json!({"url": provider.url(), "audience": AUDIENCE, "groups_claim": "groups"});
    let issuer = owner.post("/v1/issuers", &trust).expect(201).json["issuer"].as_str().unwrap().to_owned();
    let group = owner.post("/v1/groups", &json!({})).expect(201).json["group"].as_str().unwrap().to_owned();
    let editors = format!("/v1/issuers/{issuer}/groups/{}", segment("/editors"));
    let _ = owner.put(&editors, &json!({ "group": group })).expect(200);
    let grant = format!("/v1/groups/{group}/roles/editor?prefix=team/");
    let granted = owner.send("PUT", &grant, &[], None).expect(200).json;
    owner.wait_for(granted["position"].as_str().unwrap());
    Site { world, provider, owner, issuer, group }
}

impl Site {
    fn by(&self, token: &str) -> Client {
        self.owner.with_token("acme", token)
    }

    /// The token of somebody who logs in now. The provider's clock goes on by itself, ours is moved to it.
    fn token(&self, user: &str) -> String {
        let token = self.provider.token(user);
        let behind_ms = (Clock::System.now().micros() - self.world.clock.now().micros()) / 1000;
        self.world.clock.advance_ms(behind_ms.max(0));
        token
    }

    fn login(&self, user: &str) -> Client {
        self.by(&self.token(user))
    }
}

fn write(client: &Client, key: &str) -> promptory_tests::client::Answer {
    client.post("/v1/prompts", &json!({"key": key, "text": key}))
}

/// Refused by a write and by a read, and why.
fn refused(client: &Client, why: &str) {
    for answer in [write(client, "team/refused"), client.get("/v1/status"), client.prompt("team/a", "")] {
        let answer = answer.expect(401);
        assert_eq!(answer.code(), "unauthenticated");
        assert!(answer.json["detail"].as_str().unwrap().contains(why), "{}", answer.json);
    }
}

#[test]
fn whoever_logs_in_does_what_his_groups_may_and_the_ledger_says_by_which() {
    let mut site = site();
    let ada = site.login("ada");
    let written = write(&ada, "team/a").expect(201).json;
    ada.wait_for(written["position"].as_str().unwrap());
    assert_eq!(ada.prompt("team/a", "").expect(200).json["text"], "team/a");
    assert_eq!(ada.prompt("team/a", "").expect(200).json["text"], "team/a", "and from memory");
    assert_eq!(write(&ada, "other/a").expect(403).code(), "forbidden");
    assert_eq!(ada.get("/v1/status").expect(200).json["reads"], json!(["team/"]));
    // In no group that means anything: let in by nothing.
    let bob = site.login("bob");
    assert_eq!(write(&bob, "team/b").expect(403).code(), "forbidden");
    assert_eq!(bob.get("/v1/status").expect(403).code(), "forbidden");
    // The same person by another token; no name is in the ledger, and who it was is the same.
    let again = write(&site.login("ada"), "team/c").expect(201).json;
    site.owner.wait_for(again["position"].as_str().unwrap());
    let events = site.owner.get("/v1/events?limit=1000").expect(200).json;
    let created = events["events"].as_array().unwrap().iter().filter(|event| event["type"] == "prompt.created");
    let actors: Vec<&Value> = created.map(|event| &event["actor"]).collect();
    assert!(actors.len() == 2 && actors[0] == actors[1], "{actors:?}");
    let denied = events["events"].as_array().unwrap().iter().find(|event| event["type"] == "attempt.denied").unwrap();
    assert!(denied["detail"]["principal"] == *actors[0] && denied["detail"]["token"].is_string(), "{denied}");
    // With the quote, or an id's hex digits would be a name by chance.
    assert!(["\"ada", "/editors"].iter().all(|name| !events.to_string().contains(name)), "{events}");
    let issuers = site.owner.get("/v1/issuers").expect(200).json;
    assert_eq!(issuers["issuers"][0]["groups"][0]["value"], "/editors");
    assert_eq!(issuers["issuers"][0]["url"], site.provider.url());
    assert_eq!(ada.get("/v1/issuers").expect(200).json["issuers"], json!([]));
    // A principal that is known before it comes has grants of its own.
    let known = json!({"url": site.provider.url(), "audience": AUDIENCE, "subject": "bob", "name": "Bob"});
    let principal = site.owner.post("/v1/principals", &known).expect(201).json["principal"].clone();
    let grant = format!("/v1/principals/{}/roles/viewer?prefix=team/", principal.as_str().unwrap());
    let granted = site.owner.send("PUT", &grant, &[], None).expect(200).json;
    bob.wait_for(granted["position"].as_str().unwrap());
    assert_eq!(bob.prompt("team/a", "").expect(200).json["text"], "team/a");
    assert_eq!(write(&bob, "team/b").expect(403).code(), "forbidden");
    lawful(&mut site.world);
    // And after a restart, from a snapshot and from rows.
    let ada = ada.at(&site.world.node().url());
    let _ = write(&ada, "team/d").expect(201);
    let _ = ada.get("/v1/status").expect(200);
}

#[test]
fn tokens_for_others_of_others_and_from_another_time_are_refused() {
    let mut site = site();
    let token = site.token("ada");
    let _ = write(&site.by(&token), "team/a").expect(201);
    refused(&site.by(&site.provider.client_token("https://other.example")), "trusts no such issuer for this audience");
    // The ID token is for the app that logged in.
    let id_token = site.provider.login("ada")["id_token"].as_str().unwrap().to_owned();
    refused(&site.by(&id_token), "trusts no such issuer");
    let stranger = Provider::start();
    refused(&site.by(&stranger.token("ada")), "trusts no such issuer");
    let (signed, signature) = token.rsplit_once('.').unwrap();
    refused(&site.by(&format!("{signed}.{}", signature.chars().rev().collect::<String>())), "signature");
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", signed.split_once('.').unwrap().1);
    refused(&site.by(&unsigned), "no JSON Web Token that is signed");
    // For no tenant, for one that does not trust the provider, and for one that is not there.
    assert_eq!(
        write(&site.owner.authorized(&format!("Bearer {token}")), "team/b").expect(401).code(),
        "unauthenticated"
    );
    let _ = site.world.owner_of("other");
    for tenant in ["other", "nobody", "_system"] {
        let answer = write(&site.owner.with_token(tenant, &token), "team/b").expect(401);
        assert_eq!(answer.code(), "unauthenticated", "{tenant}");
    }
    let skew_ms = promptory_events::limits::TOKEN_SKEW_MAX_MS;
    site.world.clock.advance_ms(300_000 + skew_ms + 1000);
    refused(&site.by(&token), "has expired");
    lawful(&mut site.world);
}

#[test]
fn a_new_key_of_the_provider_is_found_and_the_old_one_is_over() {
    let mut site = site();
    let before = site.token("ada");
    let unseen = site.token("ada");
    let _ = write(&site.by(&before), "team/a").expect(201);
    site.provider.rotate();
    let after = site.login("ada");
    let written = write(&after, "team/b").expect(201).json;
    after.wait_for(written["position"].as_str().unwrap());
    assert_eq!(after.prompt("team/b", "").expect(200).json["text"], "team/b");
    refused(&site.by(&unseen), "a key that its issuer does not have");
    lawful(&mut site.world);
}

#[test]
fn a_revoked_session_writes_and_reads_nothing_and_its_stream_ends() {
    let mut site = site();
    let (token, other) = (site.token("ada"), site.token("ada"));
    let ada = site.by(&token);
    let written = write(&ada, "team/a").expect(201).json;
    ada.wait_for(written["position"].as_str().unwrap());
    let mut lines = open_stream(&site.owner.url, &token).lines();
    assert!(lines.any(|line| line.unwrap().contains("prompt.created")));
    // One's own session, without any right.
    let ended = ada.post("/v1/sessions/revoke", &json!({})).expect(200).json;
    assert_eq!(ended["events"][0]["type"], "session.revoked");
    assert_eq!(write(&ada, "team/b").expect(401).code(), "unauthenticated");
    site.owner.wait_for(ended["position"].as_str().unwrap());
    assert_eq!(ada.prompt("team/a", "").expect(401).code(), "unauthenticated");
    // The server ends the stream: a read that waits for too long would be an error.
    let _ = lines.collect::<Result<Vec<_>, _>>().unwrap();
    let still = site.by(&other);
    let by_other = write(&still, "team/c").expect(201).json;
    // All of a principal: by who may.
    site.owner.wait_for(by_other["position"].as_str().unwrap());
    let index = by_other["events"][0]["index"].as_u64().unwrap();
    let event = site.owner.get(&format!("/v1/events?from={index}&limit=1")).expect(200).json["events"][0].clone();
    site.world.clock.advance_ms(2000);
    let all = site.owner.post("/v1/sessions/revoke", &json!({"principal": event["actor"]})).expect(200).json;
    assert_eq!(write(&still, "team/d").expect(401).code(), "unauthenticated");
    site.owner.wait_for(all["position"].as_str().unwrap());
    assert_eq!(still.get("/v1/status").expect(401).code(), "unauthenticated");
    lawful(&mut site.world);
    let still = still.at(&site.world.node().url());
    assert_eq!(still.get("/v1/status").expect(401).code(), "unauthenticated", "also after a restart");
}

fn open_stream(url: &str, token: &str) -> BufReader<TcpStream> {
    let host = url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(host).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = format!("GET /v1/events?from=0 HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n");
    write!(socket, "{head}Connection: close\r\nPromptory-Tenant: acme\r\nAuthorization: Bearer {token}\r\n\r\n")
        .unwrap();
    BufReader::new(socket)
}

#[test]
fn what_an_issuer_s_groups_mean_changes_at_once_and_a_distrusted_one_is_believed_nothing() {
    let mut site = site();
    let ada = site.login("ada");
    let _ = write(&ada, "team/a").expect(201);
    let editors = format!("/v1/issuers/{}/groups/{}", site.issuer, segment("/editors"));
    let unmapped = site.owner.send("DELETE", &editors, &[], None).expect(200).json;
    assert_eq!(unmapped["events"][0]["type"], "claim.unmapped");
    assert_eq!(write(&ada, "team/b").expect(403).code(), "forbidden");
    let _ = site.owner.put(&editors, &json!({ "group": site.group })).expect(200);
    let _ = write(&ada, "team/b").expect(201);
    let trust = |claim: &str| json!({"url": site.provider.url(), "audience": AUDIENCE, "groups_claim": claim});
    assert_eq!(site.owner.post("/v1/issuers", &trust("roles")).expect(409).code(), "issuer-exists");
    let gone = site.owner.send("DELETE", &format!("/v1/issuers/{}", site.issuer), &[], None).expect(200).json;
    site.owner.wait_for(gone["position"].as_str().unwrap());
    refused(&ada, "trusts no such issuer");
    assert_eq!(site.owner.put(&editors, &json!({ "group": site.group })).expect(404).code(), "issuer-not-found");
    assert_eq!(site.owner.get("/v1/issuers").expect(200).json["issuers"], json!([]));
    for url in ["http://id.example", "https://id.example?x=1", "id.example"] {
        let bad =
            site.owner.post("/v1/issuers", &json!({"url": url, "audience": "a", "groups_claim": "g"})).expect(400);
        assert_eq!((bad.code(), &bad.json["field"]), ("invalid-field", &"/url".into()), "{url}");
    }
    lawful(&mut site.world);
}
