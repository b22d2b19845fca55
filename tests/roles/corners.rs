//! What becomes of answers that take more than one question, when another process answers the next one, or none.

use std::collections::BTreeSet;

use serde_json::json;

use crate::site::{Site, until};

/// Prompts that are searched, one on each page.
const PAGES: usize = 12;

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
