//! What is disposable may be damaged or deleted: it is noticed, made again from the ledger, and says the same.

use std::fs;
use std::path::{Path, PathBuf};

use promptory_tests::{Client, World};
use serde_json::{Value, json};

/// A tenant with some history, and its status.
fn filled(world: &World) -> (Client, Value) {
    let client = world.acme();
    let mut commands = Vec::new();
    for n in 0..60 {
        commands.push(json!({"type": "create_prompt", "key": format!("k{n}"), "text": "x".repeat(2000),
            "idempotency_key": format!("c{n}")}));
        commands.push(json!({"type": "add_version", "prompt": format!("k{n}"), "text": n.to_string(),
            "labels": ["production"], "idempotency_key": format!("v{n}")}));
    }
    let last = client.commands(&commands).pop().unwrap();
    client.wait_for(last["position"].as_str().unwrap());
    let status = client.get("/v1/status").expect(200).json;
    (client, status)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn comes_back_after(damage: impl FnOnce(&Path)) {
    let mut world = World::new();
    let (_, before) = filled(&world);
    world.restart(|folder| damage(&folder.join("models").join("acme")));
    let client = world.acme();
    client.wait_for(before["position"].as_str().unwrap());
    assert_eq!(client.get("/v1/status").expect(200).json, before);
    assert_eq!(client.prompt("k7", "label=production").expect(200).json["text"], "7");
}

#[test]
fn read_models_that_are_deleted_come_back() {
    comes_back_after(|models| fs::remove_dir_all(models).unwrap());
}

#[test]
fn read_models_that_are_cut_come_back() {
    comes_back_after(|models| {
        for path in files(models) {
            let len = fs::metadata(&path).unwrap().len();
            fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(len * 3 / 4).unwrap();
        }
    });
}

#[test]
fn read_models_with_flipped_bits_come_back() {
    comes_back_after(|models| {
        for path in files(models) {
            let mut bytes = fs::read(&path).unwrap();
            for at in (0..bytes.len()).step_by(4099) {
                bytes[at] ^= 4;
            }
            fs::write(&path, bytes).unwrap();
        }
    });
}

#[test]
fn a_repeat_is_still_a_repeat_when_the_command_cache_is_gone_or_damaged() {
    let mut world = World::new();
    let (client, before) = filled(&world);
    let repeat = || {
        json!({"type": "add_version", "prompt": "k3", "text": "3", "labels": ["production"],
        "idempotency_key": "v3"})
    };
    let first = client.commands(&[repeat()]).pop().unwrap();
    assert_eq!(first["replayed"], true);
    for damage in [|path: &Path| fs::remove_file(path).unwrap(), |path: &Path| fs::write(path, b"nonsense").unwrap()] {
        world.restart(|folder| damage(&folder.join("command-cache.redb")));
        let client = world.acme();
        assert_eq!(client.commands(&[repeat()]).pop().unwrap(), first);
        client.wait_for(before["position"].as_str().unwrap());
        assert_eq!(client.get("/v1/status").json["model_digest"], before["model_digest"]);
    }
}
