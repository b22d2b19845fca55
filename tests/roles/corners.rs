//! What becomes of answers that take more than one question, when another process answers the next one, or none.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use promptory_tests::Client;
use serde_json::json;

use crate::process::{Ground, wait_ready};
use crate::site::{Site, until};

/// Prompts that are searched, one on each page.
const PAGES: usize = 12;
/// Prompts whose audit is exported, and what is said of each: more together than sockets take.
const EXPORTED: usize = 1200;
const MESSAGE_BYTES: usize = 6 * 1024;

#[test]
fn the_pages_of_a_search_come_from_the_replica_that_holds_them_and_are_gone_with_it() {
    let site = Site::new();
    let command = site.node("c", "command", None);
    let (one, two) = (site.node("p1", "projection", None), site.node("p2", "projection", None));
    let query = site.node("q", "query", None);
    for node in [&one, &two, &query] {
        node.wait_ready();
    }
    let owner = command.owner("acme");
    let commands: Vec<_> = (0..PAGES)
        .map(|n| json!({"type": "create_prompt", "key": format!("page/{n}"), "text": "words on a page"}))
        .collect();
    let results = owner.commands(&commands);
    let position = results.last().unwrap()["position"].as_str().unwrap().to_owned();
    let reader = query.at(&owner);
    let search = format!("/v1/search?q=words&limit=1&at_least={position}");
    until("the index has them", || reader.get(&search).status == 200);
    for _ in 0..4 {
        let (mut found, mut next) = (BTreeSet::new(), String::new());
        loop {
            let page = reader.get(&format!("{search}{next}")).expect(200).json;
            assert_eq!(page["total"], PAGES);
            found.insert(page["hits"][0]["key"].as_str().unwrap().to_owned());
            match page["next_cursor"].as_str() {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(found.len(), PAGES);
    }
    // Whoever held it is gone, and who came in its place has the same index in other states.
    let held = reader.get(&search).expect(200).json["next_cursor"].as_str().unwrap().to_owned();
    let three = site.node("p3", "projection", None);
    three.wait_ready();
    one.stop();
    two.stop();
    until("the new one has them", || reader.get(&search).status == 200);
    let gone = reader.get(&format!("{search}&cursor={held}"));
    assert_eq!((gone.status, gone.code()), (410, "cursor-expired"));
}

/// An export of everything under way: its connection, of which next to nothing was read.
fn export(client: &Client) -> TcpStream {
    loop {
        let (mut socket, mut status) = (send(client), [0; 12]);
        socket.read_exact(&mut status).unwrap();
        match &status {
            b"HTTP/1.1 200" => return socket,
            // The first page may take too long on a busy machine, which is said.
            b"HTTP/1.1 503" => std::thread::sleep(Duration::from_millis(100)),
            other => panic!("{}", String::from_utf8_lossy(other)),
        }
    }
}

fn send(client: &Client) -> TcpStream {
    let host = client.url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(host).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let key = &client.key;
    write!(
        socket,
        "GET /v1/audit/export HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n\r\n"
    )
    .unwrap();
    socket
}

#[test]
fn an_export_that_breaks_off_does_not_look_whole_and_the_server_says_so() {
    let ground = Ground::one();
    let command = ground.start("c", "command");
    let mut projection = ground.start("p", "projection");
    let query = ground.start("q", "query");
    wait_ready(&query);
    let owner = ground.owner("c", &command);
    let message = "m".repeat(MESSAGE_BYTES);
    let mut position = String::new();
    for request in 0..EXPORTED / 100 {
        let create =
            |n| json!({"type": "create_prompt", "key": format!("p/{request}-{n}"), "text": "x", "message": message});
        let results = owner.commands(&(0..100).map(create).collect::<Vec<_>>());
        position = results.last().unwrap()["position"].as_str().unwrap().to_owned();
    }
    let reader = query.at(&owner);
    let small = format!("/v1/audit/export?action=role.granted&at_least={position}");
    until("the audit has it", || reader.get(&small).status == 200);

    // One is under way, and nobody reads it, while the process with the records dies.
    let mut socket = export(&reader);
    projection.kill();
    let mut rest = Vec::new();
    let ended = socket.read_to_end(&mut rest);
    let text = String::from_utf8_lossy(&rest);
    assert!(!text.ends_with("0\r\n\r\n"), "the last chunk, {ended:?}");
    let last = text.lines().rev().find(|line| line.contains('{')).unwrap();
    let problem: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(
        (&problem["error"]["code"], &problem["error"]["status"]),
        (&json!("unavailable"), &json!(503)),
        "{last}"
    );
    let records = text.lines().filter(|line| line.starts_with("{\"index\"")).count();
    assert!(records < 2 * EXPORTED, "{records} were sent before");
    assert!(query.log().contains("an export of the audit breaks off"), "{}", query.log());

    projection = ground.start("p", "projection");
    wait_ready(&query);
    let (answer, text) = reader.exchange("GET", "/v1/audit/export?action=prompt.created", &[], None).unwrap();
    assert_eq!((answer.status, text.lines().count()), (200, EXPORTED));
    projection.kill();
}
