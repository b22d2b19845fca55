//! What a commit means for the paths that are imported, in an order in which every step is valid.
//!
//! Renames first, then deletes, then the rest, each by path. A rename waits for the one that frees its target; renames
//! that wait for each other (a swap) become deletes and creates.

use std::collections::BTreeSet;

use super::log::{Change, Kind, Side};

/// A commit's steps, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Live paths that move to free ones.
    pub renames: Vec<Rename>,
    /// Paths that are gone.
    pub deletes: Vec<String>,
    /// Paths with a new content.
    pub puts: Vec<Put>,
    /// What is no file.
    pub skipped: Vec<Skipped>,
    /// Paths that no key can be made of, shown as well as it can be.
    pub unreadable: Vec<String>,
}

/// A path that moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// From where.
    pub from: String,
    /// To where.
    pub to: String,
    /// Its content afterwards.
    pub blob: String,
}

/// A path with a new content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Which.
    pub path: String,
    /// Its content.
    pub blob: String,
}

/// A path that is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Which.
    pub path: String,
    /// Why.
    pub why: &'static str,
}

impl Plan {
    /// The plan for changes, given the paths that are live before them.
    pub fn of(changes: &[Change], in_scope: impl Fn(&[u8]) -> bool, live: &BTreeSet<String>) -> Self {
        let mut plan = Self::default();
        let (mut renames, mut moving) = (Vec::new(), BTreeSet::new());
        let left: BTreeSet<&[u8]> = changes.iter().filter(|c| c.moved()).map(|c| &*c.before.path).collect();
        for change in changes {
            let before = path_of(&change.before, &in_scope).and_then(Result::ok);
            let after = plan.after(&change.after, &in_scope);
            let same = change.before.blob == change.after.blob && !left.contains(&*change.after.path);
            match (before, after) {
                (Some(from), Some(to)) if change.moved() && live.contains(&from) && moving.insert(from.clone()) => {
                    renames.push(Rename { from, to, blob: change.after.blob.clone() });
                }
                // Only its mode changed.
                (Some(_), Some(_)) if same && !change.moved() => {}
                (_, Some(path)) => plan.puts.push(Put { path, blob: change.after.blob.clone() }),
                (Some(path), None) => plan.deletes.push(path),
                (None, None) => {}
            }
        }
        plan.order(renames, live);
        plan
    }

    /// The path of a file in scope. What is in scope but no file is noted.
    fn after(&mut self, side: &Side, in_scope: &impl Fn(&[u8]) -> bool) -> Option<String> {
        match path_of(side, in_scope) {
            Some(Ok(path)) => Some(path),
            Some(Err(path)) => {
                self.unreadable.push(path);
                None
            }
            None => {
                let why = match side.kind {
                    Kind::Symlink => "a symbolic link is no prompt",
                    Kind::Submodule => "a submodule is no prompt",
                    Kind::File | Kind::Absent => return None,
                };
                if in_scope(&side.path) {
                    self.skipped.push(Skipped { path: String::from_utf8_lossy(&side.path).into_owned(), why });
                }
                None
            }
        }
    }

    fn order(&mut self, mut waiting: Vec<Rename>, live: &BTreeSet<String>) {
        waiting.sort_by(|a, b| a.to.cmp(&b.to));
        let mut freed = BTreeSet::new();
        while let Some(next) = waiting.iter().position(|r| freed.contains(&r.to) || !live.contains(&r.to)) {
            let rename = waiting.remove(next);
            freed.insert(rename.from.clone());
            self.renames.push(rename);
        }
        for Rename { from, to, blob } in waiting {
            self.deletes.push(from);
            self.puts.push(Put { path: to, blob });
        }
        self.deletes.sort();
        self.deletes.dedup();
        self.puts.sort_by(|a, b| a.path.cmp(&b.path));
    }
}

/// The path of a file in scope: `Err` if it is no UTF-8.
fn path_of(side: &Side, in_scope: &impl Fn(&[u8]) -> bool) -> Option<Result<String, String>> {
    if side.kind != Kind::File || !in_scope(&side.path) {
        return None;
    }
    let shown = |_| String::from_utf8_lossy(&side.path).into_owned();
    Some(String::from_utf8(side.path.clone()).map_err(shown))
}

#[cfg(test)]
mod tests;
