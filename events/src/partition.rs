//! Which partition a tenant belongs to. The hash never changes: a tenant must not move.

use sha2::{Digest, Sha256};

use crate::id::TenantId;

/// The partition of `tenant` among `partitions` (at least 1): SHA-256 of its name, first 8 bytes big-endian, modulo.
#[must_use]
pub fn of(tenant: &TenantId, partitions: u16) -> u16 {
    let digest = Sha256::digest(tenant.as_str().as_bytes());
    let mut head = [0; 8];
    head.copy_from_slice(&digest[..8]);
    let slot = u64::from_be_bytes(head) % u64::from(partitions.max(1));
    u16::try_from(slot).unwrap_or_default() // below `partitions`, which is a u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_of_a_tenant_is_fixed_for_ever() {
        let of8 = |name: &str| of(&name.parse().unwrap(), 8);
        assert_eq!([of8("acme"), of8("demo"), of8("_system")], GOLDEN);
        assert_eq!(of(&"acme".parse().unwrap(), 1), 0);
    }

    const GOLDEN: [u16; 3] = [0, 4, 5];
}
