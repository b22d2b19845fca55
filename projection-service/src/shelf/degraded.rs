//! Which versions became worse than they were: today beside the four weeks before it, of each version that has enough of both.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use promptory_events::event::VersionDegraded;
use promptory_events::guard::{Measure, WATCH_MIN_SAMPLES};
use promptory_events::{PromptId, TenantId, Timestamp, limits};
use promptory_usage::page::Grain;
use promptory_usage::query::{Dimension, Filter, Order, Question};
use promptory_usage::{Rows, Tally, degradation};

use super::Shelf;
use super::guards::Watch;
use crate::analytics::{Analytics, AnalyticsError, Scope};
use crate::ask::AskError;

const MINUTE_MICROS: i64 = 60_000_000;
/// Days that a day is compared with.
const PAST_DAYS: u32 = 28;

/// What was looked at of a tenant, and found on its last day: what was said is not said again by this process.
#[derive(Debug, Default)]
pub(super) struct Days {
    mark: Option<u64>,
    /// The first minute of the day.
    day: u32,
    said: HashSet<(PromptId, u32, Measure)>,
}

impl Watch {
    /// What became worse, as far as it was not found today already: the ledger takes it once for each episode.
    pub async fn degraded(&mut self) -> Vec<(TenantId, VersionDegraded)> {
        let Some((analytics, tenants)) = self.tenants().await else { return Vec::new() };
        let day = Grain::Day.bucket(minute(self.shelf.inner.config.clock.now()));
        let mut all = Vec::new();
        for (tenant, mark) in tenants {
            let days = self.days.entry(tenant.clone()).or_default();
            if days.day != day {
                *days = Days { day, ..Days::default() };
            }
            if days.mark == Some(mark) {
                continue;
            }
            match self.shelf.became_worse(&analytics, &tenant, day).await {
                Ok(found) => {
                    days.mark = Some(mark);
                    let said = |one: &VersionDegraded| (one.prompt, one.version, one.measure.clone());
                    let new = found.into_iter().filter(|one| days.said.insert(said(one)));
                    all.extend(new.map(|one| (tenant.clone(), one)));
                }
                Err(error) => {
                    tracing::warn!(%tenant, %error, "versions can't be watched now");
                    metrics::counter!("promptory_guard_failures_total").increment(1);
                }
            }
        }
        all
    }

    /// Looks anew at all of a tenant: something that was found could not be written.
    pub fn again(&mut self, tenant: &TenantId) {
        self.days.remove(tenant);
    }
}

impl Shelf {
    async fn became_worse(
        &self,
        analytics: &Analytics,
        tenant: &TenantId,
        day: u32,
    ) -> Result<Vec<VersionDegraded>, AskError> {
        if !self.is_watched(tenant).await? {
            return Ok(Vec::new());
        }
        let end = minute(self.inner.config.clock.now().plus_ms(limits::USAGE_AHEAD_MAX_MS)) + 1;
        let unavailable = |error: AnalyticsError| AskError::Unavailable(error.to_string());
        let today = analytics.groups(tenant, Scope::All, question(day, end)).await.map_err(unavailable)?;
        let enough = |tally: &Tally| tally.count >= u64::from(WATCH_MIN_SAMPLES);
        let prompts: BTreeSet<PromptId> =
            today.iter().filter(|(_, _, tally)| enough(tally)).map(|(_, dims, _)| dims.prompt).collect();
        if prompts.is_empty() {
            return Ok(Vec::new());
        }
        let past = question(day.saturating_sub(PAST_DAYS * Grain::Day.minutes()), day);
        let past = analytics.groups(tenant, Scope::These(prompts), past).await.map_err(unavailable)?;
        Ok(found(&past, &today, day))
    }

    async fn is_watched(&self, tenant: &TenantId) -> Result<bool, AskError> {
        let slot = self.existing(tenant).await?;
        let system = self.catalog().opened(&self.inner.system).await?;
        if system.state.access.suspended(tenant) {
            return Ok(false);
        }
        Ok(self.catalog().opened(&slot).await?.state.watch)
    }
}

/// What became worse of all versions that were run in both, in order.
fn found(past: &Rows, today: &Rows, day: u32) -> Vec<VersionDegraded> {
    let by_version = |rows: &Rows| -> BTreeMap<(PromptId, u32), Tally> {
        rows.iter().map(|(_, dims, tally)| ((dims.prompt, dims.version), tally.clone())).collect()
    };
    let (past, day) = (by_version(past), Timestamp::from_micros(i64::from(day) * MINUTE_MICROS));
    let worse = by_version(today).into_iter().flat_map(|((prompt, version), today)| {
        let found = past.get(&(prompt, version)).map(|past| degradation::found(past, &today)).unwrap_or_default();
        found.into_iter().map(move |(measure, figures)| VersionDegraded { prompt, version, measure, day, figures })
    });
    worse.collect()
}

fn question(from: u32, to: u32) -> Question {
    Question {
        from,
        to,
        step: None,
        group_by: BTreeSet::from([Dimension::Prompt, Dimension::Version]),
        filter: Filter::default(),
        order: Order::Count,
        top: None,
    }
}

fn minute(time: Timestamp) -> u32 {
    u32::try_from(time.micros().div_euclid(MINUTE_MICROS)).unwrap_or_default()
}
