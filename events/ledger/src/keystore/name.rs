//! Names of a directory, as keyed hashes: what kinds there are, and what counts in each.

use promptory_events::{NameId, TenantId};

use super::{KeyStore, KeyStoreError};

/// The names that are kept as keyed hashes. No name of one kind is equal to one of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// A user's `userName`; capitals do not count.
    User,
    /// A user's `externalId`.
    UserExternal,
    /// A group's `displayName`; capitals do not count.
    Group,
    /// A group's `externalId`.
    GroupExternal,
}

impl KeyStore {
    /// A name of the directory as a keyed hash.
    ///
    /// # Errors
    /// As [`KeyStore::principal`].
    pub fn name(&self, tenant: &TenantId, kind: Name, text: &str) -> Result<NameId, KeyStoreError> {
        let (kind, text) = match kind {
            Name::User => ("user", text.to_lowercase()),
            Name::UserExternal => ("user external", text.to_owned()),
            Name::Group => ("group", text.to_lowercase()),
            Name::GroupExternal => ("group external", text.to_owned()),
        };
        Ok(NameId(self.pseudonym(tenant, b"promptory/name/1\0", [kind.as_bytes(), text.as_bytes()])?))
    }
}
