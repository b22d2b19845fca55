//! Who waits for sled without end is seen.
//!
//! A database that sled has repaired by itself, after its file was damaged, can wait for ever when it is flushed or dropped,
//! with a lock that every database of the process needs (seen with sled 0.34.7: no thread of its own is at work then, so
//! nothing will ever come). Nobody can end such a wait. So the folder is marked, to be discarded when it is next opened, and the
//! process ends: its supervisor starts it again, and the read model is built from the ledger. That is told; a process that has
//! stopped answering is not.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The longest that anything of sled's may take: it waits for the system to take writes, never for the disk to have them.
const LIMIT: Duration = Duration::from_secs(60);
/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);
/// The file that marks a folder.
const MARK: &str = "stuck";

/// What is under way, and since when.
#[derive(Debug, Default)]
struct Watch(Vec<(PathBuf, Instant)>);

impl Watch {
    fn overdue(&self, now: Instant) -> impl Iterator<Item = &Path> {
        let overdue = self.0.iter().filter(move |(_, since)| now.saturating_duration_since(*since) > LIMIT);
        overdue.map(|(path, _)| path.as_path())
    }
}

static WATCH: LazyLock<Mutex<Watch>> = LazyLock::new(|| {
    // Without a thread to look, waits are only not seen.
    drop(thread::Builder::new().name("sled-watch".to_owned()).spawn(look));
    Mutex::default()
});

fn look() {
    loop {
        thread::sleep(EVERY);
        let watch = WATCH.lock().unwrap_or_else(PoisonError::into_inner);
        let stuck: Vec<_> = watch.overdue(Instant::now()).collect();
        if stuck.is_empty() {
            continue;
        }
        for path in stuck {
            let marked = mark(path);
            tracing::error!(path = %path.display(), ?marked, "sled does not come to an end with a store: this process ends, and the store is built again");
        }
        std::process::abort();
    }
}

fn mark(path: &Path) -> std::io::Result<()> {
    fs::write(path.join(MARK), b"")
}

/// Whether sled did not come to an end with a store in its last life.
pub(super) fn is_marked(path: &Path) -> bool {
    path.join(MARK).exists()
}

/// Does something with the store in a folder, which is seen if it does not end.
pub(super) fn watched<T>(path: &Path, call: impl FnOnce() -> T) -> T {
    let since = Instant::now();
    WATCH.lock().unwrap_or_else(PoisonError::into_inner).0.push((path.to_owned(), since));
    let done = call();
    let mut watch = WATCH.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(place) = watch.0.iter().position(|(known, at)| known == path && *at == since) {
        watch.0.swap_remove(place);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_longer_than_it_may_is_overdue_and_marks_its_folder() {
        let (dir, now) = (tempfile::tempdir().unwrap(), Instant::now());
        let watch = Watch(vec![(dir.path().to_owned(), now), (PathBuf::from("later"), now + EVERY)]);
        assert_eq!(watch.overdue(now + LIMIT).count(), 0);
        assert_eq!(watch.overdue(now + LIMIT + EVERY).collect::<Vec<_>>(), [dir.path()]);
        assert!(!is_marked(dir.path()));
        mark(dir.path()).unwrap();
        assert!(is_marked(dir.path()));
    }

    #[test]
    fn what_has_ended_is_watched_no_more() {
        let path = Path::new("ended");
        let watched_meanwhile = watched(path, || WATCH.lock().unwrap().0.iter().any(|(known, _)| known == path));
        assert!(watched_meanwhile);
        assert!(!WATCH.lock().unwrap().0.iter().any(|(known, _)| known == path));
    }
}
