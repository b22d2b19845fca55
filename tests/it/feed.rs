//! The tenant's events: pages, and a stream that replays, follows, resumes and ends with its key.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use promptory_tests::{Client, World};
use serde_json::{Value, json};

/// An open event stream.
pub struct Stream(BufReader<TcpStream>);

impl Stream {
    pub fn open(client: &Client, path: &str, last_event_id: Option<u64>) -> Self {
        let host = client.url.strip_prefix("http://").unwrap();
        let mut socket = TcpStream::connect(host).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let resume = last_event_id.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        write!(
            socket,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAccept: text/event-stream\r\nAuthorization: Bearer {}\r\n{resume}\r\n",
            client.key
        )
        .unwrap();
        let mut stream = Self(BufReader::new(socket));
        assert!(stream.line().unwrap().starts_with("HTTP/1.1 200"));
        stream
    }

    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.0.read_line(&mut line).unwrap() > 0).then(|| line.trim_end().to_owned())
    }

    /// The next event's id and data; `None` when the stream has ended.
    fn next(&mut self) -> Option<(u64, Value)> {
        let mut id = None;
        loop {
            let line = self.line()?;
            if let Some(text) = line.strip_prefix("id:") {
                id = text.trim().parse().ok();
            } else if let Some(data) = line.strip_prefix("data:") {
                return Some((id.unwrap(), serde_json::from_str(data).unwrap()));
            }
        }
    }
}

fn create(client: &Client, key: &str) -> String {
    let answer = client.post("/v1/prompts", &json!({"key": key, "text": "secret text"})).expect(201);
    answer.json["position"].as_str().unwrap().to_owned()
}

#[test]
fn pages_hold_every_event_once_and_no_prompt_text() {
    let world = World::new();
    let client = world.acme();
    for n in 0..9 {
        create(&client, &format!("k{n}"));
    }
    client.wait_for(&create(&client, "last"));
    let (mut from, mut indexes) = (0, Vec::new());
    loop {
        let page = client.get(&format!("/v1/events?from={from}&limit=7")).expect(200);
        let events = page.json["events"].as_array().unwrap().clone();
        if events.is_empty() {
            break;
        }
        assert!(!page.json.to_string().contains("secret text"));
        indexes.extend(events.iter().map(|e| e["index"].as_u64().unwrap()));
        from = page.json["next"].as_u64().unwrap();
    }
    assert_eq!(indexes, (0..from).collect::<Vec<_>>());
    let first = client.get("/v1/events?from=0&limit=3").expect(200);
    let types: Vec<_> = first.json["events"].as_array().unwrap().iter().map(|e| e["type"].clone()).collect();
    assert_eq!(types, ["principal.added", "role.granted", "key.issued"]);
}

#[test]
fn a_stream_replays_then_follows_and_resumes_where_it_stopped() {
    let world = World::new();
    let client = world.acme();
    create(&client, "before");
    let mut stream = Stream::open(&client, "/v1/events?from=0", None);
    for index in 0..5 {
        assert_eq!(stream.next().unwrap().0, index);
    }
    create(&client, "while");
    let (index, event) = stream.next().unwrap();
    assert_eq!((index, &event["type"], &event["key"]), (5, &json!("prompt.created"), &json!("while")));
    drop(stream);
    create(&client, "after");
    let mut resumed = Stream::open(&client, "/v1/events", Some(5));
    let seen: Vec<_> = (0..3).map(|_| resumed.next().unwrap()).map(|(id, e)| (id, e["key"].clone())).collect();
    assert_eq!(seen, [(6, json!("while")), (7, json!("after")), (8, json!("after"))]);
}

#[test]
fn a_stream_ends_when_its_key_is_revoked() {
    let world = World::new();
    let client = world.acme();
    let viewer = client.post("/v1/keys", &json!({"role": "viewer"})).expect(201);
    client.wait_for(viewer.json["position"].as_str().unwrap());
    let reader = client.with_key(viewer.json["key"].as_str().unwrap());
    let mut stream = Stream::open(&reader, "/v1/events?from=0", None);
    while stream.next().unwrap().1["type"] != "key.issued" {}
    let _ = client.send("DELETE", &format!("/v1/keys/{}", viewer.json["key_id"].as_str().unwrap()), &[], None);
    while let Some((_, event)) = stream.next() {
        assert_ne!(event["type"], "prompt.created", "nothing after the revocation");
    }
    create(&client, "unseen");
}
