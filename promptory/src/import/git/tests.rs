use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use promptory_events::{PromptKey, limits};

use super::testing::{Repo, long};
use super::{History, Wanted, author};
use crate::import::command::Mapper;
use crate::import::edit::{Edit, Found};

#[test]
fn a_history_of_every_kind_of_change_comes_out_as_git_shows_it() {
    let repo = Repo::new();
    repo.write("a.md", long("a"));
    repo.write("sub/b.md", long("b"));
    repo.write("other.txt", "not asked for");
    repo.commit("one");
    repo.write("a.md", long("a") + "more\n");
    repo.commit("");
    fs::rename(repo.path().join("a.md"), repo.path().join("c.md")).unwrap();
    repo.write("sub/b.md", long("b") + "more\n");
    repo.write("b.md", "new");
    repo.commit("a move, an edit and a new one");
    fs::remove_file(repo.path().join("sub/b.md")).unwrap();
    repo.commit("gone");
    repo.commit("nothing");
    repo.write("sub/b.md", "again");
    repo.commit("there again");
    assert_eq!(
        repo.checked(&["**/*.md"]),
        [
            "create a.md",
            "create sub/b.md",
            "edit a.md",
            "rename a.md > c.md",
            "create b.md",
            "edit sub/b.md",
            "delete sub/b.md",
            "create sub/b.md"
        ]
    );
}

#[test]
fn two_files_that_swap_their_names_stay_a_valid_sequence() {
    let repo = Repo::new();
    repo.write("a", long("a"));
    repo.write("b", long("b"));
    repo.commit("one");
    repo.write("a", long("b"));
    repo.write("b", long("a"));
    repo.commit("swapped");
    // A chain: each takes the next one's name.
    repo.write("c", long("a"));
    repo.write("b", long("b"));
    fs::remove_file(repo.path().join("a")).unwrap();
    repo.commit("chained");
    repo.checked(&["*"]);
}

#[test]
fn a_merge_counts_as_what_it_changed_on_its_first_parent() {
    let repo = Repo::new();
    repo.write("a.md", long("a"));
    repo.commit("one");
    repo.git(&["switch", "--quiet", "--create", "side"]);
    repo.write("side.md", long("side"));
    repo.commit("first on the side");
    repo.write("side.md", long("side") + "more\n");
    fs::rename(repo.path().join("a.md"), repo.path().join("z.md")).unwrap();
    repo.commit("second on the side");
    repo.git(&["switch", "--quiet", "main"]);
    repo.write("main.md", "main");
    repo.commit("on main");
    repo.git(&["merge", "--quiet", "--no-ff", "--no-edit", "side"]);
    let shown = repo.checked(&["*.md"]);
    assert_eq!(shown, ["create a.md", "create main.md", "rename a.md > z.md", "create side.md"]);
}

#[test]
fn content_is_taken_byte_for_byte() {
    let repo = Repo::new();
    for (name, content) in [
        ("crlf", "a\r\nb\r\n"),
        ("bom", "\u{feff}a"),
        ("nul", "a\0b"),
        ("empty", ""),
        ("unicode", "下棋 e\u{301}"),
        ("no line end", "a"),
    ] {
        repo.write(name, content);
    }
    repo.git(&["config", "core.autocrlf", "false"]);
    repo.commit("all");
    assert_eq!(repo.checked(&["**"]).len(), 6);
}

#[test]
fn paths_are_taken_as_they_are_and_lead_to_keys() {
    let repo = Repo::new();
    let paths =
        ["with space .md", "下/棋.md", "two\nlines.md", "\"quoted\"\t.md", "e\u{301}.md", "-dash", ":colon", "*"];
    for path in paths {
        repo.write(path, long(path));
    }
    repo.commit("all");
    fs::rename(repo.path().join("two\nlines.md"), repo.path().join("three\n\nlines.md")).unwrap();
    repo.commit("moved");
    let shown = repo.checked(&["**"]);
    assert_eq!(shown.len(), 9);
    assert_eq!(shown[8], "rename two\nlines.md > three\n\nlines.md");
    let mut mapper = Mapper::new("");
    for read in repo.history(&["**"]) {
        let Found::Edit(edit) = read.found else { panic!("{read:?}") };
        mapper.map(*edit).unwrap();
    }
}

#[test]
fn a_rename_over_the_border_of_the_globs_is_a_create_or_a_delete() {
    let repo = Repo::new();
    repo.write("in/a.md", long("a"));
    repo.write("out/b.md", long("b"));
    repo.commit("one");
    fs::rename(repo.path().join("in/a.md"), repo.path().join("out/a.md")).unwrap();
    fs::rename(repo.path().join("out/b.md"), repo.path().join("in/b.md")).unwrap();
    repo.commit("both ways");
    assert_eq!(repo.checked(&["in/*.md"]), ["create in/a.md", "delete in/a.md", "create in/b.md"]);
    assert_eq!(repo.checked(&["*.md"]), Vec::<String>::new(), "`*` stays within a folder");
    assert_eq!(repo.checked(&["in/*", "out/*"]).len(), 4);
}

#[test]
fn what_is_no_text_is_told_and_taken_up_when_it_first_is() {
    let repo = Repo::new();
    repo.write("late", b"\xff\xfe");
    repo.write("broken", long("broken"));
    repo.write("moved", long("moved"));
    repo.commit("one");
    repo.write("late", b"\xff");
    repo.write("broken", b"\xff");
    fs::remove_file(repo.path().join("moved")).unwrap();
    repo.write("moved2", [long("moved").as_bytes(), b"\xff"].concat());
    repo.commit("two");
    fs::rename(repo.path().join("late"), repo.path().join("later")).unwrap();
    repo.commit("three");
    repo.write("later", "text");
    repo.write("broken", "whole again");
    repo.write("moved2", "whole again");
    repo.commit("four");
    let expected = [
        "create broken",
        "bad \"late\": no UTF-8 from byte 1 on",
        "create moved",
        "rename moved > moved2",
        "bad \"moved2\": no UTF-8 from byte 391 on; it was renamed with the text it had",
        "bad \"broken\": no UTF-8 from byte 1 on",
        "bad \"late\": no UTF-8 from byte 1 on",
        "bad \"later\": no UTF-8 from byte 1 on",
        "edit broken",
        "create later",
        "edit moved2",
    ];
    let shown = repo.checked(&["*"]);
    let at = |wanted: &str| shown.iter().position(|line| line == wanted);
    assert_eq!(shown.len(), expected.len(), "{shown:#?}");
    for line in expected.iter().filter(|line| !line.contains("391")) {
        assert!(at(line).is_some(), "{line} in {shown:#?}");
    }
    assert!(shown.iter().any(|line| line.starts_with("bad \"moved2\": no UTF-8")));
}

#[test]
fn what_is_too_large_is_told() {
    let repo = Repo::new();
    repo.write("large", "x".repeat(limits::CONTENT_MAX_BYTES + 1));
    repo.write("just", "x".repeat(limits::CONTENT_MAX_BYTES));
    repo.commit("one");
    fs::remove_file(repo.path().join("large")).unwrap();
    repo.commit("two");
    let shown = repo.checked(&["*"]);
    assert_eq!(shown, ["create just", "bad \"large\": it has 524289 bytes; at most 524288 are allowed"]);
}

#[test]
fn links_and_submodules_are_skipped_and_told() {
    let repo = Repo::new();
    repo.write("a", long("a"));
    repo.write("b", long("b"));
    repo.commit("one");
    fs::remove_file(repo.path().join("a")).unwrap();
    std::os::unix::fs::symlink("b", repo.path().join("a")).unwrap();
    repo.git(&["add", "--all"]);
    let head = repo.text(&["rev-parse", "HEAD"]);
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},module")]);
    repo.git(&["commit", "--quiet", "-m", "no files"]);
    repo.git(&["rm", "--quiet", "--cached", "module"]);
    fs::remove_file(repo.path().join("a")).unwrap();
    repo.write("a", "a file again");
    repo.commit("files");
    assert_eq!(
        repo.checked(&["*"]),
        [
            "create a",
            "create b",
            "delete a",
            "skipped \"a\": a symbolic link is no prompt",
            "skipped \"module\": a submodule is no prompt",
            "create a"
        ]
    );
}

#[test]
fn a_change_of_the_mode_is_no_edit() {
    let repo = Repo::new();
    repo.write("a", "text");
    repo.commit("one");
    repo.git(&["update-index", "--chmod=+x", "a"]);
    repo.git(&["commit", "--quiet", "-m", "runs now"]);
    repo.write("a", "other");
    repo.git(&["commit", "--quiet", "--all", "-m", "other"]);
    assert_eq!(repo.checked(&["*"]), ["create a", "edit a"]);
}

#[test]
fn an_edit_says_who_when_and_why_even_when_the_clock_goes_back() {
    let repo = Repo::new();
    repo.write("a", "one");
    repo.commit("first\n\nwith a body\n");
    repo.clock.set(1_600_000_000);
    repo.write("a", "two");
    repo.commit("");
    let edits: Vec<Edit> = repo
        .history(&["*"])
        .map(|read| match read.found {
            Found::Edit(edit) => *edit,
            found => panic!("{found:?}"),
        })
        .collect();
    let times: Vec<String> = edits.iter().map(|edit| edit.time.to_string()).collect();
    assert_eq!(times, ["2023-11-14T22:13:20Z", "2020-09-13T12:26:40Z"]);
    assert_eq!(edits[0].message.as_deref(), Some("first\n\nwith a body"));
    assert_eq!(edits[1].message, None);
    let author = edits[0].author.as_ref().unwrap().to_string();
    assert_eq!((author.len(), author.contains("Ada")), (12, false));
    assert_eq!(edits[0].author, edits[1].author, "the salt was kept");
    assert!(repo.path().join(".git").join(author::SALT_FILE).is_file());
    assert!(repo.checked(&["*"]).len() == 2);
}

#[test]
fn idempotency_keys_are_stable_and_unique() {
    let repo = Repo::new();
    for round in 0..4 {
        for name in ["a", "b", "c"] {
            repo.write(name, format!("{name}{round}"));
        }
        repo.commit("same message");
        fs::remove_file(repo.path().join("c")).unwrap();
        repo.commit("same message");
    }
    let keys = || -> Vec<String> {
        let edits = repo.history(&["*"]).filter_map(|read| match read.found {
            Found::Edit(edit) => Some(edit.idempotency_key("")),
            _ => None,
        });
        edits.collect()
    };
    let first = keys();
    assert_eq!(first, keys());
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), first.len());
}

#[test]
fn what_is_not_there_is_told_before_anything_is_read() {
    let repo = Repo::new();
    let glob = ["*".to_owned()];
    let open = |folder: &Path, revision: &str, globs: &[String]| {
        History::open(&Wanted { folder, revision, globs, salt_file: None }).err().map(|error| error.to_string())
    };
    assert!(open(repo.path(), "HEAD", &glob).is_some(), "no commit yet");
    repo.write("a", "text");
    repo.commit("one");
    assert_eq!(open(repo.path(), "HEAD", &glob), None);
    assert!(open(repo.path(), "nowhere", &glob).unwrap().contains("nowhere"));
    assert!(open(repo.path(), "--all", &glob).is_some(), "an option is no revision");
    assert!(open(&repo.path().join("missing"), "HEAD", &glob).is_some());
    assert!(open(repo.path(), "HEAD", &["[".to_owned()]).is_some());
    let elsewhere = tempfile::tempdir().unwrap();
    assert!(open(elsewhere.path(), "HEAD", &glob).unwrap().contains("not a git repository"));
}

#[test]
fn another_folder_of_the_repository_gives_the_same_history() {
    let repo = Repo::new();
    repo.write("sub/a", "text");
    repo.commit("one");
    let globs = ["sub/*".to_owned()];
    let inside = repo.path().join("sub");
    let wanted = Wanted { folder: &inside, revision: "HEAD", globs: &globs, salt_file: None };
    let (history, commits) = History::open(&wanted).unwrap();
    assert_eq!((history.count(), commits), (1, 1));
    assert!("sub/a".parse::<PromptKey>().is_ok());
}

#[test]
fn a_history_that_is_not_read_to_its_end_leaves_no_git_behind() {
    let repo = Repo::new();
    for n in 0..50 {
        repo.write("a", n.to_string());
        repo.commit("one more");
    }
    let mut history = repo.history(&["*"]);
    assert!(history.next().is_some());
    drop(history); // waits for both processes
}
