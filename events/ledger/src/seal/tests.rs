//! Round trips, everything that can be swapped or changed, and bytes that another implementation sealed.

use data_encoding::HEXLOWER;
use promptory_events::{CommandId, ContentId, DataKeyId, TenantId};
use proptest::prelude::*;

use super::*;

fn key(byte: u8) -> DataKey {
    DataKey::new(DataKeyId([byte; 16]), [byte; 32])
}

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

#[test]
fn a_sealed_text_opens_with_its_key_and_its_binding_only() {
    let bound = aad::content(&tenant("acme"), &ContentId([1; 32]));
    let sealed = seal(&key(1), &bound, b"you are helpful").unwrap();
    assert_eq!(open(&key(1), &bound, &sealed).unwrap(), b"you are helpful");
    assert_eq!(open(&key(2), &bound, &sealed), Err(SealError::OtherKey));
    let same_name = DataKey::new(DataKeyId([1; 16]), [2; 32]);
    assert_eq!(open(&same_name, &bound, &sealed), Err(SealError::NotAuthentic));
    let elsewhere = aad::content(&tenant("acme2"), &ContentId([1; 32]));
    assert_eq!(open(&key(1), &elsewhere, &sealed), Err(SealError::NotAuthentic));
}

#[test]
fn a_text_that_was_not_committed_to_is_refused_though_its_tag_is_right() {
    let mut sealed = seal(&key(1), b"aad", b"the text").unwrap();
    sealed.commitment[0] ^= 1;
    assert_eq!(open(&key(1), b"aad", &sealed), Err(SealError::OtherText));
}

#[test]
fn too_short_a_ciphertext_is_no_panic() {
    let mut sealed = seal(&key(1), b"aad", b"").unwrap();
    sealed.ct = encrypt(&[1; 32], sealed.nonce, b"aad", b"no salt").unwrap();
    assert_eq!(open(&key(1), b"aad", &sealed), Err(SealError::NotAuthentic));
    sealed.ct.clear();
    assert_eq!(open(&key(1), b"aad", &sealed), Err(SealError::NotAuthentic));
}

#[test]
fn equal_texts_do_not_look_equal() {
    let (one, two) = (seal(&key(1), b"", b"text").unwrap(), seal(&key(1), b"", b"text").unwrap());
    assert_ne!(one.ct, two.ct);
    assert_ne!(one.commitment, two.commitment, "or the commitment would confirm a guess");
}

#[test]
fn bindings_of_different_things_differ() {
    let (acme, command) = (tenant("acme"), CommandId([7; 16]));
    assert_ne!(aad::message(&acme, command), aad::name(&acme, command));
    assert_ne!(aad::message(&acme, command), aad::message(&tenant("acme2"), command));
    assert_eq!(aad::name(&acme, command), [b"promptory/name/1\x04acme".as_slice(), &[7; 16]].concat());
}

/// Made by another implementation: the same `salt ‖ text` under ChaCha20-Poly1305.
#[test]
fn the_ciphertext_is_what_other_implementations_make() {
    let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
    let key: [u8; 32] = hex("883eafff859e9abcea5b3bd0088e74c730f2c710f214337b3b74fc6392838495").try_into().unwrap();
    let nonce: [u8; 12] = hex("4325887fcc120f29fb1e352b").try_into().unwrap();
    let ct = hex(
        "9e07dbbc58aa7c346ef14e4c55027fc511e3ad20239514757a5dc0304052de1a391fc4d2b62fc581635e642ffe3ad2cea00718e91f3b1623f2c59ffdbd00d4a6036926e94b511303f2210115532f7ae14df9dfe3bfcd5cbe0cba79b64d",
    );
    let salt = hex("4f39e1b9600402719509c1c4ab1f49bc1248a425e7c14317e2b755b3d6b62028");
    let msg = [salt.as_slice(), b"You are a helpful support agent for Jane Doe."].concat();
    assert_eq!(decrypt(&key, nonce, b"acme|2|content", &ct).unwrap(), msg);
    assert_eq!(encrypt(&key, nonce, b"acme|2|content", &msg).unwrap(), ct);
}

/// RFC 4231, test case 2: the commitment rests on this.
#[test]
fn hmac_is_that_of_the_rfc() {
    let mut mac = hmac(b"Jefe");
    mac.update(b"what do ya want for nothing?");
    let out = HEXLOWER.encode(&mac.finalize().into_bytes());
    assert_eq!(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_round_trips_and_any_flipped_bit_is_noticed(
        text in proptest::collection::vec(any::<u8>(), 0..200),
        bound in proptest::collection::vec(any::<u8>(), 0..50),
        bit in any::<prop::sample::Index>(),
    ) {
        let sealed = seal(&key(3), &bound, &text).unwrap();
        prop_assert_eq!(open(&key(3), &bound, &sealed).unwrap(), text);
        let mut changed = sealed.clone();
        let bit = bit.index(changed.ct.len() * 8);
        changed.ct[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(open(&key(3), &bound, &changed), Err(SealError::NotAuthentic));
        let mut nonce = sealed;
        nonce.nonce[bit % 12] ^= 1;
        prop_assert_eq!(open(&key(3), &bound, &nonce), Err(SealError::NotAuthentic));
    }
}
