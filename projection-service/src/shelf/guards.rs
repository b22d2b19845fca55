//! Which guards of rollouts are breached, by what is counted: asked every now and then by whoever may say so.
//!
//! Executions count from the first whole minute of a rollout on, by the version and the label that they name. Whoever asks twice
//! finds the same twice until the ledger has it, and then no more.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use promptory_domain::rollout::running::Rollout;
use promptory_events::event::RolloutBreached;
use promptory_events::guard::Then;
use promptory_events::{Label, PromptId, TenantId, Timestamp, limits, partition};
use promptory_usage::query::{Dimension, Filter, Order, Question};
use promptory_usage::{Tally, guard};

use super::Shelf;
use super::degraded::Days;
use crate::analytics::{Analytics, Scope};
use crate::ask::AskError;

const MINUTE_MICROS: i64 = 60_000_000;
/// Looks at what is the same as before.
const LOOKS: u8 = 2;

/// Looks at the tenants of some partitions that have had something to count since the last look.
#[derive(Debug)]
pub struct Watch {
    pub(super) shelf: Shelf,
    whose: Vec<u16>,
    /// Up to where what came of each was looked at, and how often: once more after the last, for what the catalog learned late.
    looked: HashMap<TenantId, (u64, u8)>,
    /// The same, of what became worse, and what was found of each on its last day.
    pub(super) days: HashMap<TenantId, Days>,
}

/// A rollout that runs with guards that have not acted.
struct Guarded {
    prompt: PromptId,
    label: Label,
    control: u32,
    rollout: Rollout,
}

impl Watch {
    /// Of a shelf that counts usage.
    #[must_use]
    pub fn new(shelf: Shelf, whose: Vec<u16>) -> Self {
        Self { shelf, whose, looked: HashMap::new(), days: HashMap::new() }
    }

    /// The guards that are breached, one of each rollout at most. Those of a tenant that can't be looked at now are found later.
    pub async fn breaches(&mut self) -> Vec<(TenantId, RolloutBreached)> {
        let Some((analytics, tenants)) = self.tenants().await else { return Vec::new() };
        let mut found = Vec::new();
        for (tenant, mark) in tenants {
            let times = self.looked.get(&tenant).filter(|(looked, _)| *looked == mark).map_or(0, |(_, times)| *times);
            if times >= LOOKS {
                continue;
            }
            match self.shelf.breached(&analytics, &tenant).await {
                // What is found is looked for again, until the ledger has it.
                Ok(breached) if breached.is_empty() => drop(self.looked.insert(tenant, (mark, times + 1))),
                Ok(breached) => found.extend(breached.into_iter().map(|breach| (tenant.clone(), breach))),
                Err(error) => {
                    tracing::warn!(%tenant, %error, "guards can't be looked at now");
                    metrics::counter!("promptory_guard_failures_total").increment(1);
                }
            }
        }
        found
    }

    /// The tenants that are looked at and have records, and of each a mark that changes with what comes.
    pub(super) async fn tenants(&self) -> Option<(Analytics, Vec<(TenantId, u64)>)> {
        let analytics = self.shelf.inner.analytics.get().cloned()?;
        let partitions = self.shelf.ledger().partitions();
        match analytics.tenants().await {
            Ok(mut tenants) => {
                tenants.retain(|(tenant, _)| self.whose.contains(&partition::of(tenant, partitions)));
                Some((analytics, tenants))
            }
            Err(error) => {
                tracing::debug!(%error, "the usage log can't be read now");
                None
            }
        }
    }
}

impl Shelf {
    async fn breached(&self, analytics: &Analytics, tenant: &TenantId) -> Result<Vec<RolloutBreached>, AskError> {
        let mut found = Vec::new();
        for guarded in self.guarded(tenant).await? {
            let question = question(&guarded, self.inner.config.clock.now());
            let scope = Scope::These(BTreeSet::from([guarded.prompt]));
            let rows = analytics.groups(tenant, scope, question).await;
            let rows = rows.map_err(|error| AskError::Unavailable(error.to_string()))?;
            let tallies = rows.iter().map(|(_, dims, tally)| (dims.version, tally)).collect();
            found.extend(first(&guarded, &tallies));
        }
        Ok(found)
    }

    async fn guarded(&self, tenant: &TenantId) -> Result<Vec<Guarded>, AskError> {
        let slot = self.existing(tenant).await?;
        let system = self.catalog().opened(&self.inner.system).await?;
        if system.state.access.suspended(tenant) {
            return Ok(Vec::new());
        }
        let open = self.catalog().opened(&slot).await?;
        let prompts = open.state.prompts().filter(|row| !row.archived);
        let running = prompts.flat_map(|row| row.rollouts.iter().map(move |(label, rollout)| (row, label, rollout)));
        let guarded = running.filter(|(_, _, rollout)| rollout.breached.len() < rollout.guards.len());
        let guarded = guarded.filter_map(|(row, label, rollout)| {
            let control = *row.labels.get(label)?;
            Some(Guarded { prompt: row.id, label: label.clone(), control, rollout: rollout.clone() })
        });
        Ok(guarded.collect())
    }
}

/// What was counted of each version under the label since the rollout began.
fn question(of: &Guarded, now: Timestamp) -> Question {
    let minute = |micros: i64| u32::try_from(micros.div_euclid(MINUTE_MICROS)).unwrap_or_default();
    Question {
        from: minute(of.rollout.since.micros().saturating_add(MINUTE_MICROS - 1)),
        to: minute(now.plus_ms(limits::USAGE_AHEAD_MAX_MS).micros()) + 1,
        step: None,
        group_by: BTreeSet::from([Dimension::Version]),
        filter: Filter { label: Some(of.label.to_string()), ..Filter::default() },
        order: Order::Count,
        top: None,
    }
}

/// The first guard that is breached: those that roll back come before those that pause.
fn first(of: &Guarded, tallies: &BTreeMap<u32, &Tally>) -> Option<RolloutBreached> {
    let (rollout, none) = (&of.rollout, Tally::default());
    let control = tallies.get(&of.control).copied().unwrap_or(&none);
    let mut guards: Vec<_> =
        (0..).zip(&rollout.guards).filter(|(place, _)| !rollout.breached.contains(place)).collect();
    guards.retain(|(_, guard)| guard.then == Then::RollBack || !rollout.paused);
    guards.sort_by_key(|(place, guard)| (guard.then == Then::Pause, *place));
    let versions: BTreeSet<u32> = rollout.table.runs().iter().map(|run| run.version).collect();
    let arms = || versions.iter().filter(|version| **version != of.control);
    guards.into_iter().find_map(|(place, guard)| {
        let (version, figures) = arms().find_map(|version| {
            let tally = tallies.get(version)?;
            Some((*version, guard::breach(guard, tally, control)?))
        })?;
        let (prompt, label, guard) = (of.prompt, of.label.clone(), guard.clone());
        Some(RolloutBreached { rollout: rollout.id, prompt, label, place, guard, version, figures })
    })
}
