//! Merges against `git merge-file`, and what people would expect.

use std::process::Command;

use promptory_events::event::Kind;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use super::*;

fn of(kind: Kind, contents: [&str; 3], configs: [Option<&str>; 3]) -> Merged {
    let side =
        |n: usize| Version { kind, content: contents[n], config: configs[n], syntax: Syntax::Simple, variables: None };
    merge(side(0), side(1), side(2)).unwrap()
}

fn texts(contents: [&str; 3]) -> Result<String, ContentConflict> {
    of(Kind::Text, contents, [None; 3]).content
}

/// What `git merge-file` makes of texts; `None`: a conflict.
fn git(folder: &std::path::Path, [base, ours, theirs]: [&str; 3]) -> Option<String> {
    for (name, text) in [("base", base), ("ours", ours), ("theirs", theirs)] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let args = ["merge-file", "--stdout", "ours", "base", "theirs"];
    let out = Command::new("git").args(args).current_dir(folder).output().unwrap();
    match out.status.code().unwrap() {
        0 => Some(String::from_utf8(out.stdout).unwrap()),
        1..=127 => None,
        error => panic!("git merge-file: {error}, {}", String::from_utf8_lossy(&out.stderr)),
    }
}

/// A text of lines out of a few, so that much of it is alike, and edits of it.
fn lines_of(alphabet: u32, count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<String>> {
    let line = (0..alphabet).prop_map(|n| match n % 7 {
        0 => "\n".to_owned(),
        1 => "}\n".to_owned(),
        2 => format!("line {n}\r\n"),
        _ => format!("line {n}\n"),
    });
    proptest::collection::vec(line, count)
}

type Edit = (prop::sample::Index, usize, Vec<String>);

fn edited(base: &[String], edits: &[Edit], cut_end: bool) -> String {
    let mut lines = base.to_vec();
    for (at, remove, insert) in edits {
        let at = at.index(lines.len() + 1);
        let end = lines.len().min(at + remove);
        lines.splice(at..end, insert.iter().cloned());
    }
    let mut text = lines.concat();
    if cut_end {
        text.pop();
    }
    text
}

fn three_texts() -> impl Strategy<Value = [String; 3]> {
    let sizes = prop_oneof![Just((4, 12, 2)), Just((10, 30, 3)), Just((30, 80, 4)), Just((400, 300, 9))];
    sizes.prop_flat_map(|(alphabet, count, edits)| {
        let edit = move || (any::<prop::sample::Index>(), 0usize..4, lines_of(alphabet, 0..4));
        let side = || (proptest::collection::vec(edit(), 1..edits + 2), prop::bool::weighted(0.1));
        (lines_of(alphabet, 0..count), side(), side()).prop_map(|(base, ours, theirs)| {
            [base.concat(), edited(&base, &ours.0, ours.1), edited(&base, &theirs.0, theirs.1)]
        })
    })
}

#[test]
fn a_thousand_random_merges_are_those_of_git() {
    let folder = tempfile::tempdir().unwrap();
    let cases = std::env::var("PROMPTORY_MERGES").map_or(1000, |cases| cases.parse().unwrap());
    let (clean, conflicts) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(cases) });
    let ran = runner.run(&three_texts(), |[base, ours, theirs]| {
        let sides = [base.as_str(), &ours, &theirs];
        let expected = git(folder.path(), sides);
        let count = if expected.is_some() { &clean } else { &conflicts };
        count.set(count.get() + 1);
        match texts(sides) {
            Ok(merged) => prop_assert_eq!(Some(merged), expected),
            Err(ContentConflict::Text(pieces)) => {
                prop_assert_eq!(None, expected);
                check_pieces(&pieces, sides);
            }
            Err(other) => panic!("{other:?}"),
        }
        Ok(())
    });
    ran.unwrap();
    assert!(clean.get() > cases / 10 && conflicts.get() > cases / 10, "{} clean, {} not", clean.get(), conflicts.get());
}

/// Choosing one side of every conflict leaves nothing of that side's changes out.
fn check_pieces(pieces: &[Piece<String>], [base, ours, theirs]: [&str; 3]) {
    let all = |choose: fn(&Piece<String>) -> &str| pieces.iter().map(choose).collect::<String>();
    let conflict = |piece: &&Piece<String>| piece.merged().is_none();
    assert!(pieces.iter().filter(conflict).count() > 0);
    for piece in pieces {
        if let Piece::Conflict { base: was, ours: our, theirs: their } = piece {
            assert!(base.contains(was.as_str()) && ours.contains(our.as_str()) && theirs.contains(their.as_str()));
            assert_ne!(our, their);
        }
    }
    // Where nobody but we changed anything, our side of the conflicts makes our text.
    if base == theirs {
        assert_eq!(
            all(|piece| match piece {
                Piece::Merged { merged } => merged,
                Piece::Conflict { ours, .. } => ours,
            }),
            ours
        );
    }
}

#[test]
fn both_sides_of_a_conflict_are_shown_between_what_is_merged() {
    let base = "Be kind.\nBe brief.\n\nUse {{language}}.\n";
    let ours = "Be kind.\nBe very brief.\n\nUse {{language}}.\nEnd.\n";
    let theirs = "Be very kind.\nBe quick.\n\nUse {{language}}.\n";
    let piece = |merged: &str| Piece::Merged { merged: merged.to_owned() };
    let conflict = Piece::Conflict {
        base: "Be kind.\nBe brief.\n".to_owned(),
        ours: "Be kind.\nBe very brief.\n".to_owned(),
        theirs: "Be very kind.\nBe quick.\n".to_owned(),
    };
    let expected = vec![conflict, piece("\nUse {{language}}.\nEnd.\n")];
    assert_eq!(texts([base, ours, theirs]), Err(ContentConflict::Text(expected)));
    let json = serde_json::to_value(texts([base, ours, theirs]).unwrap_err()).unwrap();
    assert_eq!(json["text"][1], json!({"merged": "\nUse {{language}}.\nEnd.\n"}));
}

#[test]
fn messages_are_merged_whole_and_byte_for_byte() {
    let chat = |parts: &[&str]| {
        let messages = parts.iter().map(|text| format!(r#"{{"role":"user","content":"{text}"}}"#));
        format!("[{}]", messages.collect::<Vec<_>>().join(","))
    };
    let merged = |parts: [&[&str]; 3]| {
        let [base, ours, theirs] = parts.map(chat);
        of(Kind::Chat, [&base, &ours, &theirs], [None; 3]).content
    };
    let both = merged([&["a", "b", "c"], &["x", "b", "c"], &["a", "b", "c", "é\\u0041"]]);
    assert_eq!(both, Ok(chat(&["x", "b", "c", "é\\u0041"])));
    assert_eq!(merged([&[], &[], &["a"]]), Ok(chat(&["a"])));
    assert_eq!(merged([&["a"], &[], &["a"]]), Ok("[]".to_owned()));
    let conflict = merged([&["a", "b", "c"], &["a", "x", "c"], &["a", "y", "c"]]).unwrap_err();
    let message = |text: &str| json!({"role": "user", "content": text});
    let expected = json!({"messages": [
        {"merged": [message("a")]},
        {"base": [message("b")], "ours": [message("x")], "theirs": [message("y")]},
        {"merged": [message("c")]},
    ]});
    assert_eq!(serde_json::to_value(conflict).unwrap(), expected);
}

fn configs(configs: [Option<&str>; 3]) -> Result<Option<String>, ConfigConflict> {
    of(Kind::Text, [""; 3], configs).config
}

#[test]
fn configurations_are_merged_by_key_down_to_the_last_object() {
    let base = Some(r#"{"model":"m","sampling":{"t":1,"p":1},"stop":["a"]}"#);
    let ours = Some(r#"{"model":"m","sampling":{"p":1,"t":2},"stop":["a"],"seed":7}"#);
    let theirs = Some(r#"{"model":"n","sampling":{"p":2,"t":1}}"#);
    let merged = r#"{"model":"n","sampling":{"p":2,"t":2},"seed":7}"#;
    assert_eq!(configs([base, ours, theirs]), Ok(Some(merged.to_owned())));
    assert_eq!(configs([base, None, base]), Ok(None), "one side took it away");
    assert_eq!(configs([None, None, theirs]).unwrap().as_deref(), theirs);
    assert_eq!(configs([None, None, None]), Ok(None));
    assert_eq!(configs([Some("{}"), Some("{}"), Some("{}")]), Ok(Some("{}".to_owned())));
}

#[test]
fn a_key_that_both_changed_is_a_conflict_with_its_path() {
    let base = Some(r#"{"a/b":{"t":1,"u":1},"keep":1,"stop":["a"]}"#);
    let ours = Some(r#"{"a/b":{"t":2,"u":1},"keep":2,"stop":["b"]}"#);
    let theirs = Some(r#"{"a/b":{"t":3,"u":1},"keep":1}"#);
    let conflict = configs([base, ours, theirs]).unwrap_err();
    let expected = json!({
        "merged": {"a/b": {"u": 1}, "keep": 2},
        "conflicts": [
            {"path": "/a~1b/t", "base": 1, "ours": 2, "theirs": 3},
            {"path": "/stop", "base": ["a"], "ours": ["b"]},
        ],
    });
    assert_eq!(serde_json::to_value(conflict).unwrap(), expected);
}

#[test]
fn what_is_not_of_its_form_is_an_error() {
    let side = |content, config| Version { kind: Kind::Chat, content, config, syntax: Syntax::Simple, variables: None };
    let good = side("[]", None);
    assert!(merge(good, side("{}", None), good).is_err());
    assert!(merge(good, side("[]", Some("[]")), good).is_err());
}

#[test]
fn a_syntax_and_declared_variables_are_merged_like_the_rest() {
    let side = |syntax, variables| Version { kind: Kind::Text, content: "x", config: None, syntax, variables };
    use Syntax::{Jinja, None as Literal, Simple};
    let merged = |base, ours, theirs| merge(base, ours, theirs).unwrap();
    let (a, b) = (r#"{"a":{}}"#, r#"{"a":{},"b":{"type":"string"}}"#);
    let clean = merged(side(Simple, Some(a)), side(Jinja, Some(a)), side(Simple, Some(b)));
    assert_eq!((clean.syntax, clean.variables), (Ok(Jinja), Ok(Some(b.to_owned()))));
    let same = merged(side(Simple, None), side(Jinja, None), side(Jinja, None));
    assert_eq!((same.syntax, same.variables), (Ok(Jinja), Ok(None)));
    let other = r#"{"a":{"type":"list"}}"#;
    let ours = r#"{"a":{"type":"string"}}"#;
    let conflict = merged(side(Simple, Some(a)), side(Jinja, Some(ours)), side(Literal, Some(other)));
    assert_eq!(conflict.syntax, Err(SyntaxConflict { base: Simple, ours: Jinja, theirs: Literal }));
    assert_eq!(conflict.variables.unwrap_err().conflicts[0].path, "/a/type");
}
