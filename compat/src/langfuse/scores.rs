//! Scores as Langfuse's clients send them, one, many, or as events, and what they are answered. A score becomes an outcome of the
//! run whose observation or trace it names; free texts are none, for they can't be counted.

use promptory_events::{Timestamp, limits};
use promptory_platform::Problem;
use promptory_usage::{Flaw, OutcomeRecord, Score, ScoreValue};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::otlp::generation::record_id;

/// The one kind of event that is taken.
const SCORE_EVENT: &str = "score-create";
/// Before the id of a score, so that it is nobody else's: scores are often called by the id of what they are about.
const ID: &str = "score/";

/// A score.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LangfuseScore)]
pub struct ScoreBody {
    /// Its id, up to 122 bytes: the same one again is the same score.
    #[serde(default)]
    id: Option<String>,
    /// The trace that it is about.
    #[serde(default)]
    trace_id: Option<String>,
    /// The observation in it that it is about.
    #[serde(default)]
    observation_id: Option<String>,
    /// What was judged.
    name: String,
    /// How: a number, or a word.
    #[schema(value_type = Value)]
    value: Value,
    /// `NUMERIC`, `BOOLEAN` or `CATEGORICAL`; by the value, if it is not there.
    #[serde(default)]
    data_type: Option<String>,
    /// When it was found out; now, if it is not there.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    timestamp: Option<Timestamp>,
}

/// A score's value.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A word.
    Word(String),
}

/// Events that come together.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = LangfuseEvents)]
pub struct Events {
    /// At most 1,000 of them.
    #[schema(value_type = Vec<Event>)]
    pub batch: Vec<Box<RawValue>>,
}

/// An event.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = LangfuseEvent)]
pub struct Event {
    /// Its id.
    id: String,
    /// `score-create`; others are not taken.
    r#type: String,
    /// The score.
    #[schema(value_type = ScoreBody)]
    body: Box<RawValue>,
}

/// What became of events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LangfuseEventsAnswer)]
pub struct EventsAnswer {
    /// Those that were taken.
    pub successes: Vec<EventAnswer>,
    /// Those that were not.
    pub errors: Vec<EventAnswer>,
}

/// What became of an event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LangfuseEventAnswer)]
pub struct EventAnswer {
    /// Its id.
    pub id: String,
    /// 201 or 400.
    pub status: u16,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What became of scores.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = LangfuseScoresAnswer)]
pub enum ScoresAnswer {
    /// The one.
    One {
        /// Its id.
        id: String,
    },
    /// All of them.
    All {
        /// `Accepted`.
        message: &'static str,
    },
    /// Some of them.
    Some {
        /// How many.
        accepted: usize,
        /// How many not.
        rejected: usize,
        /// Why not.
        errors: Vec<ScoreError>,
    },
}

/// Why a score was not taken.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LangfuseScoreError)]
pub struct ScoreError {
    /// In words.
    pub message: String,
}

/// A score that was read: its id as its client knows it, and the outcome that it becomes.
pub type Read = (String, Result<OutcomeRecord, Flaw>);

/// A body with one score or many.
///
/// # Errors
/// Neither, or more than 1,000.
pub fn scores(body: &RawValue) -> Result<(Vec<Box<RawValue>>, bool), Problem> {
    if !body.get().trim_start().starts_with('[') {
        return Ok((vec![body.to_owned()], true));
    }
    let all: Vec<Box<RawValue>> = promptory_platform::extract::json(body.get().as_bytes())?;
    bounded("", all.len())?;
    Ok((all, false))
}

/// Whether so many may come together.
///
/// # Errors
/// `invalid-field`, naming the limit.
pub fn bounded(field: &str, count: usize) -> Result<(), Problem> {
    let max = limits::USAGE_RECORDS_MAX;
    if count > max { Err(Problem::field(field, format!("at most {max} at once")).with("limit", max)) } else { Ok(()) }
}

/// Reads a score. `fresh` is the id of one that has none, `now` when it came.
pub fn read(json: &RawValue, fresh: &str, now: Timestamp) -> Read {
    match serde_json::from_str::<ScoreBody>(json.get()) {
        Ok(body) => {
            let id = body.id.clone().unwrap_or_else(|| fresh.to_owned());
            let outcome = body.outcome(&id, now);
            (id, outcome)
        }
        Err(error) => (fresh.to_owned(), Err(flaw("", &error.to_string()))),
    }
}

/// Reads an event: its own id, and the score in it.
pub fn read_event(json: &RawValue, fresh: &str, now: Timestamp) -> Read {
    let event: Event = match serde_json::from_str(json.get()) {
        Ok(event) => event,
        Err(error) => return (String::new(), Err(flaw("", &error.to_string()))),
    };
    if event.r#type != SCORE_EVENT {
        let why = format!("only `{SCORE_EVENT}` is taken here; runs come as traces, by OTLP");
        return (event.id, Err(flaw("/type", &why)));
    }
    (event.id, read(&event.body, fresh, now).1)
}

impl ScoreBody {
    fn outcome(self, id: &str, now: Timestamp) -> Result<OutcomeRecord, Flaw> {
        let about = |text: Option<String>| text.filter(|text| !text.is_empty());
        let execution = match (about(self.trace_id), about(self.observation_id)) {
            (Some(trace), Some(observation)) => record_id(&trace, &observation),
            (Some(trace), None) => trace,
            (None, _) => {
                return Err(flaw("/traceId", "say the trace: only scores of traces and observations are taken"));
            }
        };
        let value = match (self.data_type.as_deref(), self.value) {
            (None | Some("NUMERIC"), Value::Number(number)) => {
                ScoreValue::number(number).ok_or_else(|| flaw("/value", "must be between minus and plus a billion"))?
            }
            (Some("BOOLEAN"), Value::Number(number)) if number == 0.0 || number == 1.0 => {
                ScoreValue::Boolean(number == 1.0)
            }
            (None | Some("CATEGORICAL"), Value::Word(word)) => ScoreValue::Category(word),
            (Some("TEXT" | "CORRECTION"), _) => return Err(flaw("/dataType", "free texts are not counted")),
            (Some("NUMERIC" | "BOOLEAN" | "CATEGORICAL"), _) => {
                return Err(flaw("/value", "is not of the type that it is said to be"));
            }
            (Some(_), _) => return Err(flaw("/dataType", "must be NUMERIC, BOOLEAN or CATEGORICAL")),
        };
        // A client's clock may be ahead, and nothing is counted by this time.
        let occurred_at = self.timestamp.unwrap_or(now).min(now);
        let scores = vec![Score { name: self.name, value }];
        Ok(OutcomeRecord { id: format!("{ID}{id}"), execution, prompt: None, occurred_at, scores })
    }
}

fn flaw(field: &str, why: &str) -> Flaw {
    Flaw { field: field.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000)
    }

    fn raw(json: &serde_json::Value) -> Box<RawValue> {
        RawValue::from_string(json.to_string()).unwrap()
    }

    fn of(more: serde_json::Value) -> Result<OutcomeRecord, Flaw> {
        let mut score = json!({"id": "s1", "traceId": "t", "observationId": "o", "name": "helpful", "value": 0.5});
        for (member, value) in more.as_object().unwrap() {
            score[member] = value.clone();
        }
        read(&raw(&score), "fresh", now()).1
    }

    #[test]
    fn a_score_is_an_outcome_of_an_observation_or_a_trace() {
        let scores = vec![Score { name: "helpful".to_owned(), value: ScoreValue::Millionths(500_000) }];
        let (id, execution) = ("score/s1".to_owned(), "t/o".to_owned());
        let whole = OutcomeRecord { id, execution, prompt: None, occurred_at: now(), scores };
        assert_eq!(of(json!({})), Ok(whole.clone()));
        let at = Timestamp::from_micros(1_700_000_000_000_000);
        let early = of(json!({"timestamp": "2023-11-14T22:13:20Z", "observationId": null, "comment": "x"})).unwrap();
        assert_eq!((early.execution.as_str(), early.occurred_at), ("t", at));
        assert_eq!(of(json!({"timestamp": "2100-01-01T00:00:00Z"})), Ok(whole), "a clock that is ahead");
        let (id, unnamed) = read(&raw(&json!({"traceId": "t", "name": "n", "value": "good"})), "fresh", now());
        assert_eq!((id.as_str(), unnamed.unwrap().id.as_str()), ("fresh", "score/fresh"));
    }

    #[test]
    fn values_are_of_three_types() {
        let value = |more| of(more).map(|outcome| outcome.scores[0].value.clone());
        let flawed = |more| value(more).unwrap_err().field;
        assert_eq!(value(json!({"value": 1, "dataType": "BOOLEAN"})), Ok(ScoreValue::Boolean(true)));
        assert_eq!(value(json!({"value": 0.0, "dataType": "BOOLEAN"})), Ok(ScoreValue::Boolean(false)));
        assert_eq!(value(json!({"value": -2, "dataType": "NUMERIC"})), Ok(ScoreValue::Millionths(-2_000_000)));
        assert_eq!(value(json!({"value": "good"})), Ok(ScoreValue::Category("good".to_owned())));
        for (value, kind, field) in [
            (json!(2), "BOOLEAN", "/value"),
            (json!("good"), "NUMERIC", "/value"),
            (json!(1), "CATEGORICAL", "/value"),
            (json!(1e300), "NUMERIC", "/value"),
            (json!("a long story"), "TEXT", "/dataType"),
            (json!(1), "OTHER", "/dataType"),
            (json!([1]), "NUMERIC", ""),
        ] {
            assert_eq!(flawed(json!({"value": value, "dataType": kind})), field, "{kind}");
        }
        assert_eq!(flawed(json!({"traceId": null, "sessionId": "s"})), "/traceId");
    }

    #[test]
    fn one_many_and_events_are_told_apart() {
        assert!(matches!(scores(&raw(&json!({}))), Ok((one, true)) if one.len() == 1));
        assert!(matches!(scores(&raw(&json!([{}, {}]))), Ok((two, false)) if two.len() == 2));
        let many: Vec<_> = (0..=limits::USAGE_RECORDS_MAX).collect();
        assert_eq!(scores(&raw(&json!(many))).unwrap_err().members["limit"], json!(limits::USAGE_RECORDS_MAX));
        let event = |kind: &str| {
            let body = json!({"traceId": "t", "name": "n", "value": 1});
            read_event(&raw(&json!({"id": "e1", "type": kind, "timestamp": "x", "body": body})), "fresh", now())
        };
        let (id, outcome) = event(SCORE_EVENT);
        assert_eq!((id.as_str(), outcome.unwrap().id.as_str()), ("e1", "score/fresh"));
        let (id, refused) = event("trace-create");
        assert_eq!((id.as_str(), refused.unwrap_err().field.as_str()), ("e1", "/type"));
        assert!(read_event(&raw(&json!(1)), "fresh", now()).1.is_err());
    }
}
