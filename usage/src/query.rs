//! Which rows a question reads, how they are grouped, and what is told of each group.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use promptory_events::{PromptId, Timestamp, limits};
use serde::{Deserialize, Serialize};

use crate::page::Grain;
use crate::rows::{Dims, Rows};
use crate::tally::{Numbers, ScoreTally, Tally};

/// Groups that are held while a question is answered.
const HELD_MAX: usize = 200_000;

/// Something that executions differ by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Dimension {
    /// The prompt.
    Prompt,
    /// The version.
    Version,
    /// The label.
    Label,
    /// The arm of a rollout.
    Arm,
    /// The model.
    Model,
    /// The caller.
    Caller,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Prompt, Self::Version, Self::Label, Self::Arm, Self::Model, Self::Caller];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Version => "version",
            Self::Label => "label",
            Self::Arm => "arm",
            Self::Model => "model",
            Self::Caller => "caller",
        }
    }
}

/// What groups are put in order by, the largest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Order {
    /// Executions.
    #[default]
    Count,
    /// Errors.
    Errors,
    /// Costs.
    Cost,
    /// Tokens, both ways.
    Tokens,
    /// The 95th percentile of the latency.
    Latency,
}

/// Which executions. Every part narrows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Of this version.
    pub version: Option<u32>,
    /// Asked for by this label.
    pub label: Option<String>,
    /// Of this arm.
    pub arm: Option<String>,
    /// Run by this model.
    pub model: Option<String>,
    /// By this caller.
    pub caller: Option<String>,
}

/// What is asked of the rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The first minute since 1970.
    pub from: u32,
    /// The first one beyond.
    pub to: u32,
    /// How long each bucket is; none: all is one.
    pub step: Option<Grain>,
    /// What is told apart.
    pub group_by: BTreeSet<Dimension>,
    /// Which executions.
    pub filter: Filter,
    /// Which groups come first.
    pub order: Order,
    /// How many of them are told, over all buckets.
    pub top: Option<usize>,
}

/// There is more than one answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are more groups than one answer has: narrow the filter, or group by less")]
pub struct TooMany;

/// What is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Of each group, by time, then in the order that was asked for.
    pub groups: Vec<Group>,
    /// How many groups there are, buckets left out.
    pub of: u64,
}

/// What is told of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// When its bucket begins.
    pub at: Option<Timestamp>,
    /// What it is of, as far as that was asked for.
    pub dims: Arc<Dims>,
    /// What is counted.
    pub measures: Measures,
}

/// What is counted of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measures {
    /// Executions.
    pub count: u64,
    /// Errors.
    pub errors: u64,
    /// How long they took, in microseconds.
    pub latency_us: Spread,
    /// Tokens that went in.
    pub input_tokens: u64,
    /// Tokens that came out.
    pub output_tokens: u64,
    /// What they cost, in billionths.
    pub cost_nanos: u128,
    /// How good they were, by what was judged.
    pub scores: BTreeMap<String, Scored>,
}

/// How numbers lie.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// How many there are.
    pub count: u64,
    /// Their sum.
    pub sum: i128,
    /// The sum of their squares.
    pub squares: u128,
    /// The median.
    pub p50: Option<i64>,
    /// 95 of 100 are not above.
    pub p95: Option<i64>,
    /// 99 of 100 are not above.
    pub p99: Option<i64>,
}

/// What is told of one kind of judgement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scored {
    /// Numbers, in millionths.
    pub millionths: Spread,
    /// How often yes.
    pub yes: u64,
    /// How often no.
    pub no: u64,
    /// How often each word.
    pub categories: BTreeMap<String, u64>,
}

impl Question {
    /// Whether callers must be told apart.
    #[must_use]
    pub fn needs_callers(&self) -> bool {
        self.group_by.contains(&Dimension::Caller) || self.filter.caller.is_some()
    }

    /// The longest buckets that it can be answered from.
    #[must_use]
    pub fn coarsest(&self) -> Grain {
        self.step.unwrap_or(Grain::Day)
    }

    /// Takes a row into its group, if it is asked for and its bucket is in a range.
    ///
    /// # Errors
    /// There are too many groups.
    pub fn take(&self, into: &mut Rows, range: (u32, u32), row: (u32, &Dims, &Tally)) -> Result<(), TooMany> {
        let (bucket, dims, tally) = row;
        if !(range.0..range.1).contains(&bucket) || !self.wants(dims) {
            return Ok(());
        }
        let at = self.step.map_or(0, |step| step.bucket(bucket));
        into.merge(at, &Arc::new(self.group(dims)), tally);
        if into.len() > HELD_MAX { Err(TooMany) } else { Ok(()) }
    }

    fn wants(&self, dims: &Dims) -> bool {
        let is = |wanted: &Option<String>, has: &Option<String>| wanted.is_none() || wanted == has;
        let filter = &self.filter;
        filter.version.is_none_or(|version| version == dims.version)
            && is(&filter.label, &dims.label)
            && is(&filter.arm, &dims.arm)
            && is(&filter.model, &dims.model)
            && is(&filter.caller, &dims.caller)
    }

    fn group(&self, dims: &Dims) -> Dims {
        let by = |dimension| self.group_by.contains(&dimension);
        let name = |dimension, name: &Option<String>| if by(dimension) { name.clone() } else { None };
        Dims {
            prompt: if by(Dimension::Prompt) { dims.prompt } else { PromptId([0; 16]) },
            version: if by(Dimension::Version) { dims.version } else { 0 },
            label: name(Dimension::Label, &dims.label),
            arm: name(Dimension::Arm, &dims.arm),
            model: name(Dimension::Model, &dims.model),
            caller: name(Dimension::Caller, &dims.caller),
        }
    }

    /// What is told of the groups.
    ///
    /// # Errors
    /// There are too many groups.
    pub fn tell(&self, groups: &Rows) -> Result<Told, TooMany> {
        let mut totals: HashMap<&Arc<Dims>, Tally> = HashMap::new();
        for (_, dims, tally) in groups.iter() {
            totals.entry(dims).or_default().merge(tally);
        }
        let mut ranked: Vec<(u128, &Arc<Dims>)> =
            totals.iter().map(|(dims, tally)| (self.order.of(tally), *dims)).collect();
        ranked.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        ranked.truncate(self.top.unwrap_or(usize::MAX));
        let places: HashMap<&Arc<Dims>, usize> = ranked.iter().enumerate().map(|(at, (_, dims))| (*dims, at)).collect();
        let mut told: Vec<_> =
            groups.iter().filter_map(|(at, dims, tally)| Some((at, *places.get(dims)?, dims, tally))).collect();
        if told.len() > limits::USAGE_GROUPS_MAX {
            return Err(TooMany);
        }
        told.sort_unstable_by_key(|(at, place, ..)| (*at, *place));
        let groups = told.into_iter().map(|(at, _, dims, tally)| Group {
            at: self.step.map(|_| Timestamp::from_micros(i64::from(at) * 60_000_000)),
            dims: dims.clone(),
            measures: Measures::of(tally),
        });
        Ok(Told { groups: groups.collect(), of: totals.len() as u64 })
    }
}

impl Order {
    fn of(self, tally: &Tally) -> u128 {
        match self {
            Self::Count => tally.count.into(),
            Self::Errors => tally.errors.into(),
            Self::Cost => tally.cost_nanos,
            Self::Tokens => u128::from(tally.input_tokens) + u128::from(tally.output_tokens),
            Self::Latency => tally.latency.quantile(950).unwrap_or_default().unsigned_abs().into(),
        }
    }
}

impl Measures {
    /// Of a tally.
    #[must_use]
    pub fn of(tally: &Tally) -> Self {
        Self {
            count: tally.count,
            errors: tally.errors,
            latency_us: Spread {
                sum: i128::try_from(tally.latency_us).unwrap_or(i128::MAX),
                squares: tally.latency_us_squared,
                ..Spread::of(&tally.latency)
            },
            input_tokens: tally.input_tokens,
            output_tokens: tally.output_tokens,
            cost_nanos: tally.cost_nanos,
            scores: tally.scores.iter().map(|(name, score)| (name.clone(), Scored::of(score))).collect(),
        }
    }
}

impl Scored {
    fn of(tally: &ScoreTally) -> Self {
        let Numbers { sum, squares, sketch } = &tally.numbers;
        let millionths = Spread { sum: *sum, squares: *squares, ..Spread::of(sketch) };
        Self { millionths, yes: tally.yes, no: tally.no, categories: tally.categories.clone() }
    }
}

impl Spread {
    fn of(sketch: &crate::Sketch) -> Self {
        let [p50, p95, p99] = [500, 950, 990].map(|thousandths| sketch.quantile(thousandths));
        Self { count: sketch.count(), sum: 0, squares: 0, p50, p95, p99 }
    }

    /// The mean; none of no numbers.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a mean is told as a float")]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }
}
