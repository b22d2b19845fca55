//! Scores that Langfuse's clients send: outcomes of runs, like any other. Each is taken for itself, because its clients send what
//! many have judged, and say nothing to those if one is refused.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use promptory_compat::langfuse::LangfuseError;
use promptory_compat::langfuse::scores::{
    EventAnswer, Events, EventsAnswer, Read, ScoreBody, ScoreError, ScoresAnswer, bounded, read, read_event, scores,
};
use promptory_events::Timestamp;
use promptory_platform::Presented;
use promptory_platform::extract::Json;
use promptory_platform::problem::{Problem, ProblemDocument};
use promptory_usage::Flaw;
use serde_json::value::RawValue;

use crate::failure::Failure;
use crate::service::{Service, Unplaced};

/// What runs of prompts were found to be: one score, or up to 1,000.
#[utoipa::path(post, path = "/api/public/scores", tag = "langfuse", operation_id = "langfuse_create_scores",
    request_body(content((ScoreBody = "application/json"), (Vec<ScoreBody> = "application/json"))),
    responses((status = 200, description = "The one was taken", body = ScoresAnswer),
        (status = 202, description = "All were taken", body = ScoresAnswer),
        (status = 207, description = "Some were not", body = ScoresAnswer),
        (status = "4XX", description = "Refused; nothing was written", content((LangfuseError = "application/json"), (ProblemDocument = "application/problem+json"))),
        (status = "5XX", description = "Not available, or the outcome is not known: send the same scores again", content((LangfuseError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn create(
    State(service): State<Service>,
    shown: Presented,
    Json(body): Json<Box<RawValue>>,
) -> Result<Response, Problem> {
    let (all, is_one) = scores(&body)?;
    let told = taken(&service, &shown, all, read).await?;
    if is_one {
        return match told.into_iter().next() {
            Some((id, None)) => Ok((StatusCode::OK, axum::Json(ScoresAnswer::One { id })).into_response()),
            Some((_, Some(flaw))) => Err(Problem::field(&flaw.field, flaw.why)),
            None => Err(Problem::internal()),
        };
    }
    let errors: Vec<_> =
        told.iter().filter_map(|(_, flaw)| flaw.as_ref()).map(|flaw| ScoreError { message: flaw.named() }).collect();
    if errors.is_empty() {
        return Ok((StatusCode::ACCEPTED, axum::Json(ScoresAnswer::All { message: "Accepted" })).into_response());
    }
    let (accepted, rejected) = (told.len() - errors.len(), errors.len());
    Ok((StatusCode::MULTI_STATUS, axum::Json(ScoresAnswer::Some { accepted, rejected, errors })).into_response())
}

/// The same as events: scores alone are taken. What an SDK says of runs comes as traces, by OTLP.
#[utoipa::path(post, path = "/api/public/ingestion", tag = "langfuse", operation_id = "langfuse_ingest",
    request_body = Events,
    responses((status = 207, description = "What became of each", body = EventsAnswer),
        (status = "4XX", description = "Refused; nothing was written", content((LangfuseError = "application/json"), (ProblemDocument = "application/problem+json"))),
        (status = "5XX", description = "Not available, or the outcome is not known: send the same events again", content((LangfuseError = "application/json"), (ProblemDocument = "application/problem+json")))),
    security(("api_key" = [])))]
pub async fn ingest(
    State(service): State<Service>,
    shown: Presented,
    Json(body): Json<Events>,
) -> Result<Response, Problem> {
    bounded("/batch", body.batch.len())?;
    let (mut successes, mut errors) = (Vec::new(), Vec::new());
    for (id, flaw) in taken(&service, &shown, body.batch, read_event).await? {
        match flaw {
            None => successes.push(EventAnswer { id, status: 201, message: None }),
            Some(flaw) => errors.push(EventAnswer { id, status: 400, message: Some(flaw.named()) }),
        }
    }
    Ok((StatusCode::MULTI_STATUS, axum::Json(EventsAnswer { successes, errors })).into_response())
}

/// Takes those that can be taken; gives the id of each, and why it was not.
async fn taken(
    service: &Service,
    shown: &Presented,
    all: Vec<Box<RawValue>>,
    read: fn(&RawValue, &str, Timestamp) -> Read,
) -> Result<Vec<(String, Option<Flaw>)>, Problem> {
    let mut chance = [0; 16];
    getrandom::fill(&mut chance).map_err(|error| Failure::Internal(format!("no randomness: {error}")))?;
    let chance = u128::from_le_bytes(chance);
    let bytes = all.iter().map(|one| one.get().len()).sum();
    let taken = service.record_each(shown, bytes, move |now, take| {
        let mut ids = Vec::with_capacity(all.len());
        for (place, one) in all.iter().enumerate() {
            let (id, outcome) = read(one, &format!("{chance:032x}-{place}"), now);
            ids.push((id, None));
            take(place, outcome.map(|outcome| Unplaced::Outcome(None, outcome)));
        }
        Ok(ids)
    });
    let (taken, mut told) = taken.await?;
    for bad in taken.refused {
        if let Some((_, flaw)) = told.get_mut(bad.index) {
            *flaw = Some(bad.flaw);
        }
    }
    Ok(told)
}
