//! What stands between callers and labels, as the tenant's ledger says it now. The rules are the domain's own ([`Book`]);
//! the rows beside it are for the fold, which replaces them, and for lists, which show what has ended, too.

use promptory_domain::release::book::Book;
use promptory_events::{FreezeId, Label, Prefix, RequestId};
use rpds::RedBlackTreeMapSync;

use crate::views::catalog::row::{FreezeRow, ProtectionRow, RequestRow};

/// Protections, freeze windows, release requests.
#[derive(Clone, Debug, Default)]
pub struct Releases {
    pub(crate) book: Book,
    pub(crate) protections: RedBlackTreeMapSync<(Prefix, Label), ProtectionRow>,
    pub(crate) freezes: RedBlackTreeMapSync<FreezeId, FreezeRow>,
    pub(crate) requests: RedBlackTreeMapSync<RequestId, RequestRow>,
}
