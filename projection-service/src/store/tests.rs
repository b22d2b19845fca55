//! What can happen to a store's files, and that none of it is believed.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use promptory_events::{Batch, Incarnation};
use promptory_ledger::storage::fault::SplitMix64;

use super::*;
use crate::hot::Hot;
use crate::store::key::Key;
use crate::testing::Scribe;
use crate::views::catalog::stage::Staged;
use crate::views::catalog::{FORMAT, Source, fold};

fn told() -> Scribe {
    let mut scribe = Scribe::new("acme", Incarnation([7; 8]), None);
    for number in 0..60 {
        scribe.create(&format!("team/{number}"), &"some text ".repeat(number * 80)); // some segments of sled
        scribe.batch();
    }
    scribe
}

fn fill(store: &Store<Hot>, mut hot: Hot, scribe: &Scribe) -> Hot {
    let source = Source { tenant: scribe.tenant.clone(), incarnation: scribe.incarnation };
    let mut staged = Staged::default();
    for (number, bytes) in scribe.batches.iter().enumerate() {
        let batch = Batch::parse(bytes.clone()).unwrap();
        fold(&mut hot, &mut staged, &source, scribe.cursor(number), &batch).unwrap();
        store.commit(&mut staged).unwrap();
    }
    hot
}

/// A closed store that is filled and synced, and its state.
fn closed(path: &Path, scribe: &Scribe) -> Hot {
    let (store, hot) = Store::<Hot>::open(path, Use::Serving).unwrap();
    let hot = fill(&store, hot, scribe);
    store.sync().unwrap();
    assert!(!store.is_dirty());
    hot
}

/// Opens, discarding what is unusable, and fills up from the history. Says whether it was discarded.
fn healed(path: &Path, scribe: &Scribe) -> (Hot, bool) {
    let (opened, discarded) = match Store::<Hot>::open(path, Use::Serving) {
        Ok(opened) => (opened, false),
        Err(OpenError::Unusable(_)) => {
            discard(path).unwrap();
            (Store::<Hot>::open(path, Use::Serving).unwrap(), true)
        }
        Err(locked) => panic!("{locked}"),
    };
    let (store, hot) = opened;
    (fill(&store, hot, scribe), discarded)
}

#[test]
fn a_damaged_file_is_noticed_and_the_model_comes_back_with_the_same_digest() {
    let discards = (0..24).filter(|round| discarded_in_its_lives(*round)).count();
    assert!(discards > 0, "some damage must have been more than a lost tail");
}

/// The signal that a process ends itself with.
const ABORTED: i32 = 6;
/// What the process of a life is told.
const FOLDER: &str = "PROMPTORY_TEST_DAMAGED_FOLDER";
const ROUND: &str = "PROMPTORY_TEST_DAMAGED_ROUND";

/// A round in a process of its own. If sled does not come to an end with what it has repaired, the watch ends that process, and not
/// this one with all its tests; the next life goes on with the same folder, as after every restart.
fn discarded_in_its_lives(round: u64) -> bool {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..4 {
        let life = Command::new(std::env::current_exe().unwrap())
            .args(["store::tests::a_life_with_a_damaged_file", "--exact", "--ignored", "--nocapture"])
            .env(FOLDER, dir.path())
            .env(ROUND, round.to_string())
            .output()
            .unwrap();
        if life.status.success() {
            assert!(dir.path().join("healed").exists(), "the life is a test that is there");
            return dir.path().join("discarded").exists();
        }
        assert_eq!(life.status.signal(), Some(ABORTED), "round {round}: {}", String::from_utf8_lossy(&life.stderr));
    }
    panic!("round {round}: every life was ended by the watch");
}

#[test]
#[ignore = "another test starts it in a process of its own"]
fn a_life_with_a_damaged_file() {
    let (Some(dir), Ok(round)) = (std::env::var_os(FOLDER).map(PathBuf::from), std::env::var(ROUND)) else { return };
    let (scribe, path, round) = (told(), dir.join("acme"), round.parse().unwrap());
    let whole = closed(&dir.join(format!("whole-{}", std::process::id())), &scribe);
    if !dir.join("damaged").exists() {
        closed(&path, &scribe);
        damage(&path.join("db"), round);
        fs::write(dir.join("damaged"), "").unwrap();
    }
    let (again, discarded) = healed(&path, &scribe);
    assert_eq!((again.sum, again.index), (whole.sum, whole.index), "round {round}");
    assert_eq!(again.live(), whole.live());
    if discarded {
        fs::write(dir.join("discarded"), "").unwrap();
    }
    fs::write(dir.join("healed"), "").unwrap();
}

fn damage(file: &Path, round: u64) {
    let mut random = SplitMix64::new(round);
    let mut bytes = fs::read(file).unwrap();
    let len = bytes.len() as u64;
    let at = usize::try_from(random.below(len)).unwrap();
    match round % 4 {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes.truncate(bytes.len() - usize::try_from(random.below(len / 4)).unwrap()),
        2 => {
            let page = at / 4096 * 4096;
            let end = (page + 4096).min(bytes.len());
            bytes[page..end].fill(0);
        }
        _ => (0..200).for_each(|_| bytes[usize::try_from(random.below(len)).unwrap()] ^= 0x10),
    }
    fs::write(file, bytes).unwrap();
}

#[test]
fn files_that_are_gone_are_noticed() {
    let scribe = told();
    for name in ["db", "conf", "blobs"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("acme");
        let whole = closed(&path, &scribe);
        let gone = path.join(name);
        if gone.is_dir() {
            fs::remove_dir_all(&gone).unwrap()
        } else {
            fs::remove_file(&gone).unwrap()
        }
        let (again, discarded) = healed(&path, &scribe);
        assert!(discarded, "without {name}");
        assert_eq!(again.sum, whole.sum, "without {name}");
    }
}

#[test]
fn rows_that_the_checkpoint_does_not_speak_of_are_not_believed() {
    let scribe = told();
    for change in 0..4 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("acme");
        closed(&path, &scribe);
        let (store, _) = Store::<Hot>::open(&path, Use::Serving).unwrap();
        match change {
            0 => drop(store.tree.insert(Key::Event(3).encode(), vec![1]).unwrap()),
            1 => drop(store.tree.remove(Key::Event(3).encode()).unwrap()),
            2 => drop(store.tree.insert(Key::Event(9_999).encode(), vec![]).unwrap()),
            _ => drop(store.tree.remove(Key::Checkpoint.encode()).unwrap()),
        }
        store.sync().unwrap();
        drop(store);
        assert!(matches!(Store::<Hot>::open(&path, Use::Serving), Err(OpenError::Unusable(_))), "change {change}");
        assert!(healed(&path, &scribe).1);
    }
}

#[test]
fn a_store_that_sled_got_stuck_with_is_built_again() {
    let (scribe, dir) = (told(), tempfile::tempdir().unwrap());
    let path = dir.path().join("acme");
    let whole = closed(&path, &scribe);
    fs::write(path.join("stuck"), b"").unwrap();
    let (again, discarded) = healed(&path, &scribe);
    assert!(discarded);
    assert_eq!(again.sum, whole.sum);
    assert!(!healed(&path, &scribe).1, "the mark went with the folder");
}

#[test]
fn a_store_of_another_format_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::<Hot>::open_unverified(dir.path(), Use::Serving, Share::WHOLE).unwrap();
    let cursor = promptory_events::Cursor { incarnation: Incarnation([7; 8]), sequence: 1 };
    let recorded_at = promptory_events::Timestamp::MIN;
    let checkpoint = checkpoint::Checkpoint {
        index: 0,
        cursor,
        recorded_at,
        sum: crate::digest::Sum::default(),
        kept: promptory_domain::quota::Quotas::default(),
    };
    let stored = Stored { format: FORMAT + 1, checkpoint };
    store.tree.insert(Key::Checkpoint.encode(), row::encode(&stored)).unwrap();
    drop(store);
    let Err(OpenError::Unusable(reason)) = Store::<Hot>::open(dir.path(), Use::Serving) else { panic!("it opened") };
    assert!(reason.contains("format"));
}

#[test]
fn a_second_handle_is_told_that_the_store_is_held_not_that_it_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let (_store, _) = Store::<Hot>::open(dir.path(), Use::Serving).unwrap();
    assert!(matches!(Store::<Hot>::open(dir.path(), Use::Serving), Err(OpenError::Locked(_))));
}

#[test]
fn a_batch_that_was_written_in_part_is_taken_up_in_its_middle() {
    let mut scribe = Scribe::new("acme", Incarnation([7; 8]), None);
    for number in 0..300 {
        scribe.create(&format!("team/{number}"), "text");
    }
    scribe.batch();
    let source = Source { tenant: scribe.tenant.clone(), incarnation: scribe.incarnation };
    let batch = Batch::parse(scribe.batches[0].clone()).unwrap();
    let (mut whole, mut staged) = (Hot::default(), Staged::default());
    fold(&mut whole, &mut staged, &source, scribe.cursor(0), &batch).unwrap();

    // As after a crash between two parts: only the first is there.
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::<Hot>::open(dir.path(), Use::Serving).unwrap();
    let (rows, checkpoint) = staged.parts(BATCH_OPS - 1, BATCH_BYTES).swap_remove(0);
    rows.into_iter().for_each(|(key, value)| drop(store.tree.insert(key, value).unwrap()));
    let stored = row::encode(&Stored { format: FORMAT, checkpoint });
    store.tree.insert(Key::Checkpoint.encode(), stored).unwrap();
    drop(store);

    let (store, hot) = Store::<Hot>::open(dir.path(), Use::Serving).unwrap();
    assert!((1..599).contains(&hot.index.unwrap()));
    let hot = fill(&store, hot, &scribe);
    assert_eq!((hot.sum, hot.index), (whole.sum, Some(599)));
}
