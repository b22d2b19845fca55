//! A whole token from a whole issuer, and every way in which one can be wrong. The issuer is a small server here; a real
//! one is in `tests/it`.

mod issuer;

use std::time::Duration;

use promptory_domain::access::Rights;
use promptory_events::event::{Event, IssuerTrusted};
use promptory_events::limits;
use serde_json::{Value, json};

use super::*;
use issuer::Issuer as Server;

const NOW: i64 = 1_800_000_000;

fn now() -> Timestamp {
    Timestamp::from_micros(NOW * 1_000_000)
}

/// A tenant that trusts an issuer.
struct World {
    server: Server,
    rights: Rights,
    identity: Identity,
    _folder: tempfile::TempDir,
}

fn world(refetch_after: Duration) -> World {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let keys = KeyStore::open(&folder.path().join("keys.redb")).unwrap();
    keys.ensure_tenant(&"acme".parse().unwrap()).unwrap();
    let mut rights = Rights::default();
    let trusted = IssuerTrusted {
        issuer: IssuerId([1; 16]),
        url: server.url().parse().unwrap(),
        audience: "promptory".parse().unwrap(),
        groups_claim: "groups".parse().unwrap(),
    };
    assert!(rights.evolve(0, &Event::IssuerTrusted(trusted)));
    let identity = Identity::new(Config { loopback_http: true, refetch_after }, keys);
    World { server, rights, identity, _folder: folder }
}

impl World {
    /// What a token says that is right in every way.
    fn good(&self) -> Value {
        let url = self.server.url();
        json!({"iss": url, "aud": "promptory", "sub": "ada", "iat": NOW, "exp": NOW + 300, "groups": ["a", "b"]})
    }

    fn with(&self, name: &str, value: Value) -> Value {
        let mut claims = self.good();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value,
        }
        claims
    }

    async fn check(&self, token: &str) -> Result<Arc<Token>, Refused> {
        self.identity.check(&shown(token), &self.rights, now()).await
    }

    async fn claims(&self, claims: &Value) -> Result<Arc<Token>, Refused> {
        self.check(&self.server.sign(claims)).await
    }
}

fn shown(token: &str) -> BearerToken {
    BearerToken::new("acme".parse().unwrap(), token).unwrap()
}

#[tokio::test]
async fn a_token_says_who_it_is_and_in_which_groups_by_pseudonyms() {
    let world = world(Duration::ZERO);
    let token = world.claims(&world.good()).await.unwrap();
    assert_eq!((token.issuer, token.claims.len()), (IssuerId([1; 16]), 2));
    assert_eq!((token.issued_at, token.expires_at), (now(), now().plus_ms(300_000)));
    let other = world.claims(&world.with("iat", json!(NOW - 1))).await.unwrap();
    assert_eq!((other.principal, &other.claims), (token.principal, &token.claims), "the same person and groups");
    let bob = world.claims(&world.with("sub", json!("bob"))).await.unwrap();
    assert_ne!(bob.principal, token.principal);
    let one = world.claims(&world.with("groups", json!("b"))).await.unwrap();
    assert_eq!(one.claims, token.claims[1..], "one name is a list of one");
    assert!(world.claims(&world.with("groups", Value::Null)).await.unwrap().claims.is_empty());
    let several = world.with("aud", json!(["other", "promptory"]));
    assert!(world.claims(&several).await.is_ok());
    assert_eq!(world.server.asked(), 2, "the discovery document and the keys, once");
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_said() {
    let world = world(Duration::ZERO);
    let skew = limits::TOKEN_SKEW_MAX_MS / 1000;
    for (name, value, refused) in [
        ("aud", json!("other"), Refused::NotTrusted),
        ("aud", Value::Null, Refused::Malformed),
        ("iss", json!("https://evil.example"), Refused::NotTrusted),
        ("sub", Value::Null, Refused::Claim("sub")),
        ("sub", json!(""), Refused::Claim("sub")),
        ("sub", json!(7), Refused::Claim("sub")),
        ("exp", Value::Null, Refused::Claim("exp")),
        ("exp", json!(-1.0), Refused::Claim("exp")),
        ("iat", Value::Null, Refused::Claim("iat")),
        ("iat", json!("now"), Refused::Claim("iat")),
        ("exp", json!(NOW - skew), Refused::NotCurrent),
        ("iat", json!(NOW + skew + 1), Refused::NotCurrent),
        ("iat", json!(NOW - limits::TOKEN_AGE_MAX_MS / 1000 - skew), Refused::NotCurrent),
        ("nbf", json!(NOW + skew + 1), Refused::NotCurrent),
        ("nbf", json!("now"), Refused::Claim("nbf")),
        ("cnf", json!({"jkt": "x"}), Refused::Kind("it is bound to a key (`cnf`)")),
        ("groups", json!([1]), Refused::Claim("of its groups")),
        ("groups", json!({}), Refused::Claim("of its groups")),
        ("groups", json!(vec!["g"; limits::TOKEN_CLAIMS_MAX + 1]), Refused::Groups),
    ] {
        assert_eq!(world.claims(&world.with(name, value.clone())).await, Err(refused), "{name}: {value}");
    }
    assert!(world.claims(&world.with("nbf", json!(NOW + skew))).await.is_ok());
}

#[tokio::test]
async fn a_signature_of_nobody_of_somebody_else_or_by_a_shared_secret_is_refused() {
    let world = world(Duration::ZERO);
    let good = world.server.sign(&world.good());
    assert!(world.check(&good).await.is_ok());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let other = world.server.sign(&world.with("sub", json!("eve")));
    let (_, others) = other.rsplit_once('.').unwrap();
    // What was checked before is found by all of it: another signature below the same text is checked.
    for forged in [others.to_owned(), String::new(), signature.chars().rev().collect(), "####".to_owned()] {
        assert_eq!(world.check(&format!("{signed}.{forged}")).await, Err(Refused::Signature), "{forged}");
    }
    for (alg, refused) in [("none", Refused::Malformed), ("HS256", Refused::Algorithm), ("ES512", Refused::Malformed)] {
        let token = world.server.sign_as(json!({"alg": alg, "kid": "k1"}), &world.good());
        assert_eq!(world.check(&token).await, Err(refused), "{alg}");
    }
    // The algorithm of another kind of key, a kind of token that is none for us, and headers that demand something.
    for (header, refused) in [
        (json!({"alg": "RS256", "kid": "k1"}), Refused::UnknownKey),
        (json!({"alg": "EdDSA", "kid": "k1"}), Refused::UnknownKey),
        (json!({"alg": "ES256", "kid": "k9"}), Refused::UnknownKey),
        (json!({"alg": "ES256", "kid": "k1", "typ": "logout+jwt"}), Refused::Kind("its header `typ`")),
        (json!({"alg": "ES256", "kid": "k1", "crit": ["exp"]}), Refused::Kind("its header `crit`")),
    ] {
        assert_eq!(world.check(&world.server.sign_as(header.clone(), &world.good())).await, Err(refused), "{header}");
    }
    // A key in the header is not looked at.
    let eve = Server::start();
    let token = eve.sign_as(json!({"alg": "ES256", "kid": "k1", "jwk": eve.jwk()}), &world.good());
    assert_eq!(world.check(&token).await, Err(Refused::Signature));
    let access = json!({"alg": "ES256", "kid": "k1", "typ": "at+jwt"});
    assert!(world.check(&world.server.sign_as(access, &world.good())).await.is_ok());
    let without_id = world.server.sign_as(json!({"alg": "ES256"}), &world.good());
    assert!(world.check(&without_id).await.is_ok(), "there is no choice");
}

#[tokio::test]
async fn a_new_key_is_fetched_when_it_is_first_met_and_unknown_ones_do_not_make_us_ask_all_the_time() {
    let world = world(Duration::from_secs(3600));
    assert!(world.claims(&world.good()).await.is_ok());
    assert_eq!(world.server.asked(), 2);
    world.server.rotate("k2");
    assert_eq!(world.claims(&world.with("sub", json!("b"))).await, Err(Refused::UnknownKey), "asked a moment ago");
    assert_eq!(world.server.asked(), 2);

    let world = self::world(Duration::ZERO);
    let before = world.server.sign(&world.with("sub", json!("before")));
    assert!(world.claims(&world.good()).await.is_ok());
    world.server.rotate("k2");
    assert!(world.claims(&world.with("sub", json!("b"))).await.is_ok());
    assert_eq!(world.server.asked(), 4);
    assert_eq!(world.check(&before).await, Err(Refused::UnknownKey), "its issuer has taken that key back");
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_as_it_should_gives_no_keys() {
    for answer in ["500", "redirect", "other-issuer", "no-json", "too-large", "insecure-keys"] {
        let world = world(Duration::ZERO);
        world.server.answer(answer);
        assert_eq!(world.claims(&world.good()).await, Err(Refused::Unavailable), "{answer}");
        world.server.answer("");
        assert!(world.claims(&world.good()).await.is_ok(), "and gives them once it does");
    }
    let world = world(Duration::ZERO);
    let identity = Identity::new(Config::default(), world.identity.inner.keys.clone());
    let token = world.server.sign(&world.good());
    assert_eq!(identity.check(&shown(&token), &world.rights, now()).await, Err(Refused::Unavailable), "without TLS");
    assert_eq!(world.server.asked(), 0);
}

#[tokio::test]
async fn a_token_that_was_checked_is_remembered_as_long_as_its_issuer_is_trusted() {
    let mut world = world(Duration::ZERO);
    let token = shown(&world.server.sign(&world.good()));
    assert!(world.identity.seen(&token, &world.rights).is_none());
    let checked = world.check(token.text()).await.unwrap();
    assert_eq!(world.identity.seen(&token, &world.rights), Some(checked));
    let elsewhere = BearerToken::new("other".parse().unwrap(), token.text()).unwrap();
    assert!(world.identity.seen(&elsewhere, &world.rights).is_none(), "by another tenant");
    let late = now().plus_ms(300_000 + limits::TOKEN_SKEW_MAX_MS);
    assert_eq!(world.identity.check(&token, &world.rights, late).await, Err(Refused::NotCurrent));
    let gone = promptory_events::event::IssuerDistrusted { issuer: IssuerId([1; 16]) };
    assert!(world.rights.evolve(1, &Event::IssuerDistrusted(gone)));
    assert!(world.identity.seen(&token, &world.rights).is_none());
    assert_eq!(world.check(token.text()).await, Err(Refused::NotTrusted));
}

#[test]
fn a_key_of_an_edwards_curve_verifies_too() {
    // Of RSA there are tokens of a real provider in `tests/it`: nothing here makes such keys.
    use ring::signature::{Ed25519KeyPair, KeyPair};
    verify::install();
    let der = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap();
    let text = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())});
    let key = jsonwebtoken::DecodingKey::from_jwk(&serde_json::from_value(jwk).unwrap()).unwrap();
    let signature = text(pair.sign(b"a.b").as_ref());
    let verify = |signed: &[u8]| jsonwebtoken::crypto::verify(&signature, signed, &key, jsonwebtoken::Algorithm::EdDSA);
    assert!(verify(b"a.b").unwrap());
    assert!(!verify(b"a.c").unwrap());
}
