use std::sync::mpsc::sync_channel;

use super::*;
use crate::import::edit::Change;
use crate::import::testing::edit;

fn read(file: &Arc<str>, line: u64, found: Found) -> Read {
    Read { place: Place { file: Arc::clone(file), line }, found, progress: line * 10 }
}

fn create(path: &str, text: &str) -> Found {
    Found::Edit(Box::new(edit(path, Change::Create { text: text.into() })))
}

fn batches(reads: Vec<Read>, bounds: Bounds) -> Vec<Batch> {
    let (out, batches) = sync_channel(100);
    pack(reads.into_iter(), Mapper::new(""), bounds, &out).unwrap();
    drop(out);
    batches.iter().collect()
}

#[test]
fn batches_are_bounded_by_count_and_by_bytes_and_keep_the_order() {
    let file: Arc<str> = "f".into();
    let texts = ["a", &"b".repeat(3000), &"c".repeat(900), "d", "e", "f", "g", "h"];
    let reads = (1..).zip(texts).map(|(n, text)| read(&file, n, create(&format!("p{n}"), text))).collect();
    let batches = batches(reads, Bounds { count: 3, bytes: 2000 });
    let sizes: Vec<usize> = batches.iter().map(|batch| batch.commands.len()).collect();
    assert_eq!(sizes, [1, 1, 3, 3]);
    let lines = batches.iter().flat_map(|batch| &batch.commands).map(|command| command.place.line);
    assert!(lines.eq(1..=8));
    assert_eq!(batches.last().map(|batch| batch.progress), Some(80));
}

#[test]
fn every_place_becomes_a_command_or_a_note() {
    let file: Arc<str> = "f".into();
    let reads = vec![
        read(&file, 1, create("a", "t")),
        read(&file, 2, Found::Bad("no JSON".into())),
        read(&file, 3, Found::Skipped("a link".into())),
        read(&file, 4, create("", "t")),
    ];
    let batches = batches(reads, Bounds { count: 2, bytes: 2000 });
    let notes: Vec<(u64, bool)> = batches.iter().flat_map(|b| &b.notes).map(|n| (n.place.line, n.failed)).collect();
    assert_eq!(notes, [(2, true), (3, false), (4, true)]);
    assert_eq!(batches.iter().map(|batch| batch.commands.len()).sum::<usize>(), 1);
    assert_eq!(batches.len(), 2);
}

#[test]
fn each_file_begins_anew() {
    let rename =
        |from: &str| Found::Edit(Box::new(edit("b", Change::Rename { from: from.into(), text: Some("t".into()) })));
    let (first, second): (Arc<str>, Arc<str>) = ("f".into(), "f".into());
    let reads = vec![read(&first, 1, create("a", "t")), read(&second, 1, rename("a"))];
    let batches = batches(reads, Bounds { count: 10, bytes: 2000 });
    let json: serde_json::Value = serde_json::from_slice(&batches[0].commands[1].json).unwrap();
    assert_eq!(json["text"], "t");
}

#[test]
fn reading_ends_when_nobody_takes_what_is_read() {
    let (out, batches) = sync_channel(1);
    drop(batches);
    let file: Arc<str> = "f".into();
    let endless = (1..).map(|n| read(&file, n, create("a", "t")));
    assert!(pack(endless, Mapper::new(""), Bounds { count: 2, bytes: 2000 }, &out).is_err());
}
