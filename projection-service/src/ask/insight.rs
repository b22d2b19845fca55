//! What is asked of prompts as a whole: who takes them up, how long they took to get there, which nobody needs any more.
//!
//! The catalog says what prompts are and how they came to be, the analytics how they are run. Each answer is of both.

use promptory_events::{Label, PromptId, PromptKey, Timestamp};
use promptory_usage::adoption::{AllUses, Uses};
use promptory_usage::page::Grain;
use serde::{Deserialize, Serialize};

use super::PromptRef;

/// Which prompts, and which page of them: live ones on which the caller may `read-analytics`, by key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskInsight {
    /// Only keys that begin with this.
    pub prefix: String,
    /// Only this prompt.
    pub prompt: Option<PromptRef>,
    /// Only after this key: a later page, which has no figures of all.
    pub after: Option<PromptKey>,
    /// At most so many prompts (1 to 1,000).
    pub limit: usize,
    /// What.
    pub what: What,
}

/// What is asked of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// Who takes them up.
    Adoption {
        /// From this time on; 30 days before `to` if nothing is said.
        from: Option<Timestamp>,
        /// Before this time; now if nothing is said.
        to: Option<Timestamp>,
        /// Executions of versions are told by buckets of this length.
        step: Option<Grain>,
        /// Only prompts that have this label.
        label: Option<Label>,
    },
    /// How long it took until a label first pointed to a version of theirs.
    LeadTime {
        /// Which label.
        label: Label,
        /// Only if it first did so at this time or later.
        from: Option<Timestamp>,
        /// Only if it did so before.
        to: Option<Timestamp>,
    },
    /// Which nobody runs or nobody changes.
    Stale {
        /// For so many days.
        days: u32,
        /// Which of the two.
        kind: StaleKind,
        /// Only prompts that have this label.
        label: Option<Label>,
    },
}

/// In which way a prompt is stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StaleKind {
    /// In one way or the other.
    #[default]
    Any,
    /// Nobody has run it.
    Unused,
    /// Nobody has changed it.
    Unchanged,
    /// In both.
    Both,
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Insight {
    /// To `Adoption`.
    Adoption {
        /// The first minute that was looked at.
        from: Timestamp,
        /// The first one beyond.
        to: Timestamp,
        /// The prompts.
        page: Page<Adopted>,
        /// Of all of them; on the first page.
        total: Option<AllAdopted>,
    },
    /// To `LeadTime`.
    LeadTime {
        /// Those that got there.
        page: Page<Lead>,
        /// Of all of them; on the first page.
        total: Option<AllLeads>,
    },
    /// To `Stale`.
    Stale {
        /// Whatever was not run or changed since then is stale.
        since: Timestamp,
        /// The prompts.
        page: Page<Stale>,
    },
}

/// Some prompts, by key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// Them.
    pub items: Vec<T>,
    /// The last key that was looked at; `None`: there are no more.
    pub next: Option<PromptKey>,
}

/// A prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its identity.
    pub id: PromptId,
    /// What it is called now.
    pub key: PromptKey,
}

/// How often a prompt is used again, as far as the reader may read where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reuse {
    /// Prompts that were forked from it, archived ones too.
    pub forks: u64,
    /// Prompts with a version that includes it and that a label or a branch leads to.
    pub dependents: u64,
}

/// How a prompt is taken up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// Which.
    pub prompt: Named,
    /// How it is used again.
    pub reuse: Reuse,
    /// How it is run.
    pub uses: Uses,
}

/// How all prompts of a question are taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllAdopted {
    /// How many prompts these are the figures of.
    pub prompts: u64,
    /// Whether those are all that the question is about.
    pub complete: bool,
    /// Forks and dependents, added up.
    pub reuse: Reuse,
    /// How they are run.
    pub uses: AllUses,
}

/// How a prompt got to where a label points. Effective times: imports may claim earlier ones than they were recorded at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lead {
    /// Which.
    pub prompt: Named,
    /// When it was created, with its first version.
    pub created_at: Timestamp,
    /// The version that the label first pointed to.
    pub version: u32,
    /// When that was added.
    pub version_at: Timestamp,
    /// When the release was approved that moved the label, if one did.
    pub approved_at: Option<Timestamp>,
    /// When the label pointed to it.
    pub moved_at: Timestamp,
}

/// How long it took. In microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Took {
    /// From the creation to the version.
    pub to_version: i64,
    /// From the version to the approval.
    pub to_approval: Option<i64>,
    /// From the version to the label.
    pub to_label: i64,
    /// From the creation to the label.
    pub whole: i64,
}

/// Medians of how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllLeads {
    /// How many prompts were looked at.
    pub prompts: u64,
    /// Whether those are all that the question is about.
    pub complete: bool,
    /// How many of them got there.
    pub released: u64,
    /// The medians; `None` if none did. Those of approvals are of the prompts that were approved.
    pub medians: Option<Took>,
}

/// A prompt that nobody seems to need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stale {
    /// Which.
    pub prompt: Named,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// The minute in which it was last run.
    pub executed_at: Option<Timestamp>,
    /// Whether nobody has run it; a prompt that is younger could not be run.
    pub unused: bool,
    /// Whether nobody has changed it.
    pub unchanged: bool,
}

impl Lead {
    /// How long each step took; none is negative.
    #[must_use]
    pub fn took(&self) -> Took {
        let between = |from: Timestamp, to: Timestamp| to.micros().saturating_sub(from.micros()).max(0);
        Took {
            to_version: between(self.created_at, self.version_at),
            to_approval: self.approved_at.map(|approved_at| between(self.version_at, approved_at)),
            to_label: between(self.version_at, self.moved_at),
            whole: between(self.created_at, self.moved_at),
        }
    }
}

impl Took {
    /// The medians of each part; `None` of nothing.
    #[must_use]
    pub fn medians(all: &[Self]) -> Option<Self> {
        let of = |part: fn(&Self) -> Option<i64>| median(all.iter().filter_map(part).collect());
        Some(Self {
            to_version: of(|took| Some(took.to_version))?,
            to_approval: of(|took| took.to_approval),
            to_label: of(|took| Some(took.to_label))?,
            whole: of(|took| Some(took.whole))?,
        })
    }
}

/// The one in the middle, or what lies half-way between the two that are.
fn median(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    let upper = *values.get(values.len() / 2)?;
    match values.len() % 2 {
        0 => values.get(values.len() / 2 - 1).map(|lower| lower + (upper - lower) / 2),
        _ => Some(upper),
    }
}

impl Insight {
    /// Leaves the second half of the page out. False: there is nothing to leave out.
    pub(crate) fn halve(&mut self) -> bool {
        fn halved<T>(page: &mut Page<T>, key: impl Fn(&T) -> &Named) -> bool {
            let half = page.items.len().div_ceil(2);
            let shorter = half < page.items.len();
            page.items.truncate(half);
            if shorter {
                page.next = page.items.last().map(|item| key(item).key.clone());
            }
            shorter
        }
        match self {
            Self::Adoption { page, .. } => halved(page, |item| &item.prompt),
            Self::LeadTime { page, .. } => halved(page, |item| &item.prompt),
            Self::Stale { page, .. } => halved(page, |item| &item.prompt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_one_in_the_middle() {
        let of = |values: &[i64]| median(values.to_vec());
        assert_eq!(
            [of(&[]), of(&[7]), of(&[9, 1, 5]), of(&[8, 2]), of(&[4, 1, 2, 9])],
            [None, Some(7), Some(5), Some(5), Some(3)]
        );
    }
}
