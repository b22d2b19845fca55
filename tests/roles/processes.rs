//! The roles as processes: killed, restarted, stopped, and two that write at once.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use promptory_tests::Client;
use promptory_tests::process::{Process, counter};
use serde_json::json;

use crate::process::{Ground, wait_ready};
use crate::site::until;

fn add(client: &Client, text: &str) -> promptory_tests::Answer {
    client.post("/v1/prompts/hot/versions", &json!({"text": text}))
}

/// An event stream: reads the ids of events until `last`.
fn events(client: &Client, after: Option<u64>) -> BufReader<TcpStream> {
    let address = client.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    let resume = after.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
    let key = &client.key;
    write!(
        stream,
        "GET /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: text/event-stream\r\nAuthorization: Bearer {key}\r\n{resume}\r\n"
    )
    .unwrap();
    BufReader::new(stream)
}

fn ids_up_to(stream: &mut BufReader<TcpStream>, last: u64) -> Vec<u64> {
    let mut ids = Vec::new();
    while ids.last() != Some(&last) {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).unwrap() > 0, "the stream ended after {ids:?}");
        ids.extend(line.trim().strip_prefix("id: ").map(|id| id.parse::<u64>().unwrap()));
    }
    ids
}

fn index(answer: &promptory_tests::Answer) -> u64 {
    answer.json["position"].as_str().unwrap().split_once('-').unwrap().1.parse().unwrap()
}

#[test]
fn each_role_is_killed_and_comes_back_and_nobody_hears_anything_wrong() {
    let ground = Ground::one();
    let (a, b) = (ground.start("a", "command"), ground.start("b", "command"));
    let mut projections = vec![ground.start("p1", "projection"), ground.start("p2", "projection")];
    let query = ground.start("q", "query");
    wait_ready(&query);
    let (writer, reader) = (ground.owner("a", &b), ground.owner("a", &query));
    let _ = writer.post("/v1/prompts", &json!({"key": "hot", "text": "0"})).expect(201);
    let mut stream = events(&reader, None);
    let reads_it = |client: &Client, text: &str, position: &str| {
        let read = client.prompt("hot", &format!("at_least={position}"));
        (read.status == 200).then(|| assert_eq!(read.json["text"], text)).is_some()
    };

    // One of two projection replicas: questions go to the other, the stream goes on.
    let added = add(&writer, "1").expect(201);
    assert!(reads_it(&reader, "1", added.json["position"].as_str().unwrap()));
    let first = ids_up_to(&mut stream, index(&added));
    projections.remove(0).kill();
    let added = add(&writer, "2").expect(201);
    until("the other replica answers", || reads_it(&reader, "2", added.json["position"].as_str().unwrap()));
    assert_eq!(ids_up_to(&mut stream, index(&added)), [index(&added)]);

    // Both: early, retryable; and the stream waits until one is back.
    projections.remove(0).kill();
    until("nobody answers", || {
        let asked = Instant::now();
        let refused = reader.get("/v1/prompts");
        assert!(refused.status == 503 && refused.header("retry-after") == "1", "{refused:?}");
        asked.elapsed() < Duration::from_millis(900)
    });
    let added = add(&writer, "3").expect(201);
    projections.push(ground.start("p1", "projection"));
    wait_ready(&query);
    assert!(reads_it(&reader, "3", added.json["position"].as_str().unwrap()));
    assert_eq!(ids_up_to(&mut stream, index(&added)), [index(&added)]);

    // The query replica: whoever comes back with the last id misses nothing and sees nothing twice.
    query.kill();
    let added = add(&writer, "4").expect(201);
    let query = ground.start("q", "query");
    wait_ready(&query);
    let reader = query.at(&reader);
    let mut stream = events(&reader, Some(index(&added) - 1));
    assert_eq!(ids_up_to(&mut stream, index(&added)), [index(&added)]);
    let all = ids_up_to(&mut events(&reader, None), index(&added));
    assert_eq!(all, (0..=index(&added)).collect::<Vec<_>>());
    assert!(first.iter().zip(0..).all(|(id, n)| *id == n));

    // A command replica: the other goes on, and the one that comes back knows all.
    a.kill();
    let _ = add(&writer, "5").expect(201);
    let a = ground.start("a", "command");
    wait_ready(&a);
    let added = add(&a.at(&writer), "6").expect(201).json["position"].clone();
    assert!(reads_it(&reader, "6", added.as_str().unwrap()));

    // A key that is revoked ends the stream.
    let key = writer.post("/v1/keys", &json!({"role": "viewer"})).expect(201);
    writer_waits(&reader, &key);
    let viewer = Client::new(&query.url, key.json["key"].as_str().unwrap());
    let mut stream = events(&viewer, None);
    let _ = ids_up_to(&mut stream, index(&key));
    let _ = writer.send("DELETE", &format!("/v1/keys/{}", key.json["key_id"].as_str().unwrap()), &[], None).expect(200);
    let mut rest = String::new();
    while stream.read_line(&mut rest).unwrap() > 0 {}
    assert!(!rest.contains("key.revoked"), "the key that is revoked does not read it");
    stop_in_order([a, b, query], projections);
}

fn writer_waits(reader: &Client, written: &promptory_tests::Answer) {
    reader.wait_for(written.json["position"].as_str().unwrap());
}

/// Every role ends by itself when it is told to, quickly and well.
fn stop_in_order(processes: [Process; 3], projections: Vec<Process>) {
    for process in processes.into_iter().chain(projections) {
        let (code, took) = process.stop();
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(8), "{took:?}");
    }
}

#[test]
fn sixteen_clients_of_two_command_processes_number_one_prompts_versions_once_each_and_see_no_conflict() {
    let ground = Ground::one();
    let replicas = [ground.start("a", "command"), ground.start("b", "command")];
    let owner = ground.owner("a", &replicas[0]);
    let _ = owner.post("/v1/prompts", &json!({"key": "hot", "text": "0"})).expect(201);
    let numbers = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for client in 0..32 {
            let (owner, numbers) = (replicas[client % 2].at(&owner), &numbers);
            scope.spawn(move || {
                for n in 0..15 {
                    let added = add(&owner, &format!("{client}/{n}")).expect(201);
                    numbers.lock().unwrap().push(added.json["version"]["number"].as_u64().unwrap());
                }
            });
        }
    });
    let mut numbers = numbers.into_inner().unwrap();
    numbers.sort_unstable();
    assert_eq!(numbers, (2..=481).collect::<Vec<_>>());
    assert_eq!(numbers.iter().collect::<HashSet<_>>().len(), 480);
    let metrics = replicas.iter().map(|replica| counter(&replica.url, "promptory_forwarded_total"));
    println!("forwarded: {:?}", metrics.collect::<Vec<_>>());
}

/// Longer, and on three servers: `--ignored`.
#[test]
#[ignore = "three servers and some minutes; ./test --long runs it"]
fn a_killed_command_process_loses_and_doubles_nothing_on_three_servers() {
    let ground = Ground::three();
    let mut a = Some(ground.start("a", "command"));
    let b = ground.start("b", "command");
    let owner = ground.owner("a", a.as_ref().unwrap());
    let _ = owner.post("/v1/prompts", &json!({"key": "hot", "text": "0"})).expect(201);
    for round in 0..5 {
        let at_a = a.as_ref().unwrap().at(&owner);
        let at_b = b.at(&owner);
        std::thread::scope(|scope| {
            for client in 0..16 {
                let owner = at_b.clone();
                scope.spawn(move || {
                    for n in 0..20 {
                        let _ = add(&owner, &format!("{round}/{client}/{n}")).expect(201);
                    }
                });
            }
            // A's writers keep B losing; then A dies with what B forwarded to it.
            let writing = scope.spawn(move || (0..).take_while(|n| at_a_writes(&at_a, round, *n)).count());
            std::thread::sleep(Duration::from_millis(700));
            a.take().unwrap().kill();
            let _ = writing.join();
        });
        a = Some(ground.start("a", "command"));
    }
    let projection = ground.start("p", "projection,query");
    wait_ready(&projection);
    let reader = projection.at(&owner);
    let last = add(&b.at(&owner), "last").expect(201);
    writer_waits(&reader, &last);
    let mut texts = HashSet::new();
    for number in 1..=last.json["version"]["number"].as_u64().unwrap() {
        let read = reader.prompt("hot", &format!("version={number}")).expect(200);
        assert!(texts.insert(read.json["text"].as_str().unwrap().to_owned()), "a text is there twice: {}", read.json);
    }
    let mut wanted = (0..5).flat_map(|r| (0..16).flat_map(move |c| (0..20).map(move |n| format!("{r}/{c}/{n}"))));
    assert!(wanted.all(|text| texts.contains(&text)), "an acknowledged version is not there");
}

/// Whether A answers: it dies in the middle.
fn at_a_writes(client: &Client, round: usize, n: usize) -> bool {
    let (client, text) = (client.clone(), format!("a {round} {n}"));
    std::thread::spawn(move || add(&client, &text).status == 201).join().unwrap_or(false)
}
