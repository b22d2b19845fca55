//! The files of a disk in memory, and how to undo what was not synced: for each change since, what was there before.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::{OsStr, OsString};

use fuser::Errno;

pub(super) const ROOT: u64 = 1;
const PAGE: usize = 4096;

pub(super) type Names = BTreeMap<OsString, u64>;

/// A whole disk. What no name leads to any more is kept until power is lost: it may still be open, or come back then.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: HashMap<u64, Node>,
    next: u64,
    /// Changed names since the last sync of anything: folder, name, what it meant before.
    renamed: Vec<(u64, OsString, Option<u64>)>,
}

#[derive(Debug)]
pub(super) enum Node {
    Folder(Names),
    File(File),
}

#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) bytes: Vec<u8>,
    synced_len: usize,
    /// Pages that were changed since the file was synced, as they were.
    before: BTreeMap<usize, Vec<u8>>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: HashMap::from([(ROOT, Node::Folder(Names::new()))]), next: ROOT + 1, renamed: Vec::new() }
    }
}

impl Tree {
    pub(super) fn node(&self, id: u64) -> Result<&Node, Errno> {
        self.nodes.get(&id).ok_or(Errno::ENOENT)
    }

    pub(super) fn names(&self, folder: u64) -> Result<&Names, Errno> {
        match self.node(folder)? {
            Node::Folder(names) => Ok(names),
            Node::File(_) => Err(Errno::ENOTDIR),
        }
    }

    pub(super) fn file(&mut self, id: u64) -> Result<&mut File, Errno> {
        match self.nodes.get_mut(&id) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Folder(_)) => Err(Errno::EISDIR),
            None => Err(Errno::ENOENT),
        }
    }

    pub(super) fn find(&self, folder: u64, name: &OsStr) -> Result<u64, Errno> {
        self.names(folder)?.get(name).copied().ok_or(Errno::ENOENT)
    }

    pub(super) fn add(&mut self, folder: u64, name: &OsStr, node: Node) -> Result<u64, Errno> {
        if self.find(folder, name).is_ok() {
            return Err(Errno::EEXIST);
        }
        let id = self.next;
        self.point(folder, name, Some(id))?;
        self.next += 1;
        self.nodes.insert(id, node);
        Ok(id)
    }

    pub(super) fn remove(&mut self, folder: u64, name: &OsStr) -> Result<(), Errno> {
        let id = self.find(folder, name)?;
        if self.names(id).is_ok_and(|names| !names.is_empty()) {
            return Err(Errno::ENOTEMPTY);
        }
        self.point(folder, name, None)
    }

    pub(super) fn rename(&mut self, from: (u64, &OsStr), to: (u64, &OsStr)) -> Result<(), Errno> {
        let id = self.find(from.0, from.1)?;
        if let Ok(replaced) = self.find(to.0, to.1)
            && self.names(replaced).is_ok_and(|names| !names.is_empty())
        {
            return Err(Errno::ENOTEMPTY);
        }
        self.point(from.0, from.1, None)?;
        self.point(to.0, to.1, Some(id))
    }

    /// What a name means from now on.
    fn point(&mut self, folder: u64, name: &OsStr, id: Option<u64>) -> Result<(), Errno> {
        let before = self.set(folder, name, id)?;
        self.renamed.push((folder, name.to_owned(), before));
        Ok(())
    }

    fn set(&mut self, folder: u64, name: &OsStr, id: Option<u64>) -> Result<Option<u64>, Errno> {
        match self.nodes.get_mut(&folder) {
            Some(Node::Folder(names)) => Ok(match id {
                Some(id) => names.insert(name.to_owned(), id),
                None => names.remove(name),
            }),
            Some(Node::File(_)) => Err(Errno::ENOTDIR),
            None => Err(Errno::ENOENT),
        }
    }

    /// Makes a file's bytes durable, and every name.
    pub(super) fn sync(&mut self, id: u64) {
        self.renamed.clear();
        if let Some(Node::File(file)) = self.nodes.get_mut(&id) {
            file.sync();
        }
    }

    /// Makes everything durable.
    pub(super) fn sync_all(&mut self) {
        self.renamed.clear();
        for node in self.nodes.values_mut() {
            if let Node::File(file) = node {
                file.sync();
            }
        }
    }

    pub(super) fn unsynced_bytes(&self) -> usize {
        let files = self.nodes.values().filter_map(|node| match node {
            Node::File(file) => Some(file),
            Node::Folder(_) => None,
        });
        files.map(|file| file.before.len() * PAGE + file.bytes.len().saturating_sub(file.synced_len)).sum()
    }

    /// Everything as it was when it was last synced.
    pub(super) fn lose_power(&mut self) {
        while let Some((folder, name, before)) = self.renamed.pop() {
            let _ = self.set(folder, &name, before); // a folder that is gone had its names before it went
        }
        for node in self.nodes.values_mut() {
            if let Node::File(file) = node {
                file.lose_power();
            }
        }
        self.forget_unnamed();
    }

    /// Removes what no name leads to.
    fn forget_unnamed(&mut self) {
        let (mut named, mut left) = (HashSet::new(), vec![ROOT]);
        while let Some(id) = left.pop() {
            named.insert(id);
            left.extend(self.names(id).into_iter().flatten().map(|(_, id)| *id));
        }
        self.nodes.retain(|id, _| named.contains(id));
    }
}

impl File {
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        self.remember(offset, end);
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[offset..end].copy_from_slice(bytes);
    }

    pub(super) fn resize(&mut self, len: usize) {
        self.remember(len, self.bytes.len());
        self.bytes.resize(len, 0);
    }

    /// Keeps the synced pages of a range that is about to change, unless they were kept before.
    fn remember(&mut self, from: usize, to: usize) {
        let to = to.min(self.synced_len);
        if from >= to {
            return;
        }
        for page in from / PAGE..=(to - 1) / PAGE {
            let range = page * PAGE..((page + 1) * PAGE).min(self.bytes.len());
            if !range.is_empty() {
                self.before.entry(page).or_insert_with(|| self.bytes[range].to_vec());
            }
        }
    }

    fn sync(&mut self) {
        self.before.clear();
        self.synced_len = self.bytes.len();
    }

    fn lose_power(&mut self) {
        self.bytes.resize(self.synced_len, 0);
        for (page, before) in std::mem::take(&mut self.before) {
            let from = page * PAGE;
            let len = before.len().min(self.synced_len.saturating_sub(from));
            self.bytes[from..from + len].copy_from_slice(&before[..len]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> &OsStr {
        OsStr::new(text)
    }

    fn file(tree: &mut Tree, text: &str) -> u64 {
        tree.add(ROOT, name(text), Node::File(File::default())).unwrap()
    }

    #[test]
    fn only_synced_bytes_survive() {
        let mut tree = Tree::default();
        let id = file(&mut tree, "a");
        tree.file(id).unwrap().write(0, &[1; 10_000]);
        tree.sync(id);
        tree.file(id).unwrap().write(4000, &[2; 200]);
        tree.file(id).unwrap().resize(5000);
        tree.file(id).unwrap().write(9_000, &[3; 9_000]);
        assert!(tree.unsynced_bytes() >= 8_000);
        tree.lose_power();
        assert_eq!(tree.file(id).unwrap().bytes, [1; 10_000]);
        assert_eq!(tree.unsynced_bytes(), 0);
    }

    #[test]
    fn a_new_file_is_empty_or_gone() {
        let mut tree = Tree::default();
        let (synced, empty) = (file(&mut tree, "synced"), file(&mut tree, "empty"));
        tree.file(empty).unwrap().write(0, b"lost");
        tree.file(synced).unwrap().write(0, b"kept");
        tree.sync(synced);
        file(&mut tree, "gone");
        tree.lose_power();
        assert_eq!(tree.file(synced).unwrap().bytes, b"kept");
        assert_eq!(tree.file(empty).unwrap().bytes, b"");
        assert_eq!(tree.names(ROOT).unwrap().len(), 2);
    }

    #[test]
    fn names_go_back_in_order() {
        let mut tree = Tree::default();
        let old = file(&mut tree, "state");
        tree.file(old).unwrap().write(0, b"old");
        tree.sync(old);
        let new = file(&mut tree, "tmp");
        tree.file(new).unwrap().write(0, b"new");
        tree.rename((ROOT, name("tmp")), (ROOT, name("state"))).unwrap();
        tree.remove(ROOT, name("state")).unwrap();
        tree.lose_power();
        assert_eq!(tree.find(ROOT, name("state")).unwrap(), old);
        assert_eq!(tree.file(old).unwrap().bytes, b"old");
        assert!(tree.find(ROOT, name("tmp")).is_err());
    }
}
