//! What the catalog stages: its checkpoints say what the tenant has and may have.

use promptory_domain::quota::Quotas;

/// The catalog's rows on their way to a store.
pub type Staged = crate::views::stage::Staged<Quotas>;
