//! The import against a whole node, over HTTP.

use std::path::Path;
use std::process::Command;

use clap::Parser;
use promptory_events::TenantId;
use serde_json::Value;

use super::*;
use crate::import::testing::{Act, Fake, edits, key, slice};
use crate::keys;
use crate::node::{Config, Node};

#[derive(Parser, Debug)]
struct Cli {
    #[command(flatten)]
    import: ImportArgs,
}

fn parsed(line: &str) -> Result<ImportArgs, clap::Error> {
    Cli::try_parse_from(line.split(' ')).map(|cli| cli.import)
}

#[test]
fn the_command_line_takes_what_the_docs_say() {
    let mut args = parsed(
        "import jsonl a.jsonl b.jsonl.gz --url http://localhost:1 --key-file k --prefix p/ --ack-log l --batch 7 --patience 3",
    )
    .unwrap();
    let to = args.target().clone();
    assert_eq!((to.server.url.as_str(), to.prefix.as_str(), to.batch, to.patience), ("http://localhost:1", "p/", 7, 3));
    assert!(matches!(args.source, Source::Jsonl(JsonlArgs { files, .. }) if files.len() == 2));
    let git = parsed("import git . --glob **/*.md *.txt --rev main --author-salt-file s --key-file k").unwrap();
    assert!(matches!(git.source, Source::Git(GitArgs { glob, rev, .. }) if glob.len() == 2 && rev == "main"));
    for good in [
        "import ndjson a --dry-run",
        "import ndjson - --key-file k --claim-recorded",
        "import langfuse a.json --key-file k",
        "import mlflow --from http://a:1 --from-key-file f --key-file k",
        "import promptlayer-json a.json --dry-run",
        "import csv a.csv --dry-run",
        "import dir prompts --glob **/*.md --strip-suffix .md --label a --label b --key-file k",
    ] {
        assert!(parsed(good).is_ok(), "{good}");
    }
    for bad in [
        "import langfuse --key-file k",
        "import langfuse a.json --from http://a:1 --key-file k",
        "import mlflow a.json --from-key-file f --key-file k",
        "import csv a.csv",
        "import jsonl --key-file k",
        "import jsonl a --key-file k --batch 0",
        "import jsonl a --key-file k --batch 1000",
        "import git . --key-file k",
        "import svn . --key-file k",
    ] {
        assert!(parsed(bad).is_err(), "{bad}");
    }
}

#[test]
fn no_message_shows_a_key() {
    let secret = key().reveal();
    let args = parsed(&format!("import jsonl a --key {secret}")).unwrap();
    assert!(!format!("{args:?}").contains(&secret[25..]));
    let broken = parsed(&format!("import jsonl {} --key x{secret}", slice().display())).unwrap();
    let error = run(broken).unwrap_err().to_string();
    assert!(error.contains("holds no API key") && !error.contains(&secret[25..]), "{error}");
}

#[test]
fn what_can_not_be_used_is_told_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key");
    std::fs::write(&key_file, "nothing").unwrap();
    let with = |file: &Path, url: &str| run(ImportArgs::jsonl(vec![file.to_owned()], url, &key_file));
    assert!(matches!(with(Path::new("/nowhere"), "http://localhost:1"), Err(ImportError::File { .. })));
    assert!(matches!(with(&slice(), "http://localhost:1"), Err(ImportError::Key(KeyError::None(_)))));
    std::fs::write(&key_file, key().reveal() + "\n").unwrap();
    assert!(matches!(with(&slice(), "nowhere"), Err(ImportError::Client(_))));
    let mut args = ImportArgs::jsonl(vec![slice()], "http://localhost:1", &key_file);
    args.target().ack_log = Some(folder.path().join("no/such/folder"));
    assert!(matches!(run(args), Err(ImportError::File { .. })));
}

#[test]
fn an_import_that_stopped_says_what_was_done_and_goes_on_when_it_is_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key");
    std::fs::write(&key_file, key().reveal()).unwrap();
    let fake = Fake::acting([Act::Do, Act::LoseAnswer, Act::DoSome(37), Act::Say(401)]);
    let mut args = ImportArgs::jsonl(vec![slice()], &fake.serve(), &key_file);
    args.target().batch = 100;
    args.target().ack_log = Some(folder.path().join("acks"));
    let Err(ImportError::Stopped { report, .. }) = run(args.clone()) else { panic!() };
    // The second hundred was done, its answer was lost, and then only a part of it was told again.
    assert_eq!((report.added, report.already_there, report.failed), (100, 37, 0));
    let report = run(args).unwrap();
    assert_eq!((report.lines, report.added, report.already_there, report.failed), (1193, 993, 200, 0));
    let sent: Vec<Value> = fake.done();
    let mut mapper = Mapper::new("");
    let expected = edits(&slice()).into_iter().map(|edit| serde_json::to_value(mapper.map(edit).unwrap()).unwrap());
    assert!(expected.eq(sent), "in order, each once");
    let acks = std::fs::read_to_string(folder.path().join("acks")).unwrap();
    assert_eq!(acks.lines().count(), 137 + 1193);
}

/// A node with one tenant.
struct World {
    node: Node,
    folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node = Node::start(Config::new(folder.path().join("data"))).await.unwrap();
        node.tenant(&"acme".parse().unwrap()).await.unwrap();
        Self { node, folder }
    }

    fn key_file(&self) -> PathBuf {
        let tenant: TenantId = "acme".parse().unwrap();
        keys::owner_file(&self.folder.path().join("data"), &tenant)
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    async fn jsonl(&self, file: PathBuf, set: impl FnOnce(&mut Target)) -> Report {
        let mut args = ImportArgs::jsonl(vec![file], &self.node.url(), &self.key_file());
        set(args.target());
        self.run(args).await.unwrap()
    }

    async fn run(&self, args: ImportArgs) -> Result<Report, ImportError> {
        tokio::task::spawn_blocking(move || run(args)).await.unwrap()
    }

    /// An answer of the read API, as of what has been acknowledged.
    async fn get(&self, path: &str) -> (u16, Value) {
        let (url, key_file) = (format!("{}/v1/{path}", self.node.url()), self.key_file());
        let get = move || {
            let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
            let key = keys::read(&key_file).unwrap().reveal();
            let request = config.new_agent().get(&url).header("Authorization", format!("Bearer {key}"));
            let mut response = request.call().unwrap();
            let status = response.status().as_u16();
            (status, serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap())
        };
        tokio::task::spawn_blocking(get).await.unwrap()
    }

    async fn text(&self, key: &str, query: &str) -> Option<String> {
        let at = self.node.ledger().head(&"acme".parse().unwrap()).await.unwrap().unwrap().position;
        let key = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC);
        let path = format!("prompts/{key}?at_least={at}&{query}");
        let since = std::time::Instant::now();
        let (status, answer) = loop {
            match self.get(&path).await {
                (503 | 504, _) if since.elapsed().as_secs() < 60 => {} // it is not that far yet
                answer => break answer,
            }
        };
        (status == 200).then(|| answer["text"].as_str().unwrap().to_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_history_goes_in_once_however_often_it_is_imported() {
    let world = World::new().await;
    let acks = world.folder.path().join("acks");
    let first = world.jsonl(slice(), |to| to.ack_log = Some(acks.clone())).await;
    assert_eq!((first.lines, first.added, first.failed), (1193, 1193, 0), "{first}");
    assert_eq!(std::fs::read_to_string(&acks).unwrap().lines().count(), 1193);
    let again = world.jsonl(slice(), |to| to.batch = 999).await;
    assert_eq!((again.lines, again.already_there, again.failed), (1193, 1193, 0), "{again}");
    let elsewhere = world.jsonl(slice(), |to| to.prefix = "copy/".into()).await;
    assert_eq!((elsewhere.added, elsewhere.failed), (1193, 0), "{elsewhere}");
    let name = "prompts.csv#Linux Terminal";
    let text = world.text(name, "as_of=2024-05-01T00:00:00Z").await.unwrap();
    assert!(text.starts_with("I want you to act as a linux terminal."));
    assert_eq!(world.text(&format!("copy/{name}"), "as_of=2024-05-01T00:00:00Z").await, Some(text));
    world.node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_lines_fail_alone_and_are_told_with_their_place() {
    let world = World::new().await;
    let line = |path: &str, op: &str, seq: u32, time: &str| {
        let content = if op == "delete" { Value::Null } else { path.into() };
        let line = serde_json::json!({
            "repo": "r", "commit": "c", "seq": seq, "path": path, "op": op, "time": time, "content": content });
        line.to_string() + "\n"
    };
    let (then, never) = ("2024-05-03T14:00:00Z", "9000-01-01T00:00:00Z");
    let content = [
        line("a", "create", 1, then),
        "nonsense\n".into(),
        line("missing", "edit", 2, then),
        line("b", "create", 3, never),
        line("c", "create", 4, then),
        line("a", "delete", 5, then),
    ];
    let file = world.file("some.jsonl", &content.concat());
    let report = world.jsonl(file.clone(), |_| ()).await;
    assert_eq!((report.lines, report.added, report.failed), (6, 3, 3), "{report}");
    let mut failures = report.failures.clone();
    failures.sort();
    for (failure, (line, why)) in
        failures.iter().zip([(2, "no JSON"), (3, "prompt-not-found: "), (4, "occurred-in-future: ")])
    {
        assert!(failure.starts_with(&format!("{}:{line}: {why}", file.display())), "{failure}");
    }
    assert_eq!(world.text("c", "").await.as_deref(), Some("c"));
    world.node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_goes_in_as_git_has_it_and_more_commits_follow() {
    let world = World::new().await;
    let repo = world.folder.path().join("repo");
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GIT_")) {
            git.env_remove(name);
        }
        let who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgSign=false"];
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").arg("-C").arg(&repo).args(who).args(args);
        assert!(git.output().unwrap().status.success(), "git {args:?}");
    };
    std::fs::create_dir(&repo).unwrap();
    git(&["init", "--quiet"]);
    std::fs::write(repo.join("a.md"), "one\r\n\0two\u{feff}").unwrap();
    std::fs::write(repo.join("two\nlines.md"), "text").unwrap();
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "-m", "first"]);
    let args = ImportArgs::git(&repo, &["**/*.md"], &world.node.url(), &world.key_file());
    let first = world.run(args.clone()).await.unwrap();
    assert_eq!((first.lines, first.added), (2, 2), "{first}");
    git(&["mv", "a.md", "b.md"]);
    git(&["commit", "--quiet", "-m", "second"]);
    std::fs::write(repo.join("b.md"), b"\xff").unwrap();
    std::os::unix::fs::symlink("b.md", repo.join("link.md")).unwrap();
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "-m", "third"]);
    let second = world.run(args).await.unwrap();
    assert_eq!((second.added, second.already_there, second.failed, second.skipped), (1, 2, 1, 1), "{second}");
    assert_eq!(world.text("b.md", "").await.as_deref(), Some("one\r\n\0two\u{feff}"));
    assert_eq!(world.text("two%0Alines.md", "").await.as_deref(), Some("text"));
    assert_eq!(world.text("a.md", "").await, None);
    world.node.stop().await;
}
