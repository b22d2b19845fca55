//! Executions of prompts, what became of them, and searches that found nothing: what a record may say, and the bytes of a batch.
//!
//! Amounts are integers, so that sums are exact: microseconds, tokens, billionths of a currency unit, millionths of a score.

use promptory_events::{PromptId, Timestamp, limits};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::searches::Searches;
use crate::{DecodeError, decode, encode};

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// A prompt was run.
    Execution(Execution),
    /// What was found out later about a run.
    Outcome(OutcomeRecord),
    /// Searches that found nothing. The system's own: no client sends it.
    Searches(SearchesRecord),
}

/// A run of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// Its id: the same one again is the same record.
    pub id: String,
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
    /// Who ran it, as a pseudonym.
    pub caller: Option<String>,
    /// When.
    pub occurred_at: Timestamp,
    /// How long it took, in microseconds.
    pub latency_us: Option<u64>,
    /// Tokens that went in.
    pub input_tokens: Option<u64>,
    /// Tokens that came out.
    pub output_tokens: Option<u64>,
    /// What it cost, in billionths of a unit of the tenant's currency.
    pub cost_nanos: Option<u64>,
    /// What kind of error it ended with.
    pub error: Option<String>,
    /// How good it was.
    pub scores: Vec<Score>,
    /// What it was a part of: an outcome that names this instead is about the run in it that came last.
    pub trace: Option<String>,
}

/// What was found out later about a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeRecord {
    /// Its own id.
    pub id: String,
    /// The id of the run, or of what it was a part of.
    pub execution: String,
    /// The prompt that was run: then the outcome counts for a run of it and for no other.
    pub prompt: Option<PromptId>,
    /// When it was found out.
    pub occurred_at: Timestamp,
    /// How good the run was.
    pub scores: Vec<Score>,
}

/// Searches that found nothing, counted by one process for some seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchesRecord {
    /// Its id.
    pub id: String,
    /// When they were counted.
    pub occurred_at: Timestamp,
    /// Them.
    pub searches: Searches,
}

/// One judgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// What was judged.
    pub name: String,
    /// How.
    pub value: ScoreValue,
}

/// A judgement's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScoreValue {
    /// A number, in millionths.
    Millionths(i64),
    /// Yes or no.
    Boolean(bool),
    /// One of some words.
    Category(String),
}

/// Records that came together: one entry of the usage log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// When they came.
    pub received_at: Timestamp,
    /// Them.
    pub records: Vec<Record>,
}

/// The entry's bytes begin with the number of its form.
#[derive(Serialize, Deserialize)]
enum Entry<B> {
    V1(B),
}

/// Something that a record must not say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Flaw {
    /// Where, as a JSON pointer within the record.
    pub field: String,
    /// Why not.
    pub why: String,
}

impl Flaw {
    /// With the field's name before it, as a client reads it that is told nothing but a text.
    #[must_use]
    pub fn named(&self) -> String {
        match self.field.strip_prefix('/') {
            Some(field) => format!("{field}: {}", self.why),
            None => self.why.clone(),
        }
    }
}

/// What an id is known by: the first half of its SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IdHash(pub [u8; 16]);

impl IdHash {
    /// Of an id.
    #[must_use]
    pub fn of(id: &str) -> Self {
        let digest = Sha256::digest(id.as_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        Self(half)
    }
}

impl ScoreValue {
    /// A number, to the nearest millionth; none if it is too large or no number.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "within bounds, which are below 2^53"
    )]
    pub fn number(number: f64) -> Option<Self> {
        let (millionths, max) = ((number * 1e6).round(), limits::USAGE_SCORE_MAX_MILLIONTHS as f64);
        (-max..=max).contains(&millionths).then_some(Self::Millionths(millionths as i64))
    }
}

impl Batch {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(&Entry::V1(self))
    }

    /// From its bytes.
    ///
    /// # Errors
    /// They are no batch.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let Entry::V1(batch) = decode("records", bytes)?;
        Ok(batch)
    }
}

impl Record {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Execution(execution) => &execution.id,
            Self::Outcome(outcome) => &outcome.id,
            Self::Searches(searches) => &searches.id,
        }
    }

    /// Checks everything that a record must not say whatever the tenant has; `now` is when it came.
    ///
    /// # Errors
    /// The first flaw.
    pub fn check(&self, now: Timestamp) -> Result<(), Flaw> {
        text("/id", self.id(), limits::USAGE_ID_MAX_BYTES)?;
        let (occurred_at, scores) = match self {
            Self::Execution(execution) => {
                execution.check()?;
                (execution.occurred_at, execution.scores.as_slice())
            }
            Self::Outcome(outcome) => {
                text("/execution", &outcome.execution, limits::USAGE_ID_MAX_BYTES)?;
                if outcome.scores.is_empty() {
                    return Err(flaw("/scores", "an outcome says at least one".to_owned()));
                }
                (outcome.occurred_at, outcome.scores.as_slice())
            }
            Self::Searches(searches) => (searches.occurred_at, [].as_slice()),
        };
        if occurred_at.micros() < 0 {
            return Err(flaw("/occurred_at", "must not be before 1970".to_owned()));
        }
        if occurred_at > now.plus_ms(limits::USAGE_AHEAD_MAX_MS) {
            return Err(flaw("/occurred_at", "must not be in the future".to_owned()));
        }
        check_scores(scores)
    }
}

impl Execution {
    fn check(&self) -> Result<(), Flaw> {
        let texts = [
            ("/arm", &self.arm, limits::USAGE_NAME_MAX_BYTES),
            ("/model", &self.model, limits::MODEL_MAX_BYTES),
            ("/caller", &self.caller, limits::USAGE_CALLER_MAX_BYTES),
            ("/error", &self.error, limits::USAGE_NAME_MAX_BYTES),
            ("/trace", &self.trace, limits::USAGE_ID_MAX_BYTES),
        ];
        for (field, value, max) in texts {
            if let Some(value) = value {
                text(field, value, max)?;
            }
        }
        let amounts = [
            ("/latency_ms", self.latency_us, limits::USAGE_LATENCY_MAX_US),
            ("/input_tokens", self.input_tokens, limits::USAGE_TOKENS_MAX),
            ("/output_tokens", self.output_tokens, limits::USAGE_TOKENS_MAX),
            ("/cost_nanos", self.cost_nanos, limits::USAGE_COST_MAX_NANOS),
        ];
        match amounts.into_iter().find(|(_, amount, max)| amount.is_some_and(|amount| amount > *max)) {
            Some((field, _, max)) => Err(flaw(field, format!("is over the limit of {max}"))),
            None => Ok(()),
        }
    }
}

fn check_scores(scores: &[Score]) -> Result<(), Flaw> {
    if scores.len() > limits::USAGE_SCORES_MAX {
        return Err(flaw("/scores", format!("has {} scores, at most {}", scores.len(), limits::USAGE_SCORES_MAX)));
    }
    for (place, score) in scores.iter().enumerate() {
        text(&format!("/scores/{place}/name"), &score.name, limits::USAGE_NAME_MAX_BYTES)?;
        let value = format!("/scores/{place}/value");
        match &score.value {
            ScoreValue::Millionths(v) if v.unsigned_abs() > limits::USAGE_SCORE_MAX_MILLIONTHS => {
                return Err(flaw(&value, format!("is over {}", limits::USAGE_SCORE_MAX_MILLIONTHS / 1_000_000)));
            }
            ScoreValue::Category(word) => text(&value, word, limits::USAGE_NAME_MAX_BYTES)?,
            ScoreValue::Millionths(_) | ScoreValue::Boolean(_) => {}
        }
        if scores.iter().take(place).any(|other| other.name == score.name) {
            return Err(flaw(&format!("/scores/{place}/name"), "is there twice".to_owned()));
        }
    }
    Ok(())
}

fn text(field: &str, text: &str, max: usize) -> Result<(), Flaw> {
    if text.is_empty() || text.len() > max {
        return Err(flaw(field, format!("must have 1 to {max} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(flaw(field, "must have no control characters".to_owned()));
    }
    Ok(())
}

fn flaw(field: &str, why: String) -> Flaw {
    Flaw { field: field.to_owned(), why }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
pub(crate) mod tests;
