//! Questions about what is counted of usage: the catalog says who may ask and of which prompts he may be told.
//!
//! What a prompt is called now decides about all that was ever counted of it, as it does about its history.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use promptory_domain::access::Action;
use promptory_events::{Prefix, PromptId, Timestamp, limits};
use promptory_ledger::UsageLog;
use promptory_usage::query::{Dimension, Question};
use promptory_usage::searches;
use tokio::sync::watch;

use super::slot::Open;
use super::{Shelf, Stopped};
use crate::analytics::{Analytics, AnalyticsError, Scope};
use crate::ask::search::Filters;
use crate::ask::{
    AnalyticsAnswer, Answer, Ask, AskAnalytics, AskEmptySearches, AskError, EmptySearches, PromptRef,
    Question as Asked, Reply,
};
use crate::hot::Hot;
use crate::hot::access::Reader;
use crate::views::catalog::row::PromptRow;
use crate::views::catalog::sight::Sight;

/// The name in health.
const VIEW: &str = "analytics";
pub(super) const MINUTE_MICROS: i64 = 60_000_000;
pub(super) const DAY_MINUTES: u32 = 24 * 60;

impl Shelf {
    /// Counts what this log holds from now on; a record is in a rollup after so long at the latest. Once only.
    pub fn count_usage(&self, log: UsageLog, rollup: Duration) {
        let config = &self.inner.config;
        let _ = self.inner.analytics.set(Analytics::new(
            config.dir.clone(),
            log,
            config.clock.clone(),
            rollup,
            config.open_max,
        ));
    }

    /// Takes in the usage of the tenants of some partitions as it comes, until `shutdown` turns true or its sender is gone.
    pub async fn count_now_and_then(&self, partitions: Vec<u16>, shutdown: watch::Receiver<bool>) {
        if let Some(analytics) = self.inner.analytics.get() {
            analytics.tend(partitions, self.ledger().partitions(), shutdown).await;
        }
    }

    /// Answers a question about usage, for a reader who was let in.
    pub(super) async fn counted(
        &self,
        catalog: &Arc<Open<Hot>>,
        reader: &Reader,
        ask: &Ask,
        asked: &AskAnalytics,
    ) -> Result<Reply, AskError> {
        let scope = scope(&catalog.state, reader, asked)?;
        let Some(analytics) = self.inner.analytics.get() else {
            return Err(AskError::Unavailable("usage is not counted here".to_owned()));
        };
        let (from, to) = range(asked.from, asked.to, DAY_MINUTES, self.inner.config.clock.now());
        let question = Question { from, to, ..asked.question.clone() };
        let told = analytics.answer(&ask.tenant, scope, question).await.map_err(refusal)?;
        let keys = if asked.question.group_by.contains(&Dimension::Prompt) {
            let prompts: BTreeSet<PromptId> = told.groups.iter().map(|group| group.dims.prompt).collect();
            let named = prompts.into_iter().filter_map(|id| Some((id, catalog.state.prompt(id)?.key.clone())));
            named.collect()
        } else {
            std::collections::BTreeMap::new()
        };
        let as_of = catalog.position();
        let [from, to] = [from, to].map(|minute| Timestamp::from_micros(i64::from(minute) * MINUTE_MICROS));
        let answer = Answer::Analytics(Box::new(AnalyticsAnswer { from, to, told, keys }));
        Ok(Reply { as_of, answer, cut: false })
    }
}

impl Shelf {
    /// Counts a search if it found nothing. Later pages, and searches for nothing, are none.
    pub(super) fn note_searched(&self, ask: &Ask, reply: &Reply) {
        let (Asked::Search(search), Answer::Found(found)) = (&ask.question, &reply.answer) else { return };
        if found.total > 0 || search.after.is_some() {
            return;
        }
        if let (Some(analytics), Some(text)) = (self.inner.analytics.get(), searches::plain(&search.query)) {
            analytics.nothing_found(&ask.tenant, &text, search.filters != Filters::default());
        }
    }

    /// Answers what was searched for and not found. It is of no prompt, so it takes the right on the whole tenant.
    pub(super) async fn not_found(
        &self,
        catalog: &Arc<Open<Hot>>,
        reader: &Reader,
        ask: &Ask,
        asked: &AskEmptySearches,
    ) -> Result<Reply, AskError> {
        if !catalog.state.access.rights_of(reader).prefixes(Action::ReadAnalytics).iter().any(Prefix::is_tenant) {
            return Err(AskError::AnalyticsHidden(Prefix::tenant()));
        }
        let Some(analytics) = self.inner.analytics.get() else {
            return Err(AskError::Unavailable("usage is not counted here".to_owned()));
        };
        let today = searches::day(self.inner.config.clock.now());
        let last = asked.to.map_or(today, |to| searches::day(to.plus_ms(-1)));
        let first = asked.from.map_or(0, searches::day);
        let told = analytics.searches(&ask.tenant, first..=last, asked.limit).await;
        let (first, told) = told.map_err(refusal)?;
        let (from, to) = (searches::begins(first), searches::begins(last.saturating_add(1).max(first)));
        let answer = Answer::EmptySearches(Box::new(EmptySearches { from, to, told }));
        Ok(Reply { as_of: catalog.position(), answer, cut: false })
    }

    /// Tenants whose usage can't be counted now.
    pub(super) fn uncounted(&self) -> Vec<Stopped> {
        let failing = self.inner.analytics.get().map(Analytics::failing).unwrap_or_default();
        failing.into_iter().map(|(tenant, reason)| Stopped { tenant, view: VIEW.to_owned(), reason }).collect()
    }
}

/// The prompts that the reader may be told of and asks about.
fn scope(catalog: &Hot, reader: &Reader, asked: &AskAnalytics) -> Result<Scope, AskError> {
    if let Some(which) = &asked.prompt {
        return Ok(Scope::These(BTreeSet::from([named(catalog, reader, which)?.id])));
    }
    let caller = catalog.access.rights_of(reader);
    let prefixes = caller.prefixes(Action::ReadAnalytics);
    if prefixes.is_empty() {
        return Err(AskError::AnalyticsHidden(Prefix::tenant()));
    }
    if prefixes.iter().any(Prefix::is_tenant) && asked.prefix.is_empty() {
        return Ok(Scope::All);
    }
    let seen = |key: &str| key.starts_with(&asked.prefix) && prefixes.iter().any(|prefix| prefix.covers(key));
    let rows = catalog.prompts().filter(|row| seen(row.key.as_str()));
    Ok(Scope::These(rows.map(|row| row.id).collect()))
}

/// The prompt that is asked about, of which the reader may be told.
pub(super) fn named<'c>(catalog: &'c Hot, reader: &Reader, which: &PromptRef) -> Result<&'c Arc<PromptRow>, AskError> {
    let row = match which {
        PromptRef::Key(key) => catalog.holder(key),
        PromptRef::Id(id) => catalog.prompt(*id),
    };
    let sight = Sight::new(catalog, reader);
    let row = row.filter(|row| sight.key(row.key.as_str())).ok_or(AskError::PromptNotFound)?;
    match catalog.access.rights_of(reader).grant(Action::ReadAnalytics, row.key.as_str()) {
        Some(_) => Ok(row),
        None => Err(AskError::AnalyticsHidden(Prefix::of(row.key.as_str()))),
    }
}

/// The minutes since 1970 that are asked about, from the first up to and without the second: whole ones, so more than was said.
/// Without `from` it is so many minutes before the end.
pub(super) fn range(from: Option<Timestamp>, to: Option<Timestamp>, minutes: u32, now: Timestamp) -> (u32, u32) {
    let minute = |micros: i64| u32::try_from(micros.div_euclid(MINUTE_MICROS)).unwrap_or_default();
    let ended = |micros: i64| minute(micros.saturating_add(MINUTE_MICROS - 1));
    // What was recorded ahead of this clock counts as of now.
    let to = to.map_or_else(|| minute(now.plus_ms(limits::USAGE_AHEAD_MAX_MS).micros()) + 1, |to| ended(to.micros()));
    let from = from.map_or_else(|| to.saturating_sub(minutes), |from| minute(from.micros()));
    (from, to)
}

pub(super) fn refusal(error: AnalyticsError) -> AskError {
    match error {
        AnalyticsError::TooMany(_) => AskError::TooManyGroups,
        other => AskError::Unavailable(other.to_string()),
    }
}
