//! Tallies by minute and dimensions, and their bytes: sorted, each name written once.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use promptory_events::PromptId;
use serde::{Deserialize, Serialize};

use crate::record::Execution;
use crate::tally::Tally;
use crate::{DecodeError, decode, encode};

/// What an execution is counted under, besides its minute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Dims {
    /// Which prompt.
    pub prompt: PromptId,
    /// Which version.
    pub version: u32,
    /// By which label it was asked for.
    pub label: Option<String>,
    /// Which arm of a rollout it was.
    pub arm: Option<String>,
    /// Which model ran it.
    pub model: Option<String>,
    /// Who ran it.
    pub caller: Option<String>,
}

impl Dims {
    /// Of an execution.
    #[must_use]
    pub fn of(execution: &Execution) -> Self {
        Self {
            prompt: execution.prompt,
            version: execution.version,
            label: execution.label.clone(),
            arm: execution.arm.clone(),
            model: execution.model.clone(),
            caller: execution.caller.clone(),
        }
    }
}

/// Tallies by bucket (in minutes since 1970) and dimensions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    map: HashMap<(u32, Arc<Dims>), Tally>,
}

impl Rows {
    /// The tally of a place, made if it is not there.
    pub fn at(&mut self, bucket: u32, dims: &Arc<Dims>) -> &mut Tally {
        match self.map.entry((bucket, dims.clone())) {
            Entry::Occupied(row) => row.into_mut(),
            Entry::Vacant(row) => row.insert(Tally::default()),
        }
    }

    /// Takes a row in.
    pub fn merge(&mut self, bucket: u32, dims: &Arc<Dims>, tally: &Tally) {
        self.at(bucket, dims).merge(tally);
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Arc<Dims>, &Tally)> {
        self.map.iter().map(|((bucket, dims), tally)| (*bucket, dims, tally))
    }

    /// Them as they are written, in order.
    #[must_use]
    pub fn written(&self) -> Written {
        let mut rows: Vec<_> = self.map.iter().collect();
        rows.sort_unstable_by(|a, b| a.0.cmp(b.0));
        let mut names = Names::default();
        let rows = rows.into_iter().map(|((bucket, dims), tally)| Row {
            bucket: *bucket,
            prompt: names.prompt(dims.prompt),
            version: dims.version,
            label: names.name(dims.label.as_deref()),
            arm: names.name(dims.arm.as_deref()),
            model: names.name(dims.model.as_deref()),
            caller: names.name(dims.caller.as_deref()),
            tally: tally.clone(),
        });
        let rows = rows.collect();
        Written { prompts: names.prompts, names: names.names, rows }
    }

    /// Their bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(&self.written())
    }

    /// From their bytes.
    ///
    /// # Errors
    /// They are no rows.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let written: Written = decode("rows", bytes)?;
        let mut rows = Self::default();
        written.each(|bucket, dims, tally| rows.merge(bucket, &Arc::new(dims), tally))?;
        Ok(rows)
    }
}

/// Rows as they are written: names by their place, so that a long one costs a byte in each row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    prompts: Vec<PromptId>,
    names: Vec<String>,
    rows: Vec<Row>,
}

/// `0` is no name, others are one more than their place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    bucket: u32,
    prompt: u32,
    version: u32,
    label: u32,
    arm: u32,
    model: u32,
    caller: u32,
    tally: Tally,
}

impl Written {
    /// From bytes.
    ///
    /// # Errors
    /// They are no rows.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode("rows", bytes)
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Each row, in order.
    ///
    /// # Errors
    /// A row speaks of a name that is not there.
    pub fn each(&self, mut take: impl FnMut(u32, Dims, &Tally)) -> Result<(), DecodeError> {
        let lacking = || DecodeError { what: "rows", why: "a name is lacking".to_owned() };
        let name = |place: u32| match place.checked_sub(1) {
            None => Ok(None),
            Some(place) => {
                let name = usize::try_from(place).ok().and_then(|place| self.names.get(place));
                name.map(|name| Some(name.clone())).ok_or_else(lacking)
            }
        };
        for row in &self.rows {
            let prompt = usize::try_from(row.prompt).ok().and_then(|place| self.prompts.get(place));
            let dims = Dims {
                prompt: *prompt.ok_or_else(lacking)?,
                version: row.version,
                label: name(row.label)?,
                arm: name(row.arm)?,
                model: name(row.model)?,
                caller: name(row.caller)?,
            };
            take(row.bucket, dims, &row.tally);
        }
        Ok(())
    }
}

#[derive(Default)]
struct Names<'a> {
    prompts: Vec<PromptId>,
    names: Vec<String>,
    prompt_places: BTreeMap<PromptId, u32>,
    places: HashMap<&'a str, u32>,
}

impl<'a> Names<'a> {
    fn prompt(&mut self, prompt: PromptId) -> u32 {
        let next = u32::try_from(self.prompts.len()).unwrap_or(u32::MAX);
        *self.prompt_places.entry(prompt).or_insert_with(|| {
            self.prompts.push(prompt);
            next
        })
    }

    fn name(&mut self, name: Option<&'a str>) -> u32 {
        let Some(name) = name else { return 0 };
        let next = u32::try_from(self.names.len() + 1).unwrap_or(u32::MAX);
        *self.places.entry(name).or_insert_with(|| {
            self.names.push(name.to_owned());
            next
        })
    }
}
