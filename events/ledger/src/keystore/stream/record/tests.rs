//! What is in a message opens for whom it was written, and for nobody else; whatever else is there is an error.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;

use super::*;

fn root(byte: u8) -> RootKey {
    RootKey { bytes: [byte; 32] }
}

fn id(name: &str) -> TenantId {
    name.parse().unwrap()
}

fn acme() -> TenantKeys {
    new_tenant(&root(1), &id("acme")).unwrap().0
}

#[test]
fn a_tenants_keys_open_under_their_root_key_and_for_their_tenant_alone() {
    let (made, message) = new_tenant(&root(1), &id("acme")).unwrap();
    let read = tenant(&root(1), &id("acme"), &message).unwrap();
    assert_eq!((read.epoch, read.epoch_key), (made.epoch, made.epoch_key));
    assert!(!message.windows(32).any(|window| window == made.epoch_key));
    for (key, name) in [(2, "acme"), (1, "demo")] {
        assert!(matches!(tenant(&root(key), &id(name), &message), Err(KeyStoreError::Damaged(_))));
    }
    let mut other_epoch = message.to_vec();
    other_epoch[4] ^= 1;
    assert!(matches!(tenant(&root(1), &id("acme"), &other_epoch), Err(KeyStoreError::Damaged(_))));
}

#[test]
fn a_data_keys_name_says_where_it_lies() {
    let keys = acme();
    for number in [0, 1, 4095, BLOCKS_MAX - 1] {
        let (block, message) = new_block(&keys, number, LAST_BLOCK).unwrap();
        for key in [&block[0], &block[LAST_BLOCK - 1]] {
            assert_eq!(block_of(key.kid), number);
            let (found, others) = data_keys(&keys, key.kid, &message).unwrap();
            assert!(found == *key);
            assert_eq!(others.len(), LAST_BLOCK - 1);
        }
        assert_eq!(block_number(&block_subject(&keys.tenant, number)), Some(number));
        assert!(!message.windows(32).any(|window| window == block[0].bytes()), "only wrapped");
    }
    assert!(new_block(&keys, BLOCKS_MAX, 1).is_err());
}

#[test]
fn a_damaged_key_is_for_who_asks_for_it() {
    let keys = acme();
    let (block, message) = new_block(&keys, 3, 4).unwrap();
    let mut bytes = message.to_vec();
    bytes[5 + 16] ^= 1; // the first key
    bytes[5 + ENTRY_BYTES + 16..5 + 2 * ENTRY_BYTES].fill(0); // the second
    let get = |n: usize| data_keys(&keys, block[n].kid, &bytes);
    assert!(matches!(get(0), Err(KeyStoreError::Damaged(_))));
    assert!(matches!(get(1), Err(KeyStoreError::Erased(kid)) if kid == block[1].kid));
    let (found, others) = get(2).unwrap();
    assert!(found == block[2] && others == [block[3].clone()]);
    let unknown = DataKeyId([[0; 8].as_slice(), &[9; 8]].concat().try_into().unwrap());
    let (_, first) = new_block(&keys, 0, 4).unwrap();
    assert!(matches!(data_keys(&keys, unknown, &first), Err(KeyStoreError::UnknownKey(_))));
    assert!(matches!(data_keys(&keys, unknown, &bytes), Err(KeyStoreError::Damaged(_))), "another block's message");
}

#[test]
fn a_proof_is_of_one_root_key_and_one_life_of_the_ledger() {
    let (here, there) = (Incarnation([1; 8]), Incarnation([2; 8]));
    let proof = check(&root(1), here).unwrap();
    assert_eq!(is_proof_of(&root(1), here, &proof), Ok(true));
    assert_eq!(is_proof_of(&root(2), here, &proof), Ok(false));
    assert_eq!(is_proof_of(&root(1), there, &proof), Ok(false));
    assert!(is_proof_of(&root(1), here, &proof[..60]).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_an_error_and_no_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..400), kid: [u8; 16]) {
        let keys = acme();
        let kid = DataKeyId(kid);
        for first in [FORMAT, 0] {
            if let Some(byte) = bytes.first_mut() {
                *byte = first;
            }
            prop_assert!(tenant(&root(1), &keys.tenant, &bytes).is_err());
            prop_assert!(data_keys(&keys, kid, &bytes).is_err());
            prop_assert_ne!(is_proof_of(&root(1), Incarnation([0; 8]), &bytes), Ok(true));
        }
    }
}
