//! Repositories that tests make with git itself, and the comparison with what git shows.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use globset::GlobSet;
use promptory_events::limits;

use super::{History, Wanted};
use crate::import::edit::{Change, Edit, Found, Read};

/// A repository of a test, without anything from the user's configuration.
pub struct Repo {
    folder: tempfile::TempDir,
    /// The time of the next commit, seconds since 1970.
    pub clock: std::cell::Cell<i64>,
}

impl Repo {
    pub fn new() -> Self {
        let repo = Self { folder: tempfile::tempdir().unwrap(), clock: 1_700_000_000.into() };
        repo.git(&["init", "--quiet", "--initial-branch=main"]);
        repo
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn git(&self, args: &[&str]) -> Vec<u8> {
        let date = format!("{} +0100", self.clock.get());
        let mut git = Command::new("git");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GIT_")) {
            git.env_remove(name);
        }
        git.arg("-C").arg(self.path()).args(args).stdin(Stdio::null());
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "Ada@Example.org");
            git.env(format!("GIT_{who}_DATE"), &date);
        }
        let output = git.output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    pub fn text(&self, args: &[&str]) -> String {
        String::from_utf8(self.git(args)).unwrap().trim_end().to_owned()
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let file = self.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }

    pub fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--allow-empty-message", "-m", message]);
        self.clock.set(self.clock.get() + 60);
    }

    pub fn history(&self, globs: &[&str]) -> History {
        let globs: Vec<String> = globs.iter().map(ToString::to_string).collect();
        let wanted = Wanted { folder: self.path(), revision: "HEAD", globs: &globs, salt_file: None };
        History::open(&wanted).unwrap().0
    }

    /// What a commit holds of files in scope, by path, if it is text.
    fn tree(&self, commit: &str, globs: &GlobSet) -> BTreeMap<String, String> {
        let list = String::from_utf8(self.git(&["ls-tree", "-r", "-z", "--full-tree", commit])).unwrap();
        let entries = list.split_terminator('\0').map(|entry| entry.split_once('\t').unwrap());
        let files = entries.filter(|(meta, path)| meta.starts_with("100") && globs.is_match(path));
        files
            .filter_map(|(_, path)| {
                let content = self.git(&["show", &format!("{commit}:{path}")]);
                Some((path.to_owned(), String::from_utf8(content).ok()?))
            })
            .collect()
    }

    /// The edits, line by line; after each commit they have led to what `git show` shows of it.
    pub fn checked(&self, globs: &[&str]) -> Vec<String> {
        let set = super::globs(&globs.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        let reads: Vec<Read> = self.history(globs).collect();
        assert!(reads.iter().map(|read| read.place.line).eq(1..=reads.len() as u64));
        let commits = self.text(&["rev-list", "--first-parent", "--reverse", "HEAD"]);
        let (mut tree, mut shown, mut reads) = (BTreeMap::new(), Vec::new(), reads.into_iter().peekable());
        for (seq, commit) in (0..).zip(commits.lines()) {
            while let Some(read) = reads.next_if(|read| read.progress == seq + 1) {
                match read.found {
                    Found::Edit(edit) => {
                        assert_eq!((&*edit.origin.commit, edit.origin.seq), (commit, seq));
                        shown.push(line_of(&edit));
                        apply(&mut tree, *edit);
                    }
                    Found::Bad(why) => shown.push(format!("bad {}", without_commit(&why, commit))),
                    Found::Command(command) => panic!("{command:?}"),
                    Found::Skipped(why) => shown.push(format!("skipped {}", without_commit(&why, commit))),
                }
            }
            let taken: BTreeMap<_, _> = self
                .tree(commit, &set)
                .into_iter()
                .filter(|(_, text)| text.len() <= limits::CONTENT_MAX_BYTES)
                .collect();
            for (path, text) in taken {
                assert_eq!(tree.get(&path), Some(&text), "{path} in {commit}");
            }
        }
        assert!(reads.next().is_none());
        assert_eq!(tree, self.tree("HEAD", &set), "at the end");
        shown
    }
}

fn line_of(edit: &Edit) -> String {
    match &edit.change {
        Change::Rename { from, .. } => format!("rename {from} > {}", edit.path),
        change => format!("{} {}", change.name(), edit.path),
    }
}

fn without_commit(why: &str, commit: &str) -> String {
    why.replace(&format!(" in {}", &commit[..12]), "")
}

/// Every step is valid: created and renamed onto where nothing is, the rest where something is.
fn apply(tree: &mut BTreeMap<String, String>, edit: Edit) {
    let line = line_of(&edit);
    match edit.change {
        Change::Create { text } => assert!(tree.insert(edit.path, text).is_none(), "{line}"),
        Change::Edit { text } => assert!(tree.insert(edit.path, text).is_some(), "{line}"),
        Change::Delete => assert!(tree.remove(&edit.path).is_some(), "{line}"),
        Change::Rename { from, text } => {
            let before = tree.remove(&from).unwrap_or_else(|| panic!("{line}"));
            assert!(tree.insert(edit.path, text.unwrap_or(before)).is_none(), "{line}");
        }
    }
}

/// A text that git takes for the same after a small change.
pub fn long(name: &str) -> String {
    (0..30).map(|n| format!("line {n} of {name}\n")).collect()
}
