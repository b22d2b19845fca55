//! A right that is taken back: 64 clients write through two replicas, and no event of theirs has a later index. Reads and open
//! event streams are cut soon after; how soon is printed, not asserted. By the key, and by the grant.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use promptory_tests::Client;
use promptory_tests::client::{Answer, segment};
use serde_json::{Value, json};

use crate::site::{Site, until};

const CLIENTS: usize = 64;
const READERS: usize = 16;
const ROUNDS: usize = 3;
/// Each client has written so often before the right is taken back.
const WRITES_BEFORE: usize = 3;
/// And tries so often after it was refused: it is never let in again.
const TRIES_AFTER: usize = 3;

/// What is taken back.
#[derive(Clone, Copy, Debug)]
enum By {
    Key,
    Grant,
}

impl By {
    /// What is refused with from then on; also a read, since nothing at all is left to read.
    fn code(self) -> &'static str {
        match self {
            Self::Key => "unauthenticated",
            Self::Grant => "forbidden",
        }
    }
}

fn key_of(n: usize) -> String {
    format!("p/{n}")
}

/// The index of a position.
fn index(position: &Value) -> u64 {
    position.as_str().unwrap().rsplit('-').next().unwrap().parse().unwrap()
}

/// Writes until it is refused, and then some more; the indexes of its events.
fn writer(client: &Client, n: usize, by: By, written: &AtomicUsize) -> Vec<u64> {
    let path = format!("/v1/prompts/{}/versions", segment(&key_of(n)));
    let (mut indexes, mut refused) = (Vec::new(), 0);
    while refused < TRIES_AFTER {
        let answer = client.post(&path, &json!({"text": format!("{}", indexes.len())}));
        match answer.status {
            201 => {
                assert_eq!(refused, 0, "let in again");
                indexes.push(index(&answer.json["position"]));
                if indexes.len() == WRITES_BEFORE {
                    written.fetch_add(1, SeqCst);
                }
            }
            // Not now; it was not done, or is looked for in the ledger with all others.
            429 | 503 => {}
            _ => {
                assert_eq!(answer.code(), by.code());
                refused += 1;
            }
        }
    }
    indexes
}

/// Reads until it is refused; when that was.
fn reader(client: &Client, n: usize, by: By, begun: &AtomicUsize) -> Instant {
    let read = || client.prompt(&key_of(n), "");
    until("it reads", || read().status == 200);
    begun.fetch_add(1, SeqCst);
    loop {
        let answer: Answer = read();
        match answer.status {
            200 | 429 | 503 | 504 => {} // or not now
            _ => {
                assert_eq!(answer.code(), by.code());
                return Instant::now();
            }
        }
    }
}

/// An open event stream.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(client: &Client, from: u64) -> Self {
        let host = client.url.strip_prefix("http://").unwrap();
        let mut socket = TcpStream::connect(host).unwrap();
        let key = &client.key;
        write!(
            socket,
            "GET /v1/events?from={from} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAccept: text/event-stream\r\n\
             Authorization: Bearer {key}\r\n\r\n"
        )
        .unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Self(BufReader::new(socket))
    }

    /// Follows until it is ended or `stop` is set. What it was shown of prompts, and when it ended or was shown the last.
    fn follow(mut self, begun: &AtomicUsize, stop: &AtomicBool) -> (Vec<u64>, Instant) {
        let (mut seen, mut last, mut line) = (Vec::new(), Instant::now(), String::new());
        loop {
            match self.0.read_line(&mut line) {
                Ok(0) => return (seen, Instant::now()),
                Ok(_) => {
                    if let Some(data) = line.strip_prefix("data:") {
                        let event: Value = serde_json::from_str(data).unwrap();
                        if event["key"].is_string() && event["prompt"].is_string() {
                            if seen.is_empty() {
                                begun.fetch_add(1, SeqCst);
                            }
                            seen.push(event["index"].as_u64().unwrap());
                            last = Instant::now();
                        }
                    }
                    line.clear();
                }
                // Nothing for a while; what came of a line is kept.
                Err(_) if stop.load(SeqCst) => return (seen, last),
                Err(_) => {}
            }
        }
    }
}

/// Every event of a principal, from the ledger's own account of itself.
fn events_of(owner: &Client, principal: &str, mut from: u64) -> Vec<u64> {
    let mut indexes = Vec::new();
    loop {
        let page = owner.get(&format!("/v1/events?from={from}&limit=1000")).expect(200).json;
        let next = page["next"].as_u64().unwrap();
        if next == from {
            return indexes;
        }
        let of = page["events"].as_array().unwrap().iter().filter(|event| event["actor"] == principal);
        indexes.extend(of.map(|event| event["index"].as_u64().unwrap()));
        from = next;
    }
}

/// How long after the answer to the revocation something was still let in, in milliseconds.
#[derive(Default)]
struct Cut {
    reads: Vec<f64>,
    streams: Vec<f64>,
}

impl Cut {
    fn say(&mut self, what: &str) {
        for (name, all) in [("reads", &mut self.reads), ("streams", &mut self.streams)] {
            all.sort_by(f64::total_cmp);
            let at = |part: f64| all[((all.len() - 1) as f64 * part).round() as usize];
            println!(
                "{what}: {name} were let in for {:.1} ms (p50), {:.1} ms (p99), {:.1} ms (max) after the answer; {} measured",
                at(0.5),
                at(0.99),
                at(1.0),
                all.len()
            );
        }
    }
}

fn round(owner: [&Client; 2], by: By, cut: &mut Cut) {
    let issued = owner[0].post("/v1/keys", &json!({"role": "editor", "prefix": "p/"})).expect(201).json;
    let principal = issued["principal"].as_str().unwrap().to_owned();
    let theirs = owner.map(|owner| owner.with_key(issued["key"].as_str().unwrap()));
    let (position, from) = (issued["position"].as_str().unwrap(), index(&issued["position"]));
    owner.iter().for_each(|owner| owner.wait_for(position));
    let (written, begun, stop) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (written, begun, stop, theirs) = (&written, &begun, &stop, &theirs);
        let writers: Vec<_> =
            (0..CLIENTS).map(|n| scope.spawn(move || writer(&theirs[n % 2], n, by, written))).collect();
        let readers: Vec<_> = (0..READERS).map(|n| scope.spawn(move || reader(&theirs[n % 2], n, by, begun))).collect();
        let streams: Vec<_> =
            (0..READERS).map(|n| scope.spawn(move || Stream::open(&theirs[n % 2], from).follow(begun, stop))).collect();
        until("everybody has begun", || written.load(SeqCst) == CLIENTS && begun.load(SeqCst) == 2 * READERS);
        let path = match by {
            By::Key => format!("/v1/keys/{}", issued["key_id"].as_str().unwrap()),
            By::Grant => format!("/v1/principals/{principal}/roles/editor?prefix=p/"),
        };
        let revoked = owner[0].send("DELETE", &path, &[], None).expect(200);
        let (answered, end) = (Instant::now(), index(&revoked.json["position"]));
        for writer in writers {
            let indexes = writer.join().unwrap();
            assert!(indexes.iter().all(|index| *index < end), "an event at {:?}, revoked at {end}", indexes.last());
        }
        for reader in readers {
            cut.reads.push(reader.join().unwrap().saturating_duration_since(answered).as_secs_f64() * 1000.0);
        }
        // Somebody else goes on writing what they could read.
        let path = format!("/v1/prompts/{}/versions", segment(&key_of(0)));
        let later = owner[1].post(&path, &json!({"text": "later"})).expect(201);
        owner.iter().for_each(|owner| owner.wait_for(later.json["position"].as_str().unwrap()));
        if matches!(by, By::Grant) {
            // The key still opens, so the streams go on; they show no more of it. A heartbeat would take 15 s, so they are left.
            std::thread::sleep(Duration::from_millis(300));
            stop.store(true, SeqCst);
        }
        for stream in streams {
            let (seen, ended) = stream.join().unwrap();
            assert!(seen.iter().all(|index| *index < end), "shown {:?}, revoked at {end}", seen.last());
            cut.streams.push(ended.saturating_duration_since(answered).as_secs_f64() * 1000.0);
        }
        let all = events_of(owner[0], &principal, from);
        assert!(all.len() >= CLIENTS * WRITES_BEFORE && all.iter().all(|index| *index < end), "{:?} {end}", all.last());
    });
}

#[test]
fn a_right_that_is_taken_back_binds_at_its_index_on_both_replicas_and_cuts_reads_and_streams() {
    let site = Site::new();
    let all = "command,projection,query";
    let (a, b) = (site.node("a", all, None), site.node("b", all, None));
    a.wait_ready();
    b.wait_ready();
    let owner = a.owner("acme");
    for n in 0..CLIENTS {
        let _ = owner.post("/v1/prompts", &json!({"key": key_of(n), "text": "first"})).expect(201);
    }
    let owner = [&owner, &b.at(&owner)];
    for by in [By::Key, By::Grant] {
        let mut cut = Cut::default();
        (0..ROUNDS).for_each(|_| round(owner, by, &mut cut));
        cut.say(&format!("by {by:?}"));
    }
}
