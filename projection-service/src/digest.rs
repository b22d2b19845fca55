//! What a model says, as one number that grows with it: equal for the running, the rebuilt and the replayed model.
//!
//! The number is the sum modulo 2^256 of SHA-256 over every row, so one changed row costs one hash, whatever the size.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The sum over the rows of a view. Rows come and go in any order; the same rows give the same sum.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Sum([u64; 4]);

impl Sum {
    /// A row is there from now on.
    pub fn add(&mut self, key: &[u8], value: &[u8]) {
        let mut carry = false;
        for (limb, term) in self.0.iter_mut().zip(limbs(key, value)) {
            let (sum, over) = limb.overflowing_add(term);
            let (sum, over_carry) = sum.overflowing_add(u64::from(carry));
            (*limb, carry) = (sum, over | over_carry);
        }
    }

    /// A row is there no more, or has another value from now on.
    pub fn remove(&mut self, key: &[u8], value: &[u8]) {
        let mut borrow = false;
        for (limb, term) in self.0.iter_mut().zip(limbs(key, value)) {
            let (rest, under) = limb.overflowing_sub(term);
            let (rest, under_borrow) = rest.overflowing_sub(u64::from(borrow));
            (*limb, borrow) = (rest, under | under_borrow);
        }
    }

    /// The model digest of a view at an index (0 for an empty one), as lower-case hex.
    #[must_use]
    pub fn model_digest(&self, view: &str, index: u64) -> String {
        let mut hasher = Sha256::new();
        hasher.update(b"promptory/model/1");
        hasher.update(view.as_bytes());
        hasher.update(index.to_le_bytes());
        for limb in self.0 {
            hasher.update(limb.to_le_bytes());
        }
        hex(&hasher.finalize())
    }
}

/// The hash of a row, as a number: little-endian, lowest limb first.
fn limbs(key: &[u8], value: &[u8]) -> [u64; 4] {
    let mut hasher = Sha256::new();
    let len = u32::try_from(key.len()).unwrap_or(u32::MAX); // keys are below 2 KiB
    hasher.update(len.to_le_bytes());
    hasher.update(key);
    hasher.update(value);
    let hash = hasher.finalize();
    let mut out = [0; 4];
    for (limb, bytes) in out.iter_mut().zip(hash.chunks_exact(8)) {
        let mut raw = [0; 8];
        raw.copy_from_slice(bytes);
        *limb = u64::from_le_bytes(raw);
    }
    out
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_sum_wraps_at_two_to_the_256() {
        let mut sum = Sum([u64::MAX; 4]);
        sum.add(b"k", b"v");
        sum.remove(b"k", b"v");
        assert_eq!(sum, Sum([u64::MAX; 4]));
        assert_eq!(hex(&[0, 0xab, 0x1f]), "00ab1f");
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_removing_undoes_adding(rows: Vec<(Vec<u8>, Vec<u8>)>) {
            let (mut forth, mut back) = (Sum::default(), Sum::default());
            rows.iter().for_each(|(k, v)| forth.add(k, v));
            rows.iter().rev().for_each(|(k, v)| back.add(k, v));
            prop_assert_eq!(forth, back);
            rows.iter().for_each(|(k, v)| forth.remove(k, v));
            prop_assert_eq!(forth, Sum::default());
        }
    }
}
