//! Which records a filter means: the range of rows that they are found in, and what is left to be seen record by record.

use promptory_events::Timestamp;

use super::block::Posting;
use super::chunk::Records;
use super::record::RecordRow;
use crate::ask::{AuditFilter, Outcome};
use crate::store::rows::{RowError, Rows};
use crate::views::catalog::row;

/// Records from an index to another, both included, and by what they are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first index.
    pub low: u64,
    /// The last one.
    pub high: u64,
    /// What they have in common; nothing: all of them.
    pub by: Option<By>,
}

/// What of a filter records are found by: the first of these that it names, which is the narrowest, mostly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The target.
    Target(Posting),
    /// The actor.
    Actor(Posting),
    /// That it was denied.
    Denied(Posting),
    /// The action.
    Action(Posting),
}

impl By {
    /// The posting.
    #[must_use]
    pub fn posting(self) -> Posting {
        let (Self::Target(posting) | Self::Actor(posting) | Self::Denied(posting) | Self::Action(posting)) = self;
        posting
    }
}

impl Span {
    /// By the narrowest that a filter names, up to and with the event `end`; `None` if nothing can be in it.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn of(filter: &AuditFilter, records: &Records<'_, impl Rows>, end: u64) -> Result<Option<Self>, RowError> {
        let by = match filter {
            AuditFilter { target: Some(target), .. } => Some(By::Target(Posting::target(target))),
            AuditFilter { actor: Some(actor), .. } => Some(By::Actor(Posting::actor(*actor))),
            AuditFilter { outcome: Some(Outcome::Denied), .. } => Some(By::Denied(Posting::denied())),
            AuditFilter { action: Some(action), .. } => Some(By::Action(Posting::action(action))),
            _ => None,
        };
        let mut low = filter.from.unwrap_or(0);
        let mut past = filter.to.unwrap_or(end).min(end).saturating_add(1);
        if let Some(since) = filter.since {
            low = low.max(first(records, end, |time| time >= since)?);
        }
        if let Some(until) = filter.until {
            past = past.min(first(records, end, |time| time >= until)?);
        }
        Ok((low < past).then(|| Self { low, high: past - 1, by }))
    }

    /// Whether every record that is found by the posting, or every one if there is none, is one that the filter means, so that
    /// it need not be looked at.
    #[must_use]
    pub fn is_all(&self, filter: &AuditFilter) -> bool {
        let AuditFilter { actor, author, action, target, prefix, role, outcome, words, .. } = filter;
        let others = [author.is_some(), prefix.is_some(), role.is_some(), words.is_some()];
        let named = [
            target.is_some() && !matches!(self.by, Some(By::Target(_))),
            actor.is_some() && !matches!(self.by, Some(By::Actor(_))),
            action.is_some() && !matches!(self.by, Some(By::Action(_))),
            outcome.is_some() && !matches!(self.by, Some(By::Denied(_))),
        ];
        !others.into_iter().chain(named).any(|is| is)
    }
}

/// The first index whose record's time passes; times never go back. By halving.
fn first(records: &Records<'_, impl Rows>, end: u64, passes: impl Fn(Timestamp) -> bool) -> Result<u64, RowError> {
    // Nothing below `low` passes, everything from `high` on does.
    let (mut low, mut high) = (0, end.saturating_add(1));
    while low < high {
        let middle = low + (high - low) / 2;
        if passes(row::take("record", &records.get(middle)?)?) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

/// Whether a record is one that the filter means, but for the time, the author and the words.
#[must_use]
pub fn means(filter: &AuditFilter, record: &RecordRow) -> bool {
    let AuditFilter { actor, action, target, prefix, role, outcome, .. } = filter;
    let below = |prefix: &String| match &record.key {
        Some(key) => {
            let keys = [Some(key), record.key_before.as_ref()];
            keys.into_iter().flatten().any(|key| key.as_str().starts_with(prefix.as_str()))
        }
        None => record.prompt.is_none() && record.place.as_str().starts_with(prefix.as_str()),
    };
    actor.is_none_or(|actor| record.actor == actor)
        && action.as_ref().is_none_or(|action| record.action == *action)
        && target.as_ref().is_none_or(|target| record.targets.contains(target))
        && prefix.as_ref().is_none_or(below)
        && role.as_ref().is_none_or(|role| record.roles.contains(role))
        && outcome.is_none_or(|outcome| record.outcome == outcome)
}

/// Whether a message holds each of the words, in any case of letters. A word is what stands between spaces.
#[must_use]
pub fn says(message: Option<&str>, words: &str) -> bool {
    let message = message.unwrap_or_default().to_lowercase();
    words.to_lowercase().split_whitespace().all(|word| message.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_any_case_and_all_of_them() {
        assert!(says(Some("Fix the GREETING, again"), "greeting fix"));
        assert!(!says(Some("Fix the greeting"), "fix footer"));
        assert!(says(Some("修复下棋提示"), "下棋"));
        assert!(!says(None, "fix") && says(None, " "));
    }
}
