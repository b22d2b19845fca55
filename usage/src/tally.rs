//! What is counted of some executions. Counts and sums are exact, whatever the order; quantiles are those of a [`Sketch`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::{Execution, Score, ScoreValue};
use crate::sketch::Sketch;

/// What is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Executions.
    pub count: u64,
    /// Those that ended with an error.
    pub errors: u64,
    /// How long they took, in microseconds.
    pub latency: Sketch,
    /// The sum of the same.
    pub latency_us: u128,
    /// The sum of its squares.
    pub latency_us_squared: u128,
    /// Tokens that went in.
    pub input_tokens: u64,
    /// Tokens that came out.
    pub output_tokens: u64,
    /// What they cost, in billionths.
    pub cost_nanos: u128,
    /// How good they were, by what was judged.
    pub scores: BTreeMap<String, ScoreTally>,
}

/// What is counted of one kind of judgement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreTally {
    /// Numbers.
    pub numbers: Numbers,
    /// How often yes.
    pub yes: u64,
    /// How often no.
    pub no: u64,
    /// How often each word.
    pub categories: BTreeMap<String, u64>,
}

/// What is counted of numbers, in millionths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// The sum.
    pub sum: i128,
    /// The sum of the squares, in millionths of millionths.
    pub squares: u128,
    /// How they lie.
    pub sketch: Sketch,
}

impl Tally {
    /// Takes an execution in, without its scores.
    pub fn add(&mut self, execution: &Execution) {
        self.count += 1;
        self.errors += u64::from(execution.error.is_some());
        if let Some(latency) = execution.latency_us {
            self.latency.add(i64::try_from(latency).unwrap_or(i64::MAX));
            self.latency_us = self.latency_us.saturating_add(latency.into());
            self.latency_us_squared = self.latency_us_squared.saturating_add(u128::from(latency).pow(2));
        }
        self.input_tokens = self.input_tokens.saturating_add(execution.input_tokens.unwrap_or_default());
        self.output_tokens = self.output_tokens.saturating_add(execution.output_tokens.unwrap_or_default());
        self.cost_nanos = self.cost_nanos.saturating_add(execution.cost_nanos.unwrap_or_default().into());
    }

    /// Takes judgements in.
    pub fn judge(&mut self, scores: &[Score]) {
        for score in scores {
            match self.scores.get_mut(&score.name) {
                Some(tally) => tally.add(&score.value),
                None => self.scores.entry(score.name.clone()).or_default().add(&score.value),
            }
        }
    }

    /// Takes in what another one has.
    pub fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.errors = self.errors.saturating_add(other.errors);
        self.latency.merge(&other.latency);
        self.latency_us = self.latency_us.saturating_add(other.latency_us);
        self.latency_us_squared = self.latency_us_squared.saturating_add(other.latency_us_squared);
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.cost_nanos = self.cost_nanos.saturating_add(other.cost_nanos);
        for (name, tally) in &other.scores {
            match self.scores.get_mut(name) {
                Some(own) => own.merge(tally),
                None => drop(self.scores.insert(name.clone(), tally.clone())),
            }
        }
    }

    /// Roughly how many bytes it takes when written.
    #[must_use]
    pub fn size_hint(&self) -> usize {
        let scores = self.scores.iter().map(|(name, score)| {
            name.len()
                + 16
                + 4 * score.numbers.sketch.len()
                + score.categories.keys().map(|w| w.len() + 4).sum::<usize>()
        });
        24 + 4 * self.latency.len() + scores.sum::<usize>()
    }
}

impl ScoreTally {
    fn add(&mut self, value: &ScoreValue) {
        match value {
            ScoreValue::Millionths(number) => {
                let numbers = &mut self.numbers;
                numbers.sum = numbers.sum.saturating_add((*number).into());
                numbers.squares = numbers.squares.saturating_add(u128::from(number.unsigned_abs()).pow(2));
                numbers.sketch.add(*number);
            }
            ScoreValue::Boolean(true) => self.yes += 1,
            ScoreValue::Boolean(false) => self.no += 1,
            ScoreValue::Category(word) => match self.categories.get_mut(word) {
                Some(count) => *count += 1,
                None => drop(self.categories.insert(word.clone(), 1)),
            },
        }
    }

    fn merge(&mut self, other: &Self) {
        self.numbers.sum = self.numbers.sum.saturating_add(other.numbers.sum);
        self.numbers.squares = self.numbers.squares.saturating_add(other.numbers.squares);
        self.numbers.sketch.merge(&other.numbers.sketch);
        self.yes = self.yes.saturating_add(other.yes);
        self.no = self.no.saturating_add(other.no);
        for (word, count) in &other.categories {
            let own = self.categories.entry(word.clone()).or_default();
            *own = own.saturating_add(*count);
        }
    }
}
