//! Questions about prompts as a whole: what the catalog says of them and what is counted of them, put together here and nowhere
//! else.
//!
//! One question looks at [`LOOKED_AT_MAX`] prompts at most, by key, whatever the tenant has: figures of all say whether they are
//! complete, and a page may be short and says where the next one begins.

use std::collections::BTreeSet;
use std::sync::Arc;

use promptory_domain::access::Action;
use promptory_events::{Label, Prefix, PromptKey, Timestamp};
use promptory_usage::page::Grain;

use super::Shelf;
use super::analytics::{DAY_MINUTES, MINUTE_MICROS, named, range, refusal};
use super::slot::{Open, Slot};
use crate::analytics::{Analytics, Scope};
use crate::ask::insight::{
    Adopted, AllAdopted, AllLeads, AskInsight, Insight, Lead, Named, Page, Reuse, Stale, StaleKind, Took, What,
};
use crate::ask::{Answer, Ask, AskError, Reply};
use crate::hot::Hot;
use crate::hot::access::Reader;
use crate::store::guarded;
use crate::store::rows::{RowError, Rows};
use crate::views::catalog::answer::{Desk, page};
use crate::views::catalog::point::{AnswerError, Model};
use crate::views::catalog::row::PromptRow;
use crate::views::catalog::sight::Sight;

/// Prompts that one question looks at.
const LOOKED_AT_MAX: usize = 10_000;
/// Of those that are looked at together.
const CHUNK: usize = 1_000;
/// Forks and versions that include prompts that one question looks at, about.
const REUSE_LOOKED_AT_MAX: usize = 100_000;
/// How far a question about adoption goes back unless it says so.
const ADOPTION_DAYS: u32 = 30;
const DAY_MS: i64 = 24 * 3_600_000;

impl Shelf {
    /// Answers a question about prompts as a whole, for a reader who was let in.
    pub(super) async fn insight(
        &self,
        slot: &Arc<Slot<Hot>>,
        open: Arc<Open<Hot>>,
        reader: Reader,
        ask: &Ask,
        asked: &AskInsight,
    ) -> Result<Reply, AskError> {
        let Some(analytics) = self.inner.analytics.get() else {
            return Err(AskError::Unavailable("usage is not counted here".to_owned()));
        };
        // Not held while it is repaired: a store is closed once nobody holds it.
        let store = Arc::downgrade(&open.store);
        let told = Asking::new(self, analytics, slot, open, &reader)?.told(ask, asked).await;
        let (as_of, insight) = match told {
            Err(AnswerError::Row(error)) => {
                let open = self.catalog().reopened(slot, store, &error).await?;
                Asking::new(self, analytics, slot, open, &reader)?.told(ask, asked).await?
            }
            told => told?,
        };
        Ok(Reply { as_of, answer: Answer::Insight(Box::new(insight)), cut: false })
    }
}

/// One asking.
struct Asking<'a> {
    shelf: &'a Shelf,
    analytics: &'a Analytics,
    slot: &'a Arc<Slot<Hot>>,
    open: Arc<Open<Hot>>,
    reader: &'a Reader,
    /// Where the reader may read what is counted.
    prefixes: Vec<Prefix>,
}

/// Some prompts.
struct Walked {
    rows: Vec<Arc<PromptRow>>,
    /// The last key that was looked at, if there are more.
    next: Option<PromptKey>,
}

/// What is at hand on a thread that may block.
struct Hand<'d, R> {
    desk: Desk<'d, R>,
    /// What the reader may read.
    sight: Sight<'d>,
    /// Where he may read what is counted.
    counted: Sight<'d>,
}

type Told = (Option<promptory_events::Position>, Insight);

impl<'a> Asking<'a> {
    fn new(
        shelf: &'a Shelf,
        analytics: &'a Analytics,
        slot: &'a Arc<Slot<Hot>>,
        open: Arc<Open<Hot>>,
        reader: &'a Reader,
    ) -> Result<Self, AskError> {
        let prefixes = open.state.access.rights_of(reader).prefixes(Action::ReadAnalytics);
        if prefixes.is_empty() {
            return Err(AskError::AnalyticsHidden(Prefix::tenant()));
        }
        Ok(Self { shelf, analytics, slot, open, reader, prefixes })
    }

    async fn told(&self, ask: &Ask, asked: &AskInsight) -> Result<Told, AnswerError> {
        let now = self.shelf.inner.config.clock.now();
        let insight = match &asked.what {
            What::Adoption { from, to, step, label } => {
                let range = range(*from, *to, ADOPTION_DAYS * DAY_MINUTES, now);
                self.adoption(ask, asked, range, *step, label.clone()).await?
            }
            What::LeadTime { label, from, to } => self.lead_time(asked, label.clone(), (*from, *to)).await?,
            What::Stale { days, kind, label } => {
                let since = now.plus_ms(i64::from(*days).saturating_mul(DAY_MS).saturating_neg());
                self.stale(ask, asked, since, *kind, label.as_ref()).await?
            }
        };
        Ok((self.open.position(), insight))
    }

    async fn adoption(
        &self,
        ask: &Ask,
        asked: &AskInsight,
        range: (u32, u32),
        step: Option<Grain>,
        label: Option<Label>,
    ) -> Result<Insight, AnswerError> {
        let limit = page(asked.limit);
        let wanted = if asked.after.is_some() { limit } else { LOOKED_AT_MAX };
        let walked = self.walk(asked, asked.after.clone(), wanted, label).await?;
        let reuse = self.blocking(Reuses(walked.rows.clone())).await?;
        let scope = Scope::These(walked.rows.iter().map(|row| row.id).collect());
        let counted = self.analytics.adoption(&ask.tenant, scope, range, step).await.map_err(refusal)?;
        let items = walked.rows.iter().zip(&reuse).take(limit).map(|(row, reuse)| Adopted {
            prompt: Named::of(row),
            reuse: *reuse,
            uses: counted.of(row.id),
        });
        let items: Vec<_> = items.collect();
        let whole = reuse.len() == walked.rows.len();
        let next = match items.len() < walked.rows.len() {
            true => items.last().map(|item| item.prompt.key.clone()),
            false => walked.next.clone(),
        };
        let sum = |of: fn(&Reuse) -> u64| reuse.iter().map(of).fold(0, u64::saturating_add);
        let total = asked.after.is_none().then(|| AllAdopted {
            prompts: walked.rows.len() as u64,
            complete: whole && walked.next.is_none(),
            reuse: Reuse { forks: sum(|one| one.forks), dependents: sum(|one| one.dependents) },
            uses: counted.together(),
        });
        let [from, to] = [range.0, range.1].map(|minute| Timestamp::from_micros(i64::from(minute) * MINUTE_MICROS));
        Ok(Insight::Adoption { from, to, page: Page { items, next }, total })
    }

    async fn lead_time(
        &self,
        asked: &AskInsight,
        label: Label,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
    ) -> Result<Insight, AnswerError> {
        let (limit, first) = (page(asked.limit), asked.after.is_none());
        let wanted = if first { LOOKED_AT_MAX } else { CHUNK };
        let Walked { rows, next } = self.walk(asked, asked.after.clone(), wanted, None).await?;
        let prompts = rows.len() as u64;
        let mut items = self.blocking(Leads(rows, label)).await?;
        items.retain(|lead| from.is_none_or(|from| from <= lead.moved_at) && to.is_none_or(|to| lead.moved_at < to));
        let total = first.then(|| AllLeads {
            prompts,
            complete: next.is_none(),
            released: items.len() as u64,
            medians: Took::medians(&items.iter().map(Lead::took).collect::<Vec<_>>()),
        });
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(|lead| lead.prompt.key.clone()) } else { next };
        Ok(Insight::LeadTime { page: Page { items, next }, total })
    }

    async fn stale(
        &self,
        ask: &Ask,
        asked: &AskInsight,
        since: Timestamp,
        kind: StaleKind,
        label: Option<&Label>,
    ) -> Result<Insight, AnswerError> {
        let limit = page(asked.limit);
        let (mut items, mut at) = (Vec::new(), asked.after.clone());
        for _ in 0..LOOKED_AT_MAX / CHUNK {
            let Walked { rows, next } = self.walk(asked, at.take(), CHUNK, label.cloned()).await?;
            let ids: BTreeSet<_> = rows.iter().map(|row| row.id).collect();
            let last = self.analytics.last(&ask.tenant, ids).await.map_err(refusal)?;
            let executed = |row: Arc<PromptRow>| {
                let at = last.get(&row.id).map(|minute| Timestamp::from_micros(i64::from(*minute) * MINUTE_MICROS));
                (row, at)
            };
            let rows = rows.into_iter().map(executed).collect();
            items.extend(self.blocking(Stales { rows, since, kind }).await?);
            at = next;
            if items.len() > limit {
                items.truncate(limit);
                at = items.last().map(|item: &Stale| item.prompt.key.clone());
            }
            if at.is_none() || items.len() == limit {
                break;
            }
        }
        Ok(Insight::Stale { since, page: Page { items, next: at } })
    }

    /// Up to so many prompts that are asked about, after a key: fewer if too many had to be looked at.
    async fn walk(
        &self,
        asked: &AskInsight,
        after: Option<PromptKey>,
        wanted: usize,
        label: Option<Label>,
    ) -> Result<Walked, AnswerError> {
        if let Some(which) = &asked.prompt {
            let row = named(&self.open.state, self.reader, which)?;
            let rows = Some(row.clone()).filter(|row| has(row, label.as_ref())).into_iter().collect();
            return Ok(Walked { rows, next: None });
        }
        self.blocking(Walk { prefix: asked.prefix.clone(), after, wanted, label }).await
    }

    /// Reads on a thread that may block.
    async fn blocking<L: Look>(&self, look: L) -> Result<L::Seen, AnswerError> {
        let (shelf, slot, open) = (self.shelf.clone(), self.slot.clone(), self.open.clone());
        let (reader, prefixes) = (self.reader.clone(), self.prefixes.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let hot = &open.state;
            let model = Model { rows: open.store.rows(), hot };
            let desk =
                Desk { tenant: &slot.tenant, model, keys: &shelf.inner.keys, opened: None, past: None, shown: None };
            let hand = Hand { desk, sight: Sight::new(hot, &reader), counted: Sight::within(hot, prefixes) };
            guarded(|| Ok(look.at(&hand)))
        });
        Ok(reading.await.map_err(|error| RowError::Store(error.to_string()))???)
    }
}

fn has(row: &PromptRow, label: Option<&Label>) -> bool {
    label.is_none_or(|label| row.labels.contains_key(label))
}

/// Something that is read from the catalog on a thread that may block.
trait Look: Send + 'static {
    /// What is seen.
    type Seen: Send + 'static;

    /// Reads it.
    fn at<R: Rows>(self, hand: &Hand<'_, R>) -> Result<Self::Seen, RowError>;
}

/// The next prompts of a prefix that have a label, if one is asked for.
struct Walk {
    prefix: String,
    after: Option<PromptKey>,
    wanted: usize,
    label: Option<Label>,
}

impl Look for Walk {
    type Seen = Walked;

    fn at<R: Rows>(self, hand: &Hand<'_, R>) -> Result<Walked, RowError> {
        let Self { prefix, after: mut last, wanted, label } = self;
        let (mut rows, mut looked_at) = (Vec::new(), 0);
        loop {
            let size = CHUNK.min(LOOKED_AT_MAX - looked_at).min(wanted);
            let chunk = hand.desk.live(&prefix, last.as_ref(), size, &hand.counted)?;
            let ended = chunk.len() < size;
            looked_at += chunk.len();
            for row in chunk {
                last = Some(row.key.clone());
                if has(&row, label.as_ref()) {
                    rows.push(row);
                }
                if rows.len() == wanted {
                    break;
                }
            }
            if ended && rows.len() < wanted {
                return Ok(Walked { rows, next: None });
            }
            if rows.len() == wanted || looked_at == LOOKED_AT_MAX {
                let more = hand.desk.live(&prefix, last.as_ref(), 1, &hand.counted)?;
                return Ok(Walked { rows, next: last.filter(|_| !more.is_empty()) });
            }
        }
    }
}

/// How prompts are used again; not of all of them if that takes too long.
struct Reuses(Vec<Arc<PromptRow>>);

impl Look for Reuses {
    type Seen = Vec<Reuse>;

    fn at<R: Rows>(self, hand: &Hand<'_, R>) -> Result<Vec<Reuse>, RowError> {
        let (mut reuses, mut looked_at) = (Vec::with_capacity(self.0.len()), 0);
        for row in self.0 {
            if looked_at >= REUSE_LOOKED_AT_MAX {
                break;
            }
            let (reuse, looked) = hand.desk.reuse(row.id, &hand.sight)?;
            looked_at += looked;
            reuses.push(reuse);
        }
        Ok(reuses)
    }
}

/// Those prompts that a label has pointed to, and how they got there.
struct Leads(Vec<Arc<PromptRow>>, Label);

impl Look for Leads {
    type Seen = Vec<Lead>;

    fn at<R: Rows>(self, hand: &Hand<'_, R>) -> Result<Vec<Lead>, RowError> {
        self.0.iter().filter_map(|row| hand.desk.lead(row, &self.1).transpose()).collect()
    }
}

/// Those prompts that are stale, of some with when they were last run.
struct Stales {
    rows: Vec<(Arc<PromptRow>, Option<Timestamp>)>,
    since: Timestamp,
    kind: StaleKind,
}

impl Look for Stales {
    type Seen = Vec<Stale>;

    fn at<R: Rows>(self, hand: &Hand<'_, R>) -> Result<Vec<Stale>, RowError> {
        let mut stales = Vec::new();
        for (row, executed_at) in self.rows {
            let unchanged = row.changed_at < self.since;
            let unused = match executed_at {
                Some(executed_at) => executed_at < self.since,
                None => unchanged || hand.desk.created(&row)? < self.since,
            };
            let wanted = match self.kind {
                StaleKind::Any => unused || unchanged,
                StaleKind::Unused => unused,
                StaleKind::Unchanged => unchanged,
                StaleKind::Both => unused && unchanged,
            };
            if wanted {
                let (prompt, changed_at) = (Named::of(&row), row.changed_at);
                stales.push(Stale { prompt, changed_at, executed_at, unused, unchanged });
            }
        }
        Ok(stales)
    }
}
