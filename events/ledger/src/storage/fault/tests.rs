//! The broken disk breaks as it says.

use super::*;

fn contents(disk: &FaultBackend) -> Vec<u8> {
    disk.disk().current.clone()
}

#[test]
fn synced_bytes_survive_and_unsynced_ones_may_not() {
    let disk = FaultBackend::new();
    disk.set_len(8192).unwrap();
    disk.write(0, &[1; 8192]).unwrap();
    disk.sync_data().unwrap();
    disk.write(0, &[2; 8192]).unwrap();
    assert_eq!(contents(&disk.lose_unsynced()), vec![1; 8192]);
    assert_eq!(contents(&disk.kill()), vec![2; 8192]);
    let losses: Vec<_> = (0..64).map(|seed| contents(&disk.power_loss(seed))).collect();
    assert!(losses.iter().any(|b| b.contains(&1) && b.contains(&2)), "some are torn");
    assert!(losses.iter().flat_map(|b| b.chunks(512)).all(|s| s.iter().all(|b| *b == s[0])), "at sector borders");
    assert_eq!(contents(&disk.power_loss(7)), losses[7], "the same seed is the same loss");
}

#[test]
fn growth_may_be_lost_and_takes_its_bytes_with_it() {
    let disk = FaultBackend::new();
    disk.set_len(512).unwrap();
    disk.sync_data().unwrap();
    disk.set_len(1024).unwrap();
    disk.write(512, &[3; 512]).unwrap();
    let lengths: std::collections::BTreeSet<_> = (0..64).map(|seed| contents(&disk.power_loss(seed)).len()).collect();
    assert_eq!(lengths, [512, 1024].into());
}

#[test]
fn a_disk_that_is_gone_refuses_changes() {
    let disk = FaultBackend::new();
    disk.fail_after(Some(1));
    disk.set_len(10).unwrap();
    assert!(disk.write(0, &[1]).is_err());
    assert!(disk.sync_data().is_err());
    disk.fail_after(None);
    disk.sync_data().unwrap();
    let mut out = [9; 11];
    assert!(disk.read(0, &mut out).is_err(), "beyond the end");
}
