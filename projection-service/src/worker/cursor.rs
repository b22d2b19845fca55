//! Where a worker stood, in a small file: only so that a restart does not read the whole partition again.
//!
//! It may be old, torn or gone. What a tenant has is in its own checkpoint, never here.

use std::io;
use std::path::{Path, PathBuf};

use promptory_events::{Cursor, Incarnation, TenantId};
use serde::{Deserialize, Serialize};

use super::Scope;

/// What is saved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    /// The last batch that was given to its tenant.
    pub at: Option<Cursor>,
    /// Tenants that had stopped by then.
    pub stopped: Vec<TenantId>,
}

// A dot: no tenant's folder has this name. A worker of one tenant has skipped the others, so its cursor is another.
fn path(dir: &Path, view: &str, scope: &Scope) -> PathBuf {
    match &scope.only {
        None => dir.join(format!("partition-{}-{view}.json", scope.partition)),
        Some(tenant) => dir.join(format!("partition-{}-{view}-{tenant}.json", scope.partition)),
    }
}

/// What was saved; nothing if it can't be read or is of another life of the ledger.
pub(super) fn load(dir: &Path, view: &str, scope: &Scope, incarnation: Incarnation) -> Saved {
    let read = std::fs::read(path(dir, view, scope)).ok();
    let saved: Option<Saved> = read.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    saved.filter(|saved| saved.at.is_some_and(|at| at.incarnation == incarnation)).unwrap_or_default()
}

/// Saves, whole or not at all. Not synced: an older one will do.
pub(super) fn save(dir: &Path, view: &str, scope: &Scope, saved: &Saved) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let (path, bytes) = (path(dir, view, scope), serde_json::to_vec(saved)?);
    let beside = path.with_extension("json.new");
    std::fs::write(&beside, bytes)?;
    std::fs::rename(beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_a_torn_or_foreign_one_counts_for_nothing() {
        let (dir, incarnation) = (tempfile::tempdir().unwrap(), Incarnation([1; 8]));
        let scope = &Scope::whole(3);
        assert_eq!(load(dir.path(), "catalog", scope, incarnation), Saved::default());
        let saved = Saved { at: Some(Cursor { incarnation, sequence: 7 }), stopped: vec!["acme".parse().unwrap()] };
        save(dir.path(), "catalog", scope, &saved).unwrap();
        assert_eq!(load(dir.path(), "catalog", scope, incarnation), saved);
        assert_eq!(load(dir.path(), "catalog", scope, Incarnation([2; 8])), Saved::default());
        let one = Scope { only: Some("acme".parse().unwrap()), ..scope.clone() };
        assert_eq!(load(dir.path(), "catalog", &one, incarnation), Saved::default(), "it stands elsewhere");
        assert_eq!(load(dir.path(), "audit", scope, incarnation), Saved::default(), "so does another view");
        std::fs::write(path(dir.path(), "catalog", scope), b"{\"at\":").unwrap();
        assert_eq!(load(dir.path(), "catalog", scope, incarnation), Saved::default());
    }
}
