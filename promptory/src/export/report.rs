//! What an export did.

use std::collections::BTreeMap;
use std::fmt;

use crate::history::Commit;

/// What an export did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Commits that an earlier run had written.
    pub already_there: u64,
    /// Commits of this run.
    pub commits: u64,
    /// Their events, by type.
    pub events: BTreeMap<String, u64>,
    /// Commits that were written into a git repository, one for each ref that changed.
    pub git_commits: u64,
    /// Versions, of a form that knows nothing else.
    pub versions: u64,
    /// Contents among them that were erased.
    pub erased: u64,
    /// The index up to and with which everything is there.
    pub until: u64,
}

impl Report {
    /// Counts a commit.
    pub(super) fn add(&mut self, commit: &Commit) {
        self.commits += 1;
        for event in &commit.events {
            *self.events.entry(event.kind.clone()).or_default() += 1;
            self.erased += u64::from(event.brought.as_ref().is_some_and(|brought| brought.erased));
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dry_run, already_there, commits, events, git_commits, versions, erased, until } = self;
        let begin = if *dry_run { "dry run: would export " } else { "" };
        if *versions > 0 {
            return write!(f, "{begin}{versions} versions, as of index {until}");
        }
        let count: u64 = events.values().sum();
        write!(f, "{begin}{commits} commits with {count} events, up to index {until}")?;
        if *already_there > 0 {
            write!(f, "; {already_there} commits were there already")?;
        }
        if *git_commits > 0 {
            write!(f, "; {git_commits} commits in git")?;
        }
        if *erased > 0 {
            write!(f, "; {erased} contents have been erased")?;
        }
        for (kind, times) in events {
            write!(f, "\n  {times} {kind}")?;
        }
        Ok(())
    }
}
