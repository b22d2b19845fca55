//! The JSON that clients rely on, in full.

use promptory_events::event::{Include, Role, Syntax, VersionRef};
use promptory_events::{Branch, CommandId, ContentId, Incarnation, PrincipalId, PromptId, Timestamp, VersionId};
use promptory_projection::ask::{Basis, Stamp};
use serde_json::{Value, json as value};

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn stamp_of(index: u64) -> Stamp {
    Stamp {
        index,
        command_id: CommandId([1; 16]),
        actor: PrincipalId([2; 16]),
        author: Some("git:ada".parse().unwrap()),
        recorded_at: at("2026-01-02T03:04:05Z"),
        occurred_at: Some(at("2022-12-14T00:44:50Z")),
        message: Some("say\n\"why\"".into()),
        grants: vec![3],
    }
}

fn one_summary(kind: Kind) -> PromptSummary {
    PromptSummary {
        id: PromptId([3; 16]),
        key: "team/ä b".parse().unwrap(),
        kind,
        archived: false,
        versions: 3,
        latest: VersionId([4; 16]),
        branches: [(Branch::main(), 3)].into(),
        forked_from: None,
        labels: [("production".parse().unwrap(), 2)].into(),
        rollouts: std::collections::BTreeMap::new(),
        tags: vec!["eu".parse().unwrap()],
        changed_index: 9,
        changed_at: at("2026-01-02T03:04:05Z"),
        effective_at: at("2022-12-14T00:44:50Z"),
        basis: Basis::Claimed,
    }
}

fn one_version(number: u32) -> VersionSummary {
    VersionSummary {
        id: VersionId([5; 16]),
        number,
        branch: Branch::main(),
        parents: vec![VersionRef { prompt: PromptId([3; 16]), number: 1, version: VersionId([6; 16]) }],
        content_id: ContentId([7; 32]),
        bytes: 11,
        syntax: Syntax::Jinja,
        includes: vec![Include { written: "team/footer@production".parse().unwrap(), prompt: PromptId([8; 16]) }],
        stamp: stamp_of(7),
    }
}

fn answer(kind: Kind, content: &str) -> PromptAnswer {
    PromptAnswer {
        prompt: one_summary(kind),
        version: one_version(2),
        content: content.into(),
        config: Some(r#"{"temperature":0.10}"#.into()),
        variables: r#"{"name":{"declared":false}}"#.into(),
        metadata: None,
    }
}

fn read(body: Result<Bytes, Problem>) -> Value {
    serde_json::from_slice(&body.unwrap()).unwrap()
}

fn stamp_json(index: u64) -> Value {
    value!({
        "index": index,
        "command_id": "cmd_01010101010101010101010101010101",
        "actor": "pri_02020202020202020202020202020202",
        "author": "git:ada",
        "recorded_at": "2026-01-02T03:04:05Z",
        "occurred_at": "2022-12-14T00:44:50Z",
        "message": "say\n\"why\"",
        "grants": [3],
    })
}

fn with(mut object: Value, stamp: Value) -> Value {
    object.as_object_mut().unwrap().extend(stamp.as_object().unwrap().clone());
    object
}

fn version_json(number: u32) -> Value {
    let own = value!({
        "id": "ver_05050505050505050505050505050505",
        "number": number,
        "branch": "main",
        "parents": [{
            "prompt": "prm_03030303030303030303030303030303",
            "number": 1,
            "version": "ver_06060606060606060606060606060606",
        }],
        "content_id": format!("cid_{}", "07".repeat(32)),
        "bytes": 11,
        "template": "jinja",
        "includes": ["team/footer@production"],
    });
    with(own, stamp_json(7))
}

#[test]
fn a_prompt_of_text() {
    let body = read(prompt(&answer(Kind::Text, "Hello, {{name}}\u{2028}!")));
    let expected = value!({
        "id": "prm_03030303030303030303030303030303",
        "key": "team/ä b",
        "kind": "text",
        "archived": false,
        "text": "Hello, {{name}}\u{2028}!",
        "config": {"temperature": 0.1},
        "variables": {"name": {"declared": false}},
        "metadata": null,
        "labels": {"production": 2},
        "tags": ["eu"],
        "versions": 3,
        "latest": "ver_04040404040404040404040404040404",
        "branches": {"main": 3},
        "forked_from": null,
        "version": version_json(2),
        "changed_index": 9,
        "changed_at": "2026-01-02T03:04:05Z",
        "effective_at": "2022-12-14T00:44:50Z",
        "basis": "claimed",
    });
    assert_eq!(body, expected);
}

#[test]
fn a_chat_has_messages_instead_and_json_is_passed_on_as_it_is() {
    let bytes = prompt(&answer(Kind::Chat, r#"[{"role":"user","content":"Hi"}]"#)).unwrap();
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(body["messages"], value!([{"role": "user", "content": "Hi"}]));
    assert!(body.get("text").is_none());
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.contains(r#""config":{"temperature":0.10}"#), "not even a number is written anew: {text}");
}

#[test]
fn a_chat_that_is_no_json_is_a_defect_and_quotes_nothing() {
    let problem = prompt(&answer(Kind::Chat, "secret")).unwrap_err();
    assert_eq!(problem.kind.code, "internal");
    assert!(!problem.document().to_string().contains("secret"));
}

#[test]
fn pages_carry_what_leads_on() {
    let page = read(prompts(&[one_summary(Kind::Text)], Some("c".into()), Some(9)));
    assert_eq!((&page["next_cursor"], &page["index"]), (&"c".into(), &9.into()));
    let mut fields: Vec<_> = page["prompts"][0].as_object().unwrap().keys().cloned().collect();
    fields.sort();
    let (first, rest) =
        ("archived basis branches changed_at changed_index effective_at forked_from", "id key kind labels");
    assert_eq!(fields.join(" "), format!("{first} {rest} latest tags versions"));
    let page = read(prompts(&[], None, None));
    assert_eq!(page, value!({"prompts": [], "next_cursor": null, "index": null}));
    let page = read(versions(&[one_version(2)], None));
    assert_eq!(page, value!({"versions": [version_json(2)], "next_cursor": null}));
}

#[test]
fn moves_of_a_label() {
    let set = LabelMove { before: None, after: Some(1), stamp: stamp_of(4) };
    let removed = LabelMove { before: Some(1), after: None, stamp: stamp_of(5) };
    let expected = value!({
        "moves": [
            with(value!({"before": null, "after": 1}), stamp_json(4)),
            with(value!({"before": 1, "after": null}), stamp_json(5)),
        ],
        "next_cursor": "x",
    });
    assert_eq!(read(moves(&[set, removed], Some("x".into()))), expected);
}

fn record() -> EventRecord {
    EventRecord {
        name: "label.set".into(),
        prompt: Some(PromptId([3; 16])),
        key: Some("a".parse().unwrap()),
        stamp: stamp_of(4),
        detail: r#"{"label":"production","before":null,"after":1}"#.into(),
    }
}

#[test]
fn events_on_a_page_and_in_a_stream_are_the_same_json() {
    let event = with(
        value!({
            "type": "label.set",
            "prompt": "prm_03030303030303030303030303030303",
            "key": "a",
            "detail": {"label": "production", "before": null, "after": 1},
        }),
        stamp_json(4),
    );
    assert_eq!(read(events(&[record()], 5)), value!({"events": [event], "next": 5}));

    let frames = String::from_utf8(event_frames(&[record(), record()]).unwrap().to_vec()).unwrap();
    let (frame, rest) = frames.split_once("\n\n").unwrap();
    let data = frame.strip_prefix("id: 4\nevent: label.set\ndata: ").unwrap();
    assert_eq!(serde_json::from_str::<Value>(data).unwrap(), event, "one line, though the message has two");
    assert_eq!(rest, format!("{frame}\n\n"));
}

#[test]
fn the_status() {
    let position = Position { incarnation: Incarnation([8; 8]), index: 41 };
    let answer = StatusAnswer {
        model_digest: "00ff".into(),
        prompts: 2,
        roles: vec![Role::Owner.into(), "poet".parse().unwrap()],
        reads: vec!["".parse().unwrap()],
    };
    let expected = value!({
        "tenant": "acme",
        "position": "0808080808080808-41",
        "model_digest": "00ff",
        "prompts": 2,
        "roles": ["owner", "poet"],
        "reads": [""],
    });
    assert_eq!(read(status(&"acme".parse().unwrap(), Some(position), &answer)), expected);
}
