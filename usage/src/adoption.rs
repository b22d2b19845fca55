//! Who runs a prompt and which of its versions: distinct callers exactly, executions by version and time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use promptory_events::{PromptId, limits};
use serde::{Deserialize, Serialize};

use crate::page::Grain;
use crate::query::TooMany;
use crate::rows::Dims;
use crate::tally::Tally;

/// Callers that are held while a question is answered: of each prompt, and of all of them together.
const CALLERS_HELD_MAX: usize = 1_000_000;

/// Executions of a version within a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionCount {
    /// The minute since 1970 at which the bucket begins; 0 if all is one.
    pub at: u32,
    /// Which version.
    pub version: u32,
    /// Executions.
    pub count: u64,
}

/// How much a prompt is used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uses {
    /// Executions.
    pub executions: u64,
    /// Those that ended with an error.
    pub errors: u64,
    /// Distinct callers; executions that say none have none.
    pub callers: u64,
    /// Executions by bucket and version, in order.
    pub versions: Vec<VersionCount>,
}

/// How much some prompts are used together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllUses {
    /// Prompts that were executed.
    pub prompts: u64,
    /// Executions.
    pub executions: u64,
    /// Those that ended with an error.
    pub errors: u64,
    /// Distinct callers.
    pub callers: u64,
}

/// Rows -> how much each prompt is used.
///
/// Callers are told apart by 64 bits of a hash. So the count is exact but for a collision, whose chance among a million
/// callers is below one in ten million.
#[derive(Debug)]
pub struct Adoption {
    range: (u32, u32),
    step: Option<Grain>,
    prompts: HashMap<PromptId, Counting>,
    callers: HashSet<u64>,
    held: usize,
}

#[derive(Debug, Default)]
struct Counting {
    executions: u64,
    errors: u64,
    callers: HashSet<u64>,
    versions: BTreeMap<(u32, u32), u64>,
}

impl Adoption {
    /// Of the minutes from one up to and without another, in buckets of `step`; none: all is one.
    #[must_use]
    pub fn new(range: (u32, u32), step: Option<Grain>) -> Self {
        Self { range, step, prompts: HashMap::new(), callers: HashSet::new(), held: 0 }
    }

    /// Takes a row in if its bucket is in the range that was read and in the one that was asked about.
    ///
    /// # Errors
    /// There are more callers, or more versions in more buckets, than are held.
    pub fn take(&mut self, read: (u32, u32), row: (u32, &Dims, &Tally)) -> Result<(), TooMany> {
        let (bucket, dims, tally) = row;
        if !(read.0..read.1).contains(&bucket) || !(self.range.0..self.range.1).contains(&bucket) || tally.count == 0 {
            return Ok(());
        }
        let prompt = self.prompts.entry(dims.prompt).or_default();
        prompt.executions = prompt.executions.saturating_add(tally.count);
        prompt.errors = prompt.errors.saturating_add(tally.errors);
        if let Some(caller) = &dims.caller {
            let caller = hashed(caller);
            self.held += usize::from(prompt.callers.insert(caller)) + usize::from(self.callers.insert(caller));
        }
        let at = self.step.map_or(0, |step| step.bucket(bucket));
        let count = prompt.versions.entry((at, dims.version)).or_default();
        *count = count.saturating_add(tally.count);
        let too_many = self.held > 2 * CALLERS_HELD_MAX || prompt.versions.len() > limits::USAGE_GROUPS_MAX;
        if too_many { Err(TooMany) } else { Ok(()) }
    }

    /// All of them together.
    #[must_use]
    pub fn together(&self) -> AllUses {
        let sum = |of: fn(&Counting) -> u64| self.prompts.values().map(of).fold(0, u64::saturating_add);
        AllUses {
            prompts: self.prompts.len() as u64,
            executions: sum(|one| one.executions),
            errors: sum(|one| one.errors),
            callers: self.callers.len() as u64,
        }
    }

    /// One of them; nothing of one that was not executed.
    #[must_use]
    pub fn of(&self, prompt: PromptId) -> Uses {
        let Some(counted) = self.prompts.get(&prompt) else { return Uses::default() };
        let version =
            |((at, version), count): (&(u32, u32), &u64)| VersionCount { at: *at, version: *version, count: *count };
        Uses {
            executions: counted.executions,
            errors: counted.errors,
            callers: counted.callers.len() as u64,
            versions: counted.versions.iter().map(version).collect(),
        }
    }
}

/// The same for the same name within a process, which is all that counting needs.
fn hashed(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// A row: minute, prompt, version, caller, executions, errors.
    type Row = (u32, u8, u32, Option<u8>, u64, u64);

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let row = (0..300_u32, 0..4_u8, 1..4_u32, proptest::option::of(0..6_u8), 0..5_u64, 0..2_u64);
        proptest::collection::vec(row, 0..200)
    }

    fn taken(rows: &[Row], range: (u32, u32), step: Option<Grain>) -> Adoption {
        let mut adoption = Adoption::new(range, step);
        for (minute, prompt, version, caller, count, errors) in rows {
            let caller = caller.map(|caller| format!("c{caller}"));
            let prompt = PromptId([*prompt; 16]);
            let dims = Dims { prompt, version: *version, label: None, arm: None, model: None, caller };
            let tally = Tally { count: *count, errors: *errors, ..Tally::default() };
            adoption.take((0, u32::MAX), (*minute, &dims, &tally)).unwrap();
        }
        adoption
    }

    proptest! {
        #[test]
        fn it_is_what_counting_by_hand_says(rows in rows(), from in 0..150_u32, length in 1..200_u32) {
            let range = (from, from + length);
            for step in [None, Some(Grain::Minute), Some(Grain::Hour)] {
                let adoption = taken(&rows, range, step);
                let counted: Vec<&Row> =
                    rows.iter().filter(|row| (range.0..range.1).contains(&row.0) && row.4 > 0).collect();
                let callers = |rows: &[&Row]| rows.iter().filter_map(|row| row.3).collect::<BTreeSet<_>>().len() as u64;
                let together = adoption.together();
                prop_assert_eq!(together.executions, counted.iter().map(|row| row.4).sum::<u64>());
                prop_assert_eq!(together.callers, callers(&counted));
                prop_assert_eq!(together.prompts, counted.iter().map(|row| row.1).collect::<BTreeSet<_>>().len() as u64);
                for prompt in 0..4_u8 {
                    let own: Vec<&Row> = counted.iter().filter(|row| row.1 == prompt).copied().collect();
                    let uses = adoption.of(PromptId([prompt; 16]));
                    prop_assert_eq!(uses.executions, own.iter().map(|row| row.4).sum::<u64>());
                    prop_assert_eq!(uses.errors, own.iter().map(|row| row.5).sum::<u64>());
                    prop_assert_eq!(uses.callers, callers(&own));
                    let mut versions = BTreeMap::<(u32, u32), u64>::new();
                    for row in own {
                        *versions.entry((step.map_or(0, |step| step.bucket(row.0)), row.2)).or_default() += row.4;
                    }
                    let told: Vec<_> = uses.versions.iter().map(|one| ((one.at, one.version), one.count)).collect();
                    prop_assert_eq!(told, versions.into_iter().collect::<Vec<_>>());
                }
            }
        }
    }
}
