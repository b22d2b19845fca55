//! The maps that grow with a tenant: persistent hash tries, narrower than the library makes them.
//!
//! A change copies the way to the entry, and counts one reference more to each child of each node on it. Nodes of 64 children
//! cost a third more in a tenant of 10,000 prompts; narrower than 16 is deeper, and slower in large ones (docs/performance.md).

use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use rpds::HashTrieMapSync;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// Children of a node.
const DEGREE: u8 = 16;

/// An empty map.
pub(super) fn narrow<K: Eq + Hash, V>() -> HashTrieMapSync<K, V> {
    HashTrieMapSync::new_sync_with_degree(DEGREE)
}

/// A map out of a snapshot, where the library would make a wide one.
pub(super) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<HashTrieMapSync<K, V>, D::Error>
where
    K: Eq + Hash + Clone + Deserialize<'de>,
    V: Clone + Deserialize<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_map(Entries(PhantomData))
}

struct Entries<K, V>(PhantomData<(K, V)>);

impl<'de, K, V> Visitor<'de> for Entries<K, V>
where
    K: Eq + Hash + Clone + Deserialize<'de>,
    V: Clone + Deserialize<'de>,
{
    type Value = HashTrieMapSync<K, V>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut map = narrow();
        while let Some((key, value)) = entries.next_entry()? {
            map.insert_mut(key, value);
        }
        Ok(map)
    }
}
