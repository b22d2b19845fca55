//! Runs git, the same way whatever the caller's environment and configuration say.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::GitError;

/// A repository on disk.
#[derive(Clone, Debug)]
pub struct Repository {
    folder: PathBuf,
}

/// Variables that would point git at another repository (git sets them for its hooks).
const ELSEWHERE: [&str; 7] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
];

impl Repository {
    /// The repository that holds a folder.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The full id of the commit that a revision names.
    ///
    /// # Errors
    /// No repository, or no such commit.
    pub fn commit(&self, revision: &str) -> Result<String, GitError> {
        let commit = format!("{revision}^{{commit}}");
        self.ask(&["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]).map_err(|error| match error {
            GitError::Refused(why) if why.is_empty() => GitError::Refused(format!("there is no commit {revision:?}")),
            error => error,
        })
    }

    /// The repository's git folder.
    ///
    /// # Errors
    /// No repository.
    pub fn git_folder(&self) -> Result<PathBuf, GitError> {
        self.ask(&["rev-parse", "--absolute-git-dir"]).map(PathBuf::from)
    }

    /// How many commits the first-parent history of `head` has.
    ///
    /// # Errors
    /// git refuses.
    pub fn count(&self, head: &str) -> Result<u64, GitError> {
        let count = self.ask(&["rev-list", "--count", "--first-parent", head])?;
        count.parse().map_err(|_| GitError::Refused(format!("{count:?} is no number of commits")))
    }

    /// Starts git; what it says of itself goes to this process's standard error.
    ///
    /// # Errors
    /// It can't be run.
    pub fn start(&self, args: &[&str], stdin: Stdio) -> Result<Child, GitError> {
        self.git(args).stdin(stdin).stdout(Stdio::piped()).spawn().map_err(GitError::Run)
    }

    /// What git says, without the last line end.
    ///
    /// # Errors
    /// It can't be run, or refuses.
    pub fn ask(&self, args: &[&str]) -> Result<String, GitError> {
        let output = self.git(args).stdin(Stdio::null()).output().map_err(GitError::Run)?;
        if !output.status.success() {
            return Err(GitError::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        let text = String::from_utf8(output.stdout).map_err(|e| GitError::Run(io::Error::other(e)))?;
        Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
    }

    fn git(&self, args: &[&str]) -> Command {
        let mut git = Command::new("git");
        git.arg("-C").arg(&self.folder).args(["--no-pager", "--literal-pathspecs", "--no-optional-locks"]).args(args);
        for name in ELSEWHERE {
            git.env_remove(name);
        }
        git.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("GIT_NO_REPLACE_OBJECTS", "1");
        git
    }
}
