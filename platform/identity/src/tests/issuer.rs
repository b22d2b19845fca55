//! An issuer as small as it can be: a discovery document, keys, and tokens signed by ES256.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use data_encoding::BASE64URL_NOPAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

/// One that answers until the test ends.
pub struct Issuer {
    state: Arc<State>,
}

struct State {
    url: String,
    key: Mutex<(String, EcdsaKeyPair)>,
    answer: Mutex<String>,
    asked: AtomicUsize,
}

fn new_key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref(), &random).unwrap()
}

fn encoded(json: &Value) -> String {
    BASE64URL_NOPAD.encode(json.to_string().as_bytes())
}

impl Issuer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = Mutex::new(("k1".to_owned(), new_key()));
        let state = Arc::new(State { url, key, answer: Mutex::default(), asked: AtomicUsize::new(0) });
        let serving = state.clone();
        thread::spawn(move || listener.incoming().flatten().for_each(|socket| serving.serve(socket)));
        Self { state }
    }

    pub fn url(&self) -> &str {
        &self.state.url
    }

    /// Another key in the place of the one it has.
    pub fn rotate(&self, kid: &str) {
        *self.state.key.lock().unwrap() = (kid.to_owned(), new_key());
    }

    /// How it answers from now on: in which way wrong.
    pub fn answer(&self, how: &str) {
        *self.state.answer.lock().unwrap() = how.to_owned();
    }

    pub fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }

    pub fn jwk(&self) -> Value {
        self.state.jwk()
    }

    pub fn sign(&self, claims: &Value) -> String {
        let kid = self.state.key.lock().unwrap().0.clone();
        self.sign_as(json!({"alg": "ES256", "typ": "JWT", "kid": kid}), claims)
    }

    pub fn sign_as(&self, header: Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encoded(&header), encoded(claims));
        let key = self.state.key.lock().unwrap();
        let signature = key.1.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }
}

impl State {
    fn jwk(&self) -> Value {
        let key = self.key.lock().unwrap();
        let (x, y) = key.1.public_key().as_ref()[1..].split_at(32);
        let text = |bytes| BASE64URL_NOPAD.encode(bytes);
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": key.0, "x": text(x), "y": text(y)})
    }

    fn serve(&self, mut socket: TcpStream) {
        let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
        let Some(Ok(first)) = lines.next() else { return };
        for line in lines.by_ref() {
            if line.unwrap_or_default().is_empty() {
                break;
            }
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        let (status, body) = self.document(&first);
        let head = format!("HTTP/1.1 {status}\r\nLocation: {}/keys\r\nContent-Length: {}", self.url, body.len());
        let _ = write!(socket, "{head}\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{body}");
    }

    fn document(&self, request: &str) -> (&'static str, String) {
        let how = self.answer.lock().unwrap().clone();
        let keys = format!("{}/keys", self.url);
        if request.starts_with("GET /keys ") {
            // Keys that are none of ours do no harm.
            let others = [json!({"kty": "oct", "k": "c2VjcmV0", "kid": "k1"}), json!({"kty": "new"}), json!(7)];
            let keys: Vec<Value> = others.into_iter().chain([self.jwk()]).collect();
            return ("200 OK", json!({ "keys": keys }).to_string());
        }
        match how.as_str() {
            "500" => ("500 Oh", String::new()),
            "redirect" => ("302 Found", String::new()),
            "other-issuer" => ("200 OK", json!({"issuer": "https://evil.example", "jwks_uri": keys}).to_string()),
            "no-json" => ("200 OK", "<html>".to_owned()),
            "too-large" => {
                ("200 OK", json!({"issuer": self.url, "jwks_uri": keys, "x": "x".repeat(300_000)}).to_string())
            }
            "insecure-keys" => {
                ("200 OK", json!({"issuer": self.url, "jwks_uri": "http://id.example/keys"}).to_string())
            }
            _ => ("200 OK", json!({"issuer": self.url, "jwks_uri": keys}).to_string()),
        }
    }
}
