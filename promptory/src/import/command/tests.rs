use std::collections::{BTreeMap, HashSet};

use super::*;
use crate::import::testing::{edit, edits, histories};
use serde_json::{Value, json};

fn create(text: &str) -> Change {
    Change::Create { text: text.into() }
}

fn rename(from: &str, text: Option<&str>) -> Change {
    Change::Rename { from: from.into(), text: text.map(str::to_owned) }
}

fn json_of(mapper: &mut Mapper, edit: Edit) -> Value {
    let mut json = serde_json::to_value(mapper.map(edit).unwrap()).unwrap();
    let object = json.as_object_mut().unwrap();
    for common in ["idempotency_key", "message", "occurred_at", "author"] {
        assert!(object.remove(common).is_some(), "{common}");
    }
    json
}

#[test]
fn each_kind_of_edit_has_its_command() {
    let mut mapper = Mapper::new("");
    let titled = Edit { title: Some("A".into()), ..edit("a", create("one")) };
    for (edit, command) in [
        (titled, json!({"type": "create_prompt", "key": "a", "text": "one", "metadata": {"title": "A"}})),
        (edit("a", Change::Edit { text: "two".into() }), json!({"type": "add_version", "prompt": "a", "text": "two"})),
        (edit("b", rename("a", Some("two"))), json!({"type": "rename_prompt", "prompt": "a", "to": "b"})),
        (edit("c", rename("b", Some("3"))), json!({"type": "rename_prompt", "prompt": "b", "to": "c", "text": "3"})),
        (edit("d", rename("c", None)), json!({"type": "rename_prompt", "prompt": "c", "to": "d"})),
        (edit("e", rename("d", Some("3"))), json!({"type": "rename_prompt", "prompt": "d", "to": "e"})),
        (edit("e", Change::Delete), json!({"type": "archive_prompt", "prompt": "e"})),
        (edit("x", rename("w", Some("4"))), json!({"type": "rename_prompt", "prompt": "w", "to": "x", "text": "4"})),
    ] {
        assert_eq!(json_of(&mut mapper, edit), command);
    }
}

#[test]
fn a_command_carries_who_when_and_why() {
    let command = serde_json::to_value(Mapper::new("").map(edit("a", create(""))).unwrap()).unwrap();
    assert_eq!(command["author"], "0507fc8c4eba");
    assert_eq!(command["occurred_at"], "2024-05-03T14:00:00Z");
    assert_eq!(command["message"], "why");
    // Printed once: another value would make every history that was imported before come in twice.
    let key = "import:41c6e968a3e2777f7022a10a1ceca2ba3e661d484de5b34c1e5b31b17db05030";
    assert_eq!(command["idempotency_key"], key);
}

#[test]
fn a_path_that_is_no_key_stays_as_the_title() {
    let mut mapper = Mapper::new("team/");
    let command = json_of(&mut mapper, edit("two\nlines", create("t")));
    assert_eq!((&command["key"], &command["metadata"]["title"]), (&json!("team/two%0Alines"), &json!("two\nlines")));
    let plain = json_of(&mut mapper, edit("plain", create("t")));
    assert_eq!((&plain["key"], plain.get("metadata")), (&json!("team/plain"), None));
    let titled = Edit { title: Some("own".into()), ..edit("x\ty", create("t")) };
    assert_eq!(json_of(&mut mapper, titled)["metadata"], json!({"title": "own"}));
}

#[test]
fn two_paths_never_share_a_prompt() {
    let mut mapper = Mapper::new("");
    mapper.map(edit("a\nb", create("one"))).unwrap();
    for change in [create("two"), Change::Edit { text: "two".into() }, Change::Delete] {
        assert!(mapper.map(edit("a%0Ab", change)).unwrap_err().contains("another path"));
    }
    assert!(mapper.map(edit("c", rename("a%0Ab", None))).is_err());
    assert!(mapper.map(edit("a%0Ab", rename("d", None))).is_err());
    // The path itself may take the form that its key has.
    mapper.map(edit("a%0Ab", rename("a\nb", None))).unwrap();
    mapper.map(edit("a%0Ab", Change::Delete)).unwrap();
    mapper.map(edit("a\nb", create("three"))).unwrap();
}

#[test]
fn what_can_not_be_sent_is_refused_and_not_remembered() {
    let mut mapper = Mapper::new("");
    mapper.map(edit("a", create("one"))).unwrap();
    let long = "x".repeat(limits::CONTENT_MAX_BYTES + 1);
    assert!(mapper.map(edit("a", Change::Edit { text: long.clone() })).unwrap_err().contains("bytes"));
    let command = json_of(&mut mapper, edit("b", rename("a", Some("one"))));
    assert_eq!(command.get("text"), None, "the server still has the first text");
    for path in ["", &"k".repeat(1025), &format!("prm_{}", "0".repeat(32))] {
        assert!(mapper.map(edit(path, create("one"))).unwrap_err().contains("the key of the path"), "{path}");
    }
    let message = Edit { message: Some(long), ..edit("c", create("one")) };
    assert!(mapper.map(message).unwrap_err().contains("message"));
}

#[test]
fn another_source_knows_nothing_of_the_one_before() {
    let mut mapper = Mapper::new("");
    mapper.map(edit("a", create("one"))).unwrap();
    mapper.next_source();
    let command = json_of(&mut mapper, edit("b", rename("a", Some("one"))));
    assert_eq!(command["text"], "one", "so that each file's commands are the same whatever it is imported with");
}

#[test]
fn idempotency_keys_tell_real_edits_apart_and_are_the_same_in_every_run() {
    let mut seen = HashSet::new();
    for file in histories() {
        let (first, second) = (edits(&file), edits(&file));
        for (edit, again) in first.iter().zip(&second) {
            let key = edit.idempotency_key("");
            assert_eq!(key, again.idempotency_key(""));
            assert!(key.len() <= limits::IDEMPOTENCY_KEY_MAX_BYTES);
            assert_ne!(key, edit.idempotency_key("other/"));
            assert!(seen.insert(key), "{} {}", edit.origin.commit, edit.path);
        }
    }
}

#[test]
fn idempotency_keys_depend_on_every_part() {
    let one = edit("ab", create("t"));
    let mut others = vec![
        Edit { path: "a".into(), ..one.clone() },
        Edit { change: Change::Edit { text: "t".into() }, ..one.clone() },
        edit("ab", rename("", None)),
        edit("a", rename("b", None)),
    ];
    for (repo, commit, seq) in [("x", "c1", 1), ("r", "x", 1), ("r", "c1", 2), ("rc", "1", 1)] {
        let origin = crate::import::edit::Origin { repo: repo.into(), commit: commit.into(), seq };
        others.push(Edit { origin, ..one.clone() });
    }
    others.push(one.clone());
    let keys: HashSet<String> = others.iter().map(|edit| edit.idempotency_key("")).collect();
    assert_eq!(keys.len(), others.len());
    // What may be corrected without being another edit.
    let corrected = Edit { message: None, ..edit("ab", create("other text")) };
    assert_eq!(corrected.idempotency_key(""), one.idempotency_key(""));
}

/// The plainest model of the server: key -> text.
fn obey(prompts: &mut BTreeMap<String, String>, change: wire::Change) {
    match change {
        wire::Change::CreatePrompt { key, text, .. } => {
            assert!(prompts.insert(key, text.unwrap()).is_none());
        }
        wire::Change::AddVersion { prompt, text, .. } => {
            assert!(prompts.insert(prompt, text.unwrap()).is_some());
        }
        wire::Change::RenamePrompt { prompt, to, text, .. } => {
            let before = prompts.remove(&prompt).unwrap();
            assert!(text.as_ref() != Some(&before), "a version without a change");
            assert!(prompts.insert(to, text.unwrap_or(before)).is_none());
        }
        wire::Change::ArchivePrompt { prompt } => {
            assert!(prompts.remove(&prompt).is_some());
        }
        change => panic!("{change:?}"),
    }
}

#[test]
fn real_histories_come_out_as_they_went_in() {
    for file in histories() {
        let (mut mapper, mut prompts, mut paths) = (Mapper::new(""), BTreeMap::new(), BTreeMap::new());
        for edit in edits(&file) {
            if let Change::Rename { from, .. } = &edit.change {
                paths.remove(from);
            }
            match edit.change.text() {
                Some(text) => paths.insert(edit.path.clone(), text.to_owned()),
                None => paths.remove(&edit.path),
            };
            obey(&mut prompts, mapper.map(edit).unwrap().change);
            assert_eq!(prompts.len(), paths.len());
        }
        let expected: BTreeMap<String, String> =
            paths.into_iter().map(|(path, text)| (key::of_path(&path).into_owned(), text)).collect();
        assert_eq!(prompts, expected);
    }
}
