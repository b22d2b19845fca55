use promptory_command::wire::Change;
use serde_json::{Value, json};

use super::*;

fn lines() -> Lines {
    let (tenant, principal) = ("beta".parse().unwrap(), PrincipalId([7; 16]));
    let mut lines = Lines::new(Into { tenant, principal, prefix: String::new(), claim_recorded: false });
    let head = json!({"line": "head", "format": 1, "tenant": "acme", "incarnation": "af307b7a9d6ec84c"});
    assert!(lines.read(head.to_string().as_bytes()).is_empty());
    lines
}

fn commit(index: u64, events: &[(&str, Value, Value)]) -> Vec<u8> {
    let events = events.iter().zip(index..).map(|((kind, detail, brought), index)| {
        json!({"index": index, "type": kind, "prompt": "prm_1", "key": "a", "detail": detail, "brought": brought})
    });
    let commit = json!({"line": "commit", "command_id": "cmd_1", "actor": "pri_1", "author": null, "grants": [1],
        "recorded_at": "2026-05-03T12:00:00Z", "occurred_at": null, "message": "why", "events": events.collect::<Vec<_>>()});
    commit.to_string().into_bytes()
}

fn version(number: u32) -> Value {
    let parents =
        if number == 1 { json!([]) } else { json!([{"prompt": "prm_1", "number": number - 1, "version": "ver_1"}]) };
    json!({"number": number, "branch": "main", "version": format!("ver_{number}"), "template": "simple", "parents": parents})
}

fn created() -> Vec<u8> {
    let created = ("prompt.created", json!({"kind": "text"}), Value::Null);
    let tags = ("tags.set", json!({"before": [], "after": ["x"]}), Value::Null);
    let label = ("label.set", json!({"label": "a", "before": null, "after": 1}), Value::Null);
    commit(4, &[created, ("version.added", version(1), json!({"text": "hi"})), tags, label])
}

fn told(found: Vec<Found>) -> Vec<String> {
    let told = found.into_iter().map(|found| match found {
        Found::Command(command) => serde_json::to_value(&*command).unwrap()["type"].as_str().unwrap().to_owned(),
        Found::Bad(why) => format!("bad: {why}"),
        Found::Skipped(why) => format!("skipped: {why}"),
        Found::Edit(edit) => panic!("{edit:?}"),
    });
    told.collect()
}

#[test]
fn a_new_prompt_is_one_command_and_is_named_by_the_id_that_it_will_have() {
    let mut lines = lines();
    let found = lines.read(&created());
    let [Found::Command(create)] = found.as_slice() else { panic!("{found:?}") };
    let Change::CreatePrompt { tags, labels, .. } = &create.change else { panic!("{create:?}") };
    assert_eq!((tags.as_slice(), labels.as_slice()), (["x".to_owned()].as_slice(), ["a".to_owned()].as_slice()));
    let key = create.claims.idempotency_key.clone().unwrap();
    let id = CommandId::from_idempotency_key(&"beta".parse().unwrap(), PrincipalId([7; 16]), &key).prompt();
    let found = lines.read(&commit(8, &[("prompt.archived", json!({"key": "a"}), Value::Null)]));
    let [Found::Command(archive)] = found.as_slice() else { panic!("{found:?}") };
    assert!(matches!(&archive.change, Change::ArchivePrompt { prompt } if *prompt == id.to_string()), "{archive:?}");
    assert_eq!(archive.claims.message.as_deref(), Some("why"));
}

#[test]
fn a_version_that_was_erased_ends_the_import_of_its_prompt_alone() {
    let mut lines = lines();
    assert_eq!(told(lines.read(&created())), ["create_prompt"]);
    let erased = commit(8, &[("version.added", version(2), json!({"erased": true}))]);
    assert_eq!(told(lines.read(&erased)), ["bad: event 8, version.added: what it brought has been erased"]);
    let later = commit(9, &[("version.added", version(3), json!({"text": "3"}))]);
    let why = "its prompt, or a version before, could not be imported";
    assert_eq!(told(lines.read(&later)), [format!("bad: event 9, version.added: {why}")]);
}

#[test]
fn what_is_not_carried_is_named_and_nothing_is_quoted() {
    let mut lines = lines();
    let rights = commit(1, &[("principal.added", json!({}), Value::Null), ("role.granted", json!({}), Value::Null)]);
    assert_eq!(told(lines.read(&rights)), ["skipped: not carried: principal.added, role.granted"]);
    assert_eq!(told(lines.read(&commit(2, &[("command.unchanged", json!({}), Value::Null)]))), Vec::<String>::new());
    let odd = br#"{"line":"commit","secret text":1}"#;
    let told = told(lines.read(odd));
    assert!(
        told[0].starts_with("bad: no line of an exported history: a field is missing") && !told[0].contains("secret")
    );
}
