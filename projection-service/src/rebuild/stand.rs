//! How a view of a tenant stands: what runs, what is done with it, and what is kept beside it.

use std::time::Duration;

use promptory_events::{TenantId, Timestamp};

use crate::ask::{ModelAnswer, OtherFormat, PreviousModel};
use crate::shelf::bay::Bay;
use crate::store::folder::others;
use crate::views::View;

impl<V: View> Bay<V> {
    pub(crate) async fn how_it_stands(&self, tenant: &TenantId) -> ModelAnswer {
        let slot = self.slot(tenant);
        let open = slot.open.load_full();
        let (folder, dir, name, keep, now) =
            (self.folder(tenant), self.dir().to_owned(), tenant.clone(), self.keep(), self.now());
        let looking = tokio::task::spawn_blocking(move || (folder.stores().previous, others::<V>(&dir, &name)));
        let (previous, others) = looking.await.unwrap_or_default();
        ModelAnswer {
            view: V::NAME.to_owned(),
            format: V::FORMAT,
            position: open.as_ref().and_then(|open| open.state.position()),
            digest: open.map(|open| open.state.digest()),
            stopped: slot.stopped().map(|stopped| stopped.to_string()),
            checked: slot.checked.load_full().map(|check| check.as_ref().clone()),
            work: slot.work.get().map(|work| work.told()),
            previous: previous.map(|previous| PreviousModel {
                index: previous.index,
                digest: previous.digest,
                replaced_at: previous.replaced_at,
                kept_until: later(previous.replaced_at, keep),
            }),
            others: others
                .into_iter()
                .map(|other| {
                    let unused_since = other.unused_since.unwrap_or(now);
                    OtherFormat { format: other.format, unused_since, kept_until: later(unused_since, keep) }
                })
                .collect(),
        }
    }
}

/// A time and a while after it.
pub(super) fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.plus_ms(millis(by))
}

/// A time and a while before it.
pub(super) fn earlier(time: Timestamp, by: Duration) -> Timestamp {
    time.plus_ms(-millis(by))
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
