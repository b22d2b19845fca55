//! A tenant as a git repository, read by git itself.

use std::path::Path;
use std::process::Command;

use promptory::export::{self, ExportArgs, ExportError, Report};
use promptory_tests::World;
use serde_json::{Value, json};

use super::{eventful, key_file, send, settle};

fn exported(world: &World, dir: &Path) -> Result<Report, ExportError> {
    settle(world, "acme");
    export::run(&ExportArgs::git(dir, &world.node().url(), &key_file(world, "acme")))
}

/// What git says, or that it refuses.
fn git(dir: &Path, args: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GIT_")) {
        git.env_remove(name);
    }
    let output = git.env("GIT_CONFIG_GLOBAL", "/dev/null").arg("-C").arg(dir).args(args).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

fn said(dir: &Path, args: &[&str]) -> String {
    git(dir, args).unwrap_or_else(|| panic!("git {args:?}"))
}

#[test]
fn git_shows_what_the_tenant_says_on_every_branch_and_label() {
    let world = World::new();
    let owner = world.acme();
    eventful(&owner);
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("repo");
    let report = exported(&world, &dir).unwrap();
    assert!(report.git_commits > 20, "{report}");
    said(&dir, &["fsck", "--strict", "--no-dangling"]);

    let files = said(&dir, &["ls-tree", "-r", "--name-only", "main"]);
    let prompts: Vec<&str> = files.lines().filter(|file| !file.starts_with(".promptory/")).collect();
    let expected =
        ["chat / 2.json", "footer 2.txt", "footer.txt", "full.txt", "mine again.txt", "mine.txt", "team/greet.txt"];
    assert_eq!(prompts, expected);
    let text = |key: &str, query: &str| owner.prompt(key, query).expect(200).json["text"].as_str().unwrap().to_owned();
    for key in ["footer", "full", "mine", "mine again", "team/greet"] {
        assert_eq!(said(&dir, &["show", &format!("main:{key}.txt")]), text(key, ""), "{key}");
    }
    let chat: Value = serde_json::from_str(&said(&dir, &["show", "main:chat / 2.json"])).unwrap();
    assert_eq!(chat, owner.prompt("chat / 2", "").expect(200).json["messages"]);
    for (label, key) in
        [("production", "team/greet"), ("production", "footer"), ("merged", "team/greet"), ("own", "mine again")]
    {
        let shown = said(&dir, &["show", &format!("label/{label}:{key}.txt")]);
        assert_eq!(shown, text(key, &format!("label={label}")), "{label} {key}");
    }
    assert_eq!(said(&dir, &["show", "branch/x:footer.txt"]), "left");
    assert_eq!(said(&dir, &["ls-tree", "-r", "branch/try"]), "", "it was closed");
    let config: Value = serde_json::from_str(&said(&dir, &["show", "main:.promptory/config/full.txt.json"])).unwrap();
    assert_eq!((&config["template"], &config["variables"]["a"]["type"]), (&json!("jinja"), &json!("string")));
    let metadata: Value =
        serde_json::from_str(&said(&dir, &["show", "label/merged:.promptory/metadata/team/greet.txt.json"])).unwrap();
    assert_eq!(metadata, json!({"title": "Grüße", "n": 1.5}));

    let first = said(&dir, &["log", "--reverse", "--format=%an %ae %at %s %(trailers:key=Promptory-Index)", "main"]);
    let first = first.lines().next().unwrap();
    assert!(first.starts_with("0507fc8c4eba 0507fc8c4eba@promptory.invalid 1714744800 first "), "{first}");
    assert!(first.contains("Promptory-Index: 3-"), "{first}");
    let followed = said(&dir, &["log", "--follow", "--name-status", "--format=", "main", "--", "chat / 2.json"]);
    assert!(followed.contains("R100\ttalk.json\tchat / 2.json"), "{followed}");
}

#[test]
fn a_later_run_adds_what_has_come_and_what_is_no_export_is_left_alone() {
    let world = World::new();
    let owner = world.acme();
    eventful(&owner);
    let folder = tempfile::tempdir().unwrap();
    let [dir, whole, notes] = ["repo", "whole", "notes"].map(|name| folder.path().join(name));
    exported(&world, &dir).unwrap();
    let before = said(&dir, &["for-each-ref"]);
    assert_eq!(exported(&world, &dir).unwrap().commits, 0);
    assert_eq!(said(&dir, &["for-each-ref"]), before, "nothing has come");
    world.clock.advance_ms(60_000);
    send(&owner, &json!({"type": "add_version", "prompt": "footer", "text": "later", "labels": ["fresh"]}));
    world.clock.advance_ms(60_000);
    // An old version, whose blob is of the run before.
    send(&owner, &json!({"type": "set_label", "prompt": "team/greet", "label": "production", "version": 2}));
    send(&owner, &json!({"type": "rename_prompt", "prompt": "team/greet", "to": "greet"}));
    let more = exported(&world, &dir).unwrap();
    assert_eq!(more.commits, 3, "{more}");
    said(&dir, &["fsck", "--strict", "--no-dangling"]);
    exported(&world, &whole).unwrap();
    let heads = |dir: &Path| said(dir, &["for-each-ref", "--format=%(refname) %(objectname)", "refs/heads"]);
    assert_eq!(heads(&dir), heads(&whole), "in one run it is the same repository");
    assert_eq!(said(&dir, &["show", "label/production:greet.txt"]), "one\n\ntwo\n\nTHREE\n");
    assert_eq!(git(&dir, &["show", "main:team/greet.txt"]), None);

    std::fs::create_dir(&notes).unwrap();
    std::fs::write(notes.join("mine"), "text").unwrap();
    assert!(exported(&world, &notes).is_err());
    assert_eq!(std::fs::read_dir(&notes).unwrap().count(), 1);
    said(&notes, &["init", "--quiet", "--bare", "repo"]);
    let other = export::run(&ExportArgs::git(&dir, &world.node().url(), &key_file(&world, "beta")));
    assert!(matches!(other, Err(ExportError::There(..))), "{other:?}");
    let dry = folder.path().join("dry");
    let mut args = ExportArgs::git(&dry, &world.node().url(), &key_file(&world, "acme"));
    args.from().dry_run = true;
    assert!(export::run(&args).unwrap().commits > 20 && !dry.exists());
}
