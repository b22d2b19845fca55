//! Past states that were folded lately, bounded in bytes and shared by all tenants of the process: the pages of one listing, and
//! questions about one point, fold it once.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::store::key::Area;
use crate::views::catalog::past::Past;

/// Memory for past states, of all tenants together, in bytes.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What a change leaves in memory, about.
const CHANGE_BYTES: u64 = 1024;
/// A guess that only sizes its tables; with so few it is one part, so that one state may take all of the memory.
const ENTRIES: usize = 32;

/// A tenant as a number of this process, an area, and the last event that had changed it: it depends on nothing else.
type Key = (u64, Area, u64);

#[derive(Clone, Debug)]
struct ByChanges;

impl Weighter<Key, (Arc<Past>, u64)> for ByChanges {
    fn weight(&self, _: &Key, (_, changes): &(Arc<Past>, u64)) -> u64 {
        CHANGE_BYTES * (changes + 1)
    }
}

/// The past states.
#[derive(Debug)]
pub struct PastCache(Cache<Key, (Arc<Past>, u64), ByChanges>);

impl Default for PastCache {
    fn default() -> Self {
        Self(Cache::with_weighter(ENTRIES, BYTES_MAX, ByChanges))
    }
}

impl PastCache {
    pub(crate) fn get(&self, tenant: u64, area: Area, last: u64) -> Option<Arc<Past>> {
        self.0.get(&(tenant, area, last)).map(|(past, _)| past)
    }

    /// Keeps a state that so many events have led to. One that is too large for it is not kept.
    pub(crate) fn put(&self, tenant: u64, area: Area, last: u64, past: Arc<Past>, changes: u64) {
        self.0.insert((tenant, area, last), (past, changes));
    }
}
