//! A tenant as a bare git repository, written by `git fast-import`: a commit for what one person did at one time with one
//! message, a file for each prompt, a branch for each label.
//!
//! | ref | tree |
//! |---|---|
//! | `main` | each live prompt with the head of its `main` |
//! | `label/<label>` | the prompts that carry the label, with the version that it points to |
//! | `branch/<branch>` | the prompts that have the branch, with its head |
//! | `refs/promptory/export` | where this run ended, for the next one |
//!
//! Nothing is visible before all of a run is there: fast-import moves the refs at its end.

mod path;
mod stream;
mod tree;

use std::path::{Path, PathBuf};

use promptory_events::Timestamp;
use serde::{Deserialize, Serialize};

use super::ExportError;
use super::args::GitArgs;
use super::report::Report;
use super::source::Source;
use crate::history::Commit;
use crate::import::Repository;
use stream::Stream;
use tree::{Change, Prompts};

pub use path::Suffix;

/// The ref with the state.
const STATE: &str = "refs/promptory/export";
/// The file in it.
const STATE_FILE: &str = "export.json";

/// Where a run ended, and what the next one has to agree with.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct State {
    tenant: String,
    incarnation: String,
    suffix: String,
    /// The index to go on from.
    next: u64,
}

/// What is done at one time by one person with one message.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Deed {
    /// Who made the change, a pseudonym.
    pub author: String,
    /// Who sent it, a pseudonym.
    pub actor: String,
    /// Why, if that was said.
    pub message: Option<String>,
    /// When it happened, in seconds since 1970.
    pub happened: i64,
    /// From when on it counts: never earlier than what happened to the prompt before.
    pub counts_from: i64,
    /// When it was recorded, if nothing else was claimed: the batch that it came with.
    pub batch: Option<String>,
}

/// A git commit that grows.
struct Pending {
    deed: Deed,
    first: u64,
    last: u64,
    title: String,
    changes: Vec<Change>,
}

pub(super) fn run(args: &GitArgs) -> Result<Report, ExportError> {
    let source = Source::open(&args.from)?;
    let repository = Repository::new(&args.dir);
    let wanted = State {
        tenant: source.head().tenant.clone(),
        incarnation: source.head().incarnation.clone(),
        suffix: args.suffix.to_string(),
        next: source.until().saturating_add(1),
    };
    let next = opened(&repository, &args.dir, &wanted)?;
    let mut prompts = Prompts::new(args.suffix.clone());
    let (mut report, until) = (Report { until: source.until(), ..Report::default() }, source.until());
    if next > until {
        return Ok(report);
    }
    // What is there already is followed without its texts: only where everything stands has to be known.
    let mut before = Source::open(&args.from)?.without_texts().up_to(next.checked_sub(1));
    while let Some(commit) = before.next_commit()? {
        report.already_there += 1;
        prompts.take(&commit);
    }
    let mut stream = Stream::start(&repository)?;
    write(source.starting_at(next), &mut stream, &mut prompts, &mut report)?;
    let state = serde_json::to_vec_pretty(&wanted).map_err(|error| ExportError::Answer(error.to_string()))?;
    stream.state(STATE, STATE_FILE, &state)?;
    stream.end()?;
    // Without it git reads every tree of the history to tell which commits are about a path.
    repository.ask(&["commit-graph", "write", "--reachable", "--changed-paths"])?;
    Ok(report)
}

fn write(
    mut source: Source,
    stream: &mut Stream,
    prompts: &mut Prompts,
    report: &mut Report,
) -> Result<(), ExportError> {
    let mut pending: Option<Pending> = None;
    while let Some(commit) = source.next_commit()? {
        report.add(&commit);
        for (mark, bytes) in tree::blobs(&commit) {
            stream.blob(mark, &bytes)?;
        }
        let (changes, counts_from) = prompts.take(&commit);
        if changes.is_empty() {
            continue;
        }
        let deed = deed(&commit, counts_from)?;
        match &mut pending {
            Some(pending) if pending.takes(&deed, &changes) => {
                pending.last = commit.last_index();
                pending.changes.extend(changes);
            }
            pending => {
                if let Some(whole) = pending.replace(Pending::new(deed, &commit, changes)) {
                    report.git_commits += stream.commit(&whole.deed, &whole.text(), whole.changes)?;
                }
            }
        }
    }
    if let Some(whole) = pending {
        report.git_commits += stream.commit(&whole.deed, &whole.text(), whole.changes)?;
    }
    Ok(())
}

impl Pending {
    fn new(deed: Deed, commit: &Commit, changes: Vec<Change>) -> Self {
        let first = commit.events.first();
        let title = first.map(|event| format!("{} {}", event.kind, event.key.as_deref().unwrap_or_default()));
        let (first, last) = (first.map_or(0, |event| event.index), commit.last_index());
        Self { deed, first, last, title: title.unwrap_or_default(), changes }
    }

    /// Whether more of the same deed goes into this commit. What was changed already stays seen: it does not.
    fn takes(&self, deed: &Deed, changes: &[Change]) -> bool {
        let seen = |change: &Change| self.changes.iter().any(|own| own.view == change.view && own.path == change.path);
        self.deed == *deed && !changes.iter().any(seen)
    }

    fn text(&self) -> String {
        let message = self.deed.message.as_ref().unwrap_or(&self.title);
        // git ends a message at a zero byte.
        let message = message.replace('\0', "\u{fffd}");
        format!("{}\n\nPromptory-Index: {}-{}\n", message.trim_end(), self.first, self.last)
    }
}

/// Who did it, when and why.
fn deed(commit: &Commit, counts_from: Option<Timestamp>) -> Result<Deed, ExportError> {
    let said = commit.occurred_at.as_ref().unwrap_or(&commit.recorded_at);
    let happened: Timestamp = said.parse().map_err(|_| ExportError::Answer(format!("{said:?} is no time")))?;
    Ok(Deed {
        author: commit.author.clone().unwrap_or_else(|| commit.actor.clone()),
        actor: commit.actor.clone(),
        message: commit.message.clone(),
        happened: seconds(happened),
        counts_from: seconds(counts_from.unwrap_or(happened)),
        batch: commit.occurred_at.is_none().then(|| commit.recorded_at.clone()),
    })
}

fn seconds(time: Timestamp) -> i64 {
    time.micros().div_euclid(1_000_000)
}

/// Makes a repository, or opens the one of an earlier run; gives the index to go on from.
fn opened(repository: &Repository, dir: &Path, wanted: &State) -> Result<u64, ExportError> {
    let failed = |error| ExportError::File { path: dir.to_owned(), error };
    std::fs::create_dir_all(dir).map_err(failed)?;
    if std::fs::read_dir(dir).map_err(failed)?.next().is_none() {
        repository.ask(&["init", "--quiet", "--bare", "--initial-branch=main", "."])?;
        return Ok(0);
    }
    let there = |why: &str| ExportError::There(PathBuf::from(dir), why.to_owned());
    // Not a folder inside some other repository.
    if repository.git_folder()?.canonicalize().map_err(failed)? != dir.canonicalize().map_err(failed)? {
        return Err(there("is not empty and is no bare git repository"));
    }
    let state = match repository.ask(&["cat-file", "blob", &format!("{STATE}:{STATE_FILE}")]) {
        Ok(state) => state,
        // Made by a run that did not come to its end: there is nothing in it.
        Err(_) if repository.ask(&["for-each-ref", "--count=1"])?.is_empty() => return Ok(0),
        Err(_) => return Err(there("is a repository that no export has made")),
    };
    let state: State = serde_json::from_str(&state).map_err(|_| there("has a state that can't be read"))?;
    if (&state.tenant, &state.incarnation) != (&wanted.tenant, &wanted.incarnation) {
        return Err(there(&format!("holds the history of {} {}", state.tenant, state.incarnation)));
    }
    if state.suffix != wanted.suffix {
        return Err(there(&format!("was written with the suffix {:?}", state.suffix)));
    }
    Ok(state.next)
}
