use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::*;
use crate::import::edit::Change;
use crate::import::testing::{edits, slice};

fn reads(bytes: &[u8]) -> Vec<Read> {
    Lines::new("f", Box::new(Cursor::new(bytes.to_vec())), &Arc::default(), super::edits()).collect()
}

fn line() -> Value {
    let sha = data_encoding::HEXLOWER.encode(&Sha256::digest("héllo\r\n\0"));
    json!({"repo": "r", "path": "p", "seq": 3, "commit": "c", "author_id": "0507fc8c4eba", "time": "2024-05-03T14:00:00Z",
        "message": "m", "op": "create", "title": "t", "content_sha256": sha, "content": "héllo\r\n\0", "slug": "unknown"})
}

fn with(field: &str, value: Value) -> String {
    let mut line = line();
    line[field] = value;
    line.to_string()
}

fn without(field: &str) -> String {
    let mut line = line();
    line.as_object_mut().unwrap().remove(field);
    line.to_string()
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// `line: reason` of what is bad, `line: op path` of what is not.
fn shown(bytes: &[u8]) -> Vec<String> {
    reads(bytes)
        .into_iter()
        .map(|read| match read.found {
            Found::Edit(edit) => format!("{}: {} {}", read.place.line, edit.change.name(), edit.path),
            Found::Bad(why) | Found::Skipped(why) => format!("{}: {why}", read.place.line),
            Found::Command(command) => panic!("{command:?}"),
        })
        .collect()
}

#[test]
fn an_edit_is_read_with_all_that_is_known_of_it() {
    let [Read { found: Found::Edit(edit), .. }] = &reads(line().to_string().as_bytes())[..] else { panic!() };
    assert_eq!(edit.change, Change::Create { text: "héllo\r\n\0".into() });
    assert_eq!((edit.path.as_str(), edit.title.as_deref(), edit.message.as_deref()), ("p", Some("t"), Some("m")));
    assert_eq!(edit.time.to_string(), "2024-05-03T14:00:00Z");
    assert_eq!(edit.author.as_ref().map(ToString::to_string).as_deref(), Some("0507fc8c4eba"));
    assert_eq!((&*edit.origin.repo, &*edit.origin.commit, edit.origin.seq), ("r", "c", 3));
}

#[test]
fn every_line_of_a_real_history_is_an_edit() {
    let edits = edits(&slice());
    assert_eq!(edits.len(), 1193);
    let count = |name| edits.iter().filter(|edit| edit.change.name() == name).count();
    assert_eq!(count("create") + count("edit") + count("delete") + count("rename"), 1193);
    assert!(count("rename") > 0 && count("delete") > 0);
}

#[test]
fn a_bad_line_says_what_is_wrong_and_never_what_is_in_it() {
    for (bad, why) in [
        ("{".to_owned(), "no JSON: EOF while parsing an object at line 1 column 1"),
        ("\"secret\"".to_owned(), "no JSON object"),
        (line().to_string() + "secret", "no JSON: trailing characters"),
        (r#"{"path":"\ud800"}"#.to_owned(), "no JSON: "),
        (without("path"), "`path` is missing"),
        (with("path", Value::Null), "`path` is missing"),
        (with("content", json!(["secret"])), "`content` is no text"),
        (with("content", json!("secret")), "`content_sha256` is not that of `content`"),
        (without("content"), "`content` is missing"),
        (without("repo"), "`repo` is missing"),
        (without("commit"), "`commit` is missing"),
        (with("seq", json!(-1)), "`seq` is no whole number"),
        (with("seq", json!("secret")), "`seq` is no whole number"),
        (with("op", json!("secret")), "`op` is none of"),
        (with("op", json!("rename")), "`from` is missing"),
        (with("op", json!("delete")), "a delete has no `content`"),
        (with("time", json!("2024-05-03 secret")), "`time`: not an RFC 3339 time"),
        (with("author_id", json!("Ada secret")), "`author_id` may only hold"),
        ("[".repeat(100_000), "no JSON: recursion limit"),
    ] {
        let shown = shown(bad.as_bytes()).join("|");
        assert!(shown.starts_with(&format!("1: {why}")), "{shown}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}

#[test]
fn what_may_be_missing_may_be_missing() {
    for field in ["title", "message", "author_id", "content_sha256", "slug"] {
        assert_eq!(shown(without(field).as_bytes()), ["1: create p"], "{field}");
        assert_eq!(shown(with(field, Value::Null).as_bytes()), ["1: create p"], "{field}");
    }
    let mut delete = line();
    for (field, value) in [("op", json!("delete")), ("content", Value::Null), ("content_sha256", Value::Null)] {
        delete[field] = value;
    }
    assert_eq!(shown(delete.to_string().as_bytes()), ["1: delete p"]);
}

#[test]
fn a_bad_line_does_not_hide_the_next_and_blank_ones_are_none() {
    let good = line().to_string();
    let mut bytes = format!("\u{feff}{good}\r\n\n  \t\n{good}\nnonsense\n").into_bytes();
    bytes.extend_from_slice(b"{\"path\":\"\xff\"}\n");
    bytes.extend_from_slice(good.as_bytes()); // no line end
    assert_eq!(
        shown(&bytes),
        [
            "1: create p",
            "4: create p",
            "5: no JSON: expected ident at line 1 column 2",
            "6: no valid UTF-8 from byte 10 on",
            "7: create p"
        ]
    );
}

#[test]
fn a_line_over_the_bound_is_skipped_to_its_end() {
    let mut bytes = vec![b'x'; line::MAX_BYTES + 1];
    bytes.extend_from_slice(format!("\n{}\n", line()).as_bytes());
    let shown = shown(&bytes);
    assert!(shown[0].starts_with("1: the line is longer than"), "{shown:?}");
    assert_eq!(shown[1..], ["2: create p"]);
}

#[test]
fn gzip_is_told_by_its_content_and_may_come_in_parts() {
    let plain = format!("{}\n{}\n", line(), with("path", json!("q")));
    let expected = ["1: create p", "2: create q"];
    assert_eq!(shown(plain.as_bytes()), expected);
    assert_eq!(shown(&zipped(plain.as_bytes())), expected);
    let (first, second) = plain.split_at(100);
    assert_eq!(shown(&[zipped(first.as_bytes()), zipped(second.as_bytes())].concat()), expected);
    assert!(shown(&[]).is_empty() && shown(b"\n").is_empty());
    assert_eq!(shown(b"{").len(), 1);
}

#[test]
fn a_file_that_is_cut_off_says_so() {
    let whole = zipped(format!("{}\n", line()).repeat(50).as_bytes());
    let shown = shown(&whole[..whole.len() - 20]);
    assert!(shown.last().unwrap().contains("from here on the file can't be read"), "{shown:?}");
}

#[test]
fn files_follow_each_other_and_a_missing_one_stops_all() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = ["a", "b"].iter().map(|name| folder.path().join(name)).collect();
    for file in &files {
        std::fs::write(file, line().to_string()).unwrap();
    }
    let (reads, bytes) = Files::open(files.clone()).unwrap();
    assert_eq!(bytes, Some(2 * line().to_string().len() as u64));
    let reads: Vec<Read> = reads.collect();
    assert_eq!(reads.iter().map(|read| read.place.line).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(reads.last().map(|read| read.progress), bytes);
    assert!(!Arc::ptr_eq(&reads[0].place.file, &reads[1].place.file));
    std::fs::remove_file(&files[1]).unwrap();
    assert_eq!(Files::open(files.clone()).err().unwrap().0, files[1]);
}

/// Hands out its bytes in pieces, as pipes do.
struct Pieces(Cursor<Vec<u8>>, usize);

impl io::Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = buffer.len().min(self.1);
        io::Read::read(&mut self.0, &mut buffer[..piece])
    }
}

fn odd_line() -> impl Strategy<Value = Vec<u8>> {
    let field = prop::sample::select(vec!["op", "path", "content", "time", "seq", "from", "repo", "author_id"]);
    prop_oneof![
        prop::collection::vec(any::<u8>().prop_filter("a line end", |b| *b != b'\n'), 0..80),
        Just(line().to_string().into_bytes()),
        (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(index, byte)| {
            let mut line = line().to_string().into_bytes();
            let at = index.index(line.len());
            line[at] = if byte == b'\n' { b' ' } else { byte };
            line
        }),
        any::<prop::sample::Index>().prop_map(|index| {
            let line = line().to_string().into_bytes();
            line[..index.index(line.len())].to_vec()
        }),
        (field, ".{0,20}").prop_map(|(field, value)| with(field, json!(value)).into_bytes()),
    ]
}

proptest! {
    #[test]
    fn every_line_is_counted_whatever_is_in_it(lines in prop::collection::vec(odd_line(), 0..12), piece in 1..50usize) {
        // A first line that begins like gzip is another matter.
        prop_assume!(!lines.first().is_some_and(|line| line.starts_with(&[0x1f, 0x8b])));
        let bytes = lines.join(&b'\n');
        let reader = Pieces(Cursor::new(bytes), piece);
        let reads: Vec<Read> = Lines::new("f", Box::new(reader), &Arc::default(), super::edits()).collect();
        let told: Vec<u64> = reads.iter().map(|read| read.place.line).collect();
        let blank = |line: &[u8]| line.trim_ascii().is_empty();
        let expected: Vec<u64> = (1..).zip(&lines).filter(|(_, line)| !blank(line)).map(|(n, _)| n).collect();
        prop_assert_eq!(told, expected);
    }

    #[test]
    fn nothing_that_calls_itself_gzip_breaks_the_reader(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        bytes.splice(0..0, [0x1f, 0x8b, 8]);
        let reads = reads(&bytes);
        prop_assert!(!reads.is_empty());
    }
}
