//! Searches that found nothing, until they are in the usage log. They are gathered for some seconds, so that no search waits for a
//! disk and a tenant makes few entries; what was gathered is lost if the process is killed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use promptory_events::TenantId;
use promptory_ledger::{AppendError, UsageLog};
use promptory_platform::Clock;
use promptory_usage::searches::Count;
use promptory_usage::{Batch, Record, Searches, SearchesRecord};

/// Texts of one record: so many are looked for most in the time that it is gathered.
const TEXTS_MAX: usize = 100;

/// Those of all tenants of this process.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    tenants: Mutex<BTreeMap<TenantId, Gathering>>,
}

#[derive(Debug, Default)]
struct Gathering {
    searches: Searches,
    /// What was sent and not acknowledged: it is sent again as it is, and counts once by its id.
    unsent: Option<SearchesRecord>,
}

impl Gathered {
    /// Counts a search.
    pub fn add(&self, tenant: &TenantId, text: &str, filtered: bool) {
        let mut tenants = self.tenants();
        if !tenants.contains_key(tenant) {
            tenants.insert(tenant.clone(), Gathering::default());
        }
        if let Some(gathering) = tenants.get_mut(tenant) {
            gathering.searches.add(text, Count::one(filtered));
        }
    }

    /// Puts what was gathered of all tenants into the log.
    pub async fn send(&self, log: &UsageLog, clock: &Clock) {
        let tenants: Vec<TenantId> = self.tenants().keys().cloned().collect();
        for tenant in tenants {
            if let Err(error) = self.send_of(&tenant, log, clock).await {
                tracing::warn!(%tenant, %error, "searches that found nothing can't be recorded now");
            }
        }
    }

    /// The same of one tenant.
    pub async fn send_of(&self, tenant: &TenantId, log: &UsageLog, clock: &Clock) -> Result<(), AppendError> {
        while let Some(record) = self.next(tenant, clock) {
            let (id, received_at) = (record.id.clone(), clock.now());
            let batch = Batch { received_at, records: vec![Record::Searches(record)] };
            log.append(tenant, received_at, batch.encode().into()).await?;
            if let Some(gathering) = self.tenants().get_mut(tenant)
                && gathering.unsent.as_ref().is_some_and(|unsent| unsent.id == id)
            {
                gathering.unsent = None;
            }
        }
        Ok(())
    }

    /// What is to be sent next.
    fn next(&self, tenant: &TenantId, clock: &Clock) -> Option<SearchesRecord> {
        let mut tenants = self.tenants();
        let gathering = tenants.get_mut(tenant)?;
        if gathering.unsent.is_none() {
            let id = getrandom::u64().ok()?; // else the next time
            let mut searches = std::mem::take(&mut gathering.searches);
            if searches.is_empty() {
                tenants.remove(tenant);
                return None;
            }
            searches.shorten(TEXTS_MAX);
            let id = format!("searches-{id:016x}");
            gathering.unsent = Some(SearchesRecord { id, occurred_at: clock.now(), searches });
        }
        gathering.unsent.clone()
    }

    fn tenants(&self) -> MutexGuard<'_, BTreeMap<TenantId, Gathering>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
