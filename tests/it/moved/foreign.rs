//! What other products keep goes in by the same path, and a folder of files beside what is there.

use std::fs;
use std::path::{Path, PathBuf};

use promptory::export::{self, ExportArgs};
use promptory::import::{self, DirArgs, FileArgs, ImportArgs, OtherArgs, Report, Source, Target};
use promptory::server::Server;
use promptory_tests::World;
use serde_json::{Value, json};

use super::{eventful, key_file, settle, shown};

fn target(world: &World, tenant: &str) -> Target {
    let server = Server::new(&world.node().url(), &key_file(world, tenant));
    Target { server, prefix: String::new(), ack_log: None, batch: 100, patience: 10, dry_run: false }
}

fn langfuse(world: &World, tenant: &str, file: &Path) -> Report {
    let args = OtherArgs { file: Some(file.to_owned()), from: None, from_key_file: None, to: target(world, tenant) };
    import::run(ImportArgs { source: Source::Langfuse(args) }).unwrap()
}

#[test]
fn prompts_go_out_as_langfuse_has_them_and_come_in_again() {
    let world = World::new();
    let owner = world.acme();
    eventful(&owner);
    settle(&world, "acme");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prompts.json");
    let mut args = ExportArgs::langfuse(&file, &world.node().url(), &key_file(&world, "acme"));
    args.from().dry_run = true;
    let planned = export::run(&args).unwrap();
    assert!(!file.exists());
    args.from().dry_run = false;
    let report = export::run(&args).unwrap();
    assert_eq!((report.versions, planned.versions, planned.dry_run), (16, 16, true), "{report}");
    let versions: Vec<Value> = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let first = versions.iter().find(|version| version["name"] == "team/greet" && version["version"] == 1).unwrap();
    assert_eq!((&first["labels"], &first["type"]), (&json!(["production"]), &json!("text")), "{first}");
    assert_eq!((&first["createdAt"], &first["createdBy"]), (&json!("2024-05-03T14:00:00Z"), &json!("0507fc8c4eba")));

    let report = langfuse(&world, "beta", &file);
    assert_eq!((report.added, report.failed), (16, 0), "{report}");
    assert_eq!(langfuse(&world, "beta", &file).already_there, 16);
    settle(&world, "beta");
    let beta = world.owner_of("beta");
    for (key, query) in
        [("team/greet", "version=1"), ("team/greet", "label=merged"), ("chat / 2", ""), ("mine again", "label=own")]
    {
        let [mut here, mut there] = [&owner, &beta].map(|client| shown(client, key, query));
        for side in [&mut here, &mut there] {
            // What Langfuse has no place for: titles, branches; an empty configuration is none.
            for field in ["metadata", "branches", "version"] {
                side[field] = Value::Null;
            }
            if side["config"] == json!({}) {
                side["config"] = Value::Null;
            }
        }
        assert_eq!(here, there, "{key} {query}");
    }
    // It went on there: another version, which has the label now.
    let mut more = versions;
    let mut next = more.iter().find(|version| version["name"] == "mine").unwrap().clone();
    (next["version"], next["prompt"], next["labels"]) = (json!(2), json!("newer"), json!(["fresh"]));
    more.push(next);
    fs::write(&file, serde_json::to_string(&more).unwrap()).unwrap();
    let report = langfuse(&world, "beta", &file);
    assert_eq!((report.added, report.already_there, report.failed), (1, 16, 0), "{report}");
}

#[test]
fn a_table_and_a_file_of_another_form_go_in_and_bad_rows_fail_alone() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prompts.csv");
    let table =
        "key,text,labels,author,time\na,one,,ada,2024-05-03T14:00:00Z\na,two,production,,\nb,x,,a@b,\n\"\",y,,,\n";
    fs::write(&file, table).unwrap();
    let args = FileArgs { file, to: target(&world, "acme") };
    let report = import::run(ImportArgs { source: Source::Csv(args) }).unwrap();
    assert_eq!((report.added, report.failed), (2, 2), "{report}");
    settle(&world, "acme");
    let owner = world.acme();
    assert_eq!(owner.prompt("a", "label=production").expect(200).json["text"], "two");
    let first = owner.prompt("a", "version=1").expect(200).json;
    assert_eq!((&first["version"]["author"], &first["basis"]), (&json!("ada"), &json!("claimed")));
}

fn dir(world: &World, folder: &Path, dry_run: bool) -> Report {
    let to = Target { dry_run, prefix: "team/".into(), ..target(world, "acme") };
    let args = DirArgs {
        dir: PathBuf::from(folder),
        glob: vec!["**/*".into()],
        strip_suffix: Some(".md".into()),
        message: Some("by hand".into()),
        labels: vec!["fresh".into()],
        to,
    };
    let report = import::run(ImportArgs { source: Source::Dir(args) }).unwrap();
    settle(world, "acme");
    report
}

#[test]
fn a_folder_is_compared_with_what_is_there_and_only_what_differs_is_written() {
    let world = World::new();
    let (owner, folder) = (world.acme(), tempfile::tempdir().unwrap());
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("sub")).unwrap();
    fs::create_dir_all(at(".git")).unwrap();
    for (name, text) in [
        ("greet.md", "Hello"),
        ("sub/chat.json", r#"[{"role": "user", "content": "Hi"}, {"type": "placeholder", "name": "history"}]"#),
        ("sub/data.json", r#"{"no": "chat"}"#),
        (".git/config", "hidden"),
    ] {
        fs::write(at(name), text).unwrap();
    }
    fs::write(at("bytes.md"), b"\xff").unwrap();
    let planned = dir(&world, folder.path(), true);
    assert_eq!((planned.would_send["create_prompt"], planned.failed), (3, 1), "{planned}");
    assert_eq!(owner.prompt("team/greet", "").status, 404);
    let report = dir(&world, folder.path(), false);
    assert_eq!((report.added, report.failed, report.skipped), (3, 1, 0), "{report}");
    assert_eq!(owner.prompt("team/sub/chat", "label=fresh").expect(200).json["kind"], "chat");
    fs::write(at("greet.md"), "Good day").unwrap();
    let report = dir(&world, folder.path(), false);
    assert_eq!((report.added, report.skipped), (1, 2), "{report}");
    fs::write(at("greet.md"), "Hello").unwrap();
    assert_eq!(dir(&world, folder.path(), false).added, 1, "back to what it said is a version, too");
    let now = owner.prompt("team/greet", "label=fresh").expect(200).json;
    assert_eq!(
        (&now["text"], &now["version"]["number"], &now["version"]["message"]),
        (&json!("Hello"), &json!(3), &json!("by hand"))
    );
    let report = dir(&world, folder.path(), false);
    assert_eq!((report.added, report.skipped), (0, 3), "{report}");
}
